"""Pointwise losses: small frozen dataclasses, callable on arrays.

A loss maps targets and predictions to one value per sample and target. It is written
once, in operations that every backend can differentiate; equal losses hash alike, so
that clones of an estimator share one compiled program.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from inspect import isabstract
from typing import Any, Literal

from sklearn_adreg.losses._asymmetric import Expectile, Linex, Pinball, Quantiles
from sklearn_adreg.losses._base import PointwiseLoss
from sklearn_adreg.losses._d2 import d2_score
from sklearn_adreg.losses._deviance import (
    GammaDeviance,
    NegativeBinomial,
    PoissonDeviance,
    TweedieDeviance,
)
from sklearn_adreg.losses._distributions import (
    NormalLogLikelihood,
    StudentTLogLikelihood,
)
from sklearn_adreg.losses._labels import (
    Bernoulli,
    Exponential,
    Hinge,
    Multinomial,
    SquaredHinge,
)
from sklearn_adreg.losses._relative import AbsolutePercentageError
from sklearn_adreg.losses._robust import Cauchy, Huber, PseudoHuber, Tukey
from sklearn_adreg.losses._scorer import LossScorer
from sklearn_adreg.losses._symmetric import (
    AbsoluteError,
    EpsilonInsensitive,
    LogCosh,
    SquaredError,
)

__all__ = [
    "AbsoluteError",
    "AbsolutePercentageError",
    "Bernoulli",
    "Cauchy",
    "EpsilonInsensitive",
    "Expectile",
    "Exponential",
    "GammaDeviance",
    "Hinge",
    "Huber",
    "Linex",
    "LogCosh",
    "Multinomial",
    "NegativeBinomial",
    "NormalLogLikelihood",
    "Pinball",
    "PointwiseLoss",
    "PoissonDeviance",
    "PseudoHuber",
    "Quantiles",
    "SquaredError",
    "SquaredHinge",
    "StudentTLogLikelihood",
    "Tukey",
    "TweedieDeviance",
    "d2_score",
    "loss_scorer",
]

Loss = Callable[..., Any]
# The names of `NAMED`, for type checkers and the completion of editors.
Name = Literal[
    "absolute_error",
    "absolute_percentage_error",
    "bernoulli",
    "cauchy",
    "epsilon_insensitive",
    "expectile",
    "exponential",
    "gamma",
    "gamma_deviance",
    "hinge",
    "huber",
    "linex",
    "log_cosh",
    "log_loss",
    "mae",
    "mse",
    "negative_binomial",
    "pinball",
    "poisson",
    "poisson_deviance",
    "pseudo_huber",
    "quantile",
    "squared_error",
    "squared_hinge",
    "tukey",
    "tweedie_deviance",
]


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


# Every loss of the package with one output by name, with its defaults.
LOSSES: dict[str, PointwiseLoss] = {
    _snake_case(name): found()
    for name in __all__
    if isinstance(found := globals().get(name), type)
    and not isabstract(found)
    and getattr(found, "n_outputs", 1) == 1
}

# Names that other packages have for them.
_ALIASES = {
    "gamma": "gamma_deviance",
    "log_loss": "bernoulli",
    "mae": "absolute_error",
    "mse": "squared_error",
    "poisson": "poisson_deviance",
    "quantile": "pinball",
}
NAMED = LOSSES | {alias: LOSSES[name] for alias, name in _ALIASES.items()}


def get_loss(loss: Any) -> Loss:
    """Return the loss of a name; a callable is returned as it is.

    Parameters
    ----------
    loss : str or callable
        A name of `NAMED`, or a loss.

    Returns
    -------
    callable
        The loss.
    """
    if isinstance(loss, type):
        raise ValueError(
            f"The 'loss' parameter must be a loss, not a class of losses. Got "
            f"{loss.__name__} instead. Pass an instance: loss={loss.__name__}()."
        )
    if not isinstance(loss, str):
        return loss
    if loss not in NAMED:
        word = loss.lower()
        near = [name for name in NAMED if word and name.startswith(word)]
        near = near or difflib.get_close_matches(word, NAMED, n=1, cutoff=0.7)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"The 'loss' parameter must be the name of a loss, or a callable. Got "
            f"{loss!r} instead.{hint} The names are {', '.join(sorted(NAMED))}."
        )
    return NAMED[loss]


def loss_scorer(loss: Name | str | Loss) -> LossScorer:
    """Make a scorer of a loss: minus the mean loss of the predictions.

    Use it for ``scoring=`` in `sklearn.model_selection.GridSearchCV`,
    ``cross_val_score`` and `sklearn_adreg.GradientDescentRegressorCV`, with estimators
    of any package. It takes ``sample_weight``, and with metadata routing what
    ``set_score_request`` is told that it requests: ``sample_weight``, ``offset``, which
    is handed on to ``predict``, and ``row_data``, further arguments of the loss by
    name.

    Parameters
    ----------
    loss : str or callable
        The name of a loss, a loss object or a function ``loss(y_true, y_pred)`` that
        returns one value per sample. Losses with ``scale="mad"`` are refused: a score
        needs one scale for all models.

    Returns
    -------
    callable
        The scorer, ``scorer(estimator, X, y, sample_weight=None, offset=None,
        row_data=None)``, larger where the loss is smaller. It pickles if `loss` does.

    Raises
    ------
    ValueError
        If there is no loss of that name, or its scale is to be estimated.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_adreg import GradientDescentRegressor
    >>> from sklearn_adreg.losses import Pinball, loss_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> loss = Pinball(quantile=0.8)
    >>> for model in GradientDescentRegressor(loss), LinearRegression():
    ...     print(
    ...         cross_val_score(model, X, y, scoring=loss_scorer(loss)).mean().round(2)
    ...     )
    -15.69
    -22.24
    """
    return LossScorer(get_loss(loss))
