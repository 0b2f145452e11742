"""What `fit` asks of its arguments, beyond scikit-learn's own checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_array

from sklearn_adreg._loss.linear import named, row_arguments
from sklearn_adreg.losses import get_loss
from sklearn_adreg.losses._base import columns_of, is_estimated

# Sparse formats that are used as they are; others are converted to the first.
SPARSE = ("csr", "csc")
# Rows of X that are copied at a time, to be looked at: a small part of many.
_LOOKED_AT = 1 << 12


def with_parameters_of_loss(loss: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Put a loss that has them in the place of parameters such as ``loss__delta``."""
    prefix = "loss__"
    nested = {
        name.removeprefix(prefix): value
        for name, value in params.items()
        if name.startswith(prefix)
    }
    found: Any = get_loss(params.get("loss", loss)) if nested else None
    if not nested or hasattr(found, "set_params"):
        return params
    known = [each.name for each in fields(found)] if is_dataclass(found) else []
    for name in nested:
        if name not in known:
            raise ValueError(
                f"The loss {found!r} must be a dataclass with a field {name!r} for "
                f"{prefix + name!r} to be set. Got the fields {known} instead. Check "
                "the name, or set `loss` itself."
            )
    others = {
        name: value for name, value in params.items() if not name.startswith(prefix)
    }
    return others | {"loss": replace(found, **nested)}


