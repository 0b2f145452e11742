"""Losses under which too much and too little do not cost the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Any, ClassVar

import numpy as np

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

    Use it for a quantile in place of the mean, or where a unit too little costs
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
    .. [1] R. Koenker, G. Bassett, "Regression quantiles",
       Econometrica 46, 1978.

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
class Quantiles(PointwiseLoss):
    r"""Sum of pinball losses: several quantiles at once, which do not cross.

    .. math::

        \ell(y, \hat y) = \sum_j q_j \max(y - \hat y_j,\, 0)
        + (1 - q_j) \max(\hat y_j - y,\, 0)

    Any `y` is allowed. One output a level: `coef_` has a row for each, and `predict`
    returns (n_samples, n_levels).

    Use it for several quantiles of the same rows, as a band and its middle. Fitted one
    by one they may cross: a row's 90 % quantile may then be below its median.

    Parameters
    ----------
    levels : sequence of float, default=(0.1, 0.5, 0.9)
        The :math:`q_j` of the formula, increasing, between 0 and 1, both excluded. One
        level is the pinball loss, with one output.

    crossing : bool, default=False
        Whether predictions of neighbouring levels may cross. If not, those of the
        training rows with a weight, and of all points between them, do not, but for
        rounding: the objective is least among such coefficients. Outside planes that
        are not parallel must cross somewhere. It takes an intercept.

    See Also
    --------
    Pinball : A single quantile.

    Notes
    -----
    Called by itself with `crossing` False, the loss has the term
    :math:`\sum_j \max(\hat y_j - \hat y_{j + 1}, 0)` as well, which is zero where
    quantiles do not cross.

    Where separate fits cross, the objective is within ten times `tol`, relative, of the
    least without crossings, and a tenth of the error is what is compared with `tol`.
    With a numeric `epsilon` the loss is minimised as it is called.

    References
    ----------
    .. [1] H. D. Bondell, B. J. Reich, H. Wang, "Noncrossing quantile regression curve
       estimation", Biometrika 97, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import GradientDescentRegressor
    >>> from sklearn_adreg.losses import Quantiles
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 1, (2000, 1))
    >>> y = X[:, 0] * rng.uniform(-1, 1, 2000)
    >>> loss = Quantiles([0.25, 0.5, 0.75])
    >>> model = GradientDescentRegressor(loss).fit(X, y)
    >>> model.predict([[0.0], [1.0]]).round(1) + 0.0
    array([[ 0. ,  0. ,  0. ],
           [-0.5,  0. ,  0.5]])
    """

    levels: Sequence[float] = (0.1, 0.5, 0.9)
    crossing: bool = False
    kinked: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.levels, tuple):
            levels = tuple(np.asarray(self.levels, dtype=object).ravel())
            object.__setattr__(self, "levels", levels)  # hashable
        good = all(isinstance(level, Real) for level in self.levels)
        known = (0.0, *map(float, self.levels), 1.0) if good else ()
        if not (len(known) > 2 and all(a < b for a, b in pairwise(known))):
            raise ValueError(
                "The `levels` parameter of Quantiles must be increasing numbers "
                f"between 0 and 1, both excluded, one at least. Got {self.levels!r} "
                "instead. Sort them, and leave out what stands twice."
            )

    @property
    def n_outputs(self) -> int:  # type: ignore[override]
        """One output a level."""
        return len(self.levels)

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        if len(self.levels) == 1:
            return Pinball(self.levels[0])(y_true, y_pred)
        columns = [y_pred[..., number] for number in range(len(self.levels))]
        found = sum(
            Pinball(level)(y_true, column)
            for level, column in zip(self.levels, columns, strict=True)
        )
        if self.crossing:
            return found
        return found + sum(adnp.maximum(a - b, 0.0) for a, b in pairwise(columns))


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

    Use it for the tails of `y` at the price of least squares: expectiles are to the
    mean what quantiles are to the median, and the loss has no kink.

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

    Use it for costs that explode on one side: an overestimated dam, an underestimated
    dose.

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
