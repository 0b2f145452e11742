"""Rows on a straight piece of their loss are summed up, as if each were looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kinds_of_rows import BUILDERS, Builder, host_rows
from mean_losses import Setting, three_quantiles
from numpy.testing import assert_allclose, assert_array_equal
from opaque_rows import OpaqueRows
from scipy import sparse
from scipy.optimize import linprog
from sklearn.linear_model import QuantileRegressor
from targets import AMOUNTS

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._loss.slopes import slopes
from sklearn_adreg._objective import straight
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.straight import Settled
from sklearn_adreg.backends import AutogradBackend
from sklearn_adreg.losses import Huber

KINKED = [loss for loss in AMOUNTS.values() if loss.kinked and loss.convex]
LOSS = pytest.mark.parametrize("loss", KINKED, ids=lambda loss: type(loss).__name__)
ROWS = pytest.mark.parametrize(
    "build",
    [host_rows, BUILDERS[OpaqueRows.__name__]["blocks"]],
    ids=["host", "opaque"],
)
N_ROWS, WIDE, NARROW = 6_000, 0.5, 0.05
# Near the coefficients with which the targets were drawn.
THETA = np.array([1.0, 2.0, 3.0, 4.0, 30.0])
# The same of three planes, some of which cross.
PLANES = np.outer(THETA, [1.0, 1.0, 1.0])
PLANES[[0, -1]] += [[0.3, 0.0, -0.3], [-0.9, 0.0, 0.9]]
UNITS = np.array([0.2, 0.15, 0.25])


def whole(loss: Any, build: Builder, far: float = 0.0) -> MeanLoss:
    """All rows; a third have no weight."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, 4)) + far
    y = np.abs(30.0 + (X - far) @ THETA[:-1] + 3.0 * rng.standard_normal(N_ROWS)) + 1.0
    weight = rng.integers(0, 3, N_ROWS).astype(float)
    setting = Setting(LinearLoss.cheapest(loss), X, y, weight / weight.sum())
    if loss is not three_quantiles:
        return setting.on(build).through(WIDE)
    setting = replace(setting, n_predictors=len(UNITS))
    return setting.on(build).at_units(UNITS).through(WIDE)


def settled(everyone: MeanLoss, theta: np.ndarray = THETA) -> Settled:
    """Give pieces to what is straight in a wide window, and narrow it."""
    point = everyone.point(everyone.linear_predictor(theta))
    known = Settled.nothing(everyone).settle_all(point)
    return replace(known, whole=everyone.through(NARROW))


def check_as_if_differentiated(
    known: Settled, theta: np.ndarray, there: np.ndarray, direction: np.ndarray
) -> None:
    """Compare what is summed up at theta with all rows, from another theta on."""
    everyone = known.whole
    found = known.objective(theta, everyone.linear_predictor(theta))
    assert found is not None
    few = found[0]
    # Most rows are summed up, but for some that are watched.
    assert few.moving.data.rows.shape[0] < N_ROWS / 2
    linear, ray = everyone.linear_predictor(there), everyone.ray(direction)
    assert len(known.left(linear, everyone.bandwidth)) == 0
    mine = few.linear_predictor(there), few.ray(direction)
    # Sums of n terms.
    assert few.value(mine[0]) == pytest.approx(everyone.value(linear), rel=1e-11)
    for length in (0.0, 1e-3):
        expected = everyone.point(linear, ray, length)
        found_here = few.point(*mine, length)
        assert found_here.value == pytest.approx(expected.value, rel=1e-11)
        slope = everyone.gradient(expected)
        close: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-10 * np.abs(slope).max()}
        assert_allclose(few.gradient(found_here), slope, **close)
        assert_allclose(
            found_here.directional_derivative, expected.directional_derivative, **close
        )
        bent_in_all = pytest.approx(expected.mean_curvature, rel=1e-9, abs=1e-12)
        assert found_here.mean_curvature == bent_in_all
        some, bent = few.curved(found_here, everyone.bandwidth)
        hessian = everyone.hessian(expected)
        size = np.abs(hessian).max()
        assert_allclose(some.hessian(bent), hessian, rtol=1e-9, atol=1e-10 * size)


