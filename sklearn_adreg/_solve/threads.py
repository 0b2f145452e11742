"""One BLAS thread for descents whose products are small.

A small product that is shared among threads waits for the slowest of them. Where
another process keeps a core busy, that is a wait for the scheduler, thousands of times
a fit.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import Any

from threadpoolctl import ThreadpoolController

from sklearn_adreg._rows.place import kind_of
from sklearn_adreg._solve.task import Task

# BLAS itself does not share products as small as those with X of fewer entries.
_FEWEST_ENTRIES = 1 << 14
# On two cores one thread takes 1.0 to 1.15 times as long as two do at 20 to 60 columns,
# 1.2 at 100, 1.3 at 200 and 1.6 at 800; beside a process that keeps both busy it is 2
# to 25 times as fast. With an l1 penalty, where a working set is solved one entry at a
# time, it takes 0.3 to 1.0 times as long at 200 to 5,000 columns.
_MOST_COLUMNS = 128


class OneThread:
    """A limit of one BLAS thread, while at least one of those that ask for it runs.

    The number of threads is the process's: the first one to enter sets the limit, from
    whatever thread, and the last one to leave restores what was there before. Libraries
    on OpenMP, where each thread has a number of its own, are left alone.
    """

    def __init__(self) -> None:
        self._running = 0
        self._before: list[tuple[Any, int]] = []
        self._renew_lock()
        if hasattr(os, "register_at_fork"):  # another thread may hold it at that time
            os.register_at_fork(after_in_child=self._renew_lock)

    @contextmanager
    def limit(self) -> Iterator[None]:
        """Run what is inside on one thread."""
        with self._lock:
            if self._running == 0:
                self._set()
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if self._running == 0:
                    self._restore()

    @cached_property
    def _libraries(self) -> list[Any]:
        """The BLAS of NumPy and of SciPy: looked for once, as that takes 3 ms."""
        found = ThreadpoolController().select(internal_api=["openblas", "mkl"])
        layers = ["pthreads", "intel", "gnu", "tbb"]
        return found.select(threading_layer=layers).lib_controllers

    def _set(self) -> None:
        """Set the limit, and keep what was there where it could be set."""
        self._before = []
        for library in self._libraries:
            before = library.num_threads
            if before > 1:
                _change(library, 1)
                if library.num_threads == 1:
                    self._before.append((library, before))

    def _restore(self) -> None:
        """Restore what was there, unless somebody else has changed it since."""
        for library, before in self._before:
            if library.num_threads == 1:
                _change(library, before)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()


def _change(library: Any, number: int) -> None:
    """Change the threads of a library, and let other Python threads change them again.

    Recent threadpoolctl leaves OpenBLAS to the thread that has changed it, as long as
    that lives; the fit that restores the limits may run in another one.
    """
    library.set_num_threads(number)
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread()


_ONE_THREAD = OneThread()


def suitable_threads(task: Task, X: Any) -> AbstractContextManager[None]:
    """Limit a descent by products with X to one thread, where more do not pay."""
    few = X.shape[1] <= _MOST_COLUMNS or not (task.smooth and kind_of(X, None).dense)
    if few and X.size >= _FEWEST_ENTRIES and task.device is None:
        return _ONE_THREAD.limit()
    return nullcontext()
