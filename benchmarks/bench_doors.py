"""What rows with more than a target allow, beside the estimators made for it.

Run with names of the parts to run, or without for all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from _compare import BACKENDS, compare, gap_of, ours, run
from _timing import report
from glum import GeneralizedLinearRegressor
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from sklearn_adreg import GradientDescentClassifier
from sklearn_adreg.losses import Bernoulli


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


PARTS = {part.__name__: part for part in (bernoulli, classifier)}

if __name__ == "__main__":
    run(PARTS, list(PARTS))
