"""Losses under which too much and too little do not cost the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import sklearn_adreg.numpy as adnp
from sklearn_adreg.losses._base import PointwiseLoss, check_fraction, check_parameter


def _negative(error: Any) -> Any:
    """One where an error is below zero, else zero; a constant to every backend.

    In the dtype of the error: NumPy takes a bool and a Python float to float64.
    """
    return adnp.asarray(error < 0, dtype=adnp.result_type(error))


@dataclass(frozen=True)
class Pinball(PointwiseLoss):
    r"""Pinball loss, the loss of quantile regression.

    .. math::

        \ell(y, \hat y) = q \max(y - \hat y,\, 0) + (1 - q) \max(\hat y - y,\, 0)

    Any `y` is allowed. The constant that minimises it is the weighted `quantile` of
    `y`. The derivative jumps where prediction and target are equal.

    For a quantile in place of the mean, or where a unit too little costs
    :math:`q / (1 - q)` times a unit too much: a stock, a reserve, a schedule.

    Parameters
    ----------
    quantile : float, default=0.5
        The :math:`q` of the formula, between 0 and 1, both excluded. At 0.5 it is half
        the absolute error.

    See Also
    --------
    Expectile : Smooth; the same with squared errors.

    References
    ----------
    .. [1] R. Koenker, G. Bassett, "Regression quantiles", Econometrica 46, 1978.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import Pinball
    >>> Pinball(quantile=0.75)(np.array([10.0, 10.0]), np.array([8.0, 12.0]))
    array([1.5, 0.5])
    """

    quantile: float = 0.5
    kinked: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fraction(self, "quantile")

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        error = y_true - y_pred
        return error * (self.quantile - _negative(error))


@dataclass(frozen=True)
class Expectile(PointwiseLoss):
    r"""Asymmetric squared error, the loss of expectile regression.

    .. math::

        \ell(y, \hat y) = \begin{cases}
            \tau\, (y - \hat y)^2 & y \ge \hat y \\
            (1 - \tau)\, (y - \hat y)^2 & y < \hat y
        \end{cases}

    Any `y` is allowed. The constant that minimises it is the weighted expectile of
    `y` at `level`, which at 0.5 is the mean.

    For the tails of `y` at the price of least squares: expectiles are to the mean what
    quantiles are to the median, and the loss has no kink.

    Parameters
    ----------
    level : float, default=0.5
        The :math:`\tau` of the formula, between 0 and 1, both excluded. At 0.5 it is
        half the squared error.

    See Also
    --------
    Pinball : The same with absolute errors, for quantiles.

    References
    ----------
    .. [1] W. K. Newey, J. L. Powell, "Asymmetric least squares estimation and
       testing", Econometrica 55, 1987.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import Expectile
    >>> Expectile(level=0.75)(np.array([10.0, 10.0]), np.array([8.0, 12.0]))
    array([3., 1.])
    """

    level: float = 0.5

    def __post_init__(self) -> None:
        check_fraction(self, "level")

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        error = y_true - y_pred
        return adnp.square(error) * adnp.fabs(self.level - _negative(error))


@dataclass(frozen=True)
class Linex(PointwiseLoss):
    r"""LINEX loss: linear on one side, exponential on the other.

    .. math:: \ell(y, \hat y) = e^{a d} - a d - 1 \qquad d = \hat y - y

    Half of :math:`(a d)^2` for small errors. Any `y` is allowed. The constant that
    minimises it is :math:`-\tfrac1a \log \operatorname{mean} e^{-a y}`, which is below
    the mean for a positive `shape` and above it for a negative one.

    For costs that explode on one side: an overestimated dam, an underestimated dose.

    Parameters
    ----------
    shape : float, default=1.0
        The :math:`a` of the formula, one over the units of `y`, and not 0: no scale is
        estimated, and `y` in other units needs another shape. Above 0, predicting too
        much is what costs exponentially; below 0, too little. The
        exponential leaves the range of floats where :math:`a d` exceeds 709 (88 in
        float32): choose it with the scale of `y` in mind.

    References
    ----------
    .. [1] H. R. Varian, "A Bayesian approach to real estate assessment", in: Studies
       in Bayesian Econometrics and Statistics in Honor of Leonard J. Savage,
       North-Holland, 1975.
    .. [2] A. Zellner, "Bayesian estimation and prediction using asymmetric loss
       functions", Journal of the American Statistical Association 81, 1986.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import Linex
    >>> Linex(shape=1.0)(np.zeros(4), np.array([-5.0, -1.0, 1.0, 5.0])).round(2)
    array([  4.01,   0.37,   0.72, 142.41])
    """

    shape: float = 1.0

    def __post_init__(self) -> None:
        rule = "a finite number, and not 0"
        check_parameter(self, "shape", rule, lambda value: value != 0)

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        exponent = self.shape * (y_pred - y_true)
        return adnp.expm1(exponent) - exponent
