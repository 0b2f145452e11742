"""Coordinates in which descent is easy: those that whiten the rows.

With second moments G = sum(s x x^T), a ridge D, and any factor P for which
P^T (G + D) P is the identity, the objective as a function of u, theta = P u, has
curvature no worse than the loss's own: squared error becomes a sphere, and predictions
are as long as u. Descent in u is descent in theta with the gradient preconditioned by
P P^T.

Squaring X squares its condition number: the eigenvalues of G are trusted while the
smallest is above eps^(2/3) of the largest. Directions below are looked at in the rows.
Either they are null, as those of one-hot columns beside an intercept are, or rows are
whitened twice: the second moments of X P, with P from the first ones, see singular
values down to eps of the largest. On eleven published reference problems that gives as
many digits as a QR factorisation, or more.

References
----------
.. [1] A. J. Cox, N. J. Higham, "Stability of Householder QR factorization for weighted
   least squares problems", Numerical Analysis 1997 (Dundee), 1998.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import qr_multiply, solve_triangular

from sklearn_adreg._rows.moments import positive_roots
from sklearn_adreg._rows.rows import Rows

# Beyond this dimension a dense factor costs more than the steps that it saves.
MAX_WHITENED = 4096
# The same of sparse X, whose products cost less: of 1,016 one-hot columns a Poisson fit
# takes 6 to 13 times as long in white coordinates as in scaled ones, of 546 columns 1
# to 5 times, and of 196 columns 0.3 to 1.7 times.
MAX_WHITENED_SPARSE = 1024
# Smallest eigenvalue of a sample's scaled moments by which all rows are whitened. Where
# a sample shows so little of a direction, the others may show more of it.
_SPANNING = 1e-8


@dataclass(frozen=True)
class Coordinates:
    """Theta is `factor` @ u: (p, r), or a vector for a diagonal one.

    The columns of `null` are a basis of what does not change any linear predictor.
    `condition` is the condition number of what was whitened, 1 where it is unknown, and
    `twice` says that it took two rounds. Where there is a `span`, the factor is in its
    coordinates. With k predictors a row theta (p, k), as one vector, is
    `factor` @ u @ `outputs`^T, whose factor (k, q) whitens the predictors. `moments`
    are those of the rows by the unknowns where these are scaled columns: what a ridge
    leaves of 1.
    """

    factor: np.ndarray
    null: np.ndarray | None = None
    condition: float = 1.0
    twice: bool = False
    span: Any = None
    outputs: np.ndarray | None = None
    moments: Any = None

    @property
    def dense(self) -> bool:
        """Whether a Hessian in these coordinates can be formed."""
        return self.factor.ndim == 2

    def theta(self, unknowns: np.ndarray) -> np.ndarray:
        """Return theta for unknowns, (r,) or (r, k)."""
        if not self.dense:
            return (self.factor * unknowns.T).T
        if self.outputs is not None:
            columns = unknowns.reshape(-1, self.outputs.shape[1])
            return (self.factor @ columns @ self.outputs.T).reshape(-1)
        theta = self.factor @ unknowns
        return theta if self.span is None else self.span.outer_theta(theta)

    def gradient(self, gradient: np.ndarray) -> np.ndarray:
        """Gradient by the unknowns, from that by theta."""
        if not self.dense:
            return (self.factor * gradient.T).T
        if self.outputs is not None:
            columns = gradient.reshape(-1, len(self.outputs))
            return (self.factor.T @ columns @ self.outputs).reshape(-1)
        if self.span is not None:
            gradient = self.span.inner_theta(gradient)
        return self.factor.T @ gradient

    def hessian(self, hessian: np.ndarray) -> np.ndarray:
        """Hessian by the unknowns, from that by theta."""
        if self.outputs is None:
            return self.factor.T @ hessian @ self.factor
        return self._by_unknowns(self._by_unknowns(hessian).T).T

    def ridge(self, curvature: np.ndarray) -> np.ndarray:
        """Hessian by the unknowns of a ridge on theta, whose curvature is given."""
        if curvature.any():
            return self.hessian(np.diag(curvature))
        outputs = 1 if self.outputs is None else self.outputs.shape[1]
        return np.zeros((self.factor.shape[1] * outputs,) * 2)

    def hessian_of_image(self, hessian: np.ndarray) -> np.ndarray:
        """Hessian by the unknowns, from that of the rows times the factor."""
        if self.outputs is None:
            return hessian
        return replace(self, factor=np.eye(self.factor.shape[1])).hessian(hessian)

    def _by_unknowns(self, columns: np.ndarray) -> np.ndarray:
        """Gradients (r q, m), from those by theta, (p k, m), of k predictors."""
        assert self.outputs is not None
        pulled = self.factor.T @ columns.reshape(len(self.factor), -1)
        pulled = pulled.reshape(len(pulled), len(self.outputs), -1)
        return (self.outputs.T @ pulled).reshape(-1, columns.shape[1])

    def for_outputs(self, outputs: np.ndarray, units: np.ndarray) -> Coordinates:
        """Return the same for k predictors a row, scaled by a factor.

        Where columns are scaled, no more, so are predictors, to their units (k,).
        """
        if not self.dense:
            moments = np.repeat(self.moments, len(units))
            return Coordinates(np.kron(self.factor, units), moments=moments)
        return replace(self, outputs=outputs)

    def minimum_norm(self, theta: np.ndarray) -> np.ndarray:
        """Remove what does not change any linear predictor."""
        if self.span is not None:
            return self.span.outer_theta(self.span.inner_theta(theta))
        return theta if self.null is None else _without(theta, self.null)


def scaled(variances: np.ndarray, ridge: np.ndarray) -> Coordinates:
    """Scale the columns to unit second moments plus ridge (p,), no more."""
    factor = 1.0 / positive_roots(variances + ridge)
    moments = np.where(variances + ridge > 0, variances * factor**2, 1.0)
    return Coordinates(factor, moments=moments)


def whitened(
    rows: Rows, weight: Any, gram: np.ndarray, ridge: np.ndarray
) -> Coordinates:
    """Whiten the rows plus a ridge (p,), from their second moments (p, p)."""
    scale, values, vectors = eigen = _eigen(gram, ridge)
    eps = float(np.finfo(rows.dtype).eps)
    found = _spanned(rows, weight, eigen, ridge, eps ** (2 / 3))
    if found is not None:
        return found
    floored = np.maximum(values, eps * values[-1])
    return _whitened_twice(rows, weight, vectors / np.sqrt(floored), scale, ridge)


def whitened_by_sample(
    rows: Rows, weight: Any, gram: np.ndarray, ridge: np.ndarray
) -> Coordinates | None:
    """Whiten rows roughly by the second moments of a sample of them.

    None where the sample shows too little of a direction that is not null.
    """
    if not np.isfinite(gram).all():
        return None
    least = max(_SPANNING, float(np.finfo(rows.dtype).eps) ** (2 / 3))
    return _spanned(rows, weight, _eigen(gram, ridge), ridge, least)


def _eigen(
    gram: np.ndarray, ridge: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scales of the columns, and eigenvalues and eigenvectors of the scaled moments."""
    if ridge.any():
        gram = gram + np.diag(ridge)
    scale = positive_roots(np.diag(gram))
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    return scale, values, vectors


