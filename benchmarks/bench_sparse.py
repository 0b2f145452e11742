"""Sparse X beside the estimators that take it, as ratios.

Run with names of the parts to run, or without for all.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tabmat
from _compare import BACKENDS, compare, gap_of, objective, ours, run
from _data import one_hot, words
from _timing import report, timed
from glum import GeneralizedLinearRegressor
from sklearn.linear_model import Lasso, PoissonRegressor, Ridge, SGDRegressor

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import PoissonDeviance, SquaredError

# Strength of the penalties, as scikit-learn writes it.
ALPHA = 1e-4
TEXT = 100_000, 200_000, 20
# An equal objective is one that is so near the optimum's, relative to it.
NEAR = 1e-8


def penalised(model: Any, loss: Any, X: Any, y: np.ndarray, alpha: float) -> float:
    """Return the objective of a fitted model with a ridge."""
    value = objective(model, loss, X, y)
    return value + alpha * float(model.coef_ @ model.coef_)


def factors() -> None:
    """Poisson with a ridge, 600,000 x 190, one-hot: glum and PoissonRegressor."""
    X, y, frame = one_hot(600_000)
    models = ours("poisson_deviance", alpha=2 * ALPHA)
    glum = GeneralizedLinearRegressor(family="poisson", alpha=ALPHA, l1_ratio=0)
    coded = tabmat.from_pandas(frame)
    newton = PoissonRegressor(alpha=ALPHA, solver="newton-cholesky")
    peers = {
        "glum, the same matrix": (lambda: glum.fit(X, y), ">= 1.5"),
        "glum, categorical": (lambda: glum.fit(coded, y), ">= 1"),
        "newton-cholesky": (lambda: newton.fit(X, y), ">= 3"),
        "lbfgs": (lambda: PoissonRegressor(alpha=ALPHA).fit(X, y), ""),
    }
    compare("Poisson, one-hot, 600,000 x 190", models, peers, X, y)
    glum.fit(X, y)
    loss = PoissonDeviance()

    def value(model: Any) -> float:
        mean = np.exp(X @ model.coef_ + model.intercept_)
        return float(loss(y, mean).mean() + ALPHA * model.coef_ @ model.coef_)

    exact = GradientDescentRegressor(loss, alpha=2 * ALPHA, tol=1e-11).fit(X, y)
    report("  objective above the optimum's", gap_of(models, value(exact), value), "")
    for name, peer in (("glum", glum), ("newton-cholesky", newton)):
        gap = gap_of({"": peer}, value(exact), value)
        report(f"  the same of {name}", gap, "")


def ridge() -> None:
    """Squared error with a ridge, text-sized: Ridge at an equal objective."""
    for decay in (0.9, 0.0):
        X, y = words(*TEXT, decay)
        value = partial(penalised, loss=SquaredError(), X=X, y=y, alpha=ALPHA)
        exact = GradientDescentRegressor(alpha=2 * ALPHA, tol=1e-10).fit(X, y)
        reached = value(exact) * (1 + NEAR)
        make: dict[str, Callable[..., Any]] = {
            solver: partial(Ridge, ALPHA * len(y), solver=solver)
            for solver in ("sparse_cg", "lsqr")
        }
        peers: dict[str, tuple[Callable[[], Any], str]] = {}
        for name, kind in make.items():
            peer = as_low(kind, X, y, value, reached)
            peers[f"{name}, tol={peer.tol:.0e}"] = (partial(peer.fit, X, y), ">= 1")
        for backend in BACKENDS:
            kind = partial(GradientDescentRegressor, alpha=2 * ALPHA, backend=backend)
            model = as_low(kind, X, y, value, reached)
            models = {f"{backend}, tol={model.tol:.0e}": model}
            compare(f"ridge, words as k^-{decay}", models, peers, X, y)
        model = GradientDescentRegressor(alpha=2 * ALPHA).fit(X, y)
        gap = gap_of({"": model}, value(exact), value)
        report("  objective above the optimum's, as it comes", gap, "")


def as_low(
    kind: Callable[..., Any],
    X: Any,
    y: np.ndarray,
    value: Callable[[Any], float],
    reached: float,
) -> Any:
    """Return a model with the largest tolerance that reaches an objective.

    Of the powers of two: that is a step or two of each of these methods. With powers
    of ten some are asked for four steps more than others, by chance.
    """

    def low(exponent: int) -> bool:
        return value(kind(tol=2.0**-exponent).fit(X, y)) <= reached

    exponents = range(6, 32)
    found = exponents[bisect.bisect_left(exponents, True, key=low)]
    return kind(tol=2.0**-found)


def lasso() -> None:
    """Squared error with a lasso, text-sized: Lasso."""
    X, y = words(*TEXT, 0.9)
    models = ours("squared_error", alpha=2e-3, l1_ratio=1.0)
    peers = {
        f"Lasso{kwargs or ''}": (partial(Lasso(1e-3, **kwargs).fit, X, y), "")
        for kwargs in ({}, {"tol": 1e-8})
    }
    compare("lasso, 100,000 x 200,000", models, peers, X, y, 2)
    exact = Lasso(1e-3, tol=1e-10, max_iter=10_000).fit(X, y)
    for name, model in models.items():
        same = ((model.coef_ != 0) == (exact.coef_ != 0)).mean()
        error = np.abs(model.coef_ - exact.coef_).max()
        report(f"  coefficients beside Lasso(tol=1e-10)'s, {name}", f"{error:.1e}", "")
        report("  entries that are zero in both, or in neither", f"{same:.6f}", "")


def descent() -> None:
    """Stochastic gradient descent, the best of ten learning rates, as near as 1e-4."""
    for decay in (0.9, 0.0):
        X, y = words(*TEXT, decay)
        value = partial(penalised, loss=SquaredError(), X=X, y=y, alpha=ALPHA)
        model = GradientDescentRegressor(alpha=2 * ALPHA).fit(X, y)
        seconds = min(timed(lambda: model.fit(X, y)) for _ in range(3))  # noqa: B023
        wanted, most = value(model) * (1 + 1e-4), 10 * seconds
        needed = [
            seconds_to(X, y, rate, value, wanted, most)
            for rate in np.geomspace(1e-3, 0.5, 10)
        ]
        found = min(needed) / seconds
        shown = f"{found:.1f}" if math.isfinite(found) else "> 10"
        report(f"SGDRegressor / ours, words as k^-{decay}", shown, "> 1")


def seconds_to(
    X: Any,
    y: np.ndarray,
    rate: float,
    value: Callable[[Any], float],
    wanted: float,
    most: float,
) -> float:
    """Seconds of epochs until an objective is reached; infinite after the most."""
    spent, sgd = 0.0, SGDRegressor(alpha=ALPHA, eta0=rate, random_state=0)
    while spent < most:
        spent += timed(lambda: sgd.partial_fit(X, y))
        if value(sgd) <= wanted:
            return spent
    return math.inf


PARTS = {part.__name__: part for part in (factors, ridge, lasso, descent)}

if __name__ == "__main__":
    run(PARTS, list(PARTS))
