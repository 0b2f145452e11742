"""Automatic differentiation by JAX: traced, compiled, on CPU, GPU or TPU.

Every compiled function stands at module level and is keyed by the pure functions that
it is given, so that a program is compiled once for a shape, whichever estimator asks
for it. Float64 is switched on for the duration of a call (the switch is local to the
thread and part of the compilation key): the user's own JAX code never notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sklearn_adreg.backends._taylor import compiled_derivatives, taylor_derivatives
from sklearn_adreg.backends.base import Backend

__all__ = ["JaxBackend"]

# Steps that one compiled call takes before it hands its values to Python.
_STEPS_PER_CALL = 128


@dataclass(frozen=True)
class JaxBackend(Backend):
    """Compiled differentiation by JAX, in host memory or on one of its devices.

    Arrays keep their dtype: float64 data are differentiated in float64 without
    changing ``jax_enable_x64`` for anybody else. Matrix products of float32 arrays
    are computed in full float32, never in a shorter format such as TF32.

    References
    ----------
    .. [1] R. Frostig, M. J. Johnson, C. Leary, "Compiling machine learning programs
       via high-level tracing", SysML, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import GradientDescentRegressor
    >>> from sklearn_adreg.backends import JaxBackend
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0])
    >>> GradientDescentRegressor(backend=JaxBackend(), device="cpu").fit(X, y).coef_
    array([2.])
    """

    @property
    def name(self) -> str:
        """The name by which ``backend=`` knows it."""
        return "jax"

    @property
    def array_namespace(self) -> Any:
        """The module ``jax.numpy``."""
        return jnp

    def value_and_gradient(
        self, function: Callable[..., Any]
    ) -> Callable[..., tuple[Any, Any]]:
        """See `Backend.value_and_gradient`."""
        return jax.value_and_grad(function)

    def value_and_derivative(
        self, loss: Callable[[Any, Any], Any]
    ) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """See `Backend.value_and_derivative`; one compilation per power of two."""

        def differentiated(
            y_true: np.ndarray, y_pred: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray]:
            n_rows = len(y_pred)
            with _exact(y_pred):
                values, derivatives = _elementwise(
                    loss, _padded(y_true), _padded(y_pred)
                )
            return np.asarray(values)[:n_rows], np.asarray(derivatives)[:n_rows]

        return differentiated

    def iterate(
        self,
        step: Callable[[Any, Any], Any],
        proceed: Callable[[Any, Any], Any],
        problem: Any,
        state: Any,
        max_iter: int,
        report: Callable[[np.ndarray], None],
    ) -> tuple[Any, np.ndarray]:
        """See `Backend.iterate`; a compiled loop that reports every 128 steps."""
        chunks: list[np.ndarray] = []
        n_iter = 0
        with _exact(state.value):
            while True:
                limit = min(_STEPS_PER_CALL, max_iter - n_iter)
                n_steps, state, values = _run(step, proceed, problem, state, limit)
                chunks.append(np.asarray(values)[: int(n_steps)])
                n_iter += int(n_steps)
                report(chunks[-1])
                if int(n_steps) < _STEPS_PER_CALL or n_iter >= max_iter:
                    break
        return jax.tree.map(np.asarray, state), np.concatenate(chunks)

    def derivatives(
        self, func: Callable[[Any], Any], x: Any, order: int
    ) -> Sequence[Any]:
        """See `Backend.derivatives`; Taylor mode, compiled for a function and order."""
        if isinstance(x, jax.core.Tracer):
            return taylor_derivatives(func, order, x)
        with _exact(x):
            return [*map(np.asarray, compiled_derivatives(func, order)(x))]

    def devices(self) -> list[str]:
        """See `Backend.devices`; JAX's default platform first, then the CPU."""
        return list(_devices())

    def place(self, arrays: Sequence[np.ndarray], device: str) -> tuple[Any, ...]:
        """See `Backend.place`."""
        found = _devices().get(device)
        if found is None:
            return super().place(arrays, device)
        with _exact(*arrays):
            return tuple(jax.device_put(array, found) for array in arrays)

    def evaluate(self, function: Callable[..., Any], *arrays: Any) -> Any:
        """See `Backend.evaluate`; compiled once for a function and its shapes."""
        with _exact(*jax.tree.leaves(arrays)):
            return _evaluate(function, *arrays)


def _devices() -> dict[str, jax.Device]:
    """Every name that ``device=`` may have here, with the device that it means."""
    names: dict[str, jax.Device] = {}
    for platform in ("gpu", "cuda", "rocm", "tpu", "cpu"):
        try:
            found = jax.local_devices(backend=platform)
        except RuntimeError:  # JAX's way to say that there is no such platform
            continue
        names[platform] = found[0]
        names |= {f"{platform}:{i}": device for i, device in enumerate(found)}
    return names


@contextmanager
def _exact(*arrays: Any) -> Iterator[None]:
    """Compute in the arrays' own dtype, with products at full precision.

    Arrays that are on a device stay there; host arrays are computed with on the CPU,
    never on an accelerator that nobody asked for.
    """
    with (
        jax.enable_x64(any(array.dtype == np.float64 for array in arrays)),
        jax.default_matmul_precision("highest"),
        jax.default_device(jax.local_devices(backend="cpu")[0]),
    ):
        yield


def _padded(array: np.ndarray) -> np.ndarray:
    """Repeat the last row up to a power of two, so that few shapes are compiled."""
    n_missing = (1 << (len(array) - 1).bit_length()) - len(array)
    if n_missing == 0:
        return array
    return np.concatenate([array, np.repeat(array[-1:], n_missing, axis=0)])


@partial(jax.jit, static_argnums=0)
def _elementwise(
    loss: Callable[[Any, Any], Any], y_true: jax.Array, y_pred: jax.Array
) -> tuple[jax.Array, jax.Array]:
    values, pullback = jax.vjp(lambda z: loss(y_true, z), y_pred)
    return values, pullback(jnp.ones_like(values))[0]


@partial(jax.jit, static_argnums=0)
def _evaluate(function: Callable[..., Any], *arrays: Any) -> Any:
    return function(jnp, *arrays)


@partial(jax.jit, static_argnums=(0, 1))
def _run(
    step: Callable[[Any, Any], Any],
    proceed: Callable[[Any, Any], Any],
    problem: Any,
    state: Any,
    limit: Any,
) -> tuple[jax.Array, Any, jax.Array]:
    """At most `limit` steps; how many were taken, the last state, the values."""

    def unfinished(carry: Any) -> Any:
        n_steps, state, _ = carry
        return (n_steps < limit) & proceed(problem, state)

    def advance(carry: Any) -> Any:
        n_steps, state, values = carry
        state = step(problem, state)
        return n_steps + 1, state, values.at[n_steps].set(state.value)

    values = jnp.zeros(_STEPS_PER_CALL, dtype=state.value.dtype)
    start = (jnp.zeros((), dtype=jnp.int32), state, values)
    return lax.while_loop(unfinished, advance, start)
