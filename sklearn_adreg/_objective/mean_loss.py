"""The mean loss as a function of the coefficients: where descents visit the rows.

With weights s_i that sum to one and linear predictors z_i = x_i . theta + offset_i,

    F(theta) = sum_i s_i loss(y_i, z_i, row data of i).

The linear predictor is ours and the loss is the backend's: by the chain rule the
gradient is X^T (s * g), where automatic differentiation is asked for g, the derivative
of the loss by the linear predictor, alone. Along a ray z + t dz the mean loss is a
function of one number: its value and its derivative cost no product with X.

A row of weight zero does not count, whatever its target, its loss and, where that is
finite, its row of X.

With k predictors a row descents see theta, (p, k), as one vector, row by row. This
module alone takes it apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.curvature import (
    effective_number,
    trace_in_units,
    unforeseen,
)
from sklearn_adreg._objective.visitors import Kept, Losses, Slopes, across
from sklearn_adreg._rows.host import HostRows
from sklearn_adreg._rows.rows import Data, spread_out
from sklearn_adreg._tracing import is_traced
from sklearn_adreg.backends.base import Backend

# Rows, rows a column and one row in so many, at the least, whose curvature stands for
# that of all: second moments of p columns are then right to about sqrt(1 / 40) in each
# direction. All are asked where those would be more than one in two, or in four by a
# method that keeps a Hessian for several steps: counts of 20,000 x 45 take 10 steps in
# place of 15, those of 300,000 x 60 take 5 in place of 6. With a Hessian a step, an l1
# penalty on counts of 20,000 x 50, all rows take 1.4 times as long. Curvatures of k
# predictors a row take 2 k gradients, and of more than two fewer rows are seen, down to
# the fewest: softmax of 30 classes, 20,000 x 5, in half of the time and 10 steps for 9,
# of ten, 60,000 x 30, in half and 11 for 10.
_ENOUGH_ROWS, _ENOUGH_PER_COLUMN, _ENOUGH_SHARE = 1 << 13, 40, 16
_FEWEST_ROWS = 1 << 10
_FEWER, _FEWER_KEPT = 2, 4
# Where fewer rows a column than these make up the curvature, all rows are asked.
_EFFECTIVE_PER_COLUMN = 10
# Where fewer rows a column bend, as those of Huber's loss with a tiny delta do, a wider
# window tells what curvature a step meets: its metric leads there in 20 steps, and that
# of a narrow one in none of 200.
_FEWEST_PER_COLUMN, _WIDENING = 0.5, 10.0
# Where a smaller part of the rows bends, or less than half as many as there are
# columns, windows take fewer steps and less time: with an l1 penalty and Huber's,
# pseudo-Huber's or log-cosh loss, 0.7 to 0.9 of the time of 300 x 10 and 0.9 to 1.3
# times that of 3,000 x 30 at a part of 0.05, 0.6 to 0.9 at 0.02. At 0.1 they take 0.9
# to 1.1 times as long.
_FEW_BENT = 0.05


class Point(NamedTuple):
    """The mean loss at values of the linear predictor.

    `linear`, `slope` and `curvature` are row vectors, the last two weighted. The
    `curvature` of each row, in absolute value, and its mean are known within a window
    and None otherwise; the value is then that of the loss in the window.
    `directional_derivative` is that along the ray that led here, and `gradient` that by
    theta, where it came with the same reading of X.
    """

    linear: Any
    value: float
    slope: Any
    curvature: Any
    directional_derivative: float
    mean_curvature: float | None
    gradient: np.ndarray | None = None


@dataclass(frozen=True)
class MeanLoss:
    """The mean loss of data, seen through a window where `bandwidth` is above zero.

    With `units`, (k,), the loss has k predictors a row: the bandwidth and the mean
    curvature are in these units.
    """

    data: Data
    loss: LinearLoss
    backend: Backend
    bandwidth: float = 0.0
    units: tuple[float, ...] | None = None

    @property
    def n_outputs(self) -> int:
        """Linear predictors a row."""
        return 1 if self.units is None else len(self.units)

    def through(self, bandwidth: float) -> MeanLoss:
        """Return the same seen through a window, or without one."""
        return replace(self, bandwidth=bandwidth)

    def at_units(self, units: np.ndarray) -> MeanLoss:
        """Return the same with other units of its predictors."""
        return replace(self, units=tuple(map(float, units)))

    def of_constants(self) -> Iterator[MeanLoss]:
        """Yield the mean loss of each target as a function of its intercepts alone.

        Its rows have no columns, and are in host memory: few shapes are compiled.
        """
        rows, _, weight, offset, row_data = self.data
        target, weight = rows.numpy(self.data.target), rows.numpy(weight)
        target = target.reshape(len(target), -1)
        nothing = np.empty((len(target), 0), rows.dtype)
        alone = HostRows(nothing, None, np.zeros(0), rows.intercept)
        known = tuple(rows.numpy(each) for each in row_data)
        for j in range(target.shape[1]):
            beside = offset
            if offset is not None:
                every = rows.numpy(offset)
                beside = alone.vector(every if self.units else every[:, j])
            one = Data(alone, alone.vector(target[:, j]), weight, beside, known)
            yield replace(self, data=one)

    @property
    def level(self) -> Any:
        """Linear predictors that are zero."""
        rows = self.data.rows
        shape = () if self.units is None else (self.n_outputs,)
        return rows.vector(np.zeros((rows.shape[0], *shape)))

    def linear_predictor(self, theta: np.ndarray) -> Any:
        """Linear predictors at theta; one product with X."""
        rows, _, _, offset, _ = self.data
        linear = self.ray(theta)
        return linear if offset is None else rows.apply(_added, linear, offset)[0][0]

    def ray(self, direction: np.ndarray) -> Any:
        """Change of the linear predictors along a direction; one product with X."""
        return self.data.rows.matvec(_by_output(direction, self.units))

    def moved(self, linear: Any, by: np.ndarray) -> Any:
        """Linear predictors, each moved by a constant, (k,)."""
        return self.data.rows.apply(_moved, linear, by=by)[0][0]

    def value(self, linear: Any) -> float:
        """Mean loss, without a window."""
        return float(self._visited(linear)[1][0]) + self.constant

    def losses(self, linear: Any) -> Any:
        """Weighted losses of the rows, less the terms that depend on y alone."""
        return self._visited(linear)[0][0]

    def point(self, linear: Any, ray: Any = None, length: float = 0.0) -> Point:
        """Differentiate at values of the linear predictor, or along a ray from there.

        It takes no product with X.
        """
        moves, scalars = () if ray is None else (ray,), {}
        if ray is not None:
            scalars["length"] = length
        if self.bandwidth > 0:
            scalars |= self._window
        (slope, *further), (value, derivative, mean_curvature) = self.data.rows.apply(
            self._slopes(len(moves)), linear, *moves, *self._labels, **scalars
        )
        if moves:
            linear, *further = further
        return Point(
            linear,
            float(np.asarray(value).sum()) + self.constant,
            slope,
            further[0] if further else None,
            float(derivative),
            float(mean_curvature) if further else None,
        )

    def at(self, theta: np.ndarray) -> Point:
        """Differentiate at theta, with the gradient, from one reading of X."""
        offset = self.level if self.data.offset is None else self.data.offset
        return self._visited_once(Kept(self._slopes(1)), offset, theta)

    def after(self, linear: Any, direction: np.ndarray) -> Point | None:
        """Differentiate a whole step away, with the gradient, from one reading of X.

        The slopes of the rows are not kept. None in a window: what is straight there is
        told by slopes.
        """
        if self.bandwidth > 0:
            return None
        return self._visited_once(self._slopes(1), linear, direction)

    def _visited_once(
        self, visitor: Slopes | Kept, linear: Any, direction: np.ndarray
    ) -> Point:
        """Differentiate without a window, with the gradient and maybe the slopes."""
        (value, *_), gradient, there, *slope = self.data.rows.visit(
            _by_output(direction, self.units), visitor, linear, *self._labels
        )
        gradient = np.asarray(gradient, dtype=np.float64).reshape(direction.shape)
        value = float(np.asarray(value).sum()) + self.constant
        along, kept = float(gradient @ direction), slope[0] if slope else None
        return Point(there, value, kept, None, along, None, gradient)

    def gradient(self, point: Point) -> np.ndarray:
        """Gradient by theta; one product with X unless it came with the point."""
        if point.gradient is not None:
            return point.gradient
        pulled = self.data.rows.rmatvec(point.slope)
        return pulled if self.units is None else pulled.reshape(-1)

    def value_and_gradient(self, theta: Any) -> tuple[Any, Any]:
        """Value and gradient from one visit of the rows.

        On a device it may be asked for inside a program; both are arrays there.
        """
        function, arrays = self.separated
        values, gradient = function(arrays, theta)
        # What has left the device must be a plain number before it is computed with.
        value = values.sum() if is_traced(values) else float(np.asarray(values).sum())
        return value + self.constant, gradient

    @cached_property
    def separated(self) -> tuple[Any, Any]:
        """A pure function of arrays and theta, and the arrays that make it this one.

        It returns the value of each column of theta, without what the loss leaves out,
        and the gradient; where rows are compiled it is hashable.
        """
        rows, offset = self.data.rows, self.data.offset
        moves = () if offset is None else (offset,)
        empty, X = rows.emptied()
        function = ValuesAndGradient(empty, self._slopes(len(moves)), self.units)
        return function, (X, (*moves, *self._labels))

    def unforeseen(self, point: Point, ray: Any, there: Point, noise: float) -> float:
        """Sum of the differences of slopes in a window from those that bends foretell.

        Of the rows whose curvature, at a distance of one along a ray, is another one.
        Parts of the slopes that are noise do not count.
        """
        vectors = ray, *point[2:4], *there[2:4]
        _, (total,) = self.data.rows.apply(unforeseen, *vectors, noise=noise)
        return float(total)

    def curved(
        self, point: Point, bandwidth: float, widest: float = 0.0, times: int = 0
    ) -> tuple[MeanLoss, Point]:
        """Return rows enough to tell the curvature near a point, and how they bend.

        Within a window all rows tell theirs. Otherwise some are seen through a window
        of the bandwidth: all, where too few of them make up the curvature, and through
        a wider window, up to the widest, where that shows more rows than columns bend.
        For a Hessian that is kept they are so many times as many as are enough.
        """
        if point.curvature is not None:
            return self, point
        n_rows, n_columns = self.data.rows.shape
        if self._enough(times) < n_rows:
            some, index = self._some(times)
            _, (linear,) = self.data.rows.take(index, point.linear)
            found = some.through(bandwidth).point(linear)
            if some._n_bent(found) > _EFFECTIVE_PER_COLUMN * n_columns:
                return some, found
        narrow = found = self.through(bandwidth).point(point.linear)
        while self._n_bent(found) < _FEWEST_PER_COLUMN * n_columns:
            if not bandwidth < widest:  # the curvature is that of few rows indeed
                return self, narrow
            bandwidth = min(_WIDENING * bandwidth, widest)
            found = self.through(bandwidth).point(point.linear)
        return self, found

    def few_bend(self, theta: np.ndarray, bandwidth: float) -> bool:
        """Whether few rows make up the curvature at theta, of rows that all count."""
        counted = effective_number(self.data.rows.numpy(self.data.weight))
        few = _FEWEST_PER_COLUMN * min(counted, self.data.rows.shape[1])
        bent = self.through(bandwidth).point(self.linear_predictor(theta))
        return self._n_bent(bent) < max(few, _FEW_BENT * counted)

    def _n_bent(self, point: Point) -> float:
        """How many rows make up the curvature."""
        h = self.data.rows.numpy(point.curvature)
        return effective_number(trace_in_units(np, h, self.units))

    def hessian(
        self,
        point: Point,
        columns: np.ndarray | None = None,
        factor: np.ndarray | None = None,
    ) -> np.ndarray:
        """Second moments of the rows, weighted by the curvature of a point.

        With k predictors a row it is that of theta as one vector, and `factor`, one of
        X alone, is applied to each of them.
        """
        rows, every = self.data.rows, range(self.n_outputs)
        if self.units is None:
            return rows.gram(point.curvature, columns, factor)
        entries, _ = rows.apply(_entries, point.curvature)
        features, chosen = _features(columns, self.n_outputs)
        # Symmetric: those above the diagonal are the transposes of those below.
        lower = {
            (a, b): rows.gram(entries[a * len(every) + b], features, factor)
            for a in every
            for b in range(a + 1)
        }
        blocks = [[lower[max(a, b), min(a, b)] for b in every] for a in every]
        size = len(lower[0, 0]) * len(every)
        found = np.transpose(blocks, (2, 0, 3, 1)).reshape(size, size)
        return np.asarray(found if columns is None else found[np.ix_(chosen, chosen)])

    def rows_to_see(self, enough: int) -> int:
        """Rows that take as long to see as enough rows of two predictors."""
        return max(2 * enough // max(self.n_outputs, 2), _FEWEST_ROWS)

    def second_moments(
        self,
        columns: np.ndarray | None = None,
        factor: np.ndarray | None = None,
        times: int = 0,
    ) -> np.ndarray:
        """Second moments of some columns, of rows enough to stand for all.

        Their quadratic form is the mean square change of the linear predictors, in
        their units. For what `times` is see `curved`.
        """
        several = self._enough(times) < self.data.rows.shape[0]
        data = self._some(times)[0].data if several else self.data
        if self.units is None:
            return np.asarray(data.rows.gram(data.weight, columns, factor))
        features, chosen = _features(columns, self.n_outputs)
        gram = data.rows.gram(data.weight, features)
        found = np.kron(gram, np.diag(1 / np.square(self.units)))
        return found if columns is None else found[np.ix_(chosen, chosen)]

    def rounds(self, made_of: Any) -> Any:
        """Return what makes second moments in the basis of a factor, or None.

        A factor is one of X: of k predictors a row it mixes them as it should not.
        """
        alone = self.units is None and not self.data.rows.mixed
        return made_of if alone else None

    @cached_property
    def constant(self) -> Any:
        """Mean of the terms that depend on y alone, which the loss leaves out."""
        if self.loss.whole:
            return 0.0
        (mean,) = self._visited()[1]
        return mean if is_traced(mean) else float(mean)

    def _visited(self, *linear: Any) -> tuple[Any, Any]:
        """Visit the losses there, or the terms that they leave out, and their sum."""
        target, weight, *row_data = self._labels
        visitor = Losses(self.loss, self._masked, constant=not linear)
        return self.data.rows.apply(visitor, weight, target, *linear, *row_data)

    @property
    def _window(self) -> dict[str, Any]:
        """Scalars of a visit through a window."""
        if self.units is None:
            return {"bandwidth": self.bandwidth}
        units = np.asarray(self.units)
        return {"bandwidth": self.bandwidth * units, "units": units}

    def _slopes(self, n_moves: int) -> Slopes:
        return Slopes(self.loss, self.backend, self._masked, n_moves)

    @cached_property
    def _masked(self) -> bool:
        """Whether rows may have no weight, and so losses that are not finite.

        What is compiled serves data with and without such rows.
        """
        rows, weight = self.data.rows, self.data.weight
        return not rows.eager or len(rows.nonzero(weight)) < rows.shape[0]

    @property
    def _labels(self) -> tuple[Any, ...]:
        return (self.data.target, self.data.weight, *self.data.row_data)

    def _enough(self, times: int = 0) -> int:
        """How many rows stand for all, or so many times as many; all, if not few.

        Zero times is once, for a Hessian that is not kept.
        """
        n_rows, n_columns = self.data.rows.shape
        few = self.rows_to_see(_ENOUGH_ROWS)
        least = max(few, _ENOUGH_PER_COLUMN * n_columns)
        enough = max(times, 1) * max(least, n_rows // _ENOUGH_SHARE)
        fewer = _FEWER_KEPT if times else _FEWER
        return enough if fewer * enough <= n_rows else n_rows

    def _some(self, times: int = 0) -> tuple[MeanLoss, np.ndarray]:
        """Rows that stand for all, with weights that sum to one, and their numbers."""
        enough = self._enough(times)
        if enough not in self._parts:
            counted = self.data.rows.nonzero(self.data.weight)
            index = spread_out(counted, enough)
            self._parts[enough] = replace(self, data=self.data.part(index)), index
        return self._parts[enough]

    @cached_property
    def _parts(self) -> dict[int, tuple[MeanLoss, np.ndarray]]:
        return {}


@dataclass(frozen=True)
class ValuesAndGradient:
    """Mean losses of the columns of theta, and their gradient, as a pure function."""

    empty: Any
    visitor: Slopes
    units: tuple[float, ...] | None

    def __call__(self, arrays: Any, theta: Any) -> tuple[Any, Any]:
        """Visit the rows once; `arrays` are their X and row vectors."""
        X, vectors = arrays
        rows, wide = self.empty.filled(X), _by_output(theta, self.units)
        (values, *_), gradient, *_ = rows.visit(wide, self.visitor, *vectors)
        if self.units is None:
            return values, gradient
        return values.reshape(theta.shape[1:]), gradient.reshape(theta.shape)


def _added(_xp: Any, linear: Any, offset: Any) -> Any:
    return (linear + across(offset, linear),), ()


def _moved(_xp: Any, linear: Any, by: Any) -> Any:
    """Visitor: linear predictors, each moved by a constant."""
    return (linear + by,), ()


def _by_output(theta: Any, units: tuple[float, ...] | None) -> Any:
    """Theta with a column for each predictor, where there are several."""
    return theta if units is None else theta.reshape(-1, len(units))


def _features(columns: Any, n_outputs: int) -> tuple[Any, Any]:
    """Columns of X that entries of theta are of, and where these are among theirs."""
    if columns is None:
        return None, None
    features, place = np.unique(columns // n_outputs, return_inverse=True)
    return features, place * n_outputs + columns % n_outputs


def _entries(_xp: Any, curvature: Any) -> Any:
    """Visitor: the curvatures of each pair of k predictors, row by row."""
    every = range(curvature.shape[1])
    return tuple(curvature[:, a, b] for a in every for b in every), ()
