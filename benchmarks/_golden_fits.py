"""The fits of the golden table: losses, data, and what is combined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from _optimum import Pieces
from sklearn.datasets import load_diabetes

import sklearn_adreg.numpy as adnp
from sklearn_adreg.losses import (
    AbsoluteError,
    AbsolutePercentageError,
    Cauchy,
    GammaDeviance,
    Huber,
    Linex,
    LogCosh,
    Pinball,
    PoissonDeviance,
    SquaredError,
    Tukey,
)


def own_smooth(y_true: Any, y_pred: Any) -> Any:
    """Logarithm of the hyperbolic cosine, steeper above than below."""
    error = y_true - y_pred
    return adnp.logaddexp(1.5 * error, -0.5 * error)


def own_kink(y_true: Any, y_pred: Any) -> Any:
    """Too little costs four times what too much does."""
    return adnp.maximum(4 * (y_true - y_pred), y_pred - y_true)


def constant_pieces(above: float, below: float) -> Pieces:
    """Slopes that are the same on every row."""
    return lambda _: (above, below)


@dataclass(frozen=True)
class LossCase:
    """A loss, the kind of target that it is for, and its pieces where it is kinked."""

    loss: Any
    target: str = "line"
    pieces: Pieces | None = None
    robust: Any = None


HUBER = Huber(1.35, scale=1.0)
LOSSES = {
    "squared": LossCase(SquaredError()),
    "huber": LossCase(HUBER, "heavy"),
    "pinball .5": LossCase(Pinball(0.5), pieces=constant_pieces(0.5, 0.5)),
    "pinball .9": LossCase(Pinball(0.9), pieces=constant_pieces(0.9, 0.1)),
    "absolute": LossCase(AbsoluteError(), "heavy", constant_pieces(1.0, 1.0)),
    "poisson": LossCase(PoissonDeviance(), "counts"),
    "gamma": LossCase(GammaDeviance(), "amounts"),
    "log_cosh": LossCase(LogCosh(scale=1.0), "heavy"),
    "tukey": LossCase(Tukey(4.685, scale=1.0), "heavy", robust=HUBER),
    "cauchy": LossCase(Cauchy(2.385, scale=1.0), "heavy", robust=HUBER),
    "linex": LossCase(Linex(0.5)),
    "own smooth": LossCase(own_smooth),
    "own kink": LossCase(own_kink, pieces=constant_pieces(4.0, 1.0)),
    "mape": LossCase(
        AbsolutePercentageError(),
        "amounts",
        lambda y: (1 / np.abs(y), 1 / np.abs(y)),
    ),
}


def _normal(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(n + d).standard_normal((n, d))


def _dependent() -> np.ndarray:
    """Draw a column that is the sum of two others but for a part in ten million."""
    X = _normal(200, 5)
    return np.c_[X, X[:, 0] + X[:, 1] + 1e-7 * _normal(200, 1)[:, 0]]


def _one_hot() -> np.ndarray:
    """All levels of two factors, which add up to one each, and a number."""
    rng = np.random.default_rng(4)
    levels = [np.eye(k)[rng.integers(0, k, 300)] for k in (4, 7)]
    return np.c_[levels[0], levels[1], rng.standard_normal(300)]


def _units() -> np.ndarray:
    """Correlated columns, in units from 1e-6 to 1e6."""
    Z = _normal(250, 6) @ (np.eye(6) + 0.9 * np.eye(6, k=1))
    return Z * np.logspace(-6, 6, 6)


def _leverage() -> np.ndarray:
    X = np.random.default_rng(5).standard_t(3, (300, 5))
    X[:4] *= 100.0
    return X


SHAPES: dict[str, Callable[[], np.ndarray]] = {
    "tall": lambda: _normal(400, 6),
    "one column": lambda: _normal(100, 1),
    "dependent": _dependent,
    "far from zero": lambda: _normal(200, 4) + 1e5 * np.arange(1.0, 5.0),
    "units": _units,
    "one-hot": _one_hot,
    "leverage": _leverage,
    "wide": lambda: _normal(25, 40),
    "many rows": lambda: _normal(210_000, 3),  # more than a sample, which starts fits
    "float32": lambda: _normal(300, 5).astype(np.float32),
    "Fortran order": lambda: np.asfortranarray(_normal(300, 7)),
    "diabetes": lambda: load_diabetes(return_X_y=True, scaled=False)[0],
}


@dataclass(frozen=True)
class Fit:
    """One line of the table."""

    loss: str
    shape: str
    parameters: dict[str, Any] = field(default_factory=dict)
    weighted: bool = False
    targets: int = 1

    @property
    def name(self) -> str:
        """What it is known by."""
        words = [self.loss, self.shape]
        words += [f"{key}={value}" for key, value in self.parameters.items()]
        words += ["weighted"] * self.weighted
        words += [f"{self.targets} targets"] * (self.targets > 1)
        return ", ".join(words)

    @property
    def flat(self) -> bool:
        """Whether several predictions may be as good, or nearly."""
        case = LOSSES[self.loss]
        return case.pieces is not None or case.robust is not None

    @property
    def textbook(self) -> bool:
        """Whether it is the update rule with a numeric epsilon."""
        return "epsilon" in self.parameters


@cache
def drawn(
    loss: str, shape: str, weighted: bool, targets: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """X, y and weights; rows of weight zero are far away from the others."""
    X = SHAPES[shape]()
    rng = np.random.default_rng(6)
    white = (X - X.mean(0)) / np.where(X.std(0) > 0, X.std(0), 1.0)
    coef = rng.uniform(-1, 1, (X.shape[1], targets)) / np.sqrt(X.shape[1])
    line = np.clip(white @ coef, -3, 3)
    kinds: dict[str, Callable[[], np.ndarray]] = {
        "line": lambda: 3 + 2 * line + rng.standard_normal(line.shape),
        "heavy": lambda: 3 + 2 * line + rng.standard_t(1.5, line.shape),
        "counts": lambda: rng.poisson(np.exp(1 + line)).astype(float),
        "amounts": lambda: rng.gamma(2.0, np.exp(1 + line) / 2),
    }
    y = kinds[LOSSES[loss].target]().astype(X.dtype)
    y = y[:, 0] if targets == 1 else y
    if not weighted:
        return X, y, None
    weights = rng.integers(0, 4, len(y)) * 0.7
    X[weights == 0] *= 50.0
    y[weights == 0] = y.max()
    return X, y, weights


RIDGE = {"alpha": 0.1}
LASSO = {"alpha": 0.1, "l1_ratio": 1.0}
NET = {"alpha": 0.2, "l1_ratio": 0.5}
HOST, DEVICE = {"backend": "jax"}, {"backend": "jax", "device": "cpu"}
SHORT = {"epsilon": 0.02, "max_iter": 50, "tol": 0}
KINKED = SHORT | {"fit_intercept": False}


def _of(losses: str, shape: str, *parameters: dict[str, Any], **rest: Any) -> Any:
    names = LOSSES if losses == "all" else losses.split(", ")
    for name in names:
        for chosen in parameters or ({},):
            yield Fit(name, shape, chosen, **rest)


def fits() -> Iterator[Fit]:
    """All lines of the table, in order."""
    for shape in ("tall", "one column", "dependent", "far from zero", "units"):
        yield from _of("all", shape)
    yield from _of("all", "one-hot")
    robust = "squared, huber, pinball .5, absolute, log_cosh, tukey, cauchy, own kink"
    yield from _of(robust, "leverage")
    yield from _of("all", "tall", weighted=True)
    yield from _of("all", "tall", RIDGE, LASSO)
    yield from _of(
        "squared, huber, pinball .9, gamma, own kink", "units", weighted=True
    )
    yield from _of("all", "wide", RIDGE)
    few = "squared, huber, pinball .9, poisson, own smooth"
    yield from _of(few, "wide", LASSO, NET)
    yield from _of(few, "dependent", RIDGE, LASSO, NET)
    yield from _of(
        "squared, huber, pinball .5, poisson", "one-hot", LASSO, weighted=True
    )
    yield from _of("squared, huber, pinball .5, gamma", "far from zero", RIDGE, LASSO)
    yield Fit("squared", "wide")
    plain = {"fit_intercept": False}
    yield from _of("squared, huber, absolute, poisson", "tall", plain, plain | LASSO)
    yield from _of(few + ", tukey", "tall", {}, RIDGE, targets=3)
    yield from _of("squared, huber, pinball .9", "many rows")
    yield from _of("squared, huber, pinball .5, poisson", "float32")
    yield from _of("squared, huber, own kink", "Fortran order", {}, LASSO)
    yield from _of("squared, mape", "diabetes")
    yield from _textbook()
    yield from _elsewhere()


def _textbook() -> Iterator[Fit]:
    smooth = "squared, huber, poisson, log_cosh, own smooth"
    yield from _of(smooth, "tall", SHORT, SHORT | RIDGE, SHORT | LASSO)
    yield from _of("squared, gamma, cauchy", "tall", SHORT, weighted=True)
    yield from _of("pinball .9, own kink, absolute", "tall", KINKED, KINKED | NET)
    yield from _of("squared, linex", "tall", {"epsilon": 0.1})
    yield from _of("squared", "tall", {"epsilon": 100.0}, SHORT | HOST, SHORT | DEVICE)
    yield from _of("squared, huber", "tall", SHORT, targets=3)


def _elsewhere() -> Iterator[Fit]:
    yield from _of("all", "tall", HOST)
    yield from _of("squared, huber, poisson, own kink", "units", HOST, weighted=True)
    yield from _of("squared, huber, pinball .9", "tall", HOST | LASSO, DEVICE | LASSO)
    some = "squared, huber, pinball .9, poisson, tukey, own smooth, own kink"
    yield from _of(some, "tall", DEVICE)
    yield from _of("squared, huber", "wide", DEVICE | RIDGE)
    yield from _of("squared, log_cosh", "units", DEVICE, weighted=True)
