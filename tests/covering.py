"""Fewer combinations: each value of each factor occurs, not each with each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def in_turns(*factors: Sequence[Any]) -> list[tuple[Any, ...]]:
    """As many rows as the longest factor has values; the others go round beside it."""
    longest = max(map(len, factors))
    return [
        tuple(factor[row % len(factor)] for factor in factors) for row in range(longest)
    ]
