"""Coordinates in the span of the rows, where there are fewer rows than columns.

With rows X weighted by roots D of s, and D X X^T D = U diag(v) U^T, the columns of
B = X^T D U v^(-1/2) are an orthonormal basis of the span: coefficients are B u, with
the norm of u, and rows become X B = D^-1 U v^(1/2), which is square. B is as large as
X: it is applied through X, and formed only where the inner products of the rows cannot
be trusted, from a QR factorisation of X^T.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from sklearn_adreg._rows.moments import positive_roots
from sklearn_adreg._rows.rows import Rows

# Of designs whose rows may repeat, LAPACK leaves more of singular values of zero.
_REPEATED_ROWS = 8.0
# Corrections of coefficients, each of which is to leave less than this part of what
# they lack: of 7 kinked fits of wide X in units of 1e-8 to 1e8, which lacked 1e-8 to
# 1e-2 of y, 5 end at 1e-14 of it with one or two.
_CORRECTIONS, _CORRECTED = 3, 0.5


@dataclass(frozen=True)
class Span:
    """The basis B = X^T `mixing`, and the rows in it, X B = `image`.

    `basis` is B itself, where the product with X^T, in which the square of the
    condition number cancels, would lose its digits. There is no `mixing` then.
    """

    rows: Any
    mixing: np.ndarray
    image: np.ndarray
    basis: np.ndarray | None = None

    @property
    def mean(self) -> np.ndarray:
        """Mean of the columns of X as it came."""
        return self.rows.mean

    def inner(self, coef: np.ndarray) -> np.ndarray:
        """Coordinates B^T coef of coefficients, or of their gradient."""
        if self.basis is not None:
            return np.asarray(self.basis.T @ coef)
        return self.mixing.T @ self._predicted(coef)

    def outer(self, unknowns: np.ndarray) -> np.ndarray:
        """Coefficients B u."""
        if self.basis is not None:
            return np.asarray(self.basis @ unknowns)
        pulled = self.rows.rmatvec(self.rows.vector(self.mixing @ unknowns))
        return pulled[:-1] if self.rows.intercept else pulled

    def coefficients(self, unknowns: np.ndarray) -> np.ndarray:
        """Coefficients B u, corrected until they predict the image of u.

        Where columns have very different units, digits of it cancel in B u.
        """
        coef, target = self.outer(unknowns), self.image @ unknowns
        left = target - self._predicted(coef)
        unit = positive_roots((self.image**2).sum(axis=0))
        for _ in range(_CORRECTIONS):
            lacking = np.linalg.lstsq(self.image / unit, left.astype(float), rcond=None)
            lacking = (lacking[0].T / unit).T
            corrected = coef + self.outer(lacking)
            rest = target - self._predicted(corrected)
            if not np.linalg.norm(rest) < _CORRECTED * np.linalg.norm(left):
                break
            coef, left = corrected, rest
        return coef

    def _predicted(self, coef: np.ndarray) -> np.ndarray:
        nothing = np.zeros((int(self.rows.intercept), *coef.shape[1:]))
        image = self.rows.matvec(np.concatenate([coef, nothing]))
        return np.asarray(self.rows.numpy(image), dtype=np.float64)

    def inner_theta(self, theta: np.ndarray) -> np.ndarray:
        """Return coordinates of theta, with the intercept where there is one."""
        if not self.rows.intercept:
            return self.inner(theta)
        return np.concatenate([self.inner(theta[:-1]), theta[-1:]])

    def outer_theta(self, unknowns: np.ndarray) -> np.ndarray:
        """Theta of coordinates and intercept."""
        if not self.rows.intercept:
            return self.outer(unknowns)
        return np.concatenate([self.outer(unknowns[:-1]), unknowns[-1:]])


def span_of(rows: Rows, weight: Any) -> Span | None:
    """Find the span of the rows from their inner products; None where those fail."""
    shares = np.asarray(rows.numpy(weight), dtype=np.float64)
    roots, eps = np.sqrt(shares), float(np.finfo(rows.dtype).eps)
    gram = rows.row_gram(weight)
    if rows.intercept:
        # Centred rows sum to zero: the direction of the roots is null, and is the
        # intercept's. Given the largest eigenvalue it is the last one, and is dropped.
        gram = gram + 2 * np.trace(gram) * np.outer(roots, roots)
    values, vectors = np.linalg.eigh(gram)
    if rows.intercept:
        values, vectors = values[:-1], vectors[:, :-1]
    if not np.any(values > 0):  # the rows that count are all zero, once centred
        return Span(rows, vectors[:, :0], vectors[:, :0])
    if not values[0] > eps ** (2 / 3) * values[-1]:
        return None
    image = vectors * np.sqrt(values)
    image[roots > 0] /= roots[roots > 0, None]
    return Span(rows, roots[:, None] * vectors / np.sqrt(values), image)


def span_of_small_columns(rows: Rows, weight: Any) -> Span:
    """Find the span of rows whose columns have very different units.

    Householder's QR factorisation of X^T with columns pivoted, and its rows in the
    order of their sizes, rounds each of them in proportion to its own size [1]_.

    References
    ----------
    .. [1] A. J. Cox, N. J. Higham, "Stability of Householder QR factorization for
       weighted least squares problems", Numerical Analysis 1997, Longman, 1998.
    """
    roots = np.sqrt(np.asarray(rows.numpy(weight), dtype=np.float64))
    columns = _pulled(rows, roots, np.diag(roots))
    sizes = np.abs(columns).max(axis=1)
    order = np.argsort(-sizes)
    rank = _rank(columns, sizes, rows)
    basis, factor, pivots = linalg.qr(columns[order], mode="economic", pivoting=True)
    basis[order] = basis.copy()
    image = np.zeros((len(roots), rank))
    image[pivots] = factor[:rank].T
    image[roots > 0] /= roots[roots > 0, None]
    return Span(rows, image[:, :0], image, basis[:, :rank])


def _rank(columns: np.ndarray, sizes: np.ndarray, rows: Rows) -> int:
    """Rank of rows, with their columns, those of a size, scaled to one."""
    eps = _REPEATED_ROWS * float(np.finfo(rows.dtype).eps)
    # What centring leaves of constant columns is not one.
    seen = sizes > eps * np.abs(rows.mean)
    if not seen.any():
        return 0
    values = linalg.svdvals(columns[seen] / sizes[seen, None])
    return int(np.count_nonzero(values > eps * np.sqrt(max(rows.shape)) * values[0]))


def _pulled(rows: Rows, roots: np.ndarray, mixing: np.ndarray) -> np.ndarray:
    """X^T of combinations of the rows, about the weighted mean."""
    if rows.intercept:
        mixing = mixing - roots[:, None] ** 2 * mixing.sum(axis=0)
    return Span(rows, mixing, mixing).outer(np.eye(mixing.shape[1]))
