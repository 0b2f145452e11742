"""From arrays to rows in the place where they are computed with, checked and measured.

| X | device | rows |
| --- | --- | --- |
| dense, in memory or a memory map | None | `HostRows` |
| dense | a name | `DeviceRows` |
| sparse, CSR or CSC | None | `SparseRows` |

Where there are many rows, a sample of them may stand for all: its second moments whiten
nearly as well as those of all, and its optimum is near theirs. A descent starts there,
and reads the rest of X for gradients alone. Both errors shrink like the root of columns
over rows of the sample [1]_.

References
----------
.. [1] F. Roosta-Khorasani, M. W. Mahoney, "Sub-sampled Newton methods", Mathematical
   Programming 174, 2019.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_adreg._range import check_range
from sklearn_adreg._rows.device import DeviceRows, device_rows
from sklearn_adreg._rows.host import HostRows, gathered
from sklearn_adreg._rows.moments import (
    Moments,
    centre_of,
    centred,
    mean_square,
    measured,
    moments_of,
    weighted_mean,
)
from sklearn_adreg._rows.rows import Data, Rows, spread_out
from sklearn_adreg._rows.sparse import SparseRows, sparse_rows
from sklearn_adreg._validation import check_finite_rows
from sklearn_adreg.backends.base import Backend

# A sample has so many rows, which cost little beside what a fit does once; such a part
# of all, a step on which costs little beside one on all; and so many for each column,
# with which moments are right to about a fifth in each direction. There are to be
# several times as many, or starting on a sample spares nothing.
_SAMPLE_ROWS, _SAMPLE_SHARE, _SAMPLE_PER_COLUMN = 1 << 13, 16, 20
_TIMES_AS_MANY = 4


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

    `weight` sums to one, and is None where all are the same. The moments are those of
    the targets less the offset. X is refused, and y, where a square is not finite.
    """
    where, beside = (backend, device, intercept), (offset, row_data)
    if not measure:
        return place_with_variances(X, y, weight, *where, *beside)[0], None
    left = y if offset is None else y - offset
    if kind_of(X, device) is HostRows:
        rows, moments = measured(X, left, weight, intercept=intercept)
        data = data_on(rows, y, weight, *beside)
    else:
        data = data_on(_rows(X, weight, *where), y, weight, *beside)
        moments = moments_of(data.rows, data.left, data.weight)
    on_device = not data.rows.eager
    check_range("y", left, weight, moments.square, on_device=on_device)
    check_range("X", X, weight, moments.gram.diagonal(), on_device=on_device)
    return data, moments


def place_with_variances(
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    backend: Backend,
    device: str | None,
    intercept: bool,
    offset: np.ndarray | None = None,
    row_data: tuple[np.ndarray, ...] = (),
) -> tuple[Data, np.ndarray]:
    """Place as `place` does, with the diagonal of the second moments, (p,)."""
    rows = _rows(X, weight, backend, device, intercept)
    data = data_on(rows, y, weight, offset, row_data)
    left = y if offset is None else y - offset
    return data, _checked_variances(data, X, left, weight)


def kind_of(X: Any, device: str | None) -> type[Rows]:
    """Return the kind of rows that X becomes."""
    if sparse.issparse(X):
        return SparseRows
    return HostRows if device is None else DeviceRows


def rows_less(X: Any, row: np.ndarray) -> Rows:
    """Rows of X in host memory less one of them, with the ones of an intercept."""
    if kind_of(X, None).dense:
        return HostRows(X, row, np.zeros(X.shape[1]), intercept=True)
    return SparseRows(X, row.astype(np.float64), row, intercept=True)


def _rows(
    X: Any,
    weight: np.ndarray | None,
    backend: Backend,
    device: str | None,
    intercept: bool,
) -> Rows:
    """Make rows of X, centred where there is an intercept, and not measured."""
    kind = kind_of(X, device)
    if kind is SparseRows:
        return sparse_rows(X, weight, intercept=intercept)
    if device is not None:
        return device_rows(backend, device, X, weight, intercept=intercept)
    return centred(X, weight, intercept=intercept)


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


def sampled(shape: tuple[int, int], weight: np.ndarray | None) -> np.ndarray | None:
    """Rows of a sample, in order; None where it would be most of them."""
    counted = np.arange(shape[0]) if weight is None else np.flatnonzero(weight)
    n_rows = len(counted)
    size = max(_SAMPLE_ROWS, n_rows // _SAMPLE_SHARE, _SAMPLE_PER_COLUMN * shape[1])
    return None if n_rows < _TIMES_AS_MANY * size else spread_out(counted, size)


def place_by_sample(
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    sample: np.ndarray,
    *,
    intercept: bool,
    offset: np.ndarray | None = None,
    row_data: tuple[np.ndarray, ...] = (),
) -> tuple[Data, Moments]:
    """Place all rows in host memory, centred by a sample; with the sample's moments.

    Whether the rest of X is finite is for `check_unseen` to say.
    """
    shares = None if weight is None else weight[sample] / weight[sample].sum()
    if not kind_of(X, None).dense:
        rows = sparse_rows(X, weight, intercept=intercept)
        data = data_on(rows, y, weight, offset, row_data)
        part = data.part(sample)
        return data, moments_of(part.rows, part.left, part.weight)
    left = y[sample] if offset is None else y[sample] - offset[sample]
    some = gathered(X, sample)
    few, moments = measured(some, left, shares, intercept=intercept)
    return data_on(replace(few, source=X), y, weight, offset, row_data), moments


def check_unseen(data: Data, sums: np.ndarray) -> None:
    """Refuse X where weighted sums over its rows may hide what has no finite square.

    A sum that is missing or large asks for a look at X; rounding is left as room.
    """
    info = np.finfo(data.rows.dtype)
    if not (np.abs(sums) < float(info.eps) * np.sqrt(float(info.max))).all():
        target = data.left.reshape(data.rows.shape[0], -1)
        _checked_variances(data, data.rows.source, target, data.weight)


def check_target(y: np.ndarray, weight: np.ndarray | None) -> None:
    """Refuse y before a loss is tried on numbers whose squares are zero, or infinite.

    A loss is tried on what a constant is itself, which is to be a number of full
    precision, as its square is, unless that is zero.
    """
    squares = mean_square(y - centre_of(y, weight), weight)
    check_range("y", y, weight, squares)
    size = weighted_mean(np.abs(y), weight), mean_square(y, weight)
    sizes = np.where(squares > 0, 1.0, np.maximum(*size))
    check_range("y", y, weight, sizes, about_zero=True)


def check_distances(
    y: np.ndarray, weight: np.ndarray | None, *, intercept: bool
) -> None:
    """Refuse y whose squares, from its mean or from zero, steps cannot be measured by.

    Squared error alone is the same for targets and for their distances from the mean.
    """
    mean = centre_of(y, weight) if intercept else 0.0
    apart = (y - mean).astype(y.dtype)
    check_range("y", apart, weight, mean_square(apart, weight), about_zero=True)


def _checked_variances(
    data: Data, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None
) -> np.ndarray:
    """Refuse X and y where a square in them is not finite; the variances show that.

    They are those of the rows that count; the others are looked at, for 0 * NaN is not
    zero.
    """
    mean = centre_of(y, weight) if data.rows.intercept else 0.0
    variances = data.rows.diagonal(data.weight)
    if weight is not None:
        check_finite_rows(X, np.flatnonzero(weight == 0))
    on_device, squares = not data.rows.eager, mean_square(y - mean, weight)
    check_range("y", y, weight, squares, on_device=on_device)
    check_range("X", X, weight, variances[: X.shape[1]], on_device=on_device)
    return variances
