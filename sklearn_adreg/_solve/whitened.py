"""Least squares by descent: which design, objective, metric and update rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_adreg._descent.metric import (
    MAX_WHITENED,
    DiagonalMetric,
    Metric,
    Whitening,
    diagonal_metric,
    factored_metric,
    feature_metric,
    sample_metric,
)
from sklearn_adreg._descent.objective import (
    Objective,
    objective_over_rows,
)
from sklearn_adreg._descent.solution import Report, Solution
from sklearn_adreg._descent.whitened_steps import (
    WhitenedProblem,
    WhitenedStart,
    WhitenedState,
    WhitenedStep,
    whitened_proceeds,
    whitened_start,
)
from sklearn_adreg._solve.least_squares import CURVATURE, LeastSquares

# Errors of so many units of rounding are as small as a well-conditioned X lets them.
_FLOOR = 32.0


def descend_whitened(
    data: LeastSquares,
    start: np.ndarray | None,
    *,
    max_iter: int,
    tol: float,
    report: Report,
) -> Solution:
    """Take accelerated steps in the metric that whitens X, from zero or `start`."""
    dtype = data.design.dtype.type
    eps = float(np.finfo(dtype).eps)
    metric, condition, guess = _choose_metric(data)
    objective, rows = objective_over_rows(
        data.design,
        data.target,
        data.loss,
        data.backend,
        refining=condition > eps ** (-1 / 3),
    )
    problem = WhitenedProblem(
        rows,
        metric,
        convexity=dtype(not isinstance(metric, DiagonalMetric)),
        tol=dtype(tol),
        floor=dtype(_FLOOR * eps / condition if guess is None else 0),
        target_scale=data.target_scale,
    )
    state = _first_state(data, objective, problem, guess if start is None else start)
    first = float(state.value)
    state, values = objective.iterate(
        WhitenedStep(objective), whitened_proceeds, problem, state, max_iter, report
    )
    coef = objective.evaluate(_minimum_norm, metric, state.coef, rows)
    curve = np.concatenate([[first], values])
    epsilon = 1.0 / float(state.curvature)
    coef = np.asarray(coef)
    intercept = data.target_mean - data.design.mean @ coef.astype(np.float64)
    return Solution(coef, intercept, curve, epsilon, float(state.error))


def _first_state(
    data: LeastSquares,
    objective: Objective,
    problem: WhitenedProblem,
    start: np.ndarray | None,
) -> WhitenedState:
    """Evaluate the start from the rows, or zero from the moments, which is free."""
    dtype = data.design.dtype.type
    curvature = dtype(CURVATURE)
    if start is not None or data.moments is None:
        start = data.zeros() if start is None else start
        return objective.evaluate(WhitenedStart(objective), problem, start, curvature)
    slope = -2 * data.moments.cross.astype(dtype)
    value = dtype(data.target_square.sum())
    return objective.evaluate(
        whitened_start, problem, data.zeros(), curvature, value, slope
    )


def _choose_metric(data: LeastSquares) -> Whitening:
    """Choose the metric that this size and conditioning of X allow."""
    n_samples, n_features = data.design.shape
    if data.moments is not None:
        gram = np.asarray(data.moments.gram, dtype=np.float64)
        return feature_metric(
            data.design, gram, centred=data.centred
        ) or factored_metric(data.design, gram, data.target, centred=data.centred)
    if n_samples < n_features and n_samples <= MAX_WHITENED:
        return sample_metric(data.design, data.row_weights, centred=data.centred)
    return diagonal_metric(data.design)


def _minimum_norm(_xp: Any, metric: Metric, coef: Any, rows: Any) -> Any:
    return metric.minimum_norm(coef, rows)
