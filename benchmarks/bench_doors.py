"""What rows with more than a target allow, beside the estimators made for it.

Run with names of the parts to run, or without for all.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from _compare import BACKENDS, compare, gap_of, ours, run
from _timing import interleaved, report, timed
from glum import GeneralizedLinearRegressor
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from sklearn_adreg import GradientDescentClassifier, GradientDescentRegressor
from sklearn_adreg.losses import Bernoulli, NormalLogLikelihood, Pinball, Quantiles

LEVELS = tuple(np.arange(1, 11) / 11)


def labels(n_rows: int, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels 0 and 1 that no plane separates; a third of them are 1."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_columns))
    linear = X @ rng.normal(0.0, 1.5 / np.sqrt(n_columns), n_columns) - 0.8
    return X, (rng.random(n_rows) < expit(linear)).astype(float)


def log_loss(X: np.ndarray, y: np.ndarray) -> Callable[..., float]:
    """Return the mean log loss as a function of a fitted model."""

    def value(model: object) -> float:
        linear = X @ np.ravel(model.coef_) + float(np.ravel(model.intercept_)[0])  # type: ignore[attr-defined]
        return float(np.mean(np.logaddexp(0, linear) - y * linear))

    return value


def bernoulli() -> None:
    """Log loss, 300,000 x 60: newton-cholesky and glum, at tolerances of their own."""
    X, y = labels(300_000, 60)
    models, newton = ours(Bernoulli()), LogisticRegression
    logistic = newton(solver="newton-cholesky", C=np.inf, tol=1e-4)
    glum = GeneralizedLinearRegressor(family="binomial", alpha=0.0, gradient_tol=1e-5)
    peers = {
        "newton-cholesky": (lambda: logistic.fit(X, y), ">= 1"),
        "glum": (lambda: glum.fit(X, y), ">= 1"),
    }
    compare("Bernoulli, 300,000 x 60, 0/1", models, peers, X, y)
    exact = newton(solver="newton-cholesky", C=np.inf, tol=1e-10).fit(X, y)
    value = log_loss(X, y)
    for name, model in {**models, "newton-cholesky": logistic, "glum": glum}.items():
        report(
            f"  objective above the optimum's, {name}",
            gap_of({name: model}, value(exact), value),
            "",
        )


def classifier() -> None:
    """GradientDescentClassifier, 300,000 x 60, by loss: scikit-learn's own."""
    X, y = labels(300_000, 60)
    alpha = 1e-4
    logistic = LogisticRegression(
        solver="newton-cholesky", C=1 / (alpha * len(y)), tol=1e-4
    )
    squared = LinearSVC(C=1 / (alpha * len(y)), dual=False, tol=1e-4)
    theirs: dict[str, tuple[Any, str]] = {
        "log_loss": (logistic, ">= 1"),
        "squared_hinge": (squared, ""),
    }
    for loss, (peer, target) in theirs.items():
        models = {
            backend: GradientDescentClassifier(loss, alpha=alpha, backend=backend)
            for backend in BACKENDS
        }
        name = type(peer).__name__
        peers = {name: (lambda peer=peer: peer.fit(X, y), target)}
        compare(f"classifier, {loss}, 300,000 x 60", models, peers, X, y)


def classes() -> None:
    """Fit log loss of several classes."""
    _classes("digits, 1,797 x 64, ten", *load_digits(return_X_y=True))
    _classes("60,000 x 30, ten", *drawn_classes(60_000, 30, 10))
    _classes("20,000 x 5, 30", *drawn_classes(20_000, 5, 30))


def _classes(name: str, X: np.ndarray, y: np.ndarray, alpha: float = 1e-4) -> None:
    """Compare with scikit-learn's solvers, at tolerances that lead as low."""
    models = {
        backend: GradientDescentClassifier(alpha=alpha, backend=backend)
        for backend in BACKENDS
    }
    settings = {"C": 1 / (alpha * len(y)), "max_iter": 10_000, "tol": 1e-8}
    theirs = {
        solver: LogisticRegression(solver=solver, **settings)
        for solver in ("newton-cholesky", "lbfgs")
    }
    fits: dict[str, tuple[Any, str]] = {
        solver: (lambda peer=peer: peer.fit(X, y), "")
        for solver, peer in theirs.items()
    }
    compare(f"classes, {name}", models, fits, X, y)

    def value(model: Any) -> float:
        chances = model.predict_proba(X)[np.arange(len(y)), y]
        return float(-np.log(chances).mean() + alpha / 2 * (model.coef_**2).sum())

    every = {**models, **theirs}
    best = min(map(value, every.values()))
    for model_name, model in every.items():
        above = gap_of({model_name: model}, best, value)
        report(f"  objective above the best, {model_name}", above, "")


def drawn_classes(
    n_rows: int, n_columns: int, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and classes that are drawn from a softmax of theirs."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_columns))
    scores = X @ (0.5 * rng.standard_normal((n_columns, n_classes)))
    return X, np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)


def likelihood(Z: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], Any]:
    """Mean negative log-likelihood of location and log scale, and its gradient."""
    p = Z.shape[1]

    def value_and_gradient(unknowns: np.ndarray) -> tuple[float, np.ndarray]:
        log_scale = Z @ unknowns[p:]
        inverse = np.exp(-log_scale)
        error = (y - Z @ unknowns[:p]) * inverse
        slopes = -error * inverse, 1 - error**2
        gradient = [Z.T @ slope for slope in slopes]
        value = (error**2 / 2 + log_scale).mean() + np.log(2 * np.pi) / 2
        return float(value), np.concatenate(gradient) / len(y)

    return value_and_gradient


