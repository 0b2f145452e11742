"""Dense rows in host memory, or in a memory map: products by BLAS, a block at a time.

Rows are visited in blocks that fit in cache: a block is centred, multiplied,
differentiated and multiplied back before the next one is read, so that X crosses the
memory bus once per gradient and is never copied.

Centring is split in two, ``x - mean = (x - shift) - drift``. The shift is subtracted
from the entries; it keeps huge means (timestamps) from swamping the digits that matter,
and is absent where no column needs it, so that blocks are plain views of X. The drift,
a few standard deviations at the most, is applied to the products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from sklearn_adreg._rows.rows import Rows, Visitor

# Bytes of X in a block: small enough for the caches, large enough for BLAS. Of the
# powers of two from 2^16 to 2^24 this one is the fastest for weighted second moments,
# 0.84 to 0.89 of the time of 2^23 at 50 and at 100 columns.
BLOCK_BYTES = 1 << 20
# The same where a loss is differentiated between two products with the block: each call
# of a backend takes 0.1 to 0.2 ms whatever its rows, and fewer, larger ones are faster.
_VISITED_BYTES = 1 << 23
# Rows whose losses are differentiated at a time: a few arrays of that length fit in
# cache. Of half as many fits take 1.05 to 1.1 times as long (Poisson, Huber, Cauchy and
# pinball, 60,000 to 200,000 rows, and one-hot columns), of twice as many 0.95 to 1.07.
_CHUNK_ROWS = 1 << 15
# Where fewer rows than this part have a slope, they are gathered and read alone: 1.07
# to 1.38 times as fast. Second moments cost more a row, and are worth it earlier.
_SPARSE_SLOPES, SPARSE_CURVATURE = 0.1, 0.25
# The same of columns with coefficients: of rows in C order each takes a cache line, of
# eight numbers.
_SPARSE_COLUMNS = 1 / 16


class HostVectors(Rows):
    """What rows have in common whose row vectors are NumPy arrays.

    They are dataclasses with the numbers of the rows that were taken, `index`.
    """

    index: np.ndarray | None

    def take(self, index: np.ndarray, *vectors: Any) -> tuple[Self, tuple[Any, ...]]:
        """Return some of the rows, and their entries of row vectors."""
        check_ascending(index)
        chosen = index if self.index is None else self.index[index]
        taken = replace(self, index=chosen)  # type: ignore[type-var]
        return taken, tuple(v[index] for v in vectors)

    def with_curvature(self, h: np.ndarray | None) -> tuple[Self, np.ndarray | None]:
        """Rows and weights of a Hessian: the few that count, or all."""
        if h is not None and np.count_nonzero(h) < SPARSE_CURVATURE * len(h):
            rows, (h,) = self.take(np.flatnonzero(h), h)
            return rows, h
        return self, h

    def without_ones(
        self, columns: np.ndarray | None
    ) -> tuple[np.ndarray | None, bool]:
        """Columns without that of the intercept, and whether it was among them."""
        if columns is None:
            return None, self.intercept
        last = self.shape[1] - 1
        ones = bool(self.intercept and len(columns) > 0 and columns[-1] == last)
        return columns[:-1] if ones else columns, ones

    def apply(self, f: Visitor, *vectors: Any, **scalars: Any) -> tuple[Any, Any]:
        """Visit all rows once, as many at a time as stay in cache."""
        numbers = {name: self.dtype.type(value) for name, value in scalars.items()}
        n_rows, found = self.shape[0], None
        for part in slices(n_rows, _CHUNK_ROWS):
            try:
                seen = f(np, *(v[part] for v in vectors), **numbers)
            except Exception as error:
                error.add_note(self._where(part))
                raise
            found = _collected(found, n_rows, part, seen)
        return found  # type: ignore[return-value]

    def _where(self, part: slice) -> str:
        """Say which rows of X were visited when an error was raised."""
        first, last, rest = part.start, part.stop - 1, f" of the {self.shape[0]} fitted"
        if self.index is not None and first <= last:
            first, last = self.index[first], self.index[last]
            whole = last - first == part.stop - part.start - 1
            rest = "" if whole else ", not all of these"
        return f"That was in rows {first} to {last}{rest}, counted from 0."

    def nonzero(self, v: np.ndarray) -> np.ndarray:
        """Return the numbers of the rows with an entry that is not zero."""
        return np.flatnonzero(v if v.ndim == 1 else v.any(axis=1))

    def numpy(self, v: np.ndarray) -> np.ndarray:
        """Return a row vector as it is."""
        return v

    def vector(self, array: np.ndarray) -> np.ndarray:
        """Return an array of the rows' float type, contiguous where it is one."""
        dtype = self.dtype if array.dtype.kind == "f" else array.dtype
        return np.ascontiguousarray(array, dtype=dtype)

    def put(self, v: np.ndarray, index: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the row vector with other values in some rows."""
        changed = v.copy()
        changed[index] = values
        return changed


@dataclass(frozen=True)
class HostRows(HostVectors):
    """Rows of `source`, or those that `index` names, less shift and drift.

    With `longer` the products are those of the next longer float type: what limits
    iterative refinement is the rounding of the gradient, which an ill-conditioned X
    magnifies by the square of its condition number. `origin` is the way back where
    the columns are coordinates in the span of the rows of another matrix.

    References
    ----------
    .. [1] A. Bjorck, "Iterative refinement of linear least squares solutions", BIT,
       1967.
    """

    source: np.ndarray
    shift: np.ndarray | None
    drift: np.ndarray
    intercept: bool
    index: np.ndarray | None = None
    longer: bool = False
    origin: Any = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and columns with that of the intercept."""
        n_rows = len(self.source if self.index is None else self.index)
        return n_rows, self.source.shape[1] + self.intercept

    @property
    def dtype(self) -> np.dtype:
        """Float type of the row vectors."""
        return longer_float(self.source.dtype) if self.longer else self.source.dtype

    @cached_property
    def X(self) -> np.ndarray:  # noqa: N802
        """The rows as they came, gathered when asked for; a view of neighbours."""
        index = self.index
        if index is None:
            return self.source
        if len(index) and index[-1] - index[0] + 1 == len(index):
            return self.source[index[0] : index[-1] + 1]
        return gathered(self.source, index)

    @cached_property
    def mean(self) -> np.ndarray:
        """What is subtracted from the rows; zero without an intercept."""
        if self.shift is None:
            return self.drift
        return self.shift.astype(longer_float(self.source.dtype)) + self.drift

    def matvec(self, theta: np.ndarray) -> np.ndarray:
        """Linear predictors: (p,) or (p, k) to (n,) or (n, k)."""
        coef, level = self._split(theta)
        moving = np.asarray(coef != 0 if coef.ndim == 1 else coef.any(axis=1))
        product = np.empty((self.shape[0], *coef.shape[1:]), dtype=self.dtype)
        if not moving.any():
            product[...] = level
            return product
        few = None
        if np.count_nonzero(moving) < _SPARSE_COLUMNS * len(moving):
            few = np.flatnonzero(moving)
            coef = np.ascontiguousarray(coef[few])
        for part, block in self.blocks(columns=few):
            np.matmul(block, coef, out=product[part])
            product[part] += level
        return product

    def rmatvec(self, v: np.ndarray) -> np.ndarray:
        """Transposed rows times v: (n,) or (n, k) to (p,) or (p, k)."""
        rows: HostRows = self
        if np.count_nonzero(v) < _SPARSE_SLOPES * len(v):
            rows, (v,) = self.take(self.nonzero(v), v)
        found = None
        for part, block in rows.blocks():
            found = _collected(found, len(v), part, ((), _pulled(block, v[part])))
        return self._less_mean(*found[1])  # type: ignore[index]

    def gram(
        self,
        h: np.ndarray | None = None,
        columns: np.ndarray | None = None,
        factor: np.ndarray | None = None,
    ) -> np.ndarray:
        """Second moments of some columns, weighted by `h`, in the factor's basis."""
        rows, h = self.with_curvature(h)
        chosen, ones = self.without_ones(columns)
        if factor is not None:
            return rows._gram_of_image(h, chosen, ones, factor)
        return rows._gram_of_columns(h, chosen, ones)

    def diagonal(self, h: np.ndarray) -> np.ndarray:
        """Second moments of the columns, weighted by `h`."""
        squares = np.zeros(self.source.shape[1])
        for part, block in self.blocks():
            counted = h[part] != 0  # what does not count may overflow when squared
            drift = (block if counted.all() else block[counted]) - self.left
            squares += np.einsum("ij,ij,i->j", drift, drift, h[part][counted])
        return (
            np.append(squares, h.sum(dtype=np.float64)) if self.intercept else squares
        )

    def visit(
        self, theta: np.ndarray, f: Visitor, *vectors: Any, **scalars: Any
    ) -> tuple[Any, ...]:
        """Visit all rows with their linear predictors, reading X once."""
        coef, level = self._split(theta)
        numbers = {name: self.dtype.type(value) for name, value in scalars.items()}
        n_rows, found = self.shape[0], None
        fitting = block_length(len(coef), self.dtype, _VISITED_BYTES)
        for part, block in self.blocks(n_rows=min(fitting, _CHUNK_ROWS)):
            chunks = (v[part] for v in vectors)
            try:
                outs, sums = f(np, block @ coef + level, *chunks, **numbers)
            except Exception as error:
                error.add_note(self._where(part))
                raise
            seen = outs[1:], (*sums, *_pulled(block, outs[0]))
            found = _collected(found, n_rows, part, seen)
        others, (*sums, pulled, total) = found  # type: ignore[misc]
        return tuple(sums), self._less_mean(pulled, total), *others

    def of_matrix(self, matrix: np.ndarray, span: Any) -> HostRows:
        """Return rows of a matrix, their coordinates in a span of these rows."""
        nothing = np.zeros(matrix.shape[1])
        return HostRows(
            matrix.astype(self.dtype), None, nothing, self.intercept, origin=span
        )

    def row_gram(self, weight: np.ndarray) -> np.ndarray:
        """Inner products of the rows without ones, times roots of weights, (n, n)."""
        gram, roots = np.zeros((len(weight),) * 2), np.sqrt(weight)[:, None]
        for part in slices(len(self.drift), block_length(len(weight), self.dtype)):
            block = (self.X[:, part] - self.mean[part]).astype(self.dtype)
            if self.intercept:  # again, for what rounding left of the means
                block -= weight @ block
            block *= roots
            gram += block @ block.T
        return gram

    def refined(self) -> HostRows:
        """Return the rows with products in the next longer float type."""
        return replace(self, longer=True)

    def blocks(
        self, columns: np.ndarray | None = None, n_rows: int | None = None
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Row slices and (some columns of) X there, less the shift.

        With `longer` it is less the whole mean. Valid until the next block.
        """
        shift = self.mean if self.longer else self.shift
        width = self.source.shape[1]
        if columns is not None:
            shift = None if shift is None else shift[columns]
            width = len(columns)
        buffer, n_rows = None, n_rows or block_length(width, self.dtype)
        for part in slices(self.shape[0], n_rows):
            block = self.X[part] if columns is None else self.X[part][:, columns]
            if shift is not None:
                if buffer is None:
                    buffer = np.empty_like(block, dtype=self.dtype)
                block = np.subtract(block, shift, out=buffer[: len(block)])
            yield part, block

    @property
    def left(self) -> np.ndarray:
        """What is still to be subtracted from the rows of a block."""
        return np.zeros(len(self.drift)) if self.longer else self.drift

    def _split(self, theta: np.ndarray) -> tuple[np.ndarray, Any]:
        """Coefficients, and the constant that is added to all products."""
        coef = theta[:-1] if self.intercept else theta
        level = (theta[-1] if self.intercept else 0.0) - self.left @ coef
        return coef.astype(self.dtype), np.asarray(level).astype(self.dtype)

    def _less_mean(self, pulled: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Transposed rows times v, from the sum of v x over blocks and that of v."""
        coef = pulled - np.multiply.outer(self.left, total)
        return np.concatenate([coef, total[None]]) if self.intercept else coef

    def _gram_of_columns(
        self, h: np.ndarray | None, columns: np.ndarray | None, ones: bool
    ) -> np.ndarray:
        drift = self.left if columns is None else self.left[columns]
        moments, first = np.zeros((len(drift),) * 2), np.zeros(len(drift))
        for part, block in self.blocks(columns=columns):
            second, once = _second_moments(block, None if h is None else h[part])
            moments += second
            first += once
        total = float(self.shape[0] if h is None else h.sum(dtype=np.float64))
        # The drift is a few standard deviations at the most, and takes few digits.
        known = np.outer(drift, first - total * drift / 2)
        moments -= known + known.T
        if not ones:
            return moments
        first -= total * drift
        return np.block([[moments, first[:, None]], [first[None], np.array([[total]])]])

    def _gram_of_image(
        self,
        h: np.ndarray | None,
        columns: np.ndarray | None,
        ones: bool,
        factor: np.ndarray,
    ) -> np.ndarray:
        drift = self.left if columns is None else self.left[columns]
        level = (factor[-1] if ones else 0.0) - drift @ factor[: len(drift)]
        factor = factor[: len(drift)].astype(self.dtype)
        moments = np.zeros((factor.shape[1],) * 2)
        for part, block in self.blocks(columns=columns):
            image = block @ factor + level.astype(self.dtype)
            moments += _second_moments(image, None if h is None else h[part])[0]
        return moments


def _pulled(block: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of v x, and of v."""
    wide = np.result_type(v.dtype, np.float64)
    return block.T @ v, v.sum(axis=0, dtype=wide)


def _collected(found: Any, n_rows: int, part: slice, seen: Any) -> tuple[Any, Any]:
    """Row vectors and sums of all rows so far, with those of one more slice."""
    if part.stop - part.start == n_rows:
        return seen
    outs, sums = seen
    if found is None:
        vectors = tuple(np.empty((n_rows, *v.shape[1:]), v.dtype) for v in outs)
        found = vectors, tuple(np.zeros(np.shape(each)) for each in sums)
    for vector, out in zip(found[0], outs, strict=True):
        vector[part] = out
    pairs = zip(found[1], sums, strict=True)
    return found[0], tuple(total + each for total, each in pairs)


def _second_moments(
    block: np.ndarray, h: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of h x x^T, and of h x."""
    if h is None:
        return block.T @ block, block.sum(axis=0, dtype=np.float64)
    if (h >= 0).all():
        roots = np.sqrt(h)
        weighted = block * roots[:, None]
        return weighted.T @ weighted, roots @ weighted
    return (block * h[:, None]).T @ block, h @ block


def longer_float(dtype: np.dtype) -> np.dtype:
    """Return the next longer float type."""
    return np.dtype(np.float64 if dtype == np.float32 else np.longdouble)


def gathered(X: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return some rows of X; in C order NumPy's `take` is twice as fast."""
    return np.take(X, index, axis=0) if X.flags.c_contiguous else X[index]


def slices(length: int, most: int) -> Iterator[slice]:
    """Yield slices of so many rows; one without any where there are none."""
    for start in range(0, max(length, 1), most):
        yield slice(start, min(start + most, length))


def block_length(width: int, dtype: np.dtype, n_bytes: int = BLOCK_BYTES) -> int:
    """Rows of a block that fits in cache: a power of two, so that shapes recur."""
    fitting = n_bytes // (max(width, 1) * dtype.itemsize)
    return max(64, 1 << max(fitting, 1).bit_length() - 1)


def check_ascending(index: np.ndarray) -> None:
    """Raise where the numbers of rows do not ascend: the rows would change places."""
    if (index[1:] <= index[:-1]).any():
        raise ValueError("The numbers of rows that are taken must ascend.")
