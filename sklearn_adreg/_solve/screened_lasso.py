"""The lasso on squared error where there are many rows: moments of few columns.

A sample of the rows tells which columns may have coefficients. The second moments of
those alone give the coefficients, and the gradient by all columns, for one more reading
of X, tells whether any is missing. Nothing is left to chance: what the sample has
overlooked is taken in, and the solution is that of all rows and columns.

References
----------
.. [1] R. Tibshirani, J. Bien, J. Friedman, T. Hastie, N. Simon, J. Taylor,
   R. J. Tibshirani, "Strong rules for discarding predictors in lasso-type problems",
   Journal of the Royal Statistical Society B 74, 2012. They screen by the gradient at
   another penalty.
"""

from __future__ import annotations

import numpy as np

from sklearn_adreg._descent.solution import Solution
from sklearn_adreg._rows.design import (
    HostDesign,
    Moments,
    moments_of_columns,
    tall_design,
    weighted_mean,
)
from sklearn_adreg._rows.sketch import sampled_rows
from sklearn_adreg._solve.lasso import ElasticNetPenalty, is_benign
from sklearn_adreg._solve.least_squares import CURVATURE

# Of fewer columns, or of half of them, the moments cost no more than looking twice.
_FEWEST, _MOST = 64, 0.5
# By how many of its standard errors the gradient on a sample may be off.
_DEVIATIONS = 3.0
_MAX_ROUNDS = 4
# Gradients beyond the threshold by less, in units of rounding, are on it.
_ROUNDING = 1e4


def screened_lasso(
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    penalty: ElasticNetPenalty,
    *,
    centred: bool,
) -> Solution | None:
    """Minimise squared error with a lasso penalty; None where that is not the way."""
    rows = sampled_rows(X.shape, weights) if X.shape[1] >= _FEWEST else None
    if rows is None:
        return None
    target_mean = weighted_mean(y, weights) if centred else np.zeros(y.shape[1])
    target = (y - target_mean).astype(X.dtype)
    shares = None if weights is None else weights[rows] / weights[rows].sum()
    sketch, moments = tall_design(X[rows], shares, target[rows], centred=centred)
    chosen = _candidates(moments, penalty, len(rows))
    design = HostDesign(X, weights, sketch.shift, sketch.offset)
    for _ in range(_MAX_ROUNDS):
        columns = np.flatnonzero(chosen)
        if not 0 < len(columns) <= _MOST * len(chosen):
            return None
        moments, mean = moments_of_columns(design, target, columns, centred=centred)
        if not is_benign(moments):
            return None
        coef = np.zeros((len(chosen), y.shape[1]))
        coef[columns] = penalty.minimum(moments)
        slope = _slope(design, target, coef, centred=centred)
        if not np.isfinite(slope).all():
            return None  # where all is measured there is a word for it
        missing = _beyond(slope, penalty.lasso, X.dtype) & ~chosen
        if not missing.any():
            intercept = target_mean - mean @ coef[columns]
            curve = penalty.curve(moments, coef[columns])
            return Solution(coef, intercept, curve, 1.0, 0.0)
        chosen |= missing
    return None


def _candidates(
    moments: Moments, penalty: ElasticNetPenalty, n_rows: int
) -> np.ndarray:
    """Columns that have coefficients on a sample, or are not far from having any."""
    gram, cross, square = moments
    coef = penalty.minimum(moments)
    slope = CURVATURE * (gram @ coef - cross)
    residual = square - (coef * (2 * cross - gram @ coef)).sum(axis=0)
    spread = np.sqrt(np.outer(np.diag(gram), np.maximum(residual, 0.0)) / n_rows)
    near = np.abs(slope) + _DEVIATIONS * CURVATURE * spread >= penalty.lasso
    return np.asarray((near | (coef != 0)).any(axis=1))


def _slope(
    design: HostDesign, target: np.ndarray, coef: np.ndarray, *, centred: bool
) -> np.ndarray:
    """Gradient of the mean squared error by all coefficients; two passes over X."""
    weights = design.row_weights[:, None]
    residual = design.dot(coef.astype(design.dtype)) - target
    if centred:
        residual -= (weights * residual).sum(axis=0)
    return CURVATURE * design.transposed_dot(weights * residual)


def _beyond(slope: np.ndarray, threshold: float, dtype: np.dtype) -> np.ndarray:
    """Whether the gradient by a coefficient that is zero would move it."""
    noise = _ROUNDING * float(np.finfo(dtype).eps)
    return (np.abs(slope) > threshold * (1 + noise)).any(axis=1)
