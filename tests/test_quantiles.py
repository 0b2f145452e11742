"""Several quantiles at once, beside linear programming and separate fits."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.optimize import linprog
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from statsmodels.regression.quantile_regression import QuantReg

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Pinball, Quantiles

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)


@cache
def diabetes() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_diabetes(return_X_y=True)
    return X, y


def mean_loss(y: np.ndarray, predicted: np.ndarray) -> float:
    """Sum of the mean pinball losses of the levels."""
    error = y[:, None] - predicted
    return float((error * (np.array(LEVELS) - (error < 0))).sum(axis=1).mean())


def by_linear_programming(X: np.ndarray, y: np.ndarray, alpha: float = 0.0) -> float:
    """Least mean loss, with a lasso, of planes that do not cross on the rows."""
    n_rows, k = len(y), len(LEVELS)
    dense, eye = np.c_[X, np.ones(n_rows)], sparse.eye_array(n_rows * k)
    lasso = np.tile([alpha] * X.shape[1] + [0.0], k)
    planes = sparse.kron(sparse.eye_array(k), dense)
    steps = sparse.kron(sparse.coo_array(np.eye(k)[:-1] - np.eye(k)[1:]), dense)
    levels = np.repeat(LEVELS, n_rows) / n_rows
    free = sparse.csr_array((steps.shape[0], 2 * n_rows * k))
    found = linprog(
        np.concatenate([lasso, lasso, levels, 1 / n_rows - levels]),
        A_ub=sparse.hstack([steps, -steps, free]).tocsr(),
        b_ub=np.zeros(steps.shape[0]),
        A_eq=sparse.hstack([planes, -planes, eye, -eye]).tocsr(),
        b_eq=np.tile(y, k),
    )
    return float(found.fun)


def test_planes_that_do_not_cross() -> None:
    X, y = diabetes()
    model = GradientDescentRegressor(Quantiles(LEVELS)).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (len(y), 5)
    assert model.coef_.shape == (5, 10)
    assert np.diff(predicted, axis=1).min() >= -1e-8 * y.std()
    found, expected = mean_loss(y, predicted), by_linear_programming(X, y)
    # Planes that are held apart are within ten times `tol`.
    assert expected * (1 - 1e-9) <= found <= expected * (1 + 1e-5)
    assert model.loss_curve_[-1] == pytest.approx(found, rel=1e-12)
    separate = GradientDescentRegressor(Quantiles(LEVELS, crossing=True)).fit(X, y)
    assert np.diff(separate.predict(X), axis=1).min() < -0.01 * y.std()
    assert mean_loss(y, separate.predict(X)) < found < 1.002 * separate.loss_curve_[-1]


def test_planes_that_may_cross_are_separate_fits() -> None:
    X, y = diabetes()
    model = GradientDescentRegressor(Quantiles([0.1, 0.9], crossing=True)).fit(X, y)
    for number, level in enumerate((0.1, 0.9)):
        alone = GradientDescentRegressor(Pinball(level)).fit(X, y)
        assert_allclose(model.predict(X)[:, number], alone.predict(X), atol=1e-9)
        known = QuantReg(y, np.c_[X, np.ones(len(y))]).fit(level, max_iter=5000)
        expected = Pinball(level)(y, known.fittedvalues).mean()
        found = Pinball(level)(y, model.predict(X)[:, number]).mean()
        assert found <= expected * (1 + 1e-6)


def test_one_level_is_one_output() -> None:
    X, y = diabetes()
    model = GradientDescentRegressor(Quantiles([0.9])).fit(X, y)
    alone = GradientDescentRegressor(Pinball(0.9)).fit(X, y)
    assert model.coef_.shape == (10,)
    assert_allclose(model.predict(X), alone.predict(X))


@pytest.mark.parametrize(
    "parameters",
    [
        {"alpha": 1e-3},
        {"alpha": 0.1, "l1_ratio": 1.0},
        {"alpha": 0.05, "l1_ratio": 0.5},
    ],
    ids=["ridge", "lasso", "elastic net"],
)
def test_penalties(parameters: dict[str, Any]) -> None:
    X, y = diabetes()
    X = X / X.std(axis=0)
    model = GradientDescentRegressor(Quantiles(LEVELS), **parameters).fit(X, y)
    assert np.diff(model.predict(X), axis=1).min() >= -1e-8 * y.std()
    alone = clone(model).set_params(loss=Quantiles(LEVELS, crossing=True)).fit(X, y)
    assert alone.loss_curve_[-1] * (1 - 1e-6) < model.loss_curve_[-1]
    assert model.loss_curve_[-1] < 1.01 * alone.loss_curve_[-1]
    assert (model.coef_ == 0).any() == (model.l1_ratio > 0)


def test_lasso_of_columns_that_nearly_depend_on_each_other() -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((20, 3))
    X[:, 2] = X[:, 0] + 1e-5 * rng.standard_normal(20)
    y = rng.standard_normal(20) * (1 + abs(X[:, 1]))
    model = GradientDescentRegressor(Quantiles(LEVELS), alpha=1e-6, l1_ratio=1.0)
    value = model.fit(X, y).loss_curve_[-1]
    assert value == pytest.approx(by_linear_programming(X, y, 1e-6), rel=1e-5)
    assert np.diff(model.predict(X), axis=1).min() >= -1e-8


def test_every_way_of_giving_the_data() -> None:
    X, y = diabetes()
    X, y = X[:150], y[:150]
    loss = Quantiles((0.25, 0.5, 0.75))
    model = GradientDescentRegressor(loss).fit(X, y)
    value = model.loss_curve_[-1]
    for given in sparse.csr_array(X), np.asfortranarray(X):
        found = clone(model).fit(given, y)
        assert found.loss_curve_[-1] == pytest.approx(value, rel=2e-5)
        assert np.diff(found.predict(X), axis=1).min() >= -1e-8 * y.std()
    placed = clone(model).set_params(backend="jax", device="cpu").fit(X, y)
    assert placed.loss_curve_[-1] == pytest.approx(value, rel=2e-5)
    assert np.diff(placed.predict(X), axis=1).min() >= -1e-8 * y.std()
    single = clone(model).set_params(tol=1e-4).fit(X.astype(np.float32), y)
    assert np.diff(single.predict(X.astype(np.float32)), axis=1).min() >= 0
    assert single.loss_curve_[-1] == pytest.approx(value, rel=2e-3)
    again = clone(model).set_params(warm_start=True).fit(X, y).fit(X, y)
    assert again.loss_curve_[-1] == pytest.approx(value, rel=2e-5)
    weight = np.arange(150.0) % 3
    kept = np.repeat(np.arange(150), np.arange(150) % 3)
    weighted = clone(model).fit(X, y, sample_weight=weight).loss_curve_[-1]
    twice = clone(model).fit(X[kept], y[kept]).loss_curve_[-1]
    assert weighted == pytest.approx(twice, rel=2e-5)


def median_and_tail(y: Any, z: Any) -> Any:
    """Two levels as a user writes them, with a price on their crossing."""
    low, high = y - z[:, 0], y - z[:, 1]
    found = adnp.maximum(0.5 * low, -0.5 * low) + adnp.maximum(0.9 * high, -0.1 * high)
    return found + 5.0 * adnp.maximum(z[:, 0] - z[:, 1], 0.0)


@pytest.mark.parametrize("place", [{}, {"backend": "jax", "device": "cpu"}])
def test_own_losses_with_kinks(place: dict[str, Any]) -> None:
    X, y = diabetes()
    X, y = X[:64, :3], y[:64]
    own = GradientDescentRegressor(median_and_tail, n_outputs=2, **place).fit(X, y)
    loss = Quantiles((0.5, 0.9), crossing=True)
    alone = GradientDescentRegressor(loss).fit(X, y)
    assert np.diff(alone.predict(X), axis=1).min() > 0
    expected = loss(y, alone.predict(X)).mean()
    found = loss(y, own.predict(X)).mean()
    assert found == pytest.approx(expected, rel=2e-6)


def test_targets_that_all_planes_meet() -> None:
    X = np.random.default_rng(0).standard_normal((40, 3))
    single, one, line = X.astype(np.float32), np.eye(40)[7], X @ [1.0, 2.0, 3.0]
    model = GradientDescentRegressor(Quantiles((0.1, 0.5, 0.9)))
    for given, y, weight in (
        (X, np.full(40, 1e6), None),
        (single, np.full(40, 1e6, np.float32), None),
        (sparse.csr_array(X), np.full(40, -1e-9), None),
        (X, line, None),
        (X, line, one),
        (X[:1], line[:1], None),
        (X[:2], line[:2], None),
    ):
        found = clone(model).fit(given, y, sample_weight=weight).predict(given)
        met = slice(None) if weight is None else weight > 0
        rounding = 32 * np.finfo(found.dtype).eps * np.abs(y).max()
        close = max(rounding, 1e-6 * float(y[met].std()))
        assert_allclose(found[met], np.tile(y[met, None], 3), rtol=0, atol=close)
        assert np.diff(found[met], axis=1).min() >= -rounding / 32


def test_levels() -> None:
    levels = (0.25, 0.5)
    assert Quantiles(levels).levels is levels
    given: list[Any] = [[0.25, 0.5], np.array(levels)]
    assert all(Quantiles(each) == Quantiles(levels) for each in given)
    assert hash(Quantiles([0.25, 0.5])) == hash(Quantiles(levels))
    estimator = GradientDescentRegressor(Quantiles(levels))
    assert clone(estimator).loss == estimator.loss


@pytest.mark.parametrize(
    "levels", [[0.5, 0.25], [0.5, 0.5], [0.0, 0.5], [0.5, 1.0], [], [np.nan], "a"]
)
def test_levels_that_are_refused(levels: Any) -> None:
    with pytest.raises(ValueError, match="`levels` parameter of Quantiles must be"):
        Quantiles(levels)


def test_planes_through_one_point_cross() -> None:
    X, y = diabetes()
    with pytest.raises(ValueError, match="must have an intercept"):
        GradientDescentRegressor(Quantiles(), fit_intercept=False).fit(X, y)
