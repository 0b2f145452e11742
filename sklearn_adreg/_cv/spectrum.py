"""Textbook descents on squared error in closed form: any step length, any step.

On squared error the textbook's descent

    w <- w - epsilon * (2 (G w - c) + alpha w),        w = 0 at the start,

comes apart along the eigenvectors of the second moments G. Along the one of eigenvalue
v, with h = v + alpha / 2, each step multiplies the gradient by 1 - 2 epsilon h, and so
after t steps

    w = c phi_t(h),    phi_t(h) = (1 - (1 - 2 epsilon h)^t) / h,

where phi_t(0) = 2 epsilon t.

This is what iterating gives, up to rounding, without iterating: one eigendecomposition
for each training set answers for all candidates and all numbers of steps at once, where
a batched loop would take the steps of the slowest candidate. Nothing is left for a
backend to differentiate or to compile; that the descents which backends do run end in
the same place is tested.

The objective is below its start by sum_v c^2 phi_2t(h), and a step is told to be the
last by the length of the gradient, as in `_descent`. The squared length is a sum of
exponentials of t and so convex: bisection finds the first step that is short enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# exp(+-_LARGE), squared, is still a float; beyond, a descent has blown up or arrived.
_LARGE = 350.0


class Candidates(NamedTuple):
    """Step lengths and penalties, one of each for each candidate.

    Their shape is (n_candidates,), or (n_candidates, 1) for several numbers of steps.
    """

    epsilon: np.ndarray
    alpha: np.ndarray


class Spectrum(NamedTuple):
    """Second moments of the training rows in the basis of their eigenvectors.

    Coefficients are ``basis @ (phi * parts)``, of which `basis` is (n_features, rank)
    and `parts` (rank, n_targets): the eigenvectors and c, or the rows' images and the
    target, where there are fewer rows than columns. `slopes` has the squares of c
    along the eigenvectors and `square` the mean squares of the targets.
    """

    values: np.ndarray
    basis: np.ndarray
    parts: np.ndarray
    slopes: np.ndarray
    square: np.ndarray

    def max_epsilon(self, alpha: float = 0.0) -> float:
        """Find the largest step for which the descent is stable."""
        largest = float(self.values[-1]) + alpha / 2
        return 1.0 / largest if largest > 0 else np.inf


class Descents(NamedTuple):
    """Where descents end, and whether that is uphill.

    `parts` is (..., n_targets, rank): coefficients are ``parts @ basis.T``.
    """

    parts: np.ndarray
    diverged: np.ndarray


def descend(
    spectrum: Spectrum, candidates: Candidates, n_iter: np.ndarray, *, eps: float
) -> Descents:
    """Take `n_iter` steps, (...); `eps` is the rounding unit of the data."""
    rates = _Rates(spectrum, candidates)
    parts = rates.phi(n_iter)[..., None, :] * spectrum.parts.T
    decrease = (rates.phi(2 * n_iter) @ spectrum.slopes).sum(axis=-1)
    # As `descend_textbook` allows for: the objective is a difference of mean squares.
    noise = 100 * eps * spectrum.square.sum()
    return Descents(parts, ~(decrease >= -noise))


def steps_to(
    spectrum: Spectrum, candidates: Candidates, *, max_iter: int, tol: float
) -> np.ndarray:
    """Find after how many steps each descent stops, (n_candidates,)."""
    last = np.full(candidates.epsilon.shape, max_iter)
    if tol == 0:
        return last
    rates = _Rates(spectrum, candidates)
    scale = np.where(spectrum.square > 0, spectrum.square, 1.0)
    slopes = 4 * spectrum.slopes / scale

    def error(n_iter: np.ndarray) -> np.ndarray:
        powers = rates.power(n_iter) ** 2
        return candidates.epsilon * (powers @ slopes).max(axis=-1)

    def rising(n_iter: np.ndarray) -> np.ndarray:
        return error(n_iter + 1) >= error(n_iter)

    def short(n_iter: np.ndarray) -> np.ndarray:
        return error(n_iter) <= tol**2

    lowest = _first(rising, last)
    return np.where(short(lowest), _first(short, lowest), last)


class _Rates:
    """By what the gradient along each eigenvector is multiplied in a step."""

    def __init__(self, spectrum: Spectrum, candidates: Candidates) -> None:
        self.epsilon = candidates.epsilon[..., None]
        self.curvature = spectrum.values + candidates.alpha[..., None] / 2
        gain = 2 * self.epsilon * self.curvature
        self.turning = gain > 1
        with np.errstate(divide="ignore"):  # the logarithm of zero is cut off below
            logarithm = np.log1p(-np.where(self.turning, 2 - gain, gain))
        self.logarithm = np.maximum(logarithm, -2 * _LARGE)

    def power(self, n_iter: np.ndarray) -> np.ndarray:
        """rate^t, (..., rank)."""
        power = np.exp(self._exponent(n_iter))
        return np.where(self._odd(n_iter), -power, power)

    def phi(self, n_iter: np.ndarray) -> np.ndarray:
        """(1 - rate^t) / h, (..., rank)."""
        missing = -np.expm1(self._exponent(n_iter))
        missing = np.where(self._odd(n_iter), 2 - missing, missing)
        flat = self.curvature == 0
        quotient = missing / np.where(flat, 1.0, self.curvature)
        return np.where(flat, 2 * self.epsilon * n_iter[..., None], quotient)

    def _exponent(self, n_iter: np.ndarray) -> np.ndarray:
        return np.minimum(n_iter[..., None] * self.logarithm, _LARGE)

    def _odd(self, n_iter: np.ndarray) -> np.ndarray:
        return self.turning & (n_iter[..., None] % 2 == 1)


def _first(holds: Callable[[np.ndarray], np.ndarray], last: np.ndarray) -> np.ndarray:
    """Bisect for the first number up to `last` from which on a condition holds."""
    low, high = np.zeros_like(last), last
    while (open_ := low < high).any():
        middle = (low + high) // 2
        found = holds(middle)
        low = np.where(open_ & ~found, middle + 1, low)
        high = np.where(open_ & found, middle, high)
    return low
