"""How a descent is prepared: rows, coordinates, where to start, and the method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sklearn_adreg._descent.coordinates import (
    Coordinates,
    scaled,
    whitened,
    whitened_by_sample,
)
from sklearn_adreg._descent.loop import Method
from sklearn_adreg._descent.proximal_newton import ProximalNewton
from sklearn_adreg._descent.quasi_newton import QuasiNewton
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._rows.moments import Moments
from sklearn_adreg._rows.place import (
    check_unseen,
    place,
    place_by_sample,
    place_with_variances,
    sampled,
)
from sklearn_adreg._rows.rows import Data, spread_out
from sklearn_adreg._rows.span import (
    Span,
    span_of,
    span_of_small_columns,
)
from sklearn_adreg._solve.task import Fit, Task, may_be_dense

# Rows from which on a sample of them is worth its own descent: of kinked losses and of
# those with a link. Below, it costs more than it spares; above, fits are 1.2 to 2.1
# times as fast.
SAMPLED_KINKED, _SAMPLED_LINKED = 40_000, 150_000


# Columns are scaled as if their variance were at least so many times the median one. Of
# 14 text-sized problems with a ridge, with 20,000 x 40,000 entries and up to k^-1.2 as
# the frequency of words, fits take 0.3 to 1 times as many steps (median 0.8). With half
# and double as much the median is the same.
_LEAST_VARIANCE = 4.0
# So many tell the median to a sixtieth of the columns: 4 ms less of 200,000.
_FEW_VARIANCES = 1 << 12


class Prepared(NamedTuple):
    """Rows in their place, the coordinates in which they are white, and starts.

    The coordinates are `of_all` where all rows were measured. `theta` (p, n_targets)
    is least squares, or another start, where second moments were measured, and
    `sample` are the numbers of rows that stand for all. `known` are columns, and the
    Hessian of squared error by them. Rows are `unseen` where it has not
    been checked yet that all numbers in X are finite.
    """

    data: Data
    coordinates: Coordinates | None = None
    of_all: bool = False
    theta: np.ndarray | None = None
    sample: np.ndarray | None = None
    known: tuple[np.ndarray, np.ndarray] | None = None
    unseen: bool = False


def in_place(task: Task, fit: Fit, *, by_sample: bool) -> Prepared:
    """Place the rows: a penalty has its corners in theta's own coordinates."""
    sample = sampled_rows(task, fit) if by_sample else None
    data, _ = place(fit.X, fit.y, fit.weight, **task.place, **fit.beside, measure=False)
    return Prepared(data, sample=sample)


def in_white_coordinates(task: Task, fit: Fit, *, by_sample: bool) -> Prepared:
    """Place the rows, measure them or a sample of them, and choose coordinates."""
    sample = sampled_rows(task, fit) if by_sample else None
    found = None if sample is None else _by_sample(task, fit, sample)
    if found is not None:
        return found
    data, moments, coordinates = in_coordinates(task, fit)
    if moments is not None:
        _, cross = moments.bordered(task.intercept)
        theta = coordinates.theta(coordinates.factor.T @ cross)
        if task.intercept:
            theta[-1] = moments.target_mean
        return Prepared(data, coordinates, True, theta, sample)
    if coordinates.span is not None:  # a square matrix, cheaper to multiply with
        return Prepared(*in_span(data, coordinates), True)
    return Prepared(data, coordinates)


def in_coordinates(task: Task, fit: Fit) -> tuple[Data, Moments | None, Coordinates]:
    """Place the rows, and choose coordinates in which the mean loss plus ridge is easy.

    They whiten the columns, by their second moments, or the span of the rows, where
    there are fewer of these; where there are many of both they scale the columns. Only
    with an even ridge are coefficients in that span.
    """
    n_rows, n_columns = fit.X.shape
    most, where = fit.most_whitened, task.place | fit.beside
    measure = n_columns <= (min(n_rows, most) if task.even else most)
    if not measure:
        data, variances = place_with_variances(fit.X, fit.y, fit.weight, **where)
        if task.even and n_rows <= most:
            ridge, span = _ridge(task, fit)[0], span_of(data.rows, data.weight)
            if span is not None:
                return data, None, _of_span(data, span, ridge)
            if may_be_dense(fit.X):
                return data, None, _of_small_columns(data, ridge)
        if n_columns > most:
            return data, None, _scaled(task, fit, variances)
    data, moments = place(fit.X, fit.y, fit.weight, **where, measure=True)
    assert moments is not None
    return data, moments, _white(task, fit, data, moments)


def in_span(data: Data, coordinates: Coordinates) -> tuple[Data, Coordinates]:
    """Give the rows the coordinates of their span, whose image takes the place of X."""
    span = coordinates.span
    rows = data.rows.of_matrix(span.image, span)
    return data._replace(rows=rows), replace(coordinates, span=None)


