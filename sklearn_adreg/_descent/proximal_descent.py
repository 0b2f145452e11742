"""Descent with a lasso penalty: proximal Newton steps on the columns that matter.

A step minimises the quadratic that the gradient and the rows' curvature give, plus the
penalty itself, over a working set of columns: those with coefficients, and those whose
gradient is steep enough to get one. It leaves exact zeros. The rest of X is read for
its gradient alone, once a step.

References
----------
.. [1] J. D. Lee, Y. Sun, M. A. Saunders, "Proximal Newton-type methods for minimizing
   composite functions", SIAM Journal on Optimization, 2014.
.. [2] M. Massias, A. Gramfort, J. Salmon, "Celer: a fast solver for the lasso with
   dual extrapolation", ICML, 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sklearn_adreg._descent.line_search import Trial, search
from sklearn_adreg._descent.quadratic_lasso import minimise
from sklearn_adreg._descent.windows import WindowedDescent
from sklearn_adreg._rows.row_losses import Point
from sklearn_adreg._rows.samples import Samples

# The smallest working set; larger ones are powers of two, so that shapes recur.
SMALLEST_SET = 128
# Curvature that is added to that of the rows, which may leave directions without any,
# relative to the mean: of a smooth loss, and of one seen through a window.
_DAMPING, _WINDOW_DAMPING = 1e-4, 1e-3


class _Model(NamedTuple):
    """The quadratic that a step minimises, on some of the columns."""

    columns: np.ndarray
    samples: Samples
    hessian: np.ndarray


class _Here(NamedTuple):
    point: Point
    gradient: np.ndarray


@dataclass
class ProximalDescent(WindowedDescent):
    """Descent with the penalty lasso * |w| + ridge / 2 * |w|^2.

    `variances` are those of the columns. With `quadratic` the curvature of the loss is
    the same everywhere; `hessian` is that by coefficients and intercept, if known.
    """

    lasso: float
    ridge: float
    intercept: bool
    variances: np.ndarray
    quadratic: bool = False
    hessian: np.ndarray | None = None

    def _descend(self, point: Point, width: float) -> Point:
        here = _Here(point, self._gradient(self.samples.gradient(point), self.coef))
        lengths: list[float] = []
        while not self._spent:
            columns, complete = self._working_set(here.gradient)
            model = self._model(here.point, columns, width)
            target = self._minimum(model, here.gradient)
            direction = target - self.coef[columns]
            change = self._change(model, direction, here.point)
            steepness = self._steepness(here.gradient)
            if self._arrived(here.point, steepness, change, width) and complete:
                break
            lengths.append(steepness if width > 0 else change)
            if self._stalled(lengths):
                break
            there = self._step(here, model, target, width)
            if there is None:
                break
            here = there
        return here.point

    def _working_set(self, gradient: np.ndarray) -> tuple[np.ndarray, bool]:
        """Columns to step along, intercept last; whether they are all that matter."""
        n_features = len(gradient) - 1
        if n_features <= SMALLEST_SET or self.hessian is not None:
            return np.arange(n_features + 1), True
        excess = np.abs(gradient[:-1]) - self.lasso
        excess /= np.sqrt(np.where(self.variances > 0, self.variances, np.inf))
        chosen = self.coef[:-1] != 0
        n_chosen = int(chosen.sum())
        violated = int((excess[~chosen] > self._tolerated(gradient)).sum())
        # Twice the columns that have coefficients leaves room for better ones.
        wanted = max(SMALLEST_SET, 2 * n_chosen, n_chosen + min(violated, n_chosen))
        size = min(n_features, 1 << (wanted - 1).bit_length())
        excess[chosen] = np.inf
        columns = np.sort(np.argpartition(-excess, size - 1)[:size])
        return np.append(columns, n_features), n_chosen + violated <= size

    def _tolerated(self, gradient: np.ndarray) -> float:
        return float(1e-12 * (self.lasso + np.abs(gradient).max()))

    def _model(self, point: Point, columns: np.ndarray, width: float) -> _Model:
        samples = self._of_columns(self.samples, columns)
        hessian = self.hessian
        if hessian is None:
            rows, near = (self.samples, point) if width > 0 else self._bent(width)
            rows = samples if rows is self.samples else self._of_columns(rows, columns)
            hessian = self._curved(rows, near, columns, width)
        hessian = hessian.copy()
        inner = np.arange(len(columns) - 1)
        hessian[inner, inner] += self.ridge
        return _Model(columns, samples, hessian)

    def _curved(
        self, rows: Samples, near: Point, columns: np.ndarray, width: float
    ) -> np.ndarray:
        """Second moments of rows, weighted by their curvature, and damped."""
        hessian = rows.hessian(near.curvature)
        if not self.quadratic:
            damping = _WINDOW_DAMPING if width > 0 else _DAMPING
            self.curvature = max(near.bend, 1e-3 * self.curvature) or 1.0
            variances = np.append(self.variances, 1.0)[columns]
            hessian += np.diag(damping * self.curvature * variances)
        return hessian

    def _of_columns(self, samples: Samples, columns: np.ndarray) -> Samples:
        everything = len(columns) == len(self.coef)
        return samples if everything else samples.restricted(columns[:-1])

    def _minimum(self, model: _Model, gradient: np.ndarray) -> np.ndarray:
        """Minimise the model and the penalty; the intercept is eliminated."""
        hessian, start = model.hessian, self.coef[model.columns]
        cross = hessian @ start - gradient[model.columns]
        inner, mixed, own = hessian[:-1, :-1], hessian[:-1, -1], hessian[-1, -1]
        threshold = np.full(len(inner), self.lasso)
        if not self.intercept or own <= 0:
            found = minimise(inner, cross[:-1], threshold, start[:-1])
            return np.append(found, start[-1])
        reduced = inner - np.outer(mixed, mixed) / own
        found = minimise(
            reduced, cross[:-1] - mixed * (cross[-1] / own), threshold, start[:-1]
        )
        return np.append(found, (cross[-1] - mixed @ found) / own)

    def _step(
        self, here: _Here, model: _Model, target: np.ndarray, width: float
    ) -> _Here | None:
        """Step towards the model's minimum; None where nothing is gained."""
        columns, start = model.columns, self.coef[model.columns]
        direction = target - start
        ray = model.samples.locate(direction)
        points: dict[float, Point] = {}

        def trial(length: float) -> Trial:
            if length not in points:
                points[length] = self.samples.along(self.linear, ray, length, width)
            coef = target if length == 1 else start + length * direction
            return self._trial(points[length], length, coef, direction)

        slope = self._right_slope(here.gradient[columns], columns, direction)
        value = None if self.goal.convex else self.values[-1]
        found = search(trial, trial(1.0), Trial(0.0, slope, value, self._eps))
        if found is None:
            return None
        self.coef = self.coef.copy()
        exact = found.length == 1
        self.coef[columns] = target if exact else start + found.length * direction
        point = points[found.length]
        self.epsilon = found.length
        self._note(point)
        gradient = self.samples.gradient(point)
        return _Here(point, self._gradient(gradient, self.coef))

    def _trial(
        self, point: Point, length: float, coef: np.ndarray, direction: np.ndarray
    ) -> Trial:
        """Slope along the line; of the slopes at a corner, the one closest to zero."""
        inner, along = coef[:-1], direction[:-1]
        corner = self.lasso * float(np.abs(along[inner == 0]).sum())
        smooth = point.rise + self.ridge * float(inner @ along)
        middle = smooth + self.lasso * float(np.sign(inner) @ along)
        slope = np.sign(middle) * max(abs(middle) - corner, 0.0)
        if self.goal.convex:
            return Trial(length, float(slope), None)
        value = self._value(point) + self._penalty(coef)
        return Trial(length, float(slope), value)

    def _right_slope(
        self, gradient: np.ndarray, columns: np.ndarray, direction: np.ndarray
    ) -> float:
        """Slope of the objective at the start of a step."""
        coef, along = self.coef[columns][:-1], direction[:-1]
        signs = np.where(coef == 0, np.sign(along), np.sign(coef))
        return float(gradient @ direction + self.lasso * (signs @ along))

    def _steepness(self, gradient: np.ndarray) -> float:
        """Length of the shortest subgradient, by columns of unit variance."""
        coef, slope = self.coef[:-1], gradient[:-1]
        excess = np.maximum(np.abs(slope) - self.lasso, 0.0)
        inner = np.where(coef == 0, excess, slope + self.lasso * np.sign(coef))
        used = self.variances > 0
        inner = inner[used] / np.sqrt(self.variances[used])
        return float(np.linalg.norm(np.append(inner, gradient[-1])))

    def _change(self, model: _Model, direction: np.ndarray, point: Point) -> float:
        """Root mean square change of the linear predictor, weighted by curvature."""
        total = float(model.hessian[-1, -1]) or point.bend or 1.0
        return float(np.sqrt(max(direction @ model.hessian @ direction, 0.0) / total))

    def _gradient(self, gradient: np.ndarray, coef: np.ndarray) -> np.ndarray:
        gradient = gradient.copy()
        gradient[:-1] += self.ridge * coef[:-1]
        gradient[-1] *= self.intercept
        return gradient

    def _penalty(self, coef: np.ndarray) -> float:
        inner = coef[:-1]
        ridge = self.ridge / 2 * float(inner @ inner)
        return ridge + self.lasso * float(np.abs(inner).sum())
