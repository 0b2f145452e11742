"""What a descent tells its user: while it runs, and when it ends badly."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sklearn_adreg._descent.loop import Endless, Solution
from sklearn_adreg.exceptions import DivergenceError

# A model that was fitted with an offset is scored without one.
OFFSET_FORGOTTEN = (
    "The model was fitted with an offset and is scored without one: predictions are "
    "those of an offset of zero. Pass score(X, y, offset=...). In a search or a "
    "pipeline scikit-learn passes it to fit alone, unless metadata routing is enabled "
    "(sklearn.set_config(enable_metadata_routing=True)) and the estimator asks for it: "
    "set_fit_request(offset=True).set_score_request(offset=True)."
)


@contextmanager
def progress(verbose: bool, max_iter: int) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that shows new values of the objective, or does nothing."""
    if not verbose:
        yield lambda _values: None
        return
    try:
        from tqdm.auto import tqdm
    except ModuleNotFoundError:
        yield from _lines()
        return
    with tqdm(total=max_iter, desc="gradient descent", unit="step") as bar:

        def report(values: np.ndarray) -> None:
            if len(values):
                bar.set_postfix(objective=f"{values[-1]:.6g}", refresh=False)
                bar.update(len(values))

        yield report
        bar.total = bar.n  # it ends where it has arrived, not at max_iter
        bar.refresh()


def _lines() -> Iterator[Callable[[np.ndarray], None]]:
    """Write a line whenever the number of steps has doubled, and at the end."""
    taken, last, written = 0, np.nan, 0

    def write() -> None:
        nonlocal written
        written = taken
        sys.stderr.write(f"gradient descent: step {taken}, objective {last:.6g}\n")

    def report(values: np.ndarray) -> None:
        nonlocal taken, last
        if len(values):
            taken, last = taken + len(values), float(values[-1])
            if taken >= 2 * written:
                write()

    yield report
    if taken > written:
        write()


# What to do about a loss with corners, where steps have one length.
_SMOOTHED = (
    "smooth it there: sqrt(error**2 + c**2) in place of abs(error), also under a root"
)


def diverged(
    epsilon: float,
    n_iter: int,
    first: float,
    last: float,
    max_epsilon: float,
    *,
    exact: bool,
    kinked: bool,
) -> DivergenceError:
    """Compose the error for steps that lead uphill.

    The largest stable step is `exact` where the curvature of the loss is constant.
    """
    why = ""
    if kinked:
        why = (
            " The slope of this loss jumps, or has no bound as that of sqrt at zero: "
            f"{_SMOOTHED}."
        )
    return DivergenceError(
        f"Gradient descent diverged: with epsilon={epsilon!r} the objective went from "
        f"{first:.6g} to {last:.6g} in {n_iter} iterations. The largest stable epsilon "
        f"for this X is {limit(max_epsilon, exact=exact)}. Choose a smaller epsilon, "
        "scale the columns (StandardScaler), or use epsilon='auto', which needs no "
        f"tuning.{why}",
        max_epsilon,
    )


def limit(max_epsilon: float, *, exact: bool) -> str:
    """Say what the largest stable step is, or that it is an estimate."""
    number = f"{max_epsilon:.6g}"
    if exact:
        return number
    return f"{number} by estimate, from the curvature of the loss at the start"


def unfinished(solution: Solution, params: dict[str, Any]) -> str:
    """Compose the warning for a descent that stopped short of its tolerance.

    Or whose objective has no minimum, or whose steps did not lead to it.
    """
    if solution.endless:
        return _endless(solution.endless, params)
    if solution.above:
        return _short(solution, params)
    if np.isnan(solution.error):
        reason = "a derivative of the loss is not finite there"
        remedy = (
            "Write the loss so that it has derivatives everywhere: beware of sqrt and "
            "log at zero, and of `where`, which differentiates both of its branches."
        )
    elif not solution.settled:
        reason = "no scale was found that is the one of its own fit's errors"
        remedy = "Set the scale of the loss to a number, or use a convex loss (Huber)."
    elif solution.n_iter < params["max_iter"]:
        reason = "rounding errors stopped it, or steps that long led no closer"
        remedy = (
            "Increase tol, pass X and y in float64 where they are float32, or scale "
            "columns of X that depend on each other and are many decades apart "
            "(StandardScaler). A loss with a scale may fall for ever where few rows "
            "have most of the weight, or lie far from all others: look at "
            "sample_weight and the largest values of X."
        )
    else:
        reason, remedy = _too_few_steps(solution, params)
    reached = ""
    if not np.isinf(solution.error):
        reached = (
            f": it reached a tolerance of {solution.error:.3g}, where "
            f"tol={params['tol']:.3g} was asked for"
        )
    return f"Gradient descent did not converge, {reason}{reached}. {remedy}"


