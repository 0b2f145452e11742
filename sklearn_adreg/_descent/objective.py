"""The mean loss as a function of the coefficients, in the three forms it is asked for.

With centred rows x, weights w that sum to one and centred targets y, of which each
column has its own coefficients,

    F(coef) = sum_i w_i * loss(y_i, x_i . coef)        summed over targets.

The linear predictor is ours and the loss is the backend's: by the chain rule the
gradient is X^T (w * g), where automatic differentiation is asked for g, the
derivative of the loss by the prediction, alone. For squared error the intercept is
not among the unknowns: for centred data it is the mean of the target, exactly. For
any other loss it is, where there is one, the last row of the coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._rows.design import HostDesign, Moments
from sklearn_adreg._rows.device import DeviceDesign, DeviceRows
from sklearn_adreg.backends.base import Backend, iterate_in_python
from sklearn_adreg.losses import Loss


class HostRows(NamedTuple):
    """Centred rows, with their weights, and centred targets, in host memory."""

    design: HostDesign
    target: np.ndarray

    def dot(self, coef: np.ndarray) -> np.ndarray:
        """Centred X times `coef`."""
        return self.design.dot(coef)

    def transposed_dot(self, residual: np.ndarray) -> np.ndarray:
        """Transposed centred X times `residual`."""
        return self.design.transposed_dot(residual)

    @property
    def weights(self) -> np.ndarray:
        """Weights that sum to one."""
        return self.design.row_weights


@dataclass(frozen=True)
class TracedObjective:
    """A pure function of the coefficients and data, differentiated by a backend."""

    backend: Backend
    function: Callable[[Any, Any], Any]

    def value_and_gradient(self, coef: Any, data: Any) -> tuple[Any, Any]:
        """F and its gradient, of the shape of `coef`: (n_features, n_targets)."""
        return self.backend.value_and_gradient(self.function)(coef, data)

    @property
    def array_namespace(self) -> Any:
        """The functions that a step on its arrays is written with."""
        return self.backend.array_namespace

    @property
    def iterate(self) -> Callable[..., Any]:
        """How to run a descent of it: under the backend's own control."""
        return self.backend.iterate

    @property
    def evaluate(self) -> Callable[..., Any]:
        """How to call a pure function of an array namespace and arrays."""
        return self.backend.evaluate


class _EagerObjective:
    """An objective that reads NumPy arrays in Python, around products by BLAS."""

    array_namespace = np
    iterate = staticmethod(iterate_in_python)

    def evaluate(self, function: Callable[..., Any], *arrays: Any) -> Any:
        """Call a pure function of an array namespace and arrays."""
        return function(np, *arrays)


@dataclass(frozen=True)
class BlockwiseObjective(_EagerObjective):
    """The objective over rows in host memory; one pass over X per gradient."""

    backend: Backend
    loss: Loss
    intercept: bool = False

    def value_and_gradient(self, coef: np.ndarray, data: HostRows) -> tuple[Any, Any]:
        """F and its gradient, of the shape of `coef`: (n_features, n_targets)."""
        design, target = data
        differentiate = self.backend.value_and_derivative(self.loss)
        coef, level = _parts(coef, self.intercept)
        mean_prediction = (design.offset @ coef).astype(design.dtype) - level
        value, gradient = 0.0, np.zeros(coef.shape)
        total = np.zeros(coef.shape[1])
        for rows, block in design.blocks():
            prediction = block @ coef - mean_prediction
            losses, slopes = differentiate(target[rows], prediction)
            if design.weights is not None:
                weights = design.weights[rows, None]
                losses, slopes = losses * weights, slopes * weights
            value += losses.sum(dtype=np.float64)
            gradient += block.T @ slopes
            total += slopes.sum(axis=0)
        gradient -= np.outer(design.offset, total)
        if self.intercept:
            gradient = np.vstack([gradient, total])
        unit = 1.0 if design.weights is not None else 1.0 / len(target)
        dtype = design.dtype.type
        return dtype(value * unit), (gradient * unit).astype(dtype)


@dataclass(frozen=True)
class RefiningObjective(_EagerObjective):
    """Squared error over rows in host memory, with products in extended precision.

    What limits iterative refinement is the rounding of the gradient, which an
    ill-conditioned X magnifies by the square of its condition number. Here centring,
    residuals and products are computed in the next longer float type, and residuals
    reach the loss in two pieces, high and low: the derivative of squared error is
    linear in y - z, so that the pieces' derivatives add up.

    References
    ----------
    .. [1] A. Bjorck, "Iterative refinement of linear least squares solutions", BIT,
       1967.
    """

    backend: Backend
    loss: Loss

    def value_and_gradient(self, coef: np.ndarray, data: HostRows) -> tuple[Any, Any]:
        """F and its gradient, of the shape of `coef`: (n_features, n_targets)."""
        design, target = data
        long = np.float64 if design.dtype == np.float32 else np.longdouble
        differentiate = self.backend.value_and_derivative(self.loss)
        mean = design.offset.astype(long)
        if design.shift is not None:
            mean = mean + design.shift
        value, gradient = 0.0, np.zeros(coef.shape, dtype=long)
        weights = design.row_weights[:, None]
        for rows in design.slices():
            block = design.X[rows] - mean
            residual = target[rows] - block @ coef.astype(long)
            high = residual.astype(design.dtype)
            low = (residual - high).astype(design.dtype)
            losses, slopes = differentiate(high, np.zeros_like(high))
            more = differentiate(low, np.zeros_like(low))[1]
            value += (losses * weights[rows]).sum(dtype=np.float64)
            gradient += block.T @ ((slopes.astype(long) + more) * weights[rows])
        dtype = design.dtype.type
        return dtype(value), gradient.astype(dtype)


@dataclass(frozen=True)
class MeanLoss:
    """The objective over rows on a device, as one traced function."""

    loss: Loss
    intercept: bool = False

    def __call__(self, coef: Any, data: DeviceRows) -> Any:
        """F at `coef`."""
        coef, level = _parts(coef, self.intercept)
        return (data.weights @ self.loss(data.target, data.dot(coef) + level)).sum()


def _parts(coef: Any, intercept: bool) -> tuple[Any, Any]:
    """Coefficients, and the intercept that is their last row, or zero."""
    return (coef[:-1], coef[-1]) if intercept else (coef, 0 * coef[-1])


def one_mean_squared_error(coef: Any, moments: Moments) -> Any:
    """F of squared error for one target, a quadratic form; `coef` is (n_features,).

    Fewer operations than `mean_squared_error` of one column: what a small descent
    spends is the backend's overhead for each.
    """
    gram, cross, square = moments
    return coef @ (gram @ coef - 2.0 * cross) + square


def mean_squared_error(coef: Any, moments: Moments) -> Any:
    """F of squared error for several targets; `coef` is (n_features, n_targets)."""
    gram, cross, square = moments
    return (coef * (gram @ coef - 2.0 * cross)).sum() + square.sum()


Objective = TracedObjective | BlockwiseObjective | RefiningObjective


def objective_over_rows(
    design: HostDesign | DeviceDesign,
    target: np.ndarray,
    loss: Loss,
    backend: Backend,
    *,
    refining: bool = False,
    intercept: bool = False,
) -> tuple[Objective, HostRows | DeviceRows]:
    """Choose the objective for the place where the rows are, and its data."""
    if isinstance(design, DeviceDesign):
        return TracedObjective(backend, MeanLoss(loss, intercept)), design.rows
    rows = HostRows(design, target)
    if refining:
        return RefiningObjective(backend, loss), rows
    return BlockwiseObjective(backend, loss, intercept), rows
