"""Rows in their place, and the coordinates in which they are white."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_adreg._descent.coordinates import (
    MAX_WHITENED,
    Coordinates,
    scaled,
    whitened,
)
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._rows.host import HostRows
from sklearn_adreg._rows.moments import measured
from sklearn_adreg._rows.place import check_squares, data_on, place, representable
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._rows.sample import sampled_rows
from sklearn_adreg._rows.span import span_of
from sklearn_adreg._solve.task import Fit, Task

# Rows from which on a sample of them is worth its own descent: of kinked losses and of
# those with a link. Below, it costs more than it spares; above, fits are 1.2 to 2.1
# times as fast.
_SAMPLED_KINKED, _SAMPLED_LINKED = 40_000, 150_000
# Smallest eigenvalue of a sample's scaled moments by which all rows are whitened.
_SPANNING = 1e-8


class Prepared(NamedTuple):
    """Rows in their place, the coordinates in which they are white, and starts.

    `least_squares` is theta (p, n_targets) where second moments were measured, and
    `sample` are the numbers of rows that stand for all.
    """

    data: Data
    coordinates: Coordinates | None
    of_all: bool
    least_squares: np.ndarray | None
    sample: np.ndarray | None


def prepare(task: Task, fit: Fit, *, sampled: bool) -> Prepared:
    """Place the rows, measure them or a sample of them, and choose coordinates."""
    X, penalty = fit.X, task.penalty(fit.X.shape[1])
    sample, ridge = _sample_of(task, fit, penalty) if sampled else None, penalty.l2
    if not penalty.smooth:  # the penalty has corners in theta's own coordinates
        data, _ = place(X, fit.y, fit.weight, **task.place, measure=False)
        return Prepared(data, None, False, None, sample)
    if sample is not None:
        found = _by_sample(task, fit, sample)
        if found is not None:
            return found
    tall = X.shape[1] <= min(len(X), MAX_WHITENED)
    data, moments = place(X, fit.y, fit.weight, **task.place, measure=tall)
    if moments is not None:
        gram, cross = moments.bordered(task.intercept)
        coordinates = whitened(data.rows, data.weight, gram, ridge)
        theta = coordinates.theta(coordinates.factor.T @ cross)
        if task.intercept:
            theta[-1] = moments.target_mean
        return Prepared(data, coordinates, True, theta, sample)
    if len(X) < X.shape[1] and len(X) <= MAX_WHITENED:
        span = span_of(data.rows, data.weight)
        data = data._replace(rows=data.rows.of_matrix(span.image, span))
        gram = data.rows.gram(data.weight)
        ridge = np.append(np.full(span.image.shape[1], ridge[0]), ridge[X.shape[1] :])
        coordinates = whitened(data.rows, data.weight, gram, ridge)
        return Prepared(data, coordinates, True, None, None)
    variances = data.rows.diagonal(data.weight)
    return Prepared(data, scaled(variances), False, None, None)


def _sample_of(task: Task, fit: Fit, penalty: Penalty) -> np.ndarray | None:
    """Rows that stand for all, where a descent on them is worth it."""
    kinked, convex, linked = fit.traits
    early = kinked or not convex or not penalty.smooth
    few = _SAMPLED_KINKED if early else _SAMPLED_LINKED
    if task.device is not None or not (early or linked) or len(fit.X) < few:
        return None
    return sampled_rows(fit.X.shape, fit.weight)


def _by_sample(task: Task, fit: Fit, sample: np.ndarray) -> Prepared | None:
    """Whiten all rows by a sample; None where it does not tell all columns apart."""
    X, shares = fit.X[sample], None
    if fit.weight is not None:
        shares = fit.weight[sample] / fit.weight[sample].sum()
    rows, moments = measured(X, fit.y[sample], shares, intercept=task.intercept)
    spanning = max(_SPANNING, float(np.finfo(X.dtype).eps) ** (2 / 3))
    if not moments.smallest_eigenvalue > spanning:
        return None
    everyone = HostRows(fit.X, rows.shift, rows.offset, task.intercept)
    data = data_on(everyone, fit.y, fit.weight)
    gram, _ = moments.bordered(task.intercept)
    ridge = task.penalty(X.shape[1]).l2
    coordinates = whitened(everyone, data.weight, gram, ridge)
    # A sum over all rows shows what the sample has not seen of X.
    if not representable(everyone.rmatvec(data.weight), X.dtype):
        check_squares(data, None, fit.X, fit.y, fit.weight, intercept=task.intercept)
    return Prepared(data, coordinates, False, None, sample)