def normal(n_rows: int = 200_000, n_columns: int = 20) -> None:
    """Fit normal location and scale, beside L-BFGS-B with the gradient by hand."""
    for correlation, target in (0.0, ">= 1"), (0.9, ">= 5"):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n_rows, n_columns))
        for column in range(1, n_columns):
            new = np.sqrt(1 - correlation**2) * X[:, column]
            X[:, column] = correlation * X[:, column - 1] + new
        log_scale = X @ (0.6 * rng.standard_normal(n_columns) / np.sqrt(n_columns))
        y = X @ rng.standard_normal(n_columns) + 5
        y += np.exp(log_scale) * rng.standard_normal(n_rows)
        Z = np.c_[(X - X.mean(axis=0)) / X.std(axis=0), np.ones(n_rows)]
        start = np.zeros(2 * (n_columns + 1))
        start[n_columns], start[-1] = y.mean(), np.log(y.std())
        found = SimpleNamespace()
        model = GradientDescentRegressor(NormalLogLikelihood())

        def by_hand(Z: np.ndarray = Z, y: Any = y, start: Any = start) -> None:
            options = {"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-8}
            found.by_hand = minimize(  # noqa: B023
                likelihood(Z, y), start, jac=True, method="L-BFGS-B", options=options
            )

        def fit(X: np.ndarray = X, y: Any = y, model: Any = model) -> None:
            model.fit(X, y)

        times = interleaved({"ours": fit, "by hand": by_hand}, repeat=3)
        name = f"normal, {n_rows:,} x {n_columns}, correlation {correlation}"
        ratio = times["by hand"] / times["ours"]
        report(f"{name}: L-BFGS-B / ours", f"{ratio:.2f}", target)
        report("  evaluations of L-BFGS-B", f"{found.by_hand.nfev}", "")
        gap = model.loss_curve_[-1] - found.by_hand.fun
        report("  objective less that of L-BFGS-B", f"{gap:.1e}", "<= 1e-8")


def quantiles(n_rows: int = 100_000, n_columns: int = 25) -> None:
    """Fit ten quantiles that do not cross, beside ten separate fits."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_columns))
    spread = X @ (0.05 * rng.standard_normal(n_columns))
    noise = (1 + 1.5 * np.abs(spread)) * np.exp(spread) * rng.standard_t(4, n_rows)
    y = X @ rng.standard_normal(n_columns) + noise
    together = GradientDescentRegressor(Quantiles(LEVELS))
    alone = [GradientDescentRegressor(Pinball(level)) for level in LEVELS]
    times = interleaved(
        {
            "together": lambda: together.fit(X, y),
            "alone": lambda: [model.fit(X, y) for model in alone],
        },
        repeat=3,
    )
    predicted = together.predict(X)
    separate = np.column_stack([model.predict(X) for model in alone])
    losses = [
        sum(Pinball(q)(y, z).mean() for q, z in zip(LEVELS, each.T, strict=True))
        for each in (predicted, separate)
    ]
    name = f"ten quantiles, {n_rows:,} x {n_columns}"
    ratio = times["together"] / times["alone"]
    report(f"{name}: together / one by one", f"{ratio:.2f}", "<= 2")
    report("  pinball losses, the same", f"{losses[0] / losses[1]:.6f}", "<= 1.005")
    steps = np.diff(predicted, axis=1).min() / y.std()
    report("  least step of neighbours, in deviations", f"{steps:.1e}", ">= -1e-8")
    crossed = (np.diff(separate, axis=1) < 0).any(axis=1).sum()
    report("  rows that cross one by one", f"{crossed}", "")
    if find_spec("pyfixest") is not None:
        seconds, found = by_pyfixest(X, y)
        report("  pyfixest / together", f"{seconds / times['together']:.0f}", ">= 5")
        theirs = sum(Pinball(q)(y, z).mean() for q, z in found.items())
        report("  pinball losses, beside pyfixest", f"{losses[0] / theirs:.6f}", "")


def by_pyfixest(X: np.ndarray, y: np.ndarray) -> tuple[float, dict[float, np.ndarray]]:
    """Seconds of the exact process of all levels, once compiled, and predictions."""
    names = [f"x{column}" for column in range(X.shape[1])]
    frame = pd.DataFrame(X, columns=names).assign(y=y)
    found: list[Any] = []

    def fit(rows: pd.DataFrame) -> None:
        found[:] = (
            import_module("pyfixest")
            .quantreg(
                f"y ~ {' + '.join(names)}",
                rows,
                quantile=list(LEVELS),
                multi_method="cfm1",
                vcov="iid",
            )
            .to_list()
        )

    fit(frame.iloc[:1000])
    seconds = timed(lambda: fit(frame))
    dense = np.c_[np.ones(len(X)), X]
    models = zip(LEVELS, found, strict=True)
    return seconds, {q: dense @ model.coef().to_numpy() for q, model in models}


PARTS = {
    part.__name__: part for part in (bernoulli, classifier, classes, normal, quantiles)
}

if __name__ == "__main__":
    run(PARTS, list(PARTS))
