"""Negative log-likelihoods of which a location and a scale depend on the features."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from math import lgamma, log, pi
from typing import Any, ClassVar

import sklearn_adreg.numpy as adnp
from sklearn_adreg.losses._base import PointwiseLoss, check_positive


def _columns(pairs: Any) -> tuple[Any, Any]:
    """Both columns, by products: autograd takes longer to differentiate an index."""
    first, second = adnp.eye(2, dtype=adnp.result_type(pairs))
    return adnp.dot(pairs, first), adnp.dot(pairs, second)


class _LocationScale(PointwiseLoss):
    """A loss of two linear predictors: a location, and the logarithm of a scale."""

    convex: ClassVar[bool] = False
    n_outputs: ClassVar[int] = 2

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        location, scale = _columns(y_pred)
        return self._of_error((y_true - location) / scale) + adnp.log(scale)

    def of_linear(self, y_true: Any, linear: Any) -> Any:
        """See `PointwiseLoss`; no logarithm of an exponential."""
        location, log_scale = _columns(linear)
        error = (y_true - location) * adnp.exp(-log_scale)
        return self._of_error(error) + log_scale

    def inverse_link(self, linear: Any) -> Any:
        """Location and scale from the linear predictors.

        Parameters
        ----------
        linear : array of shape (n_samples, 2)
            The location, and the logarithm of the scale.

        Returns
        -------
        array of the same shape and dtype
            The location, and the scale.
        """
        return adnp.stack([linear[..., 0], adnp.exp(linear[..., 1])], axis=-1)

    @abstractmethod
    def _of_error(self, error: Any) -> Any:
        """Negative logarithm of the density at a scale of one."""


@dataclass(frozen=True)
class NormalLogLikelihood(_LocationScale):
    r"""Negative log-likelihood of a normal distribution: mean and spread together.

    .. math::

        \ell(y, (\mu, \sigma)) = \frac{(y - \mu)^2}{2 \sigma^2} + \log \sigma
        + \tfrac12 \log 2 \pi
        \qquad \mu = X w_1 + b_1 \qquad \log \sigma = X w_2 + b_2

    Any `y` is allowed. Two outputs: `coef_` has a row for the mean :math:`\mu` and one
    for the logarithm of the standard deviation :math:`\sigma`; `predict` returns
    :math:`\mu` and :math:`\sigma`, (n_samples, 2).

    Use it where rows differ in how well they can be predicted: for intervals that are
    as wide as they must be, and for a mean that trusts precise rows more.
    Without an intercept :math:`\sigma` is 1 where a row of X is zero, in units of `y`:
    such a model is not the same in other units, and may have several minima.

    See Also
    --------
    StudentTLogLikelihood : The same with heavy tails, for outliers.

    References
    ----------
    .. [1] A. C. Harvey, "Estimating regression models with multiplicative
       heteroscedasticity", Econometrica 44, 1976.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import GradientDescentRegressor
    >>> from sklearn_adreg.losses import NormalLogLikelihood
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (5000, 1))
    >>> y = 3 * X[:, 0] + np.exp(X[:, 0]) * rng.standard_normal(5000)
    >>> model = GradientDescentRegressor(NormalLogLikelihood()).fit(X, y)
    >>> model.coef_.round(1)
    array([[3.],
           [1.]])
    >>> model.predict([[0.0], [1.0]]).round(1) + 0.0
    array([[0. , 1. ],
           [3. , 2.7]])
    """

    def _of_error(self, error: Any) -> Any:
        return adnp.square(error) / 2 + log(2 * pi) / 2


@dataclass(frozen=True)
class StudentTLogLikelihood(_LocationScale):
    r"""Negative log-likelihood of Student's t: location and scale, robust to outliers.

    .. math::

        \ell(y, (\mu, \sigma)) = \tfrac{\nu + 1}{2}
        \log\left(1 + \frac{(y - \mu)^2}{\nu \sigma^2}\right) + \log \sigma
        + \log \frac{\Gamma(\nu / 2) \sqrt{\nu \pi}}{\Gamma((\nu + 1) / 2)}

    with :math:`\mu = X w_1 + b_1` and :math:`\log \sigma = X w_2 + b_2`. Any `y` is
    allowed. Two outputs: `coef_` has a row for the location and one for the logarithm
    of the scale; `predict` returns location and scale, (n_samples, 2). The standard
    deviation is the scale times :math:`\sqrt{\nu / (\nu - 2)}` for :math:`\nu > 2`.

    Use it for errors with heavy tails whose spread differs between rows.

    Parameters
    ----------
    df : float, default=4.0
        The degrees of freedom :math:`\nu`: the fewer, the less an outlier counts.

    See Also
    --------
    NormalLogLikelihood : The limit of many degrees of freedom.

    References
    ----------
    .. [1] K. L. Lange, R. J. A. Little, J. M. G. Taylor, "Robust statistical modeling
       using the t distribution", Journal of the American Statistical Association 84,
       1989.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import StudentTLogLikelihood
    >>> loss = StudentTLogLikelihood(df=1.0)
    >>> loss(np.array([0.0, 10.0]), np.array([[0.0, 1.0], [0.0, 1.0]])).round(2)
    array([1.14, 5.76])
    """

    df: float = 4.0

    def __post_init__(self) -> None:
        check_positive(self, "df")

    def _of_error(self, error: Any) -> Any:
        df = self.df
        constant = lgamma(df / 2) + log(df * pi) / 2 - lgamma((df + 1) / 2)
        return (df + 1) / 2 * adnp.log1p(adnp.square(error) / df) + constant
