"""Rows on a straight piece of their loss are summed up, as if each were looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kinds_of_rows import BUILDERS, Builder, host_rows
from mean_losses import Setting
from numpy.testing import assert_allclose, assert_array_equal
from opaque_rows import OpaqueRows
from targets import AMOUNTS

from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.straight import Settled
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


def whole(loss: Any, build: Builder, far: float = 0.0) -> MeanLoss:
    """All rows; a third have no weight."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, 4)) + far
    y = np.abs(30.0 + (X - far) @ THETA[:-1] + 3.0 * rng.standard_normal(N_ROWS)) + 1.0
    weight = rng.integers(0, 3, N_ROWS).astype(float)
    setting = Setting(LinearLoss.cheapest(loss), X, y, weight / weight.sum())
    return setting.on(build).through(WIDE)


def settled(everyone: MeanLoss) -> Settled:
    """Give pieces to what is straight in a wide window, and narrow it."""
    point = everyone.point(everyone.linear_predictor(THETA))
    known = Settled.nothing(everyone).settle_all(point)
    return replace(known, whole=everyone.through(NARROW))


@ROWS
@pytest.mark.parametrize("far", [0.0, 1e4], ids=["near zero", "far from zero"])
@pytest.mark.parametrize("shift", [0.0, 0.05])
@LOSS
def test_as_if_differentiated(
    loss: Any, shift: float, far: float, build: Builder
) -> None:
    everyone = whole(loss, build, far)
    known = settled(everyone)
    found = known.objective(THETA, everyone.linear_predictor(THETA))
    assert found is not None
    few, everyone = found[0], known.whole
    # Most rows are summed up, but for some that are watched.
    assert few.moving.data.rows.shape[0] < N_ROWS / 2
    there = THETA + shift * np.array([1.0, -1.0, 0.5, 0.0, 1.0])
    linear, ray = everyone.linear_predictor(there), everyone.ray(THETA)
    assert len(known.left(linear, NARROW)) == 0
    mine = few.linear_predictor(there), few.ray(THETA)
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
        some, bent = few.curved(found_here, NARROW)
        hessian = everyone.hessian(expected)
        size = np.abs(hessian).max()
        assert_allclose(some.hessian(bent), hessian, rtol=1e-9, atol=1e-10 * size)


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
