"""What a descent may ask of the rows, wherever they are: dense, sparse, on a device.

Rows are X less its mean and, where there is an intercept, a last column of ones: with p
columns in all, coefficients and intercept are one array `theta` of length p (or p by k,
for k predictors a row). Only where rows are made, and in `inner` and `outer`, is X less
its mean another thing than X.

A *row vector* has one entry a row, or k of them: (n,) or (n, k). It lives where the
rows live and is opaque to a descent, which hands it back as it came. What has p entries
is NumPy in float64 (on a device, `visit` leaves it there).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np

# f(xp, *chunks, **scalars) -> (row vectors, sums): pure, hashable and elementwise in
# the rows: any number of them may be visited at a time, and a device may compile it.
Visitor = Callable[..., tuple[tuple[Any, ...], tuple[Any, ...]]]

# Right-hand sides of a product at a time, where there are as many as rows: each takes
# as much memory as a row vector and a column of theta.
_ROWS_AT_ONCE = 64


class Rows(ABC):
    """n rows of p columns, centred, with the products that descents need."""

    # Whether the products with fewer rows cost less. On a device each new number of
    # rows is compiled anew, which costs more than it spares.
    eager: ClassVar[bool] = True
    # Whether all entries are stored: the products are BLAS's then.
    dense: ClassVar[bool] = True
    # Whether theta has several entries for each column of X, which a factor is one of.
    mixed: ClassVar[bool] = False

    # Whether the last column is the ones of an intercept; what is subtracted from the
    # other columns, (d,); and, where they are coordinates in the span of the rows of
    # another matrix, the way back to that.
    intercept: bool
    mean: Any
    origin: Any = None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows, and columns with that of the intercept."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype:
        """Float type of the row vectors."""

    @abstractmethod
    def matvec(self, theta: np.ndarray) -> Any:
        """Linear predictors x_i . theta: (p,) or (p, k) to row vectors."""

    @abstractmethod
    def rmatvec(self, v: Any) -> np.ndarray:
        """Sum_i v_i x_i: row vectors to (p,) or (p, k)."""

    @abstractmethod
    def gram(
        self,
        h: Any = None,
        columns: np.ndarray | None = None,
        factor: np.ndarray | None = None,
    ) -> np.ndarray:
        """Sum_i h_i P^T x_i x_i^T P, of some columns of x; `h` may have any sign.

        `columns` are sorted. `factor` is P, with a row for each of the columns. Without
        `h` all rows count once.
        """

    @abstractmethod
    def diagonal(self, h: Any) -> np.ndarray:
        """Diagonal of `gram(h)`, (p,), for columns that are too many for it."""

    @abstractmethod
    def apply(self, f: Visitor, *vectors: Any, **scalars: Any) -> tuple[Any, Any]:
        """Visit all rows once: row vectors that `f` returns, and its sums over rows.

        `f` is called with an array namespace, parts of the vectors and the scalars. It
        may be called with no rows at all.
        """

    @abstractmethod
    def take(self, index: np.ndarray, *vectors: Any) -> tuple[Rows, tuple[Any, ...]]:
        """Return some of the rows, and their entries of row vectors.

        `index` is strictly ascending. X is copied when a product is first asked for.
        """

    @abstractmethod
    def nonzero(self, v: Any) -> np.ndarray:
        """Return the ascending numbers of the rows with an entry that is not zero."""

    @abstractmethod
    def numpy(self, v: Any) -> np.ndarray:
        """Return a row vector as one NumPy array."""

    @abstractmethod
    def vector(self, array: np.ndarray) -> Any:
        """Return a NumPy array, with an entry or k of them a row, as a row vector.

        Floats become the rows'; integers and booleans keep their type.
        """

    @abstractmethod
    def put(self, v: Any, index: np.ndarray, values: Any) -> Any:
        """Return the row vector with other values, a row vector of `take`, in rows."""

    def inner(self, coef: np.ndarray, intercept: Any) -> np.ndarray:
        """Theta of coefficients (d,) or (d, k) and intercepts for X as it came."""
        level = None
        if self.intercept:
            level = np.asarray(intercept + self._source_mean @ coef, dtype=np.float64)
        if self.origin is not None:
            coef = self.origin.inner(coef)
        return coef if level is None else np.concatenate([coef, level[None]])

    def outer(self, theta: np.ndarray) -> tuple[np.ndarray, Any]:
        """Coefficients and intercepts for X as it came."""
        coef, level = theta, np.zeros(theta.shape[1:])
        if self.intercept:
            coef, level = theta[:-1], theta[-1]
        if self.origin is not None:
            coef = self.origin.coefficients(coef)
        if self.intercept:
            level = level - self._source_mean @ coef
        return coef.astype(np.float64), np.asarray(level, dtype=np.float64)

    def visit(
        self, theta: Any, f: Visitor, *vectors: Any, **scalars: Any
    ) -> tuple[Any, ...]:
        """Visit all rows with their linear predictors, and pull a row vector back.

        `f` gets the linear predictors before `vectors`. Returns its sums, `rmatvec` of
        its first row vector, which is not kept, and the others. Rows that can read X
        once do so.
        """
        linear = self.matvec(theta)
        (first, *others), sums = self.apply(f, linear, *vectors, **scalars)
        return sums, self.rmatvec(first), *others

    @abstractmethod
    def of_matrix(self, matrix: np.ndarray, span: Any) -> Rows:
        """Return rows of a NumPy matrix, their coordinates in a span of these rows."""

    def row_gram(self, weight: Any) -> np.ndarray:
        """Inner products of the rows without ones, times roots of weights, (n, n)."""
        n_rows, n_columns = self.shape
        roots = np.sqrt(np.asarray(self.numpy(weight), dtype=np.float64))
        gram = np.empty((n_rows, n_rows))
        for start in range(0, n_rows, _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            some = self.rmatvec(self.vector(np.diag(roots)[:, part]))
            some[n_columns - self.intercept :] = 0.0
            gram[:, part] = roots[:, None] * self.numpy(self.matvec(some))
        return gram

    def refined(self) -> Rows:
        """Return rows with products in a longer float type, or these."""
        return self

    def emptied(self) -> tuple[Rows, Any]:
        """Return rows without X, which a compiled program is keyed by, and X.

        Arrays are arguments of a program: inside it `filled` makes rows of both again,
        with the products but without `inner` and `outer`. Rows that are not compiled
        are returned as they are, with None.
        """
        return self, None

    def filled(self, X: Any) -> Rows:
        """Return emptied rows with their X."""
        del X  # rows that are not compiled have kept it
        return self

    @property
    def _source_mean(self) -> np.ndarray:
        """Mean of the columns of X as it came."""
        return self.mean if self.origin is None else self.origin.mean


def spread_out(index: np.ndarray, enough: int) -> np.ndarray:
    """Return so many rows of those given, in order, or all where these are fewer.

    One row of each of as many stretches: neither what repeats along the rows nor what
    drifts is missed. The draw is the same each time.
    """
    if len(index) <= enough:
        return index
    edges = np.arange(enough + 1) * len(index) // enough
    within = np.random.default_rng(0).random(enough) * np.diff(edges)
    return index[edges[:-1] + within.astype(np.intp)]


class Data(NamedTuple):
    """Rows with all that belongs to each of them; `weight` sums to one.

    `target` is (n,) or (n, n_targets), `offset` is added to the linear predictor (None:
    nothing), and `row_data` are the further arguments of the loss.
    """

    rows: Any
    target: Any
    weight: Any
    offset: Any = None
    row_data: tuple[Any, ...] = ()

    def take(self, index: np.ndarray) -> Data:
        """Return some of the rows, with the weights that they have."""
        rows, (target, weight, *further) = self.rows.take(index, *self.vectors)
        offset = None if self.offset is None else further.pop(0)
        return Data(rows, target, weight, offset, tuple(further))

    def part(self, index: np.ndarray) -> Data:
        """Return some of the rows for themselves: their weights sum to one."""
        data = self.take(index)
        weight = np.asarray(data.rows.numpy(data.weight), dtype=np.float64)
        return data._replace(weight=data.rows.vector(weight / weight.sum()))

    @property
    def left(self) -> np.ndarray:
        """Target less the offset, as NumPy: what is left to theta, without a link.

        Of several predictors a row none is known to be that of the target.
        """
        target = self.rows.numpy(self.target)
        if self.offset is None or self.offset.ndim > target.ndim:
            return target
        return target - self.rows.numpy(self.offset)

    @property
    def vectors(self) -> tuple[Any, ...]:
        """All row vectors: target, weight, the offset if there is one, row data."""
        offset = () if self.offset is None else (self.offset,)
        return (self.target, self.weight, *offset, *self.row_data)
