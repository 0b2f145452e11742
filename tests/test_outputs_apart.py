"""Kinked losses of several outputs that are sums over them, or that only look so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, QuantileRegressor

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor

LEVELS = (0.2, 0.5, 0.9)


def check(y: Any, z: Any, level: float) -> Any:
    return adnp.maximum(level * (y - z), (level - 1) * (y - z))


def quantiles(y_true: Any, y_pred: Any, *, cost: Any = 1.0) -> Any:
    """Costs of three quantiles, one an output."""
    return cost * sum(check(y_true, y_pred[:, j], q) for j, q in enumerate(LEVELS))


def data(n_rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 3))
    return X, 5 + X @ [1.0, -2.0, 0.0] + rng.standard_t(3, n_rows)


@pytest.mark.parametrize("backend", ["autograd", "jax"])
def test_each_output_is_fitted_as_if_alone(backend: Any) -> None:
    X, y = data()
    rng = np.random.default_rng(1)
    weight, cost = rng.integers(0, 3, len(y)), rng.uniform(1, 2, len(y))
    offset = rng.standard_normal((len(y), 3))
    model = GradientDescentRegressor(quantiles, n_outputs=3, tol=1e-9, backend=backend)
    model.fit(X, y, sample_weight=weight, offset=offset, row_data={"cost": cost})
    shares = weight / weight.sum() * cost
    for j, level in enumerate(LEVELS):
        exact = QuantileRegressor(quantile=level, alpha=0).fit(
            X, y - offset[:, j], sample_weight=weight * cost
        )
        planes = (X @ model.coef_[j] + model.intercept_[j], exact.predict(X))
        found, least = (shares @ check(y - offset[:, j], z, level) for z in planes)
        assert found == pytest.approx(least, rel=1e-8)
    assert model.n_iter_ < 50  # together they take 65


def test_an_output_may_be_smooth() -> None:
    X, y = data()

    def loss(y_true: Any, y_pred: Any) -> Any:
        return abs(y_true - y_pred[:, 0]) + (y_true - y_pred[:, 1]) ** 2

    model = GradientDescentRegressor(loss, n_outputs=2, tol=1e-10).fit(X, y)
    assert_allclose(model.coef_[1], LinearRegression().fit(X, y).coef_, atol=1e-5)
    median = QuantileRegressor(alpha=0).fit(X, y)
    found, least = (
        np.abs(y - z).mean() for z in (model.predict(X)[:, 0], median.predict(X))
    )
    assert found == pytest.approx(least, rel=1e-8)


def test_a_sum_only_where_it_was_looked_at() -> None:
    X, y = data()

    def far_apart(y_true: Any, y_pred: Any) -> Any:
        """Medians, and a coupling that is zero near the targets, where it is seen."""
        first, second = y_pred[:, 0], y_pred[:, 1]
        medians = abs(y_true + 1000 - first) + abs(y_true - second)
        return medians + 0.5 * adnp.maximum(first - second - 500, 0)

    model = GradientDescentRegressor(far_apart, n_outputs=2, tol=1e-9).fit(X, y)
    # At the end its slopes are 0.5, with which medians are other quantiles.
    for level, z in zip((0.25, 0.75), model.predict(X).T - [[1000], [0]], strict=True):
        exact = QuantileRegressor(quantile=level, alpha=0).fit(X, y).predict(X)
        found, least = (check(y, each, level).mean() for each in (z, exact))
        assert found == pytest.approx(least, rel=1e-7)


def least_of_parts(X: np.ndarray, parts: Any) -> float:
    """Least mean sum of left * max(-e, 0) + right * max(e, 0), e = z . of - level."""
    n_rows, eye = len(X), np.eye(len(X))
    columns = np.column_stack([X, np.ones(n_rows)])
    known = np.vstack([np.kron(of, columns) for of, *_ in parts])
    above = np.kron(np.eye(len(parts)), np.hstack([-eye, eye]))
    cost = [np.repeat([right, left], n_rows) for *_, left, right in parts]
    found = linprog(
        np.concatenate([np.zeros(known.shape[1]), *cost]) / n_rows,
        A_eq=np.hstack([known, above]),
        b_eq=np.concatenate([np.broadcast_to(level, n_rows) for _, level, *_ in parts]),
        bounds=[(None, None)] * known.shape[1] + [(0, None)] * above.shape[1],
    )
    return float(found.fun)


@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_differences_that_are_coupled(unit: float) -> None:
    """One predictor is a level of the targets, and one far from any."""
    X, y = data(40)
    y = unit * y

    def loss(y_true: Any, y_pred: Any) -> Any:
        first, second = y_pred[:, 0], y_pred[:, 1]
        medians = abs(y_true + 1000 - first) + 0.3 * abs(y_true - second)
        return medians + 0.5 * adnp.maximum(first - second - 500, 0)

    model = GradientDescentRegressor(loss, n_outputs=2, tol=1e-8).fit(X, y)
    least = least_of_parts(
        X,
        [
            ([1, 0], y + 1000, 1, 1),
            ([0, 1], y, 0.3, 0.3),
            ([1, -1], 500, 0, 0.5),
        ],
    )
    found = np.mean(loss(y, model.predict(X)))
    assert found == pytest.approx(least, rel=1e-7)


def test_hinges_hold_levels_in_order_that_start_far_below() -> None:
    """No row has a kink within a unit of where the lowest levels start."""
    X, y = data(40)
    y, levels = 30 + y, (0.1, 0.3, 0.9)

    def loss(y_true: Any, y_pred: Any) -> Any:
        crossing = adnp.maximum(y_pred[:, :-1] - y_pred[:, 1:], 0)
        quantiles = (check(y_true, y_pred[:, j], q) for j, q in enumerate(levels))
        return sum(quantiles) + 20 * adnp.sum(crossing, axis=1)

    model = GradientDescentRegressor(loss, n_outputs=3).fit(X, y)
    axes = np.eye(3)
    parts = [(axes[j], y, q, 1 - q) for j, q in enumerate(levels)]
    hinges = [(axes[j] - axes[j + 1], 0, 0, 20) for j in range(2)]
    found = np.mean(loss(y, model.predict(X)))
    assert found == pytest.approx(least_of_parts(X, [*parts, *hinges]), rel=1e-6)


def test_outputs_that_are_coupled_and_not_found() -> None:
    X, y = data(40)

    def ordered(y_true: Any, y_pred: Any) -> Any:
        crossing = adnp.maximum(y_pred[:, :-1] - y_pred[:, 1:], 0)
        return quantiles(y_true, y_pred) + adnp.sum(crossing, axis=1)

    model = GradientDescentRegressor(ordered, n_outputs=3, max_iter=3)
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        model.fit(X, y)
    assert np.isfinite(model.coef_).all()
