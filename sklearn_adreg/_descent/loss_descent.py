"""Descent on the mean of any loss: accelerated, in a metric that follows its curvature.

The coordinates whiten X, once, so that a step is the gradient there divided by the mean
curvature of the loss, corrected by the steps before. Where that is slow, because the
curvature differs much from row to row, the metric is taken anew from the rows weighted
by their curvature, as soon as the steps that it saves are worth its cost. In a narrow
window few rows have curvature, and a new metric costs almost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._descent.coordinates import Coordinates
from sklearn_adreg._descent.line_search import Trial, search
from sklearn_adreg._descent.quasi_newton import QuasiNewton
from sklearn_adreg._descent.windows import WindowedDescent
from sklearn_adreg._rows.row_losses import Point
from sklearn_adreg._rows.samples import Samples

# The metric is seen through a window that is somewhat wider.
_WIDER = 3.0
# Eigenvalues of the metric, relative to the mean curvature, that are trusted.
_TRUSTED = 1e-4, 0.3
_ADAPTED, _LITTLE = 0.1, 0.7
# A metric that costs less, in passes over X, is taken anew with every step.
_CHEAP = 1.0
# Steps to watch, and to save, before a metric is taken anew.
_WATCHED, _SAVED = 3, 4


class _Here(NamedTuple):
    point: Point
    gradient: np.ndarray


@dataclass
class LossDescent(WindowedDescent):
    """Descent in whitened coordinates; no penalty, or the ridge's."""

    coordinates: Coordinates
    trusted: float = field(default=_TRUSTED[1], init=False)

    def _descend(self, point: Point, width: float) -> Point:
        here = _Here(point, self._gradient(self.samples.gradient(point), self.coef))
        model = self._first_model(width)
        decreases: list[float] = []
        lengths: list[float] = []
        while not self._spent:
            if decreases and self._is_cheap(here.point, width):
                model = self._newton(self.samples, here.point)
            unknowns = model.direction(here.gradient)
            decreases.append(-float(here.gradient @ unknowns))
            steepness, change = map(np.linalg.norm, (here.gradient, unknowns))
            if self._arrived(here.point, float(steepness), float(change), width):
                if width > 0 or model.experienced or not self.coordinates.dense:
                    break
                # Few rows may have most of the curvature, and make steps short.
                model = self._renewed(width)
                model.experienced = True
                continue
            lengths.append(float(steepness if width > 0 else change))
            if self._stalled(lengths):
                break
            self._adapt(lengths)
            if self._slow(here.point, decreases, width):
                model, decreases = self._renewed(width), []
                continue
            there = self._step(here, unknowns, model, width)
            if there is None:
                break
            here = there
        return here.point

    def _step(
        self, here: _Here, unknowns: np.ndarray, model: QuasiNewton, width: float
    ) -> _Here | None:
        """Step along a direction; None where no length makes things better."""
        direction = self.coordinates.coef(unknowns)
        ray = self.samples.locate(direction)
        points: dict[float, Point] = {}

        def trial(length: float) -> Trial:
            if length not in points:
                points[length] = self.samples.along(self.linear, ray, length, width)
            return self._trial(points[length], length, direction)

        start = self._trial(here.point, 0.0, direction)
        start = start._replace(slope=float(here.gradient @ unknowns), eps=self._eps)
        found = search(trial, trial(1.0), start)
        if found is None:
            return None
        point = points[found.length]
        self.coef = self.coef + found.length * direction
        there = _Here(point, self._gradient(self.samples.gradient(point), self.coef))
        model.learn(found.length, there.gradient - here.gradient)
        step = found.length * float(np.linalg.norm(unknowns))
        self.epsilon = step / float(np.linalg.norm(here.gradient))
        self._note(point)
        return there

    def _trial(self, point: Point, length: float, direction: np.ndarray) -> Trial:
        slope = point.rise
        if self.coordinates.ridge:
            along = (self.coef + length * direction)[:-1] @ direction[:-1]
            slope += self.coordinates.ridge * float(along)
        if self.goal.convex:
            return Trial(length, slope, None)
        penalty = self._penalty(self.coef + length * direction)
        return Trial(length, slope, self._value(point) + penalty)

    def _penalty(self, coef: np.ndarray) -> float:
        return self.coordinates.ridge / 2 * float(coef[:-1] @ coef[:-1])

    def _gradient(self, gradient: np.ndarray, coef: np.ndarray) -> np.ndarray:
        if self.coordinates.ridge:
            gradient = gradient.copy()
            gradient[:-1] += self.coordinates.ridge * coef[:-1]
        return self.coordinates.gradient(gradient)

    # The metric.

    def _first_model(self, width: float) -> QuasiNewton:
        """Whitened coordinates over the mean curvature, seen through a window."""
        if width == 0 and self.samples.sketch is not None:
            return self._renewed(width)
        if width == 0:
            self.curvature = self.samples.bend(self.linear, self._close) or 1.0
            return QuasiNewton(self.coordinates.spherical(self.curvature))
        near = self._bent(_WIDER * width if self.curvature else width)[1]
        self.curvature = max(near.bend, 1e-3 * self.curvature) or 1.0
        if self._is_cheap(near, width):
            return self._newton(self.samples, near)
        return QuasiNewton(self.coordinates.spherical(self.curvature))

    def _renewed(self, width: float) -> QuasiNewton:
        """Metric from the curvature here."""
        rows, near = self._bent(width)
        if rows is not self.samples:
            self.curvature = near.bend or 1.0
        return self._newton(rows, near)

    def _newton(self, samples: Samples, point: Point) -> QuasiNewton:
        """Metric from rows, weighted by their curvature."""
        hessian = samples.hessian(point.curvature)
        smallest = self.trusted * self.curvature
        return QuasiNewton(self.coordinates.newton(hessian, smallest))

    def _adapt(self, lengths: list[float]) -> None:
        """Trust smaller eigenvalues where steps do little, and larger ones again."""
        if len(lengths) > 1:
            little = lengths[-1] > _LITTLE * lengths[-2]
            self.trusted *= _ADAPTED if little else 1 / _ADAPTED
        self.trusted = min(max(self.trusted, _TRUSTED[0]), _TRUSTED[1])

    def _is_cheap(self, point: Point, width: float) -> bool:
        return width > 0 and self._cost(point.curvature) < _CHEAP

    def _slow(self, point: Point, decreases: list[float], width: float) -> bool:
        """Whether a new metric saves more passes over X than it costs."""
        if len(decreases) <= _WATCHED:
            return False
        rate = min((decreases[-1] / decreases[-3]) ** 0.25, 0.99)
        if width > 0:
            flat = self._flat(point, width)
            gap = (flat**2 / max(self.curvature * decreases[-1], 1e-300)) ** 0.5
            cost = self._cost(point.curvature)
        else:
            gap, cost = self.goal.tol / self.error, self._cost(None)
        if not gap > 0:
            return bool(rate > 0.5)
        return bool(np.log(gap) / np.log(rate) > cost + _SAVED)

    def _cost(self, curvature: Any) -> float:
        return (
            self.samples.hessian_cost(curvature) if self.coordinates.dense else np.inf
        )
