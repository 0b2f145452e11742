"""What `loss=` must be, seen on the first rows of the data before anything is fitted.

A mistake in a loss shows as a shape, a value or a derivative that cannot be right. The
message names the loss, what it must do, what it did and how to mend it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_adreg._loss.continuity import find_jump
from sklearn_adreg._loss.dependence import check_depends, check_labels
from sklearn_adreg._loss.diagnosis import explained_plain, loops_over_rows
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._loss.lines import predictors_to_try
from sklearn_adreg._loss.refusals import listed, refused
from sklearn_adreg._loss.secants import check_derivatives
from sklearn_adreg._loss.traits import (
    Look,
    Traits,
    bulk_scale,
    looked_at,
    traits_of,
    with_part,
)
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss

# Rows that a loss is tried on.
_TRIED_ROWS = 8
# Rows of those that it is tried on again, and what has then been done to them.
_REARRANGED: dict[tuple[int, ...], str] = {
    **{(row,): "the rest were left out" for row in range(_TRIED_ROWS)},
    (3, 0, 6, 1, 7, 4, 2, 5): "they came in another order",
}
# What to do about values that are no floats, by their kind.
_OF_KIND = {
    "b": "A comparison alone has no derivative: multiply it by a cost.",
    "c": "Use the absolute value of what is complex.",
    "O": "Compute with whole arrays, and return the result.",
}

RowData = Mapping[str, np.ndarray]
_PROBED = (
    "That was before the fit, when a loss is tried on predictions that are made up, "
    "near targets of y and far from them."
)


def checked_traits(
    loss: Loss,
    backend: Backend,
    target: np.ndarray,
    row_data: RowData,
    n_outputs: int,
) -> Traits:
    """Return the traits of a loss that can be descended on; raise for others."""
    seen = loss, backend, target, row_data, n_outputs
    try:
        check_loss(*seen)
        looks = looked_at(*seen)
        if n_outputs == 1:
            for look in looks:
                if not row_data:  # which may leave out those rows that count
                    check_depends(loss, look)
                _check_continuous(loss, look)
        traits = traits_of(loss, looks)
        if n_outputs == 1 or not looks:
            return traits
        whole = LinearLoss.of(loss, tuple(row_data))
        return with_part(traits, whole, n_outputs, looks[-1])
    except Exception as error:
        if hasattr(error, "__notes__"):  # it comes from inside the loss
            error.add_note(_PROBED)
        raise


def check_loss(
    loss: Loss,
    backend: Backend,
    target: np.ndarray,
    row_data: RowData,
    n_outputs: int,
) -> None:
    """Raise ValueError or TypeError where the loss cannot be descended on.

    `target` is (n_samples, n_targets).
    """
    check_target = getattr(loss, "check_target", None)
    if check_target is not None:
        check_target(target)
    index = ((np.arange(_TRIED_ROWS) + 0.5) * len(target) / _TRIED_ROWS).astype(int)
    y_true = target[index, 0]
    linked = getattr(loss, "inverse_link", None) is not None
    around = np.linspace(-0.71, 0.53, _TRIED_ROWS, dtype=target.dtype)
    # Predictions as far from the targets as the bulk of those are apart, on no kink.
    spread = target.dtype.type(1.0 if linked else bulk_scale(target[:, 0]))
    linear = around if linked else y_true + around * spread
    whole = LinearLoss.of(loss, tuple(row_data))
    beside, units = [each[index] for each in row_data.values()], np.full(1, spread)
    if n_outputs > 1:
        units = np.full(n_outputs, spread)
        known = y_true, *beside
        linear, units = predictors_to_try(whole, known, around, units)
    values = _tried(whole, backend, y_true, linear, *beside)
    _check_values(whole, values, y_true, linear, *beside)
    _check_uncoupled(whole, backend, values, y_true, linear, *beside)
    check_derivatives(whole, backend, y_true, linear, beside, units)
    if n_outputs == 1:
        check_labels(whole, backend, target[:, 0], list(row_data.values()))


def _agrees(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether values of a loss are the same but for rounding."""
    tolerance = float(np.finfo(expected.dtype).eps) ** 0.5
    size = tolerance * float(np.abs(expected).max())
    same = found.shape == expected.shape
    return same and np.allclose(found, expected, rtol=tolerance, atol=size)


