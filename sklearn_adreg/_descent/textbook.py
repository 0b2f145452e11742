"""The textbook update rule, for many descents side by side.

theta <- prox(theta - epsilon * gradient), full batch, nothing else: the proximal step
of the penalty, where it has corners, leaves exact zeros. A descent has a column of
theta for each of its targets, and its own epsilon and penalty; a fit is a batch of one
descent, a search over step lengths a batch of many, which share each visit of the rows.
Descents that have stopped are held where they are.

A step promises a decrease of epsilon * |gradient|^2, which bounds the mean squared
change of the linear predictors while epsilon is stable. A descent has converged where
the root of it is `tol` standard deviations of the target.

Steps run on NumPy arrays and on traced ones alike: no branch depends on a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from sklearn_adreg._descent.constant import best_constant
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._range import check_epsilon
from sklearn_adreg._rows.moments import centre_of, mean_square, positive_roots
from sklearn_adreg._rows.place import check_distances
from sklearn_adreg._rows.rows import Data
from sklearn_adreg.backends.base import Backend, iterate_in_python

# What diverges grows by powers. At rest, objectives of 20,000 rows were seen to rise by
# one unit of rounding of the first; sums of many more rows are rounded by more.
_GROWTH_ROUNDING = 100.0
# Part of a standard deviation over which the curvature of a loss is measured. From 1e-2
# to 1e-6 the limits of smooth losses are the same to three digits; kinked ones have no
# limit, and what is named in its place is proportional to this.
_NEAR = 1e-3
# Second moments of so many columns cost as much as the products of Lanczos' method for
# 2,000 rows, and a third for 50,000.
_DIRECT_EIGENVALUES = 256
# The eigenvalue limits a step that is chosen to one digit.
_EIGENVALUE_TOLERANCE = 1e-4


class Batch(NamedTuple):
    """Descents side by side: arrays of the objective, and how each steps and stops.

    Columns of theta, k in all, go through the targets of each descent in turn.
    `epsilon` and `scale`, the standard deviation of the target, are (k,). `moves` is
    (p, k): zero for unknowns that are at their optimum whatever the others are, and
    for all where a target is met at the start, but of several outputs, whose constants
    may have no minimum. `penalty` is a pair of strengths, l1 and l2, and `n_iter` one
    number a descent.
    """

    arrays: Any
    epsilon: Any
    moves: Any
    penalty: tuple[Any, Any]
    tol: Any
    scale: Any
    n_iter: Any


class BatchState(NamedTuple):
    """Where descents stand.

    `values` are the objectives of the columns of `theta`, `value` is their sum, and
    `following` is theta after the next step. `taken` counts the steps. For each
    descent there are its `error`, in units of `tol`, and whether it is `active`.
    """

    theta: Any
    following: Any
    value: Any
    values: Any
    error: Any
    taken: Any
    active: Any


# Takes a state at most so many steps on, and reports: the state, and all values.
Run = Callable[
    [BatchState, int, Callable[[np.ndarray], None]], tuple[BatchState, np.ndarray]
]


@dataclass(frozen=True)
class BatchStep:
    """A step of all active descents; `function` is the objective's `separated`."""

    function: Callable[[Any, Any], tuple[Any, Any]]
    xp: Any
    smooth: bool

    def __call__(self, batch: Batch, state: BatchState) -> BatchState:
        """Take the step that was found last, and find the next."""
        n_descents = len(state.active)
        n_targets = state.theta.shape[1] // n_descents
        active = (state.active[:, None] & np.ones(n_targets, dtype=bool)).reshape(-1)
        theta = self.xp.where(active, state.following, state.theta)
        values, gradient = self.function(batch.arrays, theta)
        penalty = Penalty(*batch.penalty)
        values = values + penalty.values(theta)
        change = batch.moves * batch.epsilon * (gradient + penalty.gradient(theta))
        following = theta - change
        if not self.smooth:
            following = penalty.prox(self.xp, following, batch.epsilon)
            change = theta - following
        # Squares of steps may be no floats, unlike those in units of what they change.
        relative = change / batch.scale / batch.epsilon**0.5
        errors = (relative**2).sum(axis=0) ** 0.5
        errors = errors.reshape(n_descents, n_targets)
        error, taken = errors.max(axis=1), state.taken + 1
        finite = abs(values.reshape(n_descents, n_targets).sum(axis=1)) < np.inf
        far = (batch.tol == 0) | (error > batch.tol)
        goes_on = state.active & finite & far & (taken < batch.n_iter)
        return BatchState(theta, following, values.sum(), values, error, taken, goes_on)


