"""Squared error with a lasso or an elastic net penalty.

| X | how |
| --- | --- |
| many rows | moments of the columns that a sample of the rows says may matter |
| few columns | moments of all columns |
| else | proximal Newton steps, with the moments of working sets |

Moments that can be trusted give the minimum on their columns at once [1]_. What the
sample has overlooked the gradient by all columns tells, and proximal Newton steps take
it in: the solution is that of all rows and columns.

References
----------
.. [1] R. Tibshirani, J. Bien, J. Friedman, T. Hastie, N. Simon, J. Taylor,
   R. J. Tibshirani, "Strong rules for discarding predictors in lasso-type problems",
   Journal of the Royal Statistical Society B 74, 2012. They screen by the gradient at
   another penalty.
"""

from __future__ import annotations

import numpy as np

from sklearn_adreg._descent.loop import SIZE_SHARE, Goal, Solution, at, begin, minimise
from sklearn_adreg._descent.proximal_newton import ProximalNewton
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._objective.quadratic import Quadratic, curvature_of
from sklearn_adreg._rows.host import HostRows
from sklearn_adreg._rows.moments import Moments, about_shift, measured
from sklearn_adreg._rows.place import data_on, place, representable
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._rows.sample import sampled_rows
from sklearn_adreg._solve.problem import solution
from sklearn_adreg._solve.start import units
from sklearn_adreg._solve.task import Fit, Task

# Moments of more columns cost more than those of working sets.
_MOST_MEASURED = 512
# Of fewer columns, or of more than this part of them, moments cost no more than looking
# twice.
_FEWEST_SCREENED, _MOST_SCREENED = 64, 0.5
# By how many of its standard errors the gradient on a sample may be off.
_STANDARD_ERRORS = 3.0


# Columns, and the Hessian of the loss by them.
_Known = tuple[np.ndarray, np.ndarray]


def solve_lasso(task: Task, fit: Fit) -> Solution:
    """Minimise for each target; from moments where they tell, by descent otherwise."""
    level, target = fit.centred(task.intercept)
    centred = fit._replace(y=target)
    if fit.start is not None:
        centred = centred._replace(start=(fit.start[0], fit.start[1] - level))
    found = _solved(task, centred)
    return found._replace(intercept=found.intercept + level)


def _solved(task: Task, fit: Fit) -> Solution:
    """Minimise for targets that are centred where there is an intercept."""
    X, y, weight, start, *_ = fit
    curvature = curvature_of(task.loss, task.backend, X.dtype)
    by_steps = start is not None or task.tol == 0
    screened = None if by_steps else _screened(task, fit, curvature)
    if screened is not None:
        return _descended(task, fit, *screened, screened=True)
    measure = not by_steps and X.shape[1] <= min(len(X), _MOST_MEASURED)
    data, moments = place(X, y, weight, **task.place, measure=measure)
    if moments is None:
        theta = np.zeros((data.rows.shape[1], y.shape[1]))
        theta = theta if start is None else data.rows.inner(*start)
        return _descended(task, fit, data, theta)
    theta, known = _told(
        task, moments, curvature, np.arange(X.shape[1]), 0 * moments.mean, X.shape[1]
    )
    if not moments.trusted:
        return _descended(task, fit, data, theta, known)
    quadratic = Quadratic.of(moments, curvature, intercept=task.intercept)
    penalty = task.penalty(X.shape[1]).column()
    ends = 0 * theta, theta
    values = [quadratic.values_and_gradient(end)[0].sum() for end in ends]
    curve = np.array(values) + [penalty.value(end) for end in ends]
    fit.report(curve[1:])
    coef, intercept = data.rows.outer(theta)
    return Solution(coef, intercept, curve, 1.0, 0.0)


