"""What a descent asks of the rows: everything of the length of the data is here.

With rows x, weights s that sum to one and the linear predictor z = x . coef + b, a step
along a ray costs two products with X: one for the ray, and one for the gradient at the
point reached. What lies between costs none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from sklearn_adreg._loss.pointwise import predicted
from sklearn_adreg._rows.design import COLUMNS_PER_PASS, HostDesign
from sklearn_adreg._rows.row_losses import CHUNK, Point, RowLosses, chunks

# Of X, that much is weighted at a time.
_BYTES = 1 << 23
# Rows that are less than this part of all are gathered, to be read alone: for products,
# and for second moments, which cost more.
_FEW, _FEW_MOMENTS = 0.1, 0.25


class Samples(Protocol):
    """Rows, targets and a loss, wherever they are.

    Coefficients and gradients are NumPy arrays of length n_features + 1, of which the
    last is the intercept; what is as long as the data is passed back as it came.
    `sketch` are some of the rows, where they stand for all of them.
    """

    @property
    def sketch(self) -> Samples | None:
        """A sample of the rows."""

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
    losses: RowLosses
    sketch: Samples | None = None

    def locate(self, coef: np.ndarray) -> np.ndarray:
        """Linear predictor at coefficients."""
        dtype = self.design.dtype
        if not coef[:-1].any():
            return np.full(self.design.shape[0], coef[-1], dtype=dtype)
        product = self.design.dot(coef[:-1, None].astype(dtype))[:, 0]
        return product + dtype.type(coef[-1])

    def value(self, linear: np.ndarray) -> float:
        """Mean loss."""
        return self.losses.value(linear)

    def point(self, linear: np.ndarray, width: float) -> Point:
        """Differentiate at a value of the linear predictor."""
        return self.losses.point(linear, width)

    def along(
        self, linear: np.ndarray, ray: np.ndarray, length: float, width: float
    ) -> Point:
        """Point at a distance along a ray; no pass over X."""
        return self.losses.along(linear, ray, length, width)

    def gradient(self, point: Point) -> np.ndarray:
        """Gradient of the mean loss by the coefficients; one pass over X."""
        return self.pull(point.slopes)

    def pull(self, slopes: np.ndarray) -> np.ndarray:
        """Transposed rows, and the intercept's ones, times slopes.

        Where most slopes are zero, the rows of the others alone are read.
        """
        design = self.design
        rows = np.flatnonzero(slopes)
        if len(rows) < _FEW * len(slopes):
            slopes = slopes[rows]
            design = replace(design, X=design.X[rows], weights=None)
        product = design.transposed_dot(slopes[:, None])[:, 0]
        return np.append(product, slopes.sum(dtype=np.float64))

    def bend(self, linear: np.ndarray, width: float) -> float:
        """Mean curvature, from some of the rows."""
        return self.losses.bend(linear, width)

    def hessian(self, curvature: np.ndarray) -> np.ndarray:
        """Second moments of the rows and the intercept's ones, weighted so.

        Where most rows have no curvature, the others alone are read.
        """
        X, shift, offset = self.design.X, self.design.shift, self.design.offset
        rows = np.flatnonzero(curvature)
        if len(rows) < _FEW_MOMENTS * len(curvature):
            X, curvature = X[rows], curvature[rows]
        n_features = X.shape[1]
        moments = np.zeros((n_features + 1, n_features + 1))
        for part in chunks(len(X), self._block_rows):
            block = X[part] if shift is None else X[part] - shift
            roots = np.sqrt(curvature[part])
            weighted = block * roots[:, None]
            moments[:-1, :-1] += weighted.T @ weighted
            moments[-1, :-1] += roots @ weighted
        total = moments[-1, -1] = curvature.sum(dtype=np.float64)
        # The offset is a few standard deviations at the most, and takes few digits.
        known = np.outer(offset, moments[-1, :-1] - total * offset / 2)
        moments[:-1, :-1] -= known + known.T
        moments[-1, :-1] -= total * offset
        moments[:-1, -1] = moments[-1, :-1]
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
        return HostSamples(design, self.losses)

    def take(self, rows: np.ndarray) -> HostSamples:
        """Return some of the rows, which are copied, with the weights they have."""
        losses = self.losses.take(rows)
        design = replace(self.design, X=self.design.X[rows], weights=losses.weights)
        return HostSamples(design, losses)

    @property
    def _block_rows(self) -> int:
        width = max(self.design.shape[1], 1) * self.design.dtype.itemsize
        return min(CHUNK, max(64, 1 << max(_BYTES // width, 1).bit_length() - 1))


def predictions(loss: Any, linear: np.ndarray) -> np.ndarray:
    """Predictions for a linear predictor, of its dtype."""
    return np.asarray(predicted(loss, linear)).astype(linear.dtype, copy=False)
