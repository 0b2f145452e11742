"""What a descent asks of the rows: everything of the length of the data is here.

With rows x, weights s that sum to one and the linear predictor z = x . coef + b, the
mean loss along a line z + t * ray is a function of one number: its value and slope
cost no product with X. A step costs two: one for the ray, and one for the gradient at
the point reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from sklearn_adreg._design import COLUMNS_PER_PASS, HostDesign
from sklearn_adreg._pointwise import Pointwise, Slopes, predicted

# Rows that are differentiated at a time: a few arrays of that length fit in cache.
_CHUNK = 1 << 14
# As many rows as tell the mean of a thing roughly.
_ENOUGH = 1 << 13
# Of X, that much is weighted at a time.
_BYTES = 1 << 23


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


class Samples(Protocol):
    """Rows, targets and a loss, wherever they are.

    Coefficients and gradients are NumPy arrays of length n_features + 1, of which the
    last is the intercept; what is as long as the data is passed back as it came.
    """

    def locate(self, coef: np.ndarray) -> Any:
        """Linear predictor at coefficients."""

    def value(self, linear: Any) -> float:
        """Mean loss."""

    def point(self, linear: Any, width: float) -> Point:
        """Differentiate at a value of the linear predictor."""

    def along(self, linear: Any, ray: Any, length: float, width: float) -> Point:
        """Point at a distance along a ray."""

    def gradient(self, point: Point) -> np.ndarray:
        """Gradient of the mean loss by the coefficients."""

    def bend(self, linear: Any, width: float) -> float:
        """Mean curvature, roughly."""

    def hessian(self, curvature: Any) -> np.ndarray:
        """Second moments of the rows and the intercept's ones, weighted so."""

    def hessian_cost(self, curvature: Any) -> float:
        """Cost of a Hessian in passes over X; None is curvature everywhere."""

    def restricted(self, columns: np.ndarray) -> Samples:
        """Return samples with some of the columns, which are copied."""


