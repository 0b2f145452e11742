"""The mean loss where most rows lie on straight pieces: one linear function for all.

A convex loss whose slopes agree at both ends of a window is straight in between. While
the linear predictors of such rows stay in their windows, the rows are together one
linear function of theta, and a step costs what the few others cost [1]_. In the end one
product with X tells which rows have left their pieces, and those move as well when the
descent goes on. Nothing is approximated where none has.

References
----------
.. [1] S. Portnoy, R. Koenker, "The Gaussian hare and the Laplacian tortoise:
   computability of squared-error versus absolute-error estimators", Statistical
   Science 12, 1997.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._objective.mean_loss import MeanLoss, Point
from sklearn_adreg._rows.rows import Visitor, spread_out

# Rows that move are few where they are not more than this part of all.
_FEW_MOVING = 0.25
# Straight rows that are watched at each step: they move as well, and what they add when
# they leave their pieces counts for all. Without them some descents ran away.
_WATCHED_ROWS = 1 << 10

Linear = tuple[Any, float]


class Pieces(NamedTuple):
    """Straight pieces of the rows' losses, weighted: row vectors.

    At z within `reach` of `centre` a loss is `value` + `slope` * (z - `centre`). A row
    without a piece has a negative reach, and zeros.
    """

    centre: Any
    reach: Any
    slope: Any
    value: Any


@dataclass(frozen=True)
class StraightLoss:
    """The mean loss of the `moving` rows plus `slope` . theta + `constant`.

    Linear predictors are those of the rows that move, and the others' summed losses.
    """

    moving: MeanLoss
    slope: np.ndarray
    constant: float

    @property
    def bandwidth(self) -> float:
        """Half the width of the window through which the loss is seen."""
        return self.moving.bandwidth

    def linear_predictor(self, theta: np.ndarray) -> Linear:
        """Linear predictors at theta."""
        rest = float(self.slope @ theta) + self.constant
        return self.moving.linear_predictor(theta), rest

    def ray(self, direction: np.ndarray) -> Linear:
        """Change of the linear predictors along a direction."""
        return self.moving.ray(direction), float(self.slope @ direction)

    def value(self, linear: Linear) -> float:
        """Mean loss, without a window."""
        return self.moving.value(linear[0]) + linear[1]

    def point(
        self, linear: Linear, ray: Linear = (None, 0.0), length: float = 0.0
    ) -> Point:
        """Differentiate at values of the linear predictors, or along a ray."""
        point = self.moving.point(linear[0], ray[0], length)
        rest = linear[1] + length * ray[1]
        slope = point.directional_derivative + ray[1]
        return point._replace(
            linear=(point.linear, rest),
            value=point.value + rest,
            directional_derivative=slope,
        )

    def after(self, linear: Linear, direction: np.ndarray) -> None:
        """Return nothing: rows are straight in windows alone."""

    def gradient(self, point: Point) -> np.ndarray:
        """Gradient by theta."""
        return self.moving.gradient(point) + self.slope

    def unforeseen(
        self, point: Point, ray: Linear, there: Point, noise: float
    ) -> float:
        """Difference of the slopes from those that bends foretell."""
        return self.moving.unforeseen(point, ray[0], there, noise)

    def curved(
        self, point: Point, bandwidth: float, widest: float = 0.0, times: int = 0
    ) -> tuple[MeanLoss, Point]:
        """Return the rows that move, and how they bend."""
        bent = point._replace(linear=point.linear[0])
        return self.moving.curved(bent, bandwidth, widest, times)


@dataclass(frozen=True)
class Settled:
    """The straight pieces of rows of `whole`, and the sum of their gradients."""

    whole: MeanLoss
    pieces: Pieces
    pulled: np.ndarray

    @classmethod
    def nothing(cls, whole: MeanLoss) -> Settled:
        """Return the same of rows without pieces."""
        rows = whole.data.rows
        nothing = np.zeros(rows.shape[0])
        vectors = map(rows.vector, (nothing, nothing - 1.0, nothing, nothing))
        return cls(whole, Pieces(*vectors), np.zeros(rows.shape[1]))

    @property
    def index(self) -> np.ndarray:
        """Numbers of the rows that have a piece."""
        return self._chosen(_has_piece, self.pieces.reach)

    @property
    def moving(self) -> np.ndarray:
        """Numbers of the rows that have none."""
        moves = np.full(self._rows.shape[0], True)
        moves[self.index] = False
        return np.flatnonzero(moves)

    def left(self, linear: Any, bandwidth: float) -> np.ndarray:
        """Return the rows whose windows are not within their pieces any more."""
        centre, reach, *_ = self.pieces
        return self._chosen(_has_left, linear, centre, reach, bandwidth=bandwidth)

    def without(self, index: np.ndarray) -> Settled:
        """Return the same where some rows have no piece."""
        few = replace(self.whole, data=self.whole.data.take(index))
        return self._changed(index, Settled.nothing(few).pieces)

    def settle(self, index: np.ndarray, linear: Any, point: Point) -> Settled:
        """Give a piece to those rows of `index` that a window saw as straight.

        `linear` are the linear predictors of all rows, and the point one of the rows of
        `index` seen through the window of `whole`. Rows with pieces keep theirs.
        """
        some, (here, reach) = self._rows.take(index, linear, self.pieces.reach)
        (straight,), _ = some.apply(_newly_straight, point.curvature, reach)
        chosen = some.nonzero(straight)
        _, (here, slope) = some.take(chosen, here, point.slope)
        few = replace(self.whole, data=self.whole.data.take(index[chosen]))
        reach = few.data.rows.vector(np.full(len(chosen), self.whole.bandwidth))
        return self._changed(index[chosen], (here, reach, slope, few.losses(here)))

    def settle_all(self, point: Point) -> Settled:
        """Give a piece to all rows that a window saw as straight, and to no others."""
        found = self._rows.apply(
            _settled,
            point.linear,
            point.curvature,
            point.slope,
            self.whole.losses(point.linear),
            reach=self.whole.bandwidth,
        )
        pieces = Pieces(*found[0])
        return replace(self, pieces=pieces, pulled=self._rows.rmatvec(pieces.slope))

    def objective(
        self, theta: np.ndarray, linear: Any
    ) -> tuple[StraightLoss, np.ndarray] | None:
        """Sum the rows with pieces up; None where the others are not few.

        Returns the numbers of the rows that move as well, without those watched.
        """
        straight, moving, n_rows = self.index, self.moving, self._rows.shape[0]
        if not 0 < len(moving) < _FEW_MOVING * n_rows:
            return None
        watched = spread_out(straight, _WATCHED_ROWS)
        factor = len(straight) / len(watched)
        index = np.sort(np.concatenate([moving, watched]))
        data = self.whole.data.take(index)
        times = np.where(np.isin(index, moving), 1.0, factor)
        (weight,), _ = data.rows.apply(_product, data.weight, data.rows.vector(times))
        few = replace(self.whole, data=data._replace(weight=weight))
        # The straight rows, less what those that are watched add as they move.
        seen, (here, *pieces) = self._rows.take(watched, linear, *self.pieces)
        slope = self.pulled - factor * seen.rmatvec(pieces[2])
        _, (total,) = self._rows.apply(_on_pieces, linear, *self.pieces)
        _, (counted,) = seen.apply(_on_pieces, here, *pieces)
        constant = float(total) - factor * float(counted) - float(slope @ theta)
        constant += self.whole.constant - few.constant
        return StraightLoss(few, slope, constant), index

    @property
    def _rows(self) -> Any:
        return self.whole.data.rows

    def _chosen(self, which: Visitor, *vectors: Any, **scalars: float) -> np.ndarray:
        """Numbers of the rows that a visitor chooses."""
        (chosen,), _ = self._rows.apply(which, *vectors, **scalars)
        return np.asarray(self._rows.nonzero(chosen))

    def _changed(self, index: np.ndarray, pieces: tuple[Any, ...]) -> Settled:
        """Return the same with other pieces of some rows."""
        if not len(index):
            return self
        some, (before,) = self._rows.take(index, self.pieces.slope)
        (difference,), _ = some.apply(_difference, pieces[2], before)
        changed = (
            self._rows.put(old, index, new)
            for old, new in zip(self.pieces, pieces, strict=True)
        )
        pulled = self.pulled + some.rmatvec(difference)
        return replace(self, pieces=Pieces(*changed), pulled=pulled)


def _has_piece(_xp: Any, reach: Any) -> Any:
    return (reach >= 0,), ()


def _has_left(_xp: Any, linear: Any, centre: Any, reach: Any, bandwidth: Any) -> Any:
    away = ~(abs(linear - centre) <= reach - bandwidth)
    return (away & (reach >= 0),), ()


def _newly_straight(_xp: Any, curvature: Any, reach: Any) -> Any:
    return ((curvature == 0) & (reach < 0),), ()


def _settled(
    xp: Any, linear: Any, curvature: Any, slope: Any, losses: Any, reach: Any
) -> Any:
    """Visitor: pieces of the rows that are straight."""
    straight = curvature == 0
    reach = xp.where(straight, reach, -1.0).astype(linear.dtype)
    known = (xp.where(straight, part, 0.0) for part in (linear, slope, losses))
    centre, slope, losses = known
    return (centre, reach, slope, losses), ()


def _product(_xp: Any, one: Any, other: Any) -> Any:
    return (one * other,), ()


def _difference(_xp: Any, one: Any, other: Any) -> Any:
    return (one - other,), ()


def _on_pieces(
    _xp: Any, linear: Any, centre: Any, reach: Any, slope: Any, value: Any
) -> Any:
    """Visitor: sum of the losses of the rows with pieces."""
    losses = value + slope * (linear - centre)
    return (), ((losses * (reach >= 0)).sum(),)
