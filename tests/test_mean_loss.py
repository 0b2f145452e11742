"""The mean loss, its gradient and Hessian, beside finite differences of the loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kinds_of_rows import host_rows
from mean_losses import SEPARATE, SETTINGS, TOGETHER, Setting, many_rows
from numpy.testing import assert_allclose

from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.curvature import effective_number
from sklearn_adreg._objective.mean_loss import MeanLoss

# Of central differences, whose error is that of values over twice the step, and the
# square of the step.
STEP = 1e-5
DIFFERENCES: dict[str, Any] = {"rtol": 1e-6, "atol": 1e-7}
# Narrower than the distances between residuals and kinks that the data have.
NARROW, WIDE = 1e-3, 0.3

SETTING = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


class Plain:
    """The same as NumPy has it, of whole losses."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.counted = setting.weight > 0
        X = setting.X - setting.weight @ setting.X
        self.dense = np.c_[X, np.ones(len(X))]

    def linear(self, theta: np.ndarray) -> np.ndarray:
        if self.setting.coupled:
            theta = theta.reshape(-1, self.setting.n_predictors)
        found = self.dense @ theta
        offset = self.setting.offset
        if offset is None:
            return found
        return found + offset.reshape(-1, *(1 for _ in theta.shape[1:]))

    def losses(self, linear: np.ndarray) -> np.ndarray:
        """Weighted losses of the rows."""
        whole = replace(self.setting.loss, whole=True)
        found = whole(self.setting.target, linear, *self.setting.row_data)
        found = found if found.ndim == 1 else found.sum(axis=1)
        return np.where(self.counted, self.setting.weight * found, 0.0)

    def value(self, theta: np.ndarray) -> float:
        return float(self.losses(self.linear(theta)).sum())

    def secants(self, linear: np.ndarray, step: float) -> np.ndarray:
        """Differences of each row's loss along each of its predictors."""
        k = 1 if linear.ndim == 1 else linear.shape[1]
        moves = np.eye(k) * step if linear.ndim == 2 else np.full((1, 1), step)
        columns = [
            (self.losses(linear + move) - self.losses(linear - move)) / (2 * step)
            for move in (moves if linear.ndim == 2 else [step])
        ]
        return columns[0] if linear.ndim == 1 else np.stack(columns, axis=1)

    def curvature(self, linear: np.ndarray, width: float) -> np.ndarray:
        """How secants of slopes rise, for each pair of predictors: (n, k, k)."""
        moves = [width] if linear.ndim == 1 else list(np.eye(linear.shape[1]) * width)
        rises = [
            self.secants(linear + move, STEP) - self.secants(linear - move, STEP)
            for move in moves
        ]
        found = np.stack(rises, axis=1).reshape(len(linear), len(moves), -1)
        found = (found + found.swapaxes(1, 2)) / (4 * width)
        values, vectors = np.linalg.eigh(found)
        return (vectors * np.abs(values)[:, None]) @ vectors.swapaxes(1, 2)

    def hessian(self, curvature: np.ndarray) -> np.ndarray:
        p = self.dense.shape[1]
        found = np.einsum("nab,ni,nj->iajb", curvature, self.dense, self.dense)
        return found.reshape(p * curvature.shape[1], -1)


def gradient_by_differences(value: Any, theta: np.ndarray) -> np.ndarray:
    found = np.empty_like(theta)
    for index in np.ndindex(theta.shape):
        move = np.zeros_like(theta)
        move[index] = STEP
        found[index] = (value(theta + move) - value(theta - move)) / (2 * STEP)
    return found


@SETTING
def test_value_and_gradient(setting: Setting) -> None:
    objective, plain, theta = setting.on(host_rows), Plain(setting), setting.theta
    linear = objective.linear_predictor(theta)
    assert_allclose(linear, plain.linear(theta), rtol=1e-9, atol=1e-9)
    value = plain.value(theta)
    assert objective.value(linear) == pytest.approx(value, rel=1e-11)
    point = objective.point(linear)
    assert point.value == pytest.approx(value, rel=1e-11)
    assert point.curvature is None
    expected = gradient_by_differences(plain.value, theta)
    assert_allclose(objective.gradient(point), expected, **DIFFERENCES)
    at_once, gradient = objective.value_and_gradient(theta)
    assert float(at_once) == pytest.approx(value, rel=1e-11)
    assert_allclose(gradient, objective.gradient(point), rtol=1e-9, atol=1e-12)


