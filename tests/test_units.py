"""X and y in units in which squares, or steps, are hardly floats.

What is representable is fitted as it is in other units, or refused with a reason.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.losses import (
    GammaDeviance,
    Pinball,
    PoissonDeviance,
    StudentTLogLikelihood,
)


def refusal(message: str) -> Any:
    return pytest.raises(ValueError, match=message)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("unit", [1e-310, 1e-200, 1.0, 1e200])
@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "expectile", GammaDeviance()]
)
def test_a_constant_target_in_any_unit(
    loss: Any, unit: float, fit_intercept: bool
) -> None:
    X = np.random.default_rng(0).standard_normal((20, 2))
    X[:, 0] = 1.0  # which takes the place of the intercept
    model = GradientDescentRegressor(loss, fit_intercept=fit_intercept)
    centred = loss == "squared_error" and (fit_intercept or unit < 1)
    refused = unit in (1e-310, 1e200) and not centred
    with refusal(r"squares of y .* Multiply y by") if refused else nullcontext():
        predicted = model.fit(X, np.full(20, unit)).predict(X)
        assert_allclose(predicted / unit, 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    "units", [(1e100, 1e88), (1e-116, 1e88), (1e-116, 1e-88), (1e80, 1e-120)]
)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"alpha": 0.1},
        {"alpha": 0.1, "l1_ratio": 1.0},
        {"epsilon": 0.1},
        {"epsilon": 0.1, "alpha": 0.1, "l1_ratio": 1.0},
        {"epsilon": 0.1, "loss": "expectile", "fit_intercept": False},
        {"fit_intercept": False, "backend": "jax"},
    ],
)
def test_units_of_columns_in_which_coefficients_have_no_square(
    parameters: dict[str, Any], units: tuple[float, float]
) -> None:
    rng = np.random.default_rng(0)
    X, (by_x, by_y) = rng.standard_normal((60, 3)), units
    y = X[:, 0] + rng.standard_normal(60)
    known = GradientDescentRegressor(**parameters).fit(X, y)
    model = GradientDescentRegressor(**parameters)
    if "alpha" in parameters:
        ratio = by_y / by_x if "l1_ratio" in parameters else 1.0
        model.set_params(alpha=0.1 * by_x**2 * ratio)
    if "epsilon" in parameters:
        model.set_params(epsilon=0.1 / by_x**2)
    model.fit(X * by_x, y * by_y)
    least = known.loss_curve_[-1]
    assert_allclose(model.coef_ * (by_x / by_y), known.coef_, rtol=1e-4)
    assert_allclose(model.loss_curve_[-1] / by_y**2, least, rtol=1e-6)


@pytest.mark.parametrize("units", [(1e-116, 1e-88), (1e80, 1e-120)])
@pytest.mark.parametrize("alphas", [None, [[0.1, 0.2, 0.3]]])
def test_a_search_in_units_in_which_steps_have_no_square(
    units: tuple[float, float], alphas: Any
) -> None:
    rng = np.random.default_rng(0)
    X, (by_x, by_y) = rng.standard_normal((60, 3)), units
    y = X[:, 0] + rng.standard_normal(60)

    def search(unit: float) -> GradientDescentRegressorCV:
        epsilons = np.array([0.1, 0.03]) / unit**2
        strengths = None if alphas is None else np.multiply(alphas, unit**2)
        return GradientDescentRegressorCV(epsilons, alphas=strengths)

    known, found = search(1.0).fit(X, y), search(by_x).fit(X * by_x, y * by_y)
    assert found.n_iter_ == known.n_iter_ > 10
    assert_allclose(found.coef_ * (by_x / by_y), known.coef_, rtol=1e-9)
    scores = known.cv_results_["mean_test_score"]
    assert_allclose(found.cv_results_["mean_test_score"], scores, rtol=1e-9)


def test_products_of_x_and_y_that_overflow() -> None:
    X = np.repeat([[-1.2e154], [1.2e154]], 20, axis=0)
    model = GradientDescentRegressor(epsilon=1e-309, early_stopping=True)
    with refusal(r"products of X and y .* overflow .*1\.2e\+154 in X .* X by"):
        model.fit(X, 0.5 * X[:, 0])


@pytest.mark.parametrize(
    ("units", "epsilon", "message"),
    [
        ((1e-17, 1.0), "auto", r"squares of X .* mean of 5.92e-30 .* 60 rows .* X by"),
        ((1.0, 1e-17), 0.1, r"squares of y .* mean of 5.92e-30 .* 60 rows .* y by"),
        ((1e18, 1.0), 1e-39, r"'epsilon' .* float32, .* Got 1e-39 .* X by"),
    ],
)
def test_numbers_that_a_device_may_take_for_zero(
    units: tuple[float, float], epsilon: Any, message: str
) -> None:
    rng = np.random.default_rng(0)
    by_x, by_y = units
    X, y = rng.standard_normal((60, 3)) * by_x, rng.standard_normal(60) * by_y
    model = GradientDescentRegressor(
        "expectile", epsilon=epsilon, backend="jax", device="cpu"
    )
    with refusal(message):
        model.fit(X.astype(np.float32), y.astype(np.float32))


@pytest.mark.parametrize("unit", [1e-310, 1e-200, 1e200])
@pytest.mark.parametrize(
    "loss", ["squared_error", "huber", "absolute_error", "cauchy", GammaDeviance()]
)
def test_units_of_y_whose_squares_are_lost(loss, unit):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 2)), rng.uniform(1, 2, 20)
    y[-1] = 2.0
    problem = "overflow" if unit > 1 else "underflow"
    largest = "" if loss == "squared_error" else f"{2 * unit:.3g}"
    message = f"squares of y .* {problem} .* up to {largest}.* Multiply y by"
    with pytest.raises(ValueError, match=message.replace("+", "[+]")):
        GradientDescentRegressor(loss).fit(X, unit * y)


@pytest.mark.parametrize(
    ("loss", "constant", "parameters"),
    [
        ("huber", False, {}),
        ("expectile", False, {"early_stopping": True, "max_iter": 5}),
        ("squared_error", False, {"alphas": [[0.1, 0.2]]}),
        ("huber", True, {"fit_intercept": False}),
        ("squared_error", True, {"fit_intercept": False}),
    ],
)
@pytest.mark.parametrize("unit", [1e-310, 1e200])
def test_a_search_refuses_squares_of_y_before_it_tries_the_loss(
    loss: str, constant: bool, parameters: dict[str, Any], unit: float
) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 2)), rng.uniform(1, 2, 30)
    search = GradientDescentRegressorCV([0.1, 0.01], loss=loss, **parameters)
    with refusal("squares of y must be representable .* Multiply y by"):
        search.fit(X, np.full(30, unit) if constant else unit * y)


@pytest.mark.parametrize("parameters", [{"tol": 0.0}, {"early_stopping": True}])
@pytest.mark.parametrize("loss", [Pinball(0.9), "absolute_error", PoissonDeviance()])
def test_steps_of_a_given_length_stay_at_a_constant_that_is_met(
    loss: Any, parameters: dict[str, Any]
) -> None:
    X, value = np.random.default_rng(0).standard_normal((60, 2)), 2.0
    model = GradientDescentRegressor(loss, epsilon=0.1, max_iter=20, **parameters)
    model.fit(X, np.full(60, value))
    assert_array_equal(model.coef_, 0.0)
    assert_allclose(model.predict(X), value, rtol=1e-15)
    assert_array_equal(model.loss_curve_, model.loss_curve_[0])


@pytest.mark.parametrize(
    ("unit", "dtype"), [(1e-106, np.float64), (1e-12, np.float32), (1e100, np.float64)]
)
def test_logarithms_of_a_scale_of_any_size(unit: float, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2))
    y = X[:, 0] + rng.standard_t(3, 200)
    loss = StudentTLogLikelihood(3.0)
    known = GradientDescentRegressor(loss, tol=1e-8).fit(X, y)
    model = GradientDescentRegressor(loss, tol=1e-5)
    model.fit(X.astype(dtype), (unit * y).astype(dtype))
    coef = model.coef_.astype(float)
    assert_allclose(coef / [[unit], [1.0]], known.coef_, rtol=0, atol=1e-3)
    level = model.intercept_ / [unit, 1.0] - [0.0, np.log(unit)]
    assert_allclose(level, known.intercept_, rtol=0, atol=1e-3)


@pytest.mark.parametrize("loss", ["squared_error", "expectile", "log_cosh"])
@pytest.mark.parametrize("decades", [[10, 0, -10], [-24, 8, 30], [93, 0, 74]])
def test_equal_columns_many_decades_apart(loss: str, decades: list[int]) -> None:
    rng = np.random.default_rng(0)
    alone = np.round(rng.standard_normal((200, 2)), 3)
    y = alone.sum(axis=1) + rng.standard_normal(200)
    X = alone[:, [0, 1, 0]] * 10.0 ** np.array(decades)
    known = GradientDescentRegressor(loss, tol=1e-8).fit(alone, y)
    model = GradientDescentRegressor(loss, tol=1e-8).fit(X, y)
    assert_allclose(model.predict(X), known.predict(alone), rtol=0, atol=1e-6)
    if loss == "squared_error":
        centred = np.column_stack([alone, np.ones(200)])
        expected = centred @ np.linalg.lstsq(centred, y)[0]
        assert_allclose(model.predict(X), expected, rtol=0, atol=1e-9)
