"""The lasso and the elastic net on squared error, from the moments alone.

Second moments say all that squared error asks of the rows. Where their conditioning
costs them few digits, their solution needs no look at the data: X is read once.
"""

from __future__ import annotations

import numpy as np

from sklearn_adreg._any_loss import LossData
from sklearn_adreg._design import Moments
from sklearn_adreg._least_squares import CURVATURE
from sklearn_adreg._objective import mean_squared_error
from sklearn_adreg._quadratic_lasso import minimise
from sklearn_adreg._solution import Solution

# Smallest eigenvalue of the scaled moments, relative to the largest, that costs no
# more than four digits.
_BENIGN = 1e-4


def lasso_of_moments(data: LossData, lasso: float) -> Solution | None:
    """Minimise squared error with a lasso penalty; None where it takes the rows."""
    moments = data.placed.moments
    if moments is None:
        return None
    gram, cross = (np.asarray(part, dtype=np.float64) for part in moments[:2])
    scale = np.sqrt(np.diag(gram))
    scale[scale == 0] = 1.0
    values = np.linalg.eigvalsh(gram / np.outer(scale, scale))
    if not values[0] > _BENIGN * values[-1]:
        return None
    hessian = CURVATURE * gram + data.coordinates.ridge * np.eye(len(gram))
    threshold = np.full(len(gram), lasso)
    nothing = np.zeros(len(gram))
    coef = np.stack(
        [
            minimise(hessian, CURVATURE * column, threshold, nothing)
            for column in cross.T
        ],
        axis=1,
    )
    ends = [np.zeros_like(coef), coef]
    curve = np.array([_objective(data, moments, end, lasso) for end in ends])
    intercept = data.target_mean - data.mean @ coef
    return Solution(coef, intercept, curve, 1.0, 0.0)


def _objective(
    data: LossData, moments: Moments, coef: np.ndarray, lasso: float
) -> float:
    ridge = data.coordinates.ridge / 2 * (coef**2).sum()
    penalty = ridge + lasso * np.abs(coef).sum()
    return float(mean_squared_error(coef, moments) + penalty)
