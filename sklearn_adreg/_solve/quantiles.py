"""Several quantiles at once: each by itself first, and together where they cross.

Quantiles of neighbouring levels must not cross on the training rows: z_j <= z_{j + 1}.
The nearest planes that do not are the start: where they cost no more than separate ones
but for what is tolerated, they are the end as well. If not, steps stay in the cone of
the rows where planes were near each other. The optimum in it is a lower bound of that
in the cone of all rows: rows that cross then join, until putting planes in order costs
no more than is tolerated above the bound.

A penalty with corners, and columns too many to be whitened, have no such steps. There
a hinge on each difference, s max(z_j - z_{j + 1}, 0), holds planes apart: where s is
above the multipliers of the constraints, the optimum with the hinges is the constrained
one [1]_, and a lower bound of it before. Multipliers are not known before, and are
large on few rows, those of the hull: s becomes larger until the bound is close.

References
----------
.. [1] J. Nocedal, S. J. Wright, "Numerical Optimization", second edition, Springer,
   2006, section 17.2 (exact penalty functions).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._descent.cone import Cone, WithinCone
from sklearn_adreg._descent.continuation import narrow
from sklearn_adreg._descent.loop import (
    SIZE_SHARE,
    Goal,
    Method,
    Solution,
    State,
    begin,
)
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._rows.parts import PartRows
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._solve.prepare import Prepared, way
from sklearn_adreg._solve.problem import descend
from sklearn_adreg._solve.start import units
from sklearn_adreg._solve.targets import side_by_side
from sklearn_adreg._solve.task import Fit, Task
from sklearn_adreg.losses import Pinball, Quantiles

# What a row holds apart are errors of planes of n rows, which shrink like 1 / root n:
# hinges are as strong as root n at first. By how much they grow, and how often they
# may.
_STRONGER, _MOST_STRENGTHS = 10.0, 8
# How much less exactly than `tol` planes that are held apart are found: windows may
# hide far more of strong hinges than they do. Ten levels of 100,000 rows take half the
# time.
_LOOSER = 10.0
# Planes are lifted apart by this, in units of rounding of the largest prediction.
_APART = 4.0
# So many times as far as planes were put in order is further than they have to move, as
# a root mean square (of ten levels of 100,000 rows with hinges, 0.5 and 10 in its place
# take two and four times as long).
_WAYS = 3.0
# Rows that cross once others are in order join so many times, unless what is left is
# this part of the deepest crossing: then planes are lifted by it.
_MOST_REPEATS, _LEFT = 30, 1e-3


@dataclass(frozen=True)
class _Parts:
    """Parts of rows: up * e for errors e = y - z above zero, and down * -e below."""

    def __call__(self, y_true: Any, z: Any, *, up: Any, down: Any) -> Any:
        error = y_true - z
        return error * (up - (up + down) * (error < 0))


class _Order(NamedTuple):
    """Theta whose planes do not cross, how far it has moved, and the deepest crossing.

    The way is a root mean square of the linear predictors, of all levels together.
    """

    theta: np.ndarray
    way: float
    deepest: float


class _Joint(NamedTuple):
    """All levels of all rows together; `prepared` has coordinates for all of theta."""

    task: Task
    fit: Fit
    prepared: Prepared
    method: Callable[..., Method]

    @property
    def loss(self) -> Quantiles:
        """The levels."""
        assert isinstance(self.task.loss, Quantiles)
        return self.task.loss

    def objective(self, strength: float) -> MeanLoss:
        """Return the mean loss of the parts of rows, with hinges of any strength."""
        rows, _, weight, *_ = self.prepared.data
        levels = np.array(self.loss.levels, dtype=np.float64)
        level = np.eye(len(levels))
        hinges = level[:-1] - level[1:] if strength > 0 else level[:0]
        parts, nothing = np.concatenate([level, hinges]), np.zeros(len(hinges))
        # Weights sum to one over all parts: losses are so many times as large.
        times = len(parts)
        up = times * np.concatenate([levels, nothing])
        down = times * np.concatenate([1 - levels, nothing + strength])
        has_target = np.concatenate([np.ones(len(level)), nothing])
        every = np.ones(rows.shape[0])
        split = PartRows(rows, parts)
        target, weight, up, down = (
            split.vector(np.outer(of_row, of_part).reshape(-1))
            for of_row, of_part in (
                (self.fit.y[:, 0], has_target),
                (weight, np.full(times, 1 / times)),
                (every, up),
                (every, down),
            )
        )
        parts_loss: Any = _Parts()
        loss = LinearLoss.of(parts_loss, ("up", "down"))
        data = Data(split, target, weight, None, (up, down))
        return MeanLoss(data, loss, self.task.backend)

    @property
    def penalty(self) -> Penalty:
        """Penalty of theta as one vector."""
        n_columns = self.prepared.data.rows.shape[1]
        return self.task.penalty(n_columns - self.task.intercept)

    @property
    def strengths(self) -> np.ndarray:
        """Strengths of hinges, of each attempt; zero where none are needed."""
        grown = _STRONGER ** np.arange(_MOST_STRENGTHS)
        n_rows = self.prepared.data.rows.shape[0]
        return (0.0 if self.in_cone else np.sqrt(n_rows)) * grown

    @property
    def in_cone(self) -> bool:
        """Whether steps can stay where planes do not cross."""
        coordinates = self.prepared.coordinates
        return coordinates is not None and coordinates.dense

    def descend(
        self, theta: np.ndarray, strength: float, near: float, held: np.ndarray
    ) -> State:
        """Descend from theta, with an estimate of how far it has to move.

        The differences that are `held`, (n_rows, n_levels - 1), stay positive, or have
        hinges.
        """
        objective, (goal, spread) = self.objective(strength), self.units(theta)
        method: Any = self.method(self.fit, self.prepared, objective)
        point = objective.point(objective.linear_predictor(theta))
        return narrow(
            WithinCone(method, self._cone(held)) if self.in_cone else method,
            objective,
            self.penalty,
            goal,
            begin(self.penalty, theta, point),
            spread=spread,
            near=near,
            straight=True,
        )

    def in_order(self, theta: np.ndarray) -> _Order:
        """Return planes that do not cross, the nearest ones but for what is lifted."""
        coordinates = self.prepared.coordinates
        crossed, found, way, deepest = None, theta, 0.0, 0.0
        for _ in range(_MOST_REPEATS):
            gaps, rounding = self.gaps(found)
            missing = np.maximum(rounding - gaps.min(axis=0), 0.0)
            deepest = max(deepest, float(missing.max()))
            left = max(_LEFT * deepest, 2 * rounding)
            if coordinates is None or not self.in_cone or missing.max() <= left:
                break
            crossed = gaps < 0 if crossed is None else crossed | (gaps < 0)
            found, way = self._cone(crossed).nearest(theta, coordinates)
        way = way if self.in_cone else deepest
        columns = found.reshape(-1, self.fit.n_outputs).copy()
        heights = np.concatenate([[0.0], np.cumsum(missing)])
        columns[-1] += heights - np.median(heights)
        return _Order(columns.reshape(-1), way, deepest)

    def gaps(self, theta: np.ndarray) -> tuple[np.ndarray, float]:
        """Differences of neighbouring planes in the rows, and what is none in these.

        (n_rows, n_levels - 1); where rows have no weight, they are infinite.
        """
        rows, _, weight, *_ = self.prepared.data
        linear = rows.numpy(rows.matvec(theta.reshape(-1, self.fit.n_outputs)))
        counted = rows.numpy(weight) > 0
        gaps = np.where(counted[:, None], np.diff(linear, axis=1), np.inf)
        largest = np.abs(linear[counted]).max()
        return gaps, _APART * float(np.finfo(rows.dtype).eps * largest)

    def _cone(self, held: np.ndarray) -> Cone:
        index, coordinates = np.flatnonzero(held.any(axis=1)), self.prepared.coordinates
        assert coordinates is not None
        rows, _ = self.prepared.data.rows.take(index)
        return Cone(rows, held[index], coordinates.factor)

    def value(self, theta: np.ndarray) -> float:
        """Objective at theta whose planes do not cross."""
        data, task = self.prepared.data, self.task
        target = data.rows.vector(self.fit.y[:, 0])
        loss = LinearLoss.of(replace(self.loss, crossing=True))
        objective = MeanLoss(
            data._replace(target=target), loss, task.backend, units=task.units
        )
        linear = objective.linear_predictor(theta)
        return float(objective.value(linear) + self.penalty.value(theta))

    def units(self, theta: np.ndarray) -> tuple[Goal, float]:
        """When to stop, and the median residual of the middle level."""
        task, data = self.task, self.prepared.data
        target = data.rows.vector(self.fit.y[:, 0])
        middle = MeanLoss(
            data._replace(target=target), LinearLoss.of(Pinball(0.5)), task.backend
        )
        columns = theta.reshape(-1, self.fit.n_outputs)
        level = np.ascontiguousarray(columns[:, self.fit.n_outputs // 2])
        point = middle.point(middle.linear_predictor(level))
        scale, size, spread = units(middle, point, linked=False)
        size, eps = (
            SIZE_SHARE * size * self.fit.n_outputs,
            np.finfo(data.rows.dtype).eps,
        )
        report = self.fit.report
        tol = _LOOSER * task.tol
        goal = Goal(tol, task.max_iter, scale, size, scale, float(eps), report)
        return goal, spread


def solve_quantiles(task: Task, fit: Fit) -> Solution:
    """Descend for each level, and for all together where they cross."""
    loss = task.loss
    assert isinstance(loss, Quantiles)
    if not (loss.crossing or task.intercept):
        raise ValueError(
            "Quantiles with crossing=False must have an intercept: planes through one "
            "point cross there. Got fit_intercept=False instead. Set it to True, or "
            "allow for it with Quantiles(levels, crossing=True)."
        )
    fit = _less_offset(loss, fit)
    prepare, method = way(task)
    prepared = prepare(task, fit, by_sample=True)
    # The ridge is in the coordinates: levels that differ by it have their own.
    shared = prepared if np.ndim(task.alpha) < 2 else None
    solution = side_by_side(
        [
            descend(*_of_level(task, fit, number), shared, windows=True)
            for number in range(fit.n_outputs)
        ]
    )
    if loss.crossing:
        return solution
    if task.device is not None:  # what crosses is few rows, for host memory
        task = replace(task, device=None)
        prepared = prepare(task, fit, by_sample=True)
    coordinates = prepared.coordinates
    if coordinates is not None:
        k = fit.n_outputs
        coordinates = coordinates.for_outputs(np.eye(k), np.ones(k))
    prepared = prepared._replace(coordinates=coordinates, of_all=False)
    return _held_apart(_Joint(task, fit, prepared, method), solution)


def _less_offset(loss: Quantiles, fit: Fit) -> Fit:
    """Subtract from the targets an offset that all levels have."""
    offset = fit.offset
    if offset is None:
        return fit
    if (offset == offset[:, :1]).all():
        return fit._replace(y=fit.y - offset[:, :1], offset=None)
    if loss.crossing:
        return fit
    raise ValueError(
        "The offset must be the same for all levels of Quantiles with crossing=False, "
        "which hold planes apart. Got columns that differ instead. Pass one column, "
        "or allow for crossing with Quantiles(levels, crossing=True)."
    )


def _of_level(task: Task, fit: Fit, number: int) -> tuple[Task, Fit]:
    """Return what is to be minimised for one level alone."""
    loss = task.loss
    assert isinstance(loss, Quantiles)
    level = Pinball(float(loss.levels[number]))
    alone = replace(task.of_part(number), loss=level, n_outputs=1)
    return alone, fit.of_column(number)


def _held_apart(joint: _Joint, solution: Solution) -> Solution:
    """Descend with more rows held, or stronger hinges, until order costs nothing."""
    task, rows = joint.task, joint.prepared.data.rows
    theta = rows.inner(solution.coef, solution.intercept).reshape(-1)
    curve, error, least = (
        [*solution.loss_curve],
        solution.error,
        solution.loss_curve[-1],
    )
    order, (gaps, rounding) = joint.in_order(theta), joint.gaps(theta)
    value, held = joint.value(order.theta), gaps < -rounding
    goal, _ = joint.units(theta)
    for strength in joint.strengths:
        # Order that was lost by rounding alone costs no more than that.
        if goal.relative(value - least, value) <= goal.tol or not held.any():
            break
        held |= joint.gaps(order.theta)[0] <= order.deepest
        start = order.theta if joint.in_cone else theta
        state = joint.descend(start, strength, _WAYS * order.way, held)
        theta, least, error = state.theta, state.curve[-1], state.error / _LOOSER
        curve.extend(state.curve[1:])
        order = joint.in_order(theta)
        value = joint.value(order.theta)
    if held.any():  # what order still costs
        error = max(error, goal.relative(value - least, value) / _LOOSER)
    coef, intercept = rows.outer(order.theta.reshape(-1, joint.fit.n_outputs))
    curve[-1] = value
    return solution._replace(
        coef=coef,
        intercept=intercept,
        loss_curve=np.array(curve[-task.max_iter - 1 :]),
        error=error,
    )
