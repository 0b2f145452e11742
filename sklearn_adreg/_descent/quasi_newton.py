"""The direction of a step: the gradient in a metric that learns from the steps taken.

The metric starts as a factor of an approximate inverse Hessian. Limited-memory BFGS
corrects it by what the gradient did along the last steps, in the coordinates of the
factor, so that nothing is longer than the coefficients.

References
----------
.. [1] D. C. Liu, J. Nocedal, "On the limited memory BFGS method for large scale
   optimization", Mathematical Programming, 1989.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

_MEMORY = 10
_CURVED = 1e-10


class _Pair(NamedTuple):
    step: np.ndarray
    change: np.ndarray
    product: float


class QuasiNewton:
    """Inverse Hessian `factor` @ `factor`.T, corrected by the steps that it learns.

    `factor` is a matrix, or a vector for a diagonal one.
    """

    def __init__(self, factor: np.ndarray) -> None:
        self._factor = factor
        self._pairs: deque[_Pair] = deque(maxlen=_MEMORY)
        self._last = np.zeros(0)
        # Whether the lengths of its steps can be relied on.
        self.experienced = False

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        """Return minus the inverse Hessian times the gradient."""
        found = self._pull(gradient)
        weights = []
        for step, change, product in reversed(self._pairs):
            weights.append(step @ found / product)
            found = found - weights[-1] * change
        if self._pairs:
            last = self._pairs[-1]
            found = found * (last.product / (last.change @ last.change))
        for step, change, product in self._pairs:
            found = found + (weights.pop() - change @ found / product) * step
        self._last = -found
        diagonal = self._factor.ndim == 1
        return self._factor * self._last if diagonal else self._factor @ self._last

    def learn(self, length: float, change: np.ndarray) -> None:
        """Note a step along the last direction, and how the gradient changed."""
        change, step = self._pull(change), length * self._last
        product = float(step @ change)
        if product > _CURVED * np.linalg.norm(step) * np.linalg.norm(change):
            self._pairs.append(_Pair(step, change, product))
            self.experienced = len(self._pairs) > 1

    def _pull(self, gradient: np.ndarray) -> np.ndarray:
        diagonal = self._factor.ndim == 1
        return self._factor * gradient if diagonal else self._factor.T @ gradient


def inverse_factor(hessian: np.ndarray, smallest: float) -> np.ndarray:
    """Return a factor of the inverse; eigenvalues are raised to `smallest`."""
    values, vectors = np.linalg.eigh(hessian)
    return np.asarray(vectors / np.sqrt(np.maximum(values, smallest)))
