"""Unit deviances of exponential families, with the logarithm as their link.

The linear predictor is the logarithm of the mean: predictions are positive, and the
effects of the features multiply. All have the factor 2, as in scikit-learn's metrics of
the same names, where there are such; its regressors leave it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import sklearn_adreg.numpy as adnp
from sklearn_adreg.losses._base import (
    PointwiseLoss,
    check_parameter,
    check_positive,
    refuse_targets,
    softplus,
)


class _LogLinkDeviance(PointwiseLoss):
    """A loss whose predictions are the exponential of the linear predictor."""

    def inverse_link(self, linear: Any) -> Any:
        """Predictions from the linear predictor: its exponential.

        Parameters
        ----------
        linear : array of shape (n_samples,) or (n_samples, n_targets)
            The linear predictor, the logarithm of the mean.

        Returns
        -------
        array of the same shape and dtype
            The predicted means.
        """
        return adnp.exp(linear)


# Predictions are divided by it where y is 0: their ratio is in the range of float32.
_ALMOST_ZERO = 1e-20


@dataclass(frozen=True)
class PoissonDeviance(_LogLinkDeviance):
    r"""Poisson deviance with the log link, the loss of Poisson regression.

    .. math::

        \ell(y, \hat y) = 2 \left( y \log\frac{y}{\hat y} - y + \hat y \right)
        \qquad \hat y = e^{X w + b}

    `y` must not be negative; at :math:`y = 0` it is :math:`2 \hat y`. The constant
    prediction that minimises it is the weighted mean of `y`.

    Use it for counts, and for amounts whose variance grows with their mean.

    See Also
    --------
    TweedieDeviance : The family, in which its power is 1.

    Notes
    -----
    `sklearn.linear_model.PoissonRegressor` minimises half the mean deviance
    plus :math:`\alpha / 2` times the squared norm of the coefficients: the same
    solution takes twice its `alpha` here.

    References
    ----------
    .. [1] P. McCullagh, J. A. Nelder, "Generalized Linear Models", second edition,
       Chapman and Hall, 1989.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import PoissonDeviance
    >>> loss = PoissonDeviance()
    >>> loss(np.array([0.0, 2.0, 2.0]), np.array([1.0, 2.0, 4.0])).round(3)
    array([2.   , 0.   , 1.227])
    >>> loss.inverse_link(np.array([0.0, 1.0])).round(3)
    array([1.   , 2.718])
    """

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        # Where y is 0, the logarithm must be finite to be multiplied away.
        zero = y_true == 0
        ratio = (y_pred + zero) / (y_true + zero)
        return 2 * (y_pred - y_true - y_true * adnp.log(ratio))

    def of_linear(self, y_true: Any, linear: Any) -> Any:
        """See `PointwiseLoss`; cheaper, and no logarithm of a small mean."""
        return 2 * (adnp.exp(linear) - y_true * linear)

    def of_target(self, y_true: Any) -> Any:
        """See `PointwiseLoss`."""
        return 2 * y_true * (adnp.log(y_true + (y_true == 0)) - 1)

    def check_target(self, y: np.ndarray) -> None:
        """See `PointwiseLoss.check_target`."""
        _refuse_negative(self, y)


@dataclass(frozen=True)
class GammaDeviance(_LogLinkDeviance):
    r"""Gamma deviance with the log link, the loss of Gamma regression.

    .. math::

        \ell(y, \hat y) = 2 \left( \log\frac{\hat y}{y} + \frac{y}{\hat y} - 1 \right)
        \qquad \hat y = e^{X w + b}

    `y` must be positive. The constant prediction that minimises it is the weighted
    mean of `y`. It depends on the ratio of `y` and prediction alone: the units of `y`
    do not matter.

    Use it for positive amounts whose standard deviation grows with their mean: claims,
    waiting times, rainfall.

    See Also
    --------
    TweedieDeviance : The family, in which its power is 2.

    Notes
    -----
    `sklearn.linear_model.GammaRegressor` minimises half the mean deviance plus
    :math:`\alpha / 2` times the squared norm of the coefficients: the same solution
    takes twice its `alpha` here.

    References
    ----------
    .. [1] P. McCullagh, J. A. Nelder, "Generalized Linear Models", second edition,
       Chapman and Hall, 1989.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import GammaDeviance
    >>> loss = GammaDeviance()
    >>> loss(np.array([2.0, 2.0, 200.0]), np.array([2.0, 4.0, 400.0])).round(3)
    array([0.   , 0.386, 0.386])
    """

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        logarithm = adnp.log(y_pred / y_true)
        return 2 * (logarithm + adnp.expm1(-logarithm))

    def of_linear(self, y_true: Any, linear: Any) -> Any:
        """See `PointwiseLoss`; cheaper."""
        return 2 * (linear + y_true * adnp.exp(-linear))

    def of_target(self, y_true: Any) -> Any:
        """See `PointwiseLoss`."""
        return -2 * (adnp.log(y_true) + 1)

    def check_target(self, y: np.ndarray) -> None:
        """See `PointwiseLoss.check_target`."""
        _refuse_zero(self, y)


@dataclass(frozen=True)
class NegativeBinomial(_LogLinkDeviance):
    r"""Negative binomial deviance with the log link, for overdispersed counts.

    .. math::

        \ell(y, \hat y) = 2 \left( y \log\frac{y}{\hat y}
            - \left( y + \frac1a \right)
              \log\frac{1 + a y}{1 + a \hat y} \right)
        \qquad \hat y = e^{X w + b}

    `y` must not be negative. The variance is :math:`\hat y + a \hat y^2`, in the limit
    :math:`a \to 0` that of the Poisson deviance.

    Use it for counts whose variance grows faster than their mean, since rows differ in
    more than X knows of: visits, accidents, reads of a gene.

    Parameters
    ----------
    dispersion : float, default=1.0
        The :math:`a` of the formula, above 0 and without units. `fit` does not
        estimate it: take it from what is known of the counts, or from the moments of a
        first fit.

    See Also
    --------
    PoissonDeviance : Variance equal to the mean.

    Notes
    -----
    ``statsmodels`` with ``GLM(y, X, family=NegativeBinomial(alpha=dispersion,
    link=Log()))`` has the same minimum. The loss is convex in the linear predictor.

    References
    ----------
    .. [1] J. M. Hilbe, "Negative Binomial Regression", second edition, Cambridge
       University Press, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import NegativeBinomial
    >>> loss = NegativeBinomial(dispersion=0.5)
    >>> loss(np.array([0.0, 2.0, 2.0]), np.array([1.0, 2.0, 4.0])).round(3)
    array([1.622, 0.   , 0.471])
    """

    dispersion: float = 1.0

    def __post_init__(self) -> None:
        check_positive(self, "dispersion")

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        # Where y is 0, the logarithm must be finite to be multiplied away.
        zero = y_true == 0
        ratio = (y_pred + zero) / (y_true + zero)
        rise = adnp.log1p(self.dispersion * y_pred)
        rise = rise - adnp.log1p(self.dispersion * y_true)
        return 2 * ((y_true + 1 / self.dispersion) * rise - y_true * adnp.log(ratio))

    def of_linear(self, y_true: Any, linear: Any) -> Any:
        """See `PointwiseLoss`; it does not overflow."""
        rise = softplus(linear + float(np.log(self.dispersion)))
        return 2 * ((y_true + 1 / self.dispersion) * rise - y_true * linear)

    def of_target(self, y_true: Any) -> Any:
        """See `PointwiseLoss`."""
        rise = adnp.log1p(self.dispersion * y_true)
        entropy = y_true * adnp.log(y_true + (y_true == 0))
        return 2 * (entropy - (y_true + 1 / self.dispersion) * rise)

    def check_target(self, y: np.ndarray) -> None:
        """See `PointwiseLoss.check_target`."""
        _refuse_negative(self, y)


@dataclass(frozen=True)
class TweedieDeviance(_LogLinkDeviance):
    r"""Tweedie deviance with the log link, of variance mean to the `power`.

    .. math::

        \ell(y, \hat y) = 2 \left( \frac{y^{2-p}}{(1-p)(2-p)}
            - \frac{y\, \hat y^{1-p}}{1-p} + \frac{\hat y^{2-p}}{2-p} \right)
        \qquad \hat y = e^{X w + b}

    and its limits at :math:`p = 1`, the Poisson deviance, and :math:`p = 2`, the Gamma
    deviance; at :math:`p = 0` it is the squared error. For powers below 2, `y` must not
    be negative (any `y` is allowed at 0), from 2 on it must be positive. The constant
    prediction that minimises it is the weighted mean of `y`.

    Use it with a power between 1 and 2 for amounts that are often exactly zero and else
    positive and skewed: insurance claims, rainfall. With 3, the inverse Gaussian, for
    tails that are heavier than those of the Gamma distribution.

    Parameters
    ----------
    power : float, default=1.5
        The :math:`p` of the formula, without units: 0, or at least 1. In the linear
        predictor the loss is convex for powers from 1 to 2, and not for others.

    Notes
    -----
    `sklearn.linear_model.TweedieRegressor` with ``link="log"`` minimises half
    the mean deviance plus :math:`\alpha / 2` times the squared norm of the
    coefficients: the same solution takes twice its `alpha` here.

    With :math:`z = \log \hat y`, half the second derivative by :math:`z` is
    :math:`(p - 1)\, y\, \hat y^{1-p} + (2 - p)\, \hat y^{2-p}`. For :math:`p > 2` it is
    negative at large predictions, for :math:`p = 0` at small ones.

    References
    ----------
    .. [1] B. Jorgensen, "Exponential dispersion models", Journal of the Royal
       Statistical Society B 49, 1987.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import TweedieDeviance
    >>> loss = TweedieDeviance(power=1.5)
    >>> loss(np.array([0.0, 4.0, 4.0]), np.array([4.0, 4.0, 9.0])).round(3)
    array([8.   , 0.   , 1.333])
    >>> loss.convex, TweedieDeviance(power=3).convex
    (True, False)
    """

    power: float = 1.5

    def __post_init__(self) -> None:
        rule = "0, or a finite number from 1 on"
        check_parameter(self, "power", rule, lambda value: value == 0 or value >= 1)

    @property
    def convex(self) -> bool:  # type: ignore[override]  # a constant elsewhere
        """Whether it is convex in the linear predictor; see the notes."""
        return 1 <= self.power <= 2

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        if self.power == 0:
            return adnp.square(y_true - y_pred)
        # With B(a) = (ratio^a - 1) / a it is 2 y^(2-p) (B(2-p) - B(1-p)), which holds
        # all its digits at the powers 1 and 2, and near them. Where y is 0 it is
        # 2 prediction^(2-p) / (2-p), the limit for a small y.
        exponent = 2 - self.power
        positive = adnp.sign(y_true)
        base = y_true + _ALMOST_ZERO * (1 - positive)
        logarithm = adnp.log(y_pred / base)
        upper = _box_cox(logarithm, exponent)
        lower = _box_cox(logarithm, 1 - self.power)
        at_zero = (1 - positive) / exponent if exponent > 0 else 0.0
        return 2 * base**exponent * (upper - positive * lower + at_zero)

    def check_target(self, y: np.ndarray) -> None:
        """See `PointwiseLoss.check_target`."""
        if self.power >= 2:
            _refuse_zero(self, y)
        elif self.power > 0:
            _refuse_negative(self, y)


def _box_cox(logarithm: Any, exponent: float) -> Any:
    """(x^exponent - 1) / exponent from the logarithm of x, which is its limit at 0."""
    if exponent == 0:
        return logarithm
    return adnp.expm1(exponent * logarithm) / exponent


def _refuse_negative(loss: PointwiseLoss, y: np.ndarray) -> None:
    remedy = "Drop those rows, or use another loss, such as 'squared_error'."
    refuse_targets(loss, y, y >= 0, "0 or more", remedy)


def _refuse_zero(loss: PointwiseLoss, y: np.ndarray) -> None:
    remedy = (
        "Drop those rows, or use another loss: TweedieDeviance with a power below 2 "
        "allows zeros, and 'squared_error' all targets."
    )
    refuse_targets(loss, y, y > 0, "above 0", remedy)
