"""The mean loss where most rows lie on straight pieces: one linear function for all.

A convex loss whose slopes agree at both ends of a window is straight in between. While
the linear predictors of such rows stay in their windows, the rows are together one
linear function of theta, and a step costs what the few others cost [1]_. In the end one
product with X tells which rows have left their pieces, and those move as well when the
descent goes on. Nothing is approximated where none has.

With k linear predictors a row the window is a cross: two ends along each axis, a
bandwidth h in units u_j of each predictor away. Where the gradient of a convex loss is
the same at both ends of an axis, it is a subgradient all along it, so that those of all
axes are one, and the loss is linear on the convex hull of the 2 k ends. The cross of a
smaller h' around z' is in that of z where sum_j |z'_j - z_j| / u_j + h' <= h. Further
off one gradient tells: where it is the same at z + (z' - z) / (1 - h' / h), the loss is
linear on the hull of this point and the cross of z, in which that of z' lies.

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

from sklearn_adreg._loss.slopes import is_same_piece
from sklearn_adreg._objective.mean_loss import MeanLoss, Point
from sklearn_adreg._objective.visitors import across
from sklearn_adreg._rows.rows import Visitor, spread_out

# Rows that move are few where they are not more than this part of all.
_FEW_MOVING = 0.25
# Straight rows that are watched at each step: they move as well, and what they add when
# they leave their pieces counts for all. Without them some descents ran away.
_WATCHED_ROWS = 1 << 10
# With k predictors a row as many rows as are watched, or as this times the entries of
# theta, cost no more than they spare when they go on moving: at the minimum about as
# many as the entries lie at kinks, and a descent that does not see which are next to
# them goes astray. Three quantiles of 20,000 x 50 take 2.1 s in place of 6.3 s, of
# 10,000 x 100 6.9 s in place of 10.6 s (without those by entries; half: 7.0 s).
_MOVING_PER_ENTRY = 8

Linear = tuple[Any, float]


class Pieces(NamedTuple):
    """Straight pieces of the rows' losses, weighted: row vectors.

    At z within `reach` of `centre` a loss is `value` + `slope` . (z - `centre`). With k
    predictors a row these two are (n, k), and distances are sums over the predictors,
    in their units. A row without a piece has a negative reach, and zeros.
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
        rows, level = whole.data.rows, whole.level
        nothing = np.zeros(rows.shape[0])
        reach, value = map(rows.vector, (nothing - 1.0, nothing))
        pulled = np.zeros(rows.shape[1] * whole.n_outputs)
        return cls(whole, Pieces(level, reach, level, value), pulled)

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
        """Return the rows whose windows are not within their pieces any more.

        Distances of k predictors add up to more than a reach where most rows are still
        straight: these are looked at.
        """
        centre, reach, *_ = self.pieces
        scalars: dict[str, Any] = {"bandwidth": bandwidth}
        if self.whole.units is not None:
            scalars["units"] = np.asarray(self.whole.units)
        index = self._chosen(_has_left, linear, centre, reach, **scalars)
        if self.whole.units is None or not len(index):
            return index
        return index[self._bends(index, linear, bandwidth)]

    def without(self, index: np.ndarray) -> Settled:
        """Return the same where some rows have no piece."""
        few = replace(self.whole, data=self.whole.data.take(index))
        return self._changed(index, Settled.nothing(few).pieces)

    def settle(self, index: np.ndarray, linear: Any, point: Point) -> Settled:
        """Give a piece to those rows of `index` that a window saw as straight.

        `linear` are the linear predictors of all rows, and the point one of the rows of
        `index` seen through the window of `whole`. Rows with pieces keep theirs, and
        the others go on moving where they are few already.
        """
        if self._moving_are_few:
            return self
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
        return replace(self, pieces=pieces, pulled=_pulled(self._rows, pieces.slope))

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
        slope = self.pulled - factor * _pulled(seen, pieces[2])
        _, (total,) = self._rows.apply(_on_pieces, linear, *self.pieces)
        _, (counted,) = seen.apply(_on_pieces, here, *pieces)
        constant = float(total) - factor * float(counted) - float(slope @ theta)
        constant += self.whole.constant - few.constant
        return StraightLoss(few, slope, constant), index

    @property
    def _moving_are_few(self) -> bool:
        """Whether to give no piece to a row of k predictors that moves."""
        few = max(_WATCHED_ROWS, _MOVING_PER_ENTRY * len(self.pulled))
        return self.whole.units is not None and len(self.moving) <= few

    @property
    def _rows(self) -> Any:
        return self.whole.data.rows

    def _bends(self, index: np.ndarray, linear: Any, bandwidth: float) -> np.ndarray:
        """Which rows have another slope beyond their windows, as seen from pieces."""
        centre, reach, slope, _ = self.pieces
        some, (*ends, slope) = self._rows.take(index, linear, centre, reach, slope)
        (beyond,), _ = some.apply(_beyond, *ends, bandwidth=bandwidth)
        few = replace(self.whole, data=self.whole.data.take(index), bandwidth=0.0)
        (differs,), _ = some.apply(_differs, slope, few.point(beyond).slope)
        return np.asarray(some.nonzero(differs))

    def _chosen(self, which: Visitor, *vectors: Any, **scalars: Any) -> np.ndarray:
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
        pulled = self.pulled + _pulled(some, difference)
        return replace(self, pieces=Pieces(*changed), pulled=pulled)