def _check_uncoupled(
    whole: LinearLoss, backend: Backend, values: Any, *arrays: np.ndarray
) -> None:
    """Refuse a loss that takes the rows one by one, or in which they see each other."""
    if loops_over_rows(whole, *arrays):
        raise refused(
            whole.loss,
            "must be written with array operations",
            "a loop over the samples, which no backend follows in reasonable time",
            "Compute with whole arrays, as (y_true - y_pred) ** 2 does, and `where`.",
        )
    for rows, done in _REARRANGED.items():
        try:
            again = _tried(whole, backend, *(each[[*rows]] for each in arrays))
        except Exception as error:
            raise _coupled(whole.loss, f"'{error}' from it when {done}") from error
        if not _agrees(np.asarray(again), np.asarray(values)[[*rows]]):
            got = f"other values for the same samples when {done}"
            raise _coupled(whole.loss, got)


def _check_continuous(loss: Loss, look: Look) -> None:
    """Refuse a loss that jumps."""
    jump = find_jump(look)
    if jump is None:
        return
    linked = getattr(loss, "inverse_link", None) is not None
    passes = "linear predictor" if linked else "prediction"
    raise refused(
        loss,
        "must be continuous",
        f"a jump from {jump.before:.6g} to {jump.after:.6g}, at y_true="
        f"{jump.y_true:.6g}, where the {passes} passes {jump.linear:.6g}",
        "A descent sees slopes alone. Put a slope in place of the step: `clip`, "
        "`maximum`, or a sigmoid.",
    )


def _coupled(loss: Loss, got: str) -> Exception:
    """Compose the error for a loss in which a row sees others."""
    return refused(
        loss,
        "must treat each sample by itself",
        got,
        "Do not use means, sums, sizes, orders or neighbours of its arguments.",
    )


def _check_values(
    whole: LinearLoss,
    values: Any,
    y_true: np.ndarray,
    linear: np.ndarray,
    *row_data: np.ndarray,
) -> None:
    loss = whole.loss
    if not hasattr(values, "shape"):
        raise refused(
            loss,
            "must return an array, one value per sample",
            f"{'None' if values is None else type(values).__name__}",
            "Write it with array operations, and return the result.",
        )
    shape = np.shape(values)
    if shape != y_true.shape:
        remedy = "Compute it element by element"
        if shape == ():
            remedy = "Return one loss per sample, do not average"
        elif shape == linear.shape:
            remedy = "Sum it over the outputs, with axis=1"
        raise refused(
            loss,
            f"must return one value per sample, shape {y_true.shape} here",
            f"shape {shape}",
            f"{remedy}: the mean, and the sample weights, are the estimator's.",
        )
    values = np.asarray(values)
    if values.dtype.kind != "f":
        raise refused(
            loss,
            "must return real floating point numbers",
            f"dtype {values.dtype}",
            _OF_KIND.get(values.dtype.kind, _OF_KIND["b"]),
        )
    _check_finite(whole, values, y_true, linear, *row_data)


def _check_finite(
    whole: LinearLoss,
    values: np.ndarray,
    y_true: np.ndarray,
    linear: np.ndarray,
    *row_data: np.ndarray,
) -> None:
    if np.isfinite(values).all():
        return
    at, link = int(np.argmin(np.isfinite(values))), ""
    if getattr(whole.loss, "inverse_link", None) is None:
        link = " A method inverse_link, such as exp, makes predictions positive."
    raise refused(
        whole.loss,
        "must be finite",
        f"{values[at]} at y_true={y_true[at]}{listed(whole, at, *row_data)}, a "
        f"linear predictor of {linear[at]}",
        f"Leave such rows out, or write the loss so that it is defined there.{link}",
    )


def _tried(
    whole: LinearLoss,
    backend: Backend,
    y_true: np.ndarray,
    linear: np.ndarray,
    *row_data: np.ndarray,
) -> Any:
    """Call the loss on plain numbers; explain what is wrong with it if it fails."""
    came = y_true, linear, *row_data
    given = [each.copy() for each in came]
    try:
        values = whole(*given)
    except Exception as error:
        found = explained_plain(whole, backend, y_true, linear, row_data, error)
        if found is error:
            raise
        raise found from error
    names = "y_true", "y_pred", *whole.row_names
    for name, kept, now in zip(names, came, given, strict=True):
        if not np.array_equal(kept, now, equal_nan=True):
            raise refused(
                whole.loss,
                "must leave its arguments as they are",
                f"another {name} after a call",
                "Write y = y - z in place of y -= z.",
            )
    return values
