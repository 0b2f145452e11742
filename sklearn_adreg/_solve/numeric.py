"""Descents with a step length that is given: the textbook, or its closed form.

The intercept of squared error is at its optimum for centred rows, whatever the
coefficients are: it takes no steps, which may be too long for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._descent.closed_form import (
    spectrum_of_moments,
    spectrum_of_rows,
    started_at,
    trajectory,
)
from sklearn_adreg._descent.loop import Solution
from sklearn_adreg._descent.recession import check_bounded
from sklearn_adreg._descent.textbook import (
    largest_curvature,
    stable_epsilon,
    stable_epsilon_of_loss,
    target_scale,
    textbook,
    uphill,
)
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.quadratic import Quadratic
from sklearn_adreg._report import diverged
from sklearn_adreg._rows.moments import mean_square, positive_roots
from sklearn_adreg._rows.place import place
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._solve.afterwards import (
    is_judged,
    judged,
    judged_on_squared_error,
    left_above,
)
from sklearn_adreg._solve.held_out import Watch
from sklearn_adreg._solve.start import constant_start, refusal
from sklearn_adreg._solve.task import Fit, Task


class Descent(NamedTuple):
    """Theta at the end, the objective at the start and after each step, and the error.

    `validation` is the mean loss of held-out rows, as in `Solution`.
    """

    theta: np.ndarray
    curve: np.ndarray
    error: float
    validation: np.ndarray | None = None


def solve_in_closed_form(task: Task, fit: Fit) -> Solution | None:
    """Follow the steps on squared error along eigenvectors, of columns or of rows.

    None where a ridge is not even, whose eigenvectors are others, and where held-out
    rows are to be looked at after each step.
    Raises DivergenceError, with the largest stable step, where they lead uphill.
    """
    assert task.epsilon is not None
    if not task.even or fit.held is not None:
        return None
    tall = fit.X.shape[1] <= fit.X.shape[0]
    data, moments = place(fit.X, fit.y, fit.weight, **task.place, measure=tall)
    if moments is not None:
        spectrum = spectrum_of_moments(moments, fit.curvature)
    else:
        target = data.rows.numpy(data.target)
        spectrum = spectrum_of_rows(data.rows, data.weight, target, fit.curvature)
    coef = np.zeros((fit.X.shape[1], fit.y.shape[1]))
    # The objective is a difference of mean squares as large as that of the targets.
    size = value = spectrum.size
    epsilon, ridge = task.epsilon, float(task.alpha)
    if fit.start is not None:
        coef = fit.start[0]
        value, spectrum = started_at(spectrum, coef, ridge)
    curve, error = trajectory(
        spectrum,
        epsilon,
        ridge,
        value=float(value.sum()),
        max_iter=task.max_iter,
        tol=task.tol,
    )
    fit.report(curve[1:])
    _check_descent(
        task, fit, curve, float(size.sum()), partial(spectrum.max_epsilon, ridge)
    )
    n_iter = np.array(len(curve) - 1)
    phi = spectrum.phi(epsilon, ridge, n_iter)
    coef = coef + spectrum.basis @ (phi[:, None] * spectrum.parts)
    above = 0.0
    if is_judged(task, fit, error):
        gained, left = spectrum.gains(epsilon, ridge, n_iter)
        above = left_above(task, fit, value - gained, value - gained - left, size)
    nothing = np.zeros((int(task.intercept), coef.shape[1]))
    coef, intercept = data.rows.outer(np.concatenate([coef, nothing]))
    return Solution(coef, intercept, curve, epsilon, error, above=above)


def solve_on_moments(task: Task, fit: Fit) -> Solution:
    """Step on squared error as a function of moments, which no step reads rows for."""
    data, moments = place(fit.X, fit.y, fit.weight, **task.place, measure=True)
    assert moments is not None
    objective = Quadratic.of(moments, fit.curvature, intercept=task.intercept)
    return _solve_squared_error(task, fit, data, objective)


def solve_on_rows(task: Task, fit: Fit) -> Solution:
    """Step on squared error as a function of rows."""
    data, _ = place(fit.X, fit.y, fit.weight, **task.place, measure=False)
    objective = MeanLoss(data, LinearLoss.of(task.loss), task.backend)
    return _solve_squared_error(task, fit, data, objective)


def _solve_squared_error(
    task: Task, fit: Fit, data: Data, objective: MeanLoss | Quadratic
) -> Solution:
    """Step on squared error, from zero or what was found.

    Raises DivergenceError, with the largest stable step, where steps lead uphill.
    """
    square = mean_square(fit.y, fit.weight)
    theta = np.zeros((data.rows.shape[1], fit.y.shape[1]))
    if fit.start is not None:
        theta[: len(fit.start[0])] = fit.start[0]
    scale, fixed = positive_roots(square), task.intercept
    found = _step_by_step(
        objective, data, task, fit, theta, scale, fixed_intercept=fixed
    )

    def max_epsilon() -> float:
        ridge = task.penalty(fit.X.shape[1]).curvature
        return stable_epsilon(
            largest_curvature(data, fit.curvature, ridge, intercept=False)
        )

    size = fit.curvature / 2 * square
    _check_descent(task, fit, found.curve, float(size.sum()), max_epsilon)
    solution = _solution(task, data, found)
    if isinstance(objective, MeanLoss):
        return judged_on_squared_error(task, fit, objective, solution, size)
    if not is_judged(task, fit, found.error):
        return solution
    penalty = task.penalty(fit.X.shape[1])
    ends = found.theta, objective.minimum(penalty)
    values, least = (
        objective.values_and_gradient(end)[0] + penalty.column().values(end)
        for end in ends
    )
    return solution._replace(above=left_above(task, fit, values, least, size))


def solve_any_loss_step_by_step(task: Task, fit: Fit, unit: float = 1.0) -> Solution:
    """Descend on any loss from zero and the best constant, or from what was found.

    `unit` is that of the objective, for messages.
    Raises DivergenceError, with an estimate of the largest stable step, where steps
    lead uphill.
    """
    where = task.place | fit.beside
    data, _ = place(fit.X, fit.y, fit.weight, **where, measure=False)
    if task.n_outputs > 1:  # the loss takes one target, and predictors beside it
        data = fit.of_target(data, 0)
    loss = LinearLoss.of(task.loss, fit.row_names)
    objective = MeanLoss(data, loss, task.backend, units=task.units)
    linked = fit.traits.linked
    if fit.start is None:
        start = constant_start(objective, fit.traits)
    else:
        start = data.rows.inner(*fit.start).reshape(-1, fit.y.shape[1])
    scale = target_scale(data, linked=linked, given=fit.start is not None)
    found = _step_by_step(
        objective, data, task, fit, start, scale, fixed_intercept=False
    )
    curve = found.curve
    if not np.isfinite(curve[0]) or (len(curve) == 1 and np.isnan(found.error)):
        raise refusal(objective, start)

    def max_epsilon() -> float:
        ridge = task.penalty(fit.X.shape[1]).curvature.reshape(-1, task.n_outputs)
        return stable_epsilon_of_loss(objective, start, scale, ridge)

    _check_descent(task, fit, unit * curve, unit * float(curve[0]), max_epsilon)
    check_bounded(task.loss, curve.tolist(), float(np.abs(curve[:2]).max()))
    solution = _solution(task, data, found)._replace(kinked=fit.traits.kinked)
    return judged(task, fit, objective, solution, start)


def _solution(task: Task, data: Data, found: Descent) -> Solution:
    """Return to X as it came."""
    theta, curve, error, validation = found
    assert task.epsilon is not None
    if task.n_outputs > 1:
        theta = theta.reshape(-1, task.n_outputs)
    coef, intercept = data.rows.outer(theta)
    return Solution(coef, intercept, curve, task.epsilon, error, validation=validation)


def _step_by_step(
    objective: Any,
    data: Data,
    task: Task,
    fit: Fit,
    theta: np.ndarray,
    scale: np.ndarray,
    *,
    fixed_intercept: bool,
) -> Descent:
    """Take the textbook's steps, one descent for all targets.

    Held-out rows, where there are any, decide alone when they end.
    """
    run, start = textbook(
        objective,
        task.backend,
        task.penalty(fit.X.shape[1]).column(),
        theta,
        epsilon=np.full(theta.shape[1], task.epsilon),
        scale=scale,
        tol=task.tol if fit.held is None else 0.0,
        n_iter=np.array([task.max_iter]),
        fixed_intercept=fixed_intercept,
    )
    if fit.held is None:
        state, values = run(start, task.max_iter, fit.report)
        error, validation = float(state.error[0]), None
    else:
        loss = LinearLoss.of(task.loss, fit.row_names)
        whole = MeanLoss(data, loss, task.backend, units=task.units)
        watch = Watch.of(whole, fit.held)
        state, values, each, error = watch.follow(
            run, start, max_iter=task.max_iter, tol=task.tol, report=fit.report
        )
        validation = each.sum(axis=1)
    curve = np.append(start.value, values).astype(np.float64)
    theta = np.asarray(state.theta, dtype=np.float64)
    return Descent(theta, curve, error, validation)


def _check_descent(
    task: Task,
    fit: Fit,
    curve: np.ndarray,
    size: float,
    max_epsilon: Callable[[], float],
) -> None:
    """Raise DivergenceError where the objective has grown, or is not finite."""
    if fit.squared and fit.start is None and not np.isfinite(curve[0]):
        largest = (abs(each).max() for each in (fit.X, fit.y))
        raise ValueError(
            f"The products of X and y must be representable in {fit.X.dtype}; they "
            "overflow instead. Got values of up to {:.3g} in X and {:.3g} in y less "
            "its mean. Multiply X by a constant that brings its values near one."
            "".format(*largest)
        )
    if uphill(curve[0], curve[-1], size, fit.X.dtype):
        first, last = float(curve[0]), float(curve[-1])
        assert task.epsilon is not None
        number, limit = len(curve) - 1, max_epsilon()
        raise diverged(
            task.epsilon,
            number,
            first,
            last,
            limit,
            exact=fit.squared,
            kinked=fit.traits.kinked,
        )
