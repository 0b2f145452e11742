"""Textbook descents of many step lengths on any loss, in the same passes over X.

Each candidate has its own columns of coefficients, all of which a block of rows is
multiplied with while it is in the cache. Candidates that have stopped are held where
they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._cv.spectrum import Candidates
from sklearn_adreg._descent.objective import Objective, objective_over_rows
from sklearn_adreg._loss.pointwise import LinearLoss, Pointwise
from sklearn_adreg._rows.device import DeviceDesign
from sklearn_adreg._rows.placing import beside
from sklearn_adreg._solve.textbook import LossRows


class BatchProblem(NamedTuple):
    """Data of the objective, and of each column when and how it steps.

    Columns go through the targets of each candidate in turn. `ridge` is zero for the
    intercept; `n_iter` is one number for each candidate.
    """

    data: Any
    epsilon: Any
    ridge: Any
    tol: Any
    scale: Any
    n_iter: Any


class BatchState(NamedTuple):
    """Where all descents stand, how many steps were taken, and who steps on."""

    coef: Any
    value: Any
    gradient: Any
    taken: Any
    active: Any


@dataclass(frozen=True)
class BatchStart:
    """The state after `taken` steps, at given coefficients."""

    objective: Objective

    def __call__(
        self, _xp: Any, problem: BatchProblem, coef: Any, taken: Any, active: Any
    ) -> BatchState:
        """Evaluate the objective, and see which of the active descents go on."""
        value, slope = self.objective.value_and_gradient(coef, problem.data)
        gradient = slope + problem.ridge * coef
        decrease = problem.epsilon * (gradient**2).sum(axis=0)
        errors = (decrease**0.5 / problem.scale).reshape(len(active), -1)
        far = (problem.tol == 0) | (errors.max(axis=1) > problem.tol)
        return BatchState(
            coef, value, gradient, taken, active & far & (taken < problem.n_iter)
        )


@dataclass(frozen=True)
class BatchStep:
    """coef <- coef - epsilon * gradient, for the descents that are active."""

    start: BatchStart

    def __call__(self, problem: BatchProblem, state: BatchState) -> BatchState:
        """Take a step."""
        n_targets = state.coef.shape[1] // len(state.active)
        moving = (state.active[:, None] & np.ones(n_targets, dtype=bool)).reshape(-1)
        step = problem.epsilon * state.gradient
        where = self.start.objective.array_namespace.where
        coef = where(moving, state.coef - step, state.coef)
        return self.start(None, problem, coef, state.taken + 1, state.active)


def _any_active(_problem: BatchProblem, state: BatchState) -> Any:
    return state.active.any()


@dataclass(frozen=True)
class Batch:
    """All candidates on the same rows."""

    rows: LossRows
    candidates: Candidates

    def descend(self, n_iter: np.ndarray, tol: float) -> np.ndarray:
        """Take at most `n_iter` steps; coefficients (n_candidates, n_targets, n)."""
        objective, problem, state = self._begin(n_iter, tol)
        state, _ = self._run(objective, problem, state, int(n_iter.max()))
        return self._by_candidate(state.coef)

    def path(self, max_iter: int) -> Iterator[np.ndarray]:
        """Yield the coefficients after 0, 1, ... steps."""
        n_iter = np.full(len(self.candidates.epsilon), max_iter)
        objective, problem, state = self._begin(n_iter, 0.0)
        yield self._by_candidate(state.coef)
        for _ in range(max_iter):
            state, _ = self._run(objective, problem, state, 1)
            yield self._by_candidate(state.coef)

    def diverged(self, coef: np.ndarray) -> np.ndarray:
        """Tell which candidates went uphill, or where the objective is not finite."""
        first = self._objectives(self.rows.start(None).T[None], np.zeros(1))
        with np.errstate(over="ignore", invalid="ignore"):
            last = self._objectives(coef, self.candidates.alpha)
        noise = 100 * np.finfo(self.rows.design.dtype).eps * np.abs(first)
        return ~(last <= first + noise)

    def intercepts(self, coef: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Split coefficients from intercepts, for X as it came."""
        mean = self.rows.design.mean
        if not self.rows.centred:
            return coef, -coef @ mean
        return coef[..., :-1], coef[..., -1] - coef[..., :-1] @ mean

    def _begin(self, n_iter: np.ndarray, tol: float) -> tuple[Objective, Any, Any]:
        rows, dtype = self.rows, self.rows.design.dtype
        n_candidates, n_targets = len(n_iter), rows.target.shape[1]
        target = np.tile(rows.target, (1, n_candidates))
        design = rows.design
        if isinstance(design, DeviceDesign):
            placed = beside(rows.backend, target, design.rows.X)
            design = replace(design, rows=design.rows._replace(target=placed))
        loss = LinearLoss(rows.loss)
        objective, data = objective_over_rows(
            design, target, loss, rows.backend, intercept=rows.centred
        )
        coef = np.tile(rows.start(None), (1, n_candidates)).astype(dtype)
        free = np.ones((len(coef), 1))
        free[len(coef) - rows.centred :] = 0.0
        problem = BatchProblem(
            data,
            np.repeat(self.candidates.epsilon, n_targets).astype(dtype),
            (free * np.repeat(self.candidates.alpha, n_targets)).astype(dtype),
            dtype.type(tol),
            np.tile(rows.scale(), n_candidates),
            n_iter.astype(dtype),
        )
        everyone = np.ones(n_candidates, dtype=bool)
        start = BatchStart(objective)
        state = objective.evaluate(start, problem, coef, dtype.type(0), everyone)
        return objective, problem, state

    def _run(self, objective: Objective, problem: Any, state: Any, limit: int) -> Any:
        step = BatchStep(BatchStart(objective))
        with np.errstate(over="ignore", invalid="ignore"):
            return objective.iterate(
                step, _any_active, problem, state, limit, lambda _values: None
            )

    def _by_candidate(self, coef: Any) -> np.ndarray:
        stacked = np.asarray(coef, dtype=np.float64).T
        n_targets = self.rows.target.shape[1]
        return stacked.reshape(-1, n_targets, stacked.shape[1])

    def _objectives(self, coef: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """Objective of each candidate, summed over the targets."""
        rows, dtype = self.rows, self.rows.design.dtype
        pointwise = Pointwise(LinearLoss(rows.loss), rows.backend)
        slopes, levels = coef, np.zeros(coef.shape[:2])
        if rows.centred:
            slopes, levels = coef[..., :-1], coef[..., -1]
        found = alpha / 2 * (slopes**2).sum(axis=(1, 2))
        for number, target in enumerate(np.ascontiguousarray(rows.target.T)):
            linear = rows.design.dot(slopes[:, number].T.astype(dtype))
            linear = linear + levels[:, number]
            for candidate, column in enumerate(linear.T.astype(dtype)):
                values = pointwise.values(target, np.ascontiguousarray(column))
                found[candidate] += rows.weights @ values
        return found
