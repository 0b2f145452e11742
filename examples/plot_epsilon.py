r"""
What epsilon does
=================

The learning rate ``epsilon`` decides whether gradient descent converges slowly,
converges fast, oscillates or diverges. On the squared error, each step multiplies the
error of the coefficients along the i-th eigenvector of :math:`X^\top X / n` by

.. math:: 1 - 2 \epsilon \lambda_i ,

where :math:`\lambda_i` is the eigenvalue. The claims, asserted below:

- the paths of the descents are those of this formula, step by step;
- the largest stable learning rate is :math:`1 / \lambda_{\max}`, which is the limit
  that a `DivergenceError` names;
- ``epsilon="auto"``, which descends in whitened coordinates, in which all eigenvalues
  are equal, is at the optimum after a single step.
"""

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.exceptions import DivergenceError

# %%
# A problem with two coefficients
# -------------------------------
#
# With two correlated columns the contours of the objective are long ellipses: it is
# steep across this valley, and flat along it.

rng = np.random.default_rng(4)
X = rng.standard_normal((200, 2)) @ [[1.0, 0.45], [0.0, 0.6]]
y = X @ [1.2, -1.5] + 0.1 * rng.standard_normal(200)

moments = X.T @ X / len(X)
eigenvalues, eigenvectors = np.linalg.eigh(moments)
optimum = np.linalg.solve(moments, X.T @ y / len(X))
print(f"eigenvalues {eigenvalues.round(3)}, coefficients {optimum.round(3)}")

# %%
# The limit, from the error of a descent that diverged
# ----------------------------------------------------


def largest_stable():
    """The epsilon that `DivergenceError` names for this X."""
    try:
        GradientDescentRegressor(epsilon=100, fit_intercept=False).fit(X, y)
    except DivergenceError as error:
        print(error)
        return error.max_epsilon
    raise AssertionError("a step of 100 did not diverge")


limit = largest_stable()
np.testing.assert_allclose(limit, 1 / eigenvalues.max(), rtol=1e-10)

# %%
# Four fixed learning rates, and ``"auto"``
# -----------------------------------------
#
# The path of a descent consists of the coefficients of fits of one step, two steps,
# three steps, and so on; ``tol=0`` asks for exactly ``max_iter`` steps. A fit whose
# objective ends above that at the start raises `DivergenceError`, and there the path
# ends. The best fixed learning rate is the one that shrinks the errors along both
# eigenvectors by the same factor, :math:`1 / (\lambda_1 + \lambda_2)`.


class Descent(NamedTuple):
    """A step length, how many steps to take, and how to draw them."""

    epsilon: float | str
    n_steps: int
    title: str
    label: str
    color: str


best = 1 / eigenvalues.sum()
too_short, good, just_stable, divergent, whitened = descents = [
    Descent(0.04 * limit, 40, "0.04 of the limit: slow", "0.04", "#D55E00"),
    Descent(best, 40, f"{best / limit:.2f} of the limit: good", "good", "#009E73"),
    Descent(0.99 * limit, 40, "0.99 of the limit: oscillates", "0.99", "#0072B2"),
    Descent(1.02 * limit, 40, "1.02 of the limit: diverges", "1.02", "#CC79A7"),
    Descent("auto", 1, '"auto": one step', '"auto"', "#000000"),
]


def path(descent):
    """The coefficients at the start and after each step, one row for each."""
    coefs = [np.zeros(2)]
    model = GradientDescentRegressor(
        epsilon=descent.epsilon, tol=0, fit_intercept=False
    )
    for max_iter in range(1, descent.n_steps + 1):
        try:
            coefs.append(model.set_params(max_iter=max_iter).fit(X, y).coef_)
        except DivergenceError:
            break
    return np.array(coefs)


paths = {descent.label: path(descent) for descent in descents}

# %%
# The paths with a fixed learning rate are those of the formula, step by step. Only the
# one above the limit was stopped by an error. With ``"auto"`` the descent is at the
# optimum after its only step.


def path_of_formula(epsilon, n_steps):
    """The coefficients after 0 to ``n_steps - 1`` steps, by the formula."""
    factors = (1 - 2 * epsilon * eigenvalues) ** np.arange(n_steps)[:, None]
    return optimum + factors * (-optimum @ eigenvectors) @ eigenvectors.T


for descent in (too_short, good, just_stable, divergent):
    coefs = paths[descent.label]
    expected = path_of_formula(descent.epsilon, len(coefs))
    np.testing.assert_allclose(coefs, expected, atol=1e-10)
    assert (len(coefs) == descent.n_steps + 1) == (descent is not divergent)

np.testing.assert_allclose(paths[whitened.label][-1], optimum, atol=1e-10)

# %%
# The paths over the contour lines
# --------------------------------
#
# All descents start at zero. Across the valley, where the eigenvalue is large, a step
# of 0.99 of the limit ends on the other side at 0.98 times the distance; one of 1.02
# ends at 1.04 times the distance, and farther away with each step. Along the valley
# both approach the optimum, which is why the objective of the divergent descent falls
# at first: it exceeds that of the start only after 25 steps. The last panel shows the
# objective less its optimum, divided by its value at the start.


def excess(coefs):
    """The objective less its optimum, from its quadratic form."""
    error = coefs - optimum
    return np.sum(error @ moments * error, axis=-1)


def draw_path(axes, descent):
    """The descent, from the circle at zero, over contours of the objective."""
    across, along = np.linspace(-0.6, 2.6, 121), np.linspace(-2.6, 0.6, 121)
    grid = np.stack(np.meshgrid(across, along), axis=-1)
    levels = excess(np.zeros(2)) * np.array([0.02, 0.15, 0.45, 1, 2, 4])
    axes.contour(across, along, excess(grid), levels, colors="0.8", linewidths=1)
    coefs = paths[descent.label]
    axes.plot(*coefs.T, color=descent.color, marker=".", markersize=5, linewidth=1.2)
    axes.plot(0, 0, "o", color=descent.color, markerfacecolor="white", markersize=7)
    axes.plot(*optimum, "+", color="black", markersize=11, markeredgewidth=1.5)
    axes.set_title(descent.title, fontsize="medium")
    axes.set_aspect("equal")
    axes.set_xlabel("first coefficient")
    axes.set_ylabel("second coefficient")
    axes.label_outer()


def draw_objectives(axes):
    """The objective of all descents against the step, each with its label."""
    floor = 1e-7
    for descent in descents:
        gap = excess(paths[descent.label]) / excess(np.zeros(2))
        n_shown = max(2, np.count_nonzero(gap > floor))
        gap = np.maximum(gap[:n_shown], floor)
        axes.semilogy(gap, color=descent.color, linewidth=2)
        place = (len(gap) - 1, gap[-1])
        axes.annotate(
            descent.label,
            place,
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=descent.color,
        )
    axes.set_xlim(-1, 50)
    axes.set_box_aspect(1)
    axes.set_title("objective less optimum (start = 1)", fontsize="medium")
    axes.set_xlabel("number of steps")
    axes.grid(axis="y", color="0.9")
    axes.yaxis.tick_right()
    axes.spines[["top", "left"]].set_visible(False)


figure, axes = plt.subplots(2, 3, figsize=(9, 6.2), layout="constrained")
for panel, descent in zip(axes.flat, descents, strict=False):
    draw_path(panel, descent)
draw_objectives(axes[1, 2])
plt.show()
