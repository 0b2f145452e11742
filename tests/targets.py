"""Which targets a loss allows, and data whose rows lie far apart."""

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


def far_rows(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns with rows far out, and targets whose scale depends on them."""
    rng = np.random.default_rng(seed)
    X = rng.standard_t(2.0, (n, 3))
    scale = np.exp(np.clip(X, -3, 3) @ [0.5, -0.3, 0.2])
    return X, X[:, 0] + scale * rng.standard_normal(n)
