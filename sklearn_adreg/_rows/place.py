"""From arrays to rows in the place where they are computed with, checked and measured.

| X | device | rows |
| --- | --- | --- |
| dense, in memory or a memory map | None | `HostRows` |
| dense | a name | `DeviceRows` |
"""

from __future__ import annotations

import numpy as np

from sklearn_adreg._rows.device import DeviceRows, device_moments, device_rows
from sklearn_adreg._rows.moments import (
    Moments,
    centred,
    mean_square,
    measured,
    weighted_mean,
)
from sklearn_adreg._rows.rows import Data, Rows
from sklearn_adreg._validation import check_range
from sklearn_adreg.backends.base import Backend


def place(
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    *,
    backend: Backend,
    device: str | None,
    intercept: bool,
    measure: bool,
    offset: np.ndarray | None = None,
    row_data: tuple[np.ndarray, ...] = (),
) -> tuple[Data, Moments | None]:
    """Place X and y, which is (n_samples, n_targets); with second moments if asked.

    `weight` sums to one, and is None where all are the same. X is refused, and y, where
    a square in it is not finite.
    """
    rows: Rows
    moments = None
    if device is not None:
        rows = device_rows(backend, device, X, weight, intercept=intercept)
    elif measure:
        rows, moments = measured(X, y, weight, intercept=intercept)
    else:
        rows = centred(X, weight, intercept=intercept)
    data = data_on(rows, y, weight, offset, row_data)
    if measure and isinstance(rows, DeviceRows):
        moments = device_moments(rows, data.target, data.weight)
    check_squares(data, moments, X, y, weight, intercept=intercept)
    return data, moments


def data_on(
    rows: Rows,
    y: np.ndarray,
    weight: np.ndarray | None,
    offset: np.ndarray | None = None,
    row_data: tuple[np.ndarray, ...] = (),
) -> Data:
    """Put what belongs to each row beside it; weights are written out."""
    if weight is None:
        weight = np.full(rows.shape[0], 1.0 / rows.shape[0])
    beside = None if offset is None else rows.vector(offset)
    further = tuple(rows.vector(each) for each in row_data)
    return Data(rows, rows.vector(y), rows.vector(weight), beside, further)


def check_squares(
    data: Data,
    moments: Moments | None,
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    *,
    intercept: bool,
) -> None:
    """Refuse X and y where a square in them is not finite."""
    if moments is None:
        mean = weighted_mean(y, weight) if intercept else 0.0
        square = mean_square(y - mean, weight)
        variances = data.rows.diagonal(data.weight)[: X.shape[1]]
    else:
        variances, square = moments.gram.diagonal(), moments.square
    check_range("y", y, weight, square)
    check_range("X", X, weight, variances)


def representable(sums: np.ndarray, dtype: np.dtype) -> bool:
    """Whether weighted sums over all rows show no entry of X whose square overflows.

    A sum that is missing or larger asks for a look at X; rounding is left as room.
    """
    info = np.finfo(dtype)
    return bool((np.abs(sums) < float(info.eps) * np.sqrt(float(info.max))).all())
