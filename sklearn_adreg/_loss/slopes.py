"""Value, slope and curvature of a loss by the linear predictor, plain or in a window.

Where the loss has a kink, a descent sees it through a window: the average of the loss
over linear predictors within a bandwidth h of z,

    (1 / 2h) * integral of loss(y, t) for t from z - h to z + h,

convolution with a uniform kernel [1]_. Its slope,
(loss(y, z + h) - loss(y, z - h)) / 2h, and its curvature, the same difference of the
slope, need nothing but the loss and its first derivative at two points: they are right
for any loss, whether its kinks are known or not. A narrow window tells the curvature
of a smooth loss as well.

With k predictors a row the window is a cross: one such difference along each axis. That
is the exact gradient of a smoothed loss for sums of functions of z_j and of z_i - z_j
(quantiles, and hinges against their crossing); for others its error is of order h.

The same code runs on NumPy arrays and on a device, where `xp` is its namespace.

References
----------
.. [1] X. He, X. Pan, K. M. Tan, W.-X. Zhou, "Smoothed quantile regression with
   large-scale inference", Journal of Econometrics, 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Slopes that differ by less, relative, at both ends of a window belong to one straight
# piece: rounding of a slope that is computed twice.
_SAME_PIECE = 1e-12

# (y_true, z, *row_data) -> losses and their derivatives by z.
Differentiate = Callable[..., tuple[Any, Any]]


def slopes(
    xp: Any,
    differentiate: Differentiate,
    y_true: Any,
    linear: Any,
    *row_data: Any,
    bandwidth: Any = None,
) -> tuple[Any, ...]:
    """Return the loss of each row, its slope by z and, in a window, its curvature.

    Through a window the value is the mean of both ends, which for a convex loss is not
    below the average. With k predictors the curvature is (n, k, k).
    """
    if bandwidth is None:
        return differentiate(y_true, linear, *row_data)
    if linear.ndim == 1:
        above, below = linear + bandwidth, linear - bandwidth
        high = differentiate(y_true, above, *row_data)
        low = differentiate(y_true, below, *row_data)
        return _in_window(xp, high, low, above - below)
    return _in_cross(xp, differentiate, y_true, linear, row_data, bandwidth)


def _in_window(
    xp: Any, high: tuple[Any, Any], low: tuple[Any, Any], length: Any
) -> tuple[Any, Any, Any]:
    """Differentiate the average over a window, from values and slopes at both ends.

    `length` is that of the window as rounding has left it.
    """
    rise = high[1] - low[1]
    # Away from kinks the mean of the ends' is as good, and loses no digits of outliers.
    # An end on a corner of infinite slope, as of abs(y - z) ** 0.5, tells none.
    known = xp.isfinite(rise)
    smooth = known & is_same_piece(rise, high[1], low[1])
    length = xp.where(length > 0, length, 1.0)
    secant = (high[0] - low[0]) / length
    slope = xp.where(smooth, (high[1] + low[1]) / 2, secant)
    value = (high[0] + low[0]) / 2
    return value, slope, xp.where(known & ~smooth, rise, 0.0) / length


def _in_cross(
    xp: Any,
    differentiate: Differentiate,
    y_true: Any,
    linear: Any,
    row_data: tuple[Any, ...],
    bandwidth: Any,
) -> tuple[Any, Any, Any]:
    """Slopes and curvatures of k predictors, from two points along each axis.

    The bandwidth is (k,), one for each.
    """
    n_predictors = linear.shape[1]
    value, columns, rows = 0.0, [], []
    for axis in range(n_predictors):
        move = bandwidth * (xp.arange(n_predictors) == axis).astype(linear.dtype)
        above, below = linear + move, linear - move
        high, slope_high = differentiate(y_true, above, *row_data)
        low, slope_low = differentiate(y_true, below, *row_data)
        length = above[:, axis] - below[:, axis]
        ends = (high, slope_high[:, axis]), (low, slope_low[:, axis])
        middle, slope, _ = _in_window(xp, *ends, length)
        columns.append(slope)
        rise = slope_high - slope_low
        # Of a row whose slopes by all predictors are those of one piece.
        straight = is_same_piece(rise, slope_high, slope_low).all(axis=1)
        known = xp.isfinite(rise) & ~straight[:, None]
        length = xp.where(length > 0, length, 1.0)[:, None]
        rows.append(xp.where(known, rise, 0.0) / length)
        value = value + middle / n_predictors
    curvature = xp.stack(rows, axis=1)
    symmetric = (curvature + xp.swapaxes(curvature, 1, 2)) / 2
    return value, xp.stack(columns, axis=1), symmetric


def is_same_piece(rise: Any, one: Any, other: Any) -> Any:
    """Whether slopes that differ by a rise are those of one straight piece."""
    return abs(rise) <= _SAME_PIECE * (abs(one) + abs(other))
