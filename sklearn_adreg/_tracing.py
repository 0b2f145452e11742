"""Which library follows a value: autograd, JAX, or none.

JAX is looked up among the modules that are loaded, never imported: where it is not
loaded, no value can be one of its arrays.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import autograd.numpy
import numpy as np
from autograd.extend import Box


def leaves(values: Iterable[Any]) -> Iterator[Any]:
    """Yield what the values hold, through lists, tuples and dictionaries."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from leaves(value)
        elif isinstance(value, dict):
            yield from leaves(value.values())
        else:
            yield value


def namespace_of(values: Iterable[Any]) -> Any:
    """Return the array module that can compute with the values.

    A box of autograd decides before an array of JAX does; NumPy takes the rest.
    """
    found: Any = np
    jax = sys.modules.get("jax")
    jax_array = getattr(jax, "Array", ())
    for leaf in leaves(values):
        if isinstance(leaf, Box):
            return autograd.numpy
        if isinstance(leaf, jax_array):
            found = sys.modules["jax.numpy"]
    return found


def is_traced(value: Any) -> bool:
    """Whether a value is followed through a computation, and so is no plain number."""
    jax = sys.modules.get("jax")
    return isinstance(value, Box) or (
        isinstance(value, getattr(jax, "Array", ()))
        and isinstance(value, sys.modules["jax"].core.Tracer)
    )
