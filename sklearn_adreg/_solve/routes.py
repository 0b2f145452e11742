"""THE table of routes: which descent serves which parameters and which loss."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from sklearn_adreg._descent.loop import Report, Solution
from sklearn_adreg._loss.check import check_loss
from sklearn_adreg._loss.traits import Traits, traits_of
from sklearn_adreg._solve.lasso import solve_lasso
from sklearn_adreg._solve.least_squares import solve_least_squares
from sklearn_adreg._solve.numeric import (
    solve_any_loss_step_by_step,
    solve_squared_error_step_by_step,
)
from sklearn_adreg._solve.problem import solve_any_loss
from sklearn_adreg._solve.scale import is_estimated, solve_with_scale
from sklearn_adreg._solve.task import Fit, Start, Task
from sklearn_adreg._solve.threads import suitable_threads
from sklearn_adreg.losses import SquaredError

_SQUARED_ERROR = Traits(kinked=False, convex=True, linked=False)


class Route(NamedTuple):
    """A row of the table: what it serves, how in words, and what it does."""

    epsilon: str
    penalty: str
    loss: str
    method: str
    objective: str
    solve: Callable[[Task, Fit], Solution]

    def serves(self, epsilon: str, penalty: str, loss: str) -> bool:
        """Whether this row is for such parameters and such a loss."""
        served = zip(self[:3], (epsilon, penalty, loss), strict=True)
        return all(mine in ("any", asked) for mine, asked in served)


# The first row that serves is taken.
ROUTES = (
    Route("auto", "smooth", "squared", "refinement", "MeanLoss", solve_least_squares),
    Route("auto", "smooth", "smooth", "quasi-Newton", "MeanLoss", solve_any_loss),
    Route(
        "auto",
        "smooth",
        "kinked",
        "quasi-Newton, in windows that narrow",
        "MeanLoss, StraightLoss",
        solve_any_loss,
    ),
    Route(
        "auto",
        "l1",
        "squared",
        "proximal Newton, or the minimum of moments",
        "MeanLoss, Quadratic",
        solve_lasso,
    ),
    Route("auto", "l1", "smooth", "proximal Newton", "MeanLoss", solve_any_loss),
    Route(
        "auto",
        "l1",
        "kinked",
        "proximal Newton, in windows that narrow",
        "MeanLoss, StraightLoss",
        solve_any_loss,
    ),
    Route(
        "number",
        "any",
        "squared",
        "textbook, in closed form without l1",
        "Quadratic, MeanLoss",
        solve_squared_error_step_by_step,
    ),
    Route("number", "any", "any", "textbook", "MeanLoss", solve_any_loss_step_by_step),
)


def solve(
    task: Task,
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    start: Start | None,
    report: Report,
) -> Solution:
    """Descend by the route that serves the parameters and the loss."""
    traits, squared = _SQUARED_ERROR, task.loss == SquaredError()
    if not squared:
        counted = y if weight is None else y[weight > 0]
        check_loss(task.loss, task.backend, counted)
        traits = traits_of(task.loss, task.backend, counted)
    fit = Fit(X, y, weight, start, report, traits)
    chosen = route(task, traits, squared=bool(squared))
    # Second moments are large products: squared error alone gains by more threads.
    direct = chosen.loss == "squared" and chosen.penalty != "l1"
    with nullcontext() if direct else suitable_threads(task, X):
        if is_estimated(task.loss):
            return solve_with_scale(chosen.solve, task, fit)
        return chosen.solve(task, fit)


def route(task: Task, traits: Traits, *, squared: bool) -> Route:
    """Return the first row of the table that serves."""
    asked = (
        "auto" if task.epsilon is None else "number",
        "smooth" if task.smooth else "l1",
        "kinked" if traits.kinked else "squared" if squared else "smooth",
    )
    return next(route for route in ROUTES if route.serves(*asked))
