"""The textbook descent: which objective, where it starts, and whether it diverged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg._descent.objective import (
    TracedObjective,
    mean_squared_error,
    objective_over_rows,
    one_mean_squared_error,
)
from sklearn_adreg._descent.solution import Report, Solution
from sklearn_adreg._descent.textbook_steps import (
    PenalisedProblem,
    PenalisedStart,
    PenalisedStep,
    Penalty,
    TextbookProblem,
    TextbookStart,
    TextbookStep,
    textbook_error,
    textbook_proceeds,
)
from sklearn_adreg._loss.check import not_finite
from sklearn_adreg._loss.pointwise import LinearLoss, Pointwise
from sklearn_adreg._report import diverged
from sklearn_adreg._rows.design import Moments, weighted_mean
from sklearn_adreg._rows.placing import Design, place_rows
from sklearn_adreg._solve.constant_fit import constant_fit
from sklearn_adreg._solve.least_squares import (
    LeastSquares,
    largest_eigenvalue,
    stable_epsilon,
)
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss


@dataclass(frozen=True)
class Steps:
    """How the textbook steps, and when it stops; the penalty's two strengths."""

    epsilon: float
    max_iter: int
    tol: float
    report: Report
    ridge: float = 0.0
    lasso: float = 0.0

    @property
    def penalised(self) -> bool:
        """Whether there is a penalty at all."""
        return self.ridge > 0 or self.lasso > 0


def descend_textbook(
    data: LeastSquares, start: np.ndarray | None, steps: Steps
) -> Solution:
    """Descend on squared error, over its moments where that is cheaper than rows.

    Raises DivergenceError, with the largest stable step, where steps lead uphill.
    """
    start = data.zeros() if start is None else start
    objective: Any
    rows: Any
    if data.moments is None:
        objective, rows = objective_over_rows(
            data.design, data.target, data.loss, data.backend
        )
    else:
        objective, rows = _objective_of_moments(data, flat=not steps.penalised)
        start = start.reshape(rows.cross.shape)
    # Rounding of the objective, which is a difference of means of squares.
    size = float(data.target_square.sum())
    curve, coef, error = _descend(objective, rows, start, data.target_scale, steps)
    _check_descent(curve, size, steps, lambda: data.max_epsilon(steps.ridge))
    coef = coef.reshape(-1, data.target.shape[1])
    intercept = data.target_mean - data.design.mean @ coef.astype(np.float64)
    return Solution(coef, intercept, curve, steps.epsilon, error)


