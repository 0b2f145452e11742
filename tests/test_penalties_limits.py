"""Penalties that are nothing, everything, or left to the textbook."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from autograd import elementwise_grad
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression
from targets import AMOUNTS

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Huber, LogCosh, Pinball, PoissonDeviance


def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 8)) + 1.0
    y = 9.0 + X[:, :3] @ [3.0, -2.0, 1.0] + rng.standard_normal(200)
    return X, np.abs(y) + 0.1


LOSS = pytest.mark.parametrize("loss", AMOUNTS.values(), ids=AMOUNTS)


@LOSS
def test_no_penalty_is_alpha_zero(loss: Any) -> None:
    X, y = drawn()
    plain = GradientDescentRegressor(loss).fit(X, y)
    for l1_ratio in (0.0, 0.5, 1.0):
        model = GradientDescentRegressor(loss, alpha=0.0, l1_ratio=l1_ratio).fit(X, y)
        assert_array_equal(model.coef_, plain.coef_)
        assert model.intercept_ == plain.intercept_


@LOSS
def test_hardly_any_penalty(loss: Any) -> None:
    # The objective is continuous in alpha.
    X, y = drawn()
    plain = GradientDescentRegressor(loss).fit(X, y).loss_curve_[-1]
    for l1_ratio in (0.0, 0.5, 1.0):
        model = GradientDescentRegressor(loss, alpha=1e-12, l1_ratio=l1_ratio)
        # What the estimator promises of the objective; of a penalty there is 1e-11.
        assert model.fit(X, y).loss_curve_[-1] == pytest.approx(plain, rel=1e-6)


def steepest(loss: Any, X: np.ndarray, y: np.ndarray, constant: float) -> float:
    """The alpha from which on all coefficients are zero, for a smooth loss."""
    inverse_link = getattr(loss, "inverse_link", lambda linear: linear)
    slope = elementwise_grad(lambda z: loss(y, inverse_link(z)))
    return float(np.abs(slope(np.full(len(y), constant)) @ X / len(y)).max())


@LOSS
def test_all_zero_above_the_largest_alpha(loss: Any) -> None:
    X, y = drawn()
    # So steep that no slope of any loss can hold against it.
    huge = 1e6
    model = GradientDescentRegressor(loss, alpha=huge, l1_ratio=1.0).fit(X, y)
    assert_array_equal(model.coef_, 0.0)
    if loss.kinked or not loss.convex:
        return
    constant = float(model.intercept_)
    limit = steepest(getattr(model, "loss_", loss), X, y, constant)
    model = GradientDescentRegressor(loss, l1_ratio=1.0, tol=1e-9)
    # As exactly as the constant is found.
    model.set_params(alpha=limit * (1 + 1e-5)).fit(X, y)
    assert_array_equal(model.coef_, 0.0)
    assert np.count_nonzero(model.set_params(alpha=limit * 0.99).fit(X, y).coef_) > 0


@LOSS
def test_strong_ridge_leaves_the_intercept(loss: Any) -> None:
    X, y = drawn()
    constant = GradientDescentRegressor(loss).fit(np.zeros((len(y), 1)), y)
    model = GradientDescentRegressor(loss, alpha=1e9).fit(X, y)
    # Coefficients are about slope / alpha.
    assert np.abs(model.coef_).max() < 1e-6
    # What the estimator promises of the objective.
    assert model.loss_curve_[-1] == pytest.approx(constant.loss_curve_[-1], rel=2e-6)


RATIOS = [0.0, 0.5, 1.0]


@pytest.mark.parametrize("l1_ratio", RATIOS)
@pytest.mark.parametrize(
    "loss", ["squared_error", Huber(), PoissonDeviance()], ids=repr
)
def test_textbook(loss: Any, l1_ratio: float) -> None:
    # Steps are the fastest by JAX.
    check_textbook(loss, l1_ratio, backend="jax")


@pytest.mark.parametrize("l1_ratio", RATIOS)
def test_textbook_everywhere(l1_ratio: float, place: dict[str, Any]) -> None:
    check_textbook("squared_error", l1_ratio, **place)


def check_textbook(loss: Any, l1_ratio: float, **place: Any) -> None:
    X, y = drawn()
    y = np.floor(y) if isinstance(loss, PoissonDeviance) else y
    best = GradientDescentRegressor(loss, alpha=0.5, l1_ratio=l1_ratio, tol=1e-10)
    best.fit(X, y)
    # Stable: the curvatures are at most 2, 1 and 2 * prediction, and X is near white.
    epsilon = 0.02 if isinstance(loss, PoissonDeviance) else 0.3
    textbook = GradientDescentRegressor(
        loss,
        epsilon=epsilon,
        alpha=0.5,
        l1_ratio=l1_ratio,
        tol=1e-11,
        max_iter=20_000,
        **place,
    ).fit(X, y)
    # Steps shrink by a factor that is not worse than 0.99: 100 times tol is left.
    assert_allclose(textbook.coef_, best.coef_, atol=1e-8)
    assert_allclose(textbook.intercept_, best.intercept_, atol=1e-7)
    assert_array_equal(textbook.coef_ == 0, best.coef_ == 0)
    assert (best.coef_ == 0).any() == (l1_ratio > 0)
    # Both learning curves are of the objective with its penalty.
    assert textbook.loss_curve_[-1] == pytest.approx(best.loss_curve_[-1], rel=1e-12)
    assert (np.diff(textbook.loss_curve_) <= 1e-13 * textbook.loss_curve_[0]).all()


def test_textbook_of_several_targets(place: dict[str, Any]) -> None:
    X, y = drawn()
    Y = np.c_[y, 3 * y + X[:, 5]]
    settings: dict[str, Any] = {"alpha": 0.5, "l1_ratio": 0.7}
    best = GradientDescentRegressor(tol=1e-10, **settings).fit(X, Y)
    textbook = GradientDescentRegressor(
        epsilon=0.3, tol=1e-11, max_iter=20_000, **settings, **place
    ).fit(X, Y)
    # As in the test above.
    assert_allclose(textbook.coef_, best.coef_, atol=1e-7)
    assert_array_equal(textbook.coef_ == 0, best.coef_ == 0)


def test_textbook_of_a_kinked_loss_with_a_lasso() -> None:
    # Steps of fixed length do not settle at a kink: they come near it.
    X, y = drawn()
    settings: dict[str, Any] = {"loss": Pinball(0.7), "alpha": 0.2, "l1_ratio": 1.0}
    best = GradientDescentRegressor(**settings).fit(X, y)
    textbook = GradientDescentRegressor(
        epsilon=0.01, tol=0.0, max_iter=5000, backend="jax", **settings
    ).fit(X, y)
    # Subgradient steps of length 0.01, of slopes below one.
    assert textbook.loss_curve_[-1] <= best.loss_curve_[-1] + 0.01


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "pinball", "tukey"])
def test_shifted_targets_shift_the_intercept(loss: str, l1_ratio: float) -> None:
    # The intercept is not penalised: a shift of y costs nothing.
    X, y = drawn()
    model = GradientDescentRegressor(loss, alpha=0.3, l1_ratio=l1_ratio)
    before = model.fit(X, y).loss_curve_[-1]
    intercept = model.intercept_
    after = model.fit(X, y + 1000.0).loss_curve_[-1]
    # What the estimator promises, of both.
    assert after == pytest.approx(before, rel=2e-6)
    # The objective is flat at its minimum: half the digits.
    assert model.intercept_ - intercept == pytest.approx(1000.0, rel=1e-4)


def test_penalty_that_vanishes_on_squared_error() -> None:
    X, y = drawn()
    expected = LinearRegression().fit(X, y)
    model = GradientDescentRegressor(alpha=1e-13, l1_ratio=0.5, tol=1e-10).fit(X, y)
    # The penalty moves coefficients by alpha over the curvature.
    assert_allclose(model.coef_, expected.coef_, atol=1e-9)


NEARLY_DEPENDENT: dict[str, tuple[Any, Any]] = {
    "squared": ("squared_error", lambda r: r**2),
    "log_cosh": (LogCosh(scale=1.0), lambda r: np.logaddexp(r, -r) - np.log(2)),
}


@pytest.mark.parametrize("name", sorted(NEARLY_DEPENDENT))
def test_nearly_dependent_columns(name: str) -> None:
    """With hardly any penalty, the fit is that on an orthonormal basis."""
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(rng.standard_normal((60, 4)))[0] * np.sqrt(60)
    basis = np.linalg.qr(basis - basis.mean(axis=0))[0] * np.sqrt(60)
    mixed = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    X = basis * np.geomspace(1, 1e-8, 4) @ mixed
    y = basis @ rng.standard_normal(4) + 0.1 * rng.standard_normal(60)
    loss, function = NEARLY_DEPENDENT[name]
    model = GradientDescentRegressor(loss, alpha=1e-13, l1_ratio=1.0, tol=1e-8)
    found = function(y - model.fit(X, y).predict(X)).mean()
    free = GradientDescentRegressor(loss, tol=1e-8).fit(basis, y)
    best = function(y - free.predict(basis)).mean()
    assert_allclose(found, best, rtol=1e-6)
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("loss", [Huber(scale=1.0), LogCosh(scale=1.0)])
def test_sharp_bends_in_large_units(loss: Any) -> None:
    """In millions these losses are the absolute error, but for the offset."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 8)) + 1e3
    y = 1e6 * (X[:, 0] + rng.standard_t(2, 120))
    bend = 1.35 if isinstance(loss, Huber) else 1.0
    model = GradientDescentRegressor(loss, alpha=0.05 * bend, l1_ratio=1.0)
    other = GradientDescentRegressor("absolute_error", alpha=0.05, l1_ratio=1.0)
    found, expected = (
        np.abs(y - fit.predict(X)).mean() + 0.05 * np.abs(fit.coef_).sum()
        for fit in (model.fit(X, y), other.fit(X, y))
    )
    assert_allclose(found, expected, rtol=2e-4)
    assert model.n_iter_ < 60


