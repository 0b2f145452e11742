"""Losses of the size of the error alone, whichever its sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import sklearn_adreg.numpy as adnp
from sklearn_adreg.losses._base import (
    PointwiseLoss,
    absolute,
    check_parameter,
    check_scale,
    unit_of,
)

# cosh(20)^2 is 1e17 / 2: beyond, log(cosh(r)) is |r| - log(2) in every float type.
_LINEAR_FROM = 20.0


@dataclass(frozen=True)
class SquaredError(PointwiseLoss):
    r"""Squared error, the loss of least squares.

    .. math:: \ell(y, \hat y) = (y - \hat y)^2

    There is no factor one half: its second derivative is 2, and the mean of the loss
    is the mean squared error. Any `y` is allowed. The constant that minimises it is
    the weighted mean of `y`.

    Use it for errors without heavy tails, and where the mean is wanted. One outlier can
    move the fit as far as it likes.

    References
    ----------
    .. [1] A. M. Legendre, "Nouvelles methodes pour la determination des orbites des
       cometes", Firmin Didot, Paris, 1805.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import SquaredError
    >>> SquaredError()(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    array([0., 9.])
    """

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return adnp.square(y_true - y_pred)


@dataclass(frozen=True)
class AbsoluteError(PointwiseLoss):
    r"""Absolute error, the loss of median regression.

    .. math:: \ell(y, \hat y) = |y - \hat y|

    Any `y` is allowed. The constant that minimises it is the weighted median of `y`.
    The derivative jumps where prediction and target are equal.

    Use it for errors whose size is what they cost, and for outliers in `y`.

    See Also
    --------
    Pinball : Other quantiles; at 0.5 it is half the absolute error.
    Huber : Smooth, and close to it where `delta` is small.

    References
    ----------
    .. [1] P. Bloomfield, W. L. Steiger, "Least Absolute Deviations: Theory,
       Applications, and Algorithms", Birkhauser, 1983.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import AbsoluteError
    >>> AbsoluteError()(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    array([0., 3.])
    """

    kinked: ClassVar[bool] = True

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return absolute(y_true - y_pred)


@dataclass(frozen=True)
class LogCosh(PointwiseLoss):
    r"""Logarithm of the hyperbolic cosine of the error.

    .. math:: \ell(y, \hat y) = s^2 \log \cosh \frac{y - \hat y}{s}

    Half the squared error for small errors; for large ones :math:`s` times the absolute
    error, less :math:`s^2 \log 2`. It turns from one to the other at errors of about
    `scale`. Any `y` is allowed. The constant that minimises it lies between the median
    and the mean of `y`, as for `Huber`.

    Use it for outliers in `y`, where second derivatives are wanted everywhere.

    Parameters
    ----------
    scale : float or 'mad', default='mad'
        The standard deviation of the errors, in units of `y`. 'mad' is estimated by
        `fit`; called by itself, the loss is then that of a scale of one.

    References
    ----------
    .. [1] P. J. Green, "Bayesian reconstructions from emission tomography data using
       a modified EM algorithm", IEEE Transactions on Medical Imaging 9, 1990.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import LogCosh
    >>> LogCosh()(np.array([0.0, 0.0, 0.0]), np.array([1e-9, 1.0, 1000.0]))
    array([5.00000000e-19, 4.33780830e-01, 9.99306853e+02])
    """

    scale: float | Literal["mad"] = "mad"

    def __post_init__(self) -> None:
        check_scale(self)

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        # From sinh, small errors keep all their digits: cosh^2 = 1 + sinh^2. It is
        # taken of a part that cannot overflow; beyond, the loss is a straight line.
        unit = unit_of(self)
        error = (y_true - y_pred) / unit
        curved = adnp.clip(error, -_LINEAR_FROM, _LINEAR_FROM)
        logarithm = adnp.log1p(adnp.square(adnp.sinh(curved)))
        return (unit * unit) * (absolute(error - curved) + 0.5 * logarithm)


@dataclass(frozen=True)
class EpsilonInsensitive(PointwiseLoss):
    r"""Absolute error beyond a tolerance, the loss of support vector regression.

    .. math:: \ell(y, \hat y) = \max(|y - \hat y| - \varepsilon,\; 0)

    Any `y` is allowed. A constant minimises it where as much weight lies more than
    `epsilon` above it as more than `epsilon` below; it need not be unique. The
    derivative jumps at errors of `epsilon`.

    Use it for errors that cost nothing until they reach a tolerance.

    Parameters
    ----------
    epsilon : float, default=0.1
        The tolerance, in units of `y`: no scale is estimated, and `y` in other units
        needs another tolerance. At 0 it is the absolute error.

    References
    ----------
    .. [1] V. N. Vapnik, "The Nature of Statistical Learning Theory",
       Springer, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import EpsilonInsensitive
    >>> loss = EpsilonInsensitive(epsilon=0.5)
    >>> loss(np.array([1.0, 1.0, 1.0]), np.array([1.0, 0.5, 3.0]))
    array([0. , 0. , 1.5])
    """

    epsilon: float = 0.1
    kinked: ClassVar[bool] = True

    def __post_init__(self) -> None:
        rule = "a finite number, 0 or more"
        check_parameter(self, "epsilon", rule, lambda value: value >= 0)

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        error = y_true - y_pred
        return absolute(error - adnp.clip(error, -self.epsilon, self.epsilon))
