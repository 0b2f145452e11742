"""Whether the derivatives of a loss are those of its values, as its secants tell."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_adreg._loss.diagnosis import explained_loss
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._loss.refusals import listed, refused
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss

# To which part differences and derivatives agree that are those of one function.
_AGREEMENT = 0.1
# Distances of predictions from those that are tried, in units of the bulk.
_STEPS = np.array([0.02, 0.2, 2.0, 20.0], dtype=np.float32)


def check_derivatives(
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
