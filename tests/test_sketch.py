"""With many rows a descent begins on a sample of them, and ends where it always did."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._rows import sketch
from sklearn_adreg._rows.sketch import sampled_rows
from sklearn_adreg.losses import GammaDeviance, Huber, Pinball, PoissonDeviance

# Rows enough for a sample of them, without any threshold lowered.
MANY = 60_000


def counts(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, rng.poisson(np.exp(0.3 * X[:, 0] + 0.5)).astype(float)


def without_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch, "_WORTHWHILE", np.inf)


def test_rows_are_spread_and_distinct() -> None:
    rows = sampled_rows((MANY, 5), None)
    assert rows is not None
    assert len(rows) >= 8192
    assert (np.diff(rows) > 0).all()
    # One of each stretch of equal length.
    edges = np.arange(len(rows) + 1) * MANY // len(rows)
    assert ((edges[:-1] <= rows) & (rows < edges[1:])).all()
    assert_array_equal(rows, sampled_rows((MANY, 5), None))


def test_rows_without_weight_are_not_drawn() -> None:
    weights = np.ones(2 * MANY)
    weights[::2] = 0.0
    rows = sampled_rows((2 * MANY, 5), weights)
    assert rows is not None
    assert (rows % 2 == 1).all()


@pytest.mark.parametrize("shape", [(20_000, 5), (MANY, 2_000)])
def test_most_of_the_rows_are_no_sample(shape: tuple[int, int]) -> None:
    assert sampled_rows(shape, None) is None


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [PoissonDeviance(), Pinball(0.8)], ids=repr)
def test_same_fit_without_a_sample(
    monkeypatch: pytest.MonkeyPatch, loss: Any, weighted: bool, fit_intercept: bool
) -> None:
    X, y = counts(MANY, 6)
    y = y + np.random.default_rng(1).random(MANY)
    weights = np.random.default_rng(2).integers(0, 3, MANY) if weighted else None
    model = GradientDescentRegressor(loss, fit_intercept=fit_intercept)
    found = model.fit(X, y, weights).loss_curve_
    coef = model.coef_
    without_samples(monkeypatch)
    expected = model.fit(X, y, weights).loss_curve_
    # Both are within 1e-6 of the optimum; and the sample has spared steps.
    assert_allclose(found[-1], expected[-1], rtol=1e-6)
    assert_allclose(coef, model.coef_, atol=1e-2 if loss == Pinball(0.8) else 1e-5)
    if fit_intercept:
        assert found[0] < expected[0]


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("loss", [PoissonDeviance(), Huber(0.5)], ids=repr)
def test_same_lasso_without_a_sample(
    monkeypatch: pytest.MonkeyPatch, loss: Any, l1_ratio: float
) -> None:
    X, y = counts(MANY, 30)
    model = GradientDescentRegressor(loss, alpha=0.01, l1_ratio=l1_ratio, tol=1e-9)
    found = model.fit(X, y)
    coef, curve = found.coef_, found.loss_curve_
    without_samples(monkeypatch)
    model.fit(X, y)
    # Linear predictors are within 1e-9; zeros are exact.
    assert_allclose(coef, model.coef_, atol=1e-8)
    assert_array_equal(coef != 0, model.coef_ != 0)
    assert 0 < np.count_nonzero(coef) < 30
    assert_allclose(curve[-1], model.loss_curve_[-1], rtol=1e-12)


def test_several_targets_and_float32() -> None:
    X, y = counts(MANY, 6)
    Y = np.stack([y, counts(MANY, 6, seed=3)[1]], axis=1)
    both = GradientDescentRegressor(PoissonDeviance()).fit(X, Y)
    for column in range(2):
        alone = GradientDescentRegressor(PoissonDeviance()).fit(X, Y[:, column])
        assert_array_equal(both.coef_[column], alone.coef_)
    short = GradientDescentRegressor(PoissonDeviance()).fit(X.astype(np.float32), Y)
    assert short.coef_.dtype == np.float32
    assert_allclose(short.coef_, both.coef_, atol=1e-5)


def test_columns_that_a_sample_need_not_see() -> None:
    # An indicator of three rows, and one that depends on the others.
    X, y = counts(MANY, 4)
    rare = np.zeros(MANY)
    rare[[10, 20_000, 59_999]] = 1.0
    X = np.c_[X, rare, X[:, 0] + X[:, 1]]
    model = GradientDescentRegressor(PoissonDeviance(), tol=1e-9).fit(X, y)
    # Of minimum norm: no share of what changes no prediction.
    null = np.array([1.0, 1.0, 0.0, 0.0, 0.0, -1.0])
    assert abs(model.coef_ @ null) <= 1e-7
    # At the optimum the residuals of the three rows sum to zero.
    left = (y - model.predict(X)) @ rare
    assert abs(left) <= 1e-5


def test_rows_far_from_the_others_that_a_sample_lacks() -> None:
    X, y = counts(MANY, 3)
    rows = sampled_rows(X.shape, None)
    assert rows is not None
    outside = np.setdiff1d(np.arange(MANY), rows)[:5]
    X[outside, 0] = -2_000.0  # exp(0.3 * 2000) is out of range
    X[outside[0], 0] = 2_000.0
    y[outside] = 1.0
    model = GradientDescentRegressor(PoissonDeviance(), max_iter=5_000).fit(X, y)
    slopes = model.predict(X) - y
    assert_allclose(X.T @ slopes / MANY, 0.0, atol=1e-4)
    assert_allclose(slopes.mean(), 0.0, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_not_finite_outside_the_sample(bad: float, l1_ratio: float) -> None:
    X, y = counts(MANY, 6)
    rows = sampled_rows(X.shape, None)
    assert rows is not None
    X[np.setdiff1d(np.arange(MANY), rows)[7], 3] = bad
    # So strong a penalty leaves some coefficients at zero, or all.
    for alpha in (0.0, 0.1, 1e3):
        model = GradientDescentRegressor("pinball", alpha=alpha, l1_ratio=l1_ratio)
        with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
            model.fit(X, y)


def test_errors_name_the_row() -> None:
    X, y = counts(MANY, 6)
    rows = sampled_rows(X.shape, None)
    assert rows is not None
    y[rows[100]] = -1e4

    def own(y_true: Any, y_pred: Any) -> Any:
        return adnp.log(1 + adnp.exp(y_true - y_pred)) + adnp.log(y_true + 1e3)

    own.inverse_link = adnp.exp  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=f"in row {rows[100]}, with y_true=-10000"):
        GradientDescentRegressor(own).fit(X, y)


def test_squares_that_overflow_outside_the_sample() -> None:
    X, y = counts(MANY, 6)
    rows = sampled_rows(X.shape, None)
    assert rows is not None
    X[np.setdiff1d(np.arange(MANY), rows)[7], 3] = 1e300
    with pytest.raises(ValueError, match=r"squares of X must be representable|finite"):
        GradientDescentRegressor(GammaDeviance()).fit(X, y + 1.0)


def test_warm_start_goes_on_from_the_fit_before() -> None:
    X, y = counts(MANY, 6)
    model = GradientDescentRegressor(PoissonDeviance(), warm_start=True).fit(X, y)
    assert model.fit(X, y).n_iter_ == 1
