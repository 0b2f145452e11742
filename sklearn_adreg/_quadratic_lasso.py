"""Minimise a quadratic plus a weighted lasso penalty, exactly.

    q(v) = v . (H v / 2 - c) + sum_j threshold_j |v_j|

Proximal gradient steps find which entries are zero; a linear system then gives the
others, as long as its solution keeps their signs. Where it does not, the way there is
gone until the first entry becomes zero, and the rest are solved for again. Every round
lowers q, and there are finitely many sets of signs.

References
----------
.. [1] H. Lee, A. Battle, R. Raina, A. Y. Ng, "Efficient sparse coding algorithms",
   NIPS, 2006.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

_PROXIMAL_STEPS = 5
_MAX_ROUNDS = 1000


def minimise(
    hessian: np.ndarray, cross: np.ndarray, threshold: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Return the minimiser, with exact zeros; `start` may be any point."""
    scale = np.sqrt(np.maximum(np.diag(hessian), 0.0))
    scale[scale == 0] = 1.0
    problem = _Problem(
        hessian / np.outer(scale, scale), cross / scale, threshold / scale
    )
    found = problem.minimise(start * scale)
    return np.asarray(found / scale)


class _Problem:
    """The problem in coordinates in which the Hessian has a diagonal of ones."""

    def __init__(
        self, hessian: np.ndarray, cross: np.ndarray, threshold: np.ndarray
    ) -> None:
        self._hessian, self._cross, self._threshold = hessian, cross, threshold
        last = len(hessian) - 1
        largest = linalg.eigvalsh(hessian, subset_by_index=[last, last])[0]
        self._curvature = max(float(largest), np.finfo(float).tiny)
        # Gradients below this are rounding errors of the products that they are of.
        size = np.abs(cross).max() + self._threshold.max()
        self._noise = 64 * np.finfo(float).eps * size

    def minimise(self, point: np.ndarray) -> np.ndarray:
        best = self._value(point)
        for _ in range(_MAX_ROUNDS):
            for _ in range(_PROXIMAL_STEPS):
                point = self._proximal(point)
            point = self._solved(point)
            value = self._value(point)
            if self._optimal(point) or not value < best:
                break
            best = value
        return point

    def _value(self, point: np.ndarray) -> float:
        smooth = point @ (self._hessian @ point / 2 - self._cross)
        return float(smooth + self._threshold @ np.abs(point))

    def _proximal(self, point: np.ndarray) -> np.ndarray:
        slope = self._hessian @ point - self._cross
        moved = point - slope / self._curvature
        width = self._threshold / self._curvature
        return moved - np.clip(moved, -width, width)

    def _solved(self, point: np.ndarray) -> np.ndarray:
        """Solve for the entries that are not zero, as far as their signs hold."""
        while True:
            chosen = np.flatnonzero(point)
            if not len(chosen):
                return point
            signs = np.sign(point[chosen])
            target = self._cross[chosen] - signs * self._threshold[chosen]
            inner = self._hessian[np.ix_(chosen, chosen)]
            solution = _solve(inner, target)
            if (np.sign(solution) == signs).all():
                point = np.zeros_like(point)
                point[chosen] = solution
                return point
            point = self._first_crossing(point, chosen, solution)

    def _first_crossing(
        self, point: np.ndarray, chosen: np.ndarray, solution: np.ndarray
    ) -> np.ndarray:
        """Go to where the first entry becomes zero: q falls all the way there."""
        here = point[chosen]
        crossing = here * solution <= 0
        parts = here[crossing] / (here[crossing] - solution[crossing])
        part = parts.min()
        there = here + part * (solution - here)
        there[np.flatnonzero(crossing)[parts <= part]] = 0.0
        point = np.zeros_like(point)
        point[chosen] = there
        return point

    def _optimal(self, point: np.ndarray) -> bool:
        slope = self._hessian @ point - self._cross
        zero = point == 0
        return bool((np.abs(slope[zero]) <= self._threshold[zero] + self._noise).all())


def _solve(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    try:
        factor = linalg.cho_factor(matrix)
    except linalg.LinAlgError:  # columns that depend on each other
        return np.asarray(linalg.lstsq(matrix, target)[0])
    solution = linalg.cho_solve(factor, target)
    return np.asarray(solution + linalg.cho_solve(factor, target - matrix @ solution))
