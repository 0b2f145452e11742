"""How far to go along a line.

The derivative along the line decides. It keeps its digits where values of the
objective have long drowned in rounding, and for a convex objective its sign tells on
which side of the minimum a point lies: the search is that of a root, bracketed, by
secants and bisection. A loss that is not convex must in addition come down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# A point will do where the line is half as steep as at the start.
_FLATTER = 0.5
_SUFFICIENT = 1e-4
_MAX_TRIALS = 50
_MAX_GROWTH = 10.0


class Trial(NamedTuple):
    """A length along the line, the slope there, and the value (None: not needed).

    `eps` is the rounding of the data's float type.
    """

    length: float
    slope: float
    value: float | None
    eps: float = float(np.finfo(float).eps)


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
            return self.low * min(max(growth, 1.5), _MAX_GROWTH)
        width = self.high - self.low
        halved, self.width = width <= self.width / 2, width
        rise = self.high_slope - self.low_slope
        if not (halved and np.isfinite(rise) and rise > 0):
            return self.low + width / 2
        secant = -self.low_slope / rise
        return self.low + width * min(max(secant, 0.05), 0.95)


def search(
    evaluate: Callable[[float], Trial], first: Trial, start: Trial
) -> Trial | None:
    """Return a length to step, or None where rounding leaves none.

    `start` has the slope at zero, which is negative, and, if the objective need not
    be convex, the value there; `first` is the trial at length one.
    """
    bracket = _Bracket(low_slope=start.slope)
    trial = first
    for _ in range(_MAX_TRIALS):
        comes_down = _comes_down(trial, start)
        if comes_down and abs(trial.slope) <= _FLATTER * abs(start.slope):
            return trial
        if comes_down and trial.slope < 0:
            bracket.low, bracket.low_slope = trial.length, trial.slope
        else:
            bracket.high = trial.length
            bracket.high_slope = trial.slope if comes_down else np.nan
        length = bracket.next_length(start.slope)
        if not bracket.low < length < min(bracket.high, 1e30):
            break
        trial = evaluate(length)
    return evaluate(bracket.low) if bracket.low > 0 else None


def _comes_down(trial: Trial, start: Trial) -> bool:
    if not np.isfinite(trial.slope):
        return False
    if start.value is None or trial.value is None:
        return True
    noise = 8 * start.eps * abs(start.value)
    wanted = start.value + _SUFFICIENT * trial.length * start.slope
    return bool(trial.value <= wanted + noise)
