"""Whether an objective has no minimum: it falls without end as its unknowns grow.

The mean of a loss whose rows all fall in one direction, such as a logistic loss on
labels that a plane separates, has a lower bound and no minimum. A descent stops where
too little is left to gain, at coefficients that mean nothing. A convex function that is
lower far out along the ray to where it stopped falls along all of that ray.

If only some unknowns run off, as those of a level of a category without events do, the
others rise on that ray. Rows that bend do not move with those that do: what runs off is
the part of the unknowns in the null space of the Hessian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sklearn_adreg._descent.coordinates import Coordinates
from sklearn_adreg._descent.loop import State
from sklearn_adreg._loss.check import unbounded
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._rows.rows import spread_out
from sklearn_adreg.losses import Loss

# How far out: the square of what separates a start from an end in sensible units.
_FAR = 2.0**32
# How far where other unknowns are at their optimum, which rounding of an eigenvector
# and of slopes moves (2^10: 5 of 12 Poisson fits with a level without events are
# missed); and eigenvalues that are rounding of the largest, in its units.
_FAR_ALONE, _NULL = 2.0**6, 64.0
# Where the last slope is looked for then, in parts of the way back.
_ON_THE_WAY = 0.25, 0.5, 0.75
# Rows that are asked first; all are where these fall without end.
_SOME_ROWS = 1 << 13
# Values that differ by fewer units in the last place are equal: sums over rows.
_GAIN_NOISE = 100.0
# Where nothing falls any more in floats, the last slope on the way there is looked at:
# of a tail it is this part of all that was gained, and more where a loss becomes flat.
# (In a tail of a part of the unknowns it is the root of rounding: 1e-4 in float32.)
_TAIL, _INWARD = 1e-8, 64

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


def partly_falls_forever(
    objective: MeanLoss,
    penalty: Penalty,
    coordinates: Coordinates,
    state: State,
    bandwidth: float,
) -> bool:
    """Whether it falls for ever in some unknowns that nothing bounds, at an optimum."""
    some, bent = objective.curved(state.point, bandwidth)
    hessian = some.hessian(bent) + np.diag(penalty.curvature)
    hessian = coordinates.hessian(hessian)
    if not np.isfinite(hessian).all():
        return False
    values, vectors = np.linalg.eigh(hessian)
    eps = float(np.finfo(objective.data.rows.dtype).eps)
    null = vectors[:, values <= _NULL * eps * values[-1]]
    unknowns = np.linalg.lstsq(coordinates.factor, state.theta, rcond=None)[0]
    free = coordinates.theta(null @ (null.T @ unknowns))
    free = np.where(penalty.free, free, 0.0)  # the loss alone is steep in the others
    if not free.any():
        return False
    linear, ray = objective.linear_predictor(state.theta), objective.ray(free)
    start, end, far = (objective.point(linear, ray, t) for t in (-1, 0, _FAR_ALONE))
    gained, noise = start.value - end.value, _GAIN_NOISE * eps * abs(end.value)
    if not (gained > noise and far.value <= end.value + noise):
        return False
    for part in _ON_THE_WAY:
        slope = objective.point(linear, ray, -part).directional_derivative
        if slope < -eps * gained:
            return -np.sqrt(eps) * gained < slope
    return False


def falls_to_an_edge(objective: MeanLoss, penalty: Penalty, theta: np.ndarray) -> bool:
    """Whether it falls along the ray up to where it is not finite any more.

    So does log(1 + exp(z)), which overflows, where a difference falls for ever.
    """
    linear = objective.linear_predictor(theta)
    ray = objective.ray(np.where(penalty.free, theta, 0.0))
    end, beyond = (objective.point(linear, ray, t) for t in (0.0, 1.0))
    return end.directional_derivative < 0 and not np.isfinite(beyond.value)


def _falls(objective: MeanLoss, theta: np.ndarray, free: np.ndarray) -> bool:
    linear, ray = objective.linear_predictor(theta), objective.ray(free)
    far = objective.point(linear, ray, _FAR)
    if not far.directional_derivative <= 0:
        return False
    start, end = (objective.point(linear, ray, t) for t in (-1.0, 0.0))
    eps = float(np.finfo(objective.data.rows.dtype).eps)
    noise = _GAIN_NOISE * eps * abs(end.value)
    gained = start.value - end.value
    if far.value < end.value - noise:
        return True
    if not (gained > noise and far.value <= end.value + noise):
        return False
    for halvings in range(1, _INWARD):
        part = 2.0**-halvings
        slope = objective.point(linear, ray, part - 1.0).directional_derivative
        if slope != 0:
            return -_TAIL * gained < part * slope < 0
    return False
