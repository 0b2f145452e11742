"""Samples on a backend's device: what `HostSamples` offers, compiled there.

Arrays as long as the data stay on the device. Only numbers, and arrays of the length
of the coefficients, come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg._loss.pointwise import LinearLoss, Slopes, windowed
from sklearn_adreg._rows.device import DeviceDesign, DeviceRows
from sklearn_adreg._rows.row_losses import Point
from sklearn_adreg.backends.base import Backend

# Second moments in passes over X, where products are computed in parallel.
_HESSIAN_COST = 3.0


@dataclass(frozen=True)
class DeviceSamples:
    """Samples of one target on a device; `rows.target` has its one column."""

    design: DeviceDesign
    rows: DeviceRows
    loss: LinearLoss
    sketch = None

    @property
    def backend(self) -> Backend:
        """Who computes."""
        return self.design.backend

    def locate(self, coef: np.ndarray) -> Any:
        """Linear predictor at coefficients."""
        return self.backend.evaluate(_locate, self.rows.X, self._number(coef))

    def value(self, linear: Any) -> float:
        """Mean loss."""
        mean = _MeanLoss(self.loss)
        return float(self.backend.evaluate(mean, linear, *self._labels))

    def point(self, linear: Any, width: float) -> Point:
        """Differentiate at a value of the linear predictor."""
        return self.along(linear, linear, 0.0, width)

    def along(self, linear: Any, ray: Any, length: float, width: float) -> Point:
        """Point at a distance along a ray."""
        along = _Along(self.backend, self.loss, width > 0)
        numbers = self._number(length), self._number(width)
        return _point(
            self.backend.evaluate(along, linear, ray, *numbers, *self._labels)
        )

    def gradient(self, point: Point) -> np.ndarray:
        """Gradient of the mean loss by the coefficients."""
        found = self.backend.evaluate(_gradient, self.rows.X, point.slopes)
        return np.asarray(found, dtype=np.float64)

    def bend(self, linear: Any, width: float) -> float:
        """Mean curvature."""
        return self.point(linear, width).bend

    def hessian(self, curvature: Any) -> np.ndarray:
        """Second moments of the rows and the intercept's ones, weighted so.

        Where few rows have curvature they are gathered first.
        """
        found = np.asarray(curvature)
        chosen = np.flatnonzero(found)
        if len(chosen) > len(found) / 4:
            moments = self.backend.evaluate(_hessian, self.rows.X, curvature)
        else:
            # As many as a power of two, so that few shapes are compiled.
            size = 1 << max(len(chosen) - 1, 0).bit_length()
            missing = (0, size - len(chosen))
            weights = np.pad(found[chosen], missing)
            rows = np.pad(chosen, missing)
            moments = self.backend.evaluate(_sparse_hessian, self.rows.X, weights, rows)
        return np.array(moments, dtype=np.float64)

    def hessian_cost(self, curvature: Any) -> float:
        """Cost of a Hessian in passes over X; None is curvature everywhere."""
        if curvature is None:
            return _HESSIAN_COST
        found = np.asarray(curvature)
        return _HESSIAN_COST * np.count_nonzero(found) / len(found)

    def restricted(self, columns: np.ndarray) -> DeviceSamples:
        """Return samples with some of the columns, which are copied."""
        X = self.backend.evaluate(_columns, self.rows.X, columns)
        return DeviceSamples(self.design, self.rows._replace(X=X), self.loss)

    @property
    def _labels(self) -> tuple[Any, Any]:
        return self.rows.target, self.rows.weights

    def _number(self, value: Any) -> Any:
        return np.asarray(value, dtype=self.design.dtype)


def _point(found: tuple[Any, ...]) -> Point:
    linear, value, slopes, curvature, rise, bend = found
    return Point(
        linear,
        None if value is None else float(value),
        slopes,
        curvature,
        float(rise),
        float(bend),
    )


@dataclass(frozen=True)
class _MeanLoss:
    loss: LinearLoss

    def __call__(self, xp: Any, linear: Any, target: Any, weights: Any) -> Any:
        return weights @ xp.where(weights > 0, self.loss(target, linear), 0.0)


@dataclass(frozen=True)
class _Along:
    backend: Backend
    loss: LinearLoss
    smoothed: bool

    def __call__(
        self,
        xp: Any,
        linear: Any,
        ray: Any,
        length: Any,
        width: Any,
        target: Any,
        weights: Any,
    ) -> Any:
        linear = linear + length * ray
        found = self._slopes(xp, target, linear, width).where(xp, weights > 0)
        slopes = weights * found.slope
        value = None if found.value is None else weights @ found.value
        curvature, bend = None, 0.0
        if found.curvature is not None:
            curvature = weights * abs(found.curvature)
            bend = curvature.sum()
        return linear, value, slopes, curvature, slopes @ ray, bend

    def _slopes(self, xp: Any, target: Any, linear: Any, width: Any) -> Slopes:
        if not self.smoothed:
            return Slopes(*self._differentiate(target, linear), None)
        above, below = linear + width, linear - width
        high, low = (self._differentiate(target, end) for end in (above, below))
        values, slopes = zip(high, low, strict=True)
        return windowed(xp, values, slopes, above - below)

    def _differentiate(self, target: Any, linear: Any) -> tuple[Any, Any]:
        def total(linear: Any) -> Any:
            return self.loss(target, linear).sum()

        slopes = self.backend.value_and_gradient(total)(linear)[1]
        return self.loss(target, linear), slopes


def _locate(_xp: Any, X: Any, coef: Any) -> Any:
    return X @ coef[:-1] + coef[-1]


def _gradient(xp: Any, X: Any, slopes: Any) -> Any:
    return xp.append(X.T @ slopes, slopes.sum())


def _hessian(xp: Any, X: Any, curvature: Any) -> Any:
    moments, cross = (X * curvature[:, None]).T @ X, X.T @ curvature
    last = xp.append(cross, curvature.sum())
    return xp.vstack([xp.hstack([moments, cross[:, None]]), last])


def _sparse_hessian(xp: Any, X: Any, curvature: Any, rows: Any) -> Any:
    return _hessian(xp, X[rows], curvature)


def _columns(_xp: Any, X: Any, columns: Any) -> Any:
    return X[:, columns]
