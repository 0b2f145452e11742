"""Dense rows on a backend's device: whole-array products, compiled by the backend.

X is copied to the device once and centred there, where it stays, with a column of ones
for the intercept. Row vectors stay there too. What the backend is given to evaluate is
pure and equal by value, so that it is compiled once for each set of shapes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from sklearn_adreg._rows.host import SPARSE_CURVATURE, check_ascending
from sklearn_adreg._rows.moments import pivot_row
from sklearn_adreg._rows.rows import Rows, Visitor
from sklearn_adreg.backends.base import Backend


@dataclass(frozen=True)
class DeviceRows(Rows):
    """Rows of `source`, or those that `index` names, on a device.

    `source` is X less its mean, with a last column of ones where there is an intercept.
    Equality asks what a compiled program depends on, apart from its arrays.
    """

    eager: ClassVar[bool] = False

    backend: Backend
    device: str
    source: Any = field(compare=False)
    mean: np.ndarray = field(compare=False)
    intercept: bool
    index: np.ndarray | None = field(default=None, compare=False)
    origin: Any = field(default=None, compare=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and columns with that of the intercept."""
        n_rows = len(self.source if self.index is None else self.index)
        return n_rows, self.source.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """Float type of the row vectors."""
        return np.dtype(self.source.dtype)

    @cached_property
    def X(self) -> Any:  # noqa: N802
        """The centred rows; gathered when they are first asked for."""
        if self.index is None:
            return self.source
        return self.backend.evaluate(_gathered, self.index, self.source)[0]

    def matvec(self, theta: Any) -> Any:
        """Linear predictors: (p,) or (p, k) to row vectors."""
        return self.backend.evaluate(_product, self.X, self._own(theta))

    def rmatvec(self, v: Any) -> np.ndarray:
        """Transposed rows times v: row vectors to (p,) or (p, k)."""
        return _float64(self.backend.evaluate(_transposed_product, self.X, v))

    def gram(
        self,
        h: Any = None,
        columns: np.ndarray | None = None,
        factor: np.ndarray | None = None,
    ) -> np.ndarray:
        """Second moments of some columns, weighted by `h`, in the factor's basis.

        Rows and columns are gathered by powers of two, so that few shapes are compiled.
        """
        index = None
        if h is not None:
            known = self.numpy(h)
            moving = np.flatnonzero(known)
            if len(moving) < SPARSE_CURVATURE * len(known):
                index, h = _padded(moving), _padded(known[moving])
        chosen = None if columns is None else _padded(columns)
        if factor is not None:
            factor = self._own(factor if columns is None else _padded(factor))
        moments = _float64(
            self.backend.evaluate(_gram, self.X, h, index, chosen, factor)
        )
        if columns is None or factor is not None:
            return moments
        return moments[: len(columns), : len(columns)]

    def diagonal(self, h: Any) -> np.ndarray:
        """Second moments of the columns, weighted by `h`."""
        return _float64(self.backend.evaluate(_diagonal, self.X, h))

    def apply(self, f: Visitor, *vectors: Any, **scalars: Any) -> tuple[Any, Any]:
        """Visit all rows at once; the sums stay on the device."""
        numbers = map(self._own, scalars.values())
        return self.backend.evaluate(_Applied(f, tuple(scalars)), *vectors, *numbers)

    def visit(
        self, theta: Any, f: Visitor, *vectors: Any, **scalars: Any
    ) -> tuple[Any, ...]:
        """Visit all rows with their linear predictors; all results stay on the device.

        It may be a part of a program: rows may be traced.
        """
        (first, *others), sums = self.apply(f, self.matvec(theta), *vectors, **scalars)
        pulled = self.backend.evaluate(_transposed_product, self.X, first)
        return sums, pulled, *others

    def emptied(self) -> tuple[DeviceRows, Any]:
        """Return rows without arrays, and X."""
        nothing: Any = None
        empty = replace(self, source=nothing, mean=nothing, index=None, origin=None)
        return empty, self.X

    def filled(self, X: Any) -> DeviceRows:
        """Return emptied rows with their X."""
        return replace(self, source=X)

    def take(
        self, index: np.ndarray, *vectors: Any
    ) -> tuple[DeviceRows, tuple[Any, ...]]:
        """Return some of the rows, and their entries of row vectors."""
        check_ascending(index)
        chosen = index if self.index is None else self.index[index]
        found = self.backend.evaluate(_gathered, index, *vectors) if vectors else ()
        return replace(self, index=chosen), found

    def nonzero(self, v: Any) -> np.ndarray:
        """Return the numbers of the rows with an entry that is not zero."""
        known = self.numpy(v)
        return np.flatnonzero(known if known.ndim == 1 else known.any(axis=1))

    def numpy(self, v: Any) -> np.ndarray:
        """Return a row vector in host memory."""
        return np.asarray(v)

    def vector(self, array: np.ndarray) -> Any:
        """Put an array on the device of the rows, in their float type."""
        array = self._own(array) if array.dtype.kind == "f" else array
        return self.backend.place((array,), self.device)[0]

    def put(self, v: Any, index: np.ndarray, values: Any) -> Any:
        """Return the row vector with other values in some rows."""
        if len(index) == 0:
            return v
        place = np.full(len(v), -1)
        place[index] = np.arange(len(index))
        return self.backend.evaluate(_replaced, v, place, values)

    def of_matrix(self, matrix: np.ndarray, span: Any) -> DeviceRows:
        """Return rows of a matrix, their coordinates in a span of these rows."""
        ones = np.ones((len(matrix), int(self.intercept)))
        source = self.vector(np.hstack([matrix, ones]))
        mean = np.zeros(matrix.shape[1])
        return replace(self, source=source, mean=mean, index=None, origin=span)

    def _own(self, value: Any) -> Any:
        """Give numbers the float type of the rows; leave those that have it."""
        if getattr(value, "dtype", None) == self.dtype:
            return value
        return np.asarray(value, dtype=self.dtype)