@SETTING
def test_one_reading_of_the_rows(setting: Setting) -> None:
    objective, plain, theta = setting.on(host_rows), Plain(setting), setting.theta
    if theta.ndim == 2:  # descents take one target at a time
        return
    found, point = objective.at(theta), objective.point(plain.linear(theta))
    assert found.value == pytest.approx(plain.value(theta), rel=1e-11)
    assert_allclose(found.linear, plain.linear(theta), rtol=1e-9, atol=1e-9)
    assert found.gradient is not None
    assert_allclose(found.slope, point.slope, rtol=1e-9, atol=1e-12)
    expected = gradient_by_differences(plain.value, theta)
    assert_allclose(objective.gradient(found), expected, **DIFFERENCES)


@SETTING
def test_along_a_ray(setting: Setting) -> None:
    objective, plain, theta = setting.on(host_rows), Plain(setting), setting.theta
    linear, ray = objective.linear_predictor(theta), objective.ray(setting.direction)
    found = objective.point(linear, ray, 0.3)
    there = theta + 0.3 * setting.direction
    assert_allclose(found.linear, plain.linear(there), rtol=1e-9, atol=1e-9)
    assert found.value == pytest.approx(plain.value(there), rel=1e-11)
    expected = gradient_by_differences(plain.value, there)
    assert_allclose(objective.gradient(found), expected, **DIFFERENCES)
    derivative = float((expected * setting.direction).sum())
    assert_allclose(found.directional_derivative, derivative, **DIFFERENCES)


@pytest.mark.parametrize("name", TOGETHER)
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_in_a_window(name: str, width: float) -> None:
    setting = SETTINGS[name]
    objective, plain, theta = setting.on(host_rows), Plain(setting), setting.theta
    seen = objective.through(width)
    linear = objective.linear_predictor(theta)
    point = seen.point(linear)
    # The slope of the average over a window is the secant, whatever the loss.
    slope = plain.secants(plain.linear(theta), width)
    # Where a loss bends little the mean of both ends' slopes stands for it.
    close: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-9}
    expected = (plain.dense.T @ slope).reshape(theta.shape)
    assert_allclose(seen.gradient(point), expected, **close)
    curvature = plain.curvature(plain.linear(theta), width)
    found = seen.hessian(point)
    expected = plain.hessian(curvature)
    # Differences of differences.
    size = np.abs(expected).max()
    assert_allclose(found, expected, rtol=0, atol=1e-4 * size + 1e-6)
    trace = np.trace(curvature, axis1=1, axis2=2).sum()
    assert point.mean_curvature == pytest.approx(trace, rel=1e-4, abs=1e-6)
    assert seen.value(linear) == pytest.approx(plain.value(theta), rel=1e-11)
    same, bent = seen.curved(point, width)
    assert same is seen
    assert bent is point


SMOOTH = [
    name
    for name, setting in SETTINGS.items()
    if name not in SEPARATE
    and not getattr(setting.loss.loss, "kinked", "quantile" in name)
    and getattr(setting.loss.loss, "convex", True)
]


@pytest.mark.parametrize("name", SMOOTH)
def test_hessian_of_smooth_losses(name: str) -> None:
    setting = SETTINGS[name]
    objective, theta = setting.on(host_rows), setting.theta

    def gradient(theta: np.ndarray) -> np.ndarray:
        return objective.value_and_gradient(theta)[1]

    columns = []
    for index in np.ndindex(theta.shape):
        move = np.zeros_like(theta)
        move[index] = STEP
        columns.append((gradient(theta + move) - gradient(theta - move)) / (2 * STEP))
    expected = np.stack([column.ravel() for column in columns])
    point = objective.point(objective.linear_predictor(theta))
    all_rows, bent = objective.curved(point, 1e-5)
    found = all_rows.hessian(bent)
    size = np.abs(expected).max()
    assert_allclose(found, expected, rtol=0, atol=1e-5 * size)
    columns_known = np.array([0, 2, 4])
    k = max(1, setting.n_predictors)
    some = (columns_known[:, None] * k + np.arange(k)).ravel()
    part = all_rows.hessian(bent, some[1:])  # not all predictors of a column
    expected = found[np.ix_(some[1:], some[1:])]
    assert_allclose(part, expected, rtol=1e-9, atol=1e-12 * size)
    factor = np.random.default_rng(1).standard_normal((5, 2))
    wide = np.kron(factor, np.eye(k))
    image = all_rows.hessian(bent, factor=factor)
    assert_allclose(image, wide.T @ found @ wide, rtol=1e-9, atol=1e-9 * size)


