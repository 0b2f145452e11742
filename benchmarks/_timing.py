"""Best-of-several timing, and lines that put a measured ratio beside its target."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any


def best(function: Callable[[], Any], repeat: int = 5) -> float:
    """Seconds of the fastest of several calls, after one that is not counted."""
    function()
    times = []
    gc.disable()
    try:
        for _ in range(repeat):
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
    finally:
        gc.enable()
    return min(times)


def report(what: str, measured: str, target: str) -> None:
    """Print one line of a table."""
    print(f"{what:<58} {measured:>14}   {target}")
