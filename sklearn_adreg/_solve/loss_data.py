"""Any loss but squared error: the data as its descent sees them, and its start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from sklearn_adreg._descent.coordinates import Coordinates
from sklearn_adreg._descent.metric import (
    MAX_WHITENED,
    FeatureMetric,
    SampleMetric,
    factored_metric,
    feature_metric,
    sample_metric,
)
from sklearn_adreg._rows.design import HostDesign, Moments, weighted_mean
from sklearn_adreg._rows.device import DeviceDesign
from sklearn_adreg._rows.placing import Design, Placed, beside, place_rows, samples_of
from sklearn_adreg._rows.row_losses import spread_out
from sklearn_adreg._rows.samples import Samples
from sklearn_adreg._rows.sketch import sampled_rows
from sklearn_adreg._validation import check_range
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss

# The lasso works on few columns at a time where there are more than these.
MOMENTS_FOR_LASSO = 512
# Smallest eigenvalue of scaled moments by which other rows are whitened.
_SPANNED = 1e-8


@dataclass(frozen=True)
class LossData:
    """Rows as a descent on any loss sees them, and the way back to coefficients.

    `guess` are the coefficients of least squares, (n_features, n_targets), where they
    came for nothing. `rotation` is the metric of the samples where the design was
    replaced by its coordinates in the span of its rows. `sketch` is the same for a
    sample of the rows, where there are many, in the same coordinates; if they are those
    of the sample, `measure` measures all rows. Of a sample, `rows` are their numbers.
    """

    placed: Placed
    backend: Backend
    target: np.ndarray
    weights: np.ndarray | None
    coordinates: Coordinates
    guess: np.ndarray | None = None
    rotation: tuple[SampleMetric, Design] | None = None
    sketch: LossData | None = None
    measure: Callable[[], LossData] | None = None
    rows: np.ndarray | None = None

    @property
    def design(self) -> Design:
        """What the descent has for X."""
        return self.placed.design

    @property
    def row_weights(self) -> np.ndarray:
        """Weights of all rows, written out; they sum to one."""
        return np.asarray(self.design.row_weights)

    @cached_property
    def some_rows(self) -> np.ndarray:
        """Rows that count, enough to measure what need not be exact."""
        if self.weights is None:
            return spread_out(np.arange(len(self.target)))
        return spread_out(np.flatnonzero(self.weights))

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
        sketch = None if self.sketch is None else self.sketch.samples(column, loss)
        return samples_of(self.design, target, loss, self.backend, sketch)

    def complete(self) -> LossData:
        """Return the same, with all rows measured and no sample of them."""
        return replace(self, sketch=None) if self.measure is None else self.measure()

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
    sketched: bool,
) -> LossData:
    """Place the data, measure them, and choose the coordinates.

    Without `whitened`, those are the coefficients themselves. With `sketched`, many
    rows in host memory are measured by a sample of them.
    """
    how = _How(backend, device, centred, ridge, whitened)
    rows = sampled_rows(X.shape, weights) if sketched and device is None else None
    if rows is None:
        return how.prepare(X, y, weights)
    shares = None if weights is None else weights[rows] / weights[rows].sum()
    sketch = replace(how.prepare(X[rows], y[rows], shares), rows=rows)
    design = sketch.design
    assert isinstance(design, HostDesign)
    if _spans(sketch.placed, X.dtype):
        everyone = HostDesign(X, weights, design.shift, design.offset)
        square = weighted_mean(how.centre(y, weights) ** 2, weights)
        check_range("y", y, weights, square)
        placed = Placed(everyone, None, sketch.placed.variances, square)
        return LossData(
            placed,
            backend,
            y,
            weights,
            sketch.coordinates,
            sketch=sketch,
            measure=lambda: how.prepare(X, y, weights),
        )
    data = how.prepare(X, y, weights)
    assert isinstance(data.design, HostDesign)
    part = HostDesign(design.X, design.weights, data.design.shift, data.design.offset)
    placed = data.placed._replace(design=part, moments=None)
    sketch = replace(sketch, placed=placed, coordinates=data.coordinates)
    return replace(data, sketch=sketch)


@dataclass(frozen=True)
class _How:
    """Where the rows are to be, and in which coordinates."""

    backend: Backend
    device: str | None
    centred: bool
    ridge: float
    whitened: bool

    def centre(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        """Subtract the mean of the targets, where there is an intercept."""
        return y - (weighted_mean(y, weights) if self.centred else 0.0)

    def prepare(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> LossData:
        """Measure all the rows that are given."""
        target = self.centre(y, weights).astype(X.dtype)
        n_samples, n_features = X.shape
        most = min(n_samples, MAX_WHITENED if self.whitened else MOMENTS_FOR_LASSO)
        placed = place_rows(
            X,
            target,
            weights,
            backend=self.backend,
            device=self.device,
            centred=self.centred,
            measured=n_features <= most,
        )
        scaled = self._scaled(1.0 / placed.scale)
        data = LossData(placed, self.backend, y, weights, scaled)
        if not self.whitened:
            return replace(data, coordinates=self._scaled(np.ones(n_features)))
        if placed.moments is not None:
            factor, guess = _tall_factor(
                placed.design, placed.moments, target, self.centred
            )
            return replace(data, coordinates=self._scaled(factor), guess=guess)
        if n_samples < n_features and n_samples <= MAX_WHITENED:
            narrow, factor, rotation = _rotated(
                placed.design, self.backend, self.centred
            )
            return replace(
                data,
                placed=placed._replace(design=narrow),
                coordinates=self._scaled(factor),
                rotation=rotation,
            )
        return data

    def _scaled(self, factor: np.ndarray) -> Coordinates:
        return Coordinates(factor, self.centred, self.ridge)


def _spans(placed: Placed, dtype: np.dtype) -> bool:
    """Whether rows tell all columns apart, well enough to whiten others by them."""
    if not (placed.variances > 0).all() or placed.moments is None:
        return bool((placed.variances > 0).all())
    scale = np.sqrt(placed.variances)
    values = np.linalg.eigvalsh(placed.moments.gram / np.outer(scale, scale))
    smallest = max(_SPANNED, float(np.finfo(dtype).eps) ** (2 / 3))
    return bool(values[0] > smallest * values[-1])


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
    design: Design, backend: Backend, centred: bool
) -> tuple[Design, np.ndarray, Any]:
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
    factor = np.diag(1.0 / np.sqrt(eigenvalues))
    nothing = np.zeros(rotated.shape[1])
    if isinstance(design, DeviceDesign):
        placed = beside(backend, rotated, design.rows.X)
        rows = design.rows._replace(X=placed)
        return DeviceDesign(backend, rows, nothing), factor, (metric, design)
    narrow = HostDesign(rotated, design.weights, None, nothing)
    return narrow, factor, (metric, design)
