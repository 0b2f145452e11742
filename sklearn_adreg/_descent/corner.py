"""The corner of a loss with kinks, found exactly once a window shows its rows.

At the minimum some rows lie at their kinks, x_i . theta = t_i, and all others on
straight pieces. A window that is narrow enough shows which rows these are. Besides them
the objective is a quadratic, whose minimum under these equalities is a linear system
[1]_. The multipliers are the slopes of the rows at their kinks. Where each is between
the slopes on both sides, and no other row has left its piece, this is the minimum
itself, but for rounding, and there is nothing to narrow any more: a tolerance of the
objective would leave its square root in the coefficients.

Entries that an l1 penalty holds at zero are at kinks as well: they stay there.

References
----------
.. [1] J. Nocedal, S. J. Wright, "Numerical Optimization", second edition, Springer,
   2006, section 16.2 (null-space method).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._descent.loop import Goal, State
from sklearn_adreg._objective.mean_loss import MeanLoss, Point
from sklearn_adreg._objective.penalty import Penalty

# More rows than entries are seldom at their kinks together (in none of 43 windows of 45
# descents, which had up to four times as many), unless they are more than this part of
# those in the window before: targets that are integers.
_AS_MANY = 0.8
# Entries of the matrix that picks columns of X, at the most.
_MOST_PICKED = 1 << 24
# Rounding of subgradients and of linear predictors, which are sums, in units of that of
# the float type. What was left in 240 fits of six losses was below 1e-2 of this where
# the rows were right, and above 1e6 times it where they were not.
_KINK_ROUNDING = 8.0
# Slopes that differ by less, relative, are those of one piece.
_SAME_SLOPE = 1e-9
# Multipliers change in proportion to the room to their bounds, of which no less than
# this part of the jump of the slope is counted.
_LEAST_ROOM = 1e-3


class Bent(NamedTuple):
    """What a window shows: numbers of the rows that bend, and slopes of the others.

    `linear` are the linear predictors of all rows; slopes are weighted.
    """

    numbers: np.ndarray
    linear: Any
    slope: Any


class _Kinks(NamedTuple):
    """Some columns of the rows at their kinks, (k, q), and slopes, weighted.

    `missing` is how far linear predictors are from the kinks, `slope` what the window
    shows, between those to the `left` and to the `right`.
    """

    rows: np.ndarray
    missing: np.ndarray
    slope: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Root mean squares of the columns."""
        return np.asarray(np.sqrt((self.rows**2).mean(axis=0)))

    def move(self, gradient: np.ndarray, ridge: np.ndarray, eps: float) -> np.ndarray:
        """Return the way to the kinks where a quadratic with a ridge is least."""
        n_rows, size = self.rows.shape
        left, values, right = np.linalg.svd(self.rows, full_matrices=n_rows < size)
        rank = int((values > size * eps * values[0]).sum())
        move, free = np.zeros(size), right[rank:]
        for _ in range(2):  # again, for the rounding of the first
            missing = left[:, :rank].T @ (self.missing - self.rows @ move)
            move += (missing / values[:rank]) @ right[:rank]
        slope = free @ (gradient + ridge * move)
        back, *_ = np.linalg.lstsq(free * ridge @ free.T, slope, rcond=None)
        return np.asarray(move - back @ free)

    def multipliers(self, gradient: np.ndarray) -> np.ndarray:
        """Return slopes within their bounds with which a gradient is zero.

        `gradient` is that with the slopes which the window shows. Where rows depend on
        each other, multipliers are those near these.
        """
        room = np.minimum(self.slope - self.left, self.right - self.slope)
        room = np.maximum(room, _LEAST_ROOM * (self.right - self.left))
        slope = self.slope
        for _ in range(2):
            lacking = gradient + self.rows.T @ (slope - self.slope)
            change, *_ = np.linalg.lstsq(self.rows.T * room, lacking, rcond=None)
            slope = np.clip(slope - room * change, self.left, self.right)
        return slope


def may_be_corner(penalty: Penalty, state: State, before: float) -> bool:
    """Whether the rows that bend in a window may all be at their kinks.

    They are no more than the entries then, or about as many as `before`, in a window at
    least twice as wide. Where a penalty holds all entries at zero there is no way to
    any other kink.
    """
    n_bent = int(np.count_nonzero(state.point.curvature))
    n_entries = int(np.count_nonzero((state.theta != 0) | (penalty.l1 == 0)))
    few = n_bent <= n_entries or n_bent > _AS_MANY * before
    some = n_bent > 0 and n_entries > 0
    return some and few and len(state.theta) * n_entries <= _MOST_PICKED


def corner(
    seen: MeanLoss, penalty: Penalty, goal: Goal, state: State, bent: Bent
) -> State | None:
    """Return the minimum, where it is at the kinks of the rows that bend in a window.

    None where it is not: a narrower window may show other rows.
    """
    window = _Window(seen, penalty, goal, state, bent)
    found = window.least()
    if found is None:
        return None
    theta, gradient = found
    there = seen.through(0.0).point(window.just_before(seen.linear_predictor(theta)))
    value = there.value + penalty.value(theta)
    if window.any_left(there) or not value <= state.curve[-1]:
        return None
    goal.report(np.array([value]))
    state = state._replace(theta=theta, point=there, gradient=gradient)
    return state._replace(curve=(*state.curve, value), gap=0.0, error=0.0)


