"""Any loss but squared error: the data as its descent sees them, and its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg._coordinates import Coordinates
from sklearn_adreg._design import HostDesign, Moments, weighted_mean
from sklearn_adreg._device import DeviceDesign
from sklearn_adreg._metric import (
    MAX_WHITENED,
    FeatureMetric,
    SampleMetric,
    factored_metric,
    feature_metric,
    sample_metric,
)
from sklearn_adreg._placing import Design, Placed, beside, place_rows, samples_of
from sklearn_adreg._samples import Samples
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss

# The lasso works on few columns at a time where there are more than these.
MOMENTS_FOR_LASSO = 512


@dataclass(frozen=True)
class LossData:
    """Rows as a descent on any loss sees them, and the way back to coefficients.

    `guess` are the coefficients of least squares, (n_features, n_targets), where they
    came for nothing. `rotation` is the metric of the samples where the design was
    replaced by its coordinates in the span of its rows.
    """

    placed: Placed
    backend: Backend
    target: np.ndarray
    weights: np.ndarray | None
    coordinates: Coordinates
    guess: np.ndarray | None = None
    rotation: tuple[SampleMetric, Design] | None = None

    @property
    def design(self) -> Design:
        """What the descent has for X."""
        return self.placed.design

    @property
    def row_weights(self) -> np.ndarray:
        """Weights of all rows, written out; they sum to one."""
        return np.asarray(self.design.row_weights)

    @property
    def mean(self) -> np.ndarray:
        """What was subtracted from the rows of X as it came."""
        return self.design.mean if self.rotation is None else self.rotation[1].mean

    @property
    def target_mean(self) -> np.ndarray:
        """Mean of each target; zero without an intercept."""
        if not self.coordinates.intercept:
            return np.zeros(self.target.shape[1])
        return weighted_mean(self.target, self.weights)

    def samples(self, column: int, loss: Loss) -> Samples:
        """Return the samples of one target."""
        target = self.target[:, column]
        return samples_of(self.design, target, loss, self.backend)

    def inner(self, coef: np.ndarray, intercept: float) -> np.ndarray:
        """Unknowns of the descent, from coefficients and intercept for X as it came."""
        level = intercept + float(self.mean @ coef)
        if self.rotation is not None:
            metric, design = self.rotation
            coef = metric.whiten(coef[:, None], _Rows(design))[:, 0]
            coef = coef * np.sqrt(metric.eigenvalues)
        return np.append(coef, level)

    def outer(self, found: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients and intercept for X as it came, from the descent's unknowns."""
        coef, level = found[:-1], found[-1]
        if self.rotation is not None:
            metric, design = self.rotation
            scaled = coef * np.sqrt(metric.eigenvalues)
            coef = np.asarray(metric.unwhiten(scaled[:, None], _Rows(design)))[:, 0]
        return coef, float(level - self.mean @ coef)


def prepare_loss(
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    *,
    backend: Backend,
    device: str | None,
    centred: bool,
    ridge: float,
    whitened: bool,
) -> LossData:
    """Place the data, measure them, and choose the coordinates.

    Without `whitened`, those are the coefficients themselves.
    """
    target = y - (weighted_mean(y, weights) if centred else 0.0)
    target = target.astype(X.dtype)
    n_samples, n_features = X.shape
    most = min(n_samples, MAX_WHITENED if whitened else MOMENTS_FOR_LASSO)
    placed = place_rows(
        X,
        target,
        weights,
        backend=backend,
        device=device,
        centred=centred,
        measured=n_features <= most,
    )
    if not whitened:
        coordinates = Coordinates(np.ones(n_features), centred, ridge)
        return LossData(placed, backend, y, weights, coordinates)
    if placed.moments is not None:
        factor, guess = _tall_factor(placed.design, placed.moments, target, centred)
        return LossData(
            placed, backend, y, weights, Coordinates(factor, centred, ridge), guess
        )
    if n_samples < n_features and n_samples <= MAX_WHITENED:
        narrow, coordinates, rotation = _rotated(placed.design, backend, centred, ridge)
        placed = placed._replace(design=narrow)
        return LossData(placed, backend, y, weights, coordinates, rotation=rotation)
    scale = np.sqrt(np.where(placed.variances > 0, placed.variances, 1.0))
    return LossData(
        placed, backend, y, weights, Coordinates(1.0 / scale, centred, ridge)
    )


@dataclass(frozen=True)
class _Rows:
    """A design as a metric asks for it, with NumPy arrays."""

    design: Design

    def dot(self, coef: np.ndarray) -> np.ndarray:
        return self.design.dot(coef.astype(self.design.dtype))

    def transposed_dot(self, residual: np.ndarray) -> np.ndarray:
        return self.design.transposed_dot(residual.astype(self.design.dtype))

    @property
    def weights(self) -> np.ndarray:
        return self.design.row_weights


def _tall_factor(
    design: Design, moments: Moments, target: np.ndarray, centred: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Whiten the columns, within what the rows span; least squares comes with it."""
    gram = np.asarray(moments.gram, dtype=np.float64)
    found = feature_metric(design, gram, centred=centred) or factored_metric(
        design, gram, target, centred=centred
    )
    metric, _, guess = found
    assert isinstance(metric, FeatureMetric)
    factor, null = (part.astype(np.float64) for part in metric)
    factor = factor - null @ (null.T @ factor)
    if guess is None:
        guess = factor @ (factor.T @ np.asarray(moments.cross))
    return factor, guess


def _rotated(
    design: Design, backend: Backend, centred: bool, ridge: float
) -> tuple[Design, Coordinates, Any]:
    """Replace X by its coordinates in an orthonormal basis of the span of its rows.

    With fewer rows than columns that is a square matrix: the descent happens there.
    """
    weights = np.asarray(design.row_weights)
    metric = sample_metric(design, weights, centred=centred).metric
    assert isinstance(metric, SampleMetric)
    roots = np.sqrt(weights.astype(np.float64))
    basis = metric.basis.astype(np.float64)
    if centred:
        # Centred rows sum to zero: this direction belongs to the intercept.
        kept = np.abs(roots @ basis) < 0.5
        metric = SampleMetric(metric.basis[:, kept], metric.eigenvalues[kept])
        basis = basis[:, kept]
    eigenvalues = metric.eigenvalues.astype(np.float64)
    rotated = basis * np.sqrt(eigenvalues)
    rotated[roots > 0] /= roots[roots > 0, None]
    rotated = rotated.astype(design.dtype)
    coordinates = Coordinates(np.diag(1.0 / np.sqrt(eigenvalues)), centred, ridge)
    nothing = np.zeros(rotated.shape[1])
    if isinstance(design, DeviceDesign):
        placed = beside(backend, rotated, design.rows.X)
        rows = design.rows._replace(X=placed)
        return DeviceDesign(backend, rows, nothing), coordinates, (metric, design)
    narrow = HostDesign(rotated, design.weights, None, nothing)
    return narrow, coordinates, (metric, design)
