"""One split of a search on any loss: all candidates take the textbook's steps together.

Each candidate has its own columns of coefficients, all of which a block of rows is
multiplied with while it is in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._cv.candidates import Candidates
from sklearn_adreg._cv.folds import Ends, Split, placed, shares, some_rows
from sklearn_adreg._descent.textbook import (
    Run,
    State,
    constant_theta,
    largest_eigenvalue,
    stable_epsilon,
    stable_epsilon_of_loss,
    target_scale,
    textbook,
    unreported,
    uphill,
)
from sklearn_adreg._loss.check import check_loss
from sklearn_adreg._loss.linear import LinearLoss, predicted
from sklearn_adreg._loss.traits import traits_of
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._objective.quadratic import curvature_of
from sklearn_adreg._rows.rows import Data, Rows
from sklearn_adreg.losses import Loss, SquaredError

# Targets of one batch of candidates: 128 MB.
_BATCH_TARGETS = 1 << 24


class SteppedProblem(NamedTuple):
    """What `ClosedFormProblem` offers, for a loss whose descents have no closed form.

    `where` is what `place` is told; targets of the data are as they came. Ends are
    (..., n_targets, n_features + 1): coefficients for X as it came, and the intercept
    after them.
    """

    split: Split
    loss: Loss
    linked: bool
    where: dict[str, Any]

    @property
    def squared(self) -> bool:
        """Whether the intercept is at its optimum, whatever the coefficients are."""
        return self.loss == SquaredError()

    def descend(
        self, data: Data, candidates: Candidates, n_iter: np.ndarray, tol: float
    ) -> Iterator[Ends]:
        """Let each candidate stop, after `n_iter` steps, (n_candidates,), at most."""
        for where, rows, run, start in self._begun(data, candidates, n_iter, tol):
            state, _ = run(start, int(n_iter.max()), unreported)
            yield where, *_ended(rows, start, state)

    def path(self, data: Data, candidates: Candidates, max_iter: int) -> Iterator[Ends]:
        """Take 0, 1, ... steps with each candidate."""
        n_iter = np.full(len(candidates.epsilon), max_iter)
        for where, rows, run, start in self._begun(data, candidates, n_iter, 0.0):
            state = start
            yield (where, 0), *_ended(rows, start, state)
            for n_steps in range(1, max_iter + 1):
                state, _ = run(state, 1, unreported)
                yield (where, n_steps), *_ended(rows, start, state)

    def coefficients(
        self, _data: Data, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (n, n_targets, n_features) and intercepts (n, n_targets)."""
        return ends[..., :-1], ends[..., -1]

    def mean_squared_errors(self, data: Data, ends: np.ndarray) -> np.ndarray:
        """Of predictions for the held-out rows, (n, n_targets)."""
        test = some_rows(data, self.split[1])
        coef = ends[..., :-1].reshape(-1, ends.shape[2] - 1)
        linear = (test.rows.X @ coef.T).reshape(len(test.target), *ends.shape[:2])
        linear = linear + ends[..., -1]
        residuals = test.target[:, None] - predicted(self.loss, linear)
        return np.average(residuals**2, axis=0, weights=shares(test.weight))

    def max_epsilon(self, data: Data, ridge: float) -> float:
        """Estimate the largest stable step, from the curvature at the start."""
        start = self._start(data)
        if not self.squared:
            return stable_epsilon_of_loss(*start, ridge)
        largest = largest_eigenvalue(start[0].data, intercept=False)
        curvature = curvature_of(self.loss, self.where["backend"], data.rows.dtype)
        return stable_epsilon(curvature * largest + ridge)

    def _start(self, data: Data) -> tuple[MeanLoss, np.ndarray, np.ndarray]:
        """Place the training rows; theta, and the scale of the targets."""
        train = some_rows(data, self.split[0])
        found, _ = placed(train, train.target, self.where, measure=False)
        loss = LinearLoss.of(self.loss)
        objective = MeanLoss(found, loss, self.where["backend"])
        theta = constant_theta(objective, linked=self.linked)
        return objective, theta, target_scale(found, linked=self.linked)

    def _begun(
        self, data: Data, candidates: Candidates, n_iter: np.ndarray, tol: float
    ) -> Iterator[tuple[slice, Rows, Run, State]]:
        """Descents at their start, with as many candidates at a time as fit."""
        objective, theta, scale = self._start(data)
        rows, target = objective.data.rows, objective.data.target
        target, (n_columns, n_targets) = rows.numpy(target), theta.shape
        free = np.ones((n_columns, 1))
        free[n_columns - rows.intercept :] = 0.0
        length = max(1, _BATCH_TARGETS // target.size)
        for first in range(0, len(n_iter), length):
            where = slice(first, first + length)
            n_candidates = len(n_iter[where])
            tiled = rows.vector(np.tile(target, (1, n_candidates)))
            ridge = free * np.repeat(candidates.alpha[where], n_targets)
            run, start = textbook(
                replace(objective, data=objective.data._replace(target=tiled)),
                objective.backend,
                Penalty(np.zeros((n_columns, 1)), ridge),
                np.tile(theta, (1, n_candidates)),
                epsilon=np.repeat(candidates.epsilon[where], n_targets),
                scale=np.tile(scale, n_candidates),
                tol=tol,
                n_iter=n_iter[where],
                fixed_intercept=self.squared and rows.intercept,
            )
            yield where, rows, run, start


def stepped_problems(
    data: Data,
    splits: Sequence[Split],
    loss: Loss,
    where: dict[str, Any],
    ridge: float,
) -> tuple[list[SteppedProblem], float, float]:
    """Set up each split; the largest stable step on these, and on all rows."""
    counted = data.target[data.weight > 0]
    check_loss(loss, where["backend"], counted)
    linked = traits_of(loss, where["backend"], counted).linked
    problems = [SteppedProblem(split, loss, linked, where) for split in splits]
    everything = np.arange(len(data.target))
    whole = SteppedProblem((everything, everything), loss, linked, where)
    on_splits = min(each.max_epsilon(data, ridge) for each in problems)
    return problems, on_splits, whole.max_epsilon(data, ridge)


def _ended(rows: Rows, start: State, state: State) -> tuple[np.ndarray, np.ndarray]:
    """Tell which candidates went uphill, and where all of them are."""
    n_candidates = len(state.active)
    coef, level = rows.outer(np.asarray(state.theta, dtype=np.float64))
    ends = np.concatenate([coef, level[None]]).T
    first, last = (
        np.asarray(each.values, dtype=np.float64).reshape(n_candidates, -1).sum(axis=1)
        for each in (start, state)
    )
    diverged = uphill(first, last, first, rows.dtype)
    return diverged, ends.reshape(n_candidates, -1, len(ends[0]))
