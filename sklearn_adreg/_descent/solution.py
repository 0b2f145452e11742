"""Where a descent ended, whichever it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Report = Callable[[np.ndarray], None]


class Solution(NamedTuple):
    """Coefficients (n_features, n_targets) and intercepts, for X and y as they came."""

    coef: np.ndarray
    intercept: np.ndarray
    loss_curve: np.ndarray
    epsilon: float
    error: float

    @property
    def n_iter(self) -> int:
        """Steps taken."""
        return len(self.loss_curve) - 1
