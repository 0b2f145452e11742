"""The lasso and the elastic net on many rows, whatever a sample of them tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import ElasticNet

from sklearn_adreg import GradientDescentRegressor

N_ROWS, N_COLUMNS = 40_000, 100


def data(*, offset: float = 0.0, level: float = 5.0) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring columns are correlated; six of them matter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, N_COLUMNS))
    X[:, 1:] += 0.5 * X[:, :-1]
    X *= np.geomspace(0.5, 2.0, N_COLUMNS)
    y = level + X[:, ::17] @ rng.uniform(1.0, 2.0, 6) + rng.standard_normal(N_ROWS)
    return X + offset, y


def check_optimal(
    model: Any, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None
) -> None:
    """The least subgradient by each coefficient is zero, but for rounding."""
    shares = np.full(len(y), 1 / len(y)) if weights is None else weights / weights.sum()
    residual = model.predict(X) - y
    centre = shares @ X if model.fit_intercept else 0.0
    slope = 2 * (X - centre).T @ (shares * residual)
    slope += model.alpha * (1 - model.l1_ratio) * model.coef_
    threshold = model.alpha * model.l1_ratio
    zero = model.coef_ == 0
    assert (np.abs(slope[zero]) <= threshold * (1 + 1e-8)).all()
    bound = -threshold * np.sign(model.coef_[~zero])
    assert_allclose(slope[~zero], bound, rtol=1e-8, atol=1e-8)
    if model.fit_intercept:
        assert abs(shares @ residual) <= 1e-8 * np.abs(y).max()


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_elastic_net(
    offset: float, l1_ratio: float, weighted: bool, fit_intercept: bool
) -> None:
    X, y = data(offset=offset) if fit_intercept else data(level=0.0)
    weights = np.random.default_rng(1).uniform(0, 2, N_ROWS) if weighted else None
    model = GradientDescentRegressor(
        alpha=0.2, l1_ratio=l1_ratio, fit_intercept=fit_intercept
    ).fit(X, y, weights)
    check_optimal(model, X, y, weights)
    expected = ElasticNet(
        alpha=0.1, l1_ratio=l1_ratio, fit_intercept=fit_intercept, tol=1e-12
    ).fit(X, y, weights)
    # ElasticNet stops by its duality gap, whose square root is left of coefficients.
    assert_allclose(model.coef_, expected.coef_, atol=1e-6)
    assert_array_equal(model.coef_ != 0, expected.coef_ != 0)
    assert_allclose(model.intercept_, expected.intercept_, atol=2e-5 * (1 + offset))
    shares = np.full(N_ROWS, 1 / N_ROWS) if weights is None else weights / weights.sum()
    value = shares @ (y - model.predict(X)) ** 2 + 0.2 * (
        l1_ratio * np.abs(model.coef_).sum()
        + (1 - l1_ratio) / 2 * (model.coef_**2).sum()
    )
    assert model.loss_curve_[-1] == pytest.approx(value, rel=1e-10)


def test_several_targets_as_one_by_one() -> None:
    X, y = data()
    targets = np.c_[y, y - 2 * X[:, 7]]
    model = GradientDescentRegressor(alpha=0.2, l1_ratio=1.0).fit(X, targets)
    coef, intercept = model.coef_, model.intercept_
    for column, target in enumerate(targets.T):
        model.fit(X, target)
        assert_allclose(coef[column], model.coef_, atol=1e-11)
        assert_array_equal(coef[column] != 0, model.coef_ != 0)
        assert_allclose(intercept[column], model.intercept_, rtol=1e-10)


def test_columns_that_few_rows_show() -> None:
    # Most samples of the rows overlook some of these columns.
    X, y = data()
    rng = np.random.default_rng(2)
    for column in range(1, N_COLUMNS, 8):
        rows = rng.choice(N_ROWS, 3, replace=False)
        X[:, column] = 0.0
        X[rows, column] = 200.0
        y[rows] += 100.0
    model = GradientDescentRegressor(alpha=0.2, l1_ratio=1.0).fit(X, y)
    check_optimal(model, X, y)
    assert (model.coef_[1::8] > 0.1).all()


@pytest.mark.parametrize(
    "change",
    [{"alpha": 1e-6}, {"alpha": 1e6}, {"tol": 0.0, "max_iter": 30}],
    ids=["weak", "strong", "steps"],
)
def test_any_strength_and_any_end(change: dict[str, Any]) -> None:
    X, y = data()
    parameters = {"alpha": 0.2, "l1_ratio": 1.0} | change
    model = GradientDescentRegressor(**parameters).fit(X, y)
    check_optimal(model, X, y)
    n_zero = np.count_nonzero(model.coef_ == 0)
    assert {1e-6: n_zero == 0, 1e6: n_zero == N_COLUMNS}.get(model.alpha, n_zero > 0)


def test_from_a_given_start() -> None:
    X, y = data()
    model = GradientDescentRegressor(alpha=0.2, l1_ratio=1.0, warm_start=True)
    model.fit(X, y)
    coef = model.coef_
    model.coef_ = np.random.default_rng(3).standard_normal(N_COLUMNS)
    model.fit(X, y)
    assert_allclose(model.coef_, coef, atol=1e-8)
    assert_array_equal(model.coef_ != 0, coef != 0)


def test_float32() -> None:
    X, y = data()
    short = GradientDescentRegressor(alpha=0.2, l1_ratio=1.0)
    short.fit(X.astype(np.float32), y.astype(np.float32))
    assert short.coef_.dtype == np.float32
    exact = GradientDescentRegressor(alpha=0.2, l1_ratio=1.0).fit(X, y)
    assert_allclose(short.coef_, exact.coef_, atol=1e-5)


@pytest.mark.parametrize("row", [1, 20_001, 39_998])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_bad_values_in_any_row(bad: float, row: int) -> None:
    X, y = data()
    X[row, 50] = bad
    message = r"Input X contains (NaN|infinity)|squares of X must be representable"
    with pytest.raises(ValueError, match=message):
        GradientDescentRegressor(alpha=0.2, l1_ratio=1.0).fit(X, y)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
@pytest.mark.parametrize("part", [0.3, 0.01])
def test_more_columns_than_rows(part: float, correlation: float) -> None:
    rng = np.random.default_rng(4)
    X = rng.standard_normal((60, 700))
    for column in range(1, 700):
        X[:, column] += correlation * X[:, column - 1]
    y = 3.0 + X[:, ::100] @ rng.uniform(1.0, 2.0, 7) + rng.standard_normal(60)
    largest = 2 * np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 60
    model = GradientDescentRegressor(alpha=part * largest, l1_ratio=1.0).fit(X, y)
    check_optimal(model, X, y)
    assert 0 < np.count_nonzero(model.coef_) <= 60
