"""The solution of several targets, from those of each; curves are summed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sklearn_adreg._descent.loop import Endless, Solution, State
from sklearn_adreg._rows.rows import Rows
from sklearn_adreg._solve.task import Task


def of_targets(task: Task, rows: Rows, states: list[State]) -> Solution:
    """Return to X as it came, from where the descents of the targets have ended."""
    columns = [state.theta.reshape(-1, task.n_outputs).T for state in states]
    found = [rows.outer(theta) for theta in np.concatenate(columns)]
    curves = [np.array(_full_curve(state.curve, task)) for state in states]
    return Solution(
        coef=np.stack([coef for coef, _ in found], axis=1),
        intercept=np.array([intercept for _, intercept in found]),
        loss_curve=_summed(curves),
        epsilon=min(state.epsilon for state in states),
        error=float(np.max([state.error for state in states])),
        endless=_first(states),
    )


def side_by_side(found: Sequence[Solution]) -> Solution:
    """Return the solution for several targets, from those of each."""
    scales = [each.scale for each in found if each.scale is not None]
    held = [each.validation for each in found if each.validation is not None]
    return Solution(
        coef=np.concatenate([each.coef for each in found], axis=1),
        intercept=np.concatenate([each.intercept for each in found]),
        loss_curve=_summed([each.loss_curve for each in found]),
        epsilon=min(each.epsilon for each in found),
        error=float(np.max([each.error for each in found])),
        endless=_first(found),
        scale=np.concatenate(scales) if scales else None,
        settled=all(each.settled for each in found),
        kinked=any(each.kinked for each in found),
        above=max(each.above for each in found),
        validation=_summed(held) if held else None,
    )


def _first(ends: Sequence[State | Solution]) -> Endless:
    """Why one has no minimum, if one has none."""
    return next((each.endless for each in ends if each.endless), "")


def _summed(curves: Sequence[np.ndarray]) -> np.ndarray:
    """Sum the objectives of targets, which stay where their descents have ended."""
    length = max(map(len, curves))
    ends = [np.pad(curve, (0, length - len(curve)), "edge") for curve in curves]
    return np.asarray(np.sum(ends, axis=0))


def _full_curve(curve: tuple[float, ...], task: Task) -> tuple[float, ...]:
    """With tol=0, what is left of the steps would not move: rounding stopped them."""
    length = task.max_iter + 1 if task.tol == 0 else 2  # a start may be the end
    return curve + curve[-1:] * (length - len(curve))
