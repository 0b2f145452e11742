"""Whether a loss depends on the prediction: at all, and whichever label y has."""

from __future__ import annotations

import numpy as np

from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._loss.refusals import refused
from sklearn_adreg._loss.traits import Look, on_grid
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss

# Rows that tell whether y has two labels, and sizes of predictions that tell whether a
# loss depends on these.
_LABELLED_ROWS, _SIZES = 1 << 12, 46
# Rows of each label where their data may make a difference.
_ROWS_OF_LABEL = 8


def _far(dtype: np.dtype) -> np.ndarray:
    """Linear predictors of both signs and all sizes."""
    sizes = np.logspace(-3, 12, _SIZES, dtype=dtype)
    return np.concatenate([-sizes, sizes])


def check_depends(loss: Loss, look: Look) -> None:
    """Refuse a loss that is the same whatever is predicted."""
    if look.slopes.any():
        return
    rows = np.tile(_far(look.grid.dtype), (len(look.grid), 1))
    if not on_grid(look.differentiate, look.known, rows)[1].any():
        raise refused(
            loss,
            "must depend on the prediction",
            "the same loss for all predictions",
            "Compute with both arguments, (y_true, y_pred).",
        )


def check_labels(
    whole: LinearLoss,
    backend: Backend,
    target: np.ndarray,
    row_data: list[np.ndarray],
) -> None:
    """Refuse two labels, one of which has the same loss whatever is predicted."""
    labels = np.unique(target[:: max(1, len(target) // _LABELLED_ROWS)])
    if len(labels) != 2:
        return
    linear, index = _far(target.dtype), []
    for label in labels:
        those = np.flatnonzero(target == label)
        several = np.linspace(0, len(those) - 1, _ROWS_OF_LABEL if row_data else 1)
        index.extend(those[several.astype(int)])
    labelled = (np.repeat(each[index], len(linear), 0) for each in (target, *row_data))
    y_true, *beside = labelled
    with np.errstate(all="ignore"):
        differentiate = backend.value_and_derivative(whole)
        slopes = differentiate(y_true, np.tile(linear, len(index)), *beside)[1]
    flat = ~np.asarray(slopes != 0).reshape(2, -1).any(axis=1)
    if flat.sum() == 1 and len(np.unique(target)) == 2:
        raise refused(
            whole.loss,
            "must depend on the prediction, whichever label y has",
            f"the same loss for all predictions where y is {labels[flat][0]}, of the "
            f"labels {labels[0]} and {labels[1]}",
            "Use the labels that it is written for (-1 and 1, or 0 and 1), or leave "
            "out rows that do not count.",
        )
