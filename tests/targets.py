"""Which targets a loss allows."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_adreg.losses import LOSSES


def allows(loss: Any, y: np.ndarray) -> bool:
    """Whether the loss is defined for all of these targets."""
    try:
        getattr(loss, "check_target", lambda _y: None)(y)
    except ValueError:
        return False
    return True


def first_allowed(loss: Any, *candidates: np.ndarray) -> np.ndarray:
    """The first of some targets that a loss allows, or labels that tell them apart."""
    for y in candidates:
        if allows(loss, y):
            return y
    y = candidates[0]
    labels = np.where(y > np.median(y), *loss.labels[::-1]).astype(y.dtype)
    if allows(loss, labels):
        return labels
    raise AssertionError(f"{loss!r} allows none of the usual targets")


# Losses of amounts, and those of proportions and labels.
AMOUNTS = {name: loss for name, loss in LOSSES.items() if allows(loss, np.array([2.5]))}
LABELS = {name: loss for name, loss in LOSSES.items() if name not in AMOUNTS}
