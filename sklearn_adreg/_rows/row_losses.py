"""Losses of rows at values of their linear predictor; no X.

Along a line z + t * ray the mean loss is a function of one number: its value and slope
cost no product with X.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._loss.pointwise import Pointwise, Slopes

# Rows that are differentiated at a time: a few arrays of that length fit in cache.
CHUNK = 1 << 14
# As many rows as tell the mean of a thing roughly.
_ENOUGH = 1 << 12


class Point(NamedTuple):
    """The mean loss at a value of the linear predictor.

    `linear`, `slopes` and `curvature` are as long as the data, the last two weighted;
    `rise` is the derivative along the ray that led here, `bend` the mean curvature.
    Where the point was seen without a window, `curvature` is None and `bend` zero;
    where with one, `value` is None.
    """

    linear: Any
    value: float | None
    slopes: Any
    curvature: Any
    rise: float
    bend: float


@dataclass(frozen=True)
class RowLosses:
    """Targets, weights that sum to one, and a loss, in host memory."""

    target: np.ndarray
    weights: np.ndarray
    pointwise: Pointwise

    @cached_property
    def _some_without_weight(self) -> bool:
        return not bool(self.weights.all())

    @cached_property
    def left_out(self) -> float:
        """Mean of what the losses of linear predictors lack."""
        counts = self.weights > 0
        lacking = self.pointwise.loss.left_out(self.target[counts])
        return float((self.weights[counts] * lacking).sum(dtype=np.float64))

    def take(self, rows: np.ndarray) -> RowLosses:
        """Return some of the rows, with the weights that they have."""
        return RowLosses(self.target[rows], self.weights[rows], self.pointwise)

    def weighted(self, linear: np.ndarray) -> np.ndarray:
        """Losses of the rows, weighted, without what is left out."""
        losses = np.empty_like(linear)
        for rows in chunks(len(linear)):
            weights = self.weights[rows]
            found = self.pointwise.values(self.target[rows], linear[rows])
            if self._some_without_weight:
                found = np.where(weights > 0, found, 0.0)
            np.multiply(found, weights, out=losses[rows])
        return losses

    def value(self, linear: np.ndarray) -> float:
        """Mean loss."""
        return float(self.weighted(linear).sum(dtype=np.float64)) + self.left_out

    def point(self, linear: np.ndarray, width: float) -> Point:
        """Differentiate at a value of the linear predictor."""
        return self.along(linear, np.zeros_like(linear), 0.0, width)

    def along(
        self, linear: np.ndarray, ray: np.ndarray, length: float, width: float
    ) -> Point:
        """Point at a distance along a ray."""
        path = _Path(self, linear, width)
        for rows in chunks(len(linear)):
            path.visit(rows, ray[rows], length)
        return path.point()

    def bend(self, linear: np.ndarray, width: float) -> float:
        """Mean curvature, from some of the rows."""
        rows = spread_out(np.flatnonzero(self.weights))
        target, linear = self.target[rows], linear[rows]
        curvature = self.pointwise.slopes(target, linear, width).curvature
        weights = self.weights[rows] / self.weights[rows].sum()
        return float(weights @ np.abs(curvature))


def chunks(length: int, n_rows: int = CHUNK) -> Iterator[slice]:
    """Yield slices of so many rows."""
    for start in range(0, length, n_rows):
        yield slice(start, min(start + n_rows, length))


def spread_out(rows: np.ndarray) -> np.ndarray:
    """Return enough of some rows to measure what need not be exact."""
    return rows[:: max(1, len(rows) // _ENOUGH)]


class _Path:
    """Collects a point, block by block."""

    def __init__(self, losses: RowLosses, linear: np.ndarray, width: float) -> None:
        self._losses, self._from, self._width = losses, linear, width
        self._linear, self._slopes = np.empty_like(linear), np.empty_like(linear)
        self._curvature = np.empty_like(linear) if width > 0 else None
        self._value, self._rise, self._bend = 0.0, 0.0, 0.0

    def visit(self, rows: slice, ray: np.ndarray, length: float) -> None:
        """Differentiate at some rows."""
        losses = self._losses
        weights = losses.weights[rows]
        linear = self._from[rows] + ray.dtype.type(length) * ray
        found: Slopes = losses.pointwise.slopes(
            losses.target[rows], linear, self._width
        )
        if losses._some_without_weight:
            found = found.where(np, weights > 0)
        slopes = np.multiply(found.slope, weights, out=self._slopes[rows])
        self._linear[rows] = linear
        self._rise += float(slopes @ ray)
        if found.value is not None:
            self._value += float(weights @ found.value)
        if self._curvature is not None:
            # Of a loss that is not convex, how much it bends either way.
            bend = np.abs(found.curvature, out=self._curvature[rows])
            bend *= weights
            self._bend += float(bend.sum())

    def point(self) -> Point:
        """Return what was collected."""
        value = self._value + self._losses.left_out if self._width == 0 else None
        return Point(
            self._linear, value, self._slopes, self._curvature, self._rise, self._bend
        )
