"""Objectives and their minima without the package's descents, for the golden table.

A damped Newton method with exact derivatives. Kinks, of the loss and of the l1 penalty,
are smoothed by a logarithmic barrier on the slope, whose weight goes to zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from autograd import elementwise_grad

# Slopes of a kinked loss where the target is above and below the prediction.
Pieces = Callable[[np.ndarray], tuple[Any, Any]]


class Curve(NamedTuple):
    """A function of each entry: values, first and second derivatives."""

    value: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray


def barrier(error: np.ndarray, above: Any, below: Any, weight: Any) -> Curve:
    """max(above * error, -below * error), its slope kept off both ends by a barrier."""
    centre, radius = (above - below) / 2, (above + below) / 2
    root = weight + np.hypot(weight, error * radius)
    offset = error * radius**2 / root
    room = 2 * weight * radius**2 / root  # radius^2 - offset^2, without cancellation
    value = (centre + offset) * error + weight * np.log(room / radius**2)
    curvature = room**2 / (2 * weight * (radius**2 + offset**2))
    return Curve(value, centre + offset, curvature)


@dataclass(frozen=True)
class Objective:
    """Weighted mean of a loss of one target, and an elastic net."""

    loss: Any
    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    alpha: float = 0.0
    l1_ratio: float = 0.0
    fit_intercept: bool = True
    pieces: Pieces | None = None

    def losses(self, z: Any) -> Any:
        """Losses of linear predictors."""
        return self.loss(self.y, getattr(self.loss, "inverse_link", lambda z: z)(z))

    def value(self, coef: np.ndarray, intercept: Any) -> float:
        """Return the objective, in float64."""
        coef = np.asarray(coef, float)
        with np.errstate(all="ignore"):  # of rows whose weight is zero
            losses = self.losses(self.X @ coef + np.float64(intercept))
        used = self.weights > 0
        mean = np.average(losses[used], weights=self.weights[used])
        penalty = self.lasso * np.abs(coef).sum() + self.ridge / 2 * coef @ coef
        return float(mean + penalty)

    @property
    def lasso(self) -> float:
        """Strength of the l1 penalty."""
        return self.alpha * self.l1_ratio

    @property
    def ridge(self) -> float:
        """Strength of the squared penalty."""
        return self.alpha * (1 - self.l1_ratio)

    def curve(self, z: np.ndarray, weight: float) -> Curve:
        """Loss as a function of linear predictors, kinks behind a barrier."""
        if self.pieces is not None:
            value, slope, curvature = barrier(self.y - z, *self.pieces(self.y), weight)
            return Curve(value, -slope, curvature)
        slopes = elementwise_grad(self.losses)
        return Curve(self.losses(z), slopes(z), elementwise_grad(slopes)(z))


class White:
    """An objective in coordinates in which X is white, where the penalty allows it."""

    def __init__(self, objective: Objective) -> None:
        used = objective.weights > 0
        shares = objective.weights[used]
        self.shares = shares / shares.sum()
        X = objective.X[used]
        self.rows = replace(objective, X=X, y=objective.y[used], weights=shares)
        self.mean = self.shares @ X if objective.fit_intercept else np.zeros(X.shape[1])
        self.centred = X - self.mean
        scale = np.sqrt(self.shares @ self.centred**2)
        self.scale = np.where(scale > 0, scale, 1.0)
        self.basis = self._basis()
        ones = np.full((len(X), 1), float(objective.fit_intercept))
        self.columns = np.hstack([self.centred @ self.basis, ones])
        spread = np.ptp(np.quantile(self.rows.y, [0.1, 0.9]))
        self.spread = spread or 1.0

    def _basis(self) -> np.ndarray:
        if self.rows.lasso:
            return np.diag(1 / self.scale)
        rows = [np.sqrt(self.shares)[:, None] * self.centred / self.scale]
        if self.rows.ridge:
            rows.append(np.diag(np.sqrt(self.rows.ridge) / self.scale))
        _, sizes, rotation = np.linalg.svd(np.vstack(rows), full_matrices=False)
        kept = sizes > 1e-12 * sizes[0]
        return (rotation[kept] / self.scale).T / sizes[kept]

    def curve(
        self, u: np.ndarray, weight: float
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Value, gradient and Hessian."""
        loss = self.rows.curve(self.columns @ u, weight)
        value = float(self.shares @ loss.value)
        gradient = self.columns.T @ (self.shares * loss.slope)
        bent = (self.shares * loss.curvature)[:, None] * self.columns
        hessian = self.columns.T @ bent
        coef = self.basis @ u[:-1]
        penalty = np.zeros_like(coef), np.zeros_like(coef)
        if self.rows.lasso:
            corner = barrier(coef, 1.0, 1.0, weight / self.scale)
            value += self.rows.lasso * corner.value.sum()
            penalty = self.rows.lasso * corner.slope, self.rows.lasso * corner.curvature
        value += self.rows.ridge / 2 * coef @ coef
        slope, bend = penalty[0] + self.rows.ridge * coef, penalty[1] + self.rows.ridge
        gradient[:-1] += self.basis.T @ slope
        hessian[:-1, :-1] += self.basis.T @ (bend[:, None] * self.basis)
        return value, gradient, hessian

    def newton(self, u: np.ndarray, weight: float) -> np.ndarray:
        """Newton's steps, halved until they descend; saddles are left downhill."""
        value, gradient, hessian = self.curve(u, weight)
        for _ in range(60):
            sizes, vectors = np.linalg.eigh(hessian)
            sizes = np.maximum(np.abs(sizes), 1e-14 * np.abs(sizes).max() + 1e-300)
            step = -vectors @ (vectors.T @ gradient / sizes)
            slope, length = gradient @ step, 1.0
            if -slope <= 1e-15 * (abs(value) + 1e-9 * self.spread):
                break
            there = self.curve(u + step, weight)
            while not there[0] <= value + 1e-4 * length * slope:
                length /= 2
                if length < 1e-10:
                    return u
                there = self.curve(u + length * step, weight)
            u, (value, gradient, hessian) = u + length * step, there
        return u

    def minimise(self, u: np.ndarray) -> np.ndarray:
        """Minimise with the barrier's weight going to zero, where there is a kink."""
        if self.rows.pieces is None and not self.rows.lasso:
            return self.newton(u, 0.0)
        for weight in self.spread * 0.2 ** np.arange(17):
            u = self.newton(u, weight)
        return u

    def constant(self) -> np.ndarray:
        """Return the best of many constants."""
        levels = np.quantile(self.rows.y, np.linspace(0, 1, 101))
        if hasattr(self.rows.loss, "inverse_link"):
            levels = np.log(np.append(levels[levels > 0], self.shares @ self.rows.y))
        unit = np.eye(self.columns.shape[1])[-1]
        if not self.rows.fit_intercept:
            return 0 * unit
        return min(levels[:, None] * unit, key=lambda u: self.curve(u, 1e-12)[0])

    def solution(self, u: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients and intercept."""
        coef = self.basis @ u[:-1]
        intercept = u[-1] - self.mean @ coef if self.rows.fit_intercept else 0.0
        return coef, float(intercept)


def optimum(objective: Objective, robust: Any = None) -> tuple[np.ndarray, float]:
    """Coefficients and intercept of the minimum, from that of `robust` on."""
    with np.errstate(all="ignore"):  # a step too far is taken back
        white = White(objective)
        start = white.constant()
        if robust is not None:
            start = White(replace(objective, loss=robust)).minimise(start)
        return white.solution(white.minimise(start))


def constant(objective: Objective) -> float:
    """Objective of the best constant, or of zero without an intercept."""
    with np.errstate(all="ignore"):
        white = White(objective)
        return white.rows.value(*white.solution(white.constant()))


def textbook(
    objective: Objective, epsilon: float, steps: int
) -> tuple[np.ndarray, float]:
    """Coefficients and intercept after some steps of the plain loop."""
    shares = objective.weights / objective.weights.sum()
    intercept, mean = 0.0, np.zeros(objective.X.shape[1])
    if objective.fit_intercept:
        alone = replace(objective, X=0 * objective.X[:, :1], alpha=0.0)
        intercept, mean = optimum(alone)[1], shares @ objective.X
    centred, coef = objective.X - mean, np.zeros(objective.X.shape[1])
    slopes = elementwise_grad(objective.losses)
    for _ in range(steps):
        slope = shares * slopes(centred @ coef + intercept)
        coef = coef - epsilon * (slope @ centred + objective.ridge * coef)
        shrunk = np.abs(coef) - epsilon * objective.lasso
        coef = np.sign(coef) * np.maximum(shrunk, 0)
        if objective.fit_intercept:
            intercept -= epsilon * slope.sum()
    return coef, float(intercept - mean @ coef)
