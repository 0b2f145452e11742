"""What `fit` asks of its arguments, beyond scikit-learn's own checks."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array


def checked_start(coef: np.ndarray, X: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Coefficients of the fit before, as a start: (n_features, n_targets)."""
    coef = np.atleast_2d(coef).T
    expected = X.shape[1], targets.shape[1]
    if coef.shape != expected:
        raise ValueError(
            f"With warm_start=True the data must have the {coef.shape[0]} features "
            f"and {coef.shape[1]} targets of the fit before. Got {expected[0]} "
            f"features and {expected[1]} targets instead. Set warm_start=False or "
            "fit a clone."
        )
    return coef.astype(X.dtype)


def checked_target(y: Any, dtype: np.dtype) -> np.ndarray:
    """Numbers, as columns."""
    if sparse.issparse(y) or y.dtype.kind in "USOM":
        raise ValueError(
            "The target y must be a dense array of numbers. Got "
            f"{'a sparse matrix' if sparse.issparse(y) else f'dtype {y.dtype}'} "
            "instead. Convert it with y.toarray() or y.astype(float)."
        )
    y = y.astype(dtype, copy=False)
    return y[:, None] if y.ndim == 1 else y


def checked_weights(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Weights that sum to one; None where all are the same."""
    if sample_weight is None:
        return None
    if np.ndim(sample_weight) == 0:
        sample_weight = np.full(1, sample_weight)
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=X.dtype, input_name="sample_weight"
    )
    if weights.shape not in {(1,), (len(X),)}:
        raise ValueError(
            f"The sample_weight must have shape ({len(X)},), one weight for each row "
            f"of X. Got shape {weights.shape} instead."
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
