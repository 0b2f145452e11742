"""The design matrix on a backend's device: the same questions, whole-array answers.

X is copied to the device once, and centred there. Products, moments and factors are
compiled by the backend and computed where X is; what has a dimension of features only
comes back as NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._rows.design import Moments
from sklearn_adreg.backends.base import Backend


class DeviceRows(NamedTuple):
    """Centred rows, weights that sum to one, and centred targets, on a device."""

    X: Any
    weights: Any
    target: Any

    def dot(self, coef: Any) -> Any:
        """Centred X times `coef`."""
        return self.X @ coef

    def transposed_dot(self, residual: Any) -> Any:
        """Transposed centred X times `residual`."""
        return self.X.T @ residual


@dataclass(frozen=True)
class DeviceDesign:
    """X on a device; what `HostDesign` offers, computed there."""

    backend: Backend
    rows: DeviceRows
    mean: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.X.shape

    @property
    def dtype(self) -> np.dtype:
        """Float type of the data."""
        return np.dtype(self.rows.X.dtype)

    @property
    def row_weights(self) -> np.ndarray:
        """Weights of all rows; they sum to one."""
        return np.asarray(self.rows.weights)

    def dot(self, coef: np.ndarray) -> np.ndarray:
        """Centred X times `coef`: (n_features, k) to (n_samples, k)."""
        return self._evaluate(_dot, self.rows.X, coef)

    def transposed_dot(self, residual: np.ndarray) -> np.ndarray:
        """Transposed centred X times `residual`: (n_samples, k) to (n_features, k)."""
        return self._evaluate(_transposed_dot, self.rows.X, residual)

    def moments(self) -> Moments:
        """Second moments of the centred rows and targets."""
        return Moments(*map(np.asarray, self.backend.evaluate(_moments, *self.rows)))

    def row_gram(self) -> np.ndarray:
        """Inner products of the weighted, centred rows, (n_samples, n_samples)."""
        return self._evaluate(_row_gram, self.rows.X, self.rows.weights)

    def triangle(self, scale: np.ndarray, target: np.ndarray) -> np.ndarray:
        """R of a QR factorisation of [1, X / scale, target], weighted and centred."""
        assert target.shape == self.rows.target.shape
        X, weights, placed = self.rows
        return self._evaluate(_triangle, X, weights, scale.astype(self.dtype), placed)

    def row_triangle(self) -> np.ndarray:
        """R of a QR factorisation of the weighted, centred X, transposed."""
        return self._evaluate(_row_triangle, self.rows.X, self.rows.weights)

    def column_variances(self) -> np.ndarray:
        """Second moments of the centred columns."""
        return self._evaluate(_column_variances, self.rows.X, self.rows.weights)

    def _evaluate(self, function: Any, *arrays: Any) -> np.ndarray:
        return np.asarray(self.backend.evaluate(function, *arrays), dtype=np.float64)


def device_design(
    backend: Backend,
    device: str,
    X: np.ndarray,
    weights: np.ndarray | None,
    target: np.ndarray,
    *,
    centred: bool,
) -> DeviceDesign:
    """Place the data on a device and centre X there."""
    if weights is None:
        weights = np.full(len(X), 1.0 / len(X), dtype=X.dtype)
    pivot = X[int(np.argmax(weights > 0))]
    placed, on_device, target = backend.place((X, weights, target), device)
    mean = np.zeros(X.shape[1])
    if centred:
        placed, mean = backend.evaluate(_centre, placed, on_device, pivot)
    return DeviceDesign(
        backend, DeviceRows(placed, on_device, target), np.asarray(mean, np.float64)
    )


def _centre(_xp: Any, X: Any, weights: Any, pivot: Any) -> Any:
    # From one of the rows: constant columns become exact zeros, and a huge offset
    # does not swamp the digits of the mean. Then again, for what rounding left of it.
    drift = X - pivot
    mean = weights @ drift
    drift = drift - mean
    rest = weights @ drift
    return drift - rest, pivot + (mean + rest)


def _dot(_xp: Any, X: Any, coef: Any) -> Any:
    return X @ coef


def _transposed_dot(_xp: Any, X: Any, residual: Any) -> Any:
    return X.T @ residual


def _moments(_xp: Any, X: Any, weights: Any, target: Any) -> Any:
    weighted = X * weights[:, None]
    return weighted.T @ X, weighted.T @ target, weights @ target**2


def _row_gram(xp: Any, X: Any, weights: Any) -> Any:
    rows = X * xp.sqrt(weights)[:, None]
    return rows @ rows.T


def _triangle(xp: Any, X: Any, weights: Any, scale: Any, target: Any) -> Any:
    columns = xp.hstack([xp.ones_like(weights)[:, None], X / scale, target])
    return xp.linalg.qr(columns * xp.sqrt(weights)[:, None], mode="r")


def _row_triangle(xp: Any, X: Any, weights: Any) -> Any:
    return xp.linalg.qr((X * xp.sqrt(weights)[:, None]).T, mode="r")


def _column_variances(_xp: Any, X: Any, weights: Any) -> Any:
    return weights @ X**2
