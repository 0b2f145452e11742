"""The unknowns of a descent: whitened coordinates of the coefficients, and intercept.

With `factor` P, of which the columns span what the rows of X see, coefficients are
P u and gradients by u are P^T gradient. Predictions are then as long as u: the norm
of a step in u is the root mean square of what it changes in the linear predictor.
Arrays have one entry more than there are features: the last is the intercept, which
is its own coordinate, and stays zero where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_adreg._descent.quasi_newton import inverse_factor


@dataclass(frozen=True)
class Coordinates:
    """`factor` is (n_features, rank), or a vector for a diagonal one."""

    factor: np.ndarray
    intercept: bool
    ridge: float = 0.0

    @property
    def dense(self) -> bool:
        """Whether a Hessian in these coordinates can be formed."""
        return self.factor.ndim == 2

    @property
    def rank(self) -> int:
        """How many coordinates the coefficients have."""
        return self.factor.shape[-1]

    def coef(self, unknowns: np.ndarray) -> np.ndarray:
        """Coefficients and intercept."""
        inner = unknowns[:-1]
        coef = self.factor @ inner if self.dense else self.factor * inner
        return np.append(coef, unknowns[-1])

    def gradient(self, gradient: np.ndarray) -> np.ndarray:
        """Gradient by the unknowns, from that by coefficients and intercept."""
        inner = gradient[:-1]
        inner = self.factor.T @ inner if self.dense else self.factor * inner
        return np.append(inner, gradient[-1] if self.intercept else 0.0)

    def spherical(self, curvature: float) -> np.ndarray:
        """Factor of the inverse Hessian, for a loss of one curvature everywhere."""
        if self.ridge == 0 or not self.dense:
            penalty = 0.0 if self.dense else self.ridge * self.factor**2
            inner = 1.0 / np.sqrt(curvature + penalty + np.zeros(self.rank))
            return np.append(inner, 1.0 / np.sqrt(curvature))
        size = self.rank + 1
        hessian = curvature * np.eye(size)
        hessian[:-1, :-1] += self.ridge * (self.factor.T @ self.factor)
        return inverse_factor(hessian, curvature)

    def newton(self, hessian: np.ndarray, smallest: float) -> np.ndarray:
        """Factor of the inverse Hessian, from that by coefficients and intercept."""
        size = self.rank + 1
        whitened = np.empty((size, size))
        whitened[:-1, :-1] = self.factor.T @ hessian[:-1, :-1] @ self.factor
        whitened[-1, :-1] = whitened[:-1, -1] = hessian[-1, :-1] @ self.factor
        whitened[-1, -1] = hessian[-1, -1]
        if not self.intercept:
            whitened[-1], whitened[:, -1] = 0.0, 0.0
        if self.ridge:
            whitened[:-1, :-1] += self.ridge * (self.factor.T @ self.factor)
        return inverse_factor(whitened, smallest)
