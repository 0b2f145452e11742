"""Rows with a target and a loss, as a descent sees them."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_adreg._rows.placing import place_rows, samples_of
from sklearn_adreg._rows.settling import SettledSamples, settled
from sklearn_adreg.backends import get_backend
from sklearn_adreg.losses import LOSSES

KINKED = [loss for loss in LOSSES.values() if loss.kinked and loss.convex]
N_ROWS, N_COLUMNS = 6_000, 4


def samples(loss: Any, *, weighted: bool = False, far: float = 0.0) -> Any:
    """Rows with a target, at coefficients near the true ones."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, N_COLUMNS)) + far
    y = 20.0 + X @ np.arange(1.0, 5.0) + 3.0 * rng.standard_normal(N_ROWS)
    y = np.abs(y) + 1.0
    weights = None
    if weighted:
        weights = rng.integers(0, 3, N_ROWS).astype(float)
        weights /= weights.sum()
    backend = get_backend("autograd")
    place: dict[str, Any] = {"backend": backend, "device": None, "centred": True}
    design = place_rows(X, y[:, None], weights, **place, measured=True).design
    everyone = samples_of(design, y, loss, backend)
    level = float(np.average(y, weights=weights))
    return everyone, np.append(np.arange(1.0, 5.0), level)


def known(everyone: Any, coef: np.ndarray, *widths: float) -> SettledSamples:
    """Samples after windows of these widths."""
    found = everyone
    for width in widths:
        found = settled(found, found.point(found.locate(coef), width), width)
    assert isinstance(found, SettledSamples)
    return found
