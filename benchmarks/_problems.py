"""Problems that two checkouts are timed on, each drawn only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from _data import flights, heavy_tails, normal
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.losses import (
    AbsoluteError,
    AbsolutePercentageError,
    GammaDeviance,
    Huber,
    Linex,
    LogCosh,
    Pinball,
    PoissonDeviance,
    SquaredError,
    Tukey,
)

# X, y and weights.
Drawn = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def in_units_of_y(loss: Any, *parameters: float) -> Any:
    """Return a robust loss at a scale of one, which once was all that there was."""
    if "mad" in vars(loss()).values():
        return loss(*parameters, scale=1.0)
    return loss(*parameters)


HUBER = in_units_of_y(Huber, 1.35)


def own_kink(y_true: Any, y_pred: Any) -> Any:
    """Too little costs four times what too much does."""
    return adnp.maximum(4 * (y_true - y_pred), y_pred - y_true)


@dataclass(frozen=True)
class Problem:
    """Data, a loss and the parameters of a model; `large` shows its memory."""

    data: Callable[[], Drawn]
    loss: Any = SquaredError()  # noqa: RUF009 (frozen)
    parameters: tuple[tuple[str, Any], ...] = ()
    strongest: float = 0.0  # alpha as a part of the least that leaves no coefficient
    search: Callable[[Any], Any] | None = None
    large: bool = False
    asked: bool = False  # only with --large

    def prepare(self) -> tuple[Callable[[], Any], Callable[[Any], float]]:
        """Draw the data; return the fit, and the objective of what it returns."""
        X, y, weights = self.data()
        parameters = dict(self.parameters)
        if self.strongest:
            parameters["alpha"] = self.strongest * alpha_max(self.loss, X, y)
        model = GradientDescentRegressor(self.loss, **parameters)
        if self.search is not None:
            search = self.search(model)
            return lambda: search.fit(X, y), lambda found: float(found.best_score_)
        fit = partial(model.fit, X, y, weights)
        return fit, lambda found: objective(found, X, y, weights)


def objective(model: Any, X: np.ndarray, y: np.ndarray, weights: Any) -> float:
    """Mean loss and penalty, of a model that has been fitted."""
    losses = model.loss(y, model.predict(X))
    square, absolute = np.square(model.coef_).sum(), np.abs(model.coef_).sum()
    share = model.l1_ratio
    penalty = model.alpha * (share * absolute + (1 - share) / 2 * square)
    return float(np.average(losses, weights=weights) + penalty)


def alpha_max(loss: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Return the least strength of a lasso that leaves the best constant alone."""
    if isinstance(loss, Pinball):
        slopes = (y < np.quantile(y, loss.quantile)) - loss.quantile
    elif isinstance(loss, Huber):
        level = GradientDescentRegressor(loss).fit(0 * X[:, :1], y).intercept_
        slopes = np.clip(level - y, -loss.delta, loss.delta)
    else:  # squared error, and counts with a logarithmic link
        slopes = 2 * (y.mean() - y)
    return float(np.abs((slopes - slopes.mean()) @ X).max() / len(y))


def plain(n: int, d: int) -> Drawn:
    """Draw standard normal columns."""
    return *normal(n, d), None


def textbook_data() -> Drawn:
    """Draw the data of the note's third exercise, without noise."""
    X = np.random.default_rng(0).standard_normal((100, 10))
    return X, X @ np.arange(1.0, 11.0), None


def far() -> Drawn:
    """Draw 500,000 x 100, three standard deviations from zero."""
    X, y = normal(500_000, 100)
    X += 3.0
    return X, y, None


def fortran() -> Drawn:
    """Draw 200,000 x 50, each column contiguous."""
    X, y = normal(200_000, 50)
    return np.asfortranarray(X), y, None


def heavy(n: int, d: int, units: float = 1.0) -> Drawn:
    """Draw columns and noise with outliers."""
    return *heavy_tails(n, d, units), None


def delays() -> Drawn:
    """Flights by number and by one-hot groups, and their delays."""
    X, delay, _ = flights()
    return X, delay, None


def outliers() -> Drawn:
    """Draw 50,000 x 10 with one target in twenty far off."""
    X, y = normal(50_000, 10)
    y[::20] += 30.0
    return X, y, None


