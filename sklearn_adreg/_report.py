"""What a descent tells its user: while it runs, and when it ends badly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sklearn_adreg.exceptions import DivergenceError


@contextmanager
def progress(verbose: bool, max_iter: int) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that shows new values of the objective, or does nothing."""
    if not verbose:
        yield lambda _values: None
        return
    try:
        from tqdm.auto import tqdm
    except ModuleNotFoundError as error:
        raise ImportError(
            "verbose=1 draws a progress bar with tqdm, which is not installed. "
            "Install it with `pip install 'sklearn-adreg[progress]'`, or set verbose=0."
        ) from error
    with tqdm(total=max_iter, desc="gradient descent", unit="step") as bar:

        def report(values: np.ndarray) -> None:
            if len(values):
                bar.set_postfix(objective=f"{values[-1]:.6g}", refresh=False)
                bar.update(len(values))

        yield report


def diverged(
    epsilon: float,
    n_iter: int,
    first: float,
    last: float,
    max_epsilon: float,
    *,
    exact: bool,
) -> DivergenceError:
    """Compose the error for steps that lead uphill.

    The largest stable step is `exact` where the curvature of the loss is constant.
    """
    return DivergenceError(
        f"Gradient descent diverged: with epsilon={epsilon!r} the objective went from "
        f"{first:.6g} to {last:.6g} in {n_iter} iterations. The largest stable epsilon "
        f"for this X is {limit(max_epsilon, exact=exact)}. Choose a smaller epsilon, "
        "scale the columns (StandardScaler), or use epsilon='auto', which needs no "
        "tuning.",
        max_epsilon,
    )


def limit(max_epsilon: float, *, exact: bool) -> str:
    """Say what the largest stable step is, or that it is an estimate."""
    number = f"{max_epsilon:.6g}"
    if exact:
        return number
    return f"{number} by estimate, from the curvature of the loss at the start"


def unconverged(
    error: float, n_iter: int, params: dict[str, Any], *, settled: bool
) -> str:
    """Compose the warning for a descent that stopped short of its tolerance.

    It is `settled` where the scale of the errors, if it is estimated, was found.
    """
    if np.isnan(error):
        reason = "a derivative of the loss is not finite there"
        remedy = (
            "Write the loss so that it has derivatives everywhere: beware of sqrt and "
            "log at zero, and of `where`, which differentiates both of its branches."
        )
    elif not settled:
        reason = "no scale was found that is the one of its own fit's errors"
        remedy = "Set the scale of the loss to a number, or use a convex loss (Huber)."
    elif n_iter < params["max_iter"]:
        reason = "rounding errors stopped it"
        remedy = "Increase tol, or pass X and y in float64 where they are float32."
    else:
        reason = f"max_iter={params['max_iter']} steps were not enough"
        remedy = "Increase max_iter or tol"
        if params["epsilon"] != "auto":
            remedy += (
                ", scale the columns (StandardScaler), or use epsilon='auto', which "
                "does not depend on the scale of X"
            )
        remedy += "."
    return (
        f"Gradient descent did not converge, {reason}: it reached a tolerance of "
        f"{error:.3g}, where tol={params['tol']:.3g} was asked for. {remedy}"
    )


def endless(params: dict[str, Any]) -> str:
    """Compose the warning for an objective without a minimum."""
    remedy = (
        "Set alpha above 0 for all columns, which gives it a minimum"
        if not np.all(params["alpha"])
        else "The intercept, which alpha does not bound, is what grows: set "
        "fit_intercept=False"
    )
    return (
        "The objective has no minimum at finite coefficients: it falls as predictions "
        "grow without end, as it does for labels that X separates, or that are not "
        f"those that the loss is written for. Got what descent had reached. {remedy}, "
        "or check y."
    )
