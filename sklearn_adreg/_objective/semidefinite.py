"""Positive semidefinite matrices that keep the digits of what they are made of.

Second moments of nearly dependent columns are right to the rounding of the largest:
squaring X squares its condition number. A root R of the matrix A = R^T R has the
condition number of X itself. It is found in two rounds [1]_: a root of the matrix as
it is, small eigenvalues raised, and the second moments of the rows that this root has
nearly whitened. They see singular values down to the rounding of X.

References
----------
.. [1] T. Fukaya, R. Kannan, Y. Nakatsukasa, Y. Yamamoto, Y. Yanagisawa, "Shifted
   Cholesky QR for computing the QR factorization of ill-conditioned matrices", SIAM
   Journal on Scientific Computing 42, 2020.
.. [2] Z. Drmač, K. Veselić, "New fast and accurate Jacobi SVD algorithm", SIAM Journal
   on Matrix Analysis and Applications 29, 2008.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg.lapack import dgejsv

from sklearn_adreg._rows.moments import positive_roots

# Columns of any lengths; no left vectors, no transpose, and nothing is rounded to zero.
_JACOBI = {"joba": 2, "jobu": 3, "jobv": 0, "jobr": 0, "jobt": 0, "jobp": 0}


@dataclass(frozen=True)
class Semidefinite:
    """A matrix (p, p), and a root of it (r, p), which is made when it is asked for.

    `eps` is the rounding of the matrix, relative to its diagonal. Without `made_of`,
    which returns P^T A P for any P from what the matrix was made of, a root knows no
    more than the matrix does.
    """

    matrix: np.ndarray
    eps: float = float(np.finfo(float).eps)
    made_of: Callable[[np.ndarray], np.ndarray] | None = None
    terms: tuple[tuple[float, Semidefinite], ...] = ()

    def plus(self, times: float, other: Semidefinite) -> Semidefinite:
        """Return the sum with so many times another."""
        matrix = self.matrix + times * other.matrix
        terms = (1.0, self), (times, other)
        return Semidefinite(matrix, max(self.eps, other.eps), terms=terms)

    def square(self, vector: np.ndarray) -> float:
        """Quadratic form of a vector."""
        if "root" in self.__dict__:
            return float(np.sum((self.root @ vector) ** 2))
        return max(float(vector @ self.matrix @ vector), 0.0)

    @cached_property
    def root(self) -> np.ndarray:
        """R with R^T R = A; upper triangular where it is a sum's."""
        if self.terms:
            parts = [np.sqrt(times) * term.root for times, term in self.terms if times]
            return np.asarray(np.linalg.qr(np.concatenate(parts), mode="r"))
        scale, values, vectors = self._scaled_eigen()
        least = len(values) * self.eps * values[-1]
        # Where nothing bends in a window there is nothing to look at again.
        if self.made_of is None or not values[-1] > 0:
            values = np.where(values > least, values, 0.0)
            return np.sqrt(values)[:, None] * vectors.T * scale
        raised = np.sqrt(np.maximum(values, least))
        again = self.made_of(vectors / raised / scale[:, None])
        values, turned = np.linalg.eigh(again)
        values = np.where(values > least / len(values), values, 0.0)
        first = raised[:, None] * vectors.T * scale
        return np.asarray(np.sqrt(values)[:, None] * (turned.T @ first))

    def eigen(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues, ascending, and eigenvectors, each with digits of its own.

        Where unknowns differ much in curvature, others round the small eigenvalues by
        the largest. The Jacobi method [2]_ finds them from a root whose columns are as
        long as these curvatures; what is rounding in units of its own is raised to it.
        """
        scale, values, vectors = self._scaled_eigen()
        values = np.maximum(values, self.eps * values[-1])
        root = np.sqrt(values)[:, None] * vectors.T * scale
        lengths, _, vectors, *_ = dgejsv(root, **_JACOBI)
        return np.square(lengths[::-1]), vectors[:, ::-1]

    def _scaled_eigen(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Roots of the diagonal, and the eigenvectors of the matrix in these units."""
        scale = positive_roots(np.diag(self.matrix))
        return scale, *np.linalg.eigh(self.matrix / np.outer(scale, scale))


def diagonal(entries: np.ndarray) -> Semidefinite:
    """Return a diagonal matrix: its root is exact."""
    return Semidefinite(np.diag(entries))
