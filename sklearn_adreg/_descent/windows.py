"""What every descent on a loss has in common: its goal, and windows for kinks.

A loss with kinks is seen through a window that narrows: the descent on the average of
the loss over the window is solved roughly, the window is narrowed, and so on, until
what the window can hide is within the tolerance. The average is nowhere below a convex
loss, and above it by no more than width^2 / 2 times its curvature. The sum of that over
the rows, and the length of the gradient times the distance to the minimum, bound how
much is `left` to gain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sklearn_adreg._descent.solution import Report
from sklearn_adreg._rows.row_losses import Point
from sklearn_adreg._rows.samples import Samples
from sklearn_adreg._rows.settling import settled
from sklearn_adreg._rows.summing import SummedSamples, sum_up

# A window narrows by this factor.
_NARROWING = 10.0
# The first window, where the optimum is near, is narrower than that distance.
_NEARER = 2.0
# The minimum is not further than so many times the way that was gone.
_FURTHER = 2.0
# It narrows less where part of the tolerance is enough, but by this factor.
_ENOUGH, _LEAST = 0.5, 2.0
# How often rows that have left their piece are let move, before all are.
_MOST_ROUNDS = 5
# How exactly the minimum for a window is found: part of what the window hides.
_ROUGHLY = 0.3
# Residuals, and objectives, that are as good as zero, relative to those of a constant.
_CLOSE, _PERFECT = 1e-8, 1e-4
# So many steps without getting closer are steps among rounding errors.
_PATIENCE = 100


@dataclass(frozen=True)
class Goal:
    """What is descended on, and when to stop.

    With `kinked` the loss is seen through windows; after that, or at once, without one
    if it is `smooth`. `scale` is the change of the linear predictor that `tol` is
    relative to, `size` the loss of predictions that are wrong by so much, and `spread`
    how far predictions are from the targets at first; where they are known to be near
    those at the optimum, no more than `near` from them, but for a few. `eps` is the
    rounding of the data's float type.
    """

    kinked: bool
    smooth: bool
    convex: bool
    scale: float
    size: float
    spread: float
    near: float | None
    eps: float
    tol: float
    max_iter: int
    report: Report


class Descended(NamedTuple):
    """Where a descent ended: `coef` includes the intercept."""

    coef: np.ndarray
    values: list[float]
    epsilon: float
    error: float


@dataclass
class WindowedDescent(ABC):
    """One descent, for one target; `run` once."""

    samples: Samples
    goal: Goal
    values: list[float] = field(default_factory=list, init=False)
    epsilon: float = field(default=1.0, init=False)
    error: float = field(default=np.inf, init=False)
    left: float = field(default=0.0, init=False)
    curvature: float = field(default=0.0, init=False)
    _gone: float = field(default=0.0, init=False)
    _lost: bool = field(default=False, init=False)

    @abstractmethod
    def _descend(self, point: Point, width: float) -> Point:
        """Descend on the loss, or on its average over a window; the last point."""

    @abstractmethod
    def _penalty(self, coef: np.ndarray) -> float:
        """Penalty of coefficients."""

    def run(self, start: np.ndarray, point: Point) -> Descended:
        """Descend from coefficients and intercept, and the point where they are."""
        self.coef, self.linear = start, point.linear
        self.values.append(self._value(point) + self._penalty(start))
        known = np.inf
        if self.goal.kinked:
            known = self._narrow()
            point = self.samples.point(self.linear, 0.0)
        if self.goal.smooth:
            self._descend(point, 0.0)
        self.error = min(self.error, known)
        if len(self.values) == 1:
            # A start that is the end: the step that shows it has no length.
            self.values.append(self.values[0])
        if self.goal.tol == 0:
            # What is left of the steps would not move: rounding has stopped them.
            missing = self.goal.max_iter + 1 - len(self.values)
            self.values += self.values[-1:] * missing
        return Descended(self.coef, self.values, self.epsilon, self.error)

    def _narrow(self) -> float:
        """Descend through windows, until the last hides no more than is tolerated.

        Returns what may be left to gain, relative to the objective.
        """
        width = max(self.goal.spread, _CLOSE * self.goal.scale)
        smallest, first = 64 * self._eps * self.goal.scale, self.linear
        if self.goal.near is not None and self.goal.near < width:
            width = max(self.goal.near, smallest)
            self._settle(self.samples.point(self.linear, width), width)
            width = max(width / _NEARER, smallest)
        while True:
            point = self._through(width)
            if self.goal.near is not None:
                self._gone = float(np.sqrt(np.mean((self.linear - first) ** 2)))
            hidden, size = width**2 / 2 * point.bend, self._size
            self.error = (hidden + self.left) / size if size > 0 else 0.0
            if self.error <= self.goal.tol or width <= smallest or self._spent:
                return self.error
            self._settle(point, width)
            # What is hidden shrinks with the width at least.
            enough = _ENOUGH * self.goal.tol * size / hidden if hidden > 0 else 0.0
            width *= max(1 / _NARROWING, min(enough, 1 / _LEAST))
            width = max(width, smallest)

    def _through(self, width: float) -> Point:
        """Descend in a window: with few rows, as long as the others need not move."""
        everyone, free = self.samples, np.zeros(0, dtype=np.intp)
        for _ in range(_MOST_ROUNDS):
            few = sum_up(everyone, self.linear, width, self.coef, free)
            if few is None:
                break
            before = self.coef, self.linear, len(self.values)
            self.samples, self.linear = few, few.locate(self.coef)
            point = self._descend(few.point(self.linear, width), width)
            self.samples, self.linear = everyone, everyone.locate(self.coef)
            self._lost = False
            left = few.left(self.linear, width)
            if not len(left):
                return few.whole(point, self.linear)
            # What was gained is kept, as one step; and those that left may move.
            free = np.append(free, left)
            value = everyone.value(self.linear) + self._penalty(self.coef)
            del self.values[before[2] :]
            if value < self.values[-1]:
                self.values.append(value)
            else:
                self.coef, self.linear = before[:2]
        return self._descend(everyone.point(self.linear, width), width)

    def _settle(self, point: Point, width: float) -> None:
        """Know rows that are straight in a window as such."""
        if self.goal.convex:
            self.samples = settled(self.samples, point, width)

    def _arrived(
        self, point: Point, steepness: float, change: float, width: float
    ) -> bool:
        """Whether to stop here: in a window by the gradient, else by the next step.

        `steepness` is the length of the gradient and `change` that of the step, both in
        whitened coordinates, where the optimum is not further than `scale` or so.
        """
        if width > 0:
            # Rounding of the linear predictor, seen through the curvature.
            level = abs(float(self.coef[-1])) + self.goal.scale
            rounding = 4 * self._eps * level * point.bend
            self.left = steepness * self._distance if steepness > rounding else 0.0
            return steepness <= max(self._flat(point, width), rounding)
        if self.samples.sketch is not None:
            # A sample need not know the rows that make the steps short.
            change = max(change, steepness / self.curvature)
        self.error = change / self.goal.scale
        return self.error <= self.goal.tol

    def _flat(self, point: Point, width: float) -> float:
        """Gradient by which no more is left to gain than the window hides."""
        hidden = _ROUGHLY * width**2 / 2 * point.bend
        return max(hidden, self.goal.tol * self._size / 4) / self._distance

    @property
    def _distance(self) -> float:
        """How far the minimum is, in whitened coordinates; not less than it was."""
        near = self.goal.near
        known = np.inf if near is None else max(near, _FURTHER * self._gone)
        return min(known, self.goal.scale)

    @property
    def _size(self) -> float:
        """Objective, or what is as good as zero: what a tolerance is relative to."""
        return max(abs(self.values[-1]), _PERFECT * self.goal.size)

    @staticmethod
    def _stalled(lengths: list[float]) -> bool:
        """Whether what should become small has not for long."""
        if len(lengths) <= _PATIENCE:
            return False
        return min(lengths[-_PATIENCE:]) > 0.9 * min(lengths[:-_PATIENCE])

    def _note(self, point: Point) -> None:
        """Take down the objective at a point that a step has led to."""
        self.linear = point.linear
        self.values.append(self._value(point) + self._penalty(self.coef))
        self.goal.report(np.array(self.values[-1:]))
        if isinstance(self.samples, SummedSamples):
            self._lost = not self.samples.seem_to_stay(self.coef)

    def _value(self, point: Point) -> float:
        if point.value is None:
            return self.samples.value(point.linear)
        return point.value

    def _bent(self, width: float) -> tuple[Samples, Point]:
        """Rows that tell the curvature here, and how they do.

        Of a sample of the rows, where there is one and no window is narrow.
        """
        sketch = self.samples.sketch
        if width == 0 and sketch is not None:
            return sketch, sketch.point(sketch.locate(self.coef), self._close)
        return self.samples, self.samples.point(self.linear, width or self._close)

    @property
    def _close(self) -> float:
        """Width of a window that tells the curvature of a loss without kinks."""
        return float(self._eps ** (1 / 3)) * self.goal.scale

    @property
    def _eps(self) -> float:
        return self.goal.eps

    @property
    def _spent(self) -> bool:
        return self._lost or len(self.values) > self.goal.max_iter
