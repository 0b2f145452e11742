"""Equality of losses: what a backend compiles for one serves all that are equal.

Loss objects are equal by value. Two functions are not, even where a worker process
has unpickled the same lambda twice: here they are, if their code, their defaults and
all that they refer to are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from sklearn_adreg.backends._equality import Identity, by_itself

_CONSTANTS = (bool, int, float, complex, str, bytes, type(None))


def loss_key(loss: Callable[..., Any]) -> Any:
    """Return what is hashable and equal for losses that compute the same."""
    if isinstance(loss, FunctionType) and not vars(loss):
        return _key(loss, ())
    # As it is, within a tuple: the equality of a loss may not be that of its fields.
    return (by_itself(loss),)


def _key(value: Any, seen: tuple[Any, ...]) -> Any:
    if isinstance(value, _CONSTANTS):
        return type(value), repr(value)
    if isinstance(value, tuple):
        return tuple(_key(item, seen) for item in value)
    if isinstance(value, ModuleType):
        return ModuleType, value.__name__
    if isinstance(value, FunctionType):
        # One that calls itself refers to itself.
        return _of_function(value, seen) if value not in seen else "recursion"
    return Identity.of(value)


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
