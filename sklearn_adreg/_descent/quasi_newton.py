"""Limited-memory quasi-Newton steps in coordinates that whiten the rows.

The metric is the Hessian of the rows, or of enough of them, in white coordinates; its
small eigenvalues are raised to a floor. Limited-memory BFGS [1]_ corrects it by what
the gradient did along the steps since. In a window, where curvatures come with the
slopes and few rows have any, the metric is made anew at each step.

References
----------
.. [1] D. C. Liu, J. Nocedal, "On the limited memory BFGS method for large scale
   optimization", Mathematical Programming, 1989.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from sklearn_adreg._descent.coordinates import Coordinates
from sklearn_adreg._descent.loop import Goal, Objective, State, Step
from sklearn_adreg._objective.curvature import usable
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._objective.semidefinite import Semidefinite

# Halves and doubles are of 40 fits of five losses, with and without an l1 penalty.
# Steps that are remembered (both: the same).
_REMEMBERED = 10
# Changes of the gradient at a smaller angle to the step are rounding (both: the same).
_CURVED = 1e-10
# Eigenvalues of the metric, relative to the mean curvature, are raised to a floor:
# Levenberg's damping, weaker by this factor where a whole step did, and stronger where
# less than half of one did (half and double: 2 % fewer and 4 % more steps; 3 and 1 %
# fewer; 2 and 1 % fewer). The weakest costs no more than is tolerated as far as the
# minimum may be.
_STRONGEST, _WEAKER, _PART = 0.3, 10.0, 0.5
# A metric with which steps do not halve is made anew: 2,311 steps in place of 3,879 on
# 150 losses with sharp bends.
_SLOW, _WATCHED = 0.5, 3
# Where a metric of some rows is slow as well, or was needed twice to judge an end, the
# next one is of so many times as many. With columns of high leverage counts of 200,000
# rows take 9 steps in place of 48 to a relative tolerance of 1e-6, and 15 in place of
# 495 to one of 1e-9.
_GROWTH = 4


class Memory(NamedTuple):
    """The metric, in white coordinates, and what was learned since it was made.

    `vectors` (None: the identity) and `values` are the eigenvectors and eigenvalues of
    the Hessian; its inverse has the factor vectors * `scale`. `pairs` are steps, the
    changes of the gradient along them and their products, in the factor's coordinates.
    `floor` is that of the next metric, `direction` the last step in the coordinates of
    the factor, and `length` what is left as it was last seen. `moments` are the second
    moments, in white coordinates, of the rows that stand for all, `times` as many as
    are enough at first. The metric is a Hessian if `newton`, `stale` if the next step
    makes another, and `judging` if an end has been judged by one already. It is
    `damped` where that costs more than is tolerated.
    """

    vectors: np.ndarray | None
    values: np.ndarray
    scale: np.ndarray
    floor: float
    length: float
    pairs: tuple[tuple[Any, Any, Any], ...] = ()
    direction: np.ndarray | None = None
    moments: np.ndarray | None = None
    times: int = 1
    newton: bool = False
    stale: bool = False
    judging: bool = False
    damped: bool = False

    def renewed(self, *, doubted: bool) -> Memory:
        """Have the metric made anew, of more rows where these are doubted."""
        if not doubted:
            return self._replace(stale=True)
        return self._replace(stale=True, times=_GROWTH * self.times, moments=None)


@dataclass(frozen=True)
class QuasiNewton:
    """Steps in white coordinates.

    `of_all` says that these whiten all rows: then what a Hessian of some of them lacks
    of their second moments is known.
    """

    coordinates: Coordinates
    of_all: bool

    def step(
        self,
        objective: Objective,
        penalty: Penalty,
        goal: Goal,
        state: State,
        memory: Memory | None,
    ) -> tuple[Step, Memory]:
        """Minimise the model at a state."""
        given = state.point.curvature is not None
        fresh = given or (memory is not None and memory.stale)
        if memory is None or fresh:
            # Coordinates of a sample are those of all rows roughly: its Hessian helps.
            newton = fresh or not self.of_all
            memory = self._metric(objective, penalty, goal, state, memory, newton)
        elif not self.coordinates.dense:
            # No Hessian is made in scaled columns: steps tell of their correlations.
            # Where these are strong, what is left may look too small, by the root of
            # the condition number at the most: nothing better is known of it.
            fresh = len(memory.pairs) >= _WATCHED
        slope = self.coordinates.gradient(state.gradient)
        step, memory = self.towards(goal, slope, memory, fresh=fresh)
        if given and not memory.damped:
            step = step._replace(end=state.theta + step.direction)
        return step, memory

    def towards(
        self, goal: Goal, slope: np.ndarray, memory: Memory, *, fresh: bool
    ) -> tuple[Step, Memory]:
        """Minimise the model that is remembered, with a slope by the unknowns."""
        steepness = float(np.linalg.norm(slope))
        along = slope if memory.vectors is None else memory.vectors.T @ slope
        # As far as the undamped metric leads, but not beyond what is known to be near.
        moves = np.minimum(np.abs(along) / memory.values, goal.reach)
        gap = float(np.abs(along) @ moves)
        found = _direction(memory, memory.scale * along)
        unknowns = memory.scale * found
        newton = fresh and self.coordinates.dense
        change = float(np.linalg.norm(moves if newton else unknowns))
        slow = (
            not fresh
            and len(memory.pairs) >= _WATCHED
            and change > _SLOW * memory.length
        )
        memory = memory._replace(direction=found, length=change)
        if slow:
            memory = memory.renewed(doubted=memory.newton)
        if memory.vectors is not None:
            unknowns = memory.vectors @ unknowns
        size = float(np.linalg.norm(unknowns))
        step = Step(
            self.coordinates.theta(unknowns),
            float(slope @ unknowns),
            change,
            gap,
            fresh,
            rate=size / steepness if steepness > 0 else 1.0,
        )
        return step, memory

    def for_outputs(self, factor: np.ndarray, units: np.ndarray) -> QuasiNewton:
        """Return the same for k predictors a row, scaled by a factor (k, q).

        Their metric is a Hessian from the first step on: the mean curvature alone does
        not tell how much they depend on each other where the descent will lead.
        """
        return QuasiNewton(self.coordinates.for_outputs(factor, units), False)

    def learn(self, memory: Memory, length: float, change: np.ndarray) -> Memory:
        """Take in how the gradient changed along a part of the last step."""
        if length >= 1:
            memory = memory._replace(floor=memory.floor / _WEAKER)
        elif length < _PART:
            floor = min(_WEAKER * memory.floor, _STRONGEST)
            memory = memory._replace(floor=floor)
        change = self.coordinates.gradient(change)
        if memory.vectors is not None:
            change = memory.vectors.T @ change
        assert memory.direction is not None
        change, step = memory.scale * change, length * memory.direction
        product = float(step @ change)
        if product <= _CURVED * np.linalg.norm(step) * np.linalg.norm(change):
            return memory
        pairs = (*memory.pairs, (step, change, product))[-_REMEMBERED:]
        return memory._replace(pairs=pairs)

    def renew(self, memory: Memory) -> Memory:
        """Make the metric anew with the next step."""
        return memory.renewed(doubted=memory.judging)._replace(judging=True)

    def _metric(
        self,
        objective: Objective,
        penalty: Penalty,
        goal: Goal,
        state: State,
        memory: Memory | None,
        newton: bool,
    ) -> Memory:
        """Take the metric from the rows' curvature here, or from its mean at first."""
        floor = _STRONGEST if memory is None else memory.floor
        times = 1 if memory is None else memory.times
        moments = None if memory is None else memory.moments
        # Fewer rows tell the mean curvature than tell a Hessian that is kept.
        some, bent = objective.curved(
            state.point, goal.curvature_bandwidth, goal.scale, times if newton else 0
        )
        mean = usable(bent.mean_curvature) or goal.curvature
        weakest = goal.weakest_damping(state.curve[-1], mean)
        floor = max(floor, min(weakest, _STRONGEST))
        if not self.coordinates.dense:
            return self._of_columns(penalty, mean, floor)
        ridge = self.coordinates.ridge(penalty.curvature)
        white = np.eye(len(ridge)) - ridge
        hessian = mean * white + ridge
        if newton:
            hessian = self._in_coordinates(some.hessian, bent) + ridge
        # In a window all curvature is known, if only few rows have any.
        sampled = some is not objective and state.point.curvature is None
        if newton and self.of_all and sampled:
            if moments is None:
                moments = self._in_coordinates(some.data.rows.gram, some.data.weight)
            # What some rows lack of the second moments of all is known.
            hessian += mean * (white - moments)
        if not np.isfinite(hessian).all():  # curvatures near the end of the float type
            hessian = mean * white + ridge
        values, vectors = _eigen(hessian)
        values, scale = _damped(values, floor * mean, weakest * mean)
        return Memory(
            vectors,
            values,
            scale,
            floor,
            np.inf,
            moments=moments,
            times=times,
            newton=newton,
            judging=memory is not None and memory.judging,
            damped=floor > weakest and bool((values < floor * mean).any()),
        )

    def _of_columns(self, penalty: Penalty, mean: float, floor: float) -> Memory:
        """Take the metric of scaled columns, which is diagonal."""
        ridge = penalty.curvature * self.coordinates.factor**2
        values = mean * self.coordinates.moments + ridge
        return Memory(None, values, 1 / np.sqrt(values), floor, np.inf)

    def _in_coordinates(self, second_moments: Any, weighting: Any) -> np.ndarray:
        """Second moments of the rows in white coordinates.

        Where it took two rounds to whiten X, the square of its condition number is
        beyond the float type, as squares of columns times a large curvature may be:
        they are then those of the rows times the factor.
        """
        if not self.coordinates.twice:
            found = second_moments(weighting)
            if np.isfinite(found).all():
                return self.coordinates.hessian(found)
        found = second_moments(weighting, factor=self.coordinates.factor)
        return self.coordinates.hessian_of_image(found)


