"""Sparse rows in host memory, CSR or CSC: products by SciPy, never densified.

Centring is implicit: the means are subtracted from the products, X (theta) - m . theta,
which keeps zeros what they are. That costs digits where a mean is many standard
deviations. Of a column with zeros it cannot be so many; where there are none, and the
mean is far from zero, it is subtracted from the entries themselves, in a copy of them.

Second moments are products of sparse matrices, or of dense blocks where few entries are
zero, whichever costs less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from sklearn_adreg._rows.host import (
    HostRows,
    HostVectors,
    longer_float,
    slices,
)
from sklearn_adreg._rows.moments import BENIGN_DRIFT, pivot_row

# Bytes of a dense block.
_BLOCK_BYTES = 1 << 22
# Second moments of columns of which a larger part is not zero are products of dense
# blocks. Of 50 to 3,000 columns sparse products take 0.3 to 0.6 of the time where this
# part is 0.06, as long where it is 0.1, and two to three times as long at 0.2.
_DENSE = 0.1
# So many rows rule out nearly all columns that have zeros, or are not far from zero.
_FEW_ROWS = 64


@dataclass(frozen=True, eq=False)
class SparseRows(HostVectors):
    """Rows of `source`, or those that `index` names, less the drift.

    `source` has no duplicate entries; where some columns were shifted it is a copy. The
    drift is the mean of its entries by `shares`, if these are known.
    """

    dense: ClassVar[bool] = False

    source: Any
    drift: np.ndarray
    mean: np.ndarray
    intercept: bool
    index: np.ndarray | None = None
    shares: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and columns with that of the intercept."""
        n_rows, n_features = self.source.shape
        if self.index is not None:
            n_rows = len(self.index)
        return n_rows, n_features + self.intercept

    @property
    def dtype(self) -> np.dtype:
        """Float type of the row vectors."""
        return np.dtype(self.source.dtype)

    @cached_property
    def X(self) -> Any:  # noqa: N802
        """The rows less what was subtracted from entries, gathered when asked for."""
        return self.source if self.index is None else self.source[self.index]

    @cached_property
    def transposed(self) -> Any:
        """The same transposed, without a copy; SciPy checks what it transposes."""
        return self.X.T

    def matvec(self, theta: np.ndarray) -> np.ndarray:
        """Linear predictors: (p,) or (p, k) to (n,) or (n, k)."""
        coef = theta[: len(self.drift)].astype(self.dtype, copy=False)
        level = (theta[-1] if self.intercept else 0.0) - self.drift @ coef
        level = np.asarray(level).astype(self.dtype)
        if not coef.any():  # as at the start of a descent
            return np.zeros((self.shape[0], *coef.shape[1:]), self.dtype) + level
        product = np.asarray(self.X @ coef)
        product += level
        return product

    def rmatvec(self, v: np.ndarray) -> np.ndarray:
        """Transposed rows times v: (n,) or (n, k) to (p,) or (p, k)."""
        v = v.astype(np.result_type(v, np.float64), copy=False)
        total, n_features = v.sum(axis=0), len(self.drift)
        found = np.empty((n_features + self.intercept, *v.shape[1:]), v.dtype)
        np.multiply.outer(self.drift, -total, out=found[:n_features])
        found[:n_features] += self.transposed @ v
        found[n_features:] = total
        return found

    def gram(
        self,
        h: np.ndarray | None = None,
        columns: np.ndarray | None = None,
        factor: np.ndarray | None = None,
    ) -> np.ndarray:
        """Second moments of some columns, weighted by `h`, in the factor's basis."""
        rows, h = self.with_curvature(h)
        h = np.ones(rows.shape[0]) if h is None else h.astype(np.float64)
        X, drift = rows.X, self.drift
        chosen, ones = self.without_ones(columns)
        if chosen is not None:
            X, drift = X[:, chosen], drift[chosen]
        X = X.astype(np.float64, copy=False).tocsr()
        if factor is not None:
            level = (factor[-1] if ones else 0.0) - drift @ factor[: len(drift)]
            return _gram_of_image(X, h, factor[: len(drift)], level)
        first, total = X.T @ h, h.sum()
        known = np.outer(drift, first - total * drift / 2)
        moments = _gram_of_columns(X, h) - (known + known.T)
        if not ones:
            return moments
        first = first - total * drift
        return np.block([[moments, first[:, None]], [first[None], np.array([[total]])]])

    def diagonal(self, h: np.ndarray) -> np.ndarray:
        """Second moments of the columns, weighted by `h`."""
        rows: SparseRows = self
        if not h.all():  # what does not count may overflow when squared
            rows, (h,) = self.take(np.flatnonzero(h), h)
        h = h.astype(np.float64)
        X = rows.X.astype(np.float64, copy=False)
        total = h.sum()
        known = rows.shares is not None and np.array_equal(h, rows.shares)
        first = total * self.drift if known else X.T @ h
        squares = X.power(2).T @ h - self.drift * (2 * first - total * self.drift)
        return np.append(squares, total) if self.intercept else squares

    def of_matrix(self, matrix: np.ndarray, span: Any) -> HostRows:
        """Return rows of a matrix, their coordinates in a span of these rows."""
        nothing = np.zeros(matrix.shape[1])
        return HostRows(
            matrix.astype(self.dtype), None, nothing, self.intercept, origin=span
        )

    def row_gram(self, weight: np.ndarray) -> np.ndarray:
        """Inner products of the rows without ones, times roots of weights, (n, n)."""
        X = self.X.astype(np.float64, copy=False)
        roots, drift = np.sqrt(weight.astype(np.float64)), self.drift
        gram = (X @ X.T).toarray()
        along = X @ drift - drift @ drift / 2
        gram -= along[:, None] + along
        return np.asarray(roots[:, None] * gram * roots)

    def refined(self) -> SparseRows:
        """Return the rows with products in the next longer float type."""
        return replace(self, source=self.source.astype(longer_float(self.dtype)))


