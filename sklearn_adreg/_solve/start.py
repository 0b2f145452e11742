"""Where a descent starts: the least of what is given, a constant, and least squares.

What is given may be where another descent has ended: that of a robust convex loss, or
of a sample of the rows. All are theta, and compared by the objective.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sklearn_adreg._descent.constant import balanced, best_constant
from sklearn_adreg._descent.textbook import constant_theta
from sklearn_adreg._loss.refusals import not_finite
from sklearn_adreg._loss.traits import Traits
from sklearn_adreg._objective.mean_loss import MeanLoss, Point
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._rows.moments import weighted_median
from sklearn_adreg._rows.rows import spread_out
from sklearn_adreg._solve.outputs import outputs_of_rows

# As many rows tell the mean of a thing roughly; and how closely the constant is found
# where a descent is to improve on it anyway, on how many of them.
_ROUGH_ROWS, _ROUGH_CONSTANT, _CONSTANT_ROWS = 1 << 12, 1e-3, 1 << 10
# A loss that is zero for predictions so many standard deviations off is zero.
_FARTHEST = 1e6
# A loss that grows by more while predictions become wrong by twice as much, faster than
# the eighth power, is exponential there.
_STEEPEST = 256.0


def rough(objective: MeanLoss, enough: int = _ROUGH_ROWS) -> MeanLoss:
    """Return the mean loss of enough rows to measure what need not be exact."""
    counted = objective.data.rows.nonzero(objective.data.weight)
    index = spread_out(counted, objective.rows_to_see(enough))
    return replace(objective, data=objective.data.part(index))


def best_start(
    objective: MeanLoss,
    penalty: Penalty,
    candidates: Sequence[np.ndarray],
    *,
    linked: bool,
    kinked: bool = False,
    known_constant: np.ndarray | None = None,
) -> tuple[int, np.ndarray, Point]:
    """Return the theta of the least objective on some rows, and its point on all.

    It is the best constant, or one of the candidates: the first at which the loss is
    finite on all rows, an error where there is none. The number is that of the
    candidate. Where it is not `kinked` the gradient there comes from the same reading
    of X, of which a constant needs no product.
    """
    precision = _ROUGH_CONSTANT
    if known_constant is None:
        few = rough(objective, _CONSTANT_ROWS)
        constant = best_constant(few, linked=linked, precision=precision)
    else:
        constant = known_constant
    starts, some, values = [*candidates, constant], rough(objective), []
    for theta in starts:
        value = some.value(some.linear_predictor(theta)) + penalty.value(theta)
        values.append(value if np.isfinite(value) else np.inf)
    for number in map(int, np.argsort(values, kind="stable")):
        theta = starts[number]
        if kinked or theta is constant:
            point = objective.point(objective.linear_predictor(theta))
        else:
            point = objective.at(theta)
        if not np.isfinite(point.value):
            continue
        doubtful = known_constant is None and (linked or theta is constant)
        if doubtful and not balanced(objective, point):
            # Some rows are not like all: of rare events they have few, or none.
            exact = best_constant(objective, linked=linked, precision=precision)
            there = objective.point(objective.linear_predictor(exact))
            value = point.value + penalty.value(theta)
            if theta is constant or there.value + penalty.value(exact) < value:
                return len(candidates), exact, there
        return number, theta, point
    raise refusal(objective, starts[-1])


def constant_start(objective: MeanLoss, traits: Traits) -> np.ndarray:
    """Theta of the best constant of each target, where steps of a given length start.

    Several outputs stay orthogonal to what no row sees: those of a softmax sum to zero.
    """
    theta = constant_theta(objective, linked=traits.linked)
    if objective.n_outputs == 1:
        return theta
    some, constant = rough(objective), theta[:, 0]
    outputs = outputs_of_rows(some, constant, kinked=traits.kinked)
    return outputs.spanned(constant)[:, None]


def refusal(objective: MeanLoss, theta: np.ndarray) -> Exception:
    """Compose the error for a loss that is not finite at theta, or has no slope."""
    rows, target, weight, _, row_data = objective.data
    linear = objective.linear_predictor(theta)
    known = map(rows.numpy, (target, linear, weight, *row_data))
    return not_finite(objective.loss, objective.backend, *known)


def units(
    objective: MeanLoss, point: Point, *, linked: bool
) -> tuple[float, float, float]:
    """Measure in which units a descent that starts at a point sees how far it has come.

    They are the standard deviation of the target less its offset (1 behind a link), the
    loss of predictions that are wrong by so much, and the median residual; of some of
    the rows.
    """
    if linked:
        return 1.0, 1.0, 1.0
    rows, weight = objective.data.rows, objective.data.weight
    index = spread_out(rows.nonzero(weight), _ROUGH_ROWS)
    some, (linear,) = objective.data.take(index), rows.take(index, point.linear)[1]
    known = map(some.rows.numpy, (some.target, some.weight, linear))
    target, shares, linear = (np.asarray(each, np.float64) for each in known)
    shares, left = shares / shares.sum(), np.asarray(some.left, np.float64)
    mean = shares @ left if rows.intercept else 0.0
    scale = float(np.sqrt(shares @ (left - mean) ** 2))
    if scale <= 8 * np.finfo(rows.dtype).eps * abs(mean):
        scale = float(abs(mean))  # a constant, but for rounding
    scale = scale or 1.0
    spread = weighted_median(np.abs(target - linear), shares) or scale
    return scale, _size(rough(objective), scale, spread), spread


def _size(objective: MeanLoss, scale: float, spread: float) -> float:
    """Loss of predictions that are wrong by a standard deviation of the target.

    A loss may be zero in a tube that is wider, and exponential ones may be so large
    there that nothing that matters would count beside it: then they are wrong by more,
    or by less, down to the median residual.
    """

    def at(distance: float) -> float:
        rows, target = objective.data.rows, objective.data.target
        (wrong,), _ = rows.apply(_moved, target, scale=distance)
        return abs(objective.value(wrong))

    distance, size = scale, at(scale)
    while size == 0 and distance < _FARTHEST * scale:
        distance *= 10
        size = at(distance)
    nearer = at(distance / 2)
    while distance > spread and nearer > 0 and not size < _STEEPEST * nearer:
        distance, size = distance / 2, nearer
        nearer = at(distance / 2)
    return size


def above_exact(objective: MeanLoss, value: float) -> float:
    """How far a value of a convex objective is above that of exact predictions.

    Where each row's loss is least at its target none is below. Infinite where one is
    not, as it is told by targets that are a little larger or smaller.
    """
    rows, target = objective.data.rows, objective.data.target
    exact = rows.numpy(objective.losses(target))
    sizes = np.abs(rows.numpy(target))
    reach = float(np.sqrt(np.finfo(rows.dtype).eps)) * float(sizes.max() or 1.0)
    for scale in (-reach, reach):
        (wrong,), _ = rows.apply(_moved, target, scale=scale)
        if not (rows.numpy(objective.losses(wrong)) >= exact).all():
            return np.inf
    return value - objective.value(target)


def _moved(_xp: object, target: np.ndarray, scale: float) -> object:
    return (target + scale,), ()
