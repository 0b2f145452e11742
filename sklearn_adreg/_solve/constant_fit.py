"""The constant that fits best: where a descent starts."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from sklearn_adreg._loss.pointwise import Pointwise

_MAX_EXPANSIONS = 60


def constant_fit(
    pointwise: Pointwise,
    target: np.ndarray,
    weights: np.ndarray,
    *,
    linked: bool,
    precision: float | None = None,
) -> float:
    """Minimise the mean loss over a constant linear predictor.

    The root of the mean slope, which is found where it changes sign: for a loss that
    is not convex, one of several. It is as exact as floats are, or to a part of the
    range of the targets.
    """
    kept = weights > 0
    target, weights = target[kept], weights[kept] / weights[kept].sum()

    def slope(constant: float) -> float:
        linear = np.full_like(target, constant)
        return float(weights @ pointwise.slopes(target, linear, 0.0).slope)

    low, high = _bracket(target, linked=linked)
    low_slope, high_slope = slope(low), slope(high)
    reach = max(high - low, 1.0 if linked else np.finfo(target.dtype).eps * abs(high))
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
    if not (low_slope < 0 < high_slope):
        return low if abs(low_slope) <= abs(high_slope) else high
    exact = 1e-14 * max(abs(low), abs(high))
    wanted = exact if precision is None else precision * (high - low)
    tolerance = max(wanted, np.finfo(float).tiny)
    return float(brentq(slope, low, high, xtol=tolerance, rtol=1e-14))


def _bracket(target: np.ndarray, *, linked: bool) -> tuple[float, float]:
    if linked:
        return -1.0, 1.0
    return float(target.min()), float(target.max())
