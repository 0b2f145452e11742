"""Proximal Newton steps on a working set of columns, for losses with an l1 penalty.

A step minimises the quadratic that the gradient and the curvature of the rows give,
plus the penalty itself [1]_, over a working set [2]_: the entries that are not zero,
and those whose gradient is steep enough to move them. It leaves exact zeros. The rest
of X is read for its gradient alone, once a step.

The strengths of the model come down from those that hold most entries at zero,
threefold a step, where there are many columns: the working sets of weak penalties are
then grown from good ones.

The model is damped by second moments of the rows [3]_: a step costs in proportion to
the change of the linear predictors that it makes, whatever the units of the columns and
however they depend on each other. The curvature of squared error is the same
everywhere: its model is exact, and kept.

References
----------
.. [1] J. D. Lee, Y. Sun, M. A. Saunders, "Proximal Newton-type methods for minimizing
   composite functions", SIAM Journal on Optimization, 2014.
.. [2] M. Massias, A. Gramfort, J. Salmon, "Celer: a fast solver for the lasso with
   dual extrapolation", ICML, 2018.
.. [3] J. J. More, "The Levenberg-Marquardt algorithm: implementation and theory",
   Numerical Analysis, 1978.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._descent.coordinates import MAX_WHITENED
from sklearn_adreg._descent.loop import Goal, Objective, State, Step
from sklearn_adreg._objective.curvature import usable
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._objective.semidefinite import Semidefinite

# The smallest working set; larger ones are multiples of it, so that shapes recur, with
# room for so many times the entries that are not zero. With room for twice as many,
# lassos of 1,000 x 5,000 and 500 x 1,000 took 1.1 to 1.3 times as long.
_SMALLEST_SET, _ROOM = 128, 1.5
# How much weaker the penalty of the model may be than one that moves nothing more. Of
# 0.03, 0.1 and 0.3 the last is the fastest where many entries move: 0.5 to 0.9 times.
_WEAKENING = 0.3
# Damping relative to the mean curvature at first (half and double, of 40 fits of five
# losses: 1 % more steps, the same), and by how much it changes (half and double, of 63
# hard fits of nine losses: 1 and 3 % fewer steps, but one ends too early with double).
# Steps shorter than the last number say that the model reaches too far (half: the same,
# and one ends too early).
_FIRST_DAMPING, _DAMPING_FACTOR, _TOO_FAR = 1e-4, 10.0, 0.5
# The mean curvature of a window in which few rows bend is not less than this part of
# that of the window before (1e-2 and 1e-4, of the 63: the same).
_LEAST_CURVATURE = 1e-3
# Entries of a model that is made up where curvatures are near the end of floats.
_LARGEST = 1e150
# Gradients beyond their strengths by less, in units of rounding, do not move an entry
# (1e2 and 1e4, of the 63: the same).
_SLOPE_ROUNDING = 1e3


class _Memory(NamedTuple):
    """What is kept from step to step.

    `hessian` is that of the loss by the columns, `curvature` the mean of the rows',
    `bend` the last one that was seen,
    `moments` are the second moments of the columns and `damping` is the share of them
    that is added, relative to the curvature; at `weakest` it costs what is tolerated.
    A `renewed` model has the penalty as it is, and no stronger one, and all columns
    that matter, unless these are too many. The Hessian is `of_all` rows once those that
    stand for them have led too far.
    """

    columns: np.ndarray = np.zeros(0, dtype=np.intp)
    hessian: Semidefinite = Semidefinite(np.zeros((0, 0)))
    curvature: float = 0.0
    bend: float = 0.0
    moments: Semidefinite | None = None
    damping: float = _FIRST_DAMPING
    weakest: float = 0.0
    renewed: bool = False
    of_all: bool = False

    def widened(self) -> _Memory:
        """Return what is kept where all rows are asked from now on."""
        return self if self.of_all else self._replace(moments=None, of_all=True)

    @property
    def model(self) -> Semidefinite:
        """The damped Hessian."""
        if self.moments is None:
            return self.hessian
        return self.hessian.plus(self.damping * self.curvature, self.moments)


@dataclass(frozen=True)
class ProximalNewton:
    """Steps on working sets; `curvature` is that of the loss where it is constant.

    `whole` is the mean loss of all rows, whichever of them an objective moves: their
    second moments damp. `known` are columns, and the Hessian of squared error by them,
    where these have been found before.
    """

    whole: MeanLoss
    curvature: float | None = None
    known: tuple[np.ndarray, np.ndarray] | None = None

    def step(
        self,
        objective: Objective,
        penalty: Penalty,
        goal: Goal,
        state: State,
        memory: _Memory | None,
    ) -> tuple[Step, _Memory]:
        """Minimise a model of the objective here, on the columns that matter."""
        if memory is None:
            memory = self._first(goal)
        columns, complete = _working_set(penalty, goal, state, memory)
        stronger = 1.0 if memory.renewed else _stronger(penalty, state)
        memory = self._modelled(objective, goal, state, columns, memory)
        hessian = memory.model
        found, above = _minimum(penalty, state, columns, hessian, stronger)
        if above == np.inf and stronger == 1 and not memory.of_all:
            memory = memory.widened()
            memory = self._modelled(objective, goal, state, columns, memory)
            hessian = memory.model
            found, above = _minimum(penalty, state, columns, hessian, stronger)
        end = state.theta.copy()
        end[columns] = found
        direction = end - state.theta
        slope = penalty.slope_from(state.gradient, state.theta, direction)
        change = np.sqrt(hessian.square(direction[columns]) / memory.curvature)
        gap = max(-slope, 0.0) + above if complete else np.inf
        local = bool(self.curvature or objective.bandwidth) or memory.renewed
        fresh = gap < np.inf and local and memory.damping == memory.weakest
        return Step(direction, slope, change, gap, fresh, end), memory

    def for_outputs(
        self,
        factor: np.ndarray,  # noqa: ARG002  a penalty has its corners in theta's own
        units: np.ndarray,
    ) -> ProximalNewton:
        """Return the same for k predictors a row, in their units (k,)."""
        return replace(self, whole=self.whole.at_units(units))

    def learn(self, memory: _Memory, length: float, change: Any) -> _Memory:  # noqa: ARG002
        """Damp less after a whole step, and more after a short one."""
        damping = memory.damping
        if length >= 1:
            damping /= _DAMPING_FACTOR
        elif length < _TOO_FAR:
            memory = memory.widened()
            damping *= _DAMPING_FACTOR
        return memory._replace(damping=damping, renewed=False)

    def _first(self, goal: Goal) -> _Memory:
        """Remember the Hessian of squared error where it is known."""
        if self.known is None:
            return _Memory()
        assert self.curvature is not None
        columns, matrix = self.known
        return _Memory(columns, self._squared(goal, columns, matrix), self.curvature)

    def _kept(self, goal: Goal, columns: np.ndarray, memory: _Memory) -> _Memory:
        """Return the Hessian of squared error, made where these columns have none."""
        hessian, curvature = memory.hessian, self.curvature
        assert curvature is not None
        if not np.array_equal(columns, memory.columns):
            hessian = self._squared(goal, columns)
        return memory._replace(
            columns=columns, hessian=hessian, curvature=curvature, damping=0.0
        )

    def _squared(
        self, goal: Goal, columns: np.ndarray, matrix: np.ndarray | None = None
    ) -> Semidefinite:
        """Hessian of squared error, which may be known."""
        rows, _, weight, *_ = self.whole.data

        def made_of(factor: np.ndarray | None) -> np.ndarray:
            return self.curvature * rows.gram(weight, columns, factor)

        matrix = made_of(None) if matrix is None else matrix
        return Semidefinite(matrix, goal.eps, made_of)

    def renew(self, memory: _Memory) -> _Memory:
        """Damp as little as may be, and hold no column back."""
        return memory._replace(damping=0.0, renewed=True)

    def _modelled(
        self,
        objective: Objective,
        goal: Goal,
        state: State,
        columns: np.ndarray,
        memory: _Memory,
    ) -> _Memory:
        """Return the Hessian by these columns, and how it is damped."""
        if self.curvature is not None:
            return self._kept(goal, columns, memory)
        # So many times as many as are enough are all of them.
        times = self.whole.data.rows.shape[0] if memory.of_all else 0
        moments = self._moments_of(goal, columns, memory, times)
        # Steps are safer with a curvature from around, but it is not what rows show
        # here: where a squared hinge is flat an l1 penalty could gain all that is left.
        widest = 0.0 if memory.renewed else goal.scale
        seen, bent = objective.curved(
            state.point, goal.curvature_bandwidth, widest, times
        )
        made_of = partial(seen.hessian, bent, columns)
        hessian = Semidefinite(made_of(), goal.eps, seen.rounds(made_of))
        mean = usable(bent.mean_curvature)
        bend = mean or memory.bend
        curvature = max(mean, _LEAST_CURVATURE * memory.bend) or goal.curvature
        with_damping = hessian.matrix + memory.damping * curvature * moments.matrix
        if not np.isfinite(with_damping).all():  # curvatures near where floats end
            curvature = min(curvature, _LARGEST / float(np.diag(moments.matrix).max()))
            hessian = Semidefinite(curvature * moments.matrix, goal.eps)
        weakest = goal.weakest_damping(state.curve[-1], curvature)
        return memory._replace(
            columns=columns,
            hessian=hessian,
            curvature=curvature,
            bend=bend,
            moments=moments,
            damping=max(memory.damping, weakest),
            weakest=weakest,
        )

    def _moments_of(
        self, goal: Goal, columns: np.ndarray, memory: _Memory, times: int
    ) -> Semidefinite:
        """Second moments of the columns, made once."""
        if memory.moments is not None and np.array_equal(columns, memory.columns):
            return memory.moments
        if len(columns) < self.whole.data.rows.shape[1]:
            return self._second_moments(goal.eps, columns, times)
        if times not in self._made:
            self._made[times] = self._second_moments(goal.eps, columns, times)
        return self._made[times]

    def _second_moments(
        self, eps: float, columns: np.ndarray, times: int
    ) -> Semidefinite:
        made_of = partial(self.whole.second_moments, columns, times=times)
        return Semidefinite(made_of(), eps, self.whole.rounds(made_of))

    @cached_property
    def _made(self) -> dict[int, Semidefinite]:
        return {}


def _working_set(
    penalty: Penalty, goal: Goal, state: State, memory: _Memory
) -> tuple[np.ndarray, bool]:
    """Columns to step along, and whether they are all that matter here."""
    noise = _SLOPE_ROUNDING * goal.eps * penalty.steepness(state.gradient)
    excess = penalty.excess(state.gradient, state.theta)
    n_moving = np.count_nonzero(excess == np.inf)
    n_needed = np.count_nonzero(excess > noise)
    if np.count_nonzero(excess[memory.columns] > noise) == n_needed:
        return memory.columns, True
    n_columns = len(state.theta)
    n_sets = max(1, int(np.ceil(_ROOM * n_moving / _SMALLEST_SET)))
    size = n_sets * _SMALLEST_SET
    if memory.renewed and n_needed <= MAX_WHITENED:
        size = max(size, int(n_needed))
    size = min(size, n_columns)
    steepest = np.argpartition(-excess, size - 1)[:size]
    return np.sort(steepest), bool(n_needed <= size)


def _minimum(
    penalty: Penalty,
    state: State,
    columns: np.ndarray,
    hessian: Semidefinite,
    stronger: float,
) -> tuple[np.ndarray, float]:
    """Minimum of the model on some columns, and how far above it may be.

    That is infinite where the penalty was too strong.

    A stronger penalty is kept only if its minimum lowers the model with the right one.
    """
    start, part = state.theta[columns], penalty.columns(columns)
    slope = state.gradient[columns] - part.gradient(start)
    if stronger > 1:
        found, _ = part.strengthened(stronger).minimum(hessian, slope, start)
        move = found - start
        smooth = float(move @ slope + hessian.square(move) / 2)
        if smooth + part.value(found) < part.value(start):
            return found, np.inf
    return part.minimum(hessian, slope, start)


def _stronger(penalty: Penalty, state: State) -> float:
    """How many times as strong as it is the penalty of the model is to be."""
    if len(state.theta) <= _SMALLEST_SET:
        return 1.0
    return max(1.0, _WEAKENING * penalty.excess_ratio(state.gradient, state.theta))
