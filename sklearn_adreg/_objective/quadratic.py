"""Squared error as a quadratic form of second moments: no step reads the rows.

The slope of squared error is affine in the linear predictor, c (z - y), and zero where
z = y. Automatic differentiation gives c, and with moments about the means

    F(theta) = c / 2 * (theta^T G theta - 2 theta^T b + q),

where G is the second moments of the rows, b the cross products with the target and q
its mean square. Rows have a last column of ones where there is an intercept, whose
block of G is 1 and of b is 0: its unknown is the intercept less the mean of the target.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._objective.semidefinite import Semidefinite
from sklearn_adreg._rows.moments import Moments
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss


class Quadratic(NamedTuple):
    """Second moments, and the curvature c of the loss.

    `gram` is (p, p), `cross` (p, n_targets) and `square` (n_targets,), with theta
    (p, n_targets).
    """

    curvature: float
    gram: Any
    cross: Any
    square: Any

    @classmethod
    def of(cls, moments: Moments, curvature: float, *, intercept: bool) -> Quadratic:
        """Take the moments, with those of the ones of an intercept."""
        return cls(curvature, *moments.bordered(intercept), moments.square)

    def values_and_gradient(self, theta: Any) -> tuple[Any, Any]:
        """Value of each column of theta, and the gradient."""
        gradient = self.curvature * (self.gram @ theta - self.cross)
        rest = gradient - self.curvature * self.cross
        values = ((theta * rest).sum(axis=0) + self.curvature * self.square) / 2
        return values, gradient

    @property
    def hessian(self) -> Semidefinite:
        """Second derivatives by the entries of a column of theta."""
        return Semidefinite(self.curvature * self.gram)

    def minimum(self, penalty: Penalty) -> np.ndarray:
        """Theta with the least value plus a penalty (p,), for each target."""
        hessian, nothing = self.hessian, np.zeros(len(self.gram))
        slopes = -self.curvature * self.cross.T
        found = [penalty.minimum(hessian, g, nothing)[0] for g in slopes]
        return np.stack(found, axis=1)

    def changes(self, penalty: Penalty, theta: np.ndarray) -> np.ndarray:
        """Change of the linear predictors, root mean square, to the minimum at most.

        It is that of a Newton step by what is left of the subgradients; the penalty is
        (p, 1), and the moments are not singular.
        """
        gradient = self.values_and_gradient(theta)[1] + penalty.gradient(theta)
        left = penalty.violation(gradient, theta)
        hessian = self.curvature * self.gram + np.diag(penalty.curvature[:, 0])
        gap = (left * np.linalg.solve(hessian, left)).sum(axis=0)
        return np.sqrt(np.maximum(gap, 0.0) / self.curvature)

    @property
    def separated(self) -> tuple[Any, Any]:
        """A pure function of arrays and theta, and the arrays that make it this one."""
        return Quadratic.values_and_gradient, self


@lru_cache(maxsize=16)
def curvature_of(loss: Loss, backend: Backend, dtype: np.dtype) -> float:
    """Return the slope at 1 less that at 0, of a loss whose slope is affine."""
    zero, ends = np.zeros(2, dtype=dtype), np.array([0.0, 1.0], dtype=dtype)
    slope = backend.value_and_derivative(LinearLoss.of(loss))(zero, ends)[1]
    return float(slope[1] - slope[0])
