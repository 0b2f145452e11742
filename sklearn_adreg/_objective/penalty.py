"""The elastic net as a function of theta, with a strength for each entry.

    penalty(theta) = sum_j l1_j |theta_j| + l2_j / 2 * theta_j^2

The strengths of the intercept are zero. The formulas that descents share are here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg._objective import active_set


@dataclass(frozen=True)
class Penalty:
    """Strengths of the two terms, (p,) or (p, k) each."""

    l1: np.ndarray
    l2: np.ndarray

    @classmethod
    def elastic_net(
        cls, alpha: Any, l1_ratio: float, n_features: int, *, intercept: bool
    ) -> Penalty:
        """Strengths of scikit-learn's parametrisation; none for the intercept."""
        strength = np.zeros(n_features + intercept)
        strength[:n_features] = alpha
        return cls(l1_ratio * strength, (1 - l1_ratio) * strength)

    @property
    def smooth(self) -> bool:
        """Whether it is differentiable."""
        return not self.l1.any()

    def column(self) -> Penalty:
        """Return the same for several targets side by side, (p, 1)."""
        return Penalty(self.l1[:, None], self.l2[:, None])

    def columns(self, index: np.ndarray) -> Penalty:
        """Return the penalty of some entries."""
        return Penalty(self.l1[index], self.l2[index])

    def value(self, theta: Any) -> Any:
        """Value, summed over all entries."""
        return self.values(theta).sum()

    def values(self, theta: Any) -> Any:
        """Value of each column of theta."""
        return (self.l1 * abs(theta) + self.l2 / 2 * theta**2).sum(axis=0)

    def gradient(self, theta: Any) -> Any:
        """Gradient of the smooth term."""
        return self.l2 * theta

    def prox(self, xp: Any, theta: Any, step: Any) -> Any:
        """Minimum of |v - theta|^2 / (2 step) + sum_j l1_j |v_j|: soft threshold."""
        reach = step * self.l1 + 0 * theta
        return theta - xp.clip(theta, -reach, reach)

    def minimum(
        self, hessian: np.ndarray, cross: np.ndarray, start: np.ndarray
    ) -> np.ndarray:
        """Minimum of v . (H v / 2 - c) plus the penalty, with exact zeros.

        Exact to rounding, from any start, also where columns depend on each other.
        """
        if self.l2.any():
            hessian = hessian + np.diag(self.l2)
        return active_set.minimum(hessian, cross, self.l1, start)

    def violation(self, gradient: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Subgradient nearest zero, given the gradient of all smooth terms."""
        held = np.sign(gradient) * np.maximum(np.abs(gradient) - self.l1, 0.0)
        return np.where(theta == 0, held, gradient + self.l1 * np.sign(theta))

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
