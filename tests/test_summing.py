"""A descent on the rows that move is one on all rows, as long as the others stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rows import KINKED, N_COLUMNS, N_ROWS, known, samples

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._descent import windows
from sklearn_adreg._rows.summing import SummedSamples, sum_up
from sklearn_adreg.losses import Pinball

LOSS = pytest.mark.parametrize("loss", KINKED, ids=lambda loss: type(loss).__name__)
NOBODY = np.zeros(0, dtype=np.intp)


def summed(loss: Any, **how: Any) -> tuple[Any, SummedSamples, np.ndarray]:
    everyone, coef = samples(loss, **how)
    settled = known(everyone, coef, 0.5)
    few = sum_up(settled, everyone.locate(coef), 0.05, coef, NOBODY)
    assert few is not None
    assert len(few.rows) < N_ROWS / 4
    return everyone, few, coef


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("shift", [0.0, 0.05])
@LOSS
def test_as_all_rows(loss: Any, shift: float, weighted: bool) -> None:
    everyone, few, coef = summed(loss, weighted=weighted)
    coef = coef + shift * np.array([1.0, -1.0, 0.5, 0.0, 1.0])
    linear, ray = everyone.locate(coef), everyone.locate(np.ones(N_COLUMNS + 1))
    mine = few.locate(coef), few.locate(np.ones(N_COLUMNS + 1))
    assert len(few.left(linear, 0.05)) == 0
    assert few.seem_to_stay(coef)
    # Sums of n terms.
    assert_allclose(few.value(mine[0]), everyone.value(linear), rtol=1e-11)
    expected = everyone.along(linear, ray, 0.01, 0.05)
    found = few.along(*mine, 0.01, 0.05)
    assert_allclose(found.rise, expected.rise, rtol=1e-9, atol=1e-12)
    assert_allclose(found.bend, expected.bend, rtol=1e-9)
    size = np.abs(everyone.gradient(expected)).max()
    assert_allclose(few.gradient(found), everyone.gradient(expected), atol=1e-9 * size)
    assert_allclose(few.hessian(found.curvature), everyone.hessian(expected.curvature))
    whole = few.whole(found, expected.linear)
    assert_allclose(whole.slopes, expected.slopes, rtol=1e-9, atol=1e-15)
    assert_allclose(whole.curvature, expected.curvature, rtol=1e-9)


def test_some_of_the_columns() -> None:
    _, few, _ = summed(Pinball(0.5))
    columns = np.array([0, 2])
    part = few.restricted(columns)
    ray = np.array([1.0, 0.0, -2.0, 0.0, 0.5])
    found, expected = part.locate(ray[[0, 2, 4]]), few.locate(ray)
    assert_allclose(found.moving, expected.moving)
    assert_allclose(found.settled, expected.settled)


def test_who_has_left() -> None:
    everyone, few, coef = summed(Pinball(0.5))
    coef = coef + np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    linear = everyone.locate(coef)
    # The level has risen by more than the window in which rows were found straight.
    assert_array_equal(few.left(linear, 0.05), np.setdiff1d(range(N_ROWS), few.rows))
    assert not few.seem_to_stay(coef)


def test_those_that_are_free_move() -> None:
    everyone, few, coef = summed(Pinball(0.5))
    free = np.array([0, 1, 2, 3])
    linear = everyone.locate(coef)
    more = sum_up(few.settled, linear, 0.05, coef, free)
    assert more is not None
    assert_array_equal(more.rows, np.union1d(few.rows, free))
    assert_allclose(more.value(more.locate(coef)), everyone.value(linear), rtol=1e-11)


def groups(n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Indicators of groups from two rows to half of all, and whole numbers."""
    rng = np.random.default_rng(0)
    sizes = np.array([2, 5, 20, 200, 2_000])
    member = np.repeat(np.arange(6), [*sizes, n - sizes.sum()])
    y = np.round(10.0 * member + 5.0 * rng.standard_t(2, n))
    order = rng.permutation(n)
    return (member[:, None] == np.arange(5)).astype(float)[order], y[order]


@pytest.mark.parametrize("quantile", [0.01, 0.5, 0.9, 0.995])
def test_groups_have_their_own_quantiles(
    quantile: float, place: dict[str, Any]
) -> None:
    X, y = groups()
    model = GradientDescentRegressor(Pinball(quantile), **place).fit(X, y)
    member = X @ np.arange(1.0, 6.0)
    best = sum(
        Pinball(quantile)(mine, np.quantile(mine, quantile, method="lower")).sum()
        for mine in (y[member == group] for group in range(6))
    )
    assert model.loss_curve_[-1] <= best / len(y) * (1 + 1e-6)
    found = Pinball(quantile)(y, model.predict(X)).mean()
    assert model.loss_curve_[-1] == pytest.approx(found, rel=1e-9)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@LOSS
def test_same_optimum_without(
    monkeypatch: pytest.MonkeyPatch, loss: Any, l1_ratio: float
) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8_000, 6))
    y = 10.0 + X[:, 0] + rng.standard_t(2, 8_000)
    model = GradientDescentRegressor(loss, alpha=1e-3, l1_ratio=l1_ratio)
    curve = model.fit(X, y).loss_curve_
    monkeypatch.setattr(windows, "sum_up", lambda *_arguments: None)
    monkeypatch.setattr(windows, "settled", lambda samples, *_arguments: samples)
    expected = model.fit(X, y).loss_curve_
    # Each is within 1e-6 of the optimum.
    assert_allclose(curve[-1], expected[-1], rtol=1e-6)
    assert curve[0] == expected[0]
