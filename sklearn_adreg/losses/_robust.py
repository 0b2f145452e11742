"""Losses under which one row has a bounded influence on the fit.

The parameter of each is the error from which on a row counts for less, in the units of
`y`. The defaults are the usual ones for errors of standard deviation one: under normal
errors the fit is then 95 % as efficient as least squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import sklearn_adreg.numpy as adnp
from sklearn_adreg.losses._base import PointwiseLoss, check_positive


@dataclass(frozen=True)
class Huber(PointwiseLoss):
    r"""Huber's loss: squared for small errors, absolute for large ones.

    .. math::

        \ell(y, \hat y) = \begin{cases}
            \tfrac12 r^2 & |r| \le \delta \\
            \delta |r| - \tfrac12 \delta^2 & |r| > \delta
        \end{cases}
        \qquad r = y - \hat y

    Any `y` is allowed. The constant that minimises it lies between the median of `y`
    (small `delta`) and its mean (large `delta`).

    For outliers in `y`, where the loss must stay convex. Unlike
    ``sklearn.linear_model.HuberRegressor``, it estimates no scale: `delta` is in
    the units of `y`.

    Parameters
    ----------
    delta : float, default=1.35
        The error where the loss turns from squared to absolute, in the units of `y`.
        The default suits errors of standard deviation one: scale it with theirs.

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

    def __post_init__(self) -> None:
        check_positive(self, "delta")

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        error = y_true - y_pred
        clipped = adnp.clip(error, -self.delta, self.delta)
        return clipped * (error - 0.5 * clipped)


@dataclass(frozen=True)
class PseudoHuber(PointwiseLoss):
    r"""A smooth Huber loss, also known as Charbonnier's.

    .. math::

        \ell(y, \hat y) = \delta^2 \left( \sqrt{1 + (r / \delta)^2} - 1 \right)
        \qquad r = y - \hat y

    Half the squared error for small errors, `delta` times the absolute error less
    :math:`\delta^2` for large ones. Any `y` is allowed. The constant that minimises it
    lies between the median and the mean of `y`, as for `Huber`.

    For outliers in `y`, where second derivatives are wanted everywhere.

    Parameters
    ----------
    delta : float, default=1.35
        The error around which the loss turns from squared to absolute, in the units
        of `y`.

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

    def __post_init__(self) -> None:
        check_positive(self, "delta")

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        # Multiplied by the conjugate of the root: no digit cancels at small errors.
        square = adnp.square(y_true - y_pred)
        root = adnp.sqrt(self.delta * self.delta + square)
        return self.delta * (square / (self.delta + root))


@dataclass(frozen=True)
class Cauchy(PointwiseLoss):
    r"""Cauchy's loss, which grows as the logarithm of the error; not convex.

    .. math:: \ell(y, \hat y) = \frac{c^2}{2} \log\left(1 + (r / c)^2\right)
        \qquad r = y - \hat y

    Half the squared error for small errors. Beyond an error of `scale` the influence
    of a row falls again, as one over its error. Any `y` is allowed. A constant that
    minimises it is a maximum-likelihood centre of a Cauchy distribution of that scale;
    there can be several local minima, of which a descent finds one.

    For gross outliers, when a convex loss still follows them.

    Parameters
    ----------
    scale : float, default=2.385
        The :math:`c` of the formula, in the units of `y`. The default suits errors of
        standard deviation one: scale it with theirs.

    References
    ----------
    .. [1] P. W. Holland, R. E. Welsch, "Robust regression using iteratively
       reweighted least-squares", Communications in Statistics: Theory and Methods 6,
       1977.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import Cauchy
    >>> Cauchy(scale=1.0)(np.zeros(3), np.array([0.0, 1.0, 1000.0])).round(3)
    array([0.   , 0.347, 6.908])
    """

    scale: float = 2.385
    convex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_positive(self, "scale")

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        ratio = (y_true - y_pred) / self.scale
        return (0.5 * self.scale**2) * adnp.log1p(adnp.square(ratio))


@dataclass(frozen=True)
class Tukey(PointwiseLoss):
    r"""Tukey's biweight loss, which is constant for large errors; not convex.

    .. math::

        \ell(y, \hat y) = \begin{cases}
            \tfrac{c^2}{6} \left(1 - \left(1 - (r / c)^2\right)^3\right)
                & |r| \le c \\
            \tfrac{c^2}{6} & |r| > c
        \end{cases}
        \qquad r = y - \hat y

    Half the squared error for small errors. A row whose error is beyond `scale` has
    no influence at all. Any `y` is allowed. A constant that minimises it is the centre
    of the bulk of `y`; there can be several local minima, of which a descent finds
    one, so that the start matters.

    For gross outliers that are to be ignored, when there is a robust start.

    Parameters
    ----------
    scale : float, default=4.685
        The :math:`c` of the formula, in the units of `y`. The default suits errors of
        standard deviation one: scale it with theirs.

    References
    ----------
    .. [1] A. E. Beaton, J. W. Tukey, "The fitting of power series, meaning
       polynomials, illustrated on band-spectroscopic data", Technometrics 16, 1974.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import Tukey
    >>> Tukey(scale=6.0)(np.zeros(4), np.array([0.0, 3.0, 6.0, 1000.0]))
    array([0.    , 3.46875, 6.     , 6.     ])
    """

    scale: float = 4.685
    convex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_positive(self, "scale")

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        clipped = adnp.clip(y_true - y_pred, -self.scale, self.scale)
        square = adnp.square(clipped / self.scale)
        # 1 - (1 - s)^3, multiplied out: no digit cancels at small errors.
        return (self.scale**2 / 6) * (square * (3 + square * (square - 3)))
