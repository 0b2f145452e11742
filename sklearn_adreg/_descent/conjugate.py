"""Squared error with or without a ridge where nothing is whitened: conjugate gradients.

The Hessian is the same everywhere and is multiplied with, one visit of the rows a step,
but never formed. The columns are scaled to equal curvature. What is left, in the norm
that the objective is measured by, is at least what the last steps have gained [1]_.
The gradient is kept up by its recursion; where a descent claims to have arrived it is
taken anew, and the descent goes on where the two have parted.

References
----------
.. [1] G. Meurant, P. Tichy, "On computing quadrature-based bounds for the A-norm of the
   error in conjugate gradients", Numerical Algorithms 62, 2013.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._descent.coordinates import Coordinates
from sklearn_adreg._descent.loop import Goal
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.penalty import Penalty

# So many steps tell what was left before them.
_DELAY = 4
# By how much the squared gradient and its recursion may differ, and by how much taking
# it anew must have brought it down since the last time: else what is left is rounding.
_PARTED, _BROUGHT_DOWN = 4.0, 0.5


class _State(NamedTuple):
    """Theta (p, k), gradient, direction, and its squared gradient (k,), scaled."""

    theta: np.ndarray
    gradient: np.ndarray
    direction: np.ndarray
    square: np.ndarray


def conjugate(
    objective: MeanLoss,
    penalty: Penalty,
    coordinates: Coordinates,
    goal: Goal,
    curvature: float,
    scale: np.ndarray,
    theta: np.ndarray,
    first: tuple[float, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, float]:
    """Descend from theta (p, n_targets), of which `first` is the value and gradient.

    The coordinates scale the columns; arguments and results are those of `refine`.
    """
    inverse = 1 / (curvature / coordinates.factor[:, None] ** 2 + penalty.curvature)
    curve, gains = [first[0] + penalty.value(theta)], []
    state = _begun(penalty, inverse, theta, first[1])
    anew, error = np.inf, np.inf if state.square.any() else 0.0
    while len(curve) <= goal.max_iter and (state.square.any() or goal.tol == 0):
        state, gain = _stepped(objective, penalty, curvature, inverse, state)
        gains.append(gain)
        curve.append(curve[-1] - float(gain.sum()) / 2)
        goal.report(np.array(curve[-1:], dtype=np.float64))
        left = np.sqrt(np.sum(gains[-_DELAY:], axis=0) / curvature)
        error = float((left / scale).max())
        if len(gains) < _DELAY or goal.tol == 0 or not error <= goal.tol:
            continue
        _, gradient = objective.value_and_gradient(state.theta)
        fresh = _begun(penalty, inverse, state.theta, gradient)
        before, anew = anew, float(fresh.square.max())
        parted = (fresh.square > _PARTED * state.square).any()
        if not parted:
            break
        if not anew < _BROUGHT_DOWN * before:
            # The gradient itself tells what rounding leaves, not its recursion.
            left = np.sqrt(fresh.square / curvature)
            error = max(error, float((left / scale).max()))
            break
        state, gains = fresh, []
    return state.theta, np.array(curve, dtype=np.float64), error


def _begun(
    penalty: Penalty, inverse: np.ndarray, theta: np.ndarray, gradient: Any
) -> _State:
    """Start from a gradient of the mean loss, along the scaled gradient."""
    whole = np.asarray(gradient, dtype=np.float64) + penalty.gradient(theta)
    scaled = inverse * whole
    return _State(theta, whole, -scaled, (whole * scaled).sum(axis=0))


def _stepped(
    objective: MeanLoss,
    penalty: Penalty,
    curvature: float,
    inverse: np.ndarray,
    state: _State,
) -> tuple[_State, np.ndarray]:
    """Step to the minimum along the directions; twice what the objectives gain."""
    theta, gradient, direction, square = state
    _, pulled = objective.data.rows.visit(direction, _weighted, objective.data.weight)
    curved = curvature * np.asarray(pulled, np.float64) + penalty.gradient(direction)
    bend = (direction * curved).sum(axis=0)
    length = np.where(bend > 0, square / _positive(bend), 0.0)
    gradient = gradient + length * curved
    scaled = inverse * gradient
    smaller = (gradient * scaled).sum(axis=0)
    turned = smaller / _positive(square) * direction - scaled
    return _State(
        theta + length * direction, gradient, turned, smaller
    ), length * square


def _positive(values: np.ndarray) -> np.ndarray:
    """Return what is positive, to divide by; one in place of the rest."""
    return np.where(values > 0, values, 1.0)


def _weighted(_xp: Any, linear: Any, weight: Any) -> Any:
    """Visitor: linear predictors, weighted."""
    return (weight[:, None] * linear,), ()
