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

_PROXIMAL_STEPS = 100
_MAX_ROUNDS = 1000
# Singular values, relative to the largest, of columns that depend on each other.
_DEPENDENT = 1e-7


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
            point = self._solved(self._approached(point))
            value = self._value(point)
            progress = best - value > 4 * np.finfo(float).eps * abs(best)
            if self._optimal(point) or not progress:
                break
            best = value
        return point

    def _value(self, point: np.ndarray) -> float:
        smooth = point @ (self._hessian @ point / 2 - self._cross)
        return float(smooth + self._threshold @ np.abs(point))

    def _approached(self, point: np.ndarray) -> np.ndarray:
        """Take accelerated proximal steps, and a plain one, which never leads up."""
        ahead, start, momentum = point, point, 1.0
        for _ in range(_PROXIMAL_STEPS):
            before, point = point, self._proximal(ahead)
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            ahead = point + (momentum - 1) / following * (point - before)
            momentum = following
        if self._value(point) > self._value(start):
            point = start
        return self._proximal(point)

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
            move, bounded = self._newton(chosen, point[chosen], target)
            there = point[chosen] + move
            crossing = move * signs < 0 if not bounded else there * signs <= 0
            if crossing.any():
                parts = -point[chosen][crossing] / move[crossing]
                there = point[chosen] + parts.min() * move
                there[np.flatnonzero(crossing)[parts <= parts.min()]] = 0.0
            elif not bounded:
                return point  # what fell was rounding
            point = np.zeros_like(point)
            point[chosen] = there
            if not crossing.any():
                return point

    def _newton(
        self, chosen: np.ndarray, here: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, bool]:
        """Move to the minimum among the chosen, or a direction in which q only falls.

        The latter where columns depend on each other: q is a straight line there.
        """
        matrix = self._hessian[np.ix_(chosen, chosen)]
        slope = matrix @ here - target
        try:
            factor = linalg.cho_factor(matrix)
        except linalg.LinAlgError:
            factor = None
        if factor is not None and np.diag(factor[0]).min() > _DEPENDENT:
            move = -linalg.cho_solve(factor, slope)
            return move - linalg.cho_solve(factor, slope + matrix @ move), True
        values, vectors = np.linalg.eigh(matrix)
        flat = values <= _DEPENDENT**2 * values[-1]
        along = vectors.T @ slope
        if np.linalg.norm(along[flat]) > self._noise * len(chosen):
            return -vectors[:, flat] @ along[flat], False
        return -vectors[:, ~flat] @ (along[~flat] / values[~flat]), True

    def _optimal(self, point: np.ndarray) -> bool:
        slope = self._hessian @ point - self._cross
        zero = point == 0
        return bool((np.abs(slope[zero]) <= self._threshold[zero] + self._noise).all())
