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
from sklearn_adreg._loss.diagnosis import (
    explained_loss,
    explained_plain,
    loops_over_rows,
)
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._loss.lines import predictors_to_try
from sklearn_adreg._loss.refusals import listed, refused
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

# Rows that a loss is tried on, and to which part differences and derivatives agree that
# are those of one function.
_TRIED_ROWS, _AGREEMENT = 8, 0.1
# Distances of predictions from those that are tried, in units of the bulk.
_STEPS = np.array([0.02, 0.2, 2.0, 20.0], dtype=np.float32)
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
    _check_derivatives(whole, backend, y_true, linear, beside, units)
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


def _check_derivatives(
    whole: LinearLoss,
    backend: Backend,
    y_true: np.ndarray,
    linear: np.ndarray,
    row_data: list[np.ndarray],
    units: np.ndarray,
) -> None:
    """Refuse a loss without derivatives, or with those of another function.

    It is differentiated once: where it was tried, and all steps away.
    """
    moved = _moved(linear, units)
    times = len(moved) // len(linear)
    known = (np.concatenate([each] * times) for each in (y_true, *row_data))
    try:
        differentiate = backend.value_and_derivative(whole)
        target, *beside = known
        values, slopes = map(np.asarray, differentiate(target, moved, *beside))
        if values.dtype.kind == "O":
            raise TypeError("values that are followed got lost in an array")
    except Exception as error:
        found = explained_loss(whole, backend, y_true, linear, row_data, error)
        if found is error:
            raise
        raise found from error
    here = slopes[: len(linear)]
    if slopes.shape != moved.shape or not np.isfinite(here).all():
        got, there = f"{slopes.shape}", ""
        if not np.isfinite(here).all():
            at = np.unravel_index(np.argmin(np.isfinite(here)), here.shape)
            got = f"{here[at]}"
            there = f" at y_true={y_true[at[0]]}{listed(whole, at[0], *row_data)}"
        raise refused(
            whole.loss,
            "must have finite derivatives",
            f"{got} as a derivative{there}",
            "Beware of sqrt and log at zero, and of `where`, which differentiates "
            "both of its branches.",
        )
    values = values.reshape(times, -1)
    slopes = slopes.reshape(times, len(linear), -1)
    each = 2 * len(_STEPS)
    for output, unit in enumerate(units):
        part = slice(1 + each * output, 1 + each * (output + 1))
        around = values[part], slopes[part, :, output]
        size = np.abs(linear.reshape(len(linear), -1)[:, output])
        _check_secants(whole.loss, *around, slopes[0, :, output], unit, size)


def _moved(linear: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Linear predictors, then those a step away: along each axis, there and back."""
    axes = np.eye(len(units), dtype=linear.dtype) if linear.ndim == 2 else [1.0]
    moves = [
        sign * step * unit * axis
        for axis, unit in zip(axes, units.astype(linear.dtype), strict=True)
        for sign in (1, -1)
        for step in _STEPS
    ]
    return np.concatenate([linear, *(linear + move for move in moves)])


def _check_secants(
    loss: Loss,
    values: np.ndarray,
    slopes: np.ndarray,
    here: np.ndarray,
    unit: Any,
    size: np.ndarray,
) -> None:
    """Refuse derivatives that have nothing to do with differences of the loss.

    Values and slopes are those after steps along one axis, in a unit, one way and then
    the other, and the slopes `here` those along it before, at predictors of a `size`:
    steps are as exact as these are.
    """
    above, below, length = values[0], values[len(_STEPS)], _STEPS[0] * unit
    secants = (above - below) / (2 * length)
    rounded = np.abs(above + below) + np.abs(here) * size
    noise = 8 * np.finfo(above.dtype).eps * rounded / length
    agreed = _AGREEMENT * (np.abs(secants) + np.abs(here)) + noise
    wrong = np.abs(secants - here) > agreed + np.finfo(above.dtype).tiny
    wrong &= ~_explained_further_away(values, slopes, here, unit)
    # A loss may be flat here, or everywhere; not so if it changes in between.
    flat = (values != above).any() and not (here.any() or slopes.any())
    if wrong.all() or flat:
        if flat:  # what changes may be farther away
            farthest = values[len(_STEPS) - 1] - values[-1]
            secants = farthest / (2 * _STEPS[-1] * unit)
        at = int(np.abs(secants - here).argmax())
        raise refused(
            loss,
            "must be differentiable",
            f"a derivative of {here[at]:.6g} where the loss changes by "
            f"{secants[at]:.6g} per unit of the prediction",
            "Rounding, sorting and comparisons have no derivative.",
        )


def _explained_further_away(
    values: np.ndarray, slopes: np.ndarray, here: np.ndarray, unit: Any
) -> np.ndarray:
    """Whether differences over one of the longer steps are those of the derivatives.

    Near its minimum a loss such as (1 + e) log(1 + e) - e, the difference of numbers
    near one, may be rounding. By Simpson's rule its derivatives tell what it is to
    change by further away.
    """
    n_steps = len(_STEPS)
    secants = (values[:n_steps] - values[n_steps:]) / (2 * _STEPS[:, None] * unit)
    expected = (slopes[:n_steps] + 4 * here + slopes[n_steps:]) / 6
    agreed = np.abs(secants - expected) < _AGREEMENT * np.abs(secants)
    return np.asarray(agreed[1:].any(axis=0))


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
