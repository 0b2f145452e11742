"""Whether the squares of X and y, and steps, are numbers of their float type."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite


def check_range(
    name: str,
    values: np.ndarray,
    weights: np.ndarray | None,
    squares: np.ndarray,
    *,
    about_zero: bool = False,
    on_device: bool = False,
) -> None:
    """Refuse values that are not finite, and squares that overflow or vanish.

    `squares` holds the mean squares of the columns of `values`, which are X or y: what
    is not finite shows there, without another reading of X. Those of constant columns
    may vanish about their mean, or those of zeros where they are `about_zero`. A device
    may take for zero what has not full precision: a sum over rows, weighted, is to hold
    its digits without such numbers.
    """
    info = np.finfo(values.dtype)
    least = info.tiny * (values.shape[0] / info.eps if on_device else 1.0)
    if not np.isfinite(squares).all():
        assert_all_finite(values, input_name=name)
    rows = slice(None) if weights is None else weights > 0
    columns, problem = np.flatnonzero(~(squares <= info.max)), "overflow"
    if not len(columns):
        columns, problem = np.flatnonzero(squares < least), "underflow"
        if about_zero:
            columns = columns[values[rows][:, columns].any(axis=0)]
            if not len(columns):
                return
        elif not _varies(values, rows, columns):
            return
    largest = abs(values[:, columns][rows]).max()
    rule = f"be representable in {values.dtype}; they {problem} instead"
    if on_device and problem == "underflow":
        rule = _rule_on_device(values.shape[0], least, values.dtype)
    raise ValueError(
        f"The squares of {name} must {rule}. Got values of up to {largest:.3g}. "
        f"Multiply {name} by a constant that brings its values near one"
        + (", or pass it in float64." if values.dtype == np.float32 else ".")
    )


def _rule_on_device(n_rows: int, least: float, dtype: np.dtype) -> str:
    return (
        f"have a mean of {least:.3g} or more on a device, which may take for zero what "
        f"each of {n_rows} rows adds to it below {np.finfo(dtype).tiny:.3g} in "
        f"{dtype}; theirs is less instead"
    )


def check_epsilon(epsilon: np.ndarray, dtype: np.dtype) -> None:
    """Refuse step lengths that a device takes for zero, or for infinite."""
    info = np.finfo(dtype)
    wrong = ~((epsilon >= info.tiny) & (epsilon <= info.max))
    if wrong.any():
        raise ValueError(
            f"The 'epsilon' parameter must be representable in {dtype}, the dtype of X "
            f"on the device, with full precision. Got {float(epsilon[wrong][0])!r} "
            "instead. Multiply X by a constant that brings its values near one, which "
            "epsilon is the inverse square of, or use epsilon='auto'."
        )


def _varies(values: Any, rows: Any, columns: np.ndarray) -> bool:
    """Whether one of the columns has different values in some rows."""
    if sparse.issparse(values):
        if values.format == "csr":  # whose columns take long to gather
            among = np.zeros(values.shape[1], bool)
            among[columns] = True
            if not among.take(values.indices).any():
                return False
        some = values[:, columns][rows]
        return some.nnz > 0 and (some.max(axis=0) - some.min(axis=0)).nnz > 0
    return any(np.ptp(values[rows, j]) > 0 for j in columns)
