"""When two functions are the same to a program that is compiled for them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from types import MethodType
from typing import Any


@dataclass(frozen=True, eq=False)
class Identity:
    """Stands for an object that is equal to itself alone.

    It does not keep the object alive, where that can be referred to weakly, and is
    equal to nothing once the object has ended.
    """

    refer: Any
    number: int
    weak: bool

    @classmethod
    def of(cls, value: Any) -> Identity:
        """Stand for an object."""
        try:
            return cls(weakref.ref(value), id(value), weak=True)
        except TypeError:  # a list: kept alive, so that none takes its place
            return cls(lambda: value, id(value), weak=False)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Identity):
            return False
        mine = self.refer()
        return mine is not None and mine is other.refer()

    def __hash__(self) -> int:
        return self.number


def by_itself(value: Any) -> Any:
    """Return a value that is hashable and equal to others; else its identity."""
    if isinstance(value, MethodType):
        return MethodType, by_itself(value.__func__), Identity.of(value.__self__)
    same = getattr(type(value), "__eq__", None)
    if same is object.__eq__ and value is not None:
        return Identity.of(value)
    try:
        hash(value)
    except TypeError:
        return Identity.of(value)
    return value


def comparable(value: Any) -> Any:
    """Return what is hashable, and equal where values are, without keeping them alive.

    A dataclass is taken apart into the fields that it is compared by; tuples are
    comparable as they are.
    """
    if isinstance(value, Identity | tuple):
        return value
    found = by_itself(value)
    if found is value and is_dataclass(value):
        compared = (field.name for field in fields(value) if field.compare)
        return type(value), *(comparable(getattr(value, name)) for name in compared)
    return found


def mortals(key: Any) -> Iterator[Any]:
    """Objects that a key stands for, each of which may end."""
    if isinstance(key, tuple):
        for item in key:
            yield from mortals(item)
    elif isinstance(key, Identity) and key.weak:
        yield key.refer()