def _pulled(rows: Any, slope: Any) -> np.ndarray:
    """Transposed rows times slopes, as one vector like theta."""
    return np.asarray(rows.rmatvec(slope)).reshape(-1)


def _has_piece(_xp: Any, reach: Any) -> Any:
    return (reach >= 0,), ()


def _has_left(
    _xp: Any, linear: Any, centre: Any, reach: Any, bandwidth: Any, units: Any = None
) -> Any:
    distance = abs(linear - centre)
    if units is not None:
        distance = (distance / units).sum(axis=1)
    away = ~(distance <= reach - bandwidth)
    return (away & (reach >= 0),), ()


def _beyond(xp: Any, linear: Any, centre: Any, reach: Any, bandwidth: Any) -> Any:
    """Visitor: points whose hulls with pieces just hold windows of predictors."""
    part = xp.maximum(1 - bandwidth / reach, xp.finfo(linear.dtype).eps)
    return (centre + (linear - centre) / across(part, linear),), ()


def _differs(_xp: Any, slope: Any, other: Any) -> Any:
    same = is_same_piece(slope - other, slope, other)
    return (~same.all(axis=1),), ()


def _newly_straight(_xp: Any, curvature: Any, reach: Any) -> Any:
    return (_is_straight(curvature) & (reach < 0),), ()


def _settled(
    xp: Any, linear: Any, curvature: Any, slope: Any, losses: Any, reach: Any
) -> Any:
    """Visitor: pieces of the rows that are straight."""
    straight = _is_straight(curvature)
    reach = xp.where(straight, reach, -1.0).astype(linear.dtype)
    known = (
        xp.where(across(straight, part), part, 0.0) for part in (linear, slope, losses)
    )
    centre, slope, losses = known
    return (centre, reach, slope, losses), ()


def _is_straight(curvature: Any) -> Any:
    """Whether rows do not bend: (n,), or (n, k, k) with k predictors a row."""
    flat = curvature == 0
    return flat if flat.ndim == 1 else flat.all(axis=(1, 2))


def _product(_xp: Any, one: Any, other: Any) -> Any:
    return (one * other,), ()


def _difference(_xp: Any, one: Any, other: Any) -> Any:
    return (one - other,), ()


def _on_pieces(
    _xp: Any, linear: Any, centre: Any, reach: Any, slope: Any, value: Any
) -> Any:
    """Visitor: sum of the losses of the rows with pieces."""
    rise = slope * (linear - centre)
    losses = value + (rise if rise.ndim == 1 else rise.sum(axis=1))
    return (), ((losses * (reach >= 0)).sum(),)