def _screened(
    task: Task, fit: Fit, curvature: float
) -> tuple[Data, np.ndarray, _Known] | None:
    """Solve on the columns that may have coefficients, as a sample of rows says."""
    X, y, weight, *_ = fit
    sample = None
    if X.shape[1] >= _FEWEST_SCREENED and task.device is None:
        sample = sampled_rows(X.shape, weight)
    if sample is None:
        return None
    shares = None if weight is None else weight[sample] / weight[sample].sum()
    rows, few = measured(X[sample], y[sample], shares, intercept=task.intercept)
    columns = _candidates(task, few, curvature, len(sample))
    if not 0 < len(columns) <= _MOST_SCREENED * X.shape[1]:
        return None
    rows = HostRows(X, rows.shift, rows.offset, task.intercept)
    moments = about_shift(rows, y, weight, columns)
    if not task.intercept:
        moments = moments.about(0 * moments.mean, 0 * moments.target_mean)
    if not moments.trusted:
        return None
    drift = moments.mean - rows.offset[columns]
    told = _told(task, moments, curvature, columns, drift, X.shape[1])
    return data_on(rows, y, weight), *told


def _candidates(
    task: Task, moments: Moments, curvature: float, n_rows: int
) -> np.ndarray:
    """Columns with coefficients on a sample, or not far from having any."""
    penalty = task.penalty(len(moments.gram))
    coef = _minimum(penalty, moments, curvature)
    quadratic = Quadratic.of(moments, curvature, intercept=False)
    values, slope = quadratic.values_and_gradient(coef)
    residual = np.maximum(values * 2 / curvature, 0.0)
    spread = np.sqrt(np.outer(moments.gram.diagonal(), residual) / n_rows)
    margin = _STANDARD_ERRORS * curvature * spread
    near = np.abs(slope) + margin >= penalty.l1[: len(coef), None]
    return np.flatnonzero((near | (coef != 0)).any(axis=1))


def _minimum(penalty: Penalty, moments: Moments, curvature: float) -> np.ndarray:
    """Coefficients (n_features, n_targets) that moments ask for."""
    nothing = np.zeros(len(moments.gram))
    penalty = penalty.columns(np.arange(len(nothing)))
    hessian = curvature * moments.gram
    crosses = curvature * moments.cross.T
    return np.stack([penalty.minimum(hessian, c, nothing) for c in crosses], axis=1)


def _told(
    task: Task,
    moments: Moments,
    curvature: float,
    columns: np.ndarray,
    drift: np.ndarray,
    n_features: int,
) -> tuple[np.ndarray, _Known]:
    """Solve on the columns; `drift` are their means, as the rows are centred."""
    coef = _minimum(task.penalty(len(columns)), moments, curvature)
    theta = np.zeros((n_features + task.intercept, coef.shape[1]))
    theta[columns] = coef
    moved = moments._replace(gram=moments.gram + np.outer(drift, drift))
    gram, _ = moved.bordered(task.intercept)
    if task.intercept:
        theta[-1] = moments.target_mean - drift @ coef
        gram[-1, :-1] = gram[:-1, -1] = drift
        columns = np.append(columns, n_features)
    return theta, (columns, curvature * gram)


def _descended(
    task: Task,
    fit: Fit,
    data: Data,
    start: np.ndarray,
    known: _Known | None = None,
    *,
    screened: bool = False,
) -> Solution:
    """Descend for each target; `screened` where nobody has looked at all of X yet."""
    eps, states = float(np.finfo(fit.X.dtype).eps), []
    curvature = curvature_of(task.loss, task.backend, fit.X.dtype)
    loss, penalty = LinearLoss.of(task.loss), task.penalty(fit.X.shape[1])
    for target, theta in zip(fit.y.T, start.T, strict=True):
        column = data._replace(target=data.rows.vector(target))
        objective = MeanLoss(column, loss, task.backend)
        point = objective.point(objective.linear_predictor(theta))
        state = at(objective, penalty, begin(penalty, theta, point), point)
        if screened and not representable(state.gradient, fit.X.dtype):
            # What is too large or missing is refused.
            place(fit.X, fit.y, fit.weight, **task.place, measure=False)
        scale, size, _ = units(objective, point, linked=False)
        goal = Goal(
            task.tol, task.max_iter, scale, SIZE_SHARE * size, scale, eps, fit.report
        )
        method = ProximalNewton(objective, curvature, known)
        states.append(minimise(method, objective, penalty, goal, state))
    return solution(task, data.rows, states)