def sparse_rows(X: Any, weight: np.ndarray | None, *, intercept: bool) -> SparseRows:
    """Rows of a CSR or CSC matrix, centred where there is an intercept.

    `weight` sums to one; None is the same for all. X itself stays as it is.
    """
    if not X.has_canonical_format:  # squares of duplicates are not those of their sums
        X = X.copy()
        X.sum_duplicates()
    nothing = np.zeros(X.shape[1])
    if not intercept:
        return SparseRows(X, nothing, nothing, intercept)
    n_rows = X.shape[0]
    shares = np.full(n_rows, 1.0 / n_rows) if weight is None else weight
    rows = SparseRows(X, nothing, nothing, False)
    mean, shift = rows.rmatvec(shares), _shift(rows, shares)
    if shift.any():
        X = X.copy()
        X.data -= shift[_columns_of(X)].astype(X.dtype)
        mean = SparseRows(X, nothing, nothing, False).rmatvec(shares)
    return SparseRows(X, mean, shift + mean, intercept, shares=shares)


def _shift(rows: SparseRows, weight: np.ndarray) -> np.ndarray:
    """Means of the columns without zeros that are far from zero; zero for the others.

    Of the rows that count: in the others columns may have zeros, and then nobody asks
    for them.
    """
    shift, counted = np.zeros(rows.shape[1]), np.flatnonzero(weight)
    few, _ = rows.take(counted[:: -(-len(counted) // _FEW_ROWS)])
    full = np.flatnonzero(_entries(few.X) == few.shape[0])
    values = few.X[:, full].toarray()
    far = 2 * np.abs(values.mean(axis=0)) > BENIGN_DRIFT * values.std(axis=0)
    if not far.any():
        return shift
    full = full[far]
    X = rows.X[:, full]
    if len(counted) < rows.shape[0]:
        X, weight = X[counted], weight[counted]
    every = _entries(X) == len(counted)
    if not every.any():
        return shift
    X, full = X[:, np.flatnonzero(every)], full[every]
    nothing = np.zeros(len(full))
    mean = SparseRows(X, nothing, nothing, False).rmatvec(weight)
    variances = SparseRows(X, mean, mean, False).diagonal(weight)
    far = mean**2 > BENIGN_DRIFT**2 * variances
    # Measured from one of its own values, a constant column is exactly zero.
    constant = variances <= 1e3 * np.finfo(rows.dtype).eps * mean**2
    found = np.where(constant, pivot_row(X, None), mean)
    shift[full[far]] = found[far].astype(rows.dtype)
    return shift


def _entries(X: Any) -> np.ndarray:
    """Return how many entries are stored of each column."""
    return np.bincount(_columns_of(X), minlength=X.shape[1])


def _columns_of(X: Any) -> np.ndarray:
    """Return the number of the column of each entry."""
    if X.format == "csr":
        return np.asarray(X.indices)
    return np.repeat(np.arange(X.shape[1]), np.diff(X.indptr))


def _gram_of_columns(X: Any, h: np.ndarray) -> np.ndarray:
    """Sum of h x x^T."""
    signs = np.sign(h)
    positive = bool((signs >= 0).all())
    roots = np.repeat(np.sqrt(np.abs(h)), np.diff(X.indptr))
    X = type(X)((X.data * roots, X.indices, X.indptr), shape=X.shape)
    if X.nnz < _DENSE * X.shape[0] * X.shape[1]:
        other = X if positive else X.multiply(signs[:, None]).tocsr()
        return np.asarray((X.T @ other).toarray())
    moments, buffer = np.zeros((X.shape[1],) * 2), None
    for part in _parts(*X.shape):
        some = X[part]
        if buffer is None:
            buffer = np.empty(some.shape)
        block = some.toarray(out=buffer[: some.shape[0]])
        moments += (block.T if positive else block.T * signs[part]) @ block
    return moments


def _gram_of_image(
    X: Any, h: np.ndarray, factor: np.ndarray, level: np.ndarray
) -> np.ndarray:
    """Sum of h z z^T, z = P^T x + level."""
    moments = np.zeros((factor.shape[1],) * 2)
    for part in _parts(X.shape[0], factor.shape[1]):
        image = X[part] @ factor + level
        moments += (image.T * h[part]) @ image
    return moments


def _parts(n_rows: int, width: int) -> Iterator[slice]:
    return slices(n_rows, max(1, _BLOCK_BYTES // (8 * max(width, 1))))
