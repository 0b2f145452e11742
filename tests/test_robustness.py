"""Data at the edges: short floats, few rows, ties, offsets, and units of any size."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import mean_pinball_loss
from targets import AMOUNTS

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import (
    EpsilonInsensitive,
    Expectile,
    Linex,
    LogCosh,
    Pinball,
)

# What the estimator promises of the objective, relative to the optimum.
PROMISED = 1e-6

KINKED = [name for name, loss in AMOUNTS.items() if loss.kinked]
SMOOTH = [name for name, loss in AMOUNTS.items() if not loss.kinked and loss.convex]
LOSS = pytest.mark.parametrize("name", AMOUNTS)


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Targets near 5, and positive, for every loss."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 4))
    y = 5.0 + X @ [1.0, -0.5, 0.25, 0.0] + 0.5 * rng.standard_t(3, 150)
    return X, np.maximum(y, 0.1)


@cache
def fitted(name: str) -> GradientDescentRegressor:
    """What the fits to data at the edges are compared with."""
    return GradientDescentRegressor(name).fit(*drawn())


def objective(model: Any, X: np.ndarray, y: np.ndarray, weights: Any = None) -> float:
    """Mean loss in float64, whatever the model computed in."""
    given = AMOUNTS[model.loss] if isinstance(model.loss, str) else model.loss
    loss = getattr(model, "loss_", given)  # at the scale that was found
    inverse_link = getattr(loss, "inverse_link", lambda linear: linear)
    linear = X.astype(float) @ model.coef_.astype(float) + float(model.intercept_)
    losses = loss(y.astype(float), inverse_link(linear))
    return float(np.average(losses, weights=weights))


@LOSS
def test_float32(name: str) -> None:
    X, y = drawn()
    long = fitted(name)
    X, y = X.astype(np.float32), y.astype(np.float32)
    short = GradientDescentRegressor(name, tol=1e-5).fit(X, y)
    assert short.coef_.dtype == short.predict(X).dtype == np.float32
    assert short.loss_curve_.dtype == np.float32
    # tol, and rounding of the linear predictor: eps * |y| for each unit of a slope.
    assert objective(short, X, y) == pytest.approx(objective(long, X, y), rel=2e-5)
    # A few more than in float64, in which it takes up to 50.
    assert short.n_iter_ <= 2 * long.n_iter_ + 10


@pytest.mark.parametrize("name", ["huber", "pinball", "poisson_deviance"])
def test_float32_everywhere(name: str, place: dict[str, Any]) -> None:
    X, y = drawn()
    long = fitted(name)
    X, y = X.astype(np.float32), y.astype(np.float32)
    short = GradientDescentRegressor(name, tol=1e-5, **place).fit(X, y)
    assert short.coef_.dtype == np.float32
    # As above.
    assert objective(short, X, y) == pytest.approx(objective(long, X, y), rel=2e-5)


@pytest.mark.parametrize("name", SMOOTH)
def test_tight_tolerance(name: str) -> None:
    X, y = drawn()
    model = GradientDescentRegressor(name, tol=1e-10).fit(X, y)
    exact = GradientDescentRegressor(name, tol=1e-12).fit(X, y)
    # Both are as far from the optimum as their tol, relative to the spread.
    change = np.std(X @ (model.coef_ - exact.coef_))
    assert change <= 2e-10 * np.std(y)
    assert model.n_iter_ <= 30


@LOSS
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_warm_start_stays(name: str, alpha: float) -> None:
    X, y = drawn()
    model = GradientDescentRegressor(name, alpha=alpha, l1_ratio=0.5, warm_start=True)
    before = model.fit(X, y).loss_curve_[-1]
    model.fit(X, y)
    if not AMOUNTS[name].kinked:
        assert model.n_iter_ <= 1
    # A window may lead away from a kink, by no more than is promised.
    assert model.loss_curve_[-1] <= before * (1 + PROMISED)
    # A scale is found to a thousandth of tol.
    exact = 1e-8 if hasattr(model, "scale_") else 1e-12
    assert_allclose(model.loss_curve_[0], before, rtol=exact)


@LOSS
def test_weights_are_repetitions(name: str) -> None:
    X, y = drawn()
    times = np.random.default_rng(1).integers(0, 4, len(y))
    weighted = GradientDescentRegressor(name, tol=1e-9).fit(X, y, sample_weight=times)
    repeated = GradientDescentRegressor(name, tol=1e-9)
    repeated.fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    found, expected = (objective(model, X, y, times) for model in (weighted, repeated))
    # tol=1e-9 is that of the objective where there are kinks.
    assert found == pytest.approx(expected, rel=2e-9)


@LOSS
def test_without_intercept_is_a_column_of_ones(name: str) -> None:
    X, y = drawn()
    columns = np.c_[np.ones(len(y)), X]
    model = GradientDescentRegressor(name, fit_intercept=False).fit(columns, y)
    assert model.intercept_ == 0
    other = fitted(name)
    found, expected = objective(model, columns, y), objective(other, X, y)
    # What is promised, of both.
    assert found == pytest.approx(expected, rel=2 * PROMISED)


@LOSS
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_single_row(name: str, fit_intercept: bool) -> None:
    X, y = np.array([[1.0, 2.0]]), np.array([3.0])
    model = GradientDescentRegressor(name, fit_intercept=fit_intercept).fit(X, y)
    assert np.isfinite(model.coef_).all()
    # The epsilon that a loss may not see, and tol of y, or of its logarithm.
    assert_allclose(model.predict(X), y, atol=0.1 + 1e-5)
    # There is nothing to lose: losses of errors of tol are tol at most.
    assert objective(model, X, y) <= 1e-5


@LOSS
def test_as_many_rows_as_unknowns(name: str) -> None:
    # All rows can be fitted exactly: with d = n - 1 and an intercept, and with d = n.
    for d, fit_intercept in ((5, True), (6, False), (12, True)):
        rng = np.random.default_rng(d)
        X = rng.standard_normal((6, d))
        y = rng.uniform(1.0, 3.0, 6)
        model = GradientDescentRegressor(name, fit_intercept=fit_intercept).fit(X, y)
        # Losses of errors of tol are no larger.
        assert objective(model, X, y) <= 1e-5


@LOSS
def test_constant_target(name: str) -> None:
    X, _ = drawn()
    model = GradientDescentRegressor(name).fit(X, np.full(len(X), 7.0))
    assert_allclose(model.predict(X), 7.0, atol=0.1 + 1e-5)
    assert objective(model, X, np.full(len(X), 7.0)) <= 1e-6
    # The first guess is the solution, but for rounding.
    assert model.n_iter_ <= 30


@LOSS
def test_perfect_fit(name: str) -> None:
    X, _ = drawn()
    linear = 5.0 + X @ [1.0, -0.5, 0.25, 0.0]
    linear = 0.3 * linear if hasattr(AMOUNTS[name], "inverse_link") else linear
    y = getattr(AMOUNTS[name], "inverse_link", lambda z: z)(linear)
    model = GradientDescentRegressor(name).fit(X, y)
    # Errors of 1e-5 of the spread: there is no optimum to be relative to.
    assert objective(model, X, y) <= 1e-5 * np.std(y)


@LOSS
def test_offsets_of_columns(name: str) -> None:
    X, y = drawn()
    plain = fitted(name)
    stamps = X * [1.0, 1e3, 1e-3, 1e5] + [1e3, 1.7e9, 10.0, -1e8]
    model = GradientDescentRegressor(name).fit(stamps, y)
    found, expected = objective(model, stamps, y), objective(plain, X, y)
    # What is promised, of both; eps * 1.7e9 / 1e3 is nothing beside it.
    assert found == pytest.approx(expected, rel=2 * PROMISED)


@pytest.mark.parametrize("name", ["absolute_error", "huber", "pinball", "tukey"])
@pytest.mark.parametrize("offset", [1e6, -1e9])
def test_offset_of_the_target(name: str, offset: float) -> None:
    X, y = drawn()
    plain = fitted(name)
    model = GradientDescentRegressor(name).fit(X, y + offset)
    # What is promised, of both, and the rounding of y.
    rounding = 10 * np.finfo(float).eps * abs(offset)
    expected = plain.loss_curve_[-1]
    found = objective(model, X, y + offset)
    assert found == pytest.approx(expected, rel=2 * PROMISED, abs=rounding)


# Parameters that are in the units of y.
UNITS = {"epsilon_insensitive": "epsilon"}
EQUIVARIANT = [
    *("squared_error", "absolute_error", "pinball", "expectile"),
    *("absolute_percentage_error", *UNITS),
    *("huber", "pseudo_huber", "log_cosh", "cauchy", "tukey"),
]


@pytest.mark.parametrize("scale", [2.0**-27, 2.0**27])
@pytest.mark.parametrize("name", EQUIVARIANT)
def test_units_of_the_target(name: str, scale: float) -> None:
    # Powers of two change no digit: the descents are the same, unless a constant in
    # them has units.
    X, y = drawn()
    loss: Any = AMOUNTS[name]
    plain = fitted(name)
    if name in UNITS:
        loss = replace(loss, **{UNITS[name]: scale * getattr(loss, UNITS[name])})
    model = GradientDescentRegressor(loss).fit(X, scale * y)
    power = {"squared_error": 2, "expectile": 2, "absolute_percentage_error": 0}
    degree = power.get(name, 1 if AMOUNTS[name].kinked else 2)
    expected = scale**degree * objective(plain, X, y)
    # What is promised, of both.
    assert objective(model, X, scale * y) == pytest.approx(expected, rel=2 * PROMISED)
    # LAPACK scales what it is given by numbers that are not powers of two.
    assert abs(model.n_iter_ - plain.n_iter_) <= 2
    if not loss.kinked:
        size = scale * np.abs(plain.coef_).max()
        assert_allclose(model.coef_, scale * plain.coef_, rtol=0, atol=1e-9 * size)
        assert_allclose(model.intercept_, scale * plain.intercept_, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize("name", ["gamma_deviance", "poisson_deviance"])
def test_units_of_deviances_move_the_intercept(name: str, scale: float) -> None:
    X, y = drawn()
    plain = GradientDescentRegressor(name, tol=1e-9).fit(X, y)
    model = GradientDescentRegressor(name, tol=1e-9).fit(X, scale * y)
    # tol is that of the linear predictor, of which the columns are white.
    assert_allclose(model.coef_, plain.coef_, atol=1e-8)
    assert_allclose(model.intercept_ - plain.intercept_, np.log(scale), rtol=1e-8)


@LOSS
def test_duplicate_and_constant_columns(name: str) -> None:
    X, y = drawn()
    more = np.c_[X, X[:, :2], np.full(len(y), 3.0), np.zeros(len(y))]
    plain = fitted(name)
    model = GradientDescentRegressor(name).fit(more, y)
    found, expected = objective(model, more, y), objective(plain, X, y)
    # What is promised, of both.
    assert found == pytest.approx(expected, rel=2 * PROMISED)
    # Of minimum norm: equals share, and what is constant has nothing.
    assert_allclose(model.coef_[:2], model.coef_[4:6], atol=1e-9)
    assert_array_equal(np.abs(model.coef_[6:]) < 1e-9, True)


@pytest.mark.parametrize("name", KINKED)
def test_ties(name: str) -> None:
    # Whole numbers: many rows are at the kink at once.
    rng = np.random.default_rng(5)
    X = rng.integers(0, 3, (200, 3)).astype(float)
    y = 4.0 + X @ [2.0, 0.0, 1.0] + rng.integers(-1, 2, 200)
    model = GradientDescentRegressor(name).fit(X, y)
    tight = GradientDescentRegressor(name, tol=1e-9).fit(X, y)
    # What is promised.
    found, best = objective(model, X, y), objective(tight, X, y)
    assert found <= best * (1 + PROMISED)


@LOSS
def test_garbage_of_no_weight(name: str) -> None:
    X, y = drawn()
    X = np.r_[X, np.full((3, 4), 1e6)]
    y = np.r_[y, np.full(3, 1e6)]
    weights = np.r_[np.ones(len(y) - 3), np.zeros(3)]
    model = GradientDescentRegressor(name).fit(X, y, sample_weight=weights)
    plain = GradientDescentRegressor(name).fit(X[:-3], y[:-3])
    assert_allclose(model.loss_curve_[-1], plain.loss_curve_[-1], rtol=2 * PROMISED)


@LOSS
def test_targets_side_by_side(name: str) -> None:
    X, y = drawn()
    Y = np.c_[y, np.abs(3.0 + X[:, 1]) + 0.1]
    both = GradientDescentRegressor(name).fit(X, Y)
    apart = [GradientDescentRegressor(name).fit(X, target) for target in Y.T]
    expected = sum(model.loss_curve_[-1] for model in apart)
    # What is promised, of both.
    assert both.loss_curve_[-1] == pytest.approx(expected, rel=2 * PROMISED)
    if AMOUNTS[name].kinked:
        return  # many predictions are as good
    # Products of matrices and of vectors round differently, which tol lets be seen.
    for target, coef, model in zip(Y.T, both.coef_, apart, strict=True):
        assert_allclose(X @ coef, X @ model.coef_, atol=1e-5 * np.std(target))


# Steps of a given length are short along columns that depend on each other.
@pytest.mark.filterwarnings("ignore:Gradient descent stopped above the minimum")
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"loss": "huber"},
        {"loss": "huber", "epsilon": 0.05},
        {"loss": "huber", "alpha": 0.1, "l1_ratio": 1.0},
        {"alpha": 0.1, "l1_ratio": 1.0},
    ],
    ids=str,
)
def test_a_row_without_weight_may_hold_anything(parameters: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 3)), rng.standard_normal(60)
    X[:, 2] = X[:, 1] + 1e-6 * X[:, 2]  # refined in a longer float type
    weights = np.ones(60)
    weights[7] = 0.0
    expected = GradientDescentRegressor(**parameters).fit(X, y, weights)
    X[7], y[7] = 1e200, -1e200
    model = GradientDescentRegressor(**parameters).fit(X, y, weights)
    assert np.isfinite(model.loss_curve_).all()
    np.testing.assert_allclose(model.loss_curve_[-1], expected.loss_curve_[-1])


def test_wide_orthogonal_designs() -> None:
    # The direction that centring makes null is as long as one of the rows' own.
    X = np.zeros((3, 4))
    X[:, 0] = [1.0, -1.0, 0.0]
    X[:, 1] = np.sqrt(2 / 3) * np.array([1.0, 1.0, -2.0])
    y = np.array([1.0, 2.0, 4.0])
    model = GradientDescentRegressor().fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-12)


@pytest.mark.parametrize("penalty", [{}, {"alpha": 1.0, "l1_ratio": 0.5}], ids=str)
@pytest.mark.parametrize("name", ["squared_error", "huber", "pinball"])
def test_columns_of_zeros(name: str, penalty: dict[str, Any]) -> None:
    # There is nothing to choose: all coefficients are zero.
    for shape in ((5, 2), (3, 5), (1, 3)):
        model = GradientDescentRegressor(name, fit_intercept=False, **penalty)
        model.fit(np.zeros(shape), np.arange(1.0, 1 + shape[0]))
        assert not model.coef_.any()
        assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize("name", ["squared_error", "huber", "pinball"])
def test_one_row_with_all_the_weight(name: str) -> None:
    X, y = np.eye(4, 6), np.array([3.0, 1.0, 2.0, 5.0])
    model = GradientDescentRegressor(name).fit(X, y, [1.0, 0.0, 0.0, 0.0])
    assert_allclose(model.predict(X), 3.0, atol=1e-5)


@pytest.mark.parametrize("seed", [0, 2])
def test_kinks_on_columns_that_nearly_depend(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((30, 3))
    X[:, 2] = X[:, 0] + 1e-9 * X[:, 2]
    y = X[:, 0] + rng.standard_normal(30)
    model = GradientDescentRegressor(Pinball(0.8)).fit(X, y)
    # The same columns, orthogonal.
    basis = np.linalg.qr(X - X.mean(axis=0))[0]
    exact = QuantileRegressor(quantile=0.8, alpha=0).fit(basis, y).predict(basis)
    found, optimum = (
        mean_pinball_loss(y, predicted, alpha=0.8)
        for predicted in (model.predict(X), exact)
    )
    # tol, and a condition number of 2e9 times the rounding of float64 beside it.
    assert found == pytest.approx(optimum, rel=3e-6)


@pytest.mark.parametrize("loss", ["squared_error", Expectile(0.5)], ids=str)
def test_lasso_of_columns_in_other_units(loss: Any) -> None:
    # Of orthogonal columns the lasso is a threshold for each.
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.standard_normal((50, 3)) - 0.1)[0] * [1e-10, 1.0, 1e10]
    y = 1e-6 * (X @ [1e10, 1.0, 1e-10]) + 1e-7 * rng.standard_normal(50)
    model = GradientDescentRegressor(loss, alpha=1.0, l1_ratio=1, fit_intercept=False)
    model.fit(X, y)
    half = 0.5 if loss != "squared_error" else 1.0
    slopes, bends = 2 * half * X.T @ y / 50, 2 * half * (X**2).sum(axis=0) / 50
    expected = np.sign(slopes) * np.maximum(np.abs(slopes) - 1.0, 0.0) / bends
    assert expected[2] != 0
    assert_allclose(model.coef_, expected, rtol=1e-6)


def test_lasso_of_a_loss_that_is_zero_wherever_one_looks() -> None:
    X, y = drawn()
    model = GradientDescentRegressor("epsilon_insensitive", alpha=1.0, l1_ratio=1.0)
    model.fit(X, 1e-9 * y)  # far within the tube
    assert not model.coef_.any()
    assert model.loss_curve_[-1] == 0


def test_wide_designs_of_columns_that_nearly_depend() -> None:
    # Powers: the smallest singular value is 6e-8 of the largest.
    rng = np.random.default_rng(2)
    X = rng.uniform(size=(9, 1)) ** np.arange(1, 13)
    y = rng.standard_normal(9)
    model = GradientDescentRegressor("pinball").fit(X, y)
    assert_allclose(model.predict(X), y, atol=1e-7)


def test_wide_designs_with_columns_in_other_units() -> None:
    # Rows are told apart by columns that are rounding errors beside the largest one.
    rng = np.random.default_rng(0)
    units = 10.0 ** rng.uniform(-4, 4, 50)
    X = (rng.standard_normal((40, 50)) * units).astype(np.float32)
    y = rng.standard_normal(40).astype(np.float32)
    for loss in ("squared_error", LogCosh(scale=1.0)):
        model = GradientDescentRegressor(loss).fit(X, y)
        assert_allclose(model.predict(X), y, atol=1e-5)
    model = GradientDescentRegressor(alpha=2e-6).fit(X, y)
    # The same as least squares on scaled columns.
    scaled = (X - X.mean(axis=0, dtype=np.float64)) / units
    rows = np.vstack([scaled / np.sqrt(40), np.diag(1e-3 / units)])
    target = np.append((y - y.mean(dtype=np.float64)) / np.sqrt(40), np.zeros(50))
    _, least, *_ = np.linalg.lstsq(rows, target)
    assert_allclose(model.loss_curve_[-1], least[0], rtol=1e-4)


@pytest.mark.parametrize("a", [0.5, -0.5])
def test_exponential_losses_far_from_one_outlier(a: float) -> None:
    # A standard deviation of the target off, the loss is exp(5000).
    X, y = drawn()
    y[5] = 1.4e5
    model = GradientDescentRegressor(Linex(a), alpha=1e6, l1_ratio=1.0).fit(X, y)
    assert not model.coef_.any()

    def constant(level: float) -> float:
        with np.errstate(over="ignore"):
            return float(np.mean(Linex(a)(y, np.full(len(y), level))))

    near = 1.4e5 if a < 0 else 0.0
    best = minimize_scalar(constant, (near - 50, near)).fun
    assert constant(model.intercept_) <= best * (1 + PROMISED)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_a_constant_target_whose_square_is_zero(l1_ratio: float) -> None:
    X = np.random.default_rng(0).standard_normal((50, 2))
    model = GradientDescentRegressor(Pinball(), alpha=0.1, l1_ratio=l1_ratio)
    model.fit(X, np.full(50, 1e-300))
    assert_allclose(model.predict(X), 1e-300, rtol=1e-6)


def test_a_constant_target_is_fitted_exactly(backend: Any) -> None:
    """Slopes at a kink do not vanish: the best value of each row tells the end."""
    X = np.random.default_rng(0).standard_normal((50, 2))
    for loss in (Pinball(0.9), Pinball(0.2)):
        for level in (3.0, 0.1, 0.0):
            model = GradientDescentRegressor(loss, backend=backend)
            assert_allclose(
                model.fit(X, np.full(50, level)).predict(X), level, atol=0.1
            )


@pytest.mark.parametrize("seed", [14, 16, 18, 19])
def test_rounding_on_the_way_in_float32(seed: int) -> None:
    """What ends without a word is in the tube."""
    rng = np.random.default_rng(seed)
    X = (rng.standard_normal((4, 50)) * 10.0 ** rng.integers(-8, 9, 50)).astype("f")
    X[:, 0], y = 3000, rng.standard_normal(4).astype("f")
    model = GradientDescentRegressor(
        EpsilonInsensitive(0.2), tol=1e-4, alpha=0.1, l1_ratio=1.0
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    predicted = X.astype(float) @ model.coef_.astype(float) + model.intercept_
    assert caught or np.abs(predicted - y).max() < 0.2001
