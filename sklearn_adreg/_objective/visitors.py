"""Visitors of the rows: losses, their slopes and curvatures, times weights.

They are given the array namespace, NumPy's or JAX's, and what belongs to some rows, and
return row vectors and sums. They are frozen, so that what is compiled is found again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._loss.slopes import slopes
from sklearn_adreg._objective.curvature import absolute, trace_in_units
from sklearn_adreg.backends.base import Backend


@dataclass(frozen=True)
class Losses:
    """Visitor: weighted losses, or terms that they leave out, and the sum."""

    loss: LinearLoss
    masked: bool
    constant: bool

    def __call__(self, xp: Any, weight: Any, y_true: Any, *further: Any) -> Any:
        loss = self.loss.constant if self.constant else self.loss
        losses = loss(y_true, *further)
        total = _summed(xp, losses, weight, self.masked).sum()
        return (weighted(xp, losses, weight, self.masked),), (total,)


@dataclass(frozen=True)
class Slopes:
    """Visitor: weighted slopes and values, and curvatures in a window.

    With `n_moves` the linear predictors are moved first: along a ray, by a length, or
    by an offset.
    """

    loss: LinearLoss
    backend: Backend
    masked: bool
    n_moves: int

    def __call__(
        self,
        xp: Any,
        linear: Any,
        *labels: Any,
        length: Any = None,
        bandwidth: Any = None,
        units: Any = None,
    ) -> Any:
        y_true, weight, *row_data = labels[self.n_moves :]
        for move in labels[: self.n_moves]:
            step = across(move, linear)
            linear = linear + (step if length is None else length * step)
        differentiate = self.backend.value_and_derivative(self.loss)
        found = slopes(
            xp, differentiate, y_true, linear, *row_data, bandwidth=bandwidth
        )
        slope, *curvature = (
            weighted(xp, each, weight, self.masked) for each in found[1:]
        )
        derivative = 0.0 if length is None else xp.vdot(slope, labels[0])
        sums = _summed(xp, found[0], weight, self.masked), derivative
        vectors = (slope, linear) if self.n_moves else (slope,)
        if not curvature:
            return vectors, (*sums, 0.0)
        bent = absolute(xp, curvature[0])
        return (*vectors, bent), (*sums, trace_in_units(xp, bent, units).sum())


@dataclass(frozen=True)
class Kept:
    """Visitor: slopes that are kept, beside those that X is multiplied with."""

    slopes: Slopes

    def __call__(self, xp: Any, *vectors: Any) -> Any:
        (slope, *others), sums = self.slopes(xp, *vectors)
        return (slope, *others, slope), sums


def weighted(xp: Any, found: Any, weight: Any, masked: bool) -> Any:
    """Return it times the weight of its row: zero where that is, whatever it was."""
    return across(weight, found) * _counted(xp, found, weight, masked)


def _counted(xp: Any, found: Any, weight: Any, masked: bool) -> Any:
    """Return it, or zero where its row has no weight."""
    return xp.where(across(weight, found) > 0, found, 0.0) if masked else found


def _summed(xp: Any, losses: Any, weight: Any, masked: bool) -> Any:
    """Weighted sum over rows, of each column; in float64 where floats are NumPy's."""
    if xp is np:
        return weighted(xp, losses, weight, masked).sum(axis=0, dtype=np.float64)
    # A product: XLA takes up to eight times as long to sum one column on a CPU.
    return weight @ _counted(xp, losses, weight, masked)


def across(vector: Any, other: Any) -> Any:
    """One number a row, to be multiplied with all that belongs to the row."""
    extra = other.ndim - vector.ndim
    return vector.reshape(vector.shape + (1,) * extra) if extra > 0 else vector