@ROWS
@pytest.mark.parametrize("far", [0.0, 1e4], ids=["near zero", "far from zero"])
@pytest.mark.parametrize("shift", [0.0, 0.05])
@LOSS
def test_as_if_differentiated(
    loss: Any, shift: float, far: float, build: Builder
) -> None:
    known = settled(whole(loss, build, far))
    there = THETA + shift * np.array([1.0, -1.0, 0.5, 0.0, 1.0])
    check_as_if_differentiated(known, THETA, there, THETA)


@ROWS
def test_coupled_predictors(build: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    everyone, theta = whole(three_quantiles, build), PLANES.ravel()
    known = settled(everyone, theta)
    there = theta + 0.03 * np.random.default_rng(1).standard_normal(len(theta))
    here, linear = map(everyone.linear_predictor, (theta, there))
    left = known.left(linear, NARROW)
    rows, seen = everyone.data.rows, known.whole.point(linear)
    bends = rows.numpy(seen.curvature).any(axis=(1, 2))
    differs = ~np.isclose(*map(rows.numpy, (seen.slope, known.pieces.slope)))
    wrong = np.intersect1d(np.flatnonzero(bends | differs.any(axis=1)), known.index)
    assert len(wrong) > 0
    assert np.isin(wrong, left).all()
    # Of the others hardly any, though most have moved by more than windows were wide.
    moved = np.abs(rows.numpy(linear) - rows.numpy(here)) / UNITS
    assert len(left) < 1.5 * len(wrong) < 0.2 * np.sum(moved.sum(axis=1) > WIDE)
    known = known.without(left)
    check_as_if_differentiated(known, theta, there, theta - there)
    # Rows that move are given pieces unless they are few.
    found = known.objective(there, linear)
    assert found is not None
    point = found[0].point(found[0].linear_predictor(there))
    assert known.settle(found[1], linear, point) is known
    monkeypatch.setattr(straight, "_WATCHED_ROWS", 1 << 7)
    again = known.settle(found[1], linear, point)
    assert len(again.index) > len(known.index)
    again = replace(again, whole=everyone.through(NARROW / 2))
    check_as_if_differentiated(again, there, there, theta - there)


@ROWS
def test_who_has_left_its_piece(build: Builder) -> None:
    everyone = whole(AMOUNTS["pinball"], build)
    known = settled(everyone)
    moved = THETA + np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    left = known.left(everyone.linear_predictor(moved), NARROW)
    # The level has risen by more than the window in which rows were found straight.
    assert_array_equal(left, known.index)
    assert len(known.without(left).index) == 0
    some = left[::3]
    assert_array_equal(known.without(some).index, np.setdiff1d(left, some))


def test_bent_losses_have_no_pieces() -> None:
    # Squares in the middle, but straight in the tails.
    everyone = whole(Huber(1.0), host_rows)
    error = everyone.data.target - everyone.linear_predictor(THETA)
    bent = (np.abs(error) < 1.0) & (everyone.data.weight > 0)
    assert not bent[settled(everyone).index].any()


def test_not_worth_it_where_most_rows_bend() -> None:
    everyone = whole(AMOUNTS["pinball"], host_rows).through(100.0)
    known = settled(everyone)
    assert known.objective(THETA, everyone.linear_predictor(THETA)) is None


def test_rounding_of_coupled_slopes_is_no_bend() -> None:
    def loss(_y: Any, z: Any) -> Any:
        first, second = z[:, 0] / 3, z[:, 1] / 7
        straight = adnp.sqrt((first - second) ** 2) + first
        return straight + adnp.where(_y > 0, z[:, 1] ** 2, 0.0)

    rng = np.random.default_rng(0)
    linear = np.stack([rng.uniform(20.0, 30.0, 200), rng.uniform(0.0, 7.0, 200)], 1)
    y = np.repeat([0.0, 1.0], 100)
    differentiate = AutogradBackend().value_and_derivative(LinearLoss.of(loss))
    high, low = (differentiate(y, linear + way)[1] for way in (0.01, -0.01))
    assert (high[:100] != low[:100]).any()
    found = slopes(np, differentiate, y, linear, bandwidth=np.full(2, 0.01))
    assert_array_equal(found[2][:100], 0.0)
    assert_allclose(found[2][100:, 1, 1], 2.0, rtol=1e-9)


def planes(y: Any, z: Any) -> Any:
    """Two quantiles, and a hinge on what crosses."""
    found = sum(
        adnp.maximum(level * (y - z[:, j]), (level - 1) * (y - z[:, j]))
        for j, level in enumerate(LEVELS)
    )
    return found + 10.0 * adnp.maximum(z[:, 0] - z[:, 1], 0.0)


LEVELS, N_KNOWN, TIMES, TOL = (0.4, 0.6), 200, 25, 1e-5


def known_rows() -> tuple[np.ndarray, np.ndarray]:
    """Rows of which a linear programme has few."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((N_KNOWN, 3))
    return X, X.sum(axis=1) + (1 + np.abs(X[:, 0])) * rng.standard_normal(N_KNOWN)


def least_by_highs(X: np.ndarray, y: np.ndarray) -> float:
    """Least mean of the loss of two planes, as a linear programme."""
    n, (low, high) = len(y), LEVELS
    rows, one = np.c_[X, np.ones(n)], np.eye(n)
    none, zero = 0 * rows, 0 * one
    costs = low, 1 - low, high, 1 - high, 10.0
    # Both planes, errors of each on either side, and how far they cross.
    first, second = [one, -one, *[zero] * 3], [zero, zero, one, -one, zero]
    found = linprog(
        np.concatenate([np.zeros(2 * rows.shape[1]), np.repeat(costs, n) / n]),
        A_eq=np.block([[rows, none, *first], [none, rows, *second]]),
        b_eq=np.tile(y, 2),
        A_ub=np.block([rows, -rows, zero, zero, zero, zero, -one]),
        b_ub=np.zeros(n),
        bounds=[(None, None)] * 2 * rows.shape[1] + [(0, None)] * 5 * n,
    )
    return float(found.fun)


@pytest.mark.parametrize(
    ("backend", "kind"), [("autograd", np.asarray), ("jax", sparse.csr_array)]
)
def test_coupled_kinks_beside_a_linear_programme(backend: Any, kind: Any) -> None:
    X, y = known_rows()
    # As many of each, and some that do not count.
    more = np.concatenate([np.tile(X, (TIMES, 1)), 9.0 * X])
    counts = np.repeat([1.0, 0.0], [TIMES * len(X), len(X)])
    model = GradientDescentRegressor(planes, n_outputs=2, tol=TOL, backend=backend)
    model.fit(kind(more), np.tile(y, TIMES + 1), sample_weight=counts)
    found = float(planes(y, model.predict(X)).mean())
    least = least_by_highs(X, y)
    assert least * (1 - 1e-9) <= found <= least * (1 + 2 * TOL)


def test_behind_a_link() -> None:
    class RelativeError:
        """Absolute error of logarithms."""

        def __call__(self, y: Any, y_pred: Any) -> Any:
            return abs(adnp.log(y) - adnp.log(y_pred))

        def inverse_link(self, linear: Any) -> Any:
            return adnp.exp(linear)

    X, y = known_rows()
    model = GradientDescentRegressor(RelativeError(), tol=1e-9)
    model.fit(np.tile(X, (TIMES, 1)), np.exp(np.tile(y, TIMES)))
    exact = QuantileRegressor(quantile=0.5, alpha=0.0).fit(X, y)
    assert_allclose(model.coef_, exact.coef_, atol=1e-5)
    assert_allclose(model.intercept_, exact.intercept_, atol=1e-5)
