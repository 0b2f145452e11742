"""How far to go along a line: the slope decides, and the value vetoes.

The derivative along the line keeps its digits where values of the objective have long
drowned in rounding, and for a convex objective its sign tells on which side of the
minimum a point lies: the search is that of a root, bracketed, by secants and bisection.
A point that is worse than the start, by more than is tolerated, is too far whatever its
slope: a loss need not be convex, and one that is seen through a narrow window shows its
slope alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# Halves and doubles are of 99 fits of twelve losses.
# A point will do where the line is half as steep as at the start (a quarter: 10 % more
# trials; as steep: 20 % more steps), and where the value has come down by a small part
# of what the slope promised, Armijo's rule with its usual number (both: the same).
_FLATTER, _SUFFICIENT = 0.5, 1e-4
# Bisection has found any root to rounding then. With half two fits end too early.
_MAX_TRIALS = 50
# A secant may be wrong by any factor: how far beyond downhill points the next one is
# (half and double: 1 % more steps), and how near, relative, to an end of a bracket it
# may be (1 % more trials).
_LEAST_GROWTH, _MAX_GROWTH, _MARGIN = 1.5, 10.0, 0.05
# Beyond this length the objective has no minimum along the line.
UNBOUNDED = 1e30


class Trial(NamedTuple):
    """A length along the line, and the slope and the value there."""

    length: float
    slope: float
    value: float


@dataclass
class _Bracket:
    """What is known of the line: downhill up to `low`, too far from `high` on."""

    low: float = 0.0
    low_slope: float = 0.0
    high: float = np.inf
    high_slope: float = np.nan
    width: float = np.inf

    def next_length(self, first_slope: float) -> float:
        if self.high == np.inf:
            gain = first_slope - self.low_slope
            growth = first_slope / gain if gain < 0 else _MAX_GROWTH
            return self.low * min(max(growth, _LEAST_GROWTH), _MAX_GROWTH)
        width = self.high - self.low
        halved, self.width = width <= self.width / 2, width
        rise = self.high_slope - self.low_slope
        if not (halved and np.isfinite(rise) and rise > 0):
            return self.low + width / 2
        secant = -self.low_slope / rise
        return self.low + width * min(max(secant, _MARGIN), 1 - _MARGIN)


def search(
    evaluate: Callable[[float], Trial],
    start: Trial,
    slack: float,
    longest: float = UNBOUNDED,
) -> Trial | None:
    """Return a trial that will do, or None where rounding leaves none.

    `start` has the slope at zero, which is negative, and the value there; values may be
    above what is wanted by `slack`. No trial after the first is as long as `longest`.
    """
    bracket = _Bracket(low_slope=start.slope)
    trial, best = evaluate(1.0), None
    for _ in range(_MAX_TRIALS):
        wanted = start.value + _SUFFICIENT * trial.length * start.slope + slack
        comes_down = np.isfinite(trial.slope) and trial.value <= wanted
        if comes_down and abs(trial.slope) <= _FLATTER * abs(start.slope):
            return trial
        if comes_down and trial.slope < 0:
            best = trial
            bracket.low, bracket.low_slope = trial.length, trial.slope
        else:
            bracket.high = trial.length
            bracket.high_slope = trial.slope if comes_down else np.nan
        length = bracket.next_length(start.slope)
        if not bracket.low < length < min(bracket.high, longest):
            break
        trial = evaluate(length)
    return best
