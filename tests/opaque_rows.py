"""Rows whose row vectors nothing but the rows themselves can compute with.

They live in the tests alone, and stand for rows that are far away, on many machines: a
descent that runs on them hands row vectors back as it got them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np

from sklearn_adreg._rows.rows import Rows, Visitor

# Lengths of the first blocks: uneven, and some without any rows. The rest is one block.
LENGTHS = (0, 7, 1, 0, 40, 3)


def _refused(name: str) -> Callable[..., NoReturn]:
    def refuse(self: Any, *_others: Any) -> NoReturn:
        del self
        raise TypeError(f"A row vector is opaque outside of its rows: {name}.")

    return refuse


class Blocks:
    """A row vector in blocks, which refuses to be anything else."""

    def __init__(self, parts: list[np.ndarray]) -> None:
        self.parts = parts

    # NumPy's functions, and operators of arrays with this, are refused as well.
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]
    __add__ = __radd__ = __sub__ = __rsub__ = _refused("sum")
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refused("product")
    __matmul__ = __rmatmul__ = _refused("matrix product")
    __pow__ = __neg__ = __abs__ = _refused("power, sign")
    __lt__ = __le__ = __gt__ = __ge__ = _refused("comparison")
    __eq__ = __ne__ = _refused("equality")
    __getitem__ = __setitem__ = __iter__ = _refused("entries")
    __len__ = __bool__ = __float__ = _refused("length, truth")
    __array__ = __array_function__ = _refused("array")


@dataclass(frozen=True, eq=False)
class OpaqueRows(Rows):
    """Centred rows, with the ones of an intercept, in blocks of float64."""

    parts: tuple[np.ndarray, ...]
    mean: np.ndarray
    intercept: bool
    origin: Any = None

    @property
    def shape(self) -> tuple[int, int]:
        return sum(map(len, self.parts)), self.parts[0].shape[1]

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float64)

    def matvec(self, theta: np.ndarray) -> Blocks:
        return Blocks([part @ theta for part in self.parts])

    def rmatvec(self, v: Blocks) -> np.ndarray:
        return sum(part.T @ one for part, one in self._zipped(v))

    def gram(
        self,
        h: Any = None,
        columns: np.ndarray | None = None,
        factor: np.ndarray | None = None,
    ) -> np.ndarray:
        weights = self._ones() if h is None else h
        moments: Any = 0.0
        for part, one in self._zipped(weights):
            chosen = part if columns is None else part[:, columns]
            image = chosen if factor is None else chosen @ factor
            moments = moments + (image * one[:, None]).T @ image
        return np.asarray(moments)

    def diagonal(self, h: Blocks) -> np.ndarray:
        return sum(one @ part**2 for part, one in self._zipped(h))

    def apply(self, f: Visitor, *vectors: Blocks, **scalars: Any) -> tuple[Any, Any]:
        lists = [vector.parts for vector in vectors]
        visits = [f(np, *each, **scalars) for each in zip(*lists, strict=True)]
        assert all(len(each) == len(self.parts) for each in lists)
        found, sums = zip(*visits, strict=True)
        return (
            tuple(Blocks(list(parts)) for parts in zip(*found, strict=True)),
            tuple(sum(each) for each in zip(*sums, strict=True)),
        )

    def take(
        self, index: np.ndarray, *vectors: Blocks
    ) -> tuple[OpaqueRows, tuple[Blocks, ...]]:
        if (np.diff(index) <= 0).any():
            raise ValueError("The numbers of rows that are taken must ascend.")
        within = self._split(index)
        columns: tuple[Any, ...] = (self, *vectors)
        chosen = (
            [part[some] for part, some in zip(of.parts, within, strict=True)]
            for of in columns
        )
        X, *rest = chosen
        return replace(self, parts=tuple(X)), tuple(map(Blocks, rest))

    def nonzero(self, v: Blocks) -> np.ndarray:
        array = self.numpy(v)
        return np.flatnonzero(array.reshape(len(array), -1).any(axis=1))

    def numpy(self, v: Blocks) -> np.ndarray:
        return np.concatenate(v.parts)

    def vector(self, array: np.ndarray) -> Blocks:
        assert len(array) == self.shape[0]
        return Blocks(np.split(np.array(array, dtype=np.float64), self._edges()[1:-1]))

    def put(self, v: Blocks, index: np.ndarray, values: Blocks) -> Blocks:
        changed = [part.copy() for part in v.parts]
        for part, some, new in zip(
            changed, self._split(index), values.parts, strict=True
        ):
            part[some] = new
        return Blocks(changed)

    def of_matrix(self, matrix: np.ndarray, span: Any) -> OpaqueRows:
        parts = np.split(matrix, self._edges()[1:-1])
        if self.intercept:
            parts = [np.c_[part, np.ones(len(part))] for part in parts]
        nothing = np.zeros(matrix.shape[1])
        return OpaqueRows(tuple(parts), nothing, self.intercept, span)

    def inner(self, coef: np.ndarray, intercept: Any) -> np.ndarray:
        mean = self.mean if self.origin is None else self.origin.mean
        level = np.asarray(intercept + mean @ coef)
        coef = coef if self.origin is None else self.origin.inner(coef)
        return np.concatenate([coef, level[None]]) if self.intercept else coef

    def outer(self, theta: np.ndarray) -> tuple[np.ndarray, Any]:
        coef, level = theta, np.zeros(theta.shape[1:])
        if self.intercept:
            coef, level = theta[:-1], theta[-1]
        coef = coef if self.origin is None else self.origin.outer(coef)
        mean = self.mean if self.origin is None else self.origin.mean
        return coef, level - mean @ coef if self.intercept else level

    def _zipped(self, v: Blocks) -> Any:
        return zip(self.parts, v.parts, strict=True)

    def _ones(self) -> Blocks:
        return Blocks([np.ones(len(part)) for part in self.parts])

    def _edges(self) -> np.ndarray:
        return np.cumsum([0, *map(len, self.parts)])

    def _split(self, index: np.ndarray) -> list[np.ndarray]:
        """Numbers of rows within each block."""
        edges = self._edges()
        cuts = np.searchsorted(index, edges)
        return [
            index[low:high] - edge
            for low, high, edge in zip(cuts, cuts[1:], edges, strict=False)
        ]


def opaque_rows(X: np.ndarray, weight: np.ndarray, *, intercept: bool) -> OpaqueRows:
    """Cut dense rows into blocks, less their weighted mean where it is asked for."""
    mean = np.zeros(X.shape[1])
    if intercept:
        # From one of the rows, so that huge means do not swamp their own digits.
        pivot = X[np.argmax(weight > 0)].astype(np.float64)
        mean = pivot + weight @ (X - pivot) / weight.sum()
    centred = X.astype(np.float64) - mean
    if intercept:
        centred -= weight @ centred / weight.sum()
        centred = np.c_[centred, np.ones(len(X))]
    edges = np.cumsum(LENGTHS)
    return OpaqueRows(tuple(np.split(centred, edges[edges < len(X)])), mean, intercept)
