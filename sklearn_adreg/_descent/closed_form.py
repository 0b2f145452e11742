"""The textbook's descent on squared error in closed form: any step length, any step.

On squared error with a ridge alpha the textbook's descent

    w <- w - epsilon * g(w),        g(w) = H w - b + alpha w,

where H = c G, of the curvature c of the loss and the second moments G, comes apart
along the eigenvectors of H. Along the one of eigenvalue v, with h = v + alpha, each
step multiplies the gradient by the rate r = 1 - epsilon h, and so after t steps

    w = w_0 - g(w_0) phi_t(h),    phi_t(h) = (1 - r^t) / h,

where phi_t(0) = epsilon t. The objective is below its start by half the sum of
g(w_0)^2 phi_2t(h). This is what iterating gives, up to rounding: one eigendecomposition
of the training rows answers for all step lengths, penalties and numbers of steps.

A step is told to be the last by the length of the gradient, as in `textbook`. The
squared length is a sum of exponentials of t and so convex: bisection finds the first
step that is short enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._descent.textbook import stable_epsilon, uphill
from sklearn_adreg._rows.moments import Moments, positive_roots

# exp(+-_LARGE), squared, is still a float; beyond, a descent has blown up or arrived.
_LARGE = 350.0
# Steps of a curve that are evaluated at first, and numbers at a time at most: 32 MB.
# With 32 to 512 at first fits to 2,000 x 30 take the same time, within 10 %.
_FIRST_STEPS, _CURVE_NUMBERS = 256, 1 << 22


class Spectrum(NamedTuple):
    """Squared error in the basis of the eigenvectors of its Hessian, seen from a start.

    Coefficients are ``basis @ (phi * parts)`` from the start, of which `basis` is
    (n_features, rank) and `parts` (rank, n_targets): the eigenvectors and the negative
    gradient along them, or the rows' images and the slopes of the rows, where there are
    fewer rows than columns. `values` are the eigenvalues, without a ridge, and `size`
    is the objective of coefficients of zero, (n_targets,). `slopes` are the squares of
    the gradient along the eigenvectors, in units of the targets, which are their root
    mean squares, `unit`: squares of products of X and y may be no floats.
    """

    values: np.ndarray
    basis: np.ndarray
    parts: np.ndarray
    slopes: np.ndarray
    size: np.ndarray
    unit: np.ndarray

    def max_epsilon(self, ridge: float = 0.0) -> float:
        """Find the largest step for which the descent is stable."""
        return stable_epsilon(float(self.values[-1]) + ridge)

    def log_rate(self, epsilon: Any, ridge: Any) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of the sizes of the rates, (..., rank); and which turn signs."""
        gain = np.asarray(epsilon)[..., None] * self._curvature(ridge)
        turns = gain > 1
        with np.errstate(divide="ignore"):  # the logarithm of zero is cut off below
            logarithm = np.log1p(-np.where(turns, 2 - gain, gain))
        return np.maximum(logarithm, -2 * _LARGE), turns

    def phi(self, epsilon: Any, ridge: Any, n_iter: np.ndarray) -> np.ndarray:
        """(1 - rate^t) / h, (..., rank)."""
        logarithm, turns = self.log_rate(epsilon, ridge)
        missing = -np.expm1(_exponent(logarithm, n_iter))
        odd = n_iter[..., None] % 2 == 1
        missing = np.where(turns & odd, 2 - missing, missing)
        curvature = self._curvature(ridge)
        flat = curvature == 0
        quotient = missing / np.where(flat, 1.0, curvature)
        length = np.asarray(epsilon)[..., None] * n_iter[..., None]
        return np.where(flat, length, quotient)

    def gains(
        self, epsilon: float, ridge: float, n_iter: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what steps have gained and what is left to gain, of each target.

        Directions that are flat but for rounding have nothing to give.
        """
        squares = np.exp(2 * _exponent(self.log_rate(epsilon, ridge)[0], n_iter))
        curvature = self._curvature(ridge)
        flat = curvature <= np.finfo(float).eps * curvature.max(initial=0.0)
        each = self.slopes / np.where(flat, np.inf, 2 * curvature)[:, None]
        square = self.unit**2
        return square * ((1 - squares) @ each), square * (squares @ each)

    def error(self, epsilon: Any, squares: np.ndarray) -> np.ndarray:
        """Square of the error, (...), of the worst target.

        The gradient is that of the start times rates, whose `squares` are (..., rank).
        """
        return epsilon * (squares @ self.slopes).max(axis=-1)

    def _curvature(self, ridge: Any) -> np.ndarray:
        return self.values + np.asarray(ridge)[..., None]


def spectrum_of_moments(moments: Moments, curvature: float) -> Spectrum:
    """Of a loss of constant curvature, from coefficients of zero."""
    values, basis = np.linalg.eigh(moments.gram)
    parts = curvature * (basis.T @ moments.cross)
    size, unit = curvature / 2 * moments.square, positive_roots(moments.square)
    return Spectrum(curvature * values, basis, parts, (parts / unit) ** 2, size, unit)


def spectrum_of_rows(
    rows: Any, weight: Any, target: np.ndarray, curvature: float
) -> Spectrum:
    """Find the same from inner products of the rows, fewer than there are columns.

    The targets, (n, n_targets), are less their mean where rows are.
    """
    shares = np.asarray(rows.numpy(weight), dtype=np.float64)
    roots = np.sqrt(shares)[:, None]
    values, vectors = np.linalg.eigh(rows.row_gram(weight))
    basis = rows.rmatvec(rows.vector(roots * vectors))[: rows.shape[1] - rows.intercept]
    parts = curvature * (vectors.T @ (roots * target))
    values = curvature * values
    square = shares @ target**2
    unit = positive_roots(square)
    slopes = np.maximum(values, 0.0)[:, None] * (parts / unit) ** 2 / curvature
    return Spectrum(values, basis, parts, slopes, curvature / 2 * square, unit)


def started_at(
    spectrum: Spectrum, coef: np.ndarray, ridge: float
) -> tuple[np.ndarray, Spectrum]:
    """Return the objectives at coefficients, (n_features, n_targets), and what is seen.

    The eigenvectors are those of all columns.
    """
    start = spectrum.basis.T @ coef
    pull = (spectrum.values + ridge)[:, None] * start
    values = spectrum.size + (start * (pull / 2 - spectrum.parts)).sum(axis=0)
    parts = spectrum.parts - pull
    return values, spectrum._replace(parts=parts, slopes=(parts / spectrum.unit) ** 2)


def descend(
    spectrum: Spectrum, epsilon: Any, ridge: Any, n_iter: np.ndarray, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """Take `n_iter` steps, (...); `dtype` is the float type of the data.

    Returns where descents end, (..., n_targets, rank) in the spectrum's basis, and
    whether that is uphill.
    """
    parts = spectrum.phi(epsilon, ridge, n_iter)[..., None, :] * spectrum.parts.T
    gained = spectrum.phi(epsilon, ridge, 2 * n_iter) @ spectrum.slopes
    decrease = gained @ spectrum.unit**2 / 2
    return parts, uphill(0.0, -decrease, spectrum.size.sum(), dtype)


def steps_to(
    spectrum: Spectrum, epsilon: Any, ridge: Any, *, max_iter: np.ndarray, tol: float
) -> np.ndarray:
    """Find after how many steps, up to `max_iter`, descents stop, (n_descents,)."""
    if tol == 0:
        return max_iter

    logarithm, _ = spectrum.log_rate(epsilon, ridge)

    def error(n_iter: np.ndarray) -> np.ndarray:
        return spectrum.error(epsilon, np.exp(2 * _exponent(logarithm, n_iter)))

    def rising(n_iter: np.ndarray) -> np.ndarray:
        return error(n_iter + 1) >= error(n_iter)

    def short(n_iter: np.ndarray) -> np.ndarray:
        return error(n_iter) <= tol**2

    lowest = _first(rising, max_iter)
    return np.where(short(lowest), _first(short, lowest), max_iter)


def trajectory(
    spectrum: Spectrum,
    epsilon: float,
    ridge: float,
    *,
    value: float,
    max_iter: int,
    tol: float,
) -> tuple[np.ndarray, float]:
    """Objective at the start, where it is `value`, and after each step; and the error.

    The last step is the first that is short enough or leads to no finite value.
    """
    # Directions without a slope may not overflow; flat ones have none but rounding.
    steep = spectrum.slopes.any(axis=1)
    spectrum = spectrum._replace(
        values=spectrum.values[steep], slopes=spectrum.slopes[steep]
    )
    logarithm, curvature = spectrum.log_rate(epsilon, ridge)[0], spectrum.values + ridge
    gains = spectrum.slopes / np.where(curvature == 0, np.inf, 2 * curvature)[:, None]
    gains = gains @ spectrum.unit**2
    curves: list[np.ndarray] = []
    start, n_steps = 0, _FIRST_STEPS
    while True:
        n_iter = np.arange(start, min(start + n_steps, max_iter + 1))
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.exp(np.multiply.outer(2.0 * n_iter, logarithm))
            errors = np.sqrt(spectrum.error(epsilon, squares))
            curve = value - (1 - squares) @ gains
        ends = ~np.isfinite(curve) | ((errors <= tol) & (tol > 0))
        last = int(np.argmax(ends)) if ends.any() else len(n_iter) - 1
        curves.append(curve[: last + 1])
        if ends.any() or n_iter[-1] == max_iter:
            return np.concatenate(curves), float(errors[last])
        start += n_steps
        n_steps = max(1, min(2 * n_steps, _CURVE_NUMBERS // max(len(logarithm), 1)))


def _exponent(logarithm: np.ndarray, n_iter: np.ndarray) -> np.ndarray:
    return np.minimum(n_iter[..., None] * logarithm, _LARGE)


def _first(holds: Callable[[np.ndarray], np.ndarray], last: np.ndarray) -> np.ndarray:
    """Bisect for the first number up to `last` from which on a condition holds."""
    low, high = np.zeros_like(last), last
    while (open_ := low < high).any():
        middle = (low + high) // 2
        found = holds(middle)
        low = np.where(open_ & ~found, middle + 1, low)
        high = np.where(open_ & found, middle, high)
    return low
