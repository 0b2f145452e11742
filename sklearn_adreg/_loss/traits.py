"""What a descent must know of a loss: has it kinks, is it convex, has it a link.

The package's own losses say so. Of any other callable it is found out: derivatives
along a grid of predictions that fall tell that it is not convex, and a rise that
does not shrink with the interval that it is seen on is a kink.

Two grids are looked at. One spans the range of the targets; one gross outlier makes it
coarser than the well of a loss that descends again. The other is fine near each
target, in proportion to the error, up to several times the scale of the bulk.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from sklearn_adreg import losses
from sklearn_adreg._loss.apart import OneOutput, is_sum_around
from sklearn_adreg._loss.linear import LinearLoss, predicted
from sklearn_adreg._loss.lines import check_kinks, lines
from sklearn_adreg._loss.slopes import Differentiate
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss

_GRID_TARGETS, _GRID = 16, 256
# Errors of the fine grid, in units of the bulk: 256 points that are 8 % apart.
_FINEST, _WIDEST = 1e-3, 10.0
# Behind a link: the bulk is taken to be e^0.4 apart, with a margin of e^4 around the
# targets, and predictions of e^700 are the largest there are.
_LINKED_SCALE, _LINKED_MARGIN, _EXTREME = 0.4, 4.0, 700.0
# Rows that tell the scale of the bulk.
_SCALE_ROWS = 1 << 12
# An interval of the grid is halved until it is this part of the bulk's scale, or to the
# limit of what float64 can tell apart.
_NARROW, _HALVINGS = 1e-12, 64
_SUSPECTS = 4
# Changes of the derivative below this part of it are rounding.
_SLOPE_NOISE = 1e-6
OWN = {
    found for name in losses.__all__ if isinstance(found := getattr(losses, name), type)
}


class Traits(NamedTuple):
    """What decides the route of a loss.

    `kinked`: the derivative has jumps. `convex`: convex in the linear predictor.
    `linked`: predictions are an inverse link of the linear predictor. `part`: what one
    output decides, of a convex loss with kinks that is a sum over several.
    """

    kinked: bool
    convex: bool
    linked: bool
    part: OneOutput | None = None


class _Course(NamedTuple):
    """What a loss of one number does: kinks are between `low` and `high`."""

    convex: bool
    known: list[np.ndarray]
    low: np.ndarray
    high: np.ndarray

    @property
    def kinked(self) -> bool:
        return len(self.low) > 0


def traits_of(
    loss: Loss,
    backend: Backend,
    target: np.ndarray,
    row_data: Mapping[str, np.ndarray] = MappingProxyType({}),
    n_outputs: int = 1,
) -> Traits:
    """Read the traits of a loss, or find them on the range of the target.

    A loss that takes row data is looked at on rows with their own.
    """
    linked = getattr(loss, "inverse_link", None) is not None
    declared = Traits(
        getattr(loss, "kinked", False), getattr(loss, "convex", True), linked
    )
    if type(loss) in OWN:
        return declared
    whole = LinearLoss.of(loss, tuple(row_data))
    differentiate = backend.value_and_derivative(whole)
    seen = []
    if n_outputs == 1:
        known, grid, where = looked_at(loss, target, row_data)
        seen.append(_course(differentiate, known, grid, *where))
    else:
        levels, scales, beside = _levels(target, row_data)
        near_targets = levels, scales, 0.0
        near_zero = np.zeros_like(levels), [_LINKED_SCALE], _LINKED_MARGIN
        # One output may be the logarithm of a scale, which no level of the targets is.
        for around in [near_zero] if linked else [near_zero, near_targets]:
            known, grid, where = _around([levels, *beside], *around)
            at_target, scale = around is near_targets, around[1][0]
            for line in lines(differentiate, n_outputs, scale, at_target=at_target):
                seen.append(_course(line, known, grid, *where))
                check_kinks(loss, line, *seen[-1][1:])
    kinked = declared.kinked or any(each.kinked for each in seen)
    convex = declared.convex and all(each.convex for each in seen)
    if n_outputs == 1 or not (kinked and convex):
        return Traits(kinked, convex, linked)
    part = OneOutput(whole, n_outputs, at_target=not linked)
    unit = _LINKED_SCALE if linked else scales[0]
    return Traits(kinked, convex, linked, _checked(part, unit, levels, *beside))


def _checked(
    part: OneOutput, unit: float, levels: np.ndarray, *beside: np.ndarray
) -> OneOutput | None:
    """Return the part of one output where the loss is the sum of these."""
    centre = levels[:, None] if part.at_target else np.zeros((len(levels), 1))
    return part if is_sum_around(part, centre, unit, levels, *beside) else None


def _course(
    differentiate: Differentiate,
    known: list[np.ndarray],
    grid: np.ndarray,
    centres: np.ndarray,
    scale: float,
) -> _Course:
    """Look at a loss of one number for each target and its row data."""
    slopes = _slopes(differentiate, known, grid)
    with np.errstate(invalid="ignore"):
        rises = np.diff(slopes, axis=1)
        size = np.nanmax(np.abs(slopes), axis=1, initial=0.0, keepdims=True)
        convex = not (rises < -_SLOPE_NOISE * size).any()
    narrow = _NARROW * scale
    at_target = (grid < centres[:, None]).sum(axis=1) - 1
    found = _kinks(differentiate, known, grid, rises, size, at_target, narrow)
    return _Course(convex, *found)


def looked_at(
    loss: Loss, target: np.ndarray, row_data: Mapping[str, np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray, tuple[np.ndarray, float]]:
    """Return linear predictors for some targets, over the range; then, near them.

    First come the targets with the data of their rows; last the linear predictors that
    predict the targets, and the scale of these.
    """
    levels, scales, beside = _levels(target, row_data)
    centres, least = levels, 0.0
    if getattr(loss, "inverse_link", None) is not None:
        centres, scales, least = _links(loss, levels), [_LINKED_SCALE], _LINKED_MARGIN
    return _around([levels, *beside], centres, scales, least)


def _levels(
    target: np.ndarray, row_data: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, list[float], list[np.ndarray]]:
    """Choose targets over the range of all, and of each of the row data.

    All values are among them of what has few. With the scale of each column, and the
    data of their rows.
    """
    scales, every = [bulk_scale(column) for column in target.T], target.ravel()
    if not row_data:  # to sort numbers takes a fifth of what their order takes
        return _spread(np.unique(every)).astype(np.float64), scales, []
    n_rows, n_targets = target.shape
    columns = [every]
    for each in row_data.values():
        columns.extend(each.reshape(n_rows, -1).repeat(n_targets, axis=0).T)
    firsts = (np.unique(column, return_index=True)[1] for column in columns)
    index = np.concatenate([_spread(first) for first in firsts])
    rows = (each[index // n_targets] for each in row_data.values())
    beside = [row.astype(np.float64) if row.dtype.kind == "f" else row for row in rows]
    return every[index].astype(np.float64), scales, beside


def _around(
    known: list[np.ndarray],
    centres: np.ndarray,
    scales: list[float],
    least: float,
) -> tuple[list[np.ndarray], np.ndarray, tuple[np.ndarray, float]]:
    """Lay two grids around centres; with what is known of each row of them."""
    grid = _grids(centres, scales, least)
    twice = [np.concatenate([each, each]) for each in known]
    return twice, grid, (np.tile(centres, 2), min(scales))


def bulk_scale(target: np.ndarray) -> float:
    """Median distance from the median, of the targets that are not there; 1 of none."""
    some = target[:: max(1, len(target) // _SCALE_ROWS)].astype(np.float64)
    distance = np.abs(some - np.median(some))
    apart = distance[distance > 0]
    return float(np.median(distance) or np.median(apart)) if len(apart) else 1.0


def _spread(values: np.ndarray) -> np.ndarray:
    """Return as many of the values as are looked at, evenly."""
    return values[np.linspace(0, len(values) - 1, _GRID_TARGETS).round().astype(int)]


def _links(loss: Loss, levels: np.ndarray) -> np.ndarray:
    """Linear predictors where the levels are predicted, by bisection; else zero."""
    low, high = (np.full(len(levels), end) for end in (-_EXTREME, _EXTREME))
    with np.errstate(all="ignore"):
        rising = predicted(loss, high) > predicted(loss, low)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            above = (predicted(loss, middle) > levels) == rising
            low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.where(np.abs(middle) < _EXTREME - 1, middle, 0.0)


def _grids(centres: np.ndarray, scales: list[float], least: float) -> np.ndarray:
    """Linear predictors for each centre: over the range of all; then again, near it.

    The range has a margin of at least so much.
    """
    low, high = centres.min(), centres.max()
    margin = max((high - low) / 3, least) or 1.0
    # A few irrational steps, so that no point of the grid is on a kink.
    ends = low - margin, high + margin / np.sqrt(2)
    coarse = np.tile(np.linspace(*ends, _GRID), (len(centres), 1))
    finest, widest = _FINEST * min(scales), _WIDEST * max(scales)
    reach = np.arcsinh(widest / finest)
    errors = finest * np.sinh(np.linspace(-reach, reach * 0.99, _GRID))
    return np.concatenate([coarse, centres[:, None] + errors])


def _kinks(
    differentiate: Differentiate,
    known: list[np.ndarray],
    grid: np.ndarray,
    rises: np.ndarray,
    size: np.ndarray,
    at_target: np.ndarray,
    narrow: float,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Halve the intervals of the largest rises, and see whether the rise stays.

    Returns what is known of the row of each kink, and the ends of its interval.
    """
    rises = np.nan_to_num(np.abs(rises), posinf=0.0)
    # A kink stands out from its neighbours, however steep the loss is elsewhere; and
    # most kinks are where the prediction is the target.
    around = (np.roll(rises, 1, axis=1) + np.roll(rises, -1, axis=1)) / 2
    suspects = np.argsort(rises - around, axis=1)[:, -_SUSPECTS:]
    suspects[:, 0] = np.clip(at_target, 0, _GRID - 2)
    low, high = (np.take_along_axis(grid, suspects + i, axis=1) for i in (0, 1))
    low_slope, high_slope = (_slopes(differentiate, known, end) for end in (low, high))
    for _ in range(_HALVINGS):
        if (high - low <= narrow).all():
            break
        middle = (low + high) / 2
        slope = _slopes(differentiate, known, middle)
        left = np.abs(slope - low_slope) >= np.abs(high_slope - slope)
        low, low_slope = np.where(left, (low, low_slope), (middle, slope))
        high, high_slope = np.where(left, (middle, slope), (high, high_slope))
    jumps = np.nan_to_num(np.abs(high_slope - low_slope), posinf=0.0)
    row, column = np.nonzero(jumps > _SLOPE_NOISE * size)
    return [each[row] for each in known], low[row, column], high[row, column]


def _slopes(
    differentiate: Differentiate, known: list[np.ndarray], linear: np.ndarray
) -> np.ndarray:
    """Differentiate at a row of predictions for each target; NaN where not finite.

    `known` are the targets, and the data of their rows.
    """
    target, *row_data = (np.repeat(each, linear.shape[1], axis=0) for each in known)
    with np.errstate(all="ignore"):
        found = differentiate(target, linear.ravel(), *row_data)[1]
    found = np.where(np.isfinite(found), found, np.nan)
    return found.reshape(linear.shape)