def _spanned(
    rows: Rows,
    weight: Any,
    eigen: tuple[np.ndarray, np.ndarray, np.ndarray],
    ridge: np.ndarray,
    least: float,
) -> Coordinates | None:
    """Whiten by eigenvectors; None where one below the least value is not null."""
    scale, values, vectors = eigen
    kept = values > least * values[-1]
    factor = vectors[:, kept] / np.sqrt(values[kept]) / scale[:, None]
    condition = float(np.sqrt(values[-1] / values[kept][0])) if kept.any() else 1.0
    if kept.all():
        return Coordinates(factor, None, condition)
    if ridge.any():
        return None
    null, spread = _looked_at(rows, weight, factor, vectors[:, ~kept] / scale[:, None])
    if not spread <= _rank_cut(rows) * np.sqrt(values[-1]):
        return None
    eps = float(np.finfo(rows.dtype).eps)
    null = _null_space(null * scale[:, None], scale, eps)
    return Coordinates(_without(factor, null), null, condition)


def _whitened_twice(
    rows: Rows, weight: Any, first: np.ndarray, scale: np.ndarray, ridge: np.ndarray
) -> Coordinates:
    """Whiten rows that a first factor, of the scaled columns, has nearly whitened."""
    eps = float(np.finfo(rows.dtype).eps)
    factor = first / scale[:, None]
    gram = rows.gram(weight, factor=factor) + factor.T @ (ridge[:, None] * factor)
    values, vectors = np.linalg.eigh(gram)
    # Directions that the first round floored are magnified by the root of eps.
    kept = values > _rank_cut(rows) ** 2 / eps * values[-1]
    unknowns = vectors[:, kept] / np.sqrt(values[kept])
    lengths = np.linalg.norm(first @ unknowns, axis=0)
    condition = float(lengths.max() / lengths.min()) if kept.any() else 1.0
    null = first @ vectors[:, ~kept]
    null = _null_space(null / np.linalg.norm(null, axis=0), scale, eps)
    return Coordinates(_without(factor @ unknowns, null), null, condition, twice=True)


def _looked_at(
    rows: Rows, weight: Any, factor: np.ndarray, null: np.ndarray
) -> tuple[np.ndarray, float]:
    """Take the rest out of doubtful directions; and the singular value left there."""
    _, pulled = rows.visit(null, _image, weight)
    null = null - factor @ (factor.T @ np.asarray(pulled, dtype=np.float64))
    (moments,), _ = rows.visit(null, _image, weight)
    return null, float(np.linalg.norm(np.asarray(moments, np.float64), 2) ** 0.5)


def _image(_xp: Any, linear: Any, weight: Any) -> Any:
    """Visitor: weighted images of directions, and their second moments."""
    weighted = weight[:, None] * linear
    return (weighted,), (linear.T @ weighted,)


def _rank_cut(rows: Rows) -> float:
    """Singular values below this part of the largest are rounding errors.

    Those of sums over blocks of rows grow like the root of the number of rows;
    measured, they stay a few times below this bound.
    """
    return float(np.finfo(rows.dtype).eps) * float(np.sqrt(max(rows.shape)))


def _null_space(vectors: np.ndarray, scale: np.ndarray, eps: float) -> np.ndarray:
    """Basis of the null space of X, from one of X / scale."""
    # Rounding errors in a small column's place would be blown up by its scale.
    return np.where(np.abs(vectors) > 64 * eps, vectors, 0.0) / scale[:, None]


def _without(theta: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Project theta, (p, r), on what is orthogonal to the columns of `null`.

    Both have the scales of the columns of X, any number of decades apart: rows from the
    largest down, and pivoting, let all of them keep their digits [1]_.
    """
    if not null.size:
        return theta
    order = np.argsort(-np.abs(null).max(axis=1))
    rotated, triangle, pivots = qr_multiply(
        null[order], theta[order].T, mode="right", pivoting=True
    )
    parts = solve_triangular(triangle, rotated.T)
    return theta - null[:, pivots] @ parts
