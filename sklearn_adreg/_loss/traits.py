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
from sklearn_adreg._loss.lines import Line, check_kinks, lines
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
# Intervals of each target that are halved: all at once, and as often as one call of as
# many points as the grid has foresees, so that no other number of them is compiled. It
# takes 250 to 410 us for 8,192 points, and 100 to 280 for 128.
_SUSPECTS = 4
# Changes of the derivative below this part of it are rounding.
_SLOPE_NOISE = 1e-6
# Positions, and slopes there.
_End = tuple[np.ndarray, np.ndarray]
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


class Look(NamedTuple):
    """Values and slopes of a loss of one number on a grid, for some targets.

    `known` are these targets and the data of their rows, `centres` the numbers that
    predict them, and `scale` is that of the bulk.
    """

    differentiate: Differentiate
    known: list[np.ndarray]
    grid: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    centres: np.ndarray
    scale: float


class _Course(NamedTuple):
    """What a loss of one number does: kinks are between `low` and `high`."""

    convex: bool
    known: list[np.ndarray]
    low: np.ndarray
    high: np.ndarray

    @property
    def kinked(self) -> bool:
        return len(self.low) > 0


def traits_of(loss: Loss, looks: list[Look]) -> Traits:
    """Read the traits of a loss, or find them in what was seen of it."""
    linked = getattr(loss, "inverse_link", None) is not None
    kinked, convex = getattr(loss, "kinked", False), getattr(loss, "convex", True)
    for look in looks:
        course = _course(look)
        kinked, convex = kinked or course.kinked, convex and course.convex
        if isinstance(look.differentiate, Line):
            check_kinks(loss, look.differentiate, *course[1:])
    return Traits(kinked, convex, linked)


def with_part(traits: Traits, loss: LinearLoss, n_outputs: int, look: Look) -> Traits:
    """Add what one output decides, where a loss of several is a sum around targets."""
    if not (traits.kinked and traits.convex):
        return traits
    part = OneOutput(loss, n_outputs, at_target=not traits.linked)
    apart = is_sum_around(part, look.centres[:, None], look.scale, *look.known)
    return traits._replace(part=part if apart else None)


def looked_at(
    loss: Loss,
    backend: Backend,
    target: np.ndarray,
    row_data: Mapping[str, np.ndarray] = MappingProxyType({}),
    n_outputs: int = 1,
) -> list[Look]:
    """Look at a loss over the range of the target, (n_samples, n_targets), and near it.

    One that takes row data is looked at on rows with their own, one of several outputs
    along lines, and the package's own not at all.
    """
    if type(loss) in OWN:
        return []
    differentiate = backend.value_and_derivative(LinearLoss.of(loss, tuple(row_data)))
    levels, scales, beside = _levels(target, row_data)
    linked = getattr(loss, "inverse_link", None) is not None
    known = [levels, *beside]
    if n_outputs == 1:
        around = levels, scales, 0.0
        if linked:
            around = _links(loss, levels), [_LINKED_SCALE], _LINKED_MARGIN
        return [_look(differentiate, known, *around)]
    near_targets = levels, scales, 0.0
    near_zero = np.zeros_like(levels), [_LINKED_SCALE], _LINKED_MARGIN
    # One output may be the logarithm of a scale, which no level of the targets is.
    return [
        _look(line, known, *around)
        for around in ([near_zero] if linked else [near_zero, near_targets])
        for line in lines(
            differentiate,
            n_outputs,
            around[1][0],
            at_target=around is near_targets,
        )
    ]


def _look(
    differentiate: Differentiate,
    known: list[np.ndarray],
    centres: np.ndarray,
    scales: list[float],
    least: float,
) -> Look:
    """Look at a loss on two grids around centres, with what is known of their rows."""
    grid = _grids(centres, scales, least)
    twice = [np.concatenate([each, each]) for each in known]
    seen = on_grid(differentiate, twice, grid)
    return Look(differentiate, twice, grid, *seen, np.tile(centres, 2), min(scales))


