"""Rows in the place where they are computed with, checked and measured once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._loss.pointwise import LinearLoss, Pointwise
from sklearn_adreg._rows.design import (
    HostDesign,
    Moments,
    tall_design,
    weighted_mean,
    wide_design,
)
from sklearn_adreg._rows.device import DeviceDesign, DeviceRows, device_design
from sklearn_adreg._rows.device_samples import DeviceSamples
from sklearn_adreg._rows.row_losses import RowLosses
from sklearn_adreg._rows.samples import HostSamples, Samples
from sklearn_adreg._validation import check_range
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss

Design = HostDesign | DeviceDesign


class Placed(NamedTuple):
    """A design, its moments where they were asked for, and mean squares.

    `variances` are those of the columns, `square` of the targets.
    """

    design: Design
    moments: Moments | None
    variances: np.ndarray
    square: np.ndarray

    @property
    def scale(self) -> np.ndarray:
        """Standard deviations of the columns; one for those that are constant."""
        return np.sqrt(np.where(self.variances > 0, self.variances, 1.0))


def samples_of(
    design: Design,
    target: np.ndarray,
    loss: Loss,
    backend: Backend,
    sketch: Samples | None = None,
) -> Samples:
    """Rows of a design and one target, as it came, with a loss."""
    target = np.ascontiguousarray(target)
    if isinstance(design, DeviceDesign):
        X, weights, _ = design.rows
        rows = DeviceRows(X, weights, beside(backend, target, X))
        return DeviceSamples(design, rows, LinearLoss(loss))
    pointwise = Pointwise(LinearLoss.cheapest(loss), backend)
    losses = RowLosses(target, design.row_weights, pointwise)
    return HostSamples(design, losses, sketch)


def beside(backend: Backend, array: np.ndarray, neighbour: Any) -> Any:
    """Put an array on the device where another is."""
    return backend.evaluate(_first, array, neighbour)


def _first(_xp: Any, array: Any, _neighbour: Any) -> Any:
    return array


def place_rows(
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    *,
    backend: Backend,
    device: str | None,
    centred: bool,
    measured: bool,
) -> Placed:
    """Place X and y, and measure them: second moments as well if `measured`.

    `y` is (n_samples, n_targets), and is centred where it matters. X is refused, and
    y, where a square in it is not finite.
    """
    design: Design
    moments = None
    if device is not None:
        design = device_design(backend, device, X, weights, y, centred=centred)
        moments = design.moments() if measured else None
    elif measured:
        design, moments = tall_design(X, weights, y, centred=centred)
    else:
        design = wide_design(X, weights, centred=centred)
    if moments is None:
        variances, square = design.column_variances(), weighted_mean(y**2, weights)
    else:
        variances, square = moments.gram.diagonal(), moments.square
    check_range("y", y, weights, square)
    check_range("X", X, weights, variances)
    return Placed(design, moments, variances, square)
