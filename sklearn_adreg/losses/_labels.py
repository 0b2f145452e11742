"""Losses for proportions and for classes.

Those of the margin, the product of a label -1 or 1 and the linear predictor, are upper
bounds of the error rate: each is at least 1 where the sign is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

import sklearn_adreg.numpy as adnp
from sklearn_adreg.losses._base import PointwiseLoss, refuse_targets, softplus


@dataclass(frozen=True)
class Bernoulli(PointwiseLoss):
    r"""Log loss of proportions with the logit link, the loss of logistic regression.

    .. math::

        \ell(y, \hat y) = -y \log \hat y - (1 - y) \log(1 - \hat y)
        \qquad \hat y = \frac{1}{1 + e^{-(X w + b)}}

    `y` must be between 0 and 1, both included: labels 0 and 1, proportions, or soft
    labels, which say how sure of a label one is. The constant prediction that
    minimises it is the weighted mean of `y`. Its name is ``"bernoulli"`` or
    ``"log_loss"``.

    Use it for a probability or a rate that is to stay between 0 and 1: shares of a
    budget, rates of success (with the number of trials as `sample_weight`), labels of
    several raters.

    Notes
    -----
    Of labels 0 and 1 the mean is ``sklearn.metrics.log_loss``. In the linear predictor
    it is :math:`\log(1 + e^z) - y z`, computed so that no digits are lost where
    :math:`|z|` is large. Its optimum is that of ``GLM(y, X, family=Binomial())`` of
    ``statsmodels``.

    References
    ----------
    .. [1] L. E. Papke, J. M. Wooldridge, "Econometric methods for fractional response
       variables with an application to 401(k) plan participation rates", Journal of
       Applied Econometrics 11, 1996.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import Bernoulli
    >>> loss = Bernoulli()
    >>> loss(np.array([0.0, 1.0, 0.5]), np.array([0.2, 0.2, 0.5])).round(3)
    array([0.223, 1.609, 0.693])
    >>> loss.inverse_link(np.array([-1.0, 0.0, 1.0])).round(3)
    array([0.269, 0.5  , 0.731])
    """

    labels: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        # A logarithm that is multiplied by 0 must be finite.
        of_one = y_true * adnp.log(y_pred + (y_true == 0))
        return -of_one - (1 - y_true) * adnp.log1p(-y_pred * (y_true != 1))

    def inverse_link(self, linear: Any) -> Any:
        """Predictions from the linear predictor: the logistic function.

        Parameters
        ----------
        linear : array of shape (n_samples,) or (n_samples, n_targets)
            The linear predictor, the logarithm of the odds.

        Returns
        -------
        array of the same shape and dtype
            The predicted means, from 0 to 1.
        """
        return adnp.exp(-softplus(-linear))

    def of_linear(self, y_true: Any, linear: Any) -> Any:
        """See `PointwiseLoss`; finite, and exact in both tails."""
        return softplus(linear, y_true)

    def of_classes(self, n_classes: int) -> Multinomial:
        """Return the log loss of several classes.

        Parameters
        ----------
        n_classes : int
            How many there are.

        Returns
        -------
        Multinomial
            The loss, with a linear predictor for each class.
        """
        return Multinomial(n_classes)

    def check_target(self, y: np.ndarray) -> None:
        """See `PointwiseLoss.check_target`."""
        remedy = (
            "Divide counts of successes by those of trials, percentages by 100, and "
            "pass labels as 0 and 1."
        )
        refuse_targets(self, y, (y >= 0) & (y <= 1), "between 0 and 1", remedy)


@dataclass(frozen=True)
class Multinomial(PointwiseLoss):
    r"""Log loss of several classes with the softmax as inverse link.

    .. math::

        \ell(y, \hat y) = -\log \hat y_y
        \qquad \hat y_j = \frac{e^{z_j}}{\sum_l e^{z_l}}
        \qquad z_j = X w_j + b_j

    `y` is the number of the class, from 0 on. Each class has an output, a row of
    `coef_`; `predict` returns the probabilities, (n_samples, `n_outputs`). Adding one
    number to all :math:`z_j` of a row does not change the loss: coefficients and
    intercepts that this leaves undetermined sum to zero over the classes.

    Use it for probabilities of several classes;
    `sklearn_adreg.GradientDescentClassifier` takes it by itself.

    Parameters
    ----------
    n_outputs : int, default=3
        The number of classes, 2 or more.

    See Also
    --------
    Bernoulli : Two classes with one output, and proportions.

    References
    ----------
    .. [1] D. R. Cox, "Some procedures associated with the logistic qualitative response
       curve", in: Research Papers in Statistics, Wiley, 1966.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import Multinomial
    >>> loss = Multinomial(n_outputs=3)
    >>> loss.inverse_link(np.array([[0.0, 1.0, 2.0]])).round(3)
    array([[0.09 , 0.245, 0.665]])
    >>> loss(np.array([2.0]), np.array([[0.1, 0.2, 0.7]])).round(3)
    array([0.357])
    """

    n_outputs: int = 3  # type: ignore[misc]  # a constant elsewhere

    def __post_init__(self) -> None:
        given = self.n_outputs
        whole = isinstance(given, Integral) and not isinstance(given, bool)
        if not (whole and given >= 2):
            raise ValueError(
                "The `n_outputs` parameter of Multinomial must be an integer, 2 or "
                f"more. Got {given!r} instead."
            )

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return -adnp.log(_summed(y_pred * self._chosen(y_true)))

    def inverse_link(self, linear: Any) -> Any:
        """Probabilities from the linear predictors: the softmax.

        Parameters
        ----------
        linear : array of shape (n_samples, `n_outputs`)
            The linear predictors, the logarithms of the probabilities up to a constant.

        Returns
        -------
        array of the same shape and dtype
            The probabilities; those of a row sum to one.
        """
        sizes = adnp.exp(linear - adnp.max(linear, axis=-1)[..., None])
        return sizes / _summed(sizes)[..., None]

    def of_linear(self, y_true: Any, linear: Any) -> Any:
        """See `PointwiseLoss`; finite, and exact where the chance of `y` is near 1."""
        chosen = self._chosen(y_true)
        own = _summed(linear * chosen)
        # A whole number is a constant to every backend, and near enough to the largest.
        most = adnp.maximum(adnp.ceil(adnp.max(linear, axis=-1) - own), 0.0)
        others = _summed(adnp.exp(linear - (own + most)[..., None]) * ~chosen)
        return most + adnp.log1p(others + adnp.expm1(-most))

    def check_target(self, y: np.ndarray) -> None:
        """See `PointwiseLoss.check_target`."""
        rule = f"a whole number from 0 to {self.n_outputs - 1}"
        allowed = (y >= 0) & (y < self.n_outputs) & (y == np.floor(y))
        remedy = (
            "Number the classes with numpy.unique(y, return_inverse=True), or use "
            "GradientDescentClassifier, which does."
        )
        refuse_targets(self, y, allowed, rule, remedy)

    def _chosen(self, y_true: Any) -> Any:
        """Whether an output is that of the class of a row, (n_samples, n_outputs)."""
        return y_true[..., None] == np.arange(self.n_outputs)


def _summed(values: Any) -> Any:
    """Sum over the outputs: a product, which of few takes half the time of a sum."""
    return values @ adnp.ones(values.shape[-1], dtype=adnp.result_type(values))


class _MarginLoss(PointwiseLoss):
    """A loss of the product of a label and the linear predictor."""

    def check_target(self, y: np.ndarray) -> None:
        """See `PointwiseLoss.check_target`."""
        remedy = "Pass one class as -1 and the other as 1."
        refuse_targets(self, y, np.abs(y) == 1, "-1 or 1", remedy)


@dataclass(frozen=True)
class Hinge(_MarginLoss):
    r"""Hinge loss, the loss of linear support vector machines.

    .. math:: \ell(y, z) = \max(1 - y z,\, 0) \qquad z = X w + b

    `y` must be -1 or 1. Rows on the right side with a margin of 1 or more cost nothing.
    The derivative jumps at a margin of 1.

    Use it for the sign alone: it gives no probability, and few rows decide the plane.

    See Also
    --------
    SquaredHinge : Smooth.

    Notes
    -----
    ``sklearn.svm.LinearSVC(loss="hinge", C=C)`` minimises the same with
    ``alpha = 1 / (C * n_samples)``, but for its penalty, which is on the intercept too.

    References
    ----------
    .. [1] C. Cortes, V. Vapnik, "Support-vector networks",
       Machine Learning 20, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import Hinge
    >>> Hinge()(np.ones(3), np.array([-1.0, 0.5, 2.0]))
    array([2. , 0.5, 0. ])
    """

    kinked: ClassVar[bool] = True

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return adnp.maximum(1 - y_true * y_pred, 0.0)


@dataclass(frozen=True)
class SquaredHinge(_MarginLoss):
    r"""Squared hinge loss, of which the derivative does not jump.

    .. math:: \ell(y, z) = \max(1 - y z,\, 0)^2 \qquad z = X w + b

    `y` must be -1 or 1. Rows on the right side with a margin of 1 or more cost nothing.

    Use it for labels, as the hinge loss, where rows far on the wrong side are to count
    more.

    See Also
    --------
    Hinge : Not squared.

    Notes
    -----
    ``sklearn.svm.LinearSVC(C=C)`` minimises the same with
    ``alpha = 1 / (C * n_samples)``, but for its penalty, which is on the intercept too.

    References
    ----------
    .. [1] T. Zhang, "Statistical behavior and consistency of classification methods
       based on convex risk minimization", Annals of Statistics 32, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import SquaredHinge
    >>> SquaredHinge()(np.ones(3), np.array([-1.0, 0.5, 2.0]))
    array([4.  , 0.25, 0.  ])
    """

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return adnp.square(adnp.maximum(1 - y_true * y_pred, 0.0))


@dataclass(frozen=True)
class Exponential(_MarginLoss):
    r"""Exponential loss, that of AdaBoost.

    .. math:: \ell(y, z) = e^{-y z} \qquad z = X w + b

    `y` must be -1 or 1. The constant that minimises it is half the logarithm of the
    odds, so that the probability of the label 1 is :math:`1 / (1 + e^{-2 z})`.

    Use it for rows that must not be wrong: one far on the wrong side outweighs all
    others, and so does a label that is wrong.

    References
    ----------
    .. [1] J. Friedman, T. Hastie, R. Tibshirani, "Additive logistic regression: a
       statistical view of boosting", Annals of Statistics 28, 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import Exponential
    >>> Exponential()(np.ones(3), np.array([-1.0, 0.0, 1.0])).round(3)
    array([2.718, 1.   , 0.368])
    """

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return adnp.exp(-y_true * y_pred)
