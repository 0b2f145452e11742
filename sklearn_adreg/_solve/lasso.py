"""The lasso and the elastic net on squared error, from the moments alone.

Second moments say all that squared error asks of the rows. Where their conditioning
costs them few digits, their solution needs no look at the data: X is read once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_adreg._descent.objective import mean_squared_error
from sklearn_adreg._descent.quadratic_lasso import minimise
from sklearn_adreg._descent.solution import Solution
from sklearn_adreg._rows.design import Moments
from sklearn_adreg._solve.least_squares import CURVATURE
from sklearn_adreg._solve.loss_data import LossData

# Smallest eigenvalue of the scaled moments, relative to the largest, that costs no
# more than four digits.
_BENIGN = 1e-4


@dataclass(frozen=True)
class ElasticNetPenalty:
    """The term lasso * |w| + ridge / 2 * |w|^2, and squared error with it."""

    lasso: float
    ridge: float

    def minimum(self, moments: Moments) -> np.ndarray:
        """Coefficients (n_features, n_targets) that moments ask for."""
        gram, cross = (np.asarray(part, dtype=np.float64) for part in moments[:2])
        hessian = CURVATURE * gram + self.ridge * np.eye(len(gram))
        threshold, nothing = np.full(len(gram), self.lasso), np.zeros(len(gram))
        columns = [
            minimise(hessian, CURVATURE * column, threshold, nothing)
            for column in cross.T
        ]
        return np.stack(columns, axis=1)

    def curve(self, moments: Moments, coef: np.ndarray) -> np.ndarray:
        """Objective without coefficients, and with these."""
        ends = np.zeros_like(coef), coef
        return np.array([self._objective(moments, end) for end in ends])

    def _objective(self, moments: Moments, coef: np.ndarray) -> float:
        penalty = self.ridge / 2 * (coef**2).sum() + self.lasso * np.abs(coef).sum()
        return float(mean_squared_error(coef, moments) + penalty)


def lasso_of_moments(data: LossData, lasso: float) -> Solution | None:
    """Minimise squared error with a lasso penalty; None where it takes the rows."""
    moments = data.placed.moments
    if moments is None or not is_benign(moments):
        return None
    penalty = ElasticNetPenalty(lasso, data.coordinates.ridge)
    coef = penalty.minimum(moments)
    intercept = data.target_mean - data.mean @ coef
    return Solution(coef, intercept, penalty.curve(moments, coef), 1.0, 0.0)


def is_benign(moments: Moments) -> bool:
    """Whether moments hold their digits when they are solved for."""
    gram = np.asarray(moments.gram, dtype=np.float64)
    if not np.isfinite(gram).all():
        return False
    scale = np.sqrt(np.diag(gram))
    scale[scale == 0] = 1.0
    values = np.linalg.eigvalsh(gram / np.outer(scale, scale))
    return bool(values[0] > _BENIGN * values[-1])