@dataclass(frozen=True)
class LossRows:
    """Rows for the textbook descent on any loss; targets as they came."""

    backend: Backend
    loss: Loss
    design: Design
    target: np.ndarray
    weights: np.ndarray
    centred: bool
    linked: bool

    def descend(
        self, start: tuple[np.ndarray, np.ndarray] | None, steps: Steps
    ) -> Solution:
        """Descend from zero and the constant fit, or from what was found before.

        Raises DivergenceError where steps lead uphill.
        """
        objective, rows = objective_over_rows(
            self.design,
            self.target,
            LinearLoss(self.loss),
            self.backend,
            intercept=self.centred,
        )
        first = self.start(start).astype(self.design.dtype)
        curve, coef, error = _descend(
            objective, rows, first, self.scale(), steps, intercept=self.centred
        )
        if not np.isfinite(curve[0]):
            raise self._not_finite(first)
        _check_descent(
            curve,
            abs(float(curve[0])),
            steps,
            lambda: self.max_epsilon(first, steps.ridge),
        )
        level = np.zeros(self.target.shape[1])
        if self.centred:
            coef, level = coef[:-1], coef[-1].astype(np.float64)
        level = level - self.design.mean @ coef.astype(np.float64)
        return Solution(coef, level, curve, steps.epsilon, error)

    def _not_finite(self, start: np.ndarray) -> Exception:
        pointwise = Pointwise(LinearLoss(self.loss), self.backend)
        coef, level = (start[:-1], start[-1]) if self.centred else (start, 0.0)
        linear = self.design.dot(coef) + level
        return not_finite(pointwise, self.target.ravel(), linear.ravel())

    def start(self, given: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
        """Coefficients, and the intercept below them, that were found or are first."""
        if given is not None:
            coef, intercept = given
            level = intercept + self.design.mean @ coef
            return np.vstack([coef, level]) if self.centred else coef
        shape = self.design.shape[1], self.target.shape[1]
        if not self.centred:
            return np.zeros(shape)
        pointwise = Pointwise(LinearLoss(self.loss), self.backend)
        level = [
            constant_fit(pointwise, y, self.weights, linked=self.linked)
            for y in np.ascontiguousarray(self.target.T)
        ]
        return np.vstack([np.zeros(shape), level])

    def scale(self) -> np.ndarray:
        """Return the standard deviation of each target; 1 where a link lies between."""
        if self.linked:
            return np.ones(self.target.shape[1], dtype=self.design.dtype)
        mean = weighted_mean(self.target, self.weights) if self.centred else 0.0
        scale = np.sqrt(weighted_mean((self.target - mean) ** 2, self.weights))
        return np.where(scale > 0, scale, 1.0).astype(self.design.dtype)

    def max_epsilon(self, start: np.ndarray, ridge: float) -> float:
        """Find the stable step for the largest curvature between z = 0 and y."""
        pointwise = Pointwise(LinearLoss(self.loss), self.backend)
        target = self.target.astype(self.design.dtype).ravel()
        constant = start[-1] if self.centred else np.zeros(self.target.shape[1])
        linear = np.broadcast_to(constant, self.target.shape).ravel()
        near = 1e-3 * (1.0 if self.linked else float(self.scale().max()))
        curvature = pointwise.slopes(target, linear, near).curvature.max()
        largest = largest_eigenvalue(self.design, self.weights[:, None])
        if self.centred:
            largest = max(largest, 1.0)
        return stable_epsilon(float(curvature) * largest + ridge)


def place_loss_rows(
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    *,
    loss: Loss,
    linked: bool,
    backend: Backend,
    device: str | None,
    centred: bool,
) -> LossRows:
    """Place the data for the textbook descent on any loss."""
    design = place_rows(
        X, y, weights, backend=backend, device=device, centred=centred, measured=False
    ).design
    row_weights = np.asarray(design.row_weights)
    return LossRows(backend, loss, design, y, row_weights, centred, linked)


def _descend(
    objective: Any,
    rows: Any,
    start: np.ndarray,
    scale: np.ndarray,
    steps: Steps,
    *,
    intercept: bool = False,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Objective after each step, the last coefficients, and how close they are."""
    number = start.dtype.type
    limits = number(steps.epsilon), number(steps.tol), scale
    problem: Any
    state: Any
    step: Any
    if steps.penalised:
        free = np.ones((len(start), 1), dtype=start.dtype)
        free[len(start) - intercept :] = 0.0
        penalty = Penalty(free * number(steps.ridge), free * number(steps.lasso))
        problem, begin = (
            PenalisedProblem(rows, *limits, penalty),
            PenalisedStart(objective),
        )
        state = objective.evaluate(begin, problem, start)
        step = PenalisedStep(begin)
    else:
        problem = TextbookProblem(rows, *limits)
        state = objective.evaluate(TextbookStart(objective), rows, start)
        step = TextbookStep(objective)
    first = float(state.value)
    state, values = objective.iterate(
        step, textbook_proceeds, problem, state, steps.max_iter, steps.report
    )
    error = float(textbook_error(problem, state))
    return np.concatenate([[first], values]), np.asarray(state.coef), error


def _check_descent(
    curve: np.ndarray, size: float, steps: Steps, max_epsilon: Callable[[], float]
) -> None:
    """Raise DivergenceError where the objective has grown, or is not finite."""
    noise = 100 * np.finfo(curve.dtype).eps * size
    if not curve[-1] <= curve[0] + noise:
        first, last = float(curve[0]), float(curve[-1])
        raise diverged(steps.epsilon, len(curve) - 1, first, last, max_epsilon())


def _objective_of_moments(
    data: LeastSquares, *, flat: bool
) -> tuple[TracedObjective, Moments]:
    assert data.moments is not None
    moments = Moments(*(part.astype(data.design.dtype) for part in data.moments))
    if data.target.shape[1] > 1 or not flat:
        return TracedObjective(data.backend, mean_squared_error), moments
    single = Moments(moments.gram, moments.cross[:, 0], moments.square[0])
    return TracedObjective(data.backend, one_mean_squared_error), single