def amounts(family: str, n: int, d: int, *, weighted: bool = False) -> Drawn:
    """Draw counts or positive amounts with a logarithmic link."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    mean = np.exp(X @ (0.8 / np.sqrt(d) * rng.standard_normal(d)))
    weights = rng.uniform(0.5, 2.0, n) if weighted else None
    if family == "poisson":
        return X, rng.poisson(mean).astype(float), weights
    return X, rng.gamma(2.0, mean / 2), weights


def visits(*, pairs: bool) -> Drawn:
    """Draw 20,000 rows as visits to a doctor: skewed columns, many zeros."""
    rng = np.random.default_rng(0)
    X = np.c_[
        rng.integers(0, 2, (20_000, 4)) * 1.0,
        rng.lognormal(0.0, 1.0, (20_000, 3)),
        rng.uniform(0.0, 60.0, (20_000, 2)),
    ]
    white = (X - X.mean(0)) / X.std(0)
    y = rng.poisson(rng.gamma(0.7, np.exp(0.5 + white @ np.full(9, 0.1)) / 0.7))
    if pairs:
        first, second = np.triu_indices(9, 1)
        X = np.c_[white, white[:, first] * white[:, second]]
    return X, y.astype(float), None


def sparse_truth(n: int, d: int, correlation: float = 0.0) -> Drawn:
    """Draw autocorrelated columns of which twenty matter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    for j in range(1, d) if correlation else ():
        X[:, j] *= np.sqrt(1 - correlation**2)
        X[:, j] += correlation * X[:, j - 1]
    coef = np.zeros(d)
    coef[rng.choice(d, 20, replace=False)] = rng.standard_normal(20)
    return X, X @ coef + rng.standard_normal(n), None


def diabetes() -> Drawn:
    """Columns as they were measured."""
    return *load_diabetes(return_X_y=True, scaled=False), None


def _grid(model: Any) -> GridSearchCV:
    return GridSearchCV(model, {"epsilon": np.geomspace(0.01, 0.7, 50)}, cv=5)


def _one_pass(model: Any) -> GradientDescentRegressorCV:
    """Return a search; where descents are run, as there is no formula, shorter ones."""
    steps = 1000 if isinstance(model.loss, SquaredError) else 100
    return GradientDescentRegressorCV(
        np.geomspace(1e-3, 0.5, 20), loss=model.loss, max_iter=steps
    )


