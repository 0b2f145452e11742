"""Curvatures of rows: (n,), or symmetric (n, k, k) with k predictors a row."""

from __future__ import annotations

from typing import Any

import numpy as np

# A matrix is positive where no row's other entries are larger, but for rounding of
# differences, than its diagonal.
_DOMINANT = 1e-8
# Curvatures that differ by less, relative, are those of rows that neither leave the
# window nor come in: the others' jump.
_SAME_BEND = 1e-6


def effective_number(parts: np.ndarray) -> float:
    """Return how many of the parts make up their sum."""
    largest = float(np.max(parts, initial=0.0))
    if not largest > 0:
        return 0.0
    shares = np.asarray(parts, dtype=np.float64) / largest  # squares overflow
    return float(shares.sum()) ** 2 / float(shares @ shares)


def trace_in_units(xp: Any, curvature: Any, units: Any) -> Any:
    """Return the curvature of each row, summed over its predictors in their units."""
    if curvature.ndim == 1:
        return curvature
    return xp.diagonal(curvature, 0, 1, 2) @ xp.square(xp.asarray(units))


def usable(mean_curvature: float | None) -> float:
    """Return a mean curvature, or zero where there is none in the float type."""
    if mean_curvature is None or not np.isfinite(mean_curvature):
        return 0.0
    return mean_curvature


def absolute(xp: Any, curvature: Any) -> Any:
    """Return how much a loss that is not convex bends either way."""
    if curvature.ndim == 1:
        return abs(curvature)
    if xp is np:
        # Most rows of most losses need no eigenvectors, which take the most time.
        sizes = abs(curvature).sum(axis=2)
        bent = np.diagonal(curvature, 0, 1, 2) * (2 + _DOMINANT) < sizes
        some = np.flatnonzero(bent.any(axis=1))
        if len(some) < len(curvature):
            found = curvature.copy()
            found[some] = _absolute_by_vectors(np, curvature[some])
            return found
    return _absolute_by_vectors(xp, curvature)


def _absolute_by_vectors(xp: Any, curvature: Any) -> Any:
    if curvature.shape[1] == 2:
        # Root of the square, by the theorem of Cayley and Hamilton: a quarter of the
        # time of eigenvectors. That of a scale of 1e-80 has no square by itself.
        largest = abs(curvature).max(axis=(1, 2))[:, None, None]
        largest = xp.where(largest > 0, largest, 1.0)
        curvature = curvature / largest
        square = curvature @ curvature
        first, second = curvature[:, 0, 0], curvature[:, 1, 1]
        root = abs(first * second - curvature[:, 0, 1] ** 2)
        trace = square[:, 0, 0] + square[:, 1, 1] + 2 * root
        found = square + root[:, None, None] * xp.eye(2, dtype=curvature.dtype)
        size = xp.sqrt(xp.where(trace > 0, trace, 1.0))
        return found / size[:, None, None] * largest
    values, vectors = xp.linalg.eigh(curvature)
    return (vectors * abs(values)[:, None, :]) @ xp.swapaxes(vectors, 1, 2)


def unforeseen(
    _xp: Any,
    ray: Any,
    slope: Any,
    curvature: Any,
    new_slope: Any,
    new_curvature: Any,
    noise: Any,
) -> Any:
    """Visit: how far slopes are from those foretold, of rows that bend otherwise."""
    several = slope.ndim == 2
    foretold = (curvature @ ray[..., None])[..., 0] if several else curvature * ray
    error = abs(new_slope - slope - foretold)
    error = error - noise * (abs(slope) + abs(new_slope))
    bends = abs(new_curvature - curvature) > _SAME_BEND * abs(curvature)
    if several:
        bends = bends.any(axis=(1, 2))[:, None]
    return (), ((error * ((error > 0) & bends)).sum(),)
