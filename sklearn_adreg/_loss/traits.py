"""What a descent must know of a loss: has it kinks, is it convex, has it a link.

The package's own losses say so. Of any other callable it is found out: derivatives
along a grid of predictions that fall tell that it is not convex, and a rise that
does not shrink with the interval that it is seen on is a kink.

Two grids are looked at. One spans the range of the targets; one gross outlier makes it
coarser than the well of a loss that descends again. The other is fine near each
target, in proportion to the error, up to several times the scale of the bulk.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_adreg._loss.linear import LinearLoss, predicted
from sklearn_adreg._loss.slopes import Differentiate
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import LOSSES, Loss

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
OWN = {type(loss) for loss in LOSSES.values()}


class Traits(NamedTuple):
    """What decides the route of a loss.

    `kinked`: the derivative has jumps. `convex`: convex in the linear predictor.
    `linked`: predictions are an inverse link of the linear predictor.
    """

    kinked: bool
    convex: bool
    linked: bool


def traits_of(loss: Loss, backend: Backend, target: np.ndarray) -> Traits:
    """Read the traits of a loss, or find them on the range of the target."""
    linked = getattr(loss, "inverse_link", None) is not None
    declared = Traits(
        getattr(loss, "kinked", False), getattr(loss, "convex", True), linked
    )
    if type(loss) in OWN:
        return declared
    differentiate = backend.value_and_derivative(LinearLoss.of(loss))
    levels, grid, (centres, scale) = looked_at(loss, target)
    slopes = _slopes(differentiate, levels, grid)
    with np.errstate(invalid="ignore"):
        rises = np.diff(slopes, axis=1)
        size = np.nanmax(np.abs(slopes), axis=1, initial=0.0, keepdims=True)
        convex = not (rises < -_SLOPE_NOISE * size).any()
    narrow = _NARROW * scale
    at_target = (grid < centres[:, None]).sum(axis=1) - 1
    kinked = _kinked(differentiate, levels, grid, rises, size, at_target, narrow)
    return Traits(declared.kinked or kinked, declared.convex and convex, linked)


def looked_at(
    loss: Loss, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, float]]:
    """Return targets and linear predictors for each, over the range; then, near it.

    With those that predict the targets, and the scale of these.
    """
    target = target.astype(np.float64)
    levels = np.unique(target)
    levels = levels[np.linspace(0, len(levels) - 1, _GRID_TARGETS).round().astype(int)]
    scales = [bulk_scale(column) for column in target.T]
    centres, least = levels, 0.0
    if getattr(loss, "inverse_link", None) is not None:
        centres, scales, least = _links(loss, levels), [_LINKED_SCALE], _LINKED_MARGIN
    grid = _grids(centres, scales, least)
    levels, centres = (np.resize(each, len(grid)) for each in (levels, centres))
    return levels, grid, (centres, min(scales))


def bulk_scale(target: np.ndarray) -> float:
    """Median distance from the median, of the targets that are not there; 1 of none."""
    some = target[:: max(1, len(target) // _SCALE_ROWS)].astype(np.float64)
    distance = np.abs(some - np.median(some))
    apart = distance[distance > 0]
    return float(np.median(distance) or np.median(apart)) if len(apart) else 1.0


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
    coarse = np.tile(np.linspace(*ends, _GRID), (_GRID_TARGETS, 1))
    finest, widest = _FINEST * min(scales), _WIDEST * max(scales)
    reach = np.arcsinh(widest / finest)
    errors = finest * np.sinh(np.linspace(-reach, reach * 0.99, _GRID))
    return np.concatenate([coarse, centres[:, None] + errors])


def _kinked(
    differentiate: Differentiate,
    levels: np.ndarray,
    grid: np.ndarray,
    rises: np.ndarray,
    size: np.ndarray,
    at_target: np.ndarray,
    narrow: float,
) -> bool:
    """Halve the intervals of the largest rises, and see whether the rise stays."""
    rises = np.nan_to_num(np.abs(rises), posinf=0.0)
    # A kink stands out from its neighbours, however steep the loss is elsewhere; and
    # most kinks are where the prediction is the target.
    around = (np.roll(rises, 1, axis=1) + np.roll(rises, -1, axis=1)) / 2
    suspects = np.argsort(rises - around, axis=1)[:, -_SUSPECTS:]
    suspects[:, 0] = np.clip(at_target, 0, _GRID - 2)
    low, high = (np.take_along_axis(grid, suspects + i, axis=1) for i in (0, 1))
    low_slope, high_slope = (_slopes(differentiate, levels, end) for end in (low, high))
    for _ in range(_HALVINGS):
        if (high - low <= narrow).all():
            break
        middle = (low + high) / 2
        slope = _slopes(differentiate, levels, middle)
        left = np.abs(slope - low_slope) >= np.abs(high_slope - slope)
        low, low_slope = np.where(left, (low, low_slope), (middle, slope))
        high, high_slope = np.where(left, (middle, slope), (high, high_slope))
    jumps = np.nan_to_num(np.abs(high_slope - low_slope), posinf=0.0)
    return bool((jumps > _SLOPE_NOISE * size).any())


def _slopes(
    differentiate: Differentiate, levels: np.ndarray, linear: np.ndarray
) -> np.ndarray:
    """Differentiate at a row of predictions for each target; NaN where not finite."""
    target = np.repeat(levels, linear.shape[1])
    with np.errstate(all="ignore"):
        found = differentiate(target, linear.ravel())[1]
    found = np.where(np.isfinite(found), found, np.nan)
    return found.reshape(linear.shape)
