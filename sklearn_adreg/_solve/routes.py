"""The table of routes: which descent serves which parameters, loss and X.

The table does not show that a loss whose scale is estimated is fitted at one scale
after another, and that a descent may start where the same method has ended on a
sample of the rows, or on absolute error.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.sparse import diags_array

from sklearn_adreg._descent.coordinates import MAX_WHITENED
from sklearn_adreg._descent.loop import Solution
from sklearn_adreg._loss.check import checked_traits
from sklearn_adreg._objective.quadratic import curvature_of
from sklearn_adreg._rows.moments import centre_of
from sklearn_adreg._rows.place import check_distances, check_target
from sklearn_adreg._solve.apart import solve_outputs_apart
from sklearn_adreg._solve.numeric import (
    solve_any_loss_step_by_step,
    solve_in_closed_form,
    solve_on_moments,
    solve_on_rows,
)
from sklearn_adreg._solve.prepare import SAMPLED_KINKED
from sklearn_adreg._solve.problem import descend
from sklearn_adreg._solve.quantiles import solve_quantiles
from sklearn_adreg._solve.scale import solve_with_scale
from sklearn_adreg._solve.squared_error import (
    solve_lasso_by_moments,
    solve_lasso_by_sample,
    solve_least_squares,
)
from sklearn_adreg._solve.targets import side_by_side
from sklearn_adreg._solve.task import Fit, Task, may_be_dense, without_offset
from sklearn_adreg._solve.threads import suitable_threads
from sklearn_adreg.losses import Quantiles, SquaredError
from sklearn_adreg.losses._base import is_estimated

_WINDOWS = "in windows that narrow"

# What the column X of the table says, of n rows and d columns. `fresh` is a fit without
# a start, which is `cold`, whose tol is above zero.
SHAPES: dict[str, Callable[[Task, Fit], bool]] = {
    "any": lambda _task, _fit: True,
    # Where 20 of d columns matter, the next row takes 1.4 times as long as this one at
    # 128 columns, 2 at 200 and 5 at 400, but 0.7 to 0.9 at 64.
    "n >= 40000, d >= 100, fresh": lambda task, fit: (
        fit.fresh(task) and fit.X.shape[0] >= SAMPLED_KINKED and fit.X.shape[1] >= 100
    ),
    # At 512 columns this takes 0.7 of the time of proximal Newton where hundreds of
    # them matter, 2.4 times it where 20 do; at 1,024 it takes 2 to 12 times as long.
    "d <= min(n, 512), fresh": lambda task, fit: (
        fit.fresh(task) and fit.X.shape[1] <= min(fit.X.shape[0], 512)
    ),
    # Eigenvectors of d columns cost as much as 0.3 d (of 32) to 2 d (of 512) steps with
    # their moments. From zero, descents stay in the span of the rows.
    "min(n, d) <= min(4096, max(64, max_iter)), d <= n or cold": lambda task, fit: (
        min(fit.X.shape) <= min(MAX_WHITENED, max(64, task.max_iter))
        and (fit.start is None or fit.X.shape[1] <= fit.X.shape[0])
        and may_be_dense(fit.X)
    ),
    # Moments of d columns cost about as much as d / 20 visits of the rows.
    "d <= min(n, 4096, 20 max_iter)": lambda task, fit: (
        fit.X.shape[1] <= min(fit.X.shape[0], fit.most_whitened, 20 * task.max_iter)
    ),
}


class Route(NamedTuple):
    """A row of the table: what it serves, how in words, and what it does.

    `X` is one of `SHAPES`. Where the data turn out not to be for a route, `solve`
    returns None, and the next row that serves is taken.
    """

    epsilon: str
    penalty: str
    loss: str
    X: str
    method: str
    objective: str
    solve: Callable[[Task, Fit], Solution | None]

    def serves(self, epsilon: str, penalty: str, loss: str) -> bool:
        """Whether this row is for such parameters and such a loss."""
        served = zip(self[:3], (epsilon, penalty, loss), strict=True)
        return all(mine in ("any", asked) for mine, asked in served)


# The first row that serves is taken. (The formatter would make it nine times as long.)
# fmt: off
ROUTES = (
    Route("auto", "smooth", "squared", "any",
          "refinement, or conjugate gradients", "MeanLoss", solve_least_squares),
    Route("auto", "smooth", "quantiles", "any",
          f"quasi-Newton, {_WINDOWS}, and planes kept in order",
          "MeanLoss, StraightLoss", solve_quantiles),
    Route("auto", "l1", "quantiles", "any",
          f"proximal Newton, {_WINDOWS}, and hinges on what crosses",
          "MeanLoss, StraightLoss", solve_quantiles),
    Route("auto", "any", "kinked sum over outputs", "any",
          "as of one output, for each by itself",
          "MeanLoss, StraightLoss", solve_outputs_apart),
    Route("auto", "smooth", "kinked", "any",
          f"quasi-Newton, {_WINDOWS}", "MeanLoss, StraightLoss",
          partial(descend, windows=True)),
    Route("auto", "smooth", "any", "any",
          "quasi-Newton", "MeanLoss", descend),
    Route("auto", "l1", "squared", "n >= 40000, d >= 100, fresh",
          "minimum of likely columns' moments, proximal Newton",
          "Quadratic, MeanLoss", solve_lasso_by_sample),
    Route("auto", "l1", "squared", "d <= min(n, 512), fresh",
          "minimum of moments, or proximal Newton from it",
          "Quadratic, MeanLoss", solve_lasso_by_moments),
    Route("auto", "l1", "kinked", "any",
          f"proximal Newton, {_WINDOWS}", "MeanLoss, StraightLoss",
          partial(descend, windows=True)),
    Route("auto", "l1", "any", "any",
          "proximal Newton", "MeanLoss", descend),
    Route("number", "smooth", "squared",
          "min(n, d) <= min(4096, max(64, max_iter)), d <= n or cold",
          "textbook, in closed form", "Quadratic", solve_in_closed_form),
    Route("number", "any", "squared", "d <= min(n, 4096, 20 max_iter)",
          "textbook", "Quadratic", solve_on_moments),
    Route("number", "any", "squared", "any",
          "textbook", "MeanLoss", solve_on_rows),
    Route("number", "any", "any", "any",
          "textbook", "MeanLoss", solve_any_loss_step_by_step),
)
# fmt: on


def solve(task: Task, fit: Fit) -> Solution:
    """Descend by the first route that serves the parameters, the loss and the data.

    Targets that are not penalised alike are fitted one by one.
    """
    if np.ndim(task.alpha) == 2 and task.n_outputs == 1:
        return side_by_side(
            [
                solve(task.of_part(j), fit.of_column(j)._replace(y=fit.y[:, [j]]))
                for j in range(fit.y.shape[1])
            ]
        )
    if _may_be_even(task, fit):
        return _solve_with_even_ridge(task, fit)
    fit, mean = _known(task, fit)
    kind = "kinked" if fit.traits.kinked else "squared" if fit.squared else "smooth"
    if isinstance(task.loss, Quantiles) and task.n_outputs > 1:
        kind = "quantiles"
    elif fit.traits.part is not None and task.epsilon is None:
        kind = "kinked sum over outputs"
    asked = (
        "auto" if task.epsilon is None else "number",
        "smooth" if task.smooth else "l1",
        kind,
    )
    # Moments are large products, which gain by more threads; working sets do not.
    moments = fit.squared and (task.smooth or task.epsilon is not None)
    direct = moments and may_be_dense(fit.X)
    with nullcontext() if direct else suitable_threads(task, fit.X):
        if is_estimated(task.loss):
            return solve_with_scale(task, fit)
        for route in ROUTES:
            found = None
            if route.serves(*asked) and SHAPES[route.X](task, fit):
                found = route.solve(task, fit)
            if found is not None:
                return found._replace(intercept=found.intercept + mean)
    raise AssertionError("The last row serves whatever is asked.")


def _may_be_even(task: Task, fit: Fit) -> bool:
    """Whether columns, more than rows, have ridges that differ, but not by too much.

    In units in which they are alike, coefficients are in the span of the rows. Three
    classes of 45 x 500 take 0.1 s there, in place of 2.1 s with all columns whitened.
    Squares of these units are parts of inner products, which hold so many digits only.
    """
    more = fit.X.shape[1] > fit.X.shape[0]
    alpha = np.asarray(task.alpha)
    if not more or alpha.ndim != 1 or task.epsilon is not None or task.l1_ratio > 0:
        return False
    least = np.finfo(fit.X.dtype).eps ** (2 / 3)  # as eigenvalues are trusted
    return bool(alpha.min() > least * alpha.max())


def _solve_with_even_ridge(task: Task, fit: Fit) -> Solution:
    """Solve in units of the columns in which all are penalised alike."""
    strongest = float(np.max(task.alpha))
    unit = np.sqrt(np.asarray(task.alpha) / strongest)
    of_columns = (1 / unit).astype(fit.X.dtype)
    X = fit.X * of_columns if fit.dense else fit.X @ diags_array(of_columns)
    if fit.start is not None:
        coef, intercept = fit.start
        fit = fit._replace(start=(unit[:, None] * coef, intercept))
    found = solve(replace(task, alpha=strongest), fit._replace(X=X))
    return found._replace(coef=found.coef / unit[:, None])


def _known(task: Task, fit: Fit) -> tuple[Fit, np.ndarray]:
    """Return the fit with what is known of its loss, and means that were subtracted."""
    y, offset = without_offset(task.loss, fit.y, fit.offset)
    held = fit.held
    if held is not None and offset is None:
        held = held._replace(offset=fit.offset)
    fit = fit._replace(y=y, offset=offset, n_outputs=task.n_outputs, held=held)
    if task.loss == SquaredError():
        fit, mean = _centred(task, fit)
        if task.epsilon is not None:
            check_distances(fit.y, fit.weight, intercept=False)
        return fit, mean
    left = y if offset is None or offset.shape != y.shape else y - offset
    check_target(left, fit.weight)
    target, row_data = fit.counted
    seen = task.loss, task.backend, target, row_data, task.n_outputs
    return fit._replace(traits=checked_traits(*seen)), np.zeros(y.shape[1])


def _centred(task: Task, fit: Fit) -> tuple[Fit, np.ndarray]:
    """Subtract the means of the targets, and return them; zero without an intercept.

    Of squared error the intercept takes them up, whatever the coefficients.
    """
    X, y, start = fit.X, fit.y, fit.start
    mean = centre_of(y, fit.weight) if task.intercept else np.zeros(y.shape[1])
    start = None if start is None else (start[0], start[1] - mean)
    curvature = curvature_of(task.loss, task.backend, X.dtype)
    centred = (y - mean).astype(X.dtype)
    return fit._replace(y=centred, start=start, curvature=curvature), mean
