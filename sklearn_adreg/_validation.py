"""What `fit` asks of its arguments, beyond scikit-learn's own checks."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_array

# Sparse formats that are used as they are; others are converted to the first.
SPARSE = ("csr", "csc")
# Rows of X that are copied at a time, to be looked at: a small part of many.
_LOOKED_AT = 1 << 12


def checked_start(
    coef: np.ndarray, intercept: np.ndarray, X: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit before, as a start: coefficients (n_features, n_targets) and intercepts."""
    coef = np.atleast_2d(coef).T
    expected = X.shape[1], targets.shape[1]
    if coef.shape != expected:
        raise ValueError(
            f"With warm_start=True the data must have the {coef.shape[0]} features "
            f"and {coef.shape[1]} targets of the fit before. Got {expected[0]} "
            f"features and {expected[1]} targets instead. Set warm_start=False or "
            "fit a clone."
        )
    return coef.astype(np.float64), np.atleast_1d(intercept).astype(np.float64)


def checked_alpha(
    name: str, alpha: Any, n_targets: int, n_features: int
) -> float | np.ndarray:
    """Strengths of a penalty: a number, (n_features,) or (n_targets, n_features).

    It is the first of these that tells them. `name` says whose parameter it is.
    """
    given = np.asarray(alpha)
    expected = n_targets, n_features
    rule = (
        f"The {name} must be a non-negative number, or an array of such numbers that "
        f"broadcasts against coef_, of shape {expected}"
    )
    if given.dtype.kind not in "iuf":
        raise ValueError(f"{rule}. Got {alpha!r} instead.")
    try:
        strengths = np.broadcast_to(given, expected).astype(np.float64)
    except ValueError:
        raise ValueError(
            f"{rule}. Got shape {given.shape} instead. Pass one strength for each "
            f"column of X, an array of shape ({n_features},)."
        ) from None
    wrong = ~((strengths >= 0) & (strengths < np.inf))
    if wrong.any():
        raise ValueError(
            f"{rule}. Got {float(strengths[wrong][0])!r} among them instead. Zero "
            "leaves a column without a penalty."
        )
    if (strengths == strengths[0, 0]).all():
        return float(strengths[0, 0])
    return strengths[0] if (strengths == strengths[0]).all() else strengths


def check_place(X: Any, device: str | None, estimator: Any) -> None:
    """Refuse to copy a sparse X to a device."""
    if sparse.issparse(X) and device is not None:
        raise ValueError(
            f"The 'device' parameter of {type(estimator).__name__} must be None where "
            f"X is sparse. Got {device!r} instead. Set device=None, which computes in "
            "host memory, or pass X.toarray() where that fits on the device."
        )


def checked_target(y: Any, dtype: np.dtype) -> np.ndarray:
    """Numbers, as columns."""
    if sparse.issparse(y) or y.dtype.kind not in "biuf":
        raise ValueError(
            "The target y must be a dense array of numbers. Got "
            f"{described(y, y)} instead. Convert it with y.toarray() or "
            "y.astype(float)."
        )
    with np.errstate(over="ignore"):
        y = y.astype(dtype, copy=False)
    if not np.isfinite(y).all():
        raise ValueError(
            f"The target y must fit in {dtype}, the dtype of X. Got values too large "
            "for it instead. Pass X in float64, or divide y by a constant."
        )
    return y[:, None] if y.ndim == 1 else y


def checked_weights(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Weights that sum to one; None where all are the same."""
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight)
    if weights.ndim == 0 and weights.dtype.kind != "O":
        weights = np.full(X.shape[0], weights)
    if weights.dtype.kind not in "biuf":
        raise ValueError(
            "The sample_weight must be a dense array of real numbers. Got "
            f"{described(sample_weight, weights)} instead."
        )
    if weights.shape != (X.shape[0],):
        raise ValueError(
            f"The sample_weight must have shape ({X.shape[0]},), one weight for each "
            f"row of X. Got shape {weights.shape} instead."
        )
    weights = check_array(
        weights, ensure_2d=False, dtype=X.dtype, input_name="sample_weight"
    )
    if (weights < 0).any():
        raise ValueError(
            "The sample_weight must not be negative. Got "
            f"{weights.min()!r} instead. Drop the rows that are not to count, or give "
            "them weight zero."
        )
    if not weights.any():
        raise ValueError(
            "The sample_weight must have a weight above zero. Got only zero instead: "
            "there is nothing to fit."
        )
    if (weights == weights[0]).all():
        return None
    weights = weights / weights.max()
    return weights / weights.sum()


def check_range(
    name: str, values: np.ndarray, weights: np.ndarray | None, squares: np.ndarray
) -> None:
    """Refuse values that are not finite, and squares that overflow or vanish.

    `squares` holds the mean squares of the columns of `values`, which are X or y: what
    is not finite shows there, without another reading of X.
    """
    info = np.finfo(values.dtype)
    if not np.isfinite(squares).all():
        assert_all_finite(values, input_name=name)
    rows = slice(None) if weights is None else weights > 0
    if not (squares <= info.max).all():
        problem = "overflow"
    elif _varies(values, rows, np.flatnonzero(squares < info.tiny)):
        problem = "underflow"
    else:
        return
    raise ValueError(
        f"The squares of {name} must be representable in {values.dtype}; they "
        f"{problem} instead. Multiply {name} by a constant that brings its values near "
        "one" + (", or pass it in float64." if values.dtype == np.float32 else ".")
    )


def _varies(values: Any, rows: Any, columns: np.ndarray) -> bool:
    """Whether one of the columns has different values in some rows."""
    if sparse.issparse(values):
        some = values[:, columns][rows]
        return some.nnz > 0 and (some.max(axis=0) - some.min(axis=0)).nnz > 0
    return any(np.ptp(values[rows, j]) > 0 for j in columns)


def check_finite_rows(X: np.ndarray, index: np.ndarray) -> None:
    """Refuse X where some of its rows hold what is not finite."""
    for start in range(0, len(index), _LOOKED_AT):
        assert_all_finite(X[index[start : start + _LOOKED_AT]], input_name="X")


def described(given: Any, array: Any) -> str:
    """Say of what kind an array is that cannot be used."""
    return "a sparse matrix" if sparse.issparse(given) else f"dtype {array.dtype}"