@dataclass(frozen=True)
class HostSamples:
    """Samples in host memory, visited in blocks."""

    design: HostDesign
    target: np.ndarray
    pointwise: Pointwise

    @cached_property
    def _weights(self) -> np.ndarray:
        return self.design.row_weights

    @cached_property
    def _some_without_weight(self) -> bool:
        return not bool(self._weights.all())

    def locate(self, coef: np.ndarray) -> np.ndarray:
        """Linear predictor at coefficients."""
        dtype = self.design.dtype
        if not coef[:-1].any():
            return np.full(len(self.target), coef[-1], dtype=dtype)
        product = self.design.dot(coef[:-1, None].astype(dtype))[:, 0]
        return product + dtype.type(coef[-1])

    def value(self, linear: np.ndarray) -> float:
        """Mean loss."""
        total = 0.0
        for rows in self._chunks():
            losses = self.pointwise.values(self.target[rows], linear[rows])
            weights = self._weights[rows]
            if self._some_without_weight:
                losses = np.where(weights > 0, losses, 0.0)
            total += float(weights @ losses)
        return total

    def point(self, linear: np.ndarray, width: float) -> Point:
        """Differentiate at a value of the linear predictor."""
        return self.along(linear, np.zeros_like(linear), 0.0, width)

    def along(
        self, linear: np.ndarray, ray: np.ndarray, length: float, width: float
    ) -> Point:
        """Point at a distance along a ray; no pass over X."""
        path = _Path(self, linear, width)
        for rows in self._chunks():
            path.visit(rows, ray[rows], length)
        return path.point()

    def gradient(self, point: Point) -> np.ndarray:
        """Gradient of the mean loss by the coefficients; one pass over X."""
        product = self.design.transposed_dot(point.slopes[:, None])[:, 0]
        return np.append(product, point.slopes.sum(dtype=np.float64))

    def bend(self, linear: np.ndarray, width: float) -> float:
        """Mean curvature, from some of the rows."""
        rows = some_rows(self._weights)
        target, linear = self.target[rows], linear[rows]
        curvature = self.pointwise.slopes(target, linear, width).curvature
        weights = self._weights[rows] / self._weights[rows].sum()
        return float(weights @ np.abs(curvature))

    def hessian(self, curvature: np.ndarray) -> np.ndarray:
        """Second moments of the rows and the intercept's ones, weighted so.

        Rows without curvature are not read.
        """
        n_features = self.design.shape[1]
        moments = np.zeros((n_features + 1, n_features + 1))
        sparse = np.count_nonzero(curvature) < len(curvature) / 4
        for rows in self._chunks(self._block_rows):
            weights = curvature[rows]
            if sparse:
                chosen = np.flatnonzero(weights)
                weights = weights[chosen]
                block = self.design.X[rows.start + chosen]
            else:
                block = self.design.X[rows]
            if self.design.shift is not None:
                block = block - self.design.shift
            roots = np.sqrt(weights)
            stack = np.empty((len(block), n_features + 1), dtype=block.dtype)
            np.multiply(block - self._offset, roots[:, None], out=stack[:, :-1])
            stack[:, -1] = roots
            moments += stack.T @ stack
        return moments

    def hessian_cost(self, curvature: np.ndarray | None) -> float:
        """Cost of a Hessian in passes over X; None is curvature everywhere."""
        cost = 1 + self.design.shape[1] / COLUMNS_PER_PASS
        if curvature is None:
            return cost
        return cost * np.count_nonzero(curvature) / len(curvature)

    def restricted(self, columns: np.ndarray) -> HostSamples:
        """Return samples with some of the columns, which are copied."""
        shift = self.design.shift
        design = HostDesign(
            self.design.X[:, columns],
            self.design.weights,
            None if shift is None else shift[columns],
            self.design.offset[columns],
        )
        return HostSamples(design, self.target, self.pointwise)

    @cached_property
    def _offset(self) -> np.ndarray:
        return self.design.offset.astype(self.design.dtype)

    @property
    def _block_rows(self) -> int:
        width = max(self.design.shape[1], 1) * self.design.dtype.itemsize
        return min(_CHUNK, max(64, 1 << max(_BYTES // width, 1).bit_length() - 1))

    def _chunks(self, n_rows: int = _CHUNK) -> Any:
        for start in range(0, len(self.target), n_rows):
            yield slice(start, min(start + n_rows, len(self.target)))


def some_rows(weights: np.ndarray) -> np.ndarray:
    """Return enough of the rows that count to measure what need not be exact."""
    rows = np.flatnonzero(weights)
    return rows[:: max(1, len(rows) // _ENOUGH)]


class _Path:
    """Collects a point, block by block."""

    def __init__(self, samples: HostSamples, linear: np.ndarray, width: float) -> None:
        self._samples, self._from, self._width = samples, linear, width
        self._linear, self._slopes = np.empty_like(linear), np.empty_like(linear)
        self._curvature = np.empty_like(linear) if width > 0 else None
        self._value, self._rise, self._bend = 0.0, 0.0, 0.0

    def visit(self, rows: slice, ray: np.ndarray, length: float) -> None:
        """Differentiate at some rows."""
        samples = self._samples
        weights = samples._weights[rows]
        linear = self._from[rows] + ray.dtype.type(length) * ray
        found: Slopes = samples.pointwise.slopes(
            samples.target[rows], linear, self._width
        )
        if samples._some_without_weight:
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
        value = self._value if self._width == 0 else None
        return Point(
            self._linear, value, self._slopes, self._curvature, self._rise, self._bend
        )


def predictions(loss: Any, linear: np.ndarray) -> np.ndarray:
    """Predictions for a linear predictor, of its dtype."""
    return np.asarray(predicted(loss, linear)).astype(linear.dtype, copy=False)
