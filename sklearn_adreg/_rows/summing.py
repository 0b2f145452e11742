"""Rows that have settled, summed up in one: a descent on the few others.

Settled rows are together one linear function of the coefficients. While none leaves its
piece, a step costs what the other rows cost, few in a narrow window, and nothing of the
length of the data is touched. Afterwards the predictors of all rows tell which have
left, and those move as well when the descent goes on.

References
----------
.. [1] S. Portnoy, R. Koenker, "The Gaussian hare and the Laplacian tortoise:
   computability of squared-error versus absolute-error estimators", Statistical
   Science 12, 1997.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._rows.row_losses import Point
from sklearn_adreg._rows.samples import HostSamples, Samples
from sklearn_adreg._rows.settling import SettledSamples

# Moving rows that are more than this part of all are not few.
_FEW = 0.25
# Rows that a window so much wider would not leave on a piece may move soon.
_MARGIN = 3.0
# As many settled rows are watched at each step.
_WATCHED = 1 << 10


class Predictors(NamedTuple):
    """Linear predictors of the rows that move, and the sum of the others."""

    moving: np.ndarray
    settled: float


@dataclass(frozen=True)
class SummedSamples:
    """Samples of which all but `moving` are `slope` . coef + `constant`, in the mean.

    `rows` are those that move, among all that `settled` knows.
    """

    moving: HostSamples
    slope: np.ndarray
    constant: float
    settled: SettledSamples
    rows: np.ndarray
    sketch = None

    def locate(self, coef: np.ndarray) -> Predictors:
        """Linear predictors at coefficients."""
        return Predictors(self.moving.locate(coef), float(self.slope @ coef))

    def value(self, linear: Predictors) -> float:
        """Mean loss."""
        return self.moving.value(linear.moving) + linear.settled + self.constant

    def point(self, linear: Predictors, width: float) -> Point:
        """Differentiate at a value of the linear predictors."""
        return self._point(self.moving.point(linear.moving, width), linear.settled, 0.0)

    def along(
        self, linear: Predictors, ray: Predictors, length: float, width: float
    ) -> Point:
        """Point at a distance along a ray."""
        point = self.moving.along(linear.moving, ray.moving, length, width)
        return self._point(point, linear.settled + length * ray.settled, ray.settled)

    def gradient(self, point: Point) -> np.ndarray:
        """Gradient of the mean loss by the coefficients."""
        return self.moving.gradient(point) + self.slope

    def bend(self, linear: Predictors, width: float) -> float:
        """Mean curvature of the rows that move, roughly."""
        return self.moving.bend(linear.moving, width)

    def hessian(self, curvature: np.ndarray) -> np.ndarray:
        """Second moments of the rows and the intercept's ones, weighted so."""
        return self.moving.hessian(curvature)

    def hessian_cost(self, curvature: np.ndarray | None) -> float:
        """Cost of a Hessian in passes over the rows that move."""
        return self.moving.hessian_cost(curvature)

    def restricted(self, columns: np.ndarray) -> SummedSamples:
        """Return samples with some of the columns, which are copied."""
        slope = np.append(self.slope[columns], self.slope[-1])
        return replace(self, moving=self.moving.restricted(columns), slope=slope)

    def left(self, linear: np.ndarray, width: float) -> np.ndarray:
        """Return the settled rows that have left their pieces."""
        away = self.settled.away(linear, width)
        return away[~np.isin(away, self.rows, assume_unique=True, kind="table")]

    def seem_to_stay(self, coef: np.ndarray) -> bool:
        """Whether some that are watched are."""
        samples, centre, reach = self._watched
        return bool((np.abs(samples.locate(coef) - centre) <= reach).all())

    @cached_property
    def _watched(self) -> tuple[HostSamples, np.ndarray, np.ndarray]:
        everyone, pieces = self.settled.everyone, self.settled.pieces
        n_rows = len(pieces.reach)
        rows = np.arange(0, n_rows, max(1, n_rows // _WATCHED))
        rows = rows[~np.isin(rows, self.rows, assume_unique=True)]
        return everyone.take(rows), pieces.centre[rows], pieces.reach[rows]

    def whole(self, point: Point, linear: np.ndarray) -> Point:
        """Return a point of these as one of all rows."""
        slopes = self.settled.pieces.slope.copy()
        curvature = np.zeros_like(slopes)
        slopes[self.rows], curvature[self.rows] = point.slopes, point.curvature
        return point._replace(linear=linear, slopes=slopes, curvature=curvature)

    def _point(self, point: Point, settled: float, rise: float) -> Point:
        value = point.value
        return point._replace(
            linear=Predictors(point.linear, settled),
            value=None if value is None else value + settled + self.constant,
            rise=point.rise + rise,
        )


def sum_up(
    samples: Samples, linear: Any, width: float, coef: np.ndarray, free: np.ndarray
) -> SummedSamples | None:
    """Sum up the rows that have settled; None where the others are not few.

    Those that are `free` move, whether they have settled or not.
    """
    if not isinstance(samples, SettledSamples):
        return None
    moves = np.zeros(len(linear), dtype=bool)
    moves[samples.away(linear, _MARGIN * width)] = True
    moves[free] = True
    rows = np.flatnonzero(moves)
    if not 0 < len(rows) < _FEW * len(linear):
        return None
    centre, _, slope, value = samples.pieces
    moving = samples.everyone.take(rows)
    pulled = samples.pulled - moving.pull(slope[rows])
    values = value + slope * (linear - centre)
    values[rows] = 0.0
    constant = float(values.sum(dtype=np.float64)) - float(pulled @ coef)
    constant += samples.everyone.losses.left_out - moving.losses.left_out
    return SummedSamples(moving, pulled, constant, samples, rows)
