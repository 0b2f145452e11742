"""Squared error with or without a ridge where nothing is whitened: conjugate gradients.

The Hessian is the same everywhere and is multiplied with, one visit of the rows a step,
but never formed. The columns are scaled to equal curvature. What is left, in the norm
that the objective is measured by, is bounded by the gradient where a ridge bounds the
curvature from below: by Gauss-Radau quadrature, which knows all steps. Without, what
was left a few steps ago is at least what these have gained [1]_.

The gradient is kept up by its recursion. Where a descent claims to have arrived it is
taken anew, unless rounding cannot have led the two far apart yet [2]_, and the descent
goes on where it has.

References
----------
.. [1] G. Meurant, P. Tichy, "On computing quadrature-based bounds for the A-norm of the
   error in conjugate gradients", Numerical Algorithms 62, 2013.
.. [2] A. Greenbaum, "Estimating the attainable accuracy of recursively computed
   residual methods", SIAM Journal on Matrix Analysis and Applications 18, 1997.
"""

from __future__ import annotations

from dataclasses import dataclass
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
# Rounding that is this part of the gradient, or less, is not looked for.
_ROUNDED = 0.1


class _State(NamedTuple):
    """Theta (p, k), gradient, direction, and its squared gradient (k,), scaled.

    `reach` times the square bounds twice what is left to gain (NaN: it is not known).
    Of the `n_steps` so far the last have gained half of `gains`, and the `shortest` was
    so long.
    """

    theta: np.ndarray
    gradient: np.ndarray
    direction: np.ndarray
    square: np.ndarray
    reach: np.ndarray
    gains: tuple[np.ndarray, ...] = ()
    shortest: float = np.inf
    n_steps: int = 0

    @property
    def left(self) -> np.ndarray:
        """Bound of twice what is left to gain, (k,)."""
        gained = np.sum(self.gains, axis=0) if len(self.gains) == _DELAY else np.inf
        return np.fmin(self.reach * self.square, gained)


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
    descent = _Descent.of(objective, penalty, coordinates, curvature)
    curve = [first[0] + penalty.value(theta)]
    state = descent.begun(theta, first[1])
    anew, error = np.inf, np.inf if state.square.any() else 0.0

    def error_of(left: np.ndarray) -> float:
        return float((np.sqrt(left / curvature) / scale).max())

    while len(curve) <= goal.max_iter and (state.square.any() or goal.tol == 0):
        state = descent.stepped(state)
        curve.append(curve[-1] - float(state.gains[-1].sum()) / 2)
        goal.report(np.array(curve[-1:], dtype=np.float64))
        error = error_of(state.left)
        if goal.tol == 0 or not error <= goal.tol:
            continue
        if descent.rounding(state, goal.eps) <= _ROUNDED:
            break
        fresh = descent.begun(state.theta, objective.value_and_gradient(state.theta)[1])
        before, anew = anew, float(fresh.square.max())
        if not (fresh.square > _PARTED * state.square).any():
            break
        if not anew < _BROUGHT_DOWN * before:
            # The gradient itself tells what rounding leaves, not its recursion.
            error = max(error, error_of(fresh.square))
            break
        state = fresh
    return state.theta, np.array(curve, dtype=np.float64), error


@dataclass(frozen=True)
class _Descent:
    """What steps need.

    `weight` is that of the rows times the curvature of the loss, `inverse` (p, 1) that
    of the curvature of the columns, and `lowest` a lower bound of the scaled curvature.
    """

    rows: Any
    weight: Any
    penalty: Penalty
    inverse: np.ndarray
    lowest: float

    @classmethod
    def of(
        cls,
        objective: MeanLoss,
        penalty: Penalty,
        coordinates: Coordinates,
        curvature: float,
    ) -> _Descent:
        """Scale by the coordinates."""
        rows, inverse = (
            objective.data.rows,
            coordinates.factor[:, None] ** 2 / curvature,
        )
        # In NumPy: outside of what is compiled, JAX would compute in float32.
        weight = rows.vector(curvature * rows.numpy(objective.data.weight)[:, None])
        # The centred columns are orthogonal to that of the intercept, of curvature one.
        n_features = rows.shape[1] - rows.intercept
        lowest = (penalty.curvature * inverse)[:n_features].min(initial=1.0)
        return cls(rows, weight, penalty, inverse, float(lowest))

    def begun(self, theta: np.ndarray, gradient: Any) -> _State:
        """Start from a gradient of the mean loss, along the scaled gradient.

        The state has arrays of its own, over which steps write.
        """
        whole = np.asarray(gradient, np.float64) + self.penalty.gradient(theta)
        scaled = self.inverse * whole
        square = _products(whole, scaled)
        reach = np.full(len(square), 1 / self.lowest if self.lowest > 0 else np.nan)
        return _State(theta.copy(), whole, -scaled, square, reach)

    def stepped(self, state: _State) -> _State:
        """Step to the minimum along the directions, in the arrays of the state.

        Vectors as long as theta take a fifth of the time of text-sized problems, and
        new ones in each step as much again for each four of them.
        """
        theta, gradient, direction, square, reach, *_ = state
        curved = self.penalty.gradient(direction)
        curved += np.asarray(self.rows.visit(direction, _weighted, self.weight)[1])
        bend = _products(direction, curved)
        length = np.where(bend > 0, square / _positive(bend), 0.0)
        theta += length * direction
        curved *= length
        gradient += curved
        scaled = np.multiply(self.inverse, gradient, out=curved)
        smaller = _products(gradient, scaled)
        turn, beyond = smaller / _positive(square), reach - length
        direction *= turn
        direction -= scaled
        return _State(
            theta,
            gradient,
            direction,
            smaller,
            beyond / (self.lowest * beyond + turn),
            (*state.gains, length * square)[-_DELAY:],
            min(state.shortest, length[bend > 0].min(initial=np.inf)),
            state.n_steps + 1,
        )

    def rounding(self, state: _State, eps: float) -> float:
        """How large a part of the gradient its rounding may be, that of all steps.

        The largest curvature is at least the inverse of the shortest step.
        """
        size = np.sqrt((state.theta**2 / self.inverse).sum(axis=0)) / state.shortest
        gradient = np.sqrt(_positive(state.square))
        return float((eps * state.n_steps * size / gradient).max())


def _products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Inner products of columns; by BLAS where there is one."""
    return np.matmul(left.T[:, None], right.T[:, :, None])[:, 0, 0]


def _positive(values: np.ndarray) -> np.ndarray:
    """Return what is positive, to divide by; one in place of the rest."""
    return np.where(values > 0, values, 1.0)


def _weighted(_xp: Any, linear: Any, weight: Any) -> Any:
    """Visitor: linear predictors, weighted."""
    return (weight * linear,), ()
