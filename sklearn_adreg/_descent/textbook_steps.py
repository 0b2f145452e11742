"""The textbook update rule, as pure functions of a state.

coef <- coef - epsilon * gradient, full batch, nothing else. A penalty with corners, the
lasso's, is not differentiated: a proximal step follows the step along the gradient,
and leaves exact zeros.

Steps run on NumPy arrays and on traced ones alike: no branch depends on a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._descent.objective import Objective


class TextbookProblem(NamedTuple):
    """Data of the objective, step length, and the scale of each target."""

    data: Any
    epsilon: Any
    tol: Any
    target_scale: Any


class TextbookState(NamedTuple):
    """Where the textbook descent stands."""

    coef: Any
    value: Any
    gradient: Any


@dataclass(frozen=True)
class TextbookStart:
    """The state before the first step."""

    objective: Objective

    def __call__(self, _xp: Any, data: Any, coef: Any) -> TextbookState:
        """Evaluate the objective at `coef`."""
        return TextbookState(coef, *self.objective.value_and_gradient(coef, data))


@dataclass(frozen=True)
class TextbookStep:
    """coef <- coef - epsilon * gradient."""

    objective: Objective

    def __call__(self, problem: TextbookProblem, state: TextbookState) -> TextbookState:
        """Take a step."""
        coef = state.coef - problem.epsilon * state.gradient
        value, gradient = self.objective.value_and_gradient(coef, problem.data)
        return TextbookState(coef, value, gradient)


def textbook_error(problem: TextbookProblem, state: TextbookState) -> Any:
    """RMS change of the predictions by a step, in standard deviations of the target.

    From the decrease that the step promises, epsilon * |gradient|^2, which bounds the
    mean squared change of the predictions while epsilon is stable.
    """
    decrease = problem.epsilon * (state.gradient**2).sum(axis=0)
    return (decrease**0.5 / problem.target_scale).max()


def textbook_proceeds(problem: TextbookProblem, state: TextbookState) -> Any:
    """Whether to step on: not converged, and not blown up."""
    finite = abs(state.value) < np.inf
    return finite & (
        (problem.tol == 0) | (textbook_error(problem, state) > problem.tol)
    )


class Penalty(NamedTuple):
    """Of the coefficients: ridge / 2 * coef^2 + lasso * |coef|, each (n, 1)."""

    ridge: Any
    lasso: Any


class PenalisedProblem(NamedTuple):
    """A textbook problem with a penalty."""

    data: Any
    epsilon: Any
    tol: Any
    target_scale: Any
    penalty: Penalty


class PenalisedState(NamedTuple):
    """Where the descent stands; `gradient` is that of the step to `following`."""

    coef: Any
    value: Any
    gradient: Any
    following: Any


@dataclass(frozen=True)
class PenalisedStart:
    """The state before the first step."""

    objective: Objective

    def __call__(
        self, _xp: Any, problem: PenalisedProblem, coef: Any
    ) -> PenalisedState:
        """Evaluate the objective at `coef`, and the step from there."""
        value, slope = self.objective.value_and_gradient(coef, problem.data)
        ridge, lasso = problem.penalty
        value = value + (ridge / 2 * coef**2 + lasso * abs(coef)).sum()
        moved = coef - problem.epsilon * (slope + ridge * coef)
        width = problem.epsilon * lasso + 0 * moved
        following = moved - self.objective.array_namespace.clip(moved, -width, width)
        return PenalisedState(
            coef, value, (coef - following) / problem.epsilon, following
        )


@dataclass(frozen=True)
class PenalisedStep:
    """A step along the gradient, then a proximal one."""

    start: PenalisedStart

    def __call__(
        self, problem: PenalisedProblem, state: PenalisedState
    ) -> PenalisedState:
        """Take a step."""
        return self.start(None, problem, state.following)
