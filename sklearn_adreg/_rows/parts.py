"""Rows of losses that are sums of functions of one number each.

With k predictors z = (x . theta_1, ..., x . theta_k) a row, a loss may be a sum of
functions of a_m . z for m of them: of z_j, or of z_i - z_j. Each part of a row is a row
of its own then, with p k columns, and k is one to whoever sees them: theta (p, k) is
one vector, row by row. The parts of a row follow each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from sklearn_adreg._rows.host import HostVectors
from sklearn_adreg._rows.rows import Rows


@dataclass(frozen=True, eq=False)
class PartRows(HostVectors):
    """The parts of rows in host memory, or those that `index` names.

    `parts` are the a_m, (n_parts, k).
    """

    source: Any
    parts: np.ndarray
    index: np.ndarray | None = None
    mixed: ClassVar[bool] = True

    @property
    def shape(self) -> tuple[int, int]:
        """Parts of rows, and entries of theta."""
        (n_rows, n_columns), (n_parts, n_outputs) = self.source.shape, self.parts.shape
        length = n_rows * n_parts if self.index is None else len(self.index)
        return length, n_columns * n_outputs

    @property
    def dtype(self) -> np.dtype:
        """Float type of the row vectors."""
        return np.dtype(self.source.dtype)

    @property
    def intercept(self) -> bool:  # type: ignore[override]
        """Whether the last column of the rows is that of an intercept."""
        return bool(self.source.intercept)

    @property
    def mean(self) -> Any:
        """What is subtracted from the other columns."""
        return self.source.mean

    def matvec(self, theta: np.ndarray) -> np.ndarray:
        """Linear predictors: (p k,) to (n,), or (p k, l) to (n, l)."""
        if theta.ndim == 2:
            return np.stack([self.matvec(column) for column in theta.T], axis=1)
        rows, place = self._taken
        columns = theta.reshape(-1, self.parts.shape[1]) @ self.parts.T
        product = rows.matvec(columns).reshape(-1)
        return product if place is None else product[place]

    def rmatvec(self, v: np.ndarray) -> np.ndarray:
        """Transposed rows times v: (n,) to (p k,), or (n, l) to (p k, l)."""
        if v.ndim == 2:
            return np.stack([self.rmatvec(column) for column in v.T], axis=1)
        pulled = self._taken[0].rmatvec(self._by_part(v))
        return np.asarray((pulled @ self.parts).reshape(-1))

    def gram(
        self,
        h: np.ndarray | None = None,
        columns: np.ndarray | None = None,
        factor: np.ndarray | None = None,
    ) -> np.ndarray:
        """Second moments of some columns, weighted by `h`.

        The `factor` is one of all predictors of those columns of X, applied to each.
        """
        h = np.ones(self.shape[0]) if h is None else h
        rows, by_part = self._taken[0], self._by_part(h)
        n_outputs, features = self.parts.shape[1], None
        if columns is not None:
            features, place = np.unique(columns // n_outputs, return_inverse=True)
            chosen = place * n_outputs + columns % n_outputs
        size = rows.shape[1] if features is None else len(features)
        size = size if factor is None else factor.shape[1]
        found = np.zeros((size, n_outputs, size, n_outputs))
        for a in range(n_outputs):
            for b in range(a + 1):
                product = self.parts[:, a] * self.parts[:, b]
                both = np.flatnonzero(product)
                if len(both):
                    weights = by_part[:, both] @ product[both].astype(self.dtype)
                    block = rows.gram(weights, features, factor)
                    found[:, a, :, b], found[:, b, :, a] = block, block.T
        flat = found.reshape(size * n_outputs, size * n_outputs)
        whole = columns is None or factor is not None
        return flat if whole else flat[np.ix_(chosen, chosen)]

    def diagonal(self, h: np.ndarray) -> np.ndarray:
        """Second moments of the columns, weighted by `h`."""
        rows, weights = self._taken[0], self._by_part(h) @ np.square(self.parts)
        columns = [rows.diagonal(each) for each in weights.T.astype(self.dtype)]
        return np.stack(columns, axis=1).reshape(-1)

    def of_matrix(self, matrix: np.ndarray, span: Any) -> Rows:
        """Return the same of rows of a matrix."""
        return replace(self, source=self.source.of_matrix(matrix, span), index=None)

    def _by_part(self, v: np.ndarray) -> np.ndarray:
        """Entries of parts beside each other, (n_rows, n_parts); zero without one."""
        rows, place = self._taken
        shape = rows.shape[0], len(self.parts)
        if place is None:
            return v.reshape(shape)
        found = np.zeros(shape, dtype=v.dtype)
        found.reshape(-1)[place] = v
        return found

    @cached_property
    def _taken(self) -> tuple[Any, np.ndarray | None]:
        """Rows that have parts here, and where these are among all parts of those."""
        if self.index is None:
            return self.source, None
        number, part = np.divmod(self.index, len(self.parts))
        chosen, place = np.unique(number, return_inverse=True)
        rows = self.source
        if len(chosen) < rows.shape[0]:
            rows = rows.take(chosen)[0]
        return rows, place * len(self.parts) + part
