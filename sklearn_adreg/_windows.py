"""What every descent on a loss has in common: its goal, and windows for kinks.

A loss with kinks is seen through a window that narrows: the descent on the average of
the loss over the window is solved roughly, the window is narrowed, and so on, until
what the window can hide is within the tolerance. The average is nowhere below a convex
loss, and above it by no more than width^2 / 2 times its curvature: the sum of that over
the rows bounds how far the objective is from its minimum.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sklearn_adreg._samples import Point, Samples
from sklearn_adreg._solution import Report

# A window narrows by this factor.
_NARROWING = 6.0
# How exactly the minimum for a window is found: part of what the window hides.
_ROUGHLY = 0.1
# Residuals, and objectives, that are as good as zero, relative to those of a constant.
_CLOSE, _PERFECT = 1e-8, 1e-4


@dataclass(frozen=True)
class Goal:
    """What is descended on, and when to stop.

    `scale` is the change of the linear predictor that `tol` is relative to, `size` the
    loss of predictions that are wrong by so much, and `spread` how far predictions
    are from the targets at first.
    """

    kinked: bool
    convex: bool
    scale: float
    size: float
    spread: float
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
        if self.goal.kinked:
            self._narrow()
        else:
            self._descend(point, 0.0)
        if len(self.values) == 1:
            # A start that is the end: the step that shows it has no length.
            self.values.append(self.values[0])
        if self.goal.tol == 0:
            # What is left of the steps would not move: rounding has stopped them.
            missing = self.goal.max_iter + 1 - len(self.values)
            self.values += self.values[-1:] * missing
        return Descended(self.coef, self.values, self.epsilon, self.error)

    def _narrow(self) -> None:
        """Descend through windows, until the last hides no more than is tolerated."""
        width = max(self.goal.spread, _CLOSE * self.goal.scale)
        smallest = 64 * np.finfo(self.linear.dtype).eps * self.goal.scale
        while True:
            point = self._descend(self.samples.point(self.linear, width), width)
            size = max(abs(self.values[-1]), _PERFECT * self.goal.size)
            self.error = width**2 / 2 * point.bend / size if size > 0 else 0.0
            tolerated = self.error <= self.goal.tol / 2
            if tolerated or width <= smallest or self._spent:
                return
            width = max(width / _NARROWING, smallest)

    def _arrived(
        self, point: Point, decrease: float, change: float, width: float
    ) -> bool:
        """Whether a step that promises so little need not be taken.

        `decrease` is that of the objective, `change` that of the linear predictor.
        """
        if width > 0:
            return decrease <= self._negligible(point, width)
        self.error = change / self.goal.scale
        return self.error <= self.goal.tol

    @staticmethod
    def _negligible(point: Point, width: float) -> float:
        """Decrease of the objective that a window is not worth."""
        return _ROUGHLY * width**2 / 2 * point.bend

    def _note(self, point: Point) -> None:
        """Take down the objective at a point that a step has led to."""
        self.linear = point.linear
        self.values.append(self._value(point) + self._penalty(self.coef))
        self.goal.report(np.array(self.values[-1:]))

    def _value(self, point: Point) -> float:
        if point.value is None:
            return self.samples.value(point.linear)
        return point.value

    @property
    def _spent(self) -> bool:
        return len(self.values) > self.goal.max_iter
