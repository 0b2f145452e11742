"""Automatic differentiation by JAX: traced, compiled, on CPU, GPU or TPU.

JAX is imported when a method is first called, so that a backend, and an estimator
that holds one, also loads where JAX is not installed. Float64 is switched on for the
duration of a call (the switch is local to the thread and part of the compilation key):
the user's own JAX code never notices.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg.backends.base import Backend

__all__ = ["JaxBackend"]


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
        return _xla().jnp

    def value_and_gradient(
        self, function: Callable[..., Any]
    ) -> Callable[..., tuple[Any, Any]]:
        """See `Backend.value_and_gradient`."""
        return _xla().jax.value_and_grad(function)

    def value_and_derivative(
        self, loss: Callable[..., Any]
    ) -> Callable[..., tuple[Any, Any]]:
        """See `Backend.value_and_derivative`.

        Host arrays are padded: one compilation per power of two. Arrays of JAX's own,
        traced or on a device, are differentiated as they are.
        """
        xla = _xla()
        program = xla.compiled(xla.row_by_row, loss)

        def differentiated(y_true: Any, y_pred: Any, *row_data: Any) -> tuple[Any, Any]:
            if isinstance(y_pred, xla.jax.Array):
                with xla.exact(y_pred):
                    values, pullback = xla.jax.vjp(loss, y_true, y_pred, *row_data)
                    return values, pullback(xla.jnp.ones_like(values))[1]
            n_rows = len(y_pred)
            with xla.exact(y_pred), program() as run:
                padded = map(xla.padded, (y_true, y_pred, *row_data))
                values, derivatives = run(*padded)
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
        xla = _xla()
        program = xla.compiled(xla.run_steps, step, proceed)
        chunks: list[np.ndarray] = []
        n_iter = 0
        with xla.exact(state.value), program() as run:
            while True:
                limit = min(xla.STEPS_PER_CALL, max_iter - n_iter)
                n_steps, state, values = run(problem, state, limit)
                chunks.append(np.asarray(values)[: int(n_steps)])
                n_iter += int(n_steps)
                report(chunks[-1])
                if int(n_steps) < xla.STEPS_PER_CALL or n_iter >= max_iter:
                    break
        return xla.jax.tree.map(np.asarray, state), np.concatenate(chunks)

    def derivatives(
        self, func: Callable[[Any], Any], x: Any, order: int
    ) -> Sequence[Any]:
        """See `Backend.derivatives`; Taylor mode, compiled for a function and order."""
        xla, taylor = _xla(), _import("_taylor")
        if isinstance(x, xla.jax.core.Tracer):
            return taylor.taylor_derivatives(func, order, x)
        program = xla.compiled(taylor.taylor_derivatives, func, order)
        with xla.exact(x), program() as run:
            return [*map(np.asarray, run(x))]

    def devices(self) -> list[str]:
        """See `Backend.devices`; JAX's default platform first, then the CPU."""
        return list(_xla().devices())

    def place(self, arrays: Sequence[np.ndarray], device: str) -> tuple[Any, ...]:
        """See `Backend.place`."""
        xla = _xla()
        found = xla.devices().get(device)
        if found is None:
            return super().place(arrays, device)
        with xla.exact(*arrays):
            return tuple(xla.jax.device_put(array, found) for array in arrays)

    def evaluate(self, function: Callable[..., Any], *arrays: Any) -> Any:
        """See `Backend.evaluate`; compiled once for a function and its shapes."""
        xla = _xla()
        program = xla.compiled(operator.call, function, xla.jnp)
        with xla.exact(*xla.jax.tree.leaves(arrays)), program() as run:
            return run(*arrays)


def _xla() -> Any:
    """Import JAX, and what it compiles for the estimators."""
    return _import("_xla")


def _import(name: str) -> Any:
    """Import a neighbouring module that stands on JAX."""
    try:
        return importlib.import_module(f"sklearn_adreg.backends.{name}")
    except ModuleNotFoundError as error:
        if error.name not in {"jax", "jaxlib"}:
            raise
        raise ImportError(
            "backend='jax' needs JAX, which is not installed. Install it with "
            "`pip install 'sklearn-adreg[jax]'` (or the extra `cuda` for an NVIDIA "
            "GPU), or use backend='autograd'."
        ) from error
