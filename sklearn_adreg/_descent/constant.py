"""The constant linear predictor that fits best: where descents start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize

from sklearn_adreg._objective.mean_loss import MeanLoss, Point
from sklearn_adreg._rows.rows import spread_out

# The interval of the targets is doubled so often, where the minimum is outside.
_MAX_EXPANSIONS = 60
# A constant of some rows is that of all where slopes cancel to this part of their size:
# seven events among 200,000 rows are missed otherwise, and cost 1.5 s in place of 0.2.
_BALANCED = 0.2
# Of several predictors a row some may be levels of the targets, and some logarithms of
# their spread: each is tried at either, so often in turn.
_TURNS = 2
# That many rows tell which is better.
_LEVEL_ROWS = 1 << 10
# So many columns, whose second moments are a part of the price of a fit, may tell where
# predictors without intercepts are nearest constants.
_MOST_NEARLY_CONSTANT = 1 << 10
# How closely their constants are found where it is not asked for.
_CONSTANTS_PRECISION = 1e-9


def best_constant(
    objective: MeanLoss, *, linked: bool, precision: float | None = None
) -> np.ndarray:
    """Theta of the constant linear predictor of least mean loss; zero without one.

    The root of the mean slope, which is found where it changes sign: for a loss that
    is not convex, one of several. It is as exact as floats are, or to a part of the
    range of the targets.
    """
    rows, weight = objective.data.rows, objective.data.weight
    if objective.n_outputs > 1:
        return _best_constants(objective, precision or _CONSTANTS_PRECISION)
    theta = np.zeros(rows.shape[1])
    if not rows.intercept:
        return theta

    def slope(level: float) -> float:
        theta[-1] = level
        point = objective.point(objective.linear_predictor(theta))
        return float(slopes_at(objective, point)[0])

    kept = objective.data.left[rows.nonzero(weight)]
    # Behind a link nothing is known of the constant, and row data may say more of it
    # than targets do.
    low, high = (-1.0, 1.0) if linked else (float(kept.min()), float(kept.max()))
    unknown = linked or objective.data.row_data
    if low == high and not unknown and _turns_at(slope, rows.dtype.type(low)):
        theta[-1] = low
        return theta
    reach = max(high - low, 1.0 if unknown else np.finfo(rows.dtype).eps * abs(high))
    (low, low_slope), (high, high_slope) = _bracket(slope, low, high, reach)
    level = low if abs(low_slope) <= abs(high_slope) else high
    if low_slope < 0 < high_slope:
        exact = 1e-14 * max(abs(low), abs(high))
        wanted = exact if precision is None else precision * (high - low)
        tolerance = max(wanted, np.finfo(float).tiny)
        level = brentq(slope, low, high, xtol=tolerance, rtol=1e-14)
    theta[-1] = level
    return theta


def _bracket(
    slope: Callable[[float], float], low: float, high: float, reach: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two levels between which the slope changes sign, if it does, and their slopes."""
    low_slope, high_slope = slope(low), slope(high)
    for _ in range(_MAX_EXPANSIONS):
        if not low_slope > 0 and not high_slope < 0:
            break
        # The slope points away: the minimum is further out, if there is one.
        if low_slope > 0:
            low, high, high_slope = low - reach, low, low_slope
            low_slope = slope(low)
        else:
            low, high, low_slope = high, high + reach, high_slope
            high_slope = slope(high)
        reach *= 2
    return (low, low_slope), (high, high_slope)


def _turns_at(slope: Callable[[float], float], level: np.floating) -> bool:
    """Whether that is a minimum: at a corner the slope may be that of either side."""
    below, above = (float(np.nextafter(level, end)) for end in (-np.inf, np.inf))
    return slope(below) <= 0 <= slope(above)


def balanced(objective: MeanLoss, point: Point) -> bool:
    """Whether the slopes at a constant cancel, as they do at the best one."""
    slope, size = slopes_at(objective, point)
    small = bool((np.abs(slope) <= _BALANCED * size).all())
    return small or not objective.data.rows.intercept


