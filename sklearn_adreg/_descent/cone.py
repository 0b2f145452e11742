"""Steps that keep k planes in their order in some rows, as the constraints of a model.

With theta (p, k) the planes z_j <= z_{j + 1} are in order in a row x where
x . (theta_{j + 1} - theta_j) >= 0: a cone. The step minimises the model of the
objective within it. In coordinates in which that is a sphere it is the point of least
distance from the minimum of all: least squares with multipliers that are not negative
[1]_. With these multipliers the Lagrange function is nowhere above the objective within
the cone, and what is left to gain is no more than its gap and theirs.

References
----------
.. [1] C. L. Lawson, R. J. Hanson, "Solving Least Squares Problems", SIAM, 1995,
   chapter 23 (least distance programming).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import nnls

from sklearn_adreg._descent.coordinates import Coordinates
from sklearn_adreg._descent.line_search import UNBOUNDED
from sklearn_adreg._descent.loop import Goal, Objective, State, Step
from sklearn_adreg._descent.quasi_newton import QuasiNewton
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._rows.rows import Rows

# Differences that join the multipliers at a time: those that are crossed most.
_JOINING = 256
# A difference is crossed where it is below zero by more than this part of the deepest
# crossing: least squares leave rounding. How often differences join at the most: six
# times were the most for ten levels of 20,000 rows, where one in 80 crossed.
_CROSSED, _MOST_JOININGS = 1e-9, 100
# Iterations of least squares for each multiplier: they come and go.
_ITERATIONS = 100


@dataclass(frozen=True)
class Cone:
    """Differences of neighbouring planes that are to be positive, in some rows.

    `held` (n, k - 1) says which; `factor` (p, r) whitens theta of each plane.
    """

    rows: Rows
    held: np.ndarray
    factor: np.ndarray

    def gaps(self, theta: np.ndarray) -> np.ndarray:
        """Differences that are to be positive, in a row; infinite where not held."""
        columns = theta.reshape(len(self.factor), -1)
        gaps = np.diff(self.rows.numpy(self.rows.matvec(columns)), axis=1)
        return np.where(self.held, gaps, np.inf).astype(np.float64).reshape(-1)

    def nearest(
        self, theta: np.ndarray, coordinates: Coordinates
    ) -> tuple[np.ndarray, float]:
        """Return the nearest theta within the cone, and how far that is."""
        still = np.zeros(self.factor.shape[1] * (self.held.shape[1] + 1))
        nothing = np.zeros(0, dtype=np.intp)
        force, _ = self.force(self.gaps(theta), still, np.eye(len(still)), nothing)
        return theta + coordinates.theta(force), float(np.linalg.norm(force))

    def force(
        self, gaps: np.ndarray, moved: np.ndarray, root: np.ndarray, active: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the force (r k,) that keeps a step within the cone.

        The step is `moved` (r k,) plus root @ root.T times that. `active` are numbers
        of differences that may have multipliers; those that have are returned.
        """
        free = gaps + self._change(moved)
        there, force, deepest = free, np.zeros(len(moved)), 0.0
        for _ in range(_MOST_JOININGS):
            deepest = max(deepest, -float(there.min()))
            crossed = np.flatnonzero(there < -_CROSSED * deepest)
            joining = np.setdiff1d(crossed, active, assume_unique=True)
            if not len(joining) and (force.any() or not len(crossed)):
                break
            joining = joining[np.argsort(there[joining])[:_JOINING]]
            active = np.union1d(active, joining)
            multipliers = _least_distance(self._normals(active, root), -free[active])
            force, active = self._sum(active, multipliers), active[multipliers > 0]
            there = free + self._change(root @ (root.T @ force))
        return force, active if force.any() else active[:0]

    @cached_property
    def _white(self) -> np.ndarray:
        return np.asarray(self.rows.numpy(self.rows.matvec(self.factor)), np.float64)

    def _change(self, unknowns: np.ndarray) -> np.ndarray:
        """Change of the differences along a step in white coordinates."""
        columns = unknowns.reshape(self.factor.shape[1], -1)
        return np.diff(self._white @ columns, axis=1).reshape(-1)

    def _normals(self, active: np.ndarray, root: np.ndarray) -> np.ndarray:
        """Gradients of those differences by the unknowns, times a matrix."""
        row, pair = np.divmod(active, self.held.shape[1])
        of_planes = root.reshape(self.factor.shape[1], -1, root.shape[1])
        found = np.zeros((len(active), root.shape[1]))
        for number in range(self.held.shape[1]):
            mine = pair == number
            apart = of_planes[:, number + 1] - of_planes[:, number]
            found[mine] = self._white[row[mine]] @ apart
        return found

    def _sum(self, active: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
        """Sum of the gradients of those differences, times multipliers."""
        forces = np.zeros(self.held.shape)
        forces.reshape(-1)[active] = multipliers
        pulled = np.pad(self._white.T @ forces, ((0, 0), (1, 1)))
        return -np.diff(pulled, axis=1).reshape(-1)


def _least_distance(normals: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Multipliers of the shortest w for which normals @ w >= wanted."""
    unit = wanted.max()
    length = np.sqrt(np.square(normals).sum(axis=1).max())
    system = np.vstack([normals.T / length, wanted / unit])
    target = np.append(np.zeros(normals.shape[1]), 1.0)
    try:
        found, _ = nnls(system, target, maxiter=_ITERATIONS * len(wanted))
    except RuntimeError:  # it goes in circles: planes are then lifted
        return np.zeros(len(wanted))
    left = 1.0 - float(wanted @ found) / unit
    return found * unit / (left * length**2)


@dataclass(frozen=True)
class WithinCone:
    """Quasi-Newton steps within a cone.

    The memory is that of the method, and the numbers of the differences that had
    multipliers last.
    """

    method: QuasiNewton
    cone: Cone

    def step(
        self,
        objective: Objective,
        penalty: Penalty,
        goal: Goal,
        state: State,
        memory: Any,
    ) -> tuple[Step, Any]:
        """Minimise the model at a state within the cone."""
        inner, active = (None, np.zeros(0, np.intp)) if memory is None else memory
        step, inner = self.method.step(objective, penalty, goal, state, inner)
        slope = self.method.coordinates.gradient(state.gradient)
        root, gaps = inner.vectors * inner.scale, self.cone.gaps(state.theta)
        force, active = self.cone.force(gaps, -root @ (root.T @ slope), root, active)
        if len(active):
            step, inner = self.method.towards(
                goal, slope - force, inner, fresh=step.fresh
            )
            along = float(state.gradient @ step.direction)
            # The multipliers times the differences are what the force does on the way.
            step = step._replace(slope=along, gap=step.gap + step.slope - along)
        change = self.cone.gaps(step.direction)
        # Differences that stay zero change by rounding alone.
        nearer = change < _CROSSED * min(change.min(), 0.0)
        lengths = gaps[nearer] / -change[nearer]
        step = step._replace(longest=max(1.0, float(lengths.min(initial=UNBOUNDED))))
        return step, (inner, active)

    def learn(self, memory: Any, length: float, change: np.ndarray) -> Any:
        """Take in how the gradient changed along a part of the last step."""
        inner, active = memory
        return self.method.learn(inner, length, change), active

    def renew(self, memory: Any) -> Any:
        """Make the metric anew with the next step."""
        inner, active = memory
        return self.method.renew(inner), active

    def for_outputs(self, factor: np.ndarray, units: np.ndarray) -> WithinCone:
        """Return the same in other coordinates: the cone is of all predictors."""
        return replace(self, method=self.method.for_outputs(factor, units))
