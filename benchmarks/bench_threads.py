"""Fits beside a process that is busy on two cores, as ratios of their time alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from _data import heavy_tails, normal, timetable
from _timing import best, report

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Huber, Pinball, SquaredError

# Two threads that compute in cache, outside the interpreter's lock.
BUSY = """
import threading
import numpy as np

def work():
    values = np.linspace(0.0, 1.0, 10_000)
    while True:
        np.sin(values)

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
"""


@contextmanager
def neighbour() -> Iterator[None]:
    """Keep two cores busy, in a session of its own."""
    process = subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True)
    try:
        time.sleep(1.0)  # for its imports
        yield
    finally:
        process.kill()
        process.wait()


def compare(name: str, target: str, fit: Callable[[], Any]) -> None:
    """Print how much longer a fit takes beside a busy process."""
    alone = best(fit, 3)
    with neighbour():
        busy = best(fit, 3)
    report(f"{name}: seconds alone", f"{alone:.3f}", "")
    report(f"{name}: busy / alone", f"{busy / alone:.2f}", target)


def main() -> None:
    X, y = timetable()
    model = GradientDescentRegressor(Pinball(0.9))
    compare("pinball 300k x 46", "<= 1.5", partial(model.fit, X[:300_000], y[:300_000]))
    for name, loss, rows in (
        ("pinball 300k x 46, normal", Pinball(0.9), normal(300_000, 46)),
        ("huber 200k x 50", Huber(1.35, scale=1.0), heavy_tails(200_000, 50, 1.0)),
        ("squared 200k x 50", SquaredError(), normal(200_000, 50)),
    ):
        target = "" if loss == SquaredError() else "<= 1.5"
        compare(name, target, partial(GradientDescentRegressor(loss).fit, *rows))


if __name__ == "__main__":
    report("what", "measured", "target")
    main()
