"""Descents with a step length that is given: the textbook, or its closed form.

The intercept of squared error is at its optimum for centred rows, whatever the
coefficients are: it takes no steps, which may be too long for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_adreg._descent.closed_form import (
    Spectrum,
    spectrum_of_moments,
    spectrum_of_rows,
    started_at,
    trajectory,
)
from sklearn_adreg._descent.coordinates import MAX_WHITENED
from sklearn_adreg._descent.loop import Solution
from sklearn_adreg._descent.textbook import (
    constant_theta,
    largest_eigenvalue,
    stable_epsilon,
    stable_epsilon_of_loss,
    target_scale,
    textbook,
    uphill,
)
from sklearn_adreg._loss.check import not_finite
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.quadratic import Quadratic, curvature_of
from sklearn_adreg._report import diverged
from sklearn_adreg._rows.moments import Moments, mean_square, positive_roots
from sklearn_adreg._rows.place import place
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._solve.task import Fit, Task
from sklearn_adreg.losses import SquaredError

# Second moments of d columns cost about as much as d / 20 visits of the rows.
_COLUMNS_PER_VISIT = 20
# The eigenvectors of d columns cost as much as 0.3 d (of 32) to 2 d (of 512) steps with
# their second moments; of few columns it is the overhead of the steps that counts.
_FEW_COLUMNS = 64

# Theta at the end, the objective at the start and after each step, and the error.
Descent = tuple[np.ndarray, np.ndarray, float]


def solve_squared_error_step_by_step(task: Task, fit: Fit) -> Solution:
    """Descend on squared error, in closed form where that costs less than the steps.

    Raises DivergenceError, with the largest stable step, where steps lead uphill.
    """
    assert task.epsilon is not None
    (n_rows, n_features), n_targets = fit.X.shape, fit.y.shape[1]
    level, y = fit.centred(task.intercept)
    most = min(n_rows, MAX_WHITENED, _COLUMNS_PER_VISIT * task.max_iter)
    data, moments = place(
        fit.X, y, fit.weight, **task.place, measure=n_features <= most
    )
    curvature = curvature_of(task.loss, task.backend, fit.X.dtype)
    square = mean_square(y, fit.weight) if moments is None else moments.square
    theta = np.zeros((data.rows.shape[1], n_targets))
    if fit.start is not None:
        theta[:n_features] = fit.start[0]
    spectrum = _spectrum(task, fit, data, moments, curvature)
    if spectrum is not None:
        theta, curve, error = _in_closed_form(spectrum, task, fit, theta)
    else:
        objective: Any = MeanLoss(data, LinearLoss.of(task.loss), task.backend)
        if moments is not None:
            objective = Quadratic.of(moments, curvature, intercept=task.intercept)
        scale, fixed = positive_roots(square), task.intercept
        theta, curve, error = _step_by_step(
            objective, task, fit, theta, scale, fixed_intercept=fixed
        )

    # The objective is a difference of mean squares as large as that of the targets.
    size = curvature / 2 * float(square.sum())
    ridge = float(task.penalty(n_features).l2.max())

    def max_epsilon() -> float:
        if spectrum is not None:
            return spectrum.max_epsilon(ridge)
        largest = largest_eigenvalue(data, intercept=False)
        return stable_epsilon(curvature * largest + ridge)

    _check_descent(curve, size, task, fit, max_epsilon)
    coef, intercept = data.rows.outer(theta)
    return Solution(coef, intercept + level, curve, task.epsilon, error)


def solve_any_loss_step_by_step(task: Task, fit: Fit) -> Solution:
    """Descend on any loss from zero and the best constant, or from what was found.

    Raises DivergenceError, with an estimate of the largest stable step, where steps
    lead uphill.
    """
    assert task.epsilon is not None
    data, _ = place(fit.X, fit.y, fit.weight, **task.place, measure=False)
    objective = MeanLoss(data, LinearLoss.of(task.loss), task.backend)
    linked = fit.traits.linked
    if fit.start is None:
        start = constant_theta(objective, linked=linked)
    else:
        start = data.rows.inner(*fit.start)
    scale = target_scale(data, linked=linked, given=fit.start is not None)
    theta, curve, error = _step_by_step(
        objective, task, fit, start, scale, fixed_intercept=False
    )
    if not np.isfinite(curve[0]):
        rows, target, weight, _, row_data = data
        linear = objective.linear_predictor(start)
        known = map(rows.numpy, (target, linear, weight, *row_data))
        raise not_finite(objective.loss, task.backend, *known)

    def max_epsilon() -> float:
        ridge = float(task.penalty(fit.X.shape[1]).l2.max())
        return stable_epsilon_of_loss(objective, start, scale, ridge)

    _check_descent(curve, float(curve[0]), task, fit, max_epsilon)
    coef, intercept = data.rows.outer(theta)
    return Solution(coef, intercept, curve, task.epsilon, error)


def _spectrum(
    task: Task, fit: Fit, data: Data, moments: Moments | None, curvature: float
) -> Spectrum | None:
    """Eigenvectors, where they cost less than the steps; the penalty is a ridge."""
    n_rows, n_features = fit.X.shape
    few = max(_FEW_COLUMNS, task.max_iter)
    if not task.smooth or min(n_rows, n_features) > few:
        return None
    if moments is not None:
        return spectrum_of_moments(moments, curvature)
    # The rows span what descents from zero see, not what a start may be.
    if fit.start is not None or n_rows > n_features:
        return None
    target = data.rows.numpy(data.target)
    return spectrum_of_rows(data.rows, data.weight, target, curvature)


def _in_closed_form(
    spectrum: Spectrum, task: Task, fit: Fit, theta: np.ndarray
) -> Descent:
    """Follow the textbook's steps along the eigenvectors."""
    assert task.epsilon is not None
    coef, value = theta[: len(spectrum.basis)], float(spectrum.size.sum())
    ridge, epsilon = task.alpha, task.epsilon
    if fit.start is not None:
        value, spectrum = started_at(spectrum, coef, ridge)
    curve, error = trajectory(
        spectrum, epsilon, ridge, value=value, max_iter=task.max_iter, tol=task.tol
    )
    fit.report(curve[1:])
    phi = spectrum.phi(epsilon, ridge, np.array(len(curve) - 1))
    moved = spectrum.basis @ (phi[:, None] * spectrum.parts)
    return np.concatenate([coef + moved, theta[len(coef) :]]), curve, error