def any_active(_batch: Batch, state: BatchState) -> Any:
    """Whether a descent is to step on."""
    return state.active.any()


def textbook(
    objective: Any,
    backend: Backend,
    penalty: Penalty,
    theta: np.ndarray,
    *,
    epsilon: np.ndarray,
    scale: np.ndarray,
    tol: float,
    n_iter: np.ndarray,
    fixed_intercept: bool = False,
) -> tuple[Run, BatchState]:
    """Set descents up on the columns of an objective, a `MeanLoss` or a `Quadratic`.

    They start at the columns of theta, (p, k). The strengths of the penalty are (p, 1)
    or (p, k), `epsilon` and `scale` (k,), and `n_iter` (n_descents,). A `scale` of zero
    says that the target is met at the start. With `fixed_intercept` the last unknown
    takes no steps. Returns what takes steps, compiled where the rows are, and the state
    at the start.
    """
    function, arrays = objective.separated
    rows = objective.data.rows if isinstance(objective, MeanLoss) else None
    compiled = rows is not None and not rows.eager
    dtype = np.dtype(rows.dtype if rows is not None and compiled else np.float64)
    if compiled:
        check_epsilon(epsilon, dtype)
    moves = np.ones(theta.shape, dtype=dtype)
    moves[:, scale == 0] = rows is None or objective.n_outputs > 1
    moves[len(moves) - fixed_intercept :] = 0.0
    batch = Batch(
        arrays,
        epsilon.astype(dtype),
        moves,
        (penalty.l1.astype(dtype), penalty.l2.astype(dtype)),
        dtype.type(tol),
        np.where(scale > 0, scale, np.inf).astype(dtype),
        n_iter.astype(dtype),
    )
    xp = backend.array_namespace if compiled else np
    step = BatchStep(function, xp, penalty.smooth)
    iterate = backend.iterate if compiled else iterate_in_python
    # A step evaluates where the last one has led, and finds the next: the first such
    # evaluation is that of the start, and is not counted as a step.
    theta, active = theta.astype(dtype), np.ones(len(n_iter), dtype=bool)
    nothing, taken = np.zeros(theta.shape[1], dtype=dtype), dtype.type(-1)
    unevaluated = BatchState(
        theta, theta, nothing[0], nothing, nothing[: len(n_iter)], taken, active
    )
    run = partial(iterate, step, any_active, batch)
    return run, run(unevaluated, 1, unreported)[0]


def unreported(_values: np.ndarray) -> None:
    """Report of steps to nobody."""


def constant_theta(objective: MeanLoss, *, linked: bool) -> np.ndarray:
    """Coefficients of zero and, where there is an intercept, the best constants.

    Theta has a column for each target; that of several outputs is one column.
    """
    rows, alone = objective.data.rows, list(objective.of_constants())
    theta = np.zeros((rows.shape[1] * objective.n_outputs, len(alone)))
    first = len(theta) - rows.intercept * objective.n_outputs
    for number, each in enumerate(alone):
        theta[first:, number] = best_constant(each, linked=linked)
    return theta


