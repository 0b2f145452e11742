"""Automatic differentiation by autograd: a tape of NumPy operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import autograd.numpy
import numpy as np
from autograd.core import make_vjp
from autograd.extend import defvjp
from autograd.numpy.numpy_vjps import replace_zero, unbroadcast_f
from autograd.tracer import getval, isbox

from sklearn_adreg.backends._nested import nested_derivatives
from sklearn_adreg.backends.base import Backend

__all__ = ["AutogradBackend"]


def _by_base(_ans: Any, base: Any, exponent: Any) -> Callable[[Any], Any]:
    lower = _one_less(base, exponent)
    return unbroadcast_f(base, lambda g: g * exponent * base**lower)


def _by_exponent(ans: Any, base: Any, exponent: Any) -> Callable[[Any], Any]:
    slope = autograd.numpy.log(replace_zero(base, 1.0)) * ans
    return unbroadcast_f(exponent, lambda g: g * slope)


def _one_less(base: Any, exponent: Any) -> Any:
    """Exponent less one; another number where a power of it would make 0 * inf."""
    if not isbox(exponent) and np.ndim(exponent) == 0:
        return exponent - 1 if exponent else 1.0
    nothing = (getval(base) == 0) & (getval(exponent) == 0)
    return autograd.numpy.where(nothing, 1.0, exponent - 1)


# Autograd's own rule takes the other number wherever the exponent is zero, and base^1
# is not base^-1 where the exponent varies: derivatives from the second on are wrong.
defvjp(autograd.numpy.power, _by_base, _by_exponent)


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
