"""Whether a loss jumps: its increments are then more than its derivatives explain.

Between neighbours on a grid of predictions a loss changes by the integral of its
derivative. What the trapezoid rule misses of that shrinks with the interval, at the
kinks and cusps of a continuous loss as well; at a jump it stays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_adreg._loss.slopes import Differentiate
from sklearn_adreg._loss.traits import Look, on_grid

# Intervals where the most is missing, the ends of the parts that each is divided into,
# and how often: a slope of 1e6 in units of the targets' scale is told from a jump then.
_LOOKED_INTO, _ENDS, _DIVISIONS = 4, 32, 6
# What is missing at a jump stays: 31 parts leave a fifth of it at the end of a square
# root, and less at a kink. Once intervals are narrow it is in few parts, where all have
# some rounding; and parts are so many units of that wide.
_KEPT, _ALONE, _UNITS = 0.3, 0.1, 4.0
# Jumps matter from this part of what the loss changes by near its targets, and this
# part of the loss itself (rounding of LINEX in billionths is a tenth of it); what is
# missing, from a part of the loss that no other rounding reaches.
_MATTERS, _OF_LOSS, _JUMP_NOISE = 5e-3, 1e-3, 1e-9
# How far apart ends are in float32, in units of its rounding: the rounding of targets
# moves jumps.
_STEPS_APART = 16.0


class Jump(NamedTuple):
    """A loss that changes from one value to another at a linear predictor."""

    y_true: float
    linear: float
    before: float
    after: float


def find_jump(look: Look) -> Jump | None:
    """Look for a jump where a loss was looked at."""
    values, grid = look.values, look.grid
    missing = _missing(values, look.slopes, grid)
    # The second half of the grid is near the targets.
    near = np.sort(values[len(values) // 2 :], axis=1)
    with np.errstate(all="ignore"):
        size = np.tile(near[:, 3 * near.shape[1] // 4] - near[:, 0], 2)
        # A jump stands out from its neighbours, however steep the loss is elsewhere.
        around = missing.copy()
        around[:, 1:-1] = (missing[:, 2:] + missing[:, :-2]) / 2
        score = np.nan_to_num((missing - around) / size[:, None], posinf=0.0)
    worst = np.argpartition(score, -_LOOKED_INTO, axis=None)[-_LOOKED_INTO:]
    worst = worst[np.argsort(score.flat[worst])]
    if not score.flat[worst[-1]] > _MATTERS:
        return None
    row, column = np.unravel_index(worst, score.shape)
    ends = grid[row, column], grid[row, column + 1]
    there = [each[row] for each in look.known]
    return _jump(look.differentiate, there, ends, _MATTERS * size[row])


def _jump(
    differentiate: Differentiate,
    known: list[np.ndarray],
    ends: tuple[np.ndarray, np.ndarray],
    least: np.ndarray,
) -> Jump | None:
    """Divide intervals, and the part of each where the most is missing.

    None where it becomes less in all of them, or where slopes explain the rest.
    """
    every, before, stays = np.arange(len(least)), np.zeros(len(least)), True
    for _ in range(_DIVISIONS):
        parts = np.linspace(*ends, _ENDS, axis=1)
        values, slopes = on_grid(differentiate, known, parts)
        missing = _missing(values, slopes, parts)
        low = every, missing.argmax(axis=1)
        high = every, low[1] + 1
        alone = missing[low] > _ALONE * missing.sum(axis=1)
        stays = stays & (alone | (before == 0)) & (missing[low] > _KEPT * before)
        if not stays.any():
            return None
        before, end = missing[low], parts[high]
        width = _UNITS * _ENDS * np.spacing(np.abs(end))
        ends = np.minimum(parts[low], end - width), end
    tiny = np.finfo(float).tiny
    steepest = np.maximum(abs(slopes[low]), abs(slopes[high]))
    jumps = abs(values[high] - values[low]) - steepest * (parts[high] - parts[low])
    least = np.maximum(
        least, _OF_LOSS * np.maximum(abs(values[low]), abs(values[high]))
    )
    jumps = np.where(stays & (jumps > least), jumps / np.maximum(least, tiny), 0.0)
    worst = jumps.argmax()
    each = known[0], end, values[low], values[high]
    jump = Jump(*(float(vector[worst]) for vector in each))
    row = [vector[[worst, worst]] for vector in known]
    real = jumps[worst] > 0 and _in_float32(differentiate, row, jump)
    return jump if real else None


def _in_float32(
    differentiate: Differentiate, row: list[np.ndarray], jump: Jump
) -> bool:
    """Whether a jump is there in float32: what rounding does is elsewhere then.

    The logarithm of a difference that vanishes has such steps. `row` are the target and
    its data, twice.
    """
    known = [
        each.astype(np.float32) if each.dtype.kind == "f" else each for each in row
    ]
    largest = max(abs(jump.linear), *(np.abs(each).max() for each in known))
    if not np.isfinite(largest):
        largest = max(abs(jump.linear), abs(jump.y_true))
    step = _STEPS_APART * float(np.finfo(np.float32).eps) * largest
    ends = np.array([jump.linear - step, jump.linear + step], dtype=np.float32)
    with np.errstate(all="ignore"):
        before, after = np.asarray(differentiate(known[0], ends, *known[1:])[0])
        return bool(abs(after - before) > abs(jump.after - jump.before) / 2)


def _missing(values: np.ndarray, slopes: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """Return what the trapezoid rule misses of the increments of the values."""
    with np.errstate(all="ignore"):
        rises = (slopes[:, 1:] + slopes[:, :-1]) / 2 * np.diff(linear, axis=1)
        missing = np.abs(np.diff(values, axis=1) - rises)
        missing -= _JUMP_NOISE * np.abs(values[:, 1:])
    return np.where(missing > 0, np.nan_to_num(missing, posinf=0.0), 0.0)
