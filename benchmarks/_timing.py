"""Best-of-several timing, and lines that put a measured ratio beside its target."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any


def best(function: Callable[[], Any], repeat: int = 5) -> float:
    """Seconds of the fastest of several calls, after one that is not counted."""
    function()
    gc.disable()
    try:
        return min(timed(function) for _ in range(repeat))
    finally:
        gc.enable()


def interleaved(
    functions: dict[str, Callable[[], Any]], repeat: int = 7
) -> dict[str, float]:
    """Seconds of the fastest call of each, in turns: all see the same machine."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for name in [name for _ in range(repeat) for name in functions]:
        times[name].append(timed(functions[name]))
    return {name: min(seconds) for name, seconds in times.items()}


def timed(function: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def report(what: str, measured: str, target: str) -> None:
    """Print one line of a table."""
    print(f"{what:<58} {measured:>14}   {target}")