def _step_by_step(
    objective: Any,
    task: Task,
    fit: Fit,
    theta: np.ndarray,
    scale: np.ndarray,
    *,
    fixed_intercept: bool,
) -> Descent:
    """Take the textbook's steps, one descent for all targets."""
    run, start = textbook(
        objective,
        task.backend,
        task.penalty(fit.X.shape[1]).column(),
        theta,
        epsilon=np.full(theta.shape[1], task.epsilon),
        scale=scale,
        tol=task.tol,
        n_iter=np.array([task.max_iter]),
        fixed_intercept=fixed_intercept,
    )
    state, values = run(start, task.max_iter, fit.report)
    curve = np.append(start.value, values).astype(np.float64)
    return np.asarray(state.theta, dtype=np.float64), curve, float(state.error[0])


def _check_descent(
    curve: np.ndarray,
    size: float,
    task: Task,
    fit: Fit,
    max_epsilon: Callable[[], float],
) -> None:
    """Raise DivergenceError where the objective has grown, or is not finite."""
    if uphill(curve[0], curve[-1], size, fit.X.dtype):
        first, last = float(curve[0]), float(curve[-1])
        assert task.epsilon is not None
        number, exact = len(curve) - 1, bool(task.loss == SquaredError())
        raise diverged(task.epsilon, number, first, last, max_epsilon(), exact=exact)
