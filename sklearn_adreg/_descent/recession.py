"""Whether an objective has no minimum: it falls without end as its unknowns grow.

The mean of a loss whose rows all fall in one direction, such as a logistic loss on
labels that a plane separates, has a lower bound and no minimum. A descent stops where
too little is left to gain, at coefficients that mean nothing. A convex function that is
lower far out along the ray to where it stopped falls along all of that ray.

If only some unknowns run off, as those of a level of a category without events do, the
others rise on that ray. Rows that bend do not move with those that do: what runs off is
a direction of the recession cone in the null space of the Hessian.

With several predictors a row one may be the logarithm of a scale: where the other can
be exact, minus the logarithm of a density falls with the scale, down to where rounding
keeps predictions from being exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sklearn_adreg._descent.coordinates import Coordinates
from sklearn_adreg._descent.loop import State
from sklearn_adreg._descent.recession_cone import has_tail_along, recession_direction
from sklearn_adreg._loss.refusals import unbounded
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._rows.moments import positive_roots, weighted_median
from sklearn_adreg._rows.rows import spread_out
from sklearn_adreg.losses import Loss

# How far out: the square of what separates a start from an end in sensible units.
_FAR = 2.0**32
# What has moved by less than this part of its unit has not run off: of a direction that
# is rounding, as an intercept of 1e-17 is, nothing far out is looked at.
_MOVED = 1 / np.sqrt(_FAR)
# Eigenvalues that are rounding of the largest, in its units.
_NULL = 64.0
# Rows that are asked first; all are where these fall without end.
_SOME_ROWS = 1 << 13
# Values that differ by fewer units in the last place are equal: sums over rows.
_GAIN_NOISE = 100.0
# Where nothing falls any more in floats, the last slope on the way there is looked at:
# of a tail it is this part of all that was gained, and more where a loss becomes flat.
# The way is halved down to 2^-32 of that to theta, and theta itself is not looked at:
# it may be next to where a loss becomes flat.
_TAIL, _INWARD, _BESIDE = 1e-8, 64, 0.7
# A loss that rises by as much as this part of that of its unit where a predictor moves
# by so many of its roundings is sharper than floats are. (Scales fitted to exact
# targets in both float types, locations and rows, are told by 2 roundings on one
# machine, not always by 8 on another; errors of 1e-10 of the targets are 1e5 of them.)
_RISEN, _ROUNDINGS = 0.5, 64.0

# A mean loss that is negative, and so many times the first one in size, has no minimum
# that floats could find beside it (both: the same).
_BOTTOMLESS = 1e12


def check_bounded(loss: Loss, curve: Sequence[float], size: float) -> None:
    """Refuse a loss that has led to where there is no end; `size` is that of it."""
    first, last = curve[0], curve[-1]
    if last < -_BOTTOMLESS * (abs(first) + size) or np.isnan(last):
        raise unbounded(loss, last, len(curve) - 1)


def falls_forever(objective: MeanLoss, penalty: Penalty, theta: np.ndarray) -> bool:
    """Whether the objective falls for ever beyond theta, in what is not penalised."""
    free = np.where(penalty.free, theta, 0.0)
    if not free.any():
        return False
    index = spread_out(objective.data.rows.nonzero(objective.data.weight), _SOME_ROWS)
    some = replace(objective, data=objective.data.part(index))
    return _falls(some, theta, free) and _falls(objective, theta, free)


def has_tail(objective: MeanLoss, theta: np.ndarray) -> bool:
    """Whether the convex loss of some rows does not rise, far out along a predictor.

    If all losses rise, both ways of each predictor, their mean has a minimum.
    """
    rows = objective.data.rows
    counted = rows.nonzero(objective.data.weight)
    target = np.abs(rows.numpy(objective.data.target)[counted])
    distance = _FAR * max(1.0, float(target.max()))
    linear = objective.linear_predictor(theta)
    for output, axis in enumerate(np.eye(objective.n_outputs)):
        for far in (distance, -distance):
            slope = rows.numpy(
                objective.point(objective.moved(linear, far * axis)).slope
            )
            slope = slope[counted].reshape(-1, objective.n_outputs)[:, output]
            if not (np.sign(far) * slope > 0).all():
                return True
    return False


def partly_falls_forever(
    objective: MeanLoss,
    penalty: Penalty,
    coordinates: Coordinates | None,
    state: State,
    bandwidth: float,
    basis: np.ndarray | None = None,
) -> bool:
    """Whether it falls for ever in some unknowns that nothing bounds, at an optimum.

    Of more than intercepts only dense coordinates without a span can tell. These are
    looked at in the span of the `basis` (k, q) of k predictors that rows have slopes
    in: of what no row sees the last digits fall, or rise.
    """
    outputs = None if objective.units is None else np.diag(objective.units)
    if intercepts_alone(penalty, objective):
        outputs = outputs if basis is None else basis
        coordinates = Coordinates(np.eye(1), outputs=outputs)
    elif coordinates is None or not coordinates.dense or coordinates.span is not None:
        return False
    else:
        coordinates = replace(coordinates, outputs=outputs)
    span = _flat(objective, penalty, coordinates, state, bandwidth)
    linear = objective.linear_predictor(state.theta)
    found = recession_direction(objective, linear, span)
    return found is not None and has_tail_along(objective, linear, found)


def _flat(
    objective: MeanLoss,
    penalty: Penalty,
    coordinates: Coordinates,
    state: State,
    bandwidth: float,
) -> np.ndarray:
    """Null space (p, q) of the Hessian, in what is not penalised."""
    some, bent = objective.curved(state.point, bandwidth)
    units, free = objective.units, penalty.free
    least = _NULL * float(np.finfo(objective.data.rows.dtype).eps)
    if units is not None:  # slopes of several predictors are differences
        least = float(bandwidth) ** 2
    if intercepts_alone(penalty, objective):
        # Steps that end where little is left to gain leave a tail so much curvature.
        least = max(least, state.error)
        seen, hessian = free, some.hessian(bent, np.flatnonzero(free))
    else:
        hessian = some.hessian(bent) + np.diag(penalty.curvature)
        seen = np.full_like(free, True)
    hessian = coordinates.hessian(hessian)
    if not np.isfinite(hessian).all():
        return np.empty((len(free), 0))
    values, vectors = np.linalg.eigh(hessian)
    null = vectors[:, values <= least * values[-1]]
    span = np.zeros((len(free), null.shape[1]))
    for column, unknowns in zip(span.T, null.T, strict=True):
        column[seen] = coordinates.theta(unknowns)
    # The loss alone is steep in what is penalised.
    return np.where(penalty.free[:, None], span, 0.0)


def intercepts_alone(penalty: Penalty, objective: MeanLoss) -> bool:
    """Whether no more than the intercepts of the predictors is not penalised."""
    return int(penalty.free.sum()) <= objective.n_outputs


def falls_with_a_scale(
    objective: MeanLoss,
    penalty: Penalty,
    linear: Any,
    size: float,
    *,
    converged: bool,
) -> bool:
    """Whether the loss of k predictors a row falls as one of them becomes exact.

    It then rises by the `size` of the loss of a unit, or more, where that predictor
    moves by its rounding, or where descent did not converge by the root of rounding:
    by this in most rows, where a ridge bounds how scales of rows differ.
    """
    rows, weight = objective.data.rows, objective.data.weight
    counted = rows.nonzero(weight)
    eps = float(np.finfo(rows.dtype).eps)
    kept = np.asarray(rows.numpy(linear)[counted], np.float64)
    rounding = _ROUNDINGS * eps * positive_roots(np.square(kept).mean(axis=0))
    bounded = bool(np.count_nonzero(penalty.l2 == 0) <= objective.n_outputs)
    highest = objective.value(linear) + _RISEN * size

    def rises(lengths: np.ndarray, *, most: bool) -> bool:
        for output, move in enumerate(np.diag(lengths)):
            point = objective.point(objective.moved(linear, move))
            if point.value < highest:
                continue
            shares = rows.numpy(weight)[counted]
            slopes = rows.numpy(point.slope)[counted, output] / shares
            # Slopes of zero, or none, are those of squares that overflow.
            each = np.where(np.abs(slopes) > 0, slopes * lengths[output], np.inf)
            if not most or weighted_median(each, shares) >= size:
                return True
        return False

    if rises(rounding, most=False):
        return True
    lengths = np.maximum(rounding, np.sqrt(eps) * kept.std(axis=0))
    return not converged and rises(lengths, most=bounded)


def falls_to_an_edge(objective: MeanLoss, penalty: Penalty, theta: np.ndarray) -> bool:
    """Whether it falls along the ray up to where it is not finite any more.

    So does log(1 + exp(z)), which overflows, where a difference falls for ever.
    """
    linear = objective.linear_predictor(theta)
    ray = objective.ray(np.where(penalty.free, theta, 0.0))
    end, beyond = (objective.point(linear, ray, t) for t in (0.0, 1.0))
    return end.directional_derivative < 0 and not np.isfinite(beyond.value)


def _is_moved(objective: MeanLoss, ray: Any) -> bool:
    """Whether some predictor has moved, in units of what it is a level of."""
    rows, target, *_ = objective.data
    unit: Any = 1.0
    if objective.units is not None:
        unit = np.asarray(objective.units)
    elif getattr(objective.loss.loss, "inverse_link", None) is None:
        unit = np.abs(rows.numpy(target)).max()
    return bool((np.abs(rows.numpy(ray)) > _MOVED * unit).any())


def _falls(objective: MeanLoss, theta: np.ndarray, free: np.ndarray) -> bool:
    """Whether it falls all along the ray, rather than to where it becomes flat."""
    linear, ray = objective.linear_predictor(theta), objective.ray(free)
    if not _is_moved(objective, ray):
        return False
    start, end, far = (objective.point(linear, ray, t) for t in (-1.0, 0.0, _FAR))
    if not far.directional_derivative <= 0:
        return False
    eps = float(np.finfo(objective.data.rows.dtype).eps)
    noise = _GAIN_NOISE * eps * abs(end.value)
    if far.directional_derivative < 0 and far.value < end.value - noise:
        return True
    gained = start.value - min(end.value, far.value)
    if not (gained > noise and far.value <= end.value + noise):
        return False
    for halvings in range(_INWARD):
        distance = 2.0**-halvings * _FAR * _BESIDE
        slope = objective.point(linear, ray, distance - 1.0).directional_derivative
        if slope != 0:
            return -_TAIL * gained < distance * slope < 0
    return False
