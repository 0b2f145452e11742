"""How many digits of the predictions coefficients and intercept can hold.

Descents subtract the means of the columns; a fitted model multiplies X as it came, and
its intercept takes back the sum of coefficients times means. Where means are many
standard deviations from zero, or columns nearly depend on each other and coefficients
are large, predictions are small differences of large numbers, whatever a descent has
found.
"""

from __future__ import annotations

import numpy as np

from sklearn_adreg._descent.loop import SIZE_SHARE, Solution
from sklearn_adreg._solve.task import Fit, Task

# Rows that tell how large the terms of predictions are, drawn in proportion to their
# weights. Of 200 x 10 they take 2 % of the time of least squares.
_ROWS = 1 << 6
# Part of its bound that rounding is: 0.1 to 0.4 in nine of ten of 300 fits of 1 to 15
# columns, 1e2 to 1e4 (float32) and 1e5 to 1e11 standard deviations from zero.
_SEEN = 0.2
# How far predictions are moved both ways, in units of their mean rounding: the rows of
# a fit are off by one or two of these already (twelve rows: by 2 to 7, a loss that is
# missed by 1.9 tolerances; of 360 other fits of six losses none is told).
_SPREAD = 4.0
# Roundings up to so many units in the last place are those of any sum of a few terms,
# and of the targets: no other coefficients hold more digits.
_ORDINARY = 64.0


def rounding_of_predictions(task: Task, fit: Fit, found: Solution) -> float:
    """Estimate the mean rounding of predictions, in standard deviations of y.

    In units of one behind a link, and of predictions that are further from their mean
    in units of that distance. Each is a sum of terms that are rounded to the float type
    of X: its rounding is a part of that of the sum of their sizes [1]_.

    References
    ----------
    .. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", second
       edition, SIAM, 2002, section 3.1.
    """
    some = _drawn(fit.X.shape[0], fit.weight)
    X = fit.X[some]
    sizes = abs(X).astype(np.float64) @ np.abs(found.coef) + np.abs(found.intercept)
    predicted = X @ found.coef
    distances = np.abs(predicted - predicted.mean(axis=0))
    units = np.maximum(distances, _units(task, fit.y[some]))
    rounding = _SEEN * np.finfo(X.dtype).eps * (sizes / units).mean(axis=0)
    return float(rounding.max())


def rounding_costs(task: Task, fit: Fit, found: Solution, rounding: float) -> bool:
    """Whether predictions rounded by so much miss the objective by more than `tol`.

    Or by half of its digits, if that is more. Where a loss with kinks is about zero in
    all rows it rises in proportion to what its predictions are off. Of smooth ones it
    is the square, and nothing behind a link.
    """
    linked = getattr(task.loss, "inverse_link", None) is not None
    eps = float(np.finfo(fit.X.dtype).eps)
    tol = max(task.tol, float(np.sqrt(eps)))
    few = rounding <= max(tol * SIZE_SHARE, _ORDINARY * eps)
    if linked or task.n_outputs > 1 or few:
        return False
    some = _drawn(fit.X.shape[0], fit.weight)
    y, predicted = fit.y[some], fit.X[some] @ found.coef + found.intercept
    if fit.offset is not None:
        predicted = predicted + fit.offset[some]
    beside = dict(
        zip(fit.row_names, (each[some] for each in fit.row_data), strict=True)
    )

    def losses(of: np.ndarray) -> np.ndarray:
        columns = zip(y.T, of.T, strict=True)
        return np.array([np.mean(task.loss(*each, **beside)) for each in columns])

    unit = np.broadcast_to(_units(task, y), y.shape[1])
    off = _SPREAD * rounding * unit
    with np.errstate(all="ignore"):  # the loss may not be defined a unit away
        here, size = losses(predicted), (losses(y + unit) + losses(y - unit)) / 2
        risen = (losses(predicted + off) + losses(predicted - off)) / 2
    enough = tol * np.maximum(np.abs(here), SIZE_SHARE * size)
    return bool((risen - here > enough).any())


def _drawn(n_rows: int, weight: np.ndarray | None) -> np.ndarray:
    """Numbers of rows, each as often as its share of the weights asks for."""
    if weight is None:
        return np.arange(0, n_rows, max(1, n_rows // _ROWS))
    upto = np.cumsum(weight, dtype=np.float64)
    shares = (np.arange(_ROWS) + 0.5) / _ROWS
    return np.searchsorted(upto, shares * upto[-1])


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