def on_grid(
    differentiate: Differentiate, known: list[np.ndarray], linear: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Values and slopes at a row of predictions for each target.

    `known` are the targets, and the data of their rows.
    """
    target, *row_data = (np.repeat(each, linear.shape[1], axis=0) for each in known)
    with np.errstate(all="ignore"):
        found = differentiate(target, linear.ravel(), *row_data)
    values, slopes = (np.asarray(each).reshape(linear.shape) for each in found)
    return values, slopes


def _course(look: Look) -> _Course:
    slopes = _finite(look.slopes)
    with np.errstate(invalid="ignore"):
        rises = np.diff(slopes, axis=1)
        size = np.nanmax(np.abs(slopes), axis=1, initial=0.0, keepdims=True)
        convex = not (rises < -_SLOPE_NOISE * size).any()
    return _Course(convex, *_kinks(look, slopes, size))


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
    look: Look, slopes: np.ndarray, size: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Halve the intervals of the largest rises, and see whether the rise stays.

    Returns what is known of the row of each kink, and the ends of its interval.
    """
    grid, narrow = look.grid, _NARROW * look.scale
    rises = np.nan_to_num(np.abs(np.diff(slopes, axis=1)), posinf=0.0)
    # A kink stands out from its neighbours, however steep the loss is elsewhere; and
    # most kinks are where the prediction is the target.
    around = (np.roll(rises, 1, axis=1) + np.roll(rises, -1, axis=1)) / 2
    suspects = np.argpartition(rises - around, -_SUSPECTS, axis=1)[:, -_SUSPECTS:]
    at_target = (grid < look.centres[:, None]).sum(axis=1) - 1
    suspects[:, 0] = np.clip(at_target, 0, _GRID - 2)
    row, column = np.arange(len(grid)).repeat(_SUSPECTS), suspects.ravel()
    known = [each[row] for each in look.known]
    low, high = ((grid[row, end], slopes[row, end]) for end in (column, column + 1))
    noise = _SLOPE_NOISE * size[row, 0]
    ratio = np.maximum(high[0] - low[0], narrow).max() / narrow
    left = int(np.ceil(min(np.log2(ratio), _HALVINGS)))
    while True:
        rising = np.nan_to_num(np.abs(high[1] - low[1]), posinf=0.0) > noise
        known, noise = [each[rising] for each in known], noise[rising]
        low, high = ((x[rising], slope[rising]) for x, slope in (low, high))
        if not (left and rising.any()):
            return known, low[0], high[0]
        foreseen = (grid.size // len(noise)).bit_length() - 1
        times = min(foreseen, left)
        low, high = _halved(look.differentiate, known, low, high, foreseen, times)
        left -= times


def _finite(values: np.ndarray) -> np.ndarray:
    """Put NaN in the place of infinities, so that their differences are."""
    return np.where(np.isfinite(values), values, np.nan)


def _halved(
    differentiate: Differentiate,
    known: list[np.ndarray],
    low: _End,
    high: _End,
    foreseen: int,
    times: int,
) -> tuple[_End, _End]:
    """Halve intervals so many times, towards the larger rise, from one call.

    It is asked of what so many halvings as are foreseen may need.
    """
    step = 1 << foreseen
    points = np.linspace(low[0], high[0], step + 1, axis=1)
    inner = _finite(on_grid(differentiate, known, points[:, :-1])[1])
    slopes = np.concatenate([inner, high[1][:, None]], axis=1)
    points, slopes = points.ravel(), slopes.ravel()
    at = np.arange(0, len(points), step + 1)
    for _ in range(times):
        step //= 2
        middle = slopes[at + step]
        left = np.abs(middle - slopes[at]) >= np.abs(slopes[at + 2 * step] - middle)
        at += np.where(left, 0, step)
    end = at + step
    return (points[at], slopes[at]), (points[end], slopes[end])