def checked_start(
    coef: np.ndarray, intercept: np.ndarray, expected: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Fit before, as a start: coefficients (n_features, n_targets) and intercepts."""
    coef = np.atleast_2d(coef).T
    if coef.shape != expected:
        raise ValueError(
            f"With warm_start=True the data must have the {coef.shape[0]} features "
            f"and {coef.shape[1]} targets (or outputs) of the fit before. Got "
            f"{expected[0]} features and {expected[1]} targets instead. Set "
            "warm_start=False or fit a clone."
        )
    return coef.astype(np.float64), np.atleast_1d(intercept).astype(np.float64)


def checked_alpha(
    name: str, alpha: Any, n_targets: int, n_features: int
) -> float | np.ndarray:
    """Strengths of a penalty: a number, (n_features,) or (n_targets, n_features).

    It is the first of these that tells them. `name` says whose parameter it is.
    """
    if type(alpha) is float and 0 <= alpha < np.inf:
        return alpha  # arrays take 3 %, with all that follows, of a fit of 200 x 10
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
            "y.astype(float); labels of classes are for GradientDescentClassifier."
        )
    with np.errstate(over="ignore"):
        y = y.astype(dtype, copy=False)
    if not np.isfinite(y).all():
        if np.isnan(y).any():  # was None among objects
            assert_all_finite(y, input_name="y")
        raise ValueError(
            f"The target y must fit in {dtype}, the dtype of X. Got values too large "
            "for it instead. Pass X in float64, or divide y by a constant."
        )
    return y[:, None] if y.ndim == 1 else y


def check_one_target(targets: np.ndarray, n_outputs: int, estimator: Any) -> None:
    """Refuse several targets for a loss with several outputs."""
    if n_outputs > 1 and targets.shape[1] > 1:
        raise ValueError(
            f"The target y of {type(estimator).__name__} must be one column where "
            f"n_outputs is above 1: coef_ has a row for each output, and none is left "
            f"for targets. Got {targets.shape[1]} targets and n_outputs={n_outputs} "
            "instead. Fit a model for each target (MultiOutputRegressor)."
        )


def checked_weights(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Weights that sum to one; None where all are the same."""
    weights = unsummed_weights(sample_weight, X)
    return None if weights is None else shares(weights)


def shares(weight: np.ndarray) -> np.ndarray | None:
    """Weights that sum to one; None where all are the same."""
    if (weight == weight[0]).all():
        return None
    weight = weight / weight.max()
    return weight / weight.sum()


def unsummed_weights(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Weights times a power of two, at most one; None where all are the same.

    The shares of a part of them are, to the last digit, those that a fit to that part
    has: where steps are too long their ends depend on it.
    """
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
            f"{weights.min()} instead. Drop the rows that are not to count, or give "
            "them weight zero."
        )
    if not weights.any():
        raise ValueError(
            "The sample_weight must have a weight above zero. Got only zero instead: "
            "there is nothing to fit."
        )
    if (weights == weights[0]).all():
        return None
    return np.ldexp(weights, -np.frexp(weights.max())[1])


def checked_offset(
    offset: Any, shape: tuple[int, int], dtype: np.dtype
) -> np.ndarray | None:
    """Offsets of so many rows and columns; None where none is given, or all are zero.

    One a row serves all columns.
    """
    if offset is None:
        return None
    given = np.asarray(offset)
    if sparse.issparse(offset) or given.dtype.kind not in "biuf":
        raise ValueError(
            "The offset must be a dense array of real numbers. Got "
            f"{described(offset, given)} instead. Convert it with offset.toarray() or "
            "offset.astype(float)."
        )
    n_rows, n_columns = shape
    if given.shape not in {(n_rows,), (n_rows, 1), shape}:
        several = f", or {shape}" if n_columns > 1 else ""
        raise ValueError(
            f"The offset must have shape ({n_rows},){several}: it is added to the "
            f"linear predictor of each row of X. Got shape {given.shape} instead. "
            "Pass the offsets of these rows; one number for all rows is the intercept."
        )
    given = check_array(given, ensure_2d=False, dtype=dtype, input_name="offset")
    return np.broadcast_to(given.reshape(n_rows, -1), shape) if given.any() else None


def checked_row_data(
    row_data: Any, loss: Any, n_rows: int, dtype: np.dtype
) -> dict[str, np.ndarray]:
    """Arrays with an entry a row for the arguments of a loss, by their names."""
    arguments, found = row_arguments(loss), columns_of(row_data)
    for name in found:
        if name not in arguments:
            takes = ", ".join(arguments) or "none"
            raise ValueError(
                f"The row_data must be keyword-only arguments of the loss {named(loss)}"
                f", which takes {takes}. Got {name!r} as well instead. Leave it out, "
                f"or give the loss this argument: loss(y_true, y_pred, *, {name})."
            )
    for name, needed in arguments.items():
        if needed and name not in found:
            raise ValueError(
                f"The loss {named(loss)} needs row_data with {name!r}, an entry for "
                f"each row of X. Got {', '.join(map(repr, found)) or 'none'} instead. "
                f"Pass row_data={{{name!r}: ...}}, or a data frame. In a search or a "
                "pipeline that takes metadata routing "
                "(sklearn.set_config(enable_metadata_routing=True)), "
                "set_fit_request(row_data=True) and set_score_request(row_data=True)."
            )
    if found and is_estimated(loss):
        raise ValueError(
            f"The loss {named(loss)} must have a number as its scale where it takes "
            "row_data, which are not brought to the units of the errors. Got 'mad' "
            "instead. Set scale to a number, in units of y."
        )
    return {
        name: _checked_column(
            found[name],
            name,
            loss,
            n_rows,
            dtype,
            sliced=not isinstance(row_data, Mapping),
        )
        for name in arguments
        if name in found
    }


def _checked_column(
    given: Any, name: str, loss: Any, n_rows: int, dtype: np.dtype, *, sliced: bool
) -> np.ndarray:
    """Numbers of each row; floats are of the dtype of X, and may be infinite."""
    rule = f"The row_data {name!r} of the loss {named(loss)} must"
    array = np.asarray(given)
    kind = str(getattr(given, "dtype", ""))
    if array.dtype.kind not in "biuf" or kind == "category" or sparse.issparse(given):
        found = kind or str(array.dtype)
        raise ValueError(
            f"{rule} be numbers. Got {found} instead. Number its values, as pandas "
            "does by .cat.codes; the loss may index an array with them, by "
            "take(array, index) of sklearn_adreg.numpy."
        )
    if array.shape[:1] != (n_rows,) or array.ndim > 2:
        hint = ""
        if not sliced:
            hint = (
                " In a search a data frame or a structured array is sliced, a mapping "
                "is not: pass one of these."
            )
        raise ValueError(
            f"{rule} have {n_rows} entries, one for each row of X. Got shape "
            f"{array.shape} instead.{hint}"
        )
    if array.dtype.kind != "f":
        return array
    if np.isnan(array).any():
        raise ValueError(
            f"{rule} not be NaN. Got NaN in row {int(np.isnan(array).argmax())} "
            "instead. Leave such rows out; an infinity may say that there is no limit."
        )
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if not np.array_equal(np.isinf(cast), np.isinf(array)):
        raise ValueError(
            f"{rule} fit in {dtype}, the dtype of X. Got values too large for it "
            "instead. Pass X in float64."
        )
    return cast


def check_finite_rows(X: np.ndarray, index: np.ndarray) -> None:
    """Refuse X where some of its rows hold what is not finite."""
    for start in range(0, len(index), _LOOKED_AT):
        assert_all_finite(X[index[start : start + _LOOKED_AT]], input_name="X")


def described(given: Any, array: Any) -> str:
    """Say of what kind an array is that cannot be used."""
    return "a sparse matrix" if sparse.issparse(given) else f"dtype {array.dtype}"