def slopes_at(objective: MeanLoss, point: Point) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the weighted slopes at a point, and of their sizes, by predictor."""
    _, (slope, size) = objective.data.rows.apply(_summed, point.slope)
    return np.asarray(slope, np.float64), np.asarray(size, np.float64)


def _summed(_xp: Any, slope: Any) -> Any:
    """Visitor: sums of slopes and of their sizes."""
    return (), (slope.sum(axis=0), abs(slope).sum(axis=0))


def output_units(objective: MeanLoss) -> tuple[np.ndarray, np.ndarray]:
    """Levels of k predictors a row from which their constants are found, and units.

    Each is zero, the median of the targets, or the logarithm of their spread, whichever
    is better; the second has the spread as its unit, and the others one.
    """
    if not objective.data.rows.intercept:
        return output_units(_with_intercepts(objective))
    counted = objective.data.rows.nonzero(objective.data.weight)
    some = objective.data.part(spread_out(counted, _LEVEL_ROWS))
    objective = replace(objective, data=some)
    rows, target, weight, *_ = some
    kept = np.asarray(rows.numpy(target)[rows.nonzero(weight)], dtype=np.float64)
    middle = float(np.median(kept))
    spread = float(np.median(np.abs(kept - middle)) or np.std(kept) or 1.0)
    levels = [(0.0, 1.0), (middle, spread), (float(np.log(spread)), 1.0)]
    found = np.zeros(objective.n_outputs)
    units = np.ones(objective.n_outputs)
    best = _value(objective, found)
    for _, output in product(range(_TURNS), range(len(found))):
        for level, unit in levels:
            if level == found[output]:
                continue
            tried = found.copy()
            tried[output] = level
            value = _value(objective, tried)
            if value < best or not np.isfinite(best):
                found, best, units[output] = tried, value, unit
    return found, units


def _value(objective: MeanLoss, levels: np.ndarray) -> float:
    return objective.value(objective.linear_predictor(_theta(objective, levels)))


def _theta(objective: MeanLoss, levels: np.ndarray) -> np.ndarray:
    theta = np.zeros(objective.data.rows.shape[1] * len(levels))
    theta[len(theta) - len(levels) :] = levels
    return theta


def _with_intercepts(objective: MeanLoss) -> MeanLoss:
    """Return the mean loss of k predictors a row as a function of intercepts."""
    (constants,) = objective.of_constants()
    rows = replace(constants.data.rows, intercept=True)
    return replace(constants, data=constants.data._replace(rows=rows))


def _nearest_constants(objective: MeanLoss, precision: float) -> np.ndarray:
    """Theta without intercepts whose predictors are nearest the best constants.

    A column of X, or some together, may be nearly constant. Zero where that is better.
    """
    rows, _, weight, *_ = objective.data
    if rows.shape[1] > _MOST_NEARLY_CONSTANT:
        return np.zeros(rows.shape[1] * objective.n_outputs)
    levels = _best_constants(_with_intercepts(objective), precision)
    cross = rows.rmatvec(weight)
    nearest = np.linalg.lstsq(rows.gram(weight), cross, rcond=None)[0]
    theta = np.outer(nearest, levels).reshape(-1)
    value, at_zero = (
        objective.value(objective.linear_predictor(each)) for each in (theta, 0 * theta)
    )
    return theta if value < at_zero else 0 * theta


def _best_constants(objective: MeanLoss, precision: float) -> np.ndarray:
    """Theta of the constants of k predictors a row, by BFGS."""
    if not objective.data.rows.intercept:
        return _nearest_constants(objective, precision)
    levels, units = output_units(objective)

    def value_and_slope(moves: np.ndarray) -> tuple[float, np.ndarray]:
        theta = _theta(objective, levels + units * moves)
        point = objective.point(objective.linear_predictor(theta))
        return point.value / size, units * slopes_at(objective, point)[0] / size

    point = objective.point(objective.linear_predictor(_theta(objective, levels)))
    size = float((units * slopes_at(objective, point)[1]).max()) or 1.0
    nothing, options = np.zeros(len(levels)), {"gtol": precision}
    found = minimize(value_and_slope, nothing, jac=True, method="BFGS", options=options)
    moves = found.x
    # Where there is no minimum, it may have gone to where floats end.
    while not np.isfinite(value_and_slope(moves)[1]).all() and moves.any():
        moves = moves / 2
    return _theta(objective, levels + units * moves)
