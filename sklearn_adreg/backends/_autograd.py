"""Automatic differentiation by autograd: a tape of NumPy operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import autograd.numpy
import numpy as np
from autograd.core import make_vjp

from sklearn_adreg.backends._nested import nested_derivatives
from sklearn_adreg.backends.base import Backend

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
        self, loss: Callable[..., Any]
    ) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
        """See `Backend.value_and_derivative`."""

        def differentiated(
            y_true: np.ndarray, y_pred: np.ndarray, *row_data: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray]:
            # No row depends on another: pulling back ones gives each its derivatives.
            by_prediction: Callable[[Any], Any] = partial(loss, y_true)
            if row_data:
                by_prediction = lambda z: loss(y_true, z, *row_data)  # noqa: E731
            pullback, values = make_vjp(by_prediction, y_pred)
            # Some rules of autograd's, that of `where` among them, return float64.
            return values, pullback(np.ones_like(values)).astype(y_pred.dtype)

        return differentiated

    def derivatives(
        self, func: Callable[[Any], Any], x: Any, order: int
    ) -> Sequence[Any]:
        """See `Backend.derivatives`; the cost is exponential in the order."""
        return nested_derivatives(func, x, order)
