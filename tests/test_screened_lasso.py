"""The lasso from the moments of few columns is the lasso."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import ElasticNet

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._rows.design import Moments
from sklearn_adreg._rows.sketch import sampled_rows
from sklearn_adreg._solve import screened_lasso as module
from sklearn_adreg._solve import task
from sklearn_adreg._solve.lasso import ElasticNetPenalty
from sklearn_adreg._solve.screened_lasso import screened_lasso

N_ROWS, N_COLUMNS = 40_000, 80


def data(*, offset: float = 0.0, level: float = 5.0) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring columns are correlated; six of them matter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, N_COLUMNS))
    X[:, 1:] += 0.5 * X[:, :-1]
    X *= np.geomspace(0.5, 2.0, N_COLUMNS)
    y = level + X[:, ::15] @ rng.uniform(1.0, 2.0, 6) + rng.standard_normal(N_ROWS)
    return X + offset, y


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the estimator got each time that it asked for a screened lasso."""
    found: list[Any] = []

    def call(*args: Any, **kwargs: Any) -> Any:
        found.append(screened_lasso(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(task, "screened_lasso", call)
    return found


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_elastic_net(
    calls: list[Any],
    offset: float,
    l1_ratio: float,
    weighted: bool,
    fit_intercept: bool,
) -> None:
    X, y = data(offset=offset) if fit_intercept else data(level=0.0)
    weights = np.random.default_rng(1).uniform(0, 2, N_ROWS) if weighted else None
    model = GradientDescentRegressor(
        alpha=0.2, l1_ratio=l1_ratio, fit_intercept=fit_intercept
    ).fit(X, y, weights)
    assert len(calls) == 1
    assert calls[0] is not None
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


def test_as_from_all_moments(calls: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data()
    targets = np.c_[y, y - 2 * X[:, 7]]
    model = GradientDescentRegressor(alpha=0.2, l1_ratio=1.0).fit(X, targets)
    assert calls[0] is not None
    coef, intercept, curve = model.coef_, model.intercept_, model.loss_curve_
    monkeypatch.setattr(module, "_FEWEST", N_COLUMNS + 1)
    model.fit(X, targets)
    assert calls[1] is None
    assert_allclose(coef, model.coef_, atol=1e-11)
    assert_array_equal(coef != 0, model.coef_ != 0)
    assert_allclose(intercept, model.intercept_, rtol=1e-10)
    assert_allclose(curve, model.loss_curve_, rtol=1e-10)


def test_takes_in_what_the_sample_has_overlooked(calls: list[Any]) -> None:
    X, y = data()
    rows = sampled_rows(X.shape, None)
    assert rows is not None
    # A column that is zero in all rows of the sample, and matters in the others.
    X[:, 40] = 2.0
    X[rows, 40] = 0.0
    y[np.setdiff1d(np.arange(N_ROWS), rows)] += 1.0
    model = GradientDescentRegressor(alpha=0.2, l1_ratio=1.0).fit(X, y)
    assert calls[0] is not None
    expected = ElasticNet(alpha=0.1, l1_ratio=1.0, tol=1e-12).fit(X, y)
    assert expected.coef_[40] > 0.1
    assert_allclose(model.coef_, expected.coef_, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 1e-6},  # all columns have coefficients
        {"alpha": 1e6},  # none has
        {"device": "cpu", "backend": "jax"},
        {"tol": 0.0, "max_iter": 3},
    ],
    ids=["weak", "strong", "device", "steps"],
)
def test_where_it_is_not_the_way(calls: list[Any], change: dict[str, Any]) -> None:
    X, y = data()
    parameters = {"alpha": 0.2, "l1_ratio": 1.0} | change
    model = GradientDescentRegressor(**parameters).fit(X, y)
    assert not any(calls)
    assert np.isfinite(model.coef_).all()
    if parameters["alpha"] > 1:
        assert_array_equal(model.coef_, 0.0)


def test_float32(calls: list[Any]) -> None:
    X, y = data()
    short = GradientDescentRegressor(alpha=0.2, l1_ratio=1.0)
    short.fit(X.astype(np.float32), y.astype(np.float32))
    assert calls[0] is not None
    assert short.coef_.dtype == np.float32
    exact = GradientDescentRegressor(alpha=0.2, l1_ratio=1.0).fit(X, y)
    assert_allclose(short.coef_, exact.coef_, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_bad_values_outside_the_sample(bad: float) -> None:
    X, y = data()
    rows = sampled_rows(X.shape, None)
    assert rows is not None
    X[np.setdiff1d(np.arange(N_ROWS), rows)[3], 50] = bad
    message = r"Input X contains (NaN|infinity)|squares of X must be representable"
    with pytest.raises(ValueError, match=message):
        GradientDescentRegressor(alpha=0.2, l1_ratio=1.0).fit(X, y)


def test_penalty_is_the_objective_of_the_estimator() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 3)), rng.standard_normal((50, 1))
    X, y = X - X.mean(axis=0), y - y.mean()
    moments: Any = (X.T @ X / 50, X.T @ y / 50, (y**2).mean(axis=0))
    coef = rng.standard_normal((3, 1))
    curve = ElasticNetPenalty(0.3, 0.2).curve(Moments(*moments), coef)
    penalty = 0.3 * np.abs(coef).sum() + 0.1 * (coef**2).sum()
    assert_allclose(curve, [(y**2).mean(), ((y - X @ coef) ** 2).mean() + penalty])
