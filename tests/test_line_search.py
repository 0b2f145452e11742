"""The line search, on functions of one number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sklearn_adreg._descent.line_search import Trial, search

Function = Callable[[float], float]


class Line:
    """Keeps the lengths at which it is evaluated."""

    def __init__(self, value: Function, slope: Function) -> None:
        self._value, self._slope = value, slope
        self.lengths: list[float] = []

    def __call__(self, length: float) -> Trial:
        self.lengths.append(length)
        with np.errstate(all="ignore"):
            at = np.float64(length)
            return Trial(length, float(self._slope(at)), float(self._value(at)))

    def search(self, slack: float = 0.0) -> Trial | None:
        return search(self, self(0.0), slack)


CONVEX: dict[str, tuple[Function, Function]] = {
    # Minima at 1, at 0.01, at 30, and at 1e-5 after a steep wall.
    "right at once": (lambda t: (t - 1) ** 2, lambda t: 2 * (t - 1)),
    "much too far": (lambda t: (t - 0.01) ** 2, lambda t: 2 * (t - 0.01)),
    "not far enough": (lambda t: (t - 30) ** 2, lambda t: 2 * (t - 30)),
    "wall": (
        lambda t: np.exp(1e5 * t) - 3e5 * t,
        lambda t: 1e5 * np.exp(1e5 * t) - 3e5,
    ),
    "fourth power": (lambda t: (t - 3) ** 4, lambda t: 4 * (t - 3) ** 3),
    "almost linear": (
        lambda t: np.hypot(1.0, t - 5) - 0.0,
        lambda t: (t - 5) / np.hypot(1.0, t - 5),
    ),
    "kink": (lambda t: abs(t - 0.3), lambda t: np.sign(t - 0.3)),
    "two kinks": (
        lambda t: 0.5 * abs(t - 0.3) + 3 * abs(t - 0.7),
        lambda t: 0.5 * np.sign(t - 0.3) + 3 * np.sign(t - 0.7),
    ),
    "barrier": (
        lambda t: -np.log(0.5 - t) - 9 * t if t < 0.5 else np.inf,
        lambda t: 1 / (0.5 - t) - 9 if t < 0.5 else np.nan,
    ),
    "overflow at one": (
        lambda t: np.exp(1e4 * t) - 9e4 * t,
        lambda t: 1e4 * np.exp(1e4 * t) - 9e4,
    ),
    "logarithm undefined at one": (
        lambda t: -np.log1p(-1.01 * t) - 9 * t,
        lambda t: 1.01 / (1 - 1.01 * t) - 9 if t < 1 / 1.01 else np.nan,
    ),
}


@pytest.mark.parametrize("slack", [0.0, 1e-9])
@pytest.mark.parametrize("name", CONVEX)
def test_comes_down(name: str, slack: float) -> None:
    value, slope = CONVEX[name]
    line = Line(value, slope)
    found = line.search(slack)
    assert found is not None
    assert found.length in line.lengths
    assert value(found.length) < value(0.0)
    if "kink" not in name:
        # Half as steep as at the start, and found without much ado.
        assert abs(found.slope) <= 0.5 * abs(slope(0.0))
        assert len(line.lengths) <= 20


@pytest.mark.parametrize("name", ["kink", "two kinks"])
def test_finds_kinks(name: str) -> None:
    # No point is flatter: the bracket closes on the kink, from below.
    value, slope = CONVEX[name]
    found = Line(value, slope).search()
    assert found is not None
    kink = {"kink": 0.3, "two kinks": 0.7}[name]
    assert kink - 1e-9 <= found.length <= kink


def test_first_trial_that_does_is_taken() -> None:
    line = Line(*CONVEX["right at once"])
    found = line.search()
    assert found is not None
    assert found.length == 1.0
    assert line.lengths == [0.0, 1.0]


NOT_CONVEX: dict[str, tuple[Function, Function]] = {
    # Down at first, then over a hill: length one is flat, but higher.
    "over a hill": (
        lambda t: -0.1 * np.sin(8 * t) + t**2,
        lambda t: -0.8 * np.cos(8 * t) + 2 * t,
    ),
    "saturates": (
        lambda t: 1 - np.exp(-((t - 0.05) ** 2) * 1e3),
        lambda t: 2e3 * (t - 0.05) * np.exp(-((t - 0.05) ** 2) * 1e3),
    ),
    "downhill behind a rise": (
        lambda t: np.cos(7 * t + 0.1) - 0.01 * t,
        lambda t: -7 * np.sin(7 * t + 0.1) - 0.01,
    ),
    "not a number at one": (
        lambda t: (t - 0.2) ** 2 if t < 0.9 else np.nan,
        lambda t: 2 * (t - 0.2) if t < 0.9 else 0.0,
    ),
    "infinite at one": (
        lambda t: (t - 0.2) ** 2 if t < 0.9 else np.inf,
        lambda t: 2 * (t - 0.2) if t < 0.9 else 0.0,
    ),
}


@pytest.mark.parametrize("name", NOT_CONVEX)
def test_not_convex_comes_down(name: str) -> None:
    value, slope = NOT_CONVEX[name]
    found = Line(value, slope).search()
    assert found is not None
    assert found.length > 0
    # Armijo's condition, with the usual constant.
    assert value(found.length) <= value(0.0) + 1e-4 * found.length * slope(0.0)


def test_worse_by_less_than_is_tolerated() -> None:
    # Seen through a window, values are above what the slopes tell.
    line = Line(lambda t: 1e-3 if t > 0 else 0.0, lambda t: 0.4 * t - 1.0)
    assert line.search() is None
    found = line.search(slack=2e-3)
    assert found is not None
    assert abs(found.slope) <= 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nothing_but_the_start(bad: float) -> None:
    # Not finite wherever one looks: there is no step.
    for trial in (lambda t: Trial(t, bad, 0.0), lambda t: Trial(t, -1.0, bad)):
        found = search(trial, Trial(0.0, -1.0, 0.0), 0.0)
        assert found is None or (found.value == -np.inf and bad == -np.inf)


def test_uphill_everywhere() -> None:
    found = search(lambda t: Trial(t, 1.0, 2.0 + t), Trial(0.0, -1.0, 2.0), 0.0)
    assert found is None


def test_downhill_without_end() -> None:
    # A line without a minimum ends, at a length that is finite.
    found = search(lambda t: Trial(t, -1.0, -t), Trial(0.0, -1.0, 0.0), 0.0)
    assert found is not None
    assert 1.0 < found.length < np.inf


def test_rounding_hides_the_decrease() -> None:
    # The value is known to eps; the slope, of 1e-12, keeps its digits.
    def line(t: float) -> Trial:
        return Trial(t, 1e-12 * (t - 0.5), 1e6 + 1e-12 * (t - 0.5) ** 2 / 2)

    found = search(line, line(0.0), 64 * 1e6 * 2.0**-52)
    assert found is not None
    # At length one the slope is as steep as at the start.
    assert 0.25 <= found.length <= 0.75


def test_trials_are_few_when_the_line_is_hopeless() -> None:
    count = 0

    def line(t: float) -> Trial:
        nonlocal count
        count += 1
        return Trial(t, np.nan, 0.0)

    search(line, Trial(0.0, -1.0, 0.0), 0.0)
    assert count <= 60