def test_penalty_where_rows_do_not_bend() -> None:
    """A column in large units can do alone, at no cost: both terms may vanish."""

    def squared_hinge(y: Any, z: Any) -> Any:
        return np.maximum(0, 1 - y * z) ** 2

    rows = [[6.88, 2.18, 4.9e5], [7.71, 1.63, 7.4e5], [6.2, 1.74, 6.2e5]]
    X, y = np.array(rows), -np.ones(3)
    model = GradientDescentRegressor(
        squared_hinge, alpha=1e-4, l1_ratio=1.0, fit_intercept=False, tol=1e-4
    )
    model.set_params(warm_start=True).fit(X, y)
    for start in ([0.126, -0.132, 6.4e-6], [0.106, 0.362, 1.3e-5]):
        model.coef_ = np.array(start)
        model.fit(X, y)
        # Zero but for 1e-4 / 4.9e5: what is tolerated is 1e-4 of the 1e-4 of a unit.
        assert 0 <= model.loss_curve_[-1] < 2e-8


def test_curvatures_near_the_end_of_floats() -> None:
    """Their Hessian is not finite; the same fit in other units tells the end."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 2))
    y = X @ [1.0, 2.0] + rng.standard_normal(50)

    def steep(y: Any, z: Any) -> Any:
        return 1e6 * adnp.log(adnp.cosh(y - z))

    expected = GradientDescentRegressor(steep, alpha=1e-3, l1_ratio=1.0).fit(X, y)
    model = GradientDescentRegressor(steep, alpha=1e-3 * 1e153, l1_ratio=1.0)
    model.fit(X * 1e153, y)
    assert_allclose(model.coef_ * 1e153, expected.coef_, rtol=1e-6)
