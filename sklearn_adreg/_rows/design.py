"""The design matrix in host memory: what a solver may ask of it.

Rows are visited in blocks that fit in cache: a block is centred, multiplied,
differentiated and multiplied back before the next one is read, so that X crosses the
memory bus once per gradient and is never copied.

Centring is split in two, ``x - mean = (x - shift) - offset``. The shift is subtracted
from the entries; it keeps huge offsets (timestamps) from swamping the digits that
matter, and is absent where the columns have none, so that blocks are plain views of X.
The offset, a few standard deviations at the most, is applied to the products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

BLOCK_BYTES = 1 << 23
_FIRST_ROWS = 256
# Second moments of d columns cost about as much as d / 20 passes over X.
COLUMNS_PER_PASS = 20
# Offsets below this many standard deviations cost two digits at the most.
_BENIGN_OFFSET = 10.0


class Moments(NamedTuple):
    """Weighted means of products: all that squared error asks of the data.

    With centred rows x, centred targets y and weights that sum to one: `gram` is
    sum(w x x^T), `cross` sum(w x y^T), `square` sum(w y^2), one for each target.
    """

    gram: Any
    cross: Any
    square: Any


@dataclass(frozen=True)
class HostDesign:
    """X in host memory, with weights that sum to one (None: all the same)."""

    X: np.ndarray
    weights: np.ndarray | None
    shift: np.ndarray | None
    offset: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.X.shape

    @property
    def dtype(self) -> np.dtype:
        """Float type of the data."""
        return self.X.dtype

    @property
    def mean(self) -> np.ndarray:
        """What is subtracted from the rows, in float64; zero without an intercept."""
        return self.offset if self.shift is None else self.shift + self.offset

    @cached_property
    def row_weights(self) -> np.ndarray:
        """Weights of all rows, written out."""
        if self.weights is None:
            return np.full(len(self.X), 1.0 / len(self.X), dtype=self.dtype)
        return self.weights

    def slices(self) -> Iterator[slice]:
        """Yield the rows of X, a block at a time."""
        n_rows = block_length(self.X.shape[1], self.dtype)
        for start in range(0, len(self.X), n_rows):
            yield slice(start, min(start + n_rows, len(self.X)))

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Row slices and X there, less the shift; valid until the next block."""
        if self.shift is not None:
            n_rows = block_length(self.X.shape[1], self.dtype)
            order = "C" if self.X.flags.c_contiguous else "F"
            shape = (min(n_rows, len(self.X)), self.X.shape[1])
            buffer = np.empty(shape, dtype=self.dtype, order=order)  # type: ignore[call-overload]
        for rows in self.slices():
            block = self.X[rows]
            if self.shift is not None:
                block = np.subtract(block, self.shift, out=buffer[: len(block)])
            yield rows, block

    def dot(self, coef: np.ndarray) -> np.ndarray:
        """Centred X times `coef`: (n_features, k) to (n_samples, k)."""
        product = np.empty((len(self.X), coef.shape[1]), dtype=self.dtype)
        for rows, block in self.blocks():
            np.matmul(block, coef, out=product[rows])
        return product - (self.offset @ coef).astype(self.dtype)

    def transposed_dot(self, residual: np.ndarray) -> np.ndarray:
        """Transposed centred X times `residual`: (n_samples, k) to (n_features, k)."""
        product = np.zeros((self.X.shape[1], residual.shape[1]))
        for rows, block in self.blocks():
            product += block.T @ residual[rows]
        return product - np.outer(self.offset, residual.sum(axis=0))

    def row_gram(self) -> np.ndarray:
        """Inner products of the weighted, centred rows, (n_samples, n_samples)."""
        gram = np.zeros((len(self.X), len(self.X)))
        for block in self._columns():
            gram += block.T @ block
        return gram

    def triangle(self, scale: np.ndarray, target: np.ndarray) -> np.ndarray:
        """R of a QR factorisation of [1, X / scale, target], weighted and centred.

        The column of ones takes up what rounding has left of the means.
        """
        triangle = np.zeros((0, 1 + self.X.shape[1] + target.shape[1]))
        roots = np.sqrt(self.row_weights)[:, None]
        for rows, block in self.blocks():
            columns = [np.ones((len(block), 1)), (block - self.offset) / scale]
            stack = np.hstack([*columns, target[rows]]) * roots[rows]
            triangle = _stacked_triangle(triangle, stack)
        return triangle

    def row_triangle(self) -> np.ndarray:
        """R of a QR factorisation of the weighted, centred X, transposed."""
        triangle = np.zeros((0, len(self.X)))
        for block in self._columns():
            triangle = _stacked_triangle(triangle, block)
        return triangle

    def column_variances(self) -> np.ndarray:
        """Second moments of the centred columns."""
        variances, weights = np.zeros(self.X.shape[1]), self.row_weights
        for rows, block in self.blocks():
            squares = (block - self.offset) ** 2
            variances += weights[rows] @ squares
        return variances

    def _columns(self) -> Iterator[np.ndarray]:
        n_columns = block_length(len(self.X), self.dtype)
        roots = np.sqrt(self.row_weights)[:, None]
        mean = self.mean
        for start in range(0, self.X.shape[1], n_columns):
            columns = slice(start, start + n_columns)
            block = self.X[:, columns] - mean[columns]
            if self.shift is not None:  # again, for what rounding left of the means
                block -= self.row_weights @ block
            yield (block * roots).T


