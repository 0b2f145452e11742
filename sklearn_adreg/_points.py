"""What the functions of `derivatives` ask of their arguments, and of their results."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

import sklearn_adreg.numpy as adnp
from sklearn_adreg.backends import BACKENDS, Backend, get_backend


def check_order(order: Any) -> None:
    """Raise where `order` is not an integer, 0 or more."""
    if not isinstance(order, Integral) or isinstance(order, bool) or order < 0:
        raise ValueError(
            f"The `order` parameter must be an integer, 0 or more. Got {order!r} "
            "instead."
        )


def checked_function(func: Any) -> Callable[[Any], Any]:
    """Return the function; the namespace's own for a ufunc of NumPy."""
    if not callable(func):
        raise TypeError(
            "The `func` parameter must be a callable of one array, such as "
            f"sklearn_adreg.numpy.tanh. Got {func!r} instead."
        )
    name = getattr(func, "__name__", "")
    is_ufunc = isinstance(func, np.ufunc) and getattr(np, name, None) is func
    return getattr(adnp, name) if is_ufunc else func


def checked_backend(backend: Any) -> Backend:
    """Return the backend of a name; a library that is missing is missed at once."""
    if isinstance(backend, Backend) or backend in tuple(BACKENDS):
        found = get_backend(backend)
        _ = found.array_namespace
        return found
    raise ValueError(
        f"The `backend` parameter must be {' or '.join(map(repr, BACKENDS))}, or an "
        f"instance of Backend. Got {backend!r} instead."
    )


def checked_points(x: Any) -> np.ndarray:
    """Return the points as float32 where they are, and as float64 otherwise."""
    points = np.asarray(x)
    if points.dtype.kind not in "fbiu":
        raise TypeError(
            "The `x` parameter must be an array of real numbers. Got dtype "
            f"{points.dtype} instead."
        )
    return points if points.dtype == np.float32 else points.astype(np.float64)


def report_non_finite(values: np.ndarray, x: np.ndarray) -> None:
    """Warn of the lowest order that is not finite, with where and why."""
    bad = ~np.isfinite(values).reshape(len(values), -1)
    if not bad.any():
        return
    order = int(bad.any(axis=1).argmax())
    where = x.ravel()[bad.any(axis=0)]
    if not np.isfinite(x).all():
        cause = "x itself is not finite there"
    elif order == 0:
        cause = "func itself is not finite there"
    else:
        cause = (
            "func is finite there, and either its derivative is not, or a number "
            "overflowed on the way to it (try backend='jax', or a lower order)"
        )
    warnings.warn(
        f"The derivative of order {order} of func is not finite at x = {where[0]:.6g}, "
        f"and orders up to {len(values) - 1} are not at {len(where)} of {x.size} "
        f"points: {cause}.",
        RuntimeWarning,
        stacklevel=3,
    )
