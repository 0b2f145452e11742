"""Least squares as it is given: centred data, where they lie, and their moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.sparse.linalg import LinearOperator, eigsh

from sklearn_adreg._descent.metric import MAX_WHITENED
from sklearn_adreg._rows.design import COLUMNS_PER_PASS, Moments, weighted_mean
from sklearn_adreg._rows.placing import Design, place_rows
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss

# Second derivative of squared error.
CURVATURE = 2.0


@dataclass(frozen=True)
class LeastSquares:
    """Centred data, the place where they lie, and moments where they are of use."""

    backend: Backend
    loss: Loss
    design: Design
    weights: np.ndarray | None
    target: np.ndarray
    target_mean: np.ndarray
    target_square: np.ndarray
    moments: Moments | None
    centred: bool

    @property
    def target_scale(self) -> np.ndarray:
        """Standard deviation of each target, or 1 where it has none."""
        scale = np.sqrt(self.target_square)
        return np.where(scale > 0, scale, 1.0).astype(self.design.dtype)

    @property
    def row_weights(self) -> np.ndarray:
        """Weights of all rows, written out; they sum to one."""
        if self.weights is None:
            return np.full(len(self.target), 1.0 / len(self.target))
        return self.weights

    def zeros(self) -> np.ndarray:
        """Coefficients of zero, (n_features, n_targets)."""
        shape = self.design.shape[1], self.target.shape[1]
        return np.zeros(shape, dtype=self.design.dtype)

    def max_epsilon(self, ridge: float) -> float:
        """Find the largest step for which the textbook descent is stable."""
        if self.moments is not None:
            last = len(self.moments.gram) - 1
            gram = np.asarray(self.moments.gram, dtype=np.float64)
            largest = linalg.eigvalsh(gram, subset_by_index=[last, last])[0]
        else:
            largest = largest_eigenvalue(self.design, self.row_weights[:, None])
        return stable_epsilon(CURVATURE * float(largest) + ridge)


def stable_epsilon(curvature: float) -> float:
    """Return the largest stable step for the largest curvature of an objective."""
    return 2.0 / curvature if curvature > 0 else np.inf


def prepare(
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    *,
    loss: Loss,
    backend: Backend,
    device: str | None,
    centred: bool,
    n_passes: float,
) -> LeastSquares:
    """Centre the data and measure what the descent needs to know of them.

    `y` is (n_samples, n_targets), `weights` sum to one, `n_passes` is how often
    the descent would read X without second moments.
    """
    mean = weighted_mean(y, weights) if centred else np.zeros(y.shape[1])
    y = (y - mean).astype(X.dtype)
    n_samples, n_features = X.shape
    narrow = n_features <= min(n_samples, MAX_WHITENED, COLUMNS_PER_PASS * n_passes)
    placed = place_rows(
        X,
        y,
        weights,
        backend=backend,
        device=device,
        centred=centred,
        measured=bool(narrow),
    )
    return LeastSquares(
        backend,
        loss,
        placed.design,
        weights,
        y,
        mean,
        placed.square,
        placed.moments,
        centred,
    )


def largest_eigenvalue(design: Design, weights: np.ndarray) -> float:
    """Of the second moments of the columns, by Lanczos' method."""
    n_features = design.shape[1]

    def apply(vector: np.ndarray) -> np.ndarray:
        coef = vector.reshape(-1, 1).astype(design.dtype)
        residual = (weights * design.dot(coef)).astype(design.dtype)
        return design.transposed_dot(residual)

    operator = LinearOperator((n_features, n_features), apply, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(n_features)
    return float(eigsh(operator, 1, v0=start, tol=1e-4, return_eigenvectors=False)[0])
