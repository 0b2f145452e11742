"""Errors of losses: what one must do, what it did, and how to mend it."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_adreg._loss.linear import LinearLoss, named
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss


def refused(loss: Loss, rule: str, got: str, remedy: str) -> Exception:
    """Compose the error for a loss that breaks a rule."""
    return ValueError(f"The loss {named(loss)} {rule}. Got {got}. {remedy}")


def not_finite(
    loss: LinearLoss,
    backend: Backend,
    y_true: np.ndarray,
    linear: np.ndarray,
    weight: np.ndarray,
    *row_data: np.ndarray,
) -> Exception:
    """Compose the error for a loss that is not finite where a descent starts.

    Or its derivative is not. Targets and linear predictors are (n,) or (n, k).
    """
    differentiate = backend.value_and_derivative(loss)
    values, slopes = differentiate(np.ascontiguousarray(y_true), linear, *row_data)
    rule, got, counted, smoothed = "be finite", "", (weight > 0), ""
    if np.isfinite(values.T[..., counted]).all():
        rule, got, values = "have a finite derivative", " as a derivative", slopes
        smoothed = ": sqrt(abs(e)) has no slope at zero, (e**2 + c**2) ** 0.25 has one"
    fine = np.isfinite(values).T | ~counted
    at = np.unravel_index(np.argmin(fine), fine.shape)[::-1]
    row, there = at[: y_true.ndim], listed(loss, at[0], *row_data)
    return ValueError(
        f"The loss {named(loss.loss)} must {rule} for every sample. Got "
        f"{values[at]}{got} in row {at[0]}, with y_true={y_true[row]}{there} and a "
        f"linear predictor of {np.array2string(linear[row], precision=6)}. Leave such "
        f"rows out, or write the loss so that it is defined there{smoothed}."
    )


def listed(loss: LinearLoss, row: Any, *row_data: np.ndarray) -> str:
    """Say what the data of a row are, after its target."""
    pairs = zip(loss.row_names, row_data, strict=True)
    return "".join(f", {name}={each[row]}" for name, each in pairs)


def unbounded(loss: Loss, value: float, n_iter: int) -> Exception:
    """Compose the error for a mean loss that has fallen without end."""
    return ValueError(
        f"The loss {named(loss)} must be bounded below. Got a mean of {value:.3g} "
        f"after {n_iter} steps, which still falls. Check its sign, and "
        "that labels in y are those that it is written for."
    )
