"""The elastic net as a function of theta, with a strength for each entry.

    penalty(theta) = sum_j l1_j |theta_j| + l2_j / 2 * theta_j^2

The strengths of the intercept are zero. All that a descent that chooses its own steps
asks of the penalty is here; the textbook compiles a step of the strengths themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg._objective import active_set
from sklearn_adreg._objective.semidefinite import Semidefinite, diagonal


@dataclass(frozen=True)
class Penalty:
    """Strengths of the two terms, (p,) or (p, k) each."""

    l1: np.ndarray
    l2: np.ndarray

    @classmethod
    def elastic_net(
        cls,
        alpha: Any,
        l1_ratio: float,
        n_features: int,
        *,
        intercept: bool,
        n_outputs: int = 1,
    ) -> Penalty:
        """Strengths of scikit-learn's parametrisation; none for the intercept.

        Those of several outputs, theta (p, k) as one vector, are (p k,). `alpha` is a
        number, (n_features,) or (n_outputs, n_features or 1).
        """
        strength = np.zeros((n_features + intercept, n_outputs))
        strength[:n_features] = np.atleast_2d(alpha).T
        flat = strength.reshape(-1)
        return cls(l1_ratio * flat, (1 - l1_ratio) * flat)

    @property
    def smooth(self) -> bool:
        """Whether it is differentiable."""
        return not self.l1.any()

    @property
    def curvature(self) -> np.ndarray:
        """Diagonal of the Hessian of the smooth term."""
        return self.l2

    @property
    def free(self) -> np.ndarray:
        """Which entries cost nothing."""
        return (self.l1 == 0) & (self.l2 == 0)

    def strengthened(self, times: float) -> Penalty:
        """Return the same with so many times the l1 term."""
        return Penalty(times * self.l1, self.l2)

    def column(self) -> Penalty:
        """Return the same for several targets side by side, (p, 1)."""
        return Penalty(self.l1[:, None], self.l2[:, None])

    def alike(self, n_outputs: int) -> bool:
        """Whether all of so many outputs are penalised alike."""
        each = np.array([self.l1, self.l2]).reshape(2, -1, n_outputs)
        return bool((each == each[..., :1]).all())

    def columns(self, index: np.ndarray) -> Penalty:
        """Return the penalty of some entries."""
        return Penalty(self.l1[index], self.l2[index])

    def value(self, theta: Any) -> Any:
        """Value, summed over all entries."""
        return self.values(theta).sum()

    def values(self, theta: Any) -> Any:
        """Value of each column of theta, whose square alone may be no number."""
        return (self.l1 * abs(theta) + self.l2 / 2 * theta * theta).sum(axis=0)

    def gradient(self, theta: Any) -> Any:
        """Gradient of the smooth term."""
        return self.l2 * theta

    def prox(self, xp: Any, theta: Any, step: Any) -> Any:
        """Minimum of |v - theta|^2 / (2 step) + sum_j l1_j |v_j|: soft threshold."""
        reach = step * self.l1 + 0 * theta
        return theta - xp.clip(theta, -reach, reach)

    def minimum(
        self, hessian: Semidefinite, slope: np.ndarray, start: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """Minimum of m . (H m / 2 + g) plus the penalty, m = v - start, of all v.

        Its zeros are exact. It is exact to rounding, from any start, also where columns
        depend on each other; how far above that may leave it is returned as well.
        """
        if self.l2.any():
            hessian = hessian.plus(1.0, diagonal(self.curvature))
            slope = slope + self.gradient(start)
        return active_set.minimum(hessian, slope, self.l1, start)

    def violation(self, gradient: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Subgradient nearest zero, given the gradient of all smooth terms."""
        held = np.sign(gradient) * np.maximum(np.abs(gradient) - self.l1, 0.0)
        return np.where(theta == 0, held, gradient + self.l1 * np.sign(theta))

    def excess(self, gradient: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """How much too steep the smooth terms are for zeros to stay; else infinite."""
        moving = (theta != 0) | (self.l1 == 0)
        return np.where(moving, np.inf, np.abs(gradient) - self.l1)

    def excess_ratio(self, gradient: np.ndarray, theta: np.ndarray) -> float:
        """How many times as strong an l1 term holds all zeros; 0 where it has none."""
        held = (theta == 0) & (self.l1 > 0)
        return float((np.abs(gradient[held]) / self.l1[held]).max(initial=0.0))

    def steepness(self, gradient: np.ndarray) -> float:
        """Size of the terms of which subgradients are sums: of rounding, a scale."""
        return float((np.abs(gradient) + self.l1).max())

    def slope_along(
        self, smooth: float, theta: np.ndarray, direction: np.ndarray
    ) -> float:
        """Return the derivative along a direction, given that of all smooth terms.

        At a corner of the penalty, of all subderivatives the one nearest zero.
        """
        corner = float(self.l1 @ np.where(theta == 0, np.abs(direction), 0.0))
        middle = smooth + float(self.l1 @ (np.sign(theta) * direction))
        return float(np.sign(middle) * max(abs(middle) - corner, 0.0))

    def slope_from(
        self, gradient: np.ndarray, theta: np.ndarray, direction: np.ndarray
    ) -> float:
        """One-sided derivative along a direction, given the gradient of the rest."""
        signs = np.where(theta == 0, np.sign(direction), np.sign(theta))
        return float(gradient @ direction + self.l1 @ (signs * direction))
