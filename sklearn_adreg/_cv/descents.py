"""Descents of all candidates on the training rows of one split, side by side.

On squared error they are in closed form: second moments, which all splits share one
pass over X for, tell where any step length leads in any number of steps. On other
losses all candidates take the textbook's steps together: each has its own columns of
coefficients, all of which a block of rows is multiplied with while it is in the cache.

Wherever the training rows are and whatever their mean is, descents end at theta of the
data's rows, (p, ..., n_targets): with it all that is scored is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._cv.folds import (
    Split,
    fold_moments,
    in_span,
    placed,
    some_rows,
)
from sklearn_adreg._descent.closed_form import (
    Spectrum,
    descend,
    spectrum_of_moments,
    steps_to,
)
from sklearn_adreg._descent.textbook import (
    BatchState,
    Run,
    largest_curvature,
    stable_epsilon,
    stable_epsilon_of_loss,
    target_scale,
    textbook,
    unreported,
    uphill,
)
from sklearn_adreg._loss.check import checked_traits
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._loss.traits import Traits
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._objective.quadratic import curvature_of
from sklearn_adreg._rows.moments import Moments
from sklearn_adreg._rows.place import check_distances, check_target
from sklearn_adreg._rows.rows import Data, Rows
from sklearn_adreg._solve.scale import estimated_scale
from sklearn_adreg._solve.start import constant_start
from sklearn_adreg._solve.task import Fit, Task
from sklearn_adreg._validation import checked_alpha, shares
from sklearn_adreg.losses import SquaredError
from sklearn_adreg.losses._base import is_estimated

# Some of the candidates, or of their numbers of steps; which of these diverged; and
# theta where they ended.
Ends = tuple[Any, np.ndarray, np.ndarray]

# Numbers of one chunk of candidates in closed form, 8 MB: from 2^18 to 2^24 of them
# searches take the same time.
_CHUNK_NUMBERS = 1 << 20
# Targets of one batch of candidates that step: 128 MB.
_BATCH_TARGETS = 1 << 24


class Candidates(NamedTuple):
    """Step lengths and penalties, and the parameters of `GradientDescentRegressor`.

    There is one of each for each candidate: of the penalties the number in `alphas`,
    which are (n_alphas, n_targets or 1, n_features or 1).
    """

    epsilon: np.ndarray
    penalty: np.ndarray
    alphas: np.ndarray
    params: list[dict[str, Any]]

    @property
    def alpha(self) -> np.ndarray:
        """Penalties that are even, (n_candidates,)."""
        return self.alphas[self.penalty, 0, 0]

    def ridge(self, where: slice, n_targets: int, n_features: int) -> np.ndarray:
        """Ridge of some candidates, (n_features, n_candidates * n_targets)."""
        strengths = self.alphas[self.penalty[where]]
        shape = len(strengths), n_targets, n_features
        return np.broadcast_to(strengths, shape).reshape(-1, n_features).T

    def with_n_iter(self, n_iter: np.ndarray) -> Candidates:
        """Let each candidate take exactly so many steps."""
        params = [
            candidate | {"max_iter": int(steps), "tol": 0.0}
            for candidate, steps in zip(self.params, n_iter, strict=True)
        ]
        return self._replace(params=params)


class ClosedForm(NamedTuple):
    """Descents on squared error, in the eigenbasis of the training rows.

    All models go through the means of rows and targets, `mean` and `target_mean`.
    """

    spectrum: Spectrum
    mean: np.ndarray
    target_mean: np.ndarray

    @classmethod
    def of(cls, moments: Moments, curvature: float) -> ClosedForm:
        """Descend on training rows with these moments."""
        spectrum = spectrum_of_moments(moments, curvature)
        return cls(spectrum, moments.mean, moments.target_mean)

    def stop(
        self, data: Data, candidates: Candidates, n_iter: np.ndarray, tol: float
    ) -> Iterator[Ends]:
        """Let each candidate stop, after `n_iter` steps, (n_candidates,), at most."""
        epsilon, alpha = candidates.epsilon, candidates.alpha
        n_iter = steps_to(self.spectrum, epsilon, alpha, max_iter=n_iter, tol=tol)
        for where, diverged, theta in self._ends(data, candidates, n_iter[:, None]):
            yield where, diverged[:, 0], theta[:, :, 0]

    def path(self, data: Data, candidates: Candidates, max_iter: int) -> Iterator[Ends]:
        """Take 0, 1, ... steps with each candidate."""
        n_iter = np.tile(np.arange(max_iter + 1), (len(candidates.epsilon), 1))
        return self._ends(data, candidates, n_iter)

    def _ends(
        self, data: Data, candidates: Candidates, n_iter: np.ndarray
    ) -> Iterator[Ends]:
        """Take numbers of steps, (n_candidates, n_numbers), with some at a time."""
        size = n_iter.shape[1] * self.spectrum.parts.size
        length = max(1, _CHUNK_NUMBERS // size)
        for start in range(0, len(n_iter), length):
            where = slice(start, start + length)
            epsilon = candidates.epsilon[where, None]
            alpha = candidates.alpha[where, None]
            # What overflows has diverged, and is scored NaN.
            with np.errstate(over="ignore", invalid="ignore"):
                parts, diverged = descend(
                    self.spectrum, epsilon, alpha, n_iter[where], data.rows.dtype
                )
                theta = np.empty((len(self.mean) + 1, *parts.shape[:-1]))
                coef = theta[:-1].reshape(len(self.mean), -1)
                np.matmul(
                    self.spectrum.basis, parts.reshape(len(coef[0]), -1).T, out=coef
                )
                through = (self.mean @ coef).reshape(parts.shape[:-1])
                theta[-1] = self.target_mean - through
            yield where, diverged, theta


class StepByStep(NamedTuple):
    """Descents on any loss, from the best constant of the training rows.

    `train` are the numbers of these, which are placed when they are needed, and `where`
    is what `place` is told. `scales` has the scale of each target, (n_targets,), for
    each penalty, where the loss leaves it to be estimated: descents are in units of it.
    A loss of several outputs has their `units`, and theta of all of them is one column.
    """

    train: np.ndarray
    loss: LinearLoss
    traits: Traits
    where: dict[str, Any]
    scales: list[np.ndarray]
    units: tuple[float, ...] | None = None

    @property
    def squared(self) -> bool:
        """Whether the intercept is at its optimum, whatever the coefficients are."""
        return bool(self.loss.loss == SquaredError())

    def stop(
        self, data: Data, candidates: Candidates, n_iter: np.ndarray, tol: float
    ) -> Iterator[Ends]:
        """Let each candidate stop, after `n_iter` steps, (n_candidates,), at most."""
        for where, end, run, start in self._begun(data, candidates, n_iter, tol):
            state, _ = run(start, int(n_iter.max()), unreported)
            yield where, *end(start, state)

    def path(self, data: Data, candidates: Candidates, max_iter: int) -> Iterator[Ends]:
        """Take 0, 1, ... steps with each candidate."""
        n_iter = np.full(len(candidates.epsilon), max_iter)
        for where, end, run, start in self._begun(data, candidates, n_iter, 0.0):
            state = start
            yield (where, 0), *end(start, state)
            for n_steps in range(1, max_iter + 1):
                state, _ = run(state, 1, unreported)
                yield (where, n_steps), *end(start, state)

    def max_epsilon(self, data: Data, alphas: np.ndarray) -> float:
        """Estimate the largest stable step, from the curvature at the start."""
        strongest = int(alphas.max(axis=(1, 2)).argmax())
        objective, theta, scale = self._start(data, strongest)
        rows = objective.data.rows
        ridge = np.zeros((rows.shape[1], alphas.shape[0] * alphas.shape[1]))
        strengths = alphas.reshape(-1, alphas.shape[2])
        ridge[: len(ridge) - rows.intercept] = strengths.T
        if not self.squared:
            return stable_epsilon_of_loss(objective, theta, scale, ridge)
        loss, backend = self.loss.loss, self.where["backend"]
        curvature = curvature_of(loss, backend, data.rows.dtype)
        return stable_epsilon(
            largest_curvature(objective.data, curvature, ridge, intercept=False)
        )

    def _units(self, penalty: int) -> np.ndarray:
        return self.scales[penalty] if self.scales else np.ones(1)

    def _start(
        self, data: Data, penalty: int
    ) -> tuple[MeanLoss, np.ndarray, np.ndarray]:
        """Place the training rows; theta, and the scale of the targets."""
        train = some_rows(data, self.train)
        train = train._replace(target=train.target / self._units(penalty))
        found, _ = placed(train, self.where, measure=False)
        if self.units is not None:
            found = found._replace(target=found.rows.vector(train.target[:, 0]))
        backend, units = self.where["backend"], self.units
        objective = MeanLoss(found, self.loss, backend, units=units)
        theta = constant_start(objective, self.traits)
        return objective, theta, target_scale(found, linked=self.traits.linked)

    def _begun(
        self, data: Data, candidates: Candidates, n_iter: np.ndarray, tol: float
    ) -> Iterator[tuple[slice, Callable[..., Any], Run, BatchState]]:
        """Descents at their start, with candidates that share the targets' units."""
        # Candidates of a penalty stand one after another.
        changes = np.diff(candidates.penalty) if self.scales else np.zeros(0)
        cuts = map(int, np.flatnonzero(changes) + 1)
        edges = [0, *cuts, len(n_iter)]
        for block in map(slice, edges[:-1], edges[1:]):
            penalty = int(candidates.penalty[block.start])
            begun = self._batches(data, candidates, penalty, block, n_iter, tol)
            for where, rows, run, start in begun:
                end = partial(_ended, data, rows, self._units(penalty), self.units)
                yield where, end, run, start

    def _batches(
        self,
        data: Data,
        candidates: Candidates,
        penalty: int,
        block: slice,
        n_iter: np.ndarray,
        tol: float,
    ) -> Iterator[tuple[slice, Rows, Run, BatchState]]:
        """Descents at their start, with as many candidates at a time as fit."""
        objective, theta, scale = self._start(data, penalty)
        rows, (n_columns, n_targets) = objective.data.rows, theta.shape
        n_features, n_outputs = rows.shape[1] - rows.intercept, objective.n_outputs
        # Several outputs of several candidates are not told apart by columns of theta.
        alone = n_outputs > 1
        length = 1 if alone else max(1, _BATCH_TARGETS // (rows.shape[0] * n_targets))
        for first in range(block.start, block.stop, length):
            where = slice(first, min(first + length, block.stop))
            n_candidates = len(n_iter[where])
            ridge = np.zeros((n_columns, n_candidates * n_targets))
            strengths = candidates.ridge(where, n_targets * n_outputs, n_features)
            ridge[: n_features * n_outputs] = strengths.reshape(-1, ridge.shape[1])
            run, start = textbook(
                replace(objective, data=_tiled(objective.data, n_candidates)),
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


class Fold(NamedTuple):
    """A split: who descends, the held-out rows' numbers, and their moments if known."""

    descents: ClosedForm | StepByStep
    test: np.ndarray
    moments: Moments | None


def folds_in_closed_form(
    data: Data, splits: Sequence[Split], task: Task, alphas: np.ndarray
) -> tuple[Data, list[Fold], float, float]:
    """Set up each split; the largest stable step on these, and on all rows.

    `alphas` are the penalties that are tried, which are even; steps are stable with all
    of them. The data come back with the rows that theta is of.
    """
    where, ridge = task.place, float(alphas.max())
    curvature = curvature_of(task.loss, task.backend, data.rows.dtype)
    check_distances(data.left, data.weight, intercept=task.intercept)
    if data.rows.shape[1] - 1 > len(data.weight):
        data, where = in_span(data, where), where | {"device": None}
    moments, parts = fold_moments(data, splits, where)
    every = [*(train for train, _ in parts), moments]
    *descents, whole = [ClosedForm.of(each, curvature) for each in every]
    folds = [
        Fold(each, split[1], test)
        for each, split, (_, test) in zip(descents, splits, parts, strict=True)
    ]
    stable = min(each.spectrum.max_epsilon(ridge) for each in descents)
    return data, folds, stable, whole.spectrum.max_epsilon(ridge)


def folds_step_by_step(
    data: Data,
    splits: Sequence[Split],
    task: Task,
    alphas: np.ndarray,
    row_names: tuple[str, ...],
) -> tuple[Data, list[Fold], float, float]:
    """Set up each split on any loss; see `folds_in_closed_form`."""
    every = [*(train for train, _ in splits), np.arange(len(data.weight))]
    *descents, whole = steps_on(data, every, task, alphas, row_names)
    folds = [
        Fold(each, test, None) for each, (_, test) in zip(descents, splits, strict=True)
    ]
    stable = min(each.max_epsilon(data, alphas) for each in descents)
    return data, folds, stable, whole.max_epsilon(data, alphas)


def _tiled(data: Data, n_candidates: int) -> Data:
    """Give each candidate its own columns: the targets and their offsets again."""
    if n_candidates == 1:
        return data

    def tiled(v: Any) -> Any:
        return data.rows.vector(np.tile(data.rows.numpy(v), (1, n_candidates)))

    offset = None if data.offset is None else tiled(data.offset)
    return data._replace(target=tiled(data.target), offset=offset)


def steps_on(
    data: Data,
    parts: Sequence[np.ndarray],
    task: Task,
    alphas: np.ndarray,
    row_names: tuple[str, ...] = (),
) -> list[StepByStep]:
    """Descents on parts of the rows, by their numbers, with a loss that is checked."""
    if task.loss == SquaredError():
        check_distances(data.left, data.weight, intercept=task.intercept)
    else:
        check_target(data.left, data.weight)
    counted = data.weight > 0
    beside = (each[counted] for each in data.row_data)
    row_data = dict(zip(row_names, beside, strict=True))
    seen = task.loss, task.backend, data.target[counted], row_data, task.n_outputs
    traits, loss = checked_traits(*seen), LinearLoss.of(task.loss, row_names)
    known = [_scales(some_rows(data, part), task, alphas, traits) for part in parts]
    return [
        StepByStep(part, loss, traits, task.place, scales, task.units)
        for part, scales in zip(parts, known, strict=True)
    ]


def _scales(
    train: Data, task: Task, alphas: np.ndarray, traits: Traits
) -> list[np.ndarray]:
    """Scales of the errors, for each penalty; none where the loss asks for none."""
    if not is_estimated(task.loss):
        return []
    X, weight = train.rows.X, shares(train.weight)
    target = train.target.astype(X.dtype)
    fit = Fit(X, target, weight, None, unreported, traits)
    shape = target.shape[1], X.shape[1]
    return [
        estimated_scale(replace(task, alpha=checked_alpha("", alpha, *shape)), fit)
        for alpha in alphas
    ]


def _ended(
    data: Data,
    rows: Rows,
    units: np.ndarray,
    outputs: tuple[float, ...] | None,
    start: BatchState,
    state: BatchState,
) -> tuple[np.ndarray, np.ndarray]:
    """Tell which candidates went uphill, and where all of them are."""
    n_candidates = len(state.active)
    theta = np.asarray(state.theta, dtype=np.float64)
    if outputs is not None:
        theta = theta.reshape(-1, len(outputs))
    theta = data.rows.inner(*rows.outer(theta))
    first, last = (
        np.asarray(each.values, dtype=np.float64).reshape(n_candidates, -1).sum(axis=1)
        for each in (start, state)
    )
    diverged = uphill(first, last, first, rows.dtype)
    return diverged, units * theta.reshape(len(theta), n_candidates, -1)