def device_rows(
    backend: Backend,
    device: str,
    X: np.ndarray,
    weight: np.ndarray | None,
    *,
    intercept: bool,
) -> DeviceRows:
    """Place X on a device and centre it there.

    `weight` sums to one; None is the same for all.
    """
    if not intercept:
        (placed,) = backend.place((X,), device)
        return DeviceRows(backend, device, placed, np.zeros(X.shape[1]), intercept)
    pivot = pivot_row(X, weight)
    shares = np.full(len(X), 1.0 / len(X)) if weight is None else weight
    placed, shares = backend.place((X, shares.astype(X.dtype, copy=False)), device)
    placed, drift, rest = backend.evaluate(_centred, placed, shares, pivot)
    mean = pivot.astype(np.float64) + (_float64(drift) + _float64(rest))
    return DeviceRows(backend, device, placed, mean, intercept)


@dataclass(frozen=True)
class _Applied:
    """A visitor, whose last arguments are scalars with names."""

    f: Visitor
    names: tuple[str, ...]

    def __call__(self, xp: Any, *arrays: Any) -> Any:
        """Visit all rows."""
        n_vectors = len(arrays) - len(self.names)
        scalars = dict(zip(self.names, arrays[n_vectors:], strict=True))
        return self.f(xp, *arrays[:n_vectors], **scalars)


def _centred(xp: Any, X: Any, weight: Any, pivot: Any) -> Any:
    # From one of the rows: constant columns become exact zeros, and a huge mean does
    # not swamp the digits that matter. Then again, for what rounding left of it.
    moved = X - pivot
    drift = weight @ moved
    moved = moved - drift
    rest = weight @ moved
    return xp.hstack([moved - rest, xp.ones_like(weight)[:, None]]), drift, rest


def _product(_xp: Any, X: Any, theta: Any) -> Any:
    return X @ theta


def _transposed_product(_xp: Any, X: Any, v: Any) -> Any:
    # X.T @ v would have XLA write out a transposed X for each product on a CPU: twice
    # the time of a step on 20,000 x 20.
    return (v.T @ X).T


def _gram(_xp: Any, X: Any, h: Any, index: Any, columns: Any, factor: Any) -> Any:
    """Whatever is None is left out."""
    if index is not None:
        X = X[index]
    if columns is not None:
        X = X[:, columns]
    if factor is not None:
        X = X @ factor
    return (X if h is None else X * h[:, None]).T @ X


def _diagonal(xp: Any, X: Any, h: Any) -> Any:
    return xp.sign(h) @ (xp.sqrt(abs(h))[:, None] * X) ** 2


def _gathered(_xp: Any, index: Any, *vectors: Any) -> Any:
    return tuple(v[index] for v in vectors)


def _replaced(xp: Any, v: Any, place: Any, values: Any) -> Any:
    """Take from `values` where a place in them is named."""
    new = values[xp.maximum(place, 0)]
    named = (place >= 0).reshape(place.shape + (1,) * (v.ndim - 1))
    return xp.where(named, new, v)


def _padded(array: np.ndarray) -> np.ndarray:
    """Append zeros up to a power of two."""
    size = 1 << max(len(array) - 1, 0).bit_length()
    return np.pad(array, [(0, size - len(array))] + [(0, 0)] * (array.ndim - 1))


def _float64(found: Any) -> np.ndarray:
    """Bring numbers to host memory, where they may be written to."""
    return np.array(found, dtype=np.float64)
