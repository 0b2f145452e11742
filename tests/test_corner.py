"""Minima at kinks are exact, where no tolerance of the objective would make them so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import linprog
from sklearn.svm import SVC, SVR

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentClassifier, GradientDescentRegressor
from sklearn_adreg.losses import EpsilonInsensitive, Pinball

# Corners are found to the rounding of linear systems, whatever the tolerance.
EXACT: dict[str, Any] = {"rtol": 0, "atol": 1e-11}
PENALTIES = [(0.0, 0.0), (0.02, 1.0), (0.02, 0.0), (0.02, 0.5)]


def own_loss(y_true: Any, y_pred: Any) -> Any:
    """Two kinks, the second at an error of 0.7, and a constant."""
    error = y_true - y_pred
    return adnp.maximum(2 * error, -error) + adnp.maximum(error - 0.7, 0.0) / 2 + 1.0


LOSSES = ["absolute_error", Pinball(0.9), EpsilonInsensitive(0.3), own_loss]


def data(
    n_rows: int = 120, n_columns: int = 6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_columns))
    X[rng.random(X.shape) < 0.5] = 0.0
    y = X @ np.tile([1.0, -2.0, 0.0], n_columns // 3) + rng.standard_normal(n_rows)
    return X, y, rng.integers(0, 3, n_rows) * rng.uniform(0.5, 1.5, n_rows)


def linear_program(
    X: np.ndarray, y: np.ndarray, weight: np.ndarray, level: float, l1: float
) -> tuple[np.ndarray, float]:
    """Quantile regression with an l1 penalty, as its linear program."""
    n, d = X.shape
    share = weight / weight.sum()
    cost = np.concatenate(
        [np.full(2 * d, l1), [0.0], level * share, (1 - level) * share]
    )
    ones, rows = np.ones((n, 1)), sparse.eye_array(n)
    system = sparse.hstack([X, -X, ones, rows, -rows])
    bounds = [(0, None)] * (2 * d) + [(None, None)] + [(0, None)] * (2 * n)
    found = linprog(cost, A_eq=system, b_eq=y, bounds=bounds, method="highs-ds").x
    return found[:d] - found[d : 2 * d], found[2 * d]


@pytest.mark.parametrize("alpha", [0.0, 0.02])
@pytest.mark.parametrize("kind", ["weighted", "offset", "units", "many rows"])
def test_linear_program(alpha: float, kind: str) -> None:
    # Of many rows those on straight pieces are summed up.
    X, y, weight = data(4_200, 3) if kind == "many rows" else data()
    weight = weight if kind == "weighted" else np.ones(len(y))
    X = X + 100.0 * (kind == "offset")
    unit = 10.0 ** np.linspace(-2, 3, X.shape[1]) ** (kind == "units")
    coef, intercept = linear_program(X * unit, y, weight, 0.7, alpha)
    model = GradientDescentRegressor(Pinball(0.7), alpha=alpha, l1_ratio=1.0, tol=1e-10)
    model.fit(X * unit, y, sample_weight=weight)
    assert_allclose(model.coef_ * unit, coef * unit, **EXACT)
    assert_array_equal(model.coef_ == 0, coef == 0)
    assert model.intercept_ == pytest.approx(intercept, abs=1e-9)


@pytest.mark.parametrize("alpha", [0.01, 0.1])
def test_support_vectors(alpha: float) -> None:
    X, y, _ = data()
    # Their kernel is in single precision.
    theirs: dict[str, Any] = {"rtol": 0, "atol": 1e-6}
    known: dict[str, Any] = {"C": 1 / (alpha * len(y)), "tol": 1e-10}
    machine = SVR(kernel="linear", epsilon=0.3, **known).fit(X, y)
    model = GradientDescentRegressor(EpsilonInsensitive(0.3), alpha=alpha, tol=1e-10)
    assert_allclose(model.fit(X, y).coef_, machine.coef_[0], **theirs)
    assert_allclose(model.intercept_, machine.intercept_[0], **theirs)
    machine = SVC(kernel="linear", **known).fit(X, y > 0)
    classifier = GradientDescentClassifier("hinge", alpha=alpha, tol=1e-10)
    assert_allclose(classifier.fit(X, y > 0).coef_, machine.coef_, **theirs)


@pytest.mark.parametrize("backend", ["autograd", "jax"])
@pytest.mark.parametrize("loss", LOSSES, ids=["absolute", "0.9", "tube", "own"])
def test_sparse_rows_end_at_the_same_corner(loss: Any, backend: Any) -> None:
    X, y, weight = data()
    for alpha, l1_ratio in PENALTIES:
        model = GradientDescentRegressor(
            loss, alpha=alpha, l1_ratio=l1_ratio, tol=1e-10, backend=backend
        )
        expected = model.fit(X, y, weight).coef_
        assert np.isfinite(expected).all()
        model.fit(sparse.csr_array(X), y, weight)
        assert_allclose(model.coef_, expected, **EXACT)
        assert_array_equal(model.coef_ == 0, expected == 0)


def test_weight_repeats_rows() -> None:
    X, y, _ = data()
    weight = np.random.default_rng(1).integers(0, 4, len(y))
    for alpha, l1_ratio in PENALTIES:
        model = GradientDescentRegressor(
            EpsilonInsensitive(0.3), alpha=alpha, l1_ratio=l1_ratio
        )
        expected = model.fit(X, y, sample_weight=weight).coef_
        # Rows at one kink then depend on each other.
        model.fit(X.repeat(weight, axis=0), y.repeat(weight))
        assert_allclose(model.coef_, expected, **EXACT)


def test_weight_repeats_rows_of_classes() -> None:
    rng = np.random.default_rng(42)
    X, y, weight = rng.random((15, 30)), np.arange(15) % 3, rng.integers(0, 5, 15)
    # Without a penalty many planes have no loss at all.
    model = GradientDescentClassifier("hinge", alpha=0.01)
    expected = model.fit(X, y, weight).decision_function(X)
    model.fit(X.repeat(weight, axis=0), y.repeat(weight))
    assert_allclose(model.decision_function(X), expected, **EXACT)


def test_more_columns_than_rows() -> None:
    X, y, _ = data(40, 120)
    roughly, closely = (
        GradientDescentRegressor("absolute_error", alpha=0.1, tol=tol).fit(X, y).coef_
        for tol in (1e-6, 1e-10)
    )
    assert_allclose(roughly, closely, **EXACT)


def test_targets_that_repeat() -> None:
    # Far more rows than columns are at their kinks: the median is the best plane.
    rng = np.random.default_rng(2)
    X, y = rng.random((90, 5)), rng.integers(0, 3, 90).astype(float)
    y[:40] = 1.0
    for alpha in (0.0, 0.1):
        model = GradientDescentRegressor("absolute_error", alpha=alpha).fit(X, y)
        assert_allclose(model.coef_, 0.0, **EXACT)
        assert model.intercept_ == pytest.approx(1.0, abs=1e-11)


@pytest.mark.parametrize("loss", LOSSES, ids=["absolute", "0.9", "tube", "own"])
def test_nothing_is_worth_its_penalty(loss: Any) -> None:
    # Rows are at their kinks, and there is no coefficient to move.
    X, y, _ = data(40, 3)
    model = GradientDescentRegressor(
        loss, alpha=10.0, l1_ratio=1.0, fit_intercept=False
    )
    assert_array_equal(model.fit(X, np.round(y)).coef_, 0.0)


@pytest.mark.parametrize("seed", [0, 2])
def test_after_steps_that_round_predictors(seed: int) -> None:
    """Labels that nearly dependent columns separate: the widest margin is known."""
    rng = np.random.default_rng(seed)
    column = rng.standard_normal(4)
    X = np.column_stack([column, column + 1e-6 * rng.standard_normal(4)])
    X, y = X[np.argsort(column)], np.array([-1.0, -1.0, 1.0, 1.0])

    def hinge(y_true: Any, y_pred: Any) -> Any:
        return adnp.maximum(1 - y_true * y_pred, 0)

    # On the way coefficients are 1e6 and more.
    model = GradientDescentRegressor(hinge, alpha=1e-7, l1_ratio=1.0, tol=1e-8)
    model.fit(X, y)
    least = 2 / np.abs(X[2] - X[1]).max()
    assert_allclose(np.abs(model.coef_).sum(), least, rtol=1e-9)
    exact = X.astype(np.longdouble) @ model.coef_ + model.intercept_
    assert (exact * y).min() > 1 - 1e-13
