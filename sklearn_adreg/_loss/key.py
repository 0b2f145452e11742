"""Equality of losses: what a backend compiles for one serves all that are equal.

Loss objects are equal by value. Two functions are not, even where a worker process
has unpickled the same lambda twice: here they are, if their code, their defaults and
all that they refer to are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


@dataclass(frozen=True)
class KeyedLoss:
    """A callable that equals those with the same key."""

    function: Callable[[Any, Any], Any] = field(compare=False)
    key: Any

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        """Call the function."""
        return self.function(y_true, y_pred)


def keyed(loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the loss, or one that is hashable and compares by value in its place."""
    if isinstance(loss, FunctionType) and not vars(loss):
        return KeyedLoss(loss, _key(loss, ()))
    try:
        hash(loss)
    except TypeError:
        if getattr(loss, "inverse_link", None) is not None:
            raise ValueError(
                f"The 'loss' parameter must be hashable. Got {loss!r}, which is not. "
                "Make its class a frozen dataclass: @dataclass(frozen=True)."
            ) from None
        return KeyedLoss(loss, _Identity(loss))
    return loss


@dataclass(frozen=True, eq=False)
class _Identity:
    """Equal to itself alone; keeps its object alive, so that none takes its place."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def _key(value: Any, seen: tuple[Any, ...]) -> Any:
    if isinstance(value, _PLAIN):
        return type(value), repr(value)
    if isinstance(value, tuple):
        return tuple(_key(item, seen) for item in value)
    if isinstance(value, ModuleType):
        return ModuleType, value.__name__
    if isinstance(value, FunctionType):
        # One that calls itself refers to itself.
        return _of_function(value, seen) if value not in seen else "recursion"
    return _Identity(value)


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
