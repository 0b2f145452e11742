"""The metric in which descent is easy: coordinates that whiten the design matrix.

With second moments G = sum(w x x^T) and any factor P for which P^T G P is the identity,
the objective as a function of u, coef = P u, has curvature no worse than the loss's
own: squared error becomes a sphere. Descent in u is descent in coef with the gradient
preconditioned by P P^T. A metric offers the two halves, `whiten` (P^T) and `unwhiten`
(P), on NumPy arrays and on traced ones.

Squaring X squares its condition number. The eigenvalues of G are trusted while the
smallest is above eps^(2/3) of the largest; below, the factor comes from a QR
factorisation of X itself, which sees singular values down to eps of the largest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._rows.design import HostDesign
from sklearn_adreg._rows.device import DeviceDesign

Design = HostDesign | DeviceDesign

# Beyond this dimension a dense factor costs more than the steps that it saves.
MAX_WHITENED = 4096
# Of wide designs, whose rows may repeat, LAPACK leaves more of singular values of zero.
_WIDE = 8.0


class FeatureMetric(NamedTuple):
    """Whitening of the features, for a design with more rows than columns.

    `factor` is P, (n_features, rank); the columns of `null` are an orthonormal basis
    of the coefficients that do not change any prediction.
    """

    factor: Any
    null: Any

    def whiten(self, gradient: Any, _data: Any) -> Any:
        """P^T gradient."""
        return self.factor.T @ gradient

    def unwhiten(self, direction: Any, _data: Any) -> Any:
        """P direction."""
        return self.factor @ direction

    def minimum_norm(self, coef: Any, _data: Any) -> Any:
        """Remove what does not change any prediction."""
        return coef - self.null @ (self.null.T @ coef)


class SampleMetric(NamedTuple):
    """Whitening in the span of the rows, for a design with more columns than rows.

    With rows X weighted by roots of w, and X X^T = U diag(eigenvalues) U^T, the factor
    is P = X^T U / eigenvalues. It is as large as X, and is applied without being
    formed. Coefficients stay in the span of the rows: they have minimum norm.
    """

    basis: Any
    eigenvalues: Any

    def whiten(self, gradient: Any, data: Any) -> Any:
        """P^T gradient."""
        image = data.dot(gradient) * data.weights[:, None] ** 0.5
        return self.basis.T @ image / self.eigenvalues[:, None]

    def unwhiten(self, direction: Any, data: Any) -> Any:
        """P direction."""
        image = self.basis @ (direction / self.eigenvalues[:, None])
        return data.transposed_dot(image * data.weights[:, None] ** 0.5)

    def minimum_norm(self, coef: Any, data: Any) -> Any:
        """Project on the span of the rows."""
        whitened = self.whiten(coef, data) * self.eigenvalues[:, None]
        return self.unwhiten(whitened, data)


class DiagonalMetric(NamedTuple):
    """Columns scaled to unit second moment, where whitening would cost too much."""

    scale: Any

    def whiten(self, gradient: Any, _data: Any) -> Any:
        """Gradient in the scaled columns."""
        return gradient / self.scale[:, None]

    def unwhiten(self, direction: Any, _data: Any) -> Any:
        """Coefficients of the columns as they came."""
        return direction / self.scale[:, None]

    def minimum_norm(self, coef: Any, _data: Any) -> Any:
        """Return them as they are: their null space is not known."""
        return coef


Metric = FeatureMetric | SampleMetric | DiagonalMetric


class Whitening(NamedTuple):
    """A metric, and what finding it has told.

    `condition` is the condition number of what was whitened, 1 where it is unknown;
    `start` is the least squares solution, where a factorisation of X gave one.
    """

    metric: Metric
    condition: float = 1.0
    start: np.ndarray | None = None


def feature_metric(
    design: Design, gram: np.ndarray, *, centred: bool
) -> Whitening | None:
    """Whiten the columns, from second moments that can be trusted, or None.

    Moments cannot tell a small singular value from rounding. The directions in which
    they see none are looked at in the data: either they are null, or it takes a
    factorisation of X.
    """
    scale = _positive(np.sqrt(np.diag(gram)))
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    eps = float(np.finfo(design.dtype).eps)
    kept = values > eps ** (2 / 3) * values[-1]
    factor = vectors[:, kept] / np.sqrt(values[kept]) / scale[:, None]
    null = np.zeros((len(scale), 0))
    if not kept.all():
        null = vectors[:, ~kept] / scale[:, None]
        null, spread = _refined_null(design, factor, null, centred=centred)
        if spread > _rank_cut(design) * np.sqrt(values[-1]):
            return None
        null = _null_space(null * scale[:, None], scale, eps)
    metric = FeatureMetric(factor.astype(design.dtype), null.astype(design.dtype))
    condition = np.sqrt(values[-1] / values[kept][0]) if kept.any() else 1.0
    return Whitening(metric, float(condition))


def _refined_null(
    design: Design, factor: np.ndarray, null: np.ndarray, *, centred: bool
) -> tuple[np.ndarray, float]:
    """Descend to the null space of X; and the singular value that is left there."""
    weights = design.row_weights[:, None]

    def image_of(null: np.ndarray) -> np.ndarray:
        image = design.dot(null.astype(design.dtype))
        return image - (weights * image).sum(axis=0) if centred else image

    slope = design.transposed_dot((weights * image_of(null)).astype(design.dtype))
    null = null - factor @ (factor.T @ slope)
    image = image_of(null) * np.sqrt(weights)
    return null, float(np.linalg.norm(image.T @ image, 2) ** 0.5)


def factored_metric(
    design: Design, gram: np.ndarray, target: np.ndarray, *, centred: bool
) -> Whitening:
    """Whiten the columns from a QR factorisation of the rows."""
    scale = _positive(np.sqrt(np.diag(gram)))
    eps = float(np.finfo(design.dtype).eps)
    triangle = design.triangle(scale, target)
    triangle = triangle[1:, 1:] if centred else _without_first_column(triangle)
    # With as few rows as columns, centring leaves fewer: the rest are zeros.
    missing = max(0, len(scale) - len(triangle))
    triangle = np.pad(triangle, ((0, missing), (0, 0)))
    left, singular, right = np.linalg.svd(triangle[:, : len(scale)])
    rank = int(np.sum(singular > _rank_cut(design) * singular[0]))
    factor = right[:rank].T / singular[:rank] / scale[:, None]
    null = _null_space(right[rank:].T, scale, eps)
    metric = FeatureMetric(factor.astype(design.dtype), null.astype(design.dtype))
    solution = factor @ (left[:, :rank].T @ triangle[:, len(scale) :])
    condition = float(singular[0] / singular[rank - 1]) if rank else 1.0
    return Whitening(metric, condition, solution.astype(design.dtype))


def sample_metric(design: Design, weights: np.ndarray, *, centred: bool) -> Whitening:
    """Whiten the span of the rows, from their Gram matrix or QR of X transposed."""
    gram = design.row_gram()
    if centred:
        # Centred rows sum to zero: fill in the one direction that is known to be null.
        known = np.sqrt(np.outer(weights, weights))
        gram = gram + np.trace(gram) / len(gram) * known
    values, vectors = np.linalg.eigh(gram)
    eps = float(np.finfo(design.dtype).eps)
    if not values[0] > eps ** (2 / 3) * values[-1]:
        _, singular, right = np.linalg.svd(design.row_triangle())
        rank = int(np.sum(singular > _WIDE * _rank_cut(design) * singular[0]))
        values, vectors = singular[:rank] ** 2, right[:rank].T
    metric = SampleMetric(vectors.astype(design.dtype), values.astype(design.dtype))
    condition = float(np.sqrt(values.max() / values.min())) if len(values) else 1.0
    return Whitening(metric, condition)


def diagonal_metric(design: Design) -> Whitening:
    """Scale the columns, no more."""
    scale = _positive(np.sqrt(design.column_variances()))
    return Whitening(DiagonalMetric(scale.astype(design.dtype)))


def _rank_cut(design: Design) -> float:
    """Singular values below this part of the largest are rounding errors.

    Those of a blockwise QR grow like the root of the number of rows; measured, they
    stay a few times below this bound.
    """
    return float(np.finfo(design.dtype).eps) * float(np.sqrt(max(design.shape)))


def _without_first_column(triangle: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.qr(triangle[:, 1:], mode="r"))


def _null_space(vectors: np.ndarray, scale: np.ndarray, eps: float) -> np.ndarray:
    """Orthonormal null space of X, from that of X / scale."""
    # Rounding errors in a small column's place would be blown up by its scale.
    vectors = np.where(np.abs(vectors) > 64 * eps, vectors, 0.0)
    return np.linalg.qr(vectors / scale[:, None])[0]


def _positive(scale: np.ndarray) -> np.ndarray:
    """Scales to divide by: constant columns are left as they are."""
    return np.where(scale > 0, scale, 1.0)
