"""Squared error with or without a ridge: whitened steps that refine a direct solution.

The first step lands on the minimum as the second moments saw it. Later ones take their
gradient from the rows, in the next longer float type where the condition number asks
for it, and so refine theta to the last digits [1]_: as many steps as gain digits.

References
----------
.. [1] A. Bjorck, "Iterative refinement of linear least squares solutions", BIT, 1967.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg._descent.coordinates import Coordinates
from sklearn_adreg._descent.loop import Goal
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._objective.visitors import weighted
from sklearn_adreg._rows.rows import Rows
from sklearn_adreg.backends.base import Backend

# Errors of so many units of rounding are as small as second moments of a
# well-conditioned X, up to three standard deviations from zero, let them.
_FLOOR = 256.0
# A pass that quarters the error is cheap refinement, worth more than tol asks for; one
# that does not even halve it has met rounding.
_WORTHWHILE, _STALLED = 4.0, 2.0


def refine(
    objective: MeanLoss,
    penalty: Penalty,
    coordinates: Coordinates,
    goal: Goal,
    curvature: float,
    scale: np.ndarray,
    theta: np.ndarray,
    first: tuple[float, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, float]:
    """Step from theta (p, n_targets), of which `first` is the value and gradient.

    `curvature` is the constant second derivative of the loss, by which the coordinates
    whiten it, and `scale` the standard deviation of each target. Returns theta, the
    objective at the start and after each step, and the error in standard deviations.
    """
    floor = 0.0 if coordinates.twice else _FLOOR * goal.eps / coordinates.condition
    refining = coordinates.condition > goal.eps ** (-1 / 3)
    rows = objective.data.rows.refined() if refining else objective.data.rows
    theta = theta.astype(np.result_type(rows.dtype, np.float64))
    (value, gradient), error = first, np.inf
    curve = [value + penalty.value(theta)]
    while True:
        slope = np.asarray(gradient + penalty.gradient(theta), dtype=np.float64)
        unknowns = coordinates.gradient(slope) / curvature
        lengths = np.sqrt((unknowns**2).sum(axis=0))
        before, error = error, float((lengths / scale).max())
        gain = before / error if error > 0 else np.inf
        wanted = error > goal.tol and gain >= _STALLED
        worthwhile = error > floor and gain >= _WORTHWHILE
        if len(curve) > goal.max_iter or not (goal.tol == 0 or wanted or worthwhile):
            break
        theta = theta - coordinates.theta(unknowns)
        value, gradient = _value_and_gradient(objective, rows, theta)
        curve.append(value + penalty.value(theta))
        goal.report(np.array(curve[-1:], dtype=np.float64))
    if goal.tol > 0 and gain >= _STALLED and error <= goal.tol:
        # The last gradient is known: what it corrects needs no further pass.
        theta = theta - coordinates.theta(unknowns)
    return theta, np.array(curve, dtype=np.float64), error


def _value_and_gradient(
    objective: MeanLoss, rows: Rows, theta: np.ndarray
) -> tuple[float, np.ndarray]:
    """Evaluate the mean loss, on rows with longer products where they are such."""
    if rows is objective.data.rows:
        value, gradient = objective.value_and_gradient(theta)
        return float(value), np.asarray(gradient)
    visitor = _Residuals(objective.loss, objective.backend)
    _, target, weight, offset, _ = objective.data
    assert offset is None  # it was subtracted from the target
    (value,), gradient = rows.visit(theta, visitor, target, weight)
    return float(value), gradient


@dataclass(frozen=True)
class _Residuals:
    """Visitor: slopes of residuals that are longer than the backend's floats.

    They reach the loss in two pieces, high and low: the slope of squared error is
    linear in y - z, so that those of the pieces add up.
    """

    loss: LinearLoss
    backend: Backend

    def __call__(self, xp: Any, linear: Any, target: Any, weight: Any) -> Any:
        residual = target - linear
        high = residual.astype(target.dtype)
        low = (residual - high).astype(target.dtype)
        differentiate = self.backend.value_and_derivative(self.loss)
        losses, slopes = differentiate(high, np.zeros_like(high))
        rest = differentiate(low, np.zeros_like(low))[1]
        slope = weighted(xp, slopes.astype(residual.dtype) + rest, weight, True)
        losses = weighted(xp, losses, weight, True)
        return (slope,), (losses.sum(dtype=np.float64),)