def block_length(width: int, dtype: np.dtype) -> int:
    """Rows of a block that fits in cache: a power of two, so that shapes recur."""
    fitting = BLOCK_BYTES // (max(width, 1) * dtype.itemsize)
    return max(64, 1 << max(fitting, 1).bit_length() - 1)


def tall_design(
    X: np.ndarray, weights: np.ndarray | None, target: np.ndarray, *, centred: bool
) -> tuple[HostDesign, Moments]:
    """Design and moments from one pass over X (two where its rows drift far)."""
    shift = _first_shift(X, weights) if centred else None
    design = HostDesign(X, weights, shift, np.zeros(X.shape[1]))
    everything = slice(None)
    moments, offset = _measure(design, target, everything)
    if not centred:
        return design, moments
    gram = moments.gram - np.outer(offset, offset)
    far = np.abs(offset) > _BENIGN_OFFSET * np.sqrt(np.maximum(np.diag(gram), 0.0))
    if far.any():
        # Measured from one of its own values, a constant column is exactly zero.
        constant = np.diag(gram) <= 1e3 * np.finfo(X.dtype).eps * offset**2
        shift = np.where(constant, _pivot(X, weights), design.mean + offset)
        design = HostDesign(X, weights, shift.astype(X.dtype), design.offset)
        moments, offset = _measure(design, target, everything)
    design = HostDesign(X, weights, design.shift, offset)
    return design, _about_mean(moments, offset, target, weights)


def moments_of_columns(
    design: HostDesign, target: np.ndarray, columns: np.ndarray, *, centred: bool
) -> tuple[Moments, np.ndarray]:
    """Moments of some of the columns, and the means that their rows were centred at.

    The offset of the design need not be exact: that of the columns is taken anew.
    """
    moments, offset = _measure(design, target, columns)
    if not centred:
        return moments, np.zeros(len(columns))
    mean = offset if design.shift is None else design.shift[columns] + offset
    return _about_mean(moments, offset, target, design.weights), mean


def wide_design(
    X: np.ndarray, weights: np.ndarray | None, *, centred: bool
) -> HostDesign:
    """Design whose columns are centred one by one, without second moments."""
    nothing = np.zeros(X.shape[1])
    if not centred:
        return HostDesign(X, weights, None, nothing)
    pivot = _pivot(X, weights)
    uniform = np.full(len(X), 1.0 / len(X), dtype=X.dtype)
    column = (uniform if weights is None else weights)[:, None]
    mean = pivot + HostDesign(X, weights, pivot, nothing).transposed_dot(column)[:, 0]
    shift = mean.astype(X.dtype)
    return HostDesign(X, weights, shift, mean - shift)


def _measure(
    design: HostDesign, target: np.ndarray, columns: slice | np.ndarray
) -> tuple[Moments, np.ndarray]:
    """Moments of X less the shift, and the mean of it: one pass."""
    n_features = len(np.arange(design.X.shape[1])[columns])
    gram = np.zeros((n_features, n_features))
    cross = np.zeros((n_features, target.shape[1]))
    mean = np.zeros(n_features)
    for rows, whole in design.blocks():
        block = whole[:, columns]
        y, roots = target[rows], np.ones(len(block), dtype=design.dtype)
        if design.weights is not None:
            roots = np.sqrt(design.weights[rows])
            block, y = block * roots[:, None], y * roots[:, None]
        gram += block.T @ block
        cross += block.T @ y
        mean += roots @ block
    unit = 1.0 if design.weights is not None else 1.0 / len(design.X)
    square = weighted_mean(target**2, design.weights)
    return Moments(gram * unit, cross * unit, square), mean * unit


def _about_mean(
    moments: Moments, offset: np.ndarray, target: np.ndarray, weights: np.ndarray | None
) -> Moments:
    """Moments of rows, from those less an offset from the mean."""
    gram = moments.gram - np.outer(offset, offset)
    cross = moments.cross - np.outer(offset, weighted_mean(target, weights))
    return moments._replace(gram=gram, cross=cross)


def _stacked_triangle(triangle: np.ndarray, block: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.qr(np.vstack([triangle, block]), mode="r"))


def _first_shift(X: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
    """Mean of the first rows, or None where no column is far from zero.

    Measured from one of the rows, so that constant columns become exact zeros.
    """
    pivot = _pivot(X, weights)
    part = None if weights is None else weights[:_FIRST_ROWS]
    if part is not None and not part.any():
        return pivot
    drift = X[:_FIRST_ROWS] - pivot
    mean = weighted_mean(drift, part)
    spread = np.sqrt(np.maximum(weighted_mean(drift**2, part) - mean**2, 0.0))
    shift = pivot + mean
    far = np.abs(shift) > 3.0 * spread
    if len(X) > _FIRST_ROWS:
        # What is constant so far need not be: many an indicator is. If it is, that
        # shows in its moments.
        far &= spread > 0
    return shift.astype(X.dtype) if far.any() else None


def _pivot(X: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    row = 0 if weights is None else int(np.argmax(weights > 0))
    return X[row]


def weighted_mean(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Weighted mean over the rows, in float64."""
    if weights is None:
        return values.mean(axis=0, dtype=np.float64)
    return np.asarray(weights @ values / weights.sum(), dtype=np.float64)