@dataclass(frozen=True)
class _Window:
    """Where a descent through a window has ended, and what that shows."""

    seen: MeanLoss
    penalty: Penalty
    goal: Goal
    state: State
    bent: Bent

    def least(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return theta with the rows at their kinks, and the gradient, if that is zero.

        Of all rows that do not bend it is known as long as they stay on their pieces.
        """
        penalty, theta, kinks = self.penalty, self.state.theta, self._kinks()
        if kinks is None:
            return None
        columns, steepness = self._columns, self._steepness(kinks)
        part, sizes = penalty.columns(columns), kinks.sizes
        unit = 1 / np.where(sizes > 0, sizes, 1.0)
        white, ridge = kinks._replace(rows=kinks.rows * unit), part.l2 * unit**2
        slope = self.state.gradient[columns] + part.l1 * np.sign(theta[columns])
        move = white.move(slope * unit, ridge, self.goal.eps)
        left = np.abs(white.missing - white.rows @ move).max()
        if left > self._rounding * (self.goal.scale + np.abs(move).sum()):
            return None
        forces = white.multipliers(slope * unit + ridge * move)
        theta = theta.copy()
        theta[columns] += unit * move
        rows, _ = self._rows.take(self.bent.numbers)
        gradient = self.state.gradient + penalty.gradient(theta - self.state.theta)
        gradient += rows.rmatvec(rows.vector(forces - kinks.slope))
        terms = penalty.l1 + np.abs(penalty.gradient(theta))
        terms[columns] += steepness * sizes
        excess = np.abs(penalty.violation(gradient, theta))
        return None if (excess > self._rounding * terms).any() else (theta, gradient)

    def just_before(self, there: Any) -> Any:
        """Return linear predictors nearer to where they were, by rounding.

        Rows that do not bend may end at their kinks as well, where slopes are any.
        """
        end, start = (_long(self._rows, each) for each in (there, self.bent.linear))
        most = self._rounding * np.maximum(np.abs(end), self.goal.scale)
        return self._rows.vector(end - np.clip(end - start, -most, most))

    def any_left(self, there: Point) -> bool:
        """Whether a row that does not bend is on another piece than it was."""
        before, after = map(self._rows.numpy, (self.bent.slope, there.slope))
        differ = np.abs(after - before) > self._same_slope * np.abs(before)
        differ[self.bent.numbers] = False
        return bool(differ.any())

    def _kinks(self) -> _Kinks | None:
        """Find the kinks in the window: one a row, where two straight pieces meet.

        They are where the tangents of both ends meet, if the slopes just beside are
        those of the ends. None where rows bend otherwise.
        """
        numbers, width = self.bent.numbers, self.seen.bandwidth
        some = replace(self.seen, data=self.seen.data.take(numbers), bandwidth=0.0)
        rows = some.data.rows
        # Those that steps have summed up are rounded as the longest step was.
        here = _long(rows, some.linear_predictor(self.state.theta))

        def slope(z: np.ndarray) -> np.ndarray:
            return _long(rows, some.point(rows.vector(z)).slope)

        left, right = slope(here - width), slope(here + width)
        jump = right - left
        if not (jump > 0).all():
            return None
        low, high = (
            _long(rows, some.losses(rows.vector(end)))
            for end in (here - width, here + width)
        )
        missing = (low - high + width * (left + right)) / jump
        beside = np.sqrt(width * self._rounding * self.goal.scale)
        wrong = np.maximum(
            np.abs(slope(here + missing - beside) - left),
            np.abs(slope(here + missing + beside) - right),
        )
        if (wrong > self._same_slope * jump).any():
            return None
        columns = self._columns
        picked = np.zeros((len(self.state.theta), len(columns)))
        picked[columns, np.arange(len(columns))] = 1.0
        matrix = _long(rows, rows.matvec(picked))
        return _Kinks(matrix, missing, (high - low) / (2 * width), left, right)

    @cached_property
    def _columns(self) -> np.ndarray:
        """Entries that are not held at zero."""
        return np.flatnonzero((self.state.theta != 0) | (self.penalty.l1 == 0))

    def _steepness(self, kinks: _Kinks) -> float:
        """Mean slope of all rows: gradients are sums of so much."""
        others = self._rows.numpy(self.bent.slope).copy()
        others[self.bent.numbers] = 0.0
        return float(np.abs(others).sum() + np.abs(kinks.slope).sum())

    @property
    def _rows(self) -> Any:
        return self.seen.data.rows

    @property
    def _rounding(self) -> float:
        return _KINK_ROUNDING * self.goal.eps

    @property
    def _same_slope(self) -> float:
        return max(_SAME_SLOPE, self._rounding)


def _long(rows: Any, vector: Any) -> np.ndarray:
    """Return a row vector as NumPy in float64."""
    return np.asarray(rows.numpy(vector), dtype=np.float64)
