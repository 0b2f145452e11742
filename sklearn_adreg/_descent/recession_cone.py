"""A direction along which a convex mean loss falls for ever: a linear programme.

Along a direction d of its linear predictors the loss of a row grows as fast, far out,
as the largest of s . d over the slopes s that it has anywhere. Directions along which
no row grows are a cone, the recession cone [1]_, and each slope that is seen is one of
its planes. The direction among them that falls fastest from predictors of zero solves a
linear programme. The slopes far out along it are planes as well: where it crosses one,
this joins, and so on (cutting planes), until it crosses none.

The mean loss falls there and has no minimum, unless rows become constant somewhere, as
a hinge does: those have a last slope, and a tail has none.

References
----------
.. [1] R. T. Rockafellar, "Convex Analysis", Princeton University Press, 1970,
   sections 8 and 27.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import linprog

from sklearn_adreg._descent.constant import slopes_at
from sklearn_adreg._objective.mean_loss import MeanLoss, Point

# How far out the slopes of rows are looked at; less where they overflow there.
_OUTERMOST = 2.0**32
# Planes that join at a time, those that are crossed most, and how often. (120 random
# designs of up to five classes take 5 programmes at the most; 300 levels of a category,
# some without one of the classes, 7.)
_PLANES, _MOST_PROGRAMMES = 256, 64
# Growth that is none, relative to what slopes could make of a direction, or the root of
# rounding where this is more: programmes are solved to 1e-7, and where rows bend the
# span is flat up to rounding. What falls by less does not fall.
_NO_GROWTH = 1e-6
# Rows that are asked for a tail: so many of those that fall by more than this part of
# the steepest. Others move by rounding.
_ASKED, _FALLING = 64, 1e-2
# Slopes are followed down to so many times the growth that is none. On the way through
# equal ratios a tail takes equal steps, a logistic loss 0.94 to 1 times the one before,
# and a squared hinge 0.02 to 0.15 times. Ways are halved so often.
_ABOVE, _AS_FAR, _TAIL_HALVINGS = 10.0, 0.5, 64


def recession_direction(
    objective: MeanLoss, linear: Any, span: np.ndarray
) -> np.ndarray | None:
    """Return a direction in a span (p, q) along which no row grows and some fall.

    None if there is none, or none is found.
    """
    start = objective.point(objective.linear_predictor(np.zeros(len(span))))
    sizes, units = slopes_at(objective, start)[1], objective.units
    falls = -span.T @ objective.gradient(start)
    steepest = np.abs(falls).max(initial=0.0)
    least = _no_growth(objective)
    most = float(np.sum(sizes if units is None else sizes * units))
    if not most * least < steepest < np.inf:
        return None
    planes = np.empty((0, len(falls)))
    for _ in range(_MOST_PROGRAMMES):
        bounds = np.zeros(len(planes))
        found = linprog(-falls / steepest, planes, bounds, bounds=(-1, 1))
        if found.x is None or not -found.fun > least:
            return None
        direction = span @ found.x
        crossed = _crossed(objective, linear, direction, span)
        if not len(crossed):
            return direction
        if not np.isfinite(crossed).all():
            return None
        planes = np.vstack([planes, crossed])
    return None


def _crossed(
    objective: MeanLoss, linear: Any, direction: np.ndarray, span: np.ndarray
) -> np.ndarray:
    """Planes (m, q) of the cone that a direction crosses, those crossed most."""
    rows, k, ray = objective.data.rows, objective.n_outputs, objective.ray(direction)
    point = _far(objective, linear, ray, _OUTERMOST, 1 / 4)
    slope, moved = _by_row(objective, point.slope, ray)
    units = np.ones(k) if objective.units is None else np.asarray(objective.units)
    sizes = np.abs(moved / units).max(axis=1)
    sizes = np.maximum(sizes, np.sqrt(np.square(sizes).mean()))
    steepest = np.abs(slope) @ units * sizes
    growth = (slope * moved).sum(axis=1) / np.where(steepest > 0, steepest, 1.0)
    index = np.flatnonzero(~(growth <= _no_growth(objective)))
    index = np.sort(index[np.argsort(growth[index])[-_PLANES:]])
    few, _ = rows.take(index)
    images = few.numpy(few.matvec(span.reshape(len(span) // k, -1)))
    images = np.asarray(images, np.float64).reshape(-1, k, span.shape[1])
    planes = np.einsum("nk,nkq->nq", slope[index], images)
    return np.asarray(planes / np.abs(planes).max(axis=1, keepdims=True, initial=0.0))


def has_tail_along(objective: MeanLoss, linear: Any, direction: np.ndarray) -> bool:
    """Whether rows that have run off along a direction fall on for ever.

    Otherwise most of those that fall most are constant from somewhere.
    """
    ray = objective.ray(direction)
    at, moved = _by_row(objective, linear, ray)
    back = -(2 * np.abs(at).max() + 1.0) / np.abs(moved).max()
    first = _far(objective, linear, ray, back, 0.9)
    (slope,) = _by_row(objective, first.slope)
    falls = -(slope * moved).sum(axis=1)
    index = np.flatnonzero(falls > _FALLING * falls.max(initial=0.0))
    index = np.sort(index[np.argsort(falls[index])[-_ASKED:]])
    few = replace(objective, data=objective.data.take(index))
    at, moved, falls = at[index], moved[index], falls[index]
    least = _ABOVE * _no_growth(objective)
    near, middle, last = (
        _how_far(few, at, moved, back, share * falls)
        for share in least ** np.array([1 / 3, 2 / 3, 1.0])
    )
    tails = (near < 0) & (last - middle > _AS_FAR * (middle - near))
    return bool(2 * np.count_nonzero(tails) > len(index))


def _how_far(
    few: MeanLoss, at: np.ndarray, moved: np.ndarray, back: float, least: np.ndarray
) -> np.ndarray:
    """How far each row moves, from so far back, until it falls less steeply."""
    near, far = np.full(len(at), back), np.full(len(at), _OUTERMOST)
    for _ in range(_TAIL_HALVINGS):
        middle = (near + far) / 2
        there = at + middle[:, None] * moved
        there = few.data.rows.vector(there if few.n_outputs > 1 else there[:, 0])
        (slope,) = _by_row(few, few.point(there).slope)
        falling = -(slope * moved).sum(axis=1) > least
        near, far = np.where(falling, middle, near), np.where(falling, far, middle)
    return near


def _no_growth(objective: MeanLoss) -> float:
    """Growth that is none, relative to what it could be."""
    eps = np.finfo(objective.data.rows.dtype).eps
    return max(_NO_GROWTH, float(np.sqrt(eps)))


def _far(
    objective: MeanLoss, linear: Any, ray: Any, distance: float, nearer: float
) -> Point:
    """Differentiate so far out along a ray, or nearer where slopes are not finite."""
    for _ in range(_TAIL_HALVINGS):
        point = objective.point(linear, ray, distance)
        if np.isfinite(objective.data.rows.numpy(point.slope)).all():
            break
        distance *= nearer
    return point


def _by_row(objective: MeanLoss, *vectors: Any) -> list[np.ndarray]:
    """Row vectors as (n, k), in host memory."""
    rows, k = objective.data.rows, objective.n_outputs
    return [np.asarray(rows.numpy(each), np.float64).reshape(-1, k) for each in vectors]
