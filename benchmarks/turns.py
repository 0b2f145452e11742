"""CPU time of this checkout beside another's, in turns.

`python benchmarks/turns.py --against OTHER [--only PATTERN] [--repeats N]` starts a
process for each and asks them for the same problems alternately, so that both see the
same machine. Of each the best turn counts; the objective's difference is this less the
other, relative.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# Seconds that a turn takes at least: a short fit is run several times in it, and the
# first run alone pays for caches that the other process has filled.
TURN = 0.05
# Seconds after which a problem gets no more turns, but each process has two.
ENOUGH = 20.0


def work(name: str) -> None:
    """Prepare a problem, run it once, and then a turn for each line read."""
    import numpy as np
    from _problems import problems

    import sklearn_adreg

    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    fit, objective = problems()[name].prepare()
    before = _forget_peak()
    model = fit()  # compiles
    first = {
        "peak": _peak() - before,
        "package": str(Path(sklearn_adreg.__file__).parent.parent),
        "objective": objective(model),
        "n_iter": int(getattr(model, "best_estimator_", model).n_iter_),
    }
    print(json.dumps(first), flush=True)
    for _ in sys.stdin:
        runs, start = [], time.perf_counter()
        while not runs or time.perf_counter() - start < TURN:
            wall, cpu = time.perf_counter(), time.process_time()
            fit()
            runs.append((time.process_time() - cpu, time.perf_counter() - wall))
        cpus, walls = zip(*runs, strict=True)
        print(json.dumps([min(cpus), min(walls)]), flush=True)


def _forget_peak() -> float:
    """Let the peak of memory be what is used now, where Linux allows it; in MB."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:
    """Return the largest memory so far, in MB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    except (OSError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Worker:
    """A process that fits with the package of one checkout."""

    def __init__(self, checkout: Path, name: str, threads: int) -> None:
        libraries = "OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM"
        limits = {f"{library}_NUM_THREADS": str(threads) for library in libraries}
        limits["NPROC"] = str(threads)  # XLA's, which has no option of its own
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--work", name],
            env=os.environ | limits | {"PYTHONPATH": str(checkout)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> Any:
        """Wait for an answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def turn(self) -> tuple[float, float]:
        """CPU and wall time of a run."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        cpu, wall = self.read()
        return cpu, wall

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def in_turns(name: str, checkouts: list[Path], arguments: Any, *, large: bool) -> None:
    """Time one problem, and print a line."""
    workers = [Worker(path, name, arguments.threads) for path in checkouts]
    try:
        firsts = [worker.read() for worker in workers]
        if None in firsts:
            failed = [c for c, f in zip(checkouts, firsts, strict=True) if f is None]
            print(f"{name:<44} fails in {', '.join(map(str, failed))}", flush=True)
            return
        for first, path in zip(firsts, checkouts, strict=True):
            assert first["package"] == str(path), first["package"]
        times: list[list[tuple[float, float]]] = [[], []]
        start = time.perf_counter()
        for repeat in range(arguments.repeats):
            for worker, seen in zip(workers, times, strict=True):
                seen.append(worker.turn())
            if repeat and time.perf_counter() - start > ENOUGH:
                break
    finally:
        for worker in workers:
            worker.close()
    print(line(name, firsts, times, large=large), flush=True)


def line(name: str, firsts: list[Any], times: list[Any], *, large: bool) -> str:
    """Ratios of this to the other, and what each found."""
    (cpu, wall), (cpu_other, wall_other) = (
        [min(column) for column in zip(*seen, strict=True)] for seen in times
    )
    this, other = (first["objective"] for first in firsts)
    change = (this - other) / abs(other or 1.0)
    steps = f"{firsts[0]['n_iter']}/{firsts[1]['n_iter']}"
    words = f"{name:<44} {cpu / cpu_other:6.2f} {wall / wall_other:6.2f} "
    words += f"{1e3 * cpu:9.2f} {steps:>11} {change:+9.1e}"
    if large:
        words += "  {:.0f}/{:.0f} MB".format(*(first["peak"] for first in firsts))
    return words


def main() -> None:
    """Read the command line, and run what it names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", type=Path, help="the other checkout")
    parser.add_argument("--only", default="*", help="as in '*huber*' or 'lasso*'")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--large", action="store_true", help="a million rows as well")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work)
        return
    if arguments.against is None:
        parser.error("--against is needed")
    from _problems import problems

    checkouts = [HERE.parent, arguments.against.resolve()]
    print(f"this: {checkouts[0]}, other: {checkouts[1]}, {arguments.threads} thread(s)")
    titles = ("cpu", "wall", "cpu, ms", "n_iter", "objective")
    print(f"{'this / other':<44} {titles[0]:>6} {titles[1]:>6} {titles[2]:>9} ", end="")
    print(f"{titles[3]:>11} {titles[4]:>9}  peak memory of a first fit")
    for name, problem in problems().items():
        wanted = fnmatch.fnmatch(name, arguments.only)
        if wanted and (arguments.large or not problem.asked):
            in_turns(name, checkouts, arguments, large=problem.large)


if __name__ == "__main__":
    main()
