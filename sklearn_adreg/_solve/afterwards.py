"""What steps of a given length have left undone, seen after they became short.

Such steps end by their length, which does not tell how far the optimum is: along a
direction in which the rows hardly differ, or far out in the tail of a loss, they are
short everywhere. Steps that the descent chooses itself lead on from there, and what
they gain is proved: the objective can be less by so much.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from sklearn_adreg._descent.loop import SIZE_SHARE, Solution
from sklearn_adreg._descent.recession import falls_forever, has_tail
from sklearn_adreg._descent.textbook import uphill
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._solve.outputs import outputs_of_rows
from sklearn_adreg._solve.problem import descend, silent
from sklearn_adreg._solve.squared_error import solve_least_squares
from sklearn_adreg._solve.start import rough, units
from sklearn_adreg._solve.task import Fit, Task

# Steps that tell whether a plane separates labels: 101 to 461 did of 216 problems with
# 100 to 5,000 rows, whose nearest row was at a distance of 0 to 1 of the plane. To a
# tolerance of 1e-3 a level without events is missed. Fits of logistic and Poisson
# losses take 1.04 to 1.7 times as long (200,000 x 30 and 300 x 5).
_FURTHER_STEPS, _FURTHER_TOL = 1000, 1e-6
# Steps shorter than tol end at several times that from the optimum: so many tolerances
# are what was asked for. Without noise the objective there is no part of the optimum's:
# 100 x 10 independent columns end at 1 to 3 tolerances, and up to 8 percent above;
# the data of scikit-learn's checks at 16 or fewer.
_TOLERANCES = 30.0


def is_judged(task: Task, fit: Fit, error: float) -> bool:
    """Whether steps were to end at the minimum, and became short enough for it."""
    aimed = fit.held is None and not fit.chosen
    return aimed and task.tol > 0 and error <= task.tol


def left_above(
    task: Task, fit: Fit, values: np.ndarray, least: np.ndarray, size: np.ndarray
) -> float:
    """By which part of itself an objective is above a lower one, if not tolerated.

    It is zero otherwise, and of targets the largest; `size` is that of their losses, as
    in `Goal`. What may be rounding does not count.
    """
    gaps = values - least
    parts = gaps / np.maximum(np.abs(values), SIZE_SHARE * size)
    beyond = uphill(least, values, np.maximum(np.abs(values), size), fit.X.dtype)
    beyond &= (parts > task.tol) & (gaps > (_TOLERANCES * task.tol) ** 2 * size)
    return float(np.where(beyond, parts, 0.0).max(initial=0.0))


def judged_on_squared_error(
    task: Task, fit: Fit, objective: MeanLoss, found: Solution, size: np.ndarray
) -> Solution:
    """Note what is left of squared error on rows, whose losses have that size."""
    if not is_judged(task, fit, found.error):
        return found
    own, rest = _own(task, fit, found, found.n_iter)
    best = (solve_least_squares if task.smooth else descend)(own, rest)
    values, least = (_values(task, fit, objective, each) for each in (found, best))
    return found._replace(above=left_above(task, fit, values, least, size))


def judged(
    task: Task, fit: Fit, objective: MeanLoss, found: Solution, start: np.ndarray
) -> Solution:
    """Note what is left of any loss, or that it falls for ever beyond where steps end.

    Steps that held-out rows end are not to lead to a minimum. Others become short long
    before they show that some unknowns run off: where the loss of some rows has a tail,
    a descent with steps of its own, which leads far along it, tells.
    """
    if fit.held is not None:
        return found
    penalty = task.penalty(fit.X.shape[1])
    alone = _alone(fit, objective)
    ends = _theta(task, objective, found)
    if any(map(falls_forever, alone, [penalty] * len(alone), ends)):
        return found._replace(endless="far")
    short = is_judged(task, fit, found.error)
    bounded = np.all(task.alpha) or not fit.traits.convex or task.tol == 0
    tail = not bounded and any(map(has_tail, alone, ends))
    if not short and not tail:
        return found
    own, rest = _own(task, fit, found, _FURTHER_STEPS if tail else found.n_iter)
    best = descend(own, rest, windows=fit.traits.kinked)
    if best.endless:
        return found._replace(endless="far")
    if not short:
        return found
    values, least = (_values(task, fit, objective, each) for each in (found, best))
    size = np.array(list(map(partial(_size, fit), alone, start.T)))
    return found._replace(above=left_above(task, fit, values, least, size))


def _size(fit: Fit, objective: MeanLoss, start: np.ndarray) -> float:
    """Loss of predictions that are a unit off, as a descent's goal takes it."""
    if objective.n_outputs > 1:
        kinked, convex, *_ = fit.traits
        some = rough(objective)
        return outputs_of_rows(some, start, kinked=kinked, convex=convex).size
    point = objective.point(objective.linear_predictor(start))
    return units(objective, point, linked=fit.traits.linked)[1]


def _own(task: Task, fit: Fit, found: Solution, max_iter: int) -> tuple[Task, Fit]:
    """Have the descent choose its steps, so many at most, from where others end."""
    tol = min(task.tol, _FURTHER_TOL)
    own = replace(task, epsilon=None, max_iter=max(max_iter, 1), tol=tol)
    return own, fit._replace(start=(found.coef, found.intercept), report=silent)


def _alone(fit: Fit, objective: MeanLoss) -> list[MeanLoss]:
    """Mean losses of each target; several outputs of one target stay together."""
    return [
        replace(objective, data=fit.of_target(objective.data, column))
        for column in range(fit.y.shape[1])
    ]


def _theta(task: Task, objective: MeanLoss, found: Solution) -> np.ndarray:
    """Theta of each target, as rows."""
    theta = objective.data.rows.inner(found.coef, found.intercept)
    return theta.reshape(1, -1) if task.n_outputs > 1 else theta.T


def _values(task: Task, fit: Fit, objective: MeanLoss, found: Solution) -> np.ndarray:
    """Objectives of the targets."""
    penalty = task.penalty(fit.X.shape[1])
    each = zip(_alone(fit, objective), _theta(task, objective, found), strict=True)
    return np.array(
        [
            float(alone.value(alone.linear_predictor(theta)) + penalty.value(theta))
            for alone, theta in each
        ]
    )
