"""One array namespace for functions that every backend can differentiate.

Each function of NumPy is here under the same name. It is that of the library which its
arguments belong to, also where they are inside lists, tuples and keywords:

- ``autograd.numpy`` where an argument is being differentiated by autograd,
- ``jax.numpy`` where an argument is an array of JAX, traced or not,
- NumPy otherwise.

Constants and types, such as ``pi`` and ``float64``, are NumPy's own. A loss or a
function that is written with this module works with every backend, under `jax.jit` and
`jax.vmap`, and on plain arrays. The module does not import JAX.

Examples
--------
>>> import sklearn_adreg.numpy as adnp
>>> from sklearn_adreg.derivatives import nth_derivative
>>> def softplus(x):
...     return adnp.logaddexp(x, 0.0)
>>> softplus(0.0)
np.float64(0.6931471805599453)
>>> for backend in "autograd", "jax":
...     print(nth_derivative(softplus, backend=backend)(0.0))
0.5
0.5
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import numpy as _np

from sklearn_adreg._tracing import is_traced, leaves, namespace_of
from sklearn_adreg.backends._elementwise import MissingRuleError


def __getattr__(name: str) -> Any:
    """Take constants and types from NumPy; wrap its functions."""
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(_np, name, None)
    if found is None and name != "newaxis":
        raise AttributeError(_unknown(name))
    if isinstance(found, ModuleType):
        raise AttributeError(
            f"module {__name__!r} has NumPy's functions and constants, and not its "
            f"submodule {name!r}. Use autograd.numpy.{name} or jax.numpy.{name} in a "
            "function for one backend."
        )
    return _dispatching(name) if _is_function(found) else found


def __dir__() -> list[str]:
    """Return the names that `__getattr__` accepts."""
    return [
        name
        for name in dir(_np)
        if not name.startswith("_") and not isinstance(getattr(_np, name), ModuleType)
    ]


def _is_function(found: Any) -> bool:
    return callable(found) and not isinstance(found, type)


def _unknown(name: str) -> str:
    """Message for a name that NumPy lacks, with those that come close."""
    close = difflib.get_close_matches(name, dir(_np), n=3)
    return (
        f"module {__name__!r} has the names of NumPy, which has no {name!r}. "
        + (f"Did you mean {' or '.join(map(repr, close))}? " if close else "")
        + "Write the function with those that NumPy has (softplus is logaddexp(x, 0), "
        "the logistic function exp(-logaddexp(0, -x)), relu maximum(x, 0)), or take "
        "it from autograd.scipy or jax.scipy in a function for one backend."
    )


@cache
def _dispatching(name: str) -> Callable[..., Any]:
    """Make the function of a name, once, so that it is one object and pickles."""
    original = getattr(_np, name)

    def function(*args: Any, **kwargs: Any) -> Any:
        library = namespace_of((args, kwargs))
        if library is _np:
            return original(*args, **kwargs)
        if isinstance(original, _np.ufunc):
            # NumPy's own take lists of numbers; of traced ones, the libraries' do not.
            args = tuple(_as_array(library, argument) for argument in args)
        if kwargs and library.__name__ == "autograd.numpy":
            args, kwargs = _by_position(name, args, kwargs)
        return _call(library, name, args, kwargs)

    function.__name__ = function.__qualname__ = name
    function.__module__ = __name__
    function.__doc__ = (
        f"``{name}`` of NumPy, autograd.numpy or jax.numpy, as the arguments ask."
    )
    return function


def _as_array(library: Any, argument: Any) -> Any:
    return library.array(argument) if isinstance(argument, list | tuple) else argument


def _by_position(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Pass traced keywords by position: autograd does not look at the others."""
    if not any(is_traced(leaf) for leaf in leaves(kwargs.values())):
        return args, kwargs
    try:
        bound = inspect.signature(getattr(_np, name)).bind(*args, **kwargs)
    except (TypeError, ValueError):  # NumPy's error, or no signature to go by
        raise TypeError(
            f"autograd differentiates numpy.{name} by arguments that are passed by "
            f"position. Got {', '.join(kwargs)} by keyword instead."
        ) from None
    return bound.args, bound.kwargs


def _call(
    library: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a library's function; say so where it or its derivative is missing."""
    function = getattr(library, name, None)
    if function is None:
        raise MissingRuleError(
            f"{library.__name__} has no function {name!r}. Write it with others."
        )
    if library.__name__ != "autograd.numpy":
        return function(*args, **kwargs)
    try:
        return function(*args, **kwargs)
    except (NotImplementedError, KeyError, TypeError) as error:
        if isinstance(error, TypeError) and "keyword argument" not in str(error):
            raise
        how = f" with the keywords {', '.join(kwargs)}" if kwargs else ""
        raise MissingRuleError(
            f"autograd has no derivative of numpy.{name} by the arguments given{how}. "
            "Pass all by position, use backend='jax', or write it with other functions."
        ) from error
