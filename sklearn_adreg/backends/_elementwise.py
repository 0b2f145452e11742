"""What a function must be to have elementwise derivatives."""

from __future__ import annotations

from typing import Any


class MissingRuleError(NotImplementedError):
    """A library has no derivative of an operation, which the message names."""


def check_elementwise(value: Any, expected: tuple[int, ...]) -> None:
    """Raise where a value is not one real number for each of x."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None:
        raise ValueError(
            f"The `func` parameter must return an array. Got {value!r} instead."
        )
    if dtype.kind == "c":
        raise ValueError(
            f"The `func` parameter must return real numbers. Got dtype {dtype} instead."
        )
    if shape != expected:
        raise ValueError(
            "The `func` parameter must be elementwise: a value of the shape of x, "
            f"{expected}. Got shape {shape} instead. Write a constant c as 0 * x + c, "
            "and sum derivatives, not the function."
        )
