"""Several linear predictors a row: in which units, and along which directions.

A descent must not depend on the units of a predictor, which need not be those of the
targets: one may be the logarithm of a scale, another a level. A predictor's own unit is
the distance at which the slopes of the rows vanish, the root mean square of g / c for
slopes g and the mean curvature c: of squared error the root mean square residual, of
the logarithm of a scale one. Predictors are V v, where V^T C V has a diagonal of ones
for the mean curvature matrix C. V does not mix predictors, although C does: one row may
bend 1e20 times as much along one as all rows along another, and a Hessian that mixes
them holds no digit of the latter.

Where no row has a slope along a direction, as none has along (1, ..., 1) of a softmax,
predictors stay orthogonal to it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._descent.constant import output_units, slopes_at
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._rows.moments import positive_roots

# Windows in which the curvature is measured, in units: those of a smooth loss show most
# digits in one of the root of rounding, those of a kinked one only in a wide one.
_SMOOTH, _KINKED = 1e-5, 1.0
# Units of smooth losses are right after the second round: the first one's window may
# have been far from them.
_REMEASURED = 2
# Predictors may be so far from where they were looked at, in units, and a direction in
# which slopes are smaller, relative, there as well is none. Kinks may be further off
# than any unit tells, and without these a piece shows slopes of its own alone.
_AROUND, _BEYOND_KINKS, _NO_SLOPE = 1.0, 1e6, 1e-10
# Units grow by no more at a time: nearly no curvature of a predictor tells nothing.
_MOST = 1e3
# A loss a unit off is at most so many times what slopes and curvatures foretell; units
# are halved so often, from the most.
_RISING, _UNIT_HALVINGS = 4.0, 60
# Mean curvatures of predictors, relative to the largest, are raised to this.
_RAISED = 1e-3


class Outputs(NamedTuple):
    """Units (k,) of the predictors, the factor V (k, q), and the loss of a unit.

    Theta (p, k) is in the span of the `basis` (k, q), whose columns are orthonormal:
    along what is orthogonal to them no row has a slope. It is None where there is none.
    """

    units: np.ndarray
    factor: np.ndarray
    size: float
    basis: np.ndarray | None

    def spanned(self, theta: np.ndarray) -> np.ndarray:
        """Return theta without what no row sees, (p k,)."""
        if self.basis is None:
            return theta
        columns = theta.reshape(-1, len(self.units))
        return (columns @ self.basis @ self.basis.T).reshape(-1)


def outputs_of_rows(
    objective: MeanLoss,
    theta: np.ndarray,
    *,
    kinked: bool,
    convex: bool = False,
    alike: bool = True,
) -> Outputs:
    """Measure the predictors of some rows at theta.

    Those of a convex loss with kinks have one unit: slopes in a window are a gradient
    only where both predictors of a difference move by as much.
    Where they are not penalised `alike`, a penalty tells coefficients apart that no row
    does: then V has columns for all directions.
    """
    linear = objective.linear_predictor(theta)
    units, bent = _measured(objective, linear, kinked=kinked, convex=convex)
    size = float((np.diag(bent) * units**2).mean())
    if not (np.isfinite(bent).all() and size > 0):
        return Outputs(units, np.diag(units), 1.0, None)
    basis = _live(objective, linear, units, kinked=kinked)
    directions = np.eye(len(units)) if basis is None or not alike else basis
    bent = directions.T @ (bent / size) @ directions
    return Outputs(units, directions / positive_roots(np.diag(bent)), size, basis)


def _measured(
    objective: MeanLoss, linear: Any, *, kinked: bool, convex: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Units of the predictors, and their mean curvature (k, k)."""
    units = output_units(objective)[1]
    if kinked and convex:  # that of the targets, where any predictor is a level of them
        units = np.full(len(units), next(iter(units[units != 1]), 1.0))
    if kinked:
        seen = objective.at_units(units).through(_KINKED)
        return units, _raised(_mean_curvature(seen, linear), units)
    rows, _, weight, *_ = objective.data
    slope = objective.point(linear).slope
    _, (square,) = rows.apply(_mean_squares, weight, slope)
    for _ in range(_REMEASURED):
        seen = objective.at_units(units).through(_SMOOTH)
        curvature = np.diag(_mean_curvature(seen, linear))
        change = np.sqrt(np.asarray(square, np.float64)) / curvature / units
        known = np.isfinite(change) & (change > 0)
        units = units * np.where(known, np.minimum(change, _MOST), 1.0)
        units = _near(objective, linear, units, curvature)
    return units, _mean_curvature(objective.at_units(units).through(_SMOOTH), linear)


