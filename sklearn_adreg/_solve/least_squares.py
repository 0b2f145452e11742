"""Squared error, without or with a ridge: refinement of a direct solution."""

from __future__ import annotations

import numpy as np

from sklearn_adreg._descent.coordinates import (
    MAX_WHITENED,
    Coordinates,
    whitened,
)
from sklearn_adreg._descent.loop import Goal, Solution
from sklearn_adreg._descent.refinement import refine
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.quadratic import Quadratic, curvature_of
from sklearn_adreg._rows.moments import mean_square, positive_roots
from sklearn_adreg._rows.place import place
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._rows.span import span_of
from sklearn_adreg._solve.problem import solve_any_loss
from sklearn_adreg._solve.task import Fit, Task


def solve_least_squares(task: Task, fit: Fit) -> Solution:
    """Whiten the columns, or the span of the rows, and refine; all targets at once."""
    X, y = fit.X, fit.y
    if min(X.shape) > MAX_WHITENED:
        return solve_any_loss(task, fit)
    tall = X.shape[1] <= X.shape[0]
    level, centred = fit.centred(task.intercept)
    data, moments = place(X, centred, fit.weight, **task.place, measure=tall)
    penalty = task.penalty(X.shape[1]).column()
    objective = MeanLoss(data, LinearLoss.of(task.loss), task.backend)
    curvature = curvature_of(task.loss, task.backend, X.dtype)
    ridge = penalty.l2[:, 0] / curvature
    if moments is not None:
        gram, _ = moments.bordered(task.intercept)
        coordinates = whitened(data.rows, data.weight, gram, ridge)
    else:
        coordinates = _of_span(data, ridge)
    square = mean_square(centred, fit.weight)
    scale = positive_roots(square)
    goal = Goal(
        task.tol, task.max_iter, 1.0, 0.0, 1.0, float(np.finfo(X.dtype).eps), fit.report
    )
    theta = np.zeros((data.rows.shape[1], y.shape[1]))
    if fit.start is not None:
        theta = data.rows.inner(fit.start[0], fit.start[1] - level)
        theta = coordinates.minimum_norm(theta)
        first = objective.value_and_gradient(theta)
    elif moments is not None:
        quadratic = Quadratic.of(moments, curvature, intercept=task.intercept)
        values, gradient = quadratic.values_and_gradient(theta)
        first = values.sum(), gradient
    else:
        first = objective.value_and_gradient(theta)
    first = float(first[0]), np.asarray(first[1])
    theta, curve, error = refine(
        objective, penalty, coordinates, goal, curvature, scale, theta, first
    )
    coef, intercept = data.rows.outer(theta)
    return Solution(coef, intercept + level, curve, 1 / curvature, error)


def _of_span(data: Data, ridge: np.ndarray) -> Coordinates:
    """Whiten the span of the rows, where there are more columns."""
    span = span_of(data.rows, data.weight)
    variances = np.asarray(data.rows.numpy(data.weight)) @ span.image**2
    inner = 1.0 / np.sqrt(variances + ridge[0])
    factor = np.diag(np.append(inner, np.ones(int(data.rows.intercept))))
    condition = float(inner.max() / inner.min()) if len(inner) else 1.0
    return Coordinates(factor, None, condition, span=span)