@pytest.mark.parametrize("name", SEPARATE)
def test_separate_predictors_are_fits_of_their_own(name: str) -> None:
    setting = SETTINGS[name]
    together = setting.on(host_rows)
    point = together.point(together.linear_predictor(setting.theta))
    gradient, value = together.gradient(point), 0.0
    for column in range(3):
        alone = replace(setting, target=setting.target[:, column], n_predictors=0)
        mine = alone.on(host_rows)
        found = mine.point(mine.linear_predictor(setting.theta[:, column]))
        assert_allclose(gradient[:, column], mine.gradient(found), rtol=1e-9)
        value += found.value
    assert point.value == pytest.approx(value, rel=1e-11)


@pytest.mark.parametrize("name", TOGETHER)
@pytest.mark.parametrize("width", [0.0, WIDE])
def test_rows_without_weight_do_not_count(name: str, width: float) -> None:
    setting = SETTINGS[name]
    objective = setting.on(host_rows).through(width)
    point = objective.point(objective.linear_predictor(setting.theta))
    nothing = setting.weight == 0
    target = setting.target.copy()
    target[nothing] = np.nan
    with np.errstate(invalid="ignore"):
        changed = replace(setting, target=target).on(host_rows).through(width)
        found = changed.point(changed.linear_predictor(setting.theta))
        assert found.value == point.value
        assert_allclose(changed.gradient(found), objective.gradient(point), rtol=1e-12)
        assert changed.value(found.linear) == objective.value(point.linear)
        if width:
            expected = objective.hessian(point)
            assert_allclose(changed.hessian(found), expected, rtol=1e-12, atol=1e-15)


def test_enough_rows_tell_the_curvature() -> None:
    # Most of so many rows are not asked for what all of them would say.
    n_rows = 60_000
    setting = many_rows(n_rows)
    objective: MeanLoss = setting.on(host_rows)
    point = objective.point(objective.linear_predictor(setting.theta))
    some, bent = objective.curved(point, 1e-3)
    assert some.data.rows.shape[0] < n_rows / 2
    everyone = objective.through(1e-3)
    expected = everyone.hessian(everyone.point(point.linear))
    # Second moments of some 16,000 rows: each is right to about 1 / sqrt(16,000).
    assert_allclose(some.hessian(bent), expected, atol=0.05 * np.abs(expected).max())
    # Where a few rows have most of the curvature, all are asked.
    weight = np.full(n_rows, 1e-9)
    weight[:10] = 1.0
    setting = replace(setting, weight=weight / weight.sum())
    objective = setting.on(host_rows)
    point = objective.point(objective.linear_predictor(setting.theta))
    assert objective.curved(point, 1e-3)[0].data.rows.shape[0] == n_rows


def test_terms_of_the_target_alone_are_left_out_but_count() -> None:
    setting = SETTINGS["poisson_deviance"]
    whole = replace(setting, loss=LinearLoss.of(setting.loss.loss))
    assert not setting.loss.whole
    for one, other in zip(
        setting.on(host_rows).value_and_gradient(setting.theta),
        whole.on(host_rows).value_and_gradient(setting.theta),
        strict=True,
    ):
        assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_effective_number_of_parts_whose_squares_overflow() -> None:
    assert effective_number(np.array([1e300, 0.0, 1e300, 1e-9])) == pytest.approx(2)
    assert effective_number(np.zeros(3)) == 0
