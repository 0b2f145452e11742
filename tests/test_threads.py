"""Descents with small products run on one BLAS thread, and restore what was there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import ThreadpoolController, threadpool_limits

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._solve.threads import _ONE_THREAD, OneThread

# Those whose number of threads is the process's.
CONTROLLER = ThreadpoolController().select(threading_layer=["pthreads", "intel"])


def threads() -> list[int]:
    return [library["num_threads"] for library in CONTROLLER.info()]


EACH = len(threads())


def set_threads(numbers: list[int]) -> None:
    """In a thread that ends: threadpoolctl lets no other one change its limits."""

    def change() -> None:
        for library, number in zip(CONTROLLER.lib_controllers, numbers, strict=True):
            library.set_num_threads(number)

    thread = threading.Thread(target=change)
    thread.start()
    thread.join()


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = threads()
    set_threads(EACH * [2])
    yield
    set_threads(before)


def data(n: int = 4096, d: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, X @ rng.standard_normal(d) + rng.standard_normal(n)


class Seen:
    """A loss that looks at the number of threads when it is asked for many rows."""

    def __init__(self) -> None:
        self.threads: list[list[int]] = []

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        if len(y_true) >= 20:
            self.threads.append(threads())
            self.act()
        return (1 + (y_true - y_pred) ** 2) ** 0.5

    def act(self) -> None:
        """Do nothing but look."""


class Failing(Seen):
    def act(self) -> None:
        if self.threads[-1] == EACH * [1]:
            raise FloatingPointError("own error")


class Waiting(Seen):
    """Waits, once so many descents are under way, until it is let go on."""

    def __init__(self, running: int = 1) -> None:
        super().__init__()
        self.running = running
        self.inside, self.go = threading.Event(), threading.Event()

    def act(self) -> None:
        if _ONE_THREAD._running == self.running:
            self.inside.set()
            assert self.go.wait(60)


@pytest.mark.parametrize(
    "parameters", [{}, {"epsilon": 0.01, "max_iter": 3, "tol": 0}, {"alpha": 0.1}]
)
def test_descent_runs_on_one_thread(parameters: dict[str, Any]) -> None:
    loss = Seen()
    X, y = data()
    found = GradientDescentRegressor(loss, **parameters).fit(X, y)
    assert loss.threads[-1] == EACH * [1]
    assert threads() == EACH * [2]
    with threadpool_limits(1, user_api="blas"):
        alone = GradientDescentRegressor(loss, **parameters).fit(X, y)
        assert threads() == EACH * [1]
    assert_array_equal(found.predict(X), alone.predict(X))


@pytest.mark.parametrize("limit", [1, 2])
def test_limits_of_the_caller_hold_and_end_as_they_do(limit: int) -> None:
    loss = Waiting()
    with ThreadPoolExecutor(1) as pool:
        try:
            with threadpool_limits(limit, user_api="blas"):
                fit = pool.submit(GradientDescentRegressor(loss).fit, *data())
                assert loss.inside.wait(60)
                seen = loss.threads[-1]
        finally:
            loss.go.set()
        fit.result(60)
    assert all(number <= limit for number in seen)
    assert threads() == EACH * [2]


def test_an_error_restores_the_limits() -> None:
    with pytest.raises(Exception, match="own error"):
        GradientDescentRegressor(Failing()).fit(*data())
    assert threads() == EACH * [2]


def test_a_limit_is_never_raised() -> None:
    loss = Seen()
    with threadpool_limits(1, user_api="blas"):
        GradientDescentRegressor(loss).fit(*data())
        assert threads() == EACH * [1]
    assert loss.threads
    assert all(seen == EACH * [1] for seen in loss.threads)


def test_the_last_of_fits_that_overlap_restores_the_limits() -> None:
    first, second = Waiting(), Waiting(running=2)
    with ThreadPoolExecutor(2) as pool:
        try:
            one = pool.submit(GradientDescentRegressor(first).fit, *data())
            assert first.inside.wait(60)
            other = pool.submit(GradientDescentRegressor(second).fit, *data())
            assert second.inside.wait(60)
            first.go.set()
            one.result(60)
            assert threads() == EACH * [1]
        finally:
            first.go.set()
            second.go.set()
        other.result(60)
    assert threads() == EACH * [2]


def test_limits_nest() -> None:
    one_thread = OneThread()
    with one_thread.limit():
        with one_thread.limit():
            assert threads() == EACH * [1]
        assert threads() == EACH * [1]
    assert threads() == EACH * [2]


@pytest.mark.parametrize(
    ("n", "d", "l1_ratio", "expected"),
    [(200, 4, 0.0, 2), (200, 200, 0.0, 2), (200, 200, 1.0, 1), (200, 100, 0.0, 1)],
)
def test_small_fits_and_large_products_are_left_alone(
    n: int, d: int, l1_ratio: float, expected: int
) -> None:
    loss = Seen()
    model = GradientDescentRegressor(loss, alpha=0.1, l1_ratio=l1_ratio)
    model.fit(*data(n, d))
    assert loss.threads[-1] == EACH * [expected]
