"""Any loss by descent: where it starts, target by target, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite

from sklearn_adreg._descent.loss_descent import LossDescent
from sklearn_adreg._descent.proximal_descent import ProximalDescent
from sklearn_adreg._descent.solution import Report, Solution
from sklearn_adreg._descent.windows import Descended, Goal, WindowedDescent
from sklearn_adreg._loss.check import named, not_finite
from sklearn_adreg._loss.pointwise import LinearLoss, Pointwise
from sklearn_adreg._loss.traits import Traits
from sklearn_adreg._rows.design import HostDesign
from sklearn_adreg._rows.row_losses import Point
from sklearn_adreg._rows.samples import Samples
from sklearn_adreg._solve.constant_fit import constant_fit
from sklearn_adreg._solve.least_squares import CURVATURE
from sklearn_adreg._solve.loss_data import LossData
from sklearn_adreg._validation import check_range
from sklearn_adreg.losses import AbsoluteError, Loss, SquaredError

# How closely a robust convex fit is found, where a descent only starts from it.
_ROBUST_TOL = 1e-3
# The same for the fit of a sample of the rows; and by how many standard errors of it
# the predictors of few rows change.
_SKETCH_TOL, _DEVIATIONS = 1e-4, 6.0
# How closely a constant is found where a descent is to improve on it anyway, and on how
# many rows.
_ROUGHLY, _ENOUGH = 1e-3, 1 << 10
# Rows that bend, for each unknown, where few do; and a share of all where many do.
_BENT, _WIDELY = 0.5, 0.1
# A mean loss that is negative, and so many times the first one in size, has no minimum.
_BOTTOMLESS = 1e12


@dataclass(frozen=True)
class LossProblem:
    """A loss on data, and when to stop."""

    data: LossData
    loss: Loss
    traits: Traits
    tol: float
    max_iter: int
    lasso: float
    report: Report

    def solve(self, start: tuple[np.ndarray, np.ndarray] | None) -> Solution:
        """Descend for each target; from coefficients and intercepts, if given."""
        ends = [
            self._descend(
                column,
                None if start is None else (start[0][:, column], start[1][column]),
            )
            for column in range(self.data.target.shape[1])
        ]
        found = [self.data.outer(end.coef) for end in ends]
        return Solution(
            coef=np.stack([coef for coef, _ in found], axis=1),
            intercept=np.array([intercept for _, intercept in found]),
            loss_curve=_summed([end.values for end in ends]),
            epsilon=min(end.epsilon for end in ends),
            error=max(end.error for end in ends),
        )

    def _descend(
        self, column: int, given: tuple[np.ndarray, float] | None
    ) -> Descended:
        """Descend for one target; with all rows measured, where a sample misleads."""
        end = self._attempt(column, given)
        spent = len(end.values) > self.max_iter
        if self.data.sketch is None or end.error <= self.tol or spent:
            return end
        complete = replace(self, data=self.data.complete())
        end = complete._attempt(column, given)
        return end._replace(coef=self.data.inner(*complete.data.outer(end.coef)))

    def _attempt(
        self, column: int, given: tuple[np.ndarray, float] | None
    ) -> Descended:
        if given is not None:
            return self._from(column, self.data.inner(*given))
        if not self.traits.convex and not self.traits.linked:
            robust = replace(
                self,
                loss=AbsoluteError(),
                traits=Traits(kinked=True, convex=True, linked=False),
                tol=_ROBUST_TOL,
                report=lambda _values: None,
            )
            return self._from(column, robust._descend(column, None).coef)
        if self.data.sketch is not None:
            return self._from_sketch(column, self.data.sketch)
        return self._from(column, *self._start(column))

    def _from_sketch(self, column: int, sketch: LossData) -> Descended:
        """Descend from where a descent on a sample of the rows has ended."""
        rough = replace(
            self,
            data=sketch,
            tol=max(self.tol, _SKETCH_TOL),
            report=lambda _values: None,
        )
        end = rough._attempt(column, None)
        samples = self.data.samples(column, self.loss)
        point = samples.point(self._located(samples, end.coef), 0.0)
        first = end.values[0]
        if not (point.value is not None and point.value <= first + abs(first)):
            return end._replace(values=end.values[:1], error=np.inf)
        n_rows, n_unknowns = sketch.design.shape
        error = float(np.sqrt(n_unknowns / n_rows))
        return self._run(column, samples, end.coef, point, error)

    def _from(self, column: int, start: np.ndarray, linear: Any = None) -> Descended:
        """Descend from coefficients, and their linear predictor if it is known."""
        samples = self.data.samples(column, self.loss)
        if linear is None:
            linear = self._located(samples, start)
        point = samples.point(linear, 0.0)
        if point.value is None or not np.isfinite(point.value):
            target, rows = self.data.target[:, column], self.data.rows
            raise not_finite(self._pointwise, target, np.asarray(linear), rows)
        return self._run(column, samples, start, point, None)

    def _run(
        self,
        column: int,
        samples: Samples,
        start: np.ndarray,
        point: Point,
        error: float | None,
    ) -> Descended:
        """Descend from coefficients; `error` is that of their predictors, if known."""
        goal = self._goal(column, np.asarray(point.linear), error)
        end = self._method(samples, goal).run(start, point)
        if not end.values[-1] > -_BOTTOMLESS * (abs(end.values[0]) + goal.size):
            raise ValueError(
                f"The loss {named(self.loss)} must be bounded below. Got a mean of "
                f"{end.values[-1]:.3g} after {len(end.values) - 1} steps, and no end "
                "of it. Check its sign."
            )
        return end

    def _located(self, samples: Samples, start: np.ndarray) -> Any:
        """Locate coefficients; what a sample has not seen of X is seen here."""
        linear = samples.locate(start)
        if self.data.sketch is not None:
            self._check_rows(start, linear)
        return linear

    def _check_rows(self, start: np.ndarray, linear: np.ndarray) -> None:
        """Refuse what a sample has not seen of X: it shows in the predictors."""
        design = self.data.design
        assert isinstance(design, HostDesign)
        if not (start[:-1].all() and np.isfinite(linear).all()):
            assert_all_finite(design.X, input_name="X")
        if not np.isfinite(linear).all():
            check_range("X", design.X, design.weights, design.column_variances())

    def _start(self, column: int) -> tuple[np.ndarray, Any]:
        """Return the constant fit, or least squares where that comes for nothing.

        The better of the two, on some of the rows; and its linear predictor.
        """
        rows, weights = self.data.some_rows, self.data.row_weights
        target = np.ascontiguousarray(self.data.target[rows, column])
        constant = np.zeros(self.data.design.shape[1] + 1)
        if self.data.coordinates.intercept:
            few = slice(None, None, max(1, len(rows) // _ENOUGH))
            constant[-1] = constant_fit(
                self._pointwise,
                target[few],
                weights[rows[few]],
                linked=self.traits.linked,
                precision=_ROUGHLY,
            )
        samples, starts = self.data.samples(column, self.loss), [constant]
        if self.data.guess is not None and not self.traits.linked:
            level = float(self.data.target_mean[column])
            starts.insert(0, np.append(self.data.guess[:, column], level))
        linear = [samples.locate(start) for start in starts]
        values = [
            weights[rows] @ self._pointwise.values(target, np.asarray(each)[rows])
            for each in linear
        ]
        best = int(np.argmin(np.nan_to_num(values, nan=np.inf)))
        return starts[best], linear[best]

    def _goal(self, column: int, linear: np.ndarray, error: float | None) -> Goal:
        """Units in which the descent measures how far it has come; from some rows."""
        scale = size = spread = 1.0
        if not self.traits.linked:
            rows = self.data.some_rows
            weights = self.data.row_weights[rows] / self.data.row_weights[rows].sum()
            target = self.data.target[rows, column].astype(np.float64)
            mean = weights @ target if self.data.coordinates.intercept else 0.0
            scale = float(np.sqrt(weights @ (target - mean) ** 2))
            if scale <= 8 * np.finfo(self.data.design.dtype).eps * abs(mean):
                scale = float(abs(mean))  # a constant, but for rounding
            scale = scale or 1.0
            spread = _median(np.abs(target - linear[rows]), weights) or scale
            # Predictions that are wrong by a standard deviation of y.
            size = float(weights @ abs(self._pointwise.values(target, target + scale)))
        kinked = self.traits.kinked
        return Goal(
            kinked=kinked or self._has_corner(column, linear, scale, spread),
            smooth=not kinked,
            convex=self.traits.convex,
            scale=scale,
            size=size,
            spread=spread,
            near=None if error is None else _DEVIATIONS * error * spread,
            eps=float(np.finfo(self.data.design.dtype).eps),
            tol=self.tol,
            max_iter=self.max_iter,
            report=self.report,
        )

    def _has_corner(
        self, column: int, linear: np.ndarray, scale: float, spread: float
    ) -> bool:
        """Whether a smooth loss bends so sharply that it is as good as kinked.

        The rows that bend at once are then too few to tell the curvature by all
        unknowns, but many do within a window.
        """
        if self.traits.linked or self.traits.kinked or not self.traits.convex:
            return False
        rows, (n_rows, n_features) = self.data.some_rows, self.data.design.shape
        target, weights = self.data.target[rows, column], self.data.row_weights[rows]
        close = float(np.finfo(target.dtype).eps ** (1 / 3)) * scale
        narrow, wide = (
            _effective(
                weights * self._pointwise.slopes(target, linear[rows], width).curvature
            )
            for width in (close, spread)
        )
        few = _BENT * (n_features + 1) * len(rows) / n_rows
        return narrow < few and wide > _WIDELY * len(rows)

    @property
    def _pointwise(self) -> Pointwise:
        return Pointwise(LinearLoss(self.loss), self.data.backend)

    def _method(self, samples: Samples, goal: Goal) -> WindowedDescent:
        coordinates = self.data.coordinates
        if self.lasso == 0:
            return LossDescent(samples, goal, coordinates)
        variances, moments = self.data.placed.variances, self.data.placed.moments
        quadratic, hessian = self.loss == SquaredError(), None
        if moments is not None and quadratic:
            hessian = CURVATURE * np.eye(len(variances) + 1)
            hessian[:-1, :-1] = CURVATURE * np.asarray(moments.gram)
        return ProximalDescent(
            samples,
            goal,
            lasso=self.lasso,
            ridge=coordinates.ridge,
            intercept=coordinates.intercept,
            variances=variances,
            quadratic=quadratic,
            hessian=hessian,
        )


def _effective(parts: np.ndarray) -> float:
    """Return how many of the parts make up their sum."""
    squares = float(parts @ parts)
    return float(parts.sum()) ** 2 / squares if squares > 0 else 0.0


def _median(sizes: np.ndarray, weights: np.ndarray) -> float:
    """Weighted median."""
    order = np.argsort(sizes)
    reached = np.cumsum(weights[order])
    return float(sizes[order[np.searchsorted(reached, reached[-1] / 2)]])


def _summed(curves: list[list[float]]) -> np.ndarray:
    """Objective summed over targets; one that has arrived stays where it is."""
    length = max(map(len, curves))
    return np.sum([c + c[-1:] * (length - len(c)) for c in curves], axis=0)
