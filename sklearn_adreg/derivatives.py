r"""Derivatives of any order of scalar functions, and differential equations.

The functions here differentiate a function of one real variable, which works
elementwise on arrays, by automatic differentiation. There are no difference quotients,
so that there is no step to choose and rounding is the only error.

See `nth_derivative` for one derivative as a function, `derivatives` for all up to an
order, and `ode_residual` for how well a function solves a differential equation.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np

import sklearn_adreg.numpy as adnp
from sklearn_adreg._loss.diagnosis import explained
from sklearn_adreg._tracing import is_traced, namespace_of
from sklearn_adreg.backends import BACKENDS, Backend, get_backend
from sklearn_adreg.backends._elementwise import MissingRuleError

__all__ = ["derivatives", "nth_derivative", "ode_residual"]


def nth_derivative(
    func: Callable[[Any], Any], order: int = 1, *, backend: str | Backend = "autograd"
) -> Callable[[Any], Any]:
    r"""Return the derivative of an elementwise function, as a function.

    Parameters
    ----------
    func : callable
        A real function of one real variable that works elementwise on arrays and has
        no side effects: written with `sklearn_adreg.numpy`, with the backend's own
        array module, or a ufunc of NumPy. With ``backend="jax"`` it is compiled at the
        first call for an order, a shape and a dtype: later changes of variables that it
        reads from outside have no effect.

    order : int, default=1
        The order :math:`n \ge 0` of the derivative :math:`f^{(n)}`. At most 10 with
        ``backend="autograd"``, whose cost is exponential in it, and 30 with
        ``backend="jax"``, whose cost is quadratic.

    backend : {'autograd', 'jax'} or Backend, default='autograd'
        The library that differentiates.

    Returns
    -------
    callable
        Takes a scalar or an array of any shape; returns the derivatives there, in
        float32 for float32 and in float64 otherwise. It can be differentiated in turn
        by its backend.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or `func` is not elementwise.

    TypeError, NotImplementedError
        If the backend cannot differentiate `func`. The message names the operation.

    ImportError
        If JAX is asked for and is not installed.

    Warns
    -----
    RuntimeWarning
        If a derivative is not finite, or an intermediate number overflowed. The
        function that is returned warns when it is called.

    See Also
    --------
    derivatives : All derivatives up to an order.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.derivatives import nth_derivative
    >>> nth_derivative(np.tanh)(0.0)
    np.float64(1.0)
    >>> third = nth_derivative(np.sin, 3)  # minus the cosine
    >>> bool(np.allclose(third(np.linspace(0, 3, 7)), -np.cos(np.linspace(0, 3, 7))))
    True
    """
    _check_order(order)
    return partial(_nth, _checked_function(func), order, _checked_backend(backend))


def derivatives(
    func: Callable[[Any], Any],
    x: Any,
    order: int,
    *,
    backend: str | Backend = "autograd",
) -> np.ndarray:
    r"""Compute a function and all its derivatives up to an order.

    They come from one computation, which costs as much as the highest of them alone.

    Parameters
    ----------
    func : callable
        A real, elementwise function. See `nth_derivative`.

    x : array-like of any shape
        The points at which to differentiate. Integers are converted to float64.

    order : int
        The highest order. See `nth_derivative` for its limits.

    backend : {'autograd', 'jax'} or Backend, default='autograd'
        The library that differentiates.

    Returns
    -------
    ndarray of shape (order + 1, ...)
        :math:`f(x), f'(x), \dots, f^{(n)}(x)`, each of the shape of `x`; in float32 for
        float32 and in float64 otherwise.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or `func` is not elementwise.

    TypeError, NotImplementedError
        If `x` is not real, or the backend cannot differentiate `func`. The message
        names the operation.

    ImportError
        If JAX is asked for and is not installed.

    Warns
    -----
    RuntimeWarning
        If a derivative is not finite, or an intermediate number overflowed. The
        message names the order and the cause.

    See Also
    --------
    nth_derivative : One derivative, as a function.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.derivatives import derivatives
    >>> derivatives(lambda x: x**3, [1.0, 2.0], order=3)
    array([[ 1.,  8.],
           [ 3., 12.],
           [ 6., 12.],
           [ 6.,  6.]])
    """
    _check_order(order)
    func, chosen = _checked_function(func), _checked_backend(backend)
    if is_traced(x):
        return namespace_of([x]).stack(chosen.derivatives(func, x, order))
    x = _checked_points(x)
    try:
        values = chosen.derivatives(func, x[()], order)
    except MissingRuleError:
        raise
    except (TypeError, IndexError, NotImplementedError) as error:
        reason = explained(func, x, chosen.name, error)
        if reason is error:
            raise
        raise reason from error
    stacked = np.stack([np.asarray(value, dtype=x.dtype) for value in values])
    _report_non_finite(stacked, x)
    return stacked


def ode_residual(
    equation: Callable[[Any, Any], Any],
    func: Callable[[Any], Any],
    x: Any,
    order: int,
    *,
    backend: str | Backend = "autograd",
) -> Any:
    r"""Compute the residual of an ordinary differential equation for a function.

    The equation is written as an expression that is zero for a solution:
    :math:`y'' = -y`, which sine and cosine solve, as ``y[2] + y[0]``.

    Parameters
    ----------
    equation : callable
        ``equation(x, y)``, where ``y[k]`` is the derivative of order k at `x`; any
        function of arrays, as nothing is differentiated here.

    func : callable
        The function to test as a solution: real and elementwise. See `nth_derivative`.

    x : array-like of any shape
        The points at which to evaluate the residual.

    order : int
        The order of the equation, which is that of the highest derivative in it.

    backend : {'autograd', 'jax'} or Backend, default='autograd'
        The library that differentiates.

    Returns
    -------
    ndarray of the shape of x
        The residual at each point; a scalar if `x` is a scalar.

    Raises
    ------
    ValueError
        If `order` is lower than that of the equation, or the equation is not
        elementwise; and as in `derivatives`.

    See Also
    --------
    sklearn_adreg.OdeDisplay : The two sides of an equation, drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.derivatives import ode_residual
    >>> x = np.linspace(-2 * np.pi, 2 * np.pi, 100)
    >>> residual = ode_residual(lambda x, y: y[2] + y[0], np.sin, x, order=2)
    >>> float(np.abs(residual).max())
    0.0
    """
    if not callable(equation):
        raise TypeError(
            "The `equation` parameter must be a callable equation(x, y). Got "
            f"{equation!r} instead."
        )
    values = derivatives(func, x, order, backend=backend)
    points = x if is_traced(x) else _checked_points(x)
    try:
        residual = equation(points, values)
    except IndexError as error:
        raise ValueError(
            "The `order` parameter must be that of the highest derivative in the "
            f"equation: y[k] is there for k = 0 to {order}. Got {order} instead "
            f"({error})."
        ) from error
    if np.shape(residual) != np.shape(points):
        raise ValueError(
            "The `equation` parameter must return an array of the shape of x, "
            f"{np.shape(points)}. Got shape {np.shape(residual)} instead."
        )
    return residual


def _nth(func: Callable[[Any], Any], order: int, backend: Backend, x: Any) -> Any:
    return derivatives(func, x, order, backend=backend)[order]


def _check_order(order: Any) -> None:
    """Raise where `order` is not an integer, 0 or more."""
    if not isinstance(order, Integral) or isinstance(order, bool) or order < 0:
        raise ValueError(
            f"The `order` parameter must be an integer, 0 or more. Got {order!r} "
            "instead."
        )


def _checked_function(func: Any) -> Callable[[Any], Any]:
    """Return the function; the namespace's own for a ufunc of NumPy."""
    if not callable(func):
        raise TypeError(
            "The `func` parameter must be a callable of one array, such as "
            f"sklearn_adreg.numpy.tanh. Got {func!r} instead."
        )
    name = getattr(func, "__name__", "")
    is_ufunc = isinstance(func, np.ufunc) and getattr(np, name, None) is func
    return getattr(adnp, name) if is_ufunc else func


def _checked_backend(backend: Any) -> Backend:
    """Return the backend of a name; a library that is missing is missed at once."""
    if isinstance(backend, Backend) or backend in tuple(BACKENDS):
        found = get_backend(backend)
        _ = found.array_namespace
        return found
    raise ValueError(
        f"The `backend` parameter must be {' or '.join(map(repr, BACKENDS))}, or an "
        f"instance of Backend. Got {backend!r} instead."
    )


def _checked_points(x: Any) -> np.ndarray:
    """Return the points as float32 where they are, and as float64 otherwise."""
    points = np.asarray(x)
    if points.dtype.kind not in "fbiu":
        raise TypeError(
            "The `x` parameter must be an array of real numbers. Got dtype "
            f"{points.dtype} instead."
        )
    return points if points.dtype == np.float32 else points.astype(np.float64)


def _report_non_finite(values: np.ndarray, x: np.ndarray) -> None:
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