def sampled_rows(task: Task, fit: Fit) -> np.ndarray | None:
    """Rows that stand for all, where a descent on them is worth it."""
    kinked, convex, linked, _ = fit.traits
    early = kinked or not convex or not task.smooth
    few = SAMPLED_KINKED if early else _SAMPLED_LINKED
    if task.device is not None or not (early or linked) or fit.X.shape[0] < few:
        return None
    return sampled(fit.X.shape, fit.weight)


def _by_sample(task: Task, fit: Fit, sample: np.ndarray) -> Prepared | None:
    """Whiten all rows by a sample; None where it does not tell all columns apart."""
    X, y, weight, *_ = fit
    if X.shape[1] > fit.most_whitened:
        return None
    data, moments = place_by_sample(
        X, y, weight, sample, intercept=task.intercept, **fit.beside
    )
    gram, _ = moments.bordered(task.intercept)
    white = whitened_by_sample(data.rows, data.weight, gram, _ridge(task, fit))
    if white is None:
        return None
    # The sum of all rows shows what the sample has not seen of X.
    check_unseen(data, data.rows.rmatvec(data.weight))
    return Prepared(data, white, sample=sample)


def _white(task: Task, fit: Fit, data: Data, moments: Moments) -> Coordinates:
    """Whiten the rows plus the least ridge of the outputs, or the mean of theirs.

    A ridge of some that is far above the second moments would hide directions that the
    others are not penalised in; without any, some directions have no length.
    """
    gram, _ = moments.bordered(task.intercept)
    least, mean = (_ridge(task, fit, least=each) for each in (True, False))
    white = whitened(data.rows, data.weight, gram, least)
    if white.null is None or not white.null.size or (least == mean).all():
        return white
    return whitened(data.rows, data.weight, gram, mean)


def _scaled(task: Task, fit: Fit, variances: np.ndarray) -> Coordinates:
    """Scale the columns by their second moments plus the ridge.

    Where there are fewer rows than columns, the ridge alone bends some directions, and
    the less so the more evenly columns are scaled that are large by chance.
    """
    n_rows, n_columns = fit.X.shape
    if n_rows < n_columns and variances.any():
        columns = variances[:n_columns]
        some = columns[spread_out(np.flatnonzero(columns), _FEW_VARIANCES)]
        least = _LEAST_VARIANCE * np.median(some)
        np.maximum(columns, least, out=columns)
    return scaled(variances, _ridge(task, fit))


def _ridge(task: Task, fit: Fit, *, least: bool = False) -> np.ndarray:
    """Ridge in units of second moments, as if the curvature were 1 if it is unknown.

    Outputs share the coordinates: it is the mean of theirs, or the least.
    """
    curvature = task.penalty(fit.X.shape[1]).curvature.reshape(-1, task.n_outputs)
    shared = curvature.min(axis=1) if least else curvature.mean(axis=1)
    return shared / (fit.curvature or 1.0)


def _of_span(data: Data, span: Span, ridge: float) -> Coordinates:
    """Whiten the span of the rows, where there are more columns."""
    variances = np.asarray(data.rows.numpy(data.weight)) @ span.image**2
    inner = 1.0 / np.sqrt(variances + ridge)
    factor = np.diag(np.append(inner, np.ones(int(data.rows.intercept))))
    condition = float(inner.max() / inner.min()) if len(inner) else 1.0
    return Coordinates(factor, None, condition, span=span)


def _of_small_columns(data: Data, ridge: float) -> Coordinates:
    """Whiten the span of rows whose columns have very different units."""
    span = span_of_small_columns(data.rows, data.weight)
    rows = data.rows.of_matrix(span.image, span)
    of_columns = np.full(rows.shape[1], ridge)
    if rows.intercept:
        of_columns[-1] = 0.0
    gram = rows.gram(data.weight)
    return replace(whitened(rows, data.weight, gram, of_columns), span=span)


def quasi_newton(fit: Fit, prepared: Prepared, objective: MeanLoss) -> Method:
    """Return the method of penalties that are differentiable."""
    del fit, objective
    assert prepared.coordinates is not None
    return QuasiNewton(prepared.coordinates, prepared.of_all)


def proximal_newton(fit: Fit, prepared: Prepared, objective: MeanLoss) -> Method:
    """Return the method of penalties with corners."""
    curvature = fit.curvature if fit.squared else None
    return ProximalNewton(objective, curvature, prepared.known)


def way(task: Task) -> tuple[Callable[..., Prepared], Callable[..., Method]]:
    """How rows are prepared, and the method."""
    if task.smooth:
        return in_white_coordinates, quasi_newton
    return in_place, proximal_newton