def target_scale(data: Data, *, linked: bool, given: bool = False) -> np.ndarray:
    """Return the standard deviation of each target; 1 where a link lies between.

    It is that of targets less their offsets. One that is constant is met by the best
    constant, whatever the loss is that takes no row data: its scale is zero, but for
    descents from a start that is `given`.
    """
    left, weight = data.left, data.rows.numpy(data.weight)
    target = left.reshape(len(left), -1)
    mean = centre_of(target, weight) if data.rows.intercept else 0.0
    scale = np.ones(target.shape[1])
    if not linked:
        check_distances(target, weight, intercept=data.rows.intercept)
        scale = positive_roots(mean_square(target - mean, weight))
    if not data.rows.intercept or data.row_data:
        return scale
    counted = target[weight > 0]
    constant = counted.min(axis=0) == counted.max(axis=0)
    return np.where(constant, float(given), scale)


def uphill(first: Any, last: Any, size: Any, dtype: np.dtype) -> Any:
    """Whether objectives have grown by more than rounding, or are not finite.

    `size` is that of what the objective is a sum or a difference of.
    """
    noise = _GROWTH_ROUNDING * float(np.finfo(dtype).eps) * abs(size)
    return ~(np.asarray(last) <= first + noise)


def stable_epsilon(curvature: float) -> float:
    """Return the largest stable step for the largest curvature of an objective."""
    return 2.0 / curvature if curvature > 0 else np.inf


def largest_curvature(
    data: Data, curvature: float, ridge: np.ndarray, *, intercept: bool
) -> float:
    """Largest eigenvalue of a Hessian, with or without the intercept.

    It is that of the second moments times the curvature of a loss, plus a ridge (p,),
    or the largest with any of several, (p, k).
    """
    if ridge.ndim == 2:
        strongest = ridge.max(axis=1)
        every = np.unique(ridge.T, axis=0)
        if (every == strongest).all(axis=1).any():
            every = strongest[None]
        several = [
            largest_curvature(data, curvature, each, intercept=intercept)
            for each in every
        ]
        return max(several)
    rows, n_columns = data.rows, data.rows.shape[1]
    if rows.intercept and not intercept:
        n_columns -= 1
    if n_columns <= _DIRECT_EIGENVALUES:
        gram = rows.gram(data.weight)[:n_columns, :n_columns]
        hessian = curvature * gram + np.diag(ridge[:n_columns])
        return float(np.linalg.eigvalsh(hessian)[-1])
    nothing = np.zeros(rows.shape[1] - n_columns)

    def apply(vector: np.ndarray) -> np.ndarray:
        theta = np.concatenate([vector.ravel(), nothing])
        product = rows.visit(theta, _weighted, data.weight)[1]
        product = curvature * np.asarray(product, dtype=np.float64) + ridge * theta
        return product[:n_columns]

    operator = LinearOperator((n_columns, n_columns), apply, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(n_columns)
    found = eigsh(
        operator, 1, v0=start, tol=_EIGENVALUE_TOLERANCE, return_eigenvectors=False
    )
    return float(found[0])


def stable_epsilon_of_loss(
    objective: MeanLoss, theta: np.ndarray, scale: np.ndarray, ridge: np.ndarray
) -> float:
    """Estimate the largest stable step, from the curvature where descents start.

    Of `theta`, (p, n_targets), the intercepts alone are looked at; `ridge` is (p,), or
    (p, k) of several.
    """
    rows, near = objective.data.rows, _NEAR * (float(scale.max()) or 1.0)
    curvature = 0.0
    first = len(theta) - rows.intercept * objective.n_outputs
    for number, constants in enumerate(objective.of_constants()):
        alone, level = constants.through(near), theta[first:, number]
        point, weight = alone.point(alone.linear_predictor(level)), alone.data.weight
        counts = weight > 0
        found = point.curvature[counts]
        if found.ndim == 3:
            found = np.linalg.eigvalsh(found)[:, -1]
        curvature = max(curvature, float((found / weight[counts]).max()))
    largest = largest_curvature(objective.data, curvature, ridge, intercept=True)
    return stable_epsilon(largest)


def _weighted(_xp: Any, linear: Any, weight: Any) -> Any:
    """Visitor of rows with their linear predictors: these, weighted."""
    return (weight * linear,), ()
