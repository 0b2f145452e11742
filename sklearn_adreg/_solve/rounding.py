"""How many digits of the predictions coefficients and intercept can hold.

Descents subtract the means of the columns; a fitted model multiplies X as it came, and
its intercept takes back the sum of coefficients times means. Where means are many
standard deviations from zero, or columns nearly depend on each other and coefficients
are large, predictions are small differences of large numbers, whatever a descent has
found.
"""

from __future__ import annotations

import numpy as np

from sklearn_adreg._descent.loop import Solution
from sklearn_adreg._solve.task import Fit, Task

# Rows that tell how large the terms of most predictions are. Of 200 x 10 they take 2 %
# of the time of least squares.
_ROWS = 1 << 6
# Part of its bound that rounding is: 0.1 to 0.4 in nine of ten of 300 fits of 1 to 15
# columns, 1e2 to 1e4 (float32) and 1e5 to 1e11 standard deviations from zero.
_SEEN = 0.2


def rounding_of_predictions(task: Task, fit: Fit, found: Solution) -> float:
    """Estimate the rounding of half of the predictions, in standard deviations of y.

    In units of one behind a link. Each is a sum of terms that are rounded to the float
    type of X: its rounding is a part of that of the sum of their sizes [1]_.

    References
    ----------
    .. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", second
       edition, SIAM, 2002, section 3.1.
    """
    X, weight = fit.X, fit.weight
    some: slice | np.ndarray = slice(None, None, max(1, X.shape[0] // _ROWS))
    if weight is not None:
        counted = np.flatnonzero(weight)
        some = counted[:: max(1, len(counted) // _ROWS)]
    sizes = abs(X[some]).astype(np.float64) @ np.abs(found.coef)
    sizes += np.abs(found.intercept)
    sizes.sort(axis=0)
    median = sizes[len(sizes) // 2]
    rounding = _SEEN * np.finfo(X.dtype).eps * median / _units(task, fit.y[some])
    return float(rounding.max())


def _units(task: Task, y: np.ndarray) -> np.ndarray | float:
    """Return the standard deviation of each target, or its size where it has none."""
    if getattr(task.loss, "inverse_link", None) is not None:
        return 1.0
    units = y.std(axis=0, dtype=np.float64)
    same = y.min(axis=0) == y.max(axis=0)
    if same.any():  # their standard deviation is rounding
        units = np.where(same, np.abs(y[0]) + (y[0] == 0), units)
    # Of several predictors a row some may be logarithms, whose unit is one.
    return units if task.n_outputs == 1 else np.maximum(units, 1.0)