def _eigen(hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors, of each block alone of a Hessian that has several.

    Predictors that losses do not couple have their own: ten levels of 100 columns take
    a hundredth of the operations.
    """
    if hessian.all():
        return _eigen_of_block(hessian)
    n_blocks, block = connected_components(csr_array(hessian != 0), directed=False)
    values, vectors = np.zeros(len(hessian)), np.zeros(hessian.shape)
    for number in range(n_blocks):
        index = np.flatnonzero(block == number)
        part = np.ix_(index, index)
        values[index], vectors[part] = _eigen_of_block(hessian[part])
    return values, vectors


def _eigen_of_block(hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors, small ones also where they would be rounding.

    One row of a likelihood may bend 1e20 times as much as all others: of 240 fits of a
    normal one to columns with heavy tails and a ridge 5 end by rounding, and 15 without
    this. They take 0.7 of the time.
    """
    values, vectors = np.linalg.eigh(hessian)
    rounding = len(values) * np.finfo(float).eps * values[-1:]
    if (values[:1] < rounding).any():  # of no unknowns there are none
        return Semidefinite(hessian).eigen()
    return values, vectors


def _damped(
    values: np.ndarray, damping: float, weakest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues above their rounding, and the scale of those that are raised."""
    raised = np.maximum(values, damping)
    least = np.finfo(float).eps * raised.max(initial=0.0)
    if weakest > 0:
        # One row may bend so much that all others are below the rounding of its
        # curvature: what they have to gain is not taken for nothing.
        least = min(least, weakest)
    return np.maximum(values, least), 1 / np.sqrt(raised)


def _direction(memory: Memory, gradient: np.ndarray) -> np.ndarray:
    """Minus the inverse Hessian times the gradient, in the factor's coordinates."""
    found, weights = gradient, []
    for step, change, product in reversed(memory.pairs):
        weights.append(step @ found / product)
        found = found - weights[-1] * change
    if memory.pairs:
        _, change, product = memory.pairs[-1]
        found = found * (product / (change @ change))
    for step, change, product in memory.pairs:
        found = found + (weights.pop() - change @ found / product) * step
    return -found
