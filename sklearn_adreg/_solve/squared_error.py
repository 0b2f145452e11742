"""Squared error, with steps that the descent chooses itself: what moments tell.

Second moments that can be trusted give least squares, and the lasso on their columns,
at once. Least squares is then refined by the rows. Where there are many rows, the lasso
measures the columns that a sample of the rows says may matter [1]_; what the sample has
overlooked the gradient by all columns tells, and proximal Newton steps take it in: the
solution is that of all rows and columns.

Targets are centred where there is an intercept.

References
----------
.. [1] R. Tibshirani, J. Bien, J. Friedman, T. Hastie, N. Simon, J. Taylor,
   R. J. Tibshirani, "Strong rules for discarding predictors in lasso-type problems",
   Journal of the Royal Statistical Society B 74, 2012. They screen by the gradient at
   another penalty.
"""

from __future__ import annotations

import numpy as np

from sklearn_adreg._descent.conjugate import conjugate
from sklearn_adreg._descent.loop import Goal, Solution
from sklearn_adreg._descent.refinement import refine
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._objective.quadratic import Quadratic
from sklearn_adreg._rows.moments import (
    Moments,
    about_shift,
    mean_square,
    positive_roots,
)
from sklearn_adreg._rows.place import place, place_by_sample
from sklearn_adreg._solve.prepare import (
    Prepared,
    in_coordinates,
    in_span,
    sampled_rows,
)
from sklearn_adreg._solve.problem import descend
from sklearn_adreg._solve.task import Fit, Task

# Where so many columns are likely, their moments take 0.7 (of 400) to 0.9 (of 100) of
# the time that those of all take.
_MOST_SCREENED = 0.5
# By how many of its standard errors the gradient on a sample may be off: of 700 columns
# that just matter one is overlooked, and costs another step.
_STANDARD_ERRORS = 3.0


def solve_least_squares(task: Task, fit: Fit) -> Solution:
    """Refine what whitened coordinates give, all targets at once.

    Where the columns are scaled, no more, descend along conjugate gradients.
    """
    data, moments, coordinates = in_coordinates(task, fit)
    span = coordinates.span
    if span is not None and span.basis is not None:
        data, coordinates = in_span(data, coordinates)
    objective = MeanLoss(data, LinearLoss.of(task.loss), task.backend)
    theta = np.zeros((data.rows.shape[1], fit.y.shape[1]))
    square = mean_square(fit.y, fit.weight) if moments is None else moments.square
    if fit.start is not None:
        theta = coordinates.minimum_norm(data.rows.inner(*fit.start))
        value, gradient = objective.value_and_gradient(theta)
        first = float(value), np.asarray(gradient)
    else:
        if moments is None:
            weight = data.rows.numpy(data.weight)[:, None]
            cross = data.rows.rmatvec(data.rows.vector(weight * fit.y))
        else:
            _, cross = moments.bordered(task.intercept)
        first = fit.curvature / 2 * float(square.sum()), -fit.curvature * cross
    eps = float(np.finfo(fit.X.dtype).eps)
    goal = Goal(
        task.tol, task.max_iter, 1.0, size=0.0, reach=1.0, eps=eps, report=fit.report
    )
    scale = positive_roots(square)
    penalty = task.penalty(data.rows.shape[1] - task.intercept).column()
    descend = refine if coordinates.dense else conjugate
    theta, curve, error = descend(
        objective, penalty, coordinates, goal, fit.curvature, scale, theta, first
    )
    coef, intercept = data.rows.outer(theta)
    return Solution(coef, intercept, curve, 1 / fit.curvature, error)


def solve_lasso_by_moments(task: Task, fit: Fit) -> Solution:
    """Minimise for moments of all columns; descend from there where that is not exact.

    The error is the change of the linear predictors that optimality asks for.
    """
    data, moments = place(fit.X, fit.y, fit.weight, **task.place, measure=True)
    assert moments is not None
    quadratic = Quadratic.of(moments, fit.curvature, intercept=task.intercept)
    penalty = task.penalty(fit.X.shape[1])
    theta, error = quadratic.minimum(penalty), np.inf
    if moments.trusted:
        changes = quadratic.changes(penalty.column(), theta)
        error = float((changes / positive_roots(moments.square)).max())
    if not error <= task.tol:
        known = np.arange(len(theta)), fit.curvature * quadratic.gram
        return descend(task, fit, Prepared(data, theta=theta, known=known))
    ends = 0 * theta, theta
    values = [quadratic.values_and_gradient(end)[0].sum() for end in ends]
    curve = np.array(values) + [penalty.column().value(end) for end in ends]
    fit.report(curve[1:])
    coef, intercept = data.rows.outer(theta)
    return Solution(coef, intercept, curve, 1.0, error)


def solve_lasso_by_sample(task: Task, fit: Fit) -> Solution | None:
    """Descend from the minimum for the columns that a sample of rows says may matter.

    None where there is no sample, or where it does not tell columns apart.
    """
    X, y, weight, *_ = fit
    sample = sampled_rows(task, fit)
    if sample is None or not fit.dense:
        return None
    data, few = place_by_sample(X, y, weight, sample, intercept=task.intercept)
    penalty = task.penalty(X.shape[1])
    columns = _likely(penalty, few, fit.curvature, len(sample))
    if not 0 < len(columns) <= _MOST_SCREENED * X.shape[1]:
        return None
    moments = about_shift(data.rows, y, weight, columns)
    if not moments.trusted:
        return None
    quadratic = Quadratic.of(moments, fit.curvature, intercept=task.intercept)
    # Rows are centred by the sample: the moments are to be told about its means.
    shear = np.eye(len(quadratic.gram))
    if task.intercept:
        shear[:-1, -1] = moments.mean - data.rows.drift[columns]
        columns = np.append(columns, X.shape[1])
    theta = np.zeros((data.rows.shape[1], y.shape[1]))
    found = quadratic.minimum(penalty.columns(columns))
    theta[columns] = np.linalg.solve(shear.T, found)
    known = columns, fit.curvature * (shear @ quadratic.gram @ shear.T)
    prepared = Prepared(data, theta=theta, known=known, unseen=True)
    return descend(task, fit, prepared)


def _likely(
    penalty: Penalty, moments: Moments, curvature: float, n_rows: int
) -> np.ndarray:
    """Columns with coefficients on a sample of so many rows, or not far from any."""
    quadratic = Quadratic.of(moments, curvature, intercept=False)
    penalty = penalty.columns(np.arange(len(quadratic.gram)))
    coef = quadratic.minimum(penalty)
    values, slope = quadratic.values_and_gradient(coef)
    residual = np.maximum(values * 2 / curvature, 0.0)
    errors = np.sqrt(np.outer(quadratic.gram.diagonal(), residual) / n_rows)
    reach = np.abs(slope) + _STANDARD_ERRORS * curvature * errors
    moving = penalty.column().excess(reach, coef) >= 0
    return np.flatnonzero(moving.any(axis=1))
