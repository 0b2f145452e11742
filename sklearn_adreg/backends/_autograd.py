"""Automatic differentiation by autograd: a tape of NumPy operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import autograd.numpy
import numpy as np
from autograd.core import make_vjp

from sklearn_adreg.backends._nested import nested_derivatives
from sklearn_adreg.backends.base import Backend, iterate_in_python

__all__ = ["AutogradBackend"]


@dataclass(frozen=True)
class AutogradBackend(Backend):
    """Reverse-mode differentiation of NumPy code by autograd, in host memory.

    Nothing is compiled: the first call is as fast as every other.

    References
    ----------
    .. [1] D. Maclaurin, D. Duvenaud, R. P. Adams, "Autograd: Effortless gradients in
       Numpy", ICML AutoML workshop, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import GradientDescentRegressor
    >>> from sklearn_adreg.backends import AutogradBackend
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0])
    >>> GradientDescentRegressor(backend=AutogradBackend()).fit(X, y).coef_
    array([2.])
    """

    @property
    def name(self) -> str:
        """The name by which ``backend=`` knows it."""
        return "autograd"

    @property
    def array_namespace(self) -> Any:
        """The module ``autograd.numpy``."""
        return autograd.numpy

    def value_and_gradient(
        self, function: Callable[..., Any]
    ) -> Callable[..., tuple[Any, Any]]:
        """See `Backend.value_and_gradient`."""

        def differentiated(params: Any, *constants: Any) -> tuple[Any, Any]:
            pullback, value = make_vjp(lambda p: function(p, *constants), params)
            return value, pullback(np.ones_like(value))

        return differentiated

    def value_and_derivative(
        self, loss: Callable[[Any, Any], Any]
    ) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """See `Backend.value_and_derivative`."""

        def differentiated(
            y_true: np.ndarray, y_pred: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray]:
            # The Jacobian is diagonal: pulling back ones gives the diagonal.
            pullback, values = make_vjp(lambda z: loss(y_true, z), y_pred)
            # Some rules of autograd's, that of `where` among them, return float64.
            return values, pullback(np.ones_like(values)).astype(y_pred.dtype)

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
        """See `Backend.iterate`; a Python loop."""
        return iterate_in_python(step, proceed, problem, state, max_iter, report)

    def derivatives(
        self, func: Callable[[Any], Any], x: Any, order: int
    ) -> Sequence[Any]:
        """See `Backend.derivatives`; the cost is exponential in the order."""
        return nested_derivatives(func, x, order)
