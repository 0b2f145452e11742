"""Rows that have settled on a straight piece of their loss, and need not be looked at.

A convex loss whose derivatives agree at both ends of a window is straight between them.
While the linear predictor of such a row stays inside the window, its loss and its
derivative are known, and only the other rows are differentiated: few, once windows are
narrow. Nothing is approximated: a row that leaves its piece is one of the others.

References
----------
.. [1] S. Portnoy, R. Koenker, "The Gaussian hare and the Laplacian tortoise:
   computability of squared-error versus absolute-error estimators", Statistical
   Science 12, 1997. They sum such rows up in one, and check in the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sklearn_adreg._rows.row_losses import CHUNK, Point, chunks
from sklearn_adreg._rows.samples import HostSamples, Samples

# Fewer rows than these, or half of the rows, are not worth telling apart.
_FEWEST, _MOST = CHUNK // 4, 0.5


class Pieces(NamedTuple):
    """Straight pieces of the rows' losses, weighted, and their extent.

    At z within `reach` of `centre` a loss is `value` + `slope` * (z - `centre`); a
    negative reach is that of a row without a piece.
    """

    centre: np.ndarray
    reach: np.ndarray
    slope: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class SettledSamples:
    """Samples of which some have settled; what `HostSamples` offers, at less cost.

    `pulled` is the gradient that the slopes of the pieces make.
    """

    everyone: HostSamples
    pieces: Pieces
    pulled: np.ndarray
    sketch = None

    def locate(self, coef: np.ndarray) -> np.ndarray:
        """Linear predictor at coefficients."""
        return self.everyone.locate(coef)

    def value(self, linear: np.ndarray) -> float:
        """Mean loss."""
        away = self.away(linear, 0.0)
        centre, _, slope, value = self.pieces
        losses = value + slope * (linear - centre)
        losses[away] = self.everyone.losses.take(away).weighted(linear[away])
        return float(losses.sum(dtype=np.float64)) + self.everyone.losses.left_out

    def point(self, linear: np.ndarray, width: float) -> Point:
        """Differentiate at a value of the linear predictor."""
        return self.along(linear, np.zeros_like(linear), 0.0, width)

    def along(
        self, linear: np.ndarray, ray: np.ndarray, length: float, width: float
    ) -> Point:
        """Point at a distance along a ray; no pass over X."""
        linear = linear + linear.dtype.type(length) * ray
        away = self.away(linear, width)
        found = self.everyone.losses.take(away).point(linear[away], width)
        slopes, curvature = self.pieces.slope.copy(), np.zeros_like(linear)
        slopes[away], curvature[away] = found.slopes, found.curvature
        return found._replace(
            linear=linear,
            value=self.value(linear) if width == 0 else None,
            slopes=slopes,
            curvature=curvature,
            rise=float(slopes @ ray),
        )

    def gradient(self, point: Point) -> np.ndarray:
        """Gradient of the mean loss by the coefficients; reads rows off their piece."""
        return self.pulled + self.everyone.pull(point.slopes - self.pieces.slope)

    def bend(self, linear: np.ndarray, width: float) -> float:
        """Mean curvature, from some of the rows."""
        return self.everyone.bend(linear, width)

    def hessian(self, curvature: np.ndarray) -> np.ndarray:
        """Second moments of the rows and the intercept's ones, weighted so."""
        return self.everyone.hessian(curvature)

    def hessian_cost(self, curvature: np.ndarray | None) -> float:
        """Cost of a Hessian in passes over X."""
        return self.everyone.hessian_cost(curvature)

    def restricted(self, columns: np.ndarray) -> HostSamples:
        """Return samples with some of the columns, which are copied."""
        return self.everyone.restricted(columns)

    def away(self, linear: np.ndarray, width: float) -> np.ndarray:
        """Return the rows that are not on a piece, with a window around them."""
        centre, reach = self.pieces.centre, self.pieces.reach
        found = [
            rows.start
            + np.flatnonzero(
                ~(np.abs(linear[rows] - centre[rows]) <= reach[rows] - width)
            )
            for rows in chunks(len(linear))
        ]
        return np.concatenate(found)


def settled(samples: Samples, point: Point, width: float) -> Samples:
    """Return samples that know the pieces seen through a window.

    On a device all rows are differentiated: there are enough processors.
    """
    if not isinstance(samples, HostSamples | SettledSamples):
        return samples
    straight = point.curvature == 0
    n_rows = len(straight)
    if n_rows < _FEWEST or np.count_nonzero(straight) < _MOST * n_rows:
        return samples
    known = samples if isinstance(samples, SettledSamples) else _unsettled(samples)
    everyone, before = known.everyone, known.pieces
    straight &= np.abs(point.linear - before.centre) > before.reach - width
    rows = np.flatnonzero(straight)
    pieces = Pieces(*(part.copy() for part in before))
    pieces.centre[rows], pieces.reach[rows] = point.linear[rows], width
    pieces.slope[rows] = point.slopes[rows]
    pieces.value[rows] = everyone.losses.take(rows).weighted(point.linear[rows])
    pulled = known.pulled + everyone.pull(pieces.slope - before.slope)
    return SettledSamples(everyone, pieces, pulled)


def _unsettled(samples: HostSamples) -> SettledSamples:
    """Return samples of which no row has a piece."""
    n_rows, n_features = samples.design.shape
    centre, slope, value = np.zeros((3, n_rows), dtype=samples.design.dtype)
    pieces = Pieces(centre, np.full_like(centre, -np.inf), slope, value)
    return SettledSamples(samples, pieces, np.zeros(n_features + 1))