def _parameters(**named: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(named.items())


RIDGE = _parameters(alpha=0.1)
LASSO = _parameters(l1_ratio=1.0)
SHORT = _parameters(epsilon=0.1, max_iter=100, tol=0)


def problems() -> dict[str, Problem]:
    """All of them by name."""
    found = _squared() | _smooth() | _kinked() | _lassos() | _textbook()
    for backend, names in (("jax", JAX), ("jax cpu", DEVICE)):
        place = _parameters(backend="jax")
        place += _parameters(device="cpu") if backend == "jax cpu" else ()
        for name in names:
            copy = vars(found[name]) | {"parameters": found[name].parameters + place}
            found[f"{name}, {backend}"] = Problem(**copy)
    return found


def _squared() -> dict[str, Problem]:
    tall = partial(plain, 200_000, 50)
    return {
        "squared 200k x 50": Problem(tall, large=True),
        "squared 2k x 20": Problem(partial(plain, 2_000, 20)),
        "squared 200 x 10": Problem(partial(plain, 200, 10)),
        "ridge 200k x 50": Problem(tall, parameters=RIDGE, large=True),
        "squared 500k x 100, far from zero": Problem(far, large=True),
        "squared 200k x 50, Fortran order": Problem(fortran, large=True),
        "squared flights, one-hot": Problem(delays, large=True),
        "CV 200k x 50, 20 epsilons": Problem(tall, search=_one_pass, large=True),
        "grid search 2k x 30, 50 epsilons": Problem(
            partial(plain, 2_000, 30), search=_grid
        ),
    }


def _smooth() -> dict[str, Problem]:
    found = {}
    for units in (1.0, 1e6):
        data = partial(heavy, 200_000, 50, units)
        name = f"huber 200k x 50, units 1 to {units:.0e}"
        found[name] = Problem(data, HUBER, large=True)
    poisson, gamma = PoissonDeviance(), GammaDeviance()
    counts = partial(amounts, "poisson", 300_000, 60, weighted=True)
    positive = partial(amounts, "gamma", 300_000, 60)
    data = partial(plain, 200_000, 20)
    return found | {
        "log_cosh 200k x 20": Problem(data, in_units_of_y(LogCosh)),
        "linex 200k x 20": Problem(data, Linex(0.5)),
        "poisson 300k x 60, weights": Problem(counts, poisson, large=True),
        "gamma 300k x 60": Problem(positive, gamma, large=True),
        "poisson visits 20k x 9": Problem(partial(visits, pairs=False), poisson),
        "poisson visits 20k x 45": Problem(partial(visits, pairs=True), poisson),
        "tukey 50k x 10, outliers": Problem(outliers, in_units_of_y(Tukey, 4.685)),
        "huber 100 x 400, ridge": Problem(partial(plain, 100, 400), HUBER, RIDGE),
    }


def _kinked() -> dict[str, Problem]:
    found = {
        f"pinball {quantile} {n // 1000}k x {d}": Problem(
            partial(plain, n, d), Pinball(quantile), large=n > 100_000
        )
        for quantile in (0.5, 0.9)
        for n, d in ((2_000, 5), (60_000, 10), (300_000, 50))
    }
    wide, narrow = partial(plain, 60_000, 50), partial(plain, 60_000, 10)
    return found | {
        "own kink 60k x 10": Problem(narrow, own_kink),
        "absolute 60k x 50": Problem(wide, AbsoluteError()),
        "mape diabetes": Problem(diabetes, AbsolutePercentageError()),
    }


def _lassos() -> dict[str, Problem]:
    found = {}
    for n, d in ((200, 5_000), (1_000, 2_000), (500, 1_000)):
        for correlation in (0.0, 0.9):
            for part in (10, 100):
                name = f"lasso {n} x {d}, corr {correlation:g}, alpha_max/{part}"
                data = partial(sparse_truth, n, d, correlation)
                found[name] = Problem(data, parameters=LASSO, strongest=1 / part)
    for n, asked in ((200_000, False), (1_000_000, True)):
        found[f"lasso {n // 1000}k x 100"] = Problem(
            partial(sparse_truth, n, 100),
            parameters=LASSO,
            strongest=0.1,
            large=True,
            asked=asked,
        )
    counts = partial(amounts, "poisson", 20_000, 50)
    rows = partial(plain, 20_000, 50)
    for name, data, loss in (
        ("huber", partial(heavy, 20_000, 50), HUBER),
        ("poisson", counts, PoissonDeviance()),
        ("pinball 0.5", rows, Pinball(0.5)),
        ("pinball 0.9", rows, Pinball(0.9)),
    ):
        found[f"l1 {name} 20k x 50"] = Problem(data, loss, LASSO, strongest=0.3)
    return found


def _textbook() -> dict[str, Problem]:
    steps = _parameters(epsilon=0.1, max_iter=1000, tol=0)
    note = SHORT + _parameters(fit_intercept=False)
    rows = partial(plain, 20_000, 20)
    return {
        "textbook squared 2k x 20": Problem(
            partial(plain, 2_000, 20), parameters=steps
        ),
        "textbook note 100 x 10": Problem(textbook_data, parameters=note),
        "textbook huber 20k x 20": Problem(rows, HUBER, SHORT),
        "CV huber 20k x 10, 20 epsilons": Problem(
            partial(plain, 20_000, 10), HUBER, search=_one_pass
        ),
    }


# Those that are run with JAX as well, and on a device of JAX.
DEVICE = (
    "squared 200k x 50",
    "squared 2k x 20",
    "huber 200k x 50, units 1 to 1e+00",
    "poisson 300k x 60, weights",
    "pinball 0.9 60k x 10",
    "textbook huber 20k x 20",
)
JAX = (
    *DEVICE,
    "squared 200 x 10",
    "own kink 60k x 10",
    "linex 200k x 20",
    "l1 huber 20k x 50",
    "lasso 200k x 100",
    "textbook squared 2k x 20",
    "textbook note 100 x 10",
    "grid search 2k x 30, 50 epsilons",
)
