"""Equality of losses: what a backend compiles for one serves all that are equal.

Loss objects are equal by value. Two functions are not, even where a worker process
has unpickled the same lambda twice: here they are, if their code, their defaults and
all that they refer to are the same. An object that is equal to itself alone may be
changed between two fits: what can be seen of its contents counts as well.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from sklearn_adreg.backends._equality import Identity, by_itself

# How many objects deep contents count: a loss, its attribute, a list, what is in it.
# Longer lists are hashed in one go.
_DEPTH, _LONG = 4, 1000
# Arrays that are longer cost 10 ms for each 32 MB to fold, and 50 to check in full.
_CHECKED_BYTES = 1 << 20
_CONSTANTS = (bool, int, float, complex, str, bytes, type(None))


def loss_key(loss: Callable[..., Any]) -> Any:
    """Return what is hashable and equal for losses that compute the same."""
    if isinstance(loss, FunctionType) and not vars(loss):
        return _key(loss, ())
    # Not by the fields of a loss: its equality may be another. What is equal to itself
    # alone may have changed since.
    found = by_itself(loss)
    return (found,) if found is loss else (found, _state(loss, ()))


def _key(value: Any, seen: tuple[Any, ...]) -> Any:
    if isinstance(value, _CONSTANTS):
        return type(value), repr(value)
    if isinstance(value, tuple):
        return tuple(_key(item, seen) for item in value)
    if isinstance(value, ModuleType):
        return ModuleType, value.__name__
    if isinstance(value, FunctionType):
        # One that calls itself refers to itself.
        known = any(value is each for each in seen)
        return "recursion" if known else _of_function(value, seen)
    return Identity.of(value), _state(value, seen)


def _state(value: Any, seen: tuple[Any, ...]) -> Any:
    """Return what may change of an object, as deep as a loss is likely to look."""
    if len(seen) == _DEPTH or isinstance(value, type):
        return None
    seen = (*seen, value)
    if isinstance(value, np.ndarray):
        return value.shape, _checksum(value)
    if isinstance(value, MethodType):
        return _state(value.__self__, seen)
    if isinstance(value, partial):
        return tuple(_key(part, seen) for part in (value.func, value.args)), _state(
            value.keywords, seen
        )
    if isinstance(value, dict):
        return tuple(value), tuple(_key(item, seen) for item in value.values())
    if isinstance(value, list) and len(value) > _LONG:
        return _hashed(value)
    if isinstance(value, list):
        return tuple(_key(item, seen) for item in value)
    return _state(vars(value), seen) if hasattr(value, "__dict__") else None


def _hashed(values: list[Any]) -> Any:
    try:
        return len(values), hash(tuple(values))
    except TypeError:  # objects of which nothing is known
        return len(values)


def _checksum(array: np.ndarray) -> tuple[int, ...]:
    """Tell contents apart; of a long array some bytes, and all of them folded."""
    if array.dtype.hasobject:
        return ()
    content = np.ascontiguousarray(array).view(np.uint8).ravel()
    some = content[:: 1 + len(content) // _CHECKED_BYTES]
    words = content[: len(content) // 8 * 8].view(np.uint64)
    return zlib.crc32(some.tobytes()), int(np.bitwise_xor.reduce(words))


def _of_function(function: FunctionType, seen: tuple[Any, ...]) -> Any:
    seen = (*seen, function)
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    names = sorted(set(_names(function.__code__)) & set(function.__globals__))
    captured = {name: function.__globals__[name] for name in names}
    defaults = function.__defaults__ or ()
    keywords = function.__kwdefaults__ or {}
    parts = (*cells, *defaults, *keywords.values(), *captured.values())
    return (
        function.__code__,
        tuple(keywords),
        tuple(captured),
        tuple(_key(part, seen) for part in parts),
    )


def _names(code: CodeType) -> Iterator[str]:
    """Yield what the code and the functions inside it look up by name."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
