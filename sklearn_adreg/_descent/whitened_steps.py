"""The whitened update rule for squared error, as pure functions of a state.

A step along the gradient in the coordinates of a metric, with the step length found by
backtracking and Nesterov's acceleration. In a fully whitened metric the first step
lands on the minimum of the objective as the moments saw it; later steps take their
gradient from the data, and so refine it to the last digits.

Steps run on NumPy arrays and on traced ones alike: no branch depends on a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._descent.objective import Objective


class WhitenedProblem(NamedTuple):
    """Data of the objective, the metric, and when to stop.

    `convexity` is the ratio of the smallest to the largest curvature in the metric
    where it is known (1 for squared error, fully whitened), or else 0.
    """

    data: Any
    metric: Any
    convexity: Any
    tol: Any
    floor: Any
    target_scale: Any


class WhitenedState(NamedTuple):
    """Where the whitened descent stands: at `coef`, about to step from `point`.

    Gradients, and the `drift` from coef to point, are in whitened coordinates.
    `momentum` is Nesterov's alpha.
    """

    coef: Any
    value: Any
    gradient: Any
    point: Any
    point_value: Any
    point_gradient: Any
    drift: Any
    momentum: Any
    curvature: Any
    error: Any
    last_error: Any


@dataclass(frozen=True)
class WhitenedStep:
    """One accelerated step in the metric, for a quadratic objective.

    The gradient of a quadratic is affine, so that value and gradient at the
    extrapolated point follow from those at the iterates: one pass over the data for
    each step. A step that overshoots is taken back, and tried again at half the
    length.

    References
    ----------
    .. [1] Y. Nesterov, "Introductory lectures on convex optimization", 2004,
       scheme 2.2.19.
    .. [2] B. O'Donoghue, E. Candes, "Adaptive restart for accelerated gradient
       schemes", Foundations of Computational Mathematics, 2015.
    """

    objective: Objective

    def __call__(self, problem: WhitenedProblem, state: WhitenedState) -> WhitenedState:
        """Take a step."""
        where = self.objective.array_namespace.where
        data, metric = problem.data, problem.metric
        direction = -state.point_gradient / state.curvature
        coef = state.point + metric.unwhiten(direction, data)
        move = state.drift + direction
        value, gradient = self.objective.value_and_gradient(coef, data)
        gradient = metric.whiten(gradient, data)

        # The step overshoots where the gradient turns back: by half, it still gains.
        # Gradients say so to the last digit, where values have long drowned in F.
        turned = (gradient * state.point_gradient).sum()
        accepted = turned >= -0.5 * (state.point_gradient**2).sum()
        uphill = (state.point_gradient * move).sum() > 0
        restart = uphill | (value > state.value) | ~accepted

        momentum = where(restart, 1.0, state.momentum)
        following = _next_momentum(momentum, problem.convexity)
        ahead = momentum * (1 - momentum) / (momentum**2 + following)
        slope = (gradient * move).sum()
        bend = ((gradient - state.gradient) * move).sum()
        curvature = where(accepted, state.curvature, 2 * state.curvature)
        error = _whitened_error(gradient, curvature, problem.target_scale)
        return WhitenedState(
            coef=where(accepted, coef, state.coef),
            value=where(accepted, value, state.value),
            gradient=where(accepted, gradient, state.gradient),
            point=where(accepted, coef + ahead * (coef - state.coef), state.coef),
            point_value=where(
                accepted, value + ahead * (slope + ahead / 2 * bend), state.value
            ),
            point_gradient=where(
                accepted,
                gradient + ahead * (gradient - state.gradient),
                state.gradient,
            ),
            drift=where(accepted, ahead * move, 0 * move),
            momentum=following,
            curvature=curvature,
            error=where(accepted, error, state.error),
            last_error=state.error,
        )


@dataclass(frozen=True)
class WhitenedStart:
    """The state before the first step; one pass over the data, or none."""

    objective: Objective

    def __call__(
        self, xp: Any, problem: WhitenedProblem, coef: Any, curvature: Any
    ) -> WhitenedState:
        """Evaluate the objective at `coef`."""
        value, gradient = self.objective.value_and_gradient(coef, problem.data)
        return whitened_start(xp, problem, coef, curvature, value, gradient)


def whitened_start(
    xp: Any, problem: WhitenedProblem, coef: Any, curvature: Any, value: Any, slope: Any
) -> WhitenedState:
    """Assemble the state before the first step, from value and gradient there."""
    gradient = problem.metric.whiten(slope, problem.data)
    error = _whitened_error(gradient, curvature, problem.target_scale)
    one = xp.ones_like(error)
    return WhitenedState(
        coef=coef,
        value=value,
        gradient=gradient,
        point=coef,
        point_value=value,
        point_gradient=gradient,
        drift=0 * gradient,
        momentum=one,
        curvature=curvature,
        error=error,
        last_error=np.inf * one,
    )


def whitened_proceeds(problem: WhitenedProblem, state: WhitenedState) -> Any:
    """Whether to step on: not converged, or still gaining digits fast."""
    # A pass that quarters the error is cheap refinement, worth more than tol asks for.
    # In a fully whitened metric one that does not even halve it has met rounding.
    gain = state.last_error / state.error
    gaining = (state.error > problem.floor) & (gain >= 4)
    stalled = (problem.convexity == 1) & (gain < 2)
    wanted = (state.error > problem.tol) & ~stalled
    return (problem.tol == 0) | wanted | gaining


def _next_momentum(momentum: Any, convexity: Any) -> Any:
    """Root of a^2 = (1 - a) * momentum^2 + convexity * a between 0 and 1."""
    half = (convexity - momentum**2) / 2
    return half + (half**2 + momentum**2) ** 0.5


def _whitened_error(gradient: Any, curvature: Any, target_scale: Any) -> Any:
    """Distance of the predictions from the optimum's, RMS, per standard deviation.

    Exact for squared error in a fully whitened metric, where the curvature is the
    same in every direction.
    """
    lengths = (gradient**2).sum(axis=0) ** 0.5
    return (lengths / target_scale).max() / curvature