def _near(
    objective: MeanLoss, linear: Any, units: np.ndarray, curvature: np.ndarray
) -> np.ndarray:
    """Halve units until the loss that far off is no more than a few times foretold.

    A predictor that has nearly no curvature here may have much elsewhere: so has the
    logarithm of a scale that is far above all errors.
    """
    here, point, units = objective.value(linear), objective.point(linear), units.copy()
    _, steepness = slopes_at(objective, point)
    for output, direction in enumerate(np.eye(len(units))):
        for _ in range(_UNIT_HALVINGS):
            unit, highest = units[output], here
            highest += _RISING * unit * (steepness + curvature * unit)[output]
            ways = (objective.moved(linear, way * unit * direction) for way in (-1, 1))
            if all(objective.value(each) <= highest for each in ways):
                break
            units[output] /= 2
    return units


def _mean_curvature(objective: MeanLoss, linear: Any) -> np.ndarray:
    found = objective.data.rows.numpy(objective.point(linear).curvature)
    return np.asarray(found.sum(axis=0, dtype=np.float64))


def _raised(curvature: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return curvatures none of which vanishes: all kinks may be further off."""
    own = np.diag(curvature) * units**2
    return curvature + np.diag(np.maximum(_RAISED * own.max() - own, 0.0) / units**2)


def _mean_squares(xp: Any, weight: Any, slope: Any) -> Any:
    """Visitor: mean squares of slopes, from those that are weighted."""
    shares = xp.where(weight > 0, weight, 1.0)[:, None]
    return (), ((xp.square(slope) / shares).sum(axis=0),)


def _live(
    objective: MeanLoss, linear: Any, units: np.ndarray, *, kinked: bool
) -> np.ndarray | None:
    """Orthonormal directions (k, q) that rows have slopes along, here or near here.

    None where that is all.
    """
    rows = objective.data.rows
    rng = np.random.default_rng(0)
    seen = []
    for distance in (0.0, _AROUND, _BEYOND_KINKS)[: 2 + kinked]:
        moved = distance * units * rng.standard_normal((rows.shape[0], len(units)))
        moved = rows.vector(moved + rows.numpy(linear))
        slope = rows.numpy(objective.point(moved).slope)
        seen.append(slope[np.isfinite(slope).all(axis=1)])
    slopes = np.concatenate(seen).astype(np.float64) * units
    # An exponential may be so steep in one row that others would vanish beside it, and
    # units that are wrong would hide a predictor: neither decides what is none.
    steepness = np.linalg.norm(slopes, axis=1, keepdims=True)
    slopes = slopes / np.maximum(steepness, float(np.median(steepness)) or 1.0)
    scale = positive_roots(np.square(slopes).mean(axis=0))
    _, values, directions = np.linalg.svd(slopes / scale, full_matrices=False)
    noise = max(_NO_SLOPE, 64 * float(np.finfo(rows.dtype).eps))
    null = values <= noise * values.max(initial=0.0)
    if null.all() or not null.any():
        return None
    along = (units / scale)[:, None] * directions[null].T
    return np.linalg.qr(along, mode="complete")[0][:, along.shape[1] :]
