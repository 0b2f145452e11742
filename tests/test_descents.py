"""Other starts, and other coordinates, lead a descent on any loss to the same end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from covering import in_turns
from kinds_of_rows import host_rows
from mean_losses import Setting
from numpy.testing import assert_allclose

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._descent.coordinates import Coordinates, scaled, whitened
from sklearn_adreg._descent.loop import Goal, at, begin, minimise
from sklearn_adreg._descent.quasi_newton import QuasiNewton
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._rows.host import HostRows
from sklearn_adreg.losses import (
    Huber,
    Linex,
    LogCosh,
    Pinball,
    PoissonDeviance,
    SquaredError,
)

LOSS = pytest.mark.parametrize(
    "loss", [Huber(0.5, scale=1.0), Pinball(0.3), PoissonDeviance()], ids=repr
)


def data(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) * np.geomspace(0.1, 10.0, d) + 3.0
    return X, rng.poisson(np.exp(0.3 * X[:, 0])).astype(float) + 1.0


@pytest.mark.parametrize(
    "loss", [SquaredError(), Huber(0.5), PoissonDeviance()], ids=repr
)
@pytest.mark.parametrize("shape", [(200, 8), (20, 50)], ids=["tall", "wide"])
def test_scaled_columns_are_coordinates_too(loss: Any, shape: tuple[int, int]) -> None:
    # Where there are so many columns that whitening costs too much.
    X, y = data(*shape)
    weight = np.full(len(y), 1.0 / len(y))
    objective = Setting(LinearLoss.of(loss), X, y, weight).on(host_rows)
    rows, shares = objective.data.rows, objective.data.weight
    penalty = Penalty.elastic_net(0.1, 0.0, shape[1], intercept=True)
    start = np.zeros(shape[1] + 1)
    point = objective.point(objective.linear_predictor(start))
    scale = float(y.std())
    goal = Goal(1e-8, 5_000, scale, 1e-4, scale, 2.0**-52, lambda _values: None)
    ends = []
    for coordinates in (
        whitened(rows, shares, rows.gram(shares), penalty.l2),
        scaled(rows.diagonal(shares), penalty.l2),
    ):
        state = begin(penalty, start, point)
        method = QuasiNewton(coordinates, coordinates.dense)
        ends.append(minimise(method, objective, penalty, goal, state))
    assert_allclose(ends[0].curve[-1], ends[1].curve[-1], rtol=1e-9)
    assert_allclose(ends[0].theta, ends[1].theta, rtol=0, atol=1e-5)


# Each loss, in each place, of both shapes; an intercept is another column of the rows.
@LOSS
@pytest.mark.parametrize(
    ("shape", "fit_intercept"),
    in_turns([(200, 8), (20, 50)], [True, False]),
    ids=["tall", "wide"],
)
def test_warm_start_goes_on(
    loss: Any, shape: tuple[int, int], fit_intercept: bool, place: Any
) -> None:
    X, y = data(*shape)
    model = GradientDescentRegressor(
        loss, alpha=0.1, warm_start=True, fit_intercept=fit_intercept, **place
    )
    first = model.fit(X, y).loss_curve_
    assert np.isfinite(first).all()
    again = model.fit(X, y).loss_curve_
    # It begins where the first one ended, but for the rounding of coefficients.
    assert_allclose(again[0], first[-1], rtol=1e-9)
    assert again[-1] <= first[-1] * (1 + 1e-9)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_warm_start_of_the_textbook(fit_intercept: bool, place: Any) -> None:
    X, y = data(200, 3)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    parameters = {"epsilon": 0.1, "tol": 0.0, "fit_intercept": fit_intercept, **place}
    whole = GradientDescentRegressor(LogCosh(), max_iter=10, **parameters).fit(X, y)
    model = GradientDescentRegressor(
        LogCosh(), max_iter=5, warm_start=True, **parameters
    )
    model.fit(X, y)
    assert_allclose(model.fit(X, y).coef_, whole.coef_, rtol=1e-10)
    assert_allclose(model.loss_curve_, whole.loss_curve_[5:], rtol=1e-10)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_textbook_names_the_row_that_is_not_finite(fit_intercept: bool) -> None:
    X, y = data(50, 3)
    y[33] = -7.0

    def loss(y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred) ** 2 + adnp.log(y_true + 6.0)

    model = GradientDescentRegressor(loss, epsilon=0.01, fit_intercept=fit_intercept)
    with pytest.raises(ValueError, match=r"row 33, with y_true=-7"):
        model.fit(X, y)


def test_hessian_beyond_the_float_type() -> None:
    X, y = np.array([[1.0], [1e5]]), np.array([0.0, -690.0])
    setting = Setting(LinearLoss.of(Linex()), X, y, np.full(2, 0.5))
    objective = setting.on(host_rows)
    penalty, theta = Penalty.elastic_net(0.0, 0.0, 1, intercept=True), np.zeros(2)
    objective = replace(
        objective,
        data=objective.data._replace(rows=HostRows(X, None, np.zeros(1), True)),
    )
    point = objective.point(objective.linear_predictor(theta))
    state = at(objective, penalty, begin(penalty, theta, point), point)
    goal = Goal(1e-8, 50, 1.0, 1.0, 1.0, 2.0**-52, lambda _values: None)
    method = QuasiNewton(Coordinates(np.eye(2)), of_all=False)
    with np.errstate(all="ignore"):  # as fits are
        step, _ = method.step(objective, penalty, goal, state, None)
    assert np.isfinite(step.direction).all()
    assert step.slope < 0