def _short(solution: Solution, params: dict[str, Any]) -> str:
    """Compose the warning for steps that became short before they arrived."""
    return (
        f"Gradient descent stopped above the minimum: steps of "
        f"epsilon={params['epsilon']!r} change predictions by less than "
        f"tol={params['tol']:.3g} standard deviations of y (units of the linear "
        "predictor where the loss has an inverse link), but the objective can be lower "
        f"by {solution.above:.2g} of its value, or more. Steps are short where epsilon "
        "is small, and where the objective is flat in some direction: if columns of X "
        "depend on each other or differ in scale, or far out in a tail of the loss. "
        "Use epsilon='auto', which does not depend on that, scale the columns "
        "(StandardScaler), or set a smaller tol and a larger max_iter."
    )


def _too_few_steps(solution: Solution, params: dict[str, Any]) -> tuple[str, str]:
    """Say why `max_iter` steps were not enough, and what helps."""
    reason = f"max_iter={params['max_iter']} steps were not enough"
    remedy = "Increase max_iter or tol"
    if params["early_stopping"] and np.isinf(solution.error):
        # The first step is always a rise.
        rule = f"n_iter_no_change={params['n_iter_no_change']}"
        reason += (
            f" to see {rule} in a row without a rise of the score of held-out rows"
        )
        remedy = f"Set max_iter to more than {rule}, or n_iter_no_change to less"
    elif params["early_stopping"]:
        reason += " for the score of held-out rows to stop rising"
        remedy += ", or scale the columns (StandardScaler)"
    elif solution.kinked:
        reason += (
            ", as those of one length go back and forth where the slope of the loss "
            "jumps or has no bound"
        )
        remedy = f"Use epsilon='auto', set a smaller epsilon, or {_SMOOTHED}"
    elif params["epsilon"] != "auto":
        remedy += (
            ", scale the columns (StandardScaler), or use epsilon='auto', which does "
            "not depend on the scale of X"
        )
    return reason, f"{remedy}."


def rounded(rounding: float) -> str:
    """Compose the warning for predictions that lose half of their digits, or more."""
    return (
        "Coefficients and intercept do not hold the digits of the predictions, which "
        f"are rounded by about {rounding:.1g} standard deviations of y (units of the "
        "linear predictor where the loss has an inverse link): columns of X, or y, are "
        "very far from zero, or columns nearly depend on each other. Subtract from "
        "each a value near its mean, drop columns that others tell, or pass X in "
        "float64 where it is float32."
    )


def _endless(reason: Endless, params: dict[str, Any]) -> str:
    """Compose the warning for an objective without a minimum."""
    if reason == "exact":
        return (
            "The objective has no minimum that floats can hold: it falls as "
            "predictions become exact, as a scale goes to zero where y is a linear "
            "function of X, the same in all rows, or decided by one row that lies far "
            "from all others. Got what descent had reached, where rounding decides. "
            "Check y, whether X holds it, and the largest values of X; or use a loss "
            "without a scale, such as 'squared_error' or 'huber'."
        )
    remedy = (
        "Set alpha above 0 for all columns, which gives it a minimum"
        if not np.all(params["alpha"])
        else "The intercept, which alpha does not bound, is what grows: set "
        "fit_intercept=False"
    )
    return (
        "The objective has no minimum at finite coefficients: it falls as predictions "
        "grow without end, as it does for labels that X separates, for a class "
        "without rows, or for labels that are not those that the loss is written for. "
        f"Got what descent had reached. {remedy}, or check y, and the sign of the loss."
    )
