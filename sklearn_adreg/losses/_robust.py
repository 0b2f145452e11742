"""Losses under which one row has a bounded influence on the fit.

The first parameter of each is the error from which on a row counts for less, in units
of `scale`, the standard deviation of the errors. A loss rho at the scale s is

    s^2 rho(r / s),

half the squared error near zero whatever s is, so that a penalty keeps its meaning: the
same as with a threshold of s times that parameter in units of `y`. The defaults are the
usual ones: under normal errors Huber's, Cauchy's and Tukey's are then 95 % as efficient
as least squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import sklearn_adreg.numpy as adnp
from sklearn_adreg.losses._base import (
    PointwiseLoss,
    check_positive,
    check_scale,
    unit_of,
)


@dataclass(frozen=True)
class Huber(PointwiseLoss):
    r"""Huber's loss: squared for small errors, absolute for large ones.

    .. math::

        \ell(y, \hat y) = \begin{cases}
            \tfrac12 r^2 & |r| \le \delta s \\
            \delta s |r| - \tfrac12 (\delta s)^2 & |r| > \delta s
        \end{cases}
        \qquad r = y - \hat y

    Any `y` is allowed. The constant that minimises it lies between the median of `y`
    (small `delta`) and its mean (large `delta`).

    Use it for outliers in `y`, where the loss must stay convex.

    Parameters
    ----------
    delta : float, default=1.35
        The error where the loss turns from squared to absolute, in units of `scale`.

    scale : float or 'mad', default='mad'
        The standard deviation of the errors, in units of `y`. 'mad' is estimated by
        `fit`; called by itself, the loss is then that of a scale of one.

    See Also
    --------
    PseudoHuber : The same shape, with derivatives of every order.

    References
    ----------
    .. [1] P. J. Huber, "Robust estimation of a location parameter", The Annals of
       Mathematical Statistics 35, 1964.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import Huber
    >>> Huber(delta=2.0)(np.zeros(3), np.array([1.0, 2.0, 10.0]))
    array([ 0.5,  2. , 18. ])
    """

    delta: float = 1.35
    scale: float | Literal["mad"] = "mad"

    def __post_init__(self) -> None:
        check_positive(self, "delta")
        check_scale(self)

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        error, bend = y_true - y_pred, self.delta * unit_of(self)
        clipped = adnp.clip(error, -bend, bend)
        return clipped * (error - 0.5 * clipped)


@dataclass(frozen=True)
class PseudoHuber(PointwiseLoss):
    r"""A smooth Huber loss, also known as Charbonnier's.

    .. math::

        \ell(y, \hat y) = c^2 \left( \sqrt{1 + (r / c)^2} - 1 \right)
        \qquad c = \delta s, \quad r = y - \hat y

    Half the squared error for small errors, :math:`c` times the absolute error less
    :math:`c^2` for large ones. Any `y` is allowed. The constant that minimises it
    lies between the median and the mean of `y`, as for `Huber`.

    Use it for outliers in `y`, where second derivatives are wanted everywhere.

    Parameters
    ----------
    delta : float, default=1.35
        The error around which the loss turns from squared to absolute, in units of
        `scale`.

    scale : float or 'mad', default='mad'
        The standard deviation of the errors, in units of `y`. 'mad' is estimated by
        `fit`; called by itself, the loss is then that of a scale of one.

    References
    ----------
    .. [1] P. Charbonnier, L. Blanc-Feraud, G. Aubert, M. Barlaud, "Deterministic
       edge-preserving regularization in computed imaging", IEEE Transactions on Image
       Processing 6, 1997.
    .. [2] R. Hartley, A. Zisserman, "Multiple View Geometry in Computer Vision",
       second edition, Cambridge University Press, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import PseudoHuber
    >>> PseudoHuber(delta=3.0)(np.zeros(3), np.array([1e-9, 4.0, 1000.0]))
    array([5.0000000e-19, 6.0000000e+00, 2.9910135e+03])
    """

    delta: float = 1.35
    scale: float | Literal["mad"] = "mad"

    def __post_init__(self) -> None:
        check_positive(self, "delta")
        check_scale(self)

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        # Multiplied by the conjugate of the root: no digit cancels at small errors.
        square, bend = adnp.square(y_true - y_pred), self.delta * unit_of(self)
        root = adnp.sqrt(bend * bend + square)
        return bend * (square / (bend + root))


@dataclass(frozen=True)
class Cauchy(PointwiseLoss):
    r"""Cauchy's loss, which grows as the logarithm of the error; not convex.

    .. math:: \ell(y, \hat y) = \frac{(c s)^2}{2}
        \log\left(1 + \left(\frac{r}{c s}\right)^2\right)
        \qquad r = y - \hat y

    Half the squared error for small errors. Beyond an error of :math:`c s` the
    influence of a row falls again, as one over its error. Any `y` is allowed. A
    constant that minimises it is a maximum-likelihood centre of a Cauchy distribution
    of the scale :math:`c s`; there can be several local minima, of which a descent
    finds one.

    Use it for gross outliers, when a convex loss still follows them.

    Parameters
    ----------
    c : float, default=2.385
        The error from which on the influence of a row falls, in units of `scale`.

    scale : float or 'mad', default='mad'
        The standard deviation of the errors, in units of `y`. 'mad' is estimated by
        `fit`; called by itself, the loss is then that of a scale of one.

    References
    ----------
    .. [1] P. W. Holland, R. E. Welsch, "Robust regression using iteratively
       reweighted least-squares", Communications in Statistics: Theory and Methods 6,
       1977.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import Cauchy
    >>> Cauchy(c=1.0)(np.zeros(3), np.array([0.0, 1.0, 1000.0])).round(3)
    array([0.   , 0.347, 6.908])
    """

    c: float = 2.385
    scale: float | Literal["mad"] = "mad"
    convex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_positive(self, "c")
        check_scale(self)

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        bend = self.c * unit_of(self)
        ratio = (y_true - y_pred) / bend
        return (0.5 * bend**2) * adnp.log1p(adnp.square(ratio))


@dataclass(frozen=True)
class Tukey(PointwiseLoss):
    r"""Tukey's biweight loss, which is constant for large errors; not convex.

    .. math::

        \ell(y, \hat y) = \begin{cases}
            \tfrac{(c s)^2}{6}
                \left(1 - \left(1 - \left(\tfrac{r}{c s}\right)^2\right)^3\right)
                & |r| \le c s \\
            \tfrac{(c s)^2}{6} & |r| > c s
        \end{cases}
        \qquad r = y - \hat y

    Half the squared error for small errors. A row whose error is beyond :math:`c s`
    has no influence at all. Any `y` is allowed. A constant that minimises it is the
    centre of the bulk of `y`; there can be several local minima, of which a descent
    finds one, so that the start matters.

    Use it for gross outliers that are to be ignored, when there is a robust start.

    Parameters
    ----------
    c : float, default=4.685
        The error from which on the influence of a row is zero, in units of `scale`.

    scale : float or 'mad', default='mad'
        The standard deviation of the errors, in units of `y`. 'mad' is estimated by
        `fit`; called by itself, the loss is then that of a scale of one.

    References
    ----------
    .. [1] A. E. Beaton, J. W. Tukey, "The fitting of power series, meaning
       polynomials, illustrated on band-spectroscopic data", Technometrics 16, 1974.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import Tukey
    >>> Tukey(c=6.0)(np.zeros(4), np.array([0.0, 3.0, 6.0, 1000.0]))
    array([0.    , 3.46875, 6.     , 6.     ])
    """

    c: float = 4.685
    scale: float | Literal["mad"] = "mad"
    convex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_positive(self, "c")
        check_scale(self)

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        end = self.c * unit_of(self)
        clipped = adnp.clip(y_true - y_pred, -end, end)
        square = adnp.square(clipped / end)
        # 1 - (1 - s)^3, multiplied out: no digit cancels at small errors.
        return (end**2 / 6) * (square * (3 + square * (square - 3)))
