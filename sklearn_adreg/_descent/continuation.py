"""Kinks by continuation: losses seen through windows that narrow, around any method.

A loss with kinks is averaged over a window and minimised roughly, the window is
narrowed, and so on, until what the window can hide is within the tolerance. The average
is nowhere below a convex loss, and above it by no more than h^2 / 2 times its
curvature, for a bandwidth h: the sum of that over the rows, and what the method
foretells, bound what is left to gain. Rows that were straight in the window before are
summed up as one linear function.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sklearn_adreg._descent.corner import Bent, corner, may_be_corner
from sklearn_adreg._descent.loop import Goal, Method, State, at, hidden, minimise
from sklearn_adreg._objective.mean_loss import MeanLoss, Point
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._objective.straight import Settled
from sklearn_adreg._objective.visitors import weighted

# Halves and doubles are of 99 fits of twelve losses.
# The next window is as wide as leaves this share of the tolerance for what it hides
# (half and double: 4 and 1 % more steps), but narrower by the first factor at the least
# (both: the same), and by the second at the most (3 % more and 2 % less).
_HIDDEN_TOLERANCE, _LEAST_NARROWING, _MOST_NARROWING = 0.5, 2.0, 10.0
# Where the distance to the minimum is known, the first window is that distance divided
# by this (both: the same).
_INTO_DISTANCE = 2.0
# Residuals that are as good as zero, relative to the scale: where half of the rows fit
# exactly, windows begin there (both: the same).
_PERFECT_FIT = 1e-8
# The narrowest window, in units of rounding of the scale: differences over it keep two
# digits of slopes.
_NARROWEST = 64.0
# The minimum is not further than so many times the way that was gone: windows narrow
# tenfold, and ways with them (both: the same).
_FURTHER = 2.0
# How often rows that have left their pieces are let move, before all are (2 and 10: the
# same).
_MOST_ROUNDS = 5


def narrow(
    method: Method,
    whole: MeanLoss,
    penalty: Penalty,
    goal: Goal,
    state: State,
    *,
    spread: float,
    near: float | None,
    straight: bool,
    corners: bool = False,
) -> State:
    """Minimise a loss with kinks, through windows that narrow; see `minimise`.

    Of the state its theta and its point are used, not its gradient; the point that is
    returned is one of all rows, maybe without their slopes. Windows begin at
    `spread`, the median residual, or at `near`, an upper estimate of the change of the
    linear predictors to the optimum (but for a few rows), where it is known. With
    `straight` rows are summed up where they are straight: the loss must be convex. With
    `corners` a descent ends exactly where a window shows a corner of the loss.
    """
    smallest = _NARROWEST * goal.eps * goal.scale
    bandwidth = max(spread, _PERFECT_FIT * goal.scale)
    start, linear, first = state, state.point.linear, state.point.linear
    n_bent: float = np.inf
    settled = Settled.nothing(whole) if straight else None
    if near is not None and near < bandwidth:
        bandwidth = max(near, smallest)
        if settled is not None:
            seen = whole.through(bandwidth)
            settled = replace(settled, whole=seen).settle_all(seen.point(linear))
        bandwidth = max(bandwidth / _INTO_DISTANCE, smallest)
    while True:
        seen = whole.through(bandwidth)
        state, linear, settled = _through(
            method, seen, penalty, goal, state, linear, settled
        )
        spent = len(state.curve) > goal.max_iter
        if corners and not spent and may_be_corner(penalty, state, n_bent):
            bent = _bent(seen, state, linear, settled)
            found = corner(seen, penalty, goal, state, bent)
            if found is not None:
                return found
        n_bent = float(len(whole.data.rows.nonzero(state.point.curvature)))
        if near is not None:
            gone = _distance(whole, linear, first)
            reach = min(max(near, _FURTHER * gone), goal.scale)
            goal = replace(goal, reach=reach)
        enough, obscured = goal.enough(state.curve[-1]), hidden(seen, state.point)
        if obscured + state.gap <= enough or bandwidth <= smallest or spent:
            break
        # What is hidden shrinks with the bandwidth at least.
        share = _HIDDEN_TOLERANCE * enough / obscured if obscured > 0 else 0.0
        cut = max(1 / _MOST_NARROWING, min(share, 1 / _LEAST_NARROWING))
        bandwidth = max(cut * bandwidth, smallest)
    if settled is not None:  # of rows that are summed up no more is known
        point = Point(linear, state.point.value, None, None, 0.0, None)
        state = state._replace(point=point)
    return _or_start(goal, start, state)


def _or_start(goal: Goal, start: State, end: State) -> State:
    """Return an end, at the theta of the start where that is better.

    A start within the tolerance may be better than an end within it. By more than that
    it shows that the end is not within it, whatever rounding says.
    """
    value = start.curve[-1]
    above = end.curve[-1] - value
    if not above > 0:
        return end
    if above > goal.enough(value) + goal.rounding(value):
        end = end._replace(error=max(end.error, goal.relative(above, value)))
    return end._replace(theta=start.theta, curve=(*end.curve, value))


def _through(
    method: Method,
    seen: MeanLoss,
    penalty: Penalty,
    goal: Goal,
    state: State,
    linear: Any,
    settled: Settled | None,
) -> tuple[State, Any, Settled | None]:
    """Minimise in one window, on few rows as long as the others need not move.

    `linear` are the linear predictors of all rows at the state.
    """
    for _ in range(_MOST_ROUNDS):
        if settled is None:
            break
        settled = replace(settled, whole=seen)
        settled = settled.without(settled.left(linear, seen.bandwidth))
        found = settled.objective(state.theta, linear)
        if found is None:
            break
        objective, index = found
        point = objective.point(objective.linear_predictor(state.theta))
        start = at(objective, penalty, state, point)
        end = minimise(method, objective, penalty, goal, start)
        there = linear
        if end.theta is not state.theta:
            there = seen.linear_predictor(end.theta)
        left = settled.left(there, seen.bandwidth)
        if not len(left):
            return end, there, settled.settle(index, there, end.point)
        # Rows have left their pieces. What was gained is kept, as one step.
        settled = settled.without(left)
        value = seen.value(there) + penalty.value(end.theta)
        if value < state.curve[-1]:
            state, linear = end._replace(curve=(*state.curve, value)), there
    start = at(seen, penalty, state, seen.point(linear))
    state = minimise(method, seen, penalty, goal, start)
    linear = state.point.linear
    if settled is not None:
        settled = replace(settled, whole=seen).settle_all(state.point)
    return state, linear, settled


def _bent(seen: MeanLoss, state: State, linear: Any, settled: Settled | None) -> Bent:
    """Return which rows bend in the window where a state is the minimum."""
    if settled is not None:
        return Bent(settled.moving, linear, settled.pieces.slope)
    bent = seen.data.rows.nonzero(state.point.curvature)
    return Bent(bent, linear, state.point.slope)


def _distance(whole: MeanLoss, linear: Any, other: Any) -> float:
    """Root mean square difference of linear predictors, by the weights of the rows."""
    rows, _, weight, *_ = whole.data
    _, (square,) = rows.apply(_squared_difference, weight, linear, other)
    return float(np.sqrt(square))


def _squared_difference(xp: Any, weight: Any, one: Any, other: Any) -> Any:
    """Visitor: weighted squares, of the rows that count."""
    return (), (weighted(xp, (one - other) ** 2, weight, True).sum(),)
