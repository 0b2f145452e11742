"""Pointwise losses: small frozen dataclasses, callable on arrays.

A loss maps targets and predictions to one value per sample and target. It is written
once, in operations that every backend can differentiate; equal losses hash alike, so
that clones of an estimator share one compiled program.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import isabstract
from typing import Any

from sklearn_adreg.losses._asymmetric import Expectile, Linex, Pinball, Quantiles
from sklearn_adreg.losses._base import PointwiseLoss
from sklearn_adreg.losses._deviance import (
    GammaDeviance,
    PoissonDeviance,
    TweedieDeviance,
)
from sklearn_adreg.losses._distributions import (
    NormalLogLikelihood,
    StudentTLogLikelihood,
)
from sklearn_adreg.losses._relative import AbsolutePercentageError
from sklearn_adreg.losses._robust import Cauchy, Huber, PseudoHuber, Tukey
from sklearn_adreg.losses._symmetric import (
    AbsoluteError,
    EpsilonInsensitive,
    LogCosh,
    SquaredError,
)

__all__ = [
    "AbsoluteError",
    "AbsolutePercentageError",
    "Cauchy",
    "EpsilonInsensitive",
    "Expectile",
    "GammaDeviance",
    "Huber",
    "Linex",
    "LogCosh",
    "NormalLogLikelihood",
    "Pinball",
    "PointwiseLoss",
    "PoissonDeviance",
    "PseudoHuber",
    "Quantiles",
    "SquaredError",
    "StudentTLogLikelihood",
    "Tukey",
    "TweedieDeviance",
]

Loss = Callable[[Any, Any], Any]


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


# Every loss of the package with one output by name, with its defaults.
LOSSES: dict[str, PointwiseLoss] = {
    _snake_case(name): globals()[name]()
    for name in __all__
    if not isabstract(globals()[name]) and globals()[name].n_outputs == 1
}
