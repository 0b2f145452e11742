"""Arrays of a function's own whose float type a library has mistaken."""

from __future__ import annotations

# What JAX says where it takes a NumPy array of a function for what it was when float64
# was switched the other way: it tells them apart by their addresses (JAX 0.10).
_CONFUSED = "verifier errors", "RuntimeProgramInputMismatch"


def is_confused(error: Exception) -> bool:
    """Whether a library mistook the float type of an array of a function's own."""
    return any(said in str(error) for said in _CONFUSED)


class ConfusedArrayError(TypeError):
    """A library mistook the float type of an array that a function refers to."""

    def __init__(self) -> None:
        super().__init__(
            "Arrays of NumPy that a loss or another function for backend='jax' refers "
            "to must be of one float type to JAX. Got float64 arrays, which it has met "
            "in float32 computations and in float64 ones, and confuses. Convert them "
            "before, with array.astype('float32'), or write jax.numpy.asarray(array) "
            "inside the function."
        )
