"""
A search over epsilon
=====================

`GradientDescentRegressor` works in a scikit-learn `Pipeline`, and the pipeline in
`GridSearchCV`. Here the search is over the learning rate ``epsilon``, with the number
of steps fixed. The claims, asserted below:

- a learning rate is scored NaN on a fold exactly when it exceeds the largest stable one
  of that fold, and the search goes on;
- the best learning rate is less than half of the largest stable one: with it the
  descent stops before it reaches least squares, and predicts better than least squares.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.exceptions import DivergenceError

# %%
# A pipeline
# ----------
#
# The ten columns of the diabetes data, their squares and their products are 65 columns
# for 442 rows. Plain gradient descent has one learning rate for all columns, so they
# are standardised first. ``tol=0`` asks for exactly ``max_iter`` steps, a hundred, and
# turns off the warning of fits that have not converged.

X, y = load_diabetes(return_X_y=True, scaled=False)
columns = make_pipeline(
    StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler()
)
descent = GradientDescentRegressor(max_iter=100, tol=0)
pipeline = make_pipeline(columns, descent)

# %%
# The search
# ----------
#
# The candidates are spread over three decades, and some of them exceed the largest
# stable learning rate. scikit-learn warns of fits that failed, and of scores that are
# not finite. Both are expected here, so these two warnings are filtered out.

epsilons = np.geomspace(1e-4, 0.2, 20)
folds = KFold(5, shuffle=True, random_state=0)
search = GridSearchCV(
    pipeline, {"gradientdescentregressor__epsilon": epsilons}, cv=folds
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FitFailedWarning)
    warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
    search.fit(X, y)

best_epsilon = search.best_params_["gradientdescentregressor__epsilon"]
print(f"best epsilon {best_epsilon:.4f}, mean R2 {search.best_score_:.3f}")

# %%
# The largest stable learning rate of each fold
# ---------------------------------------------
#
# The largest stable learning rate depends on the rows that a model is fitted to. The
# `DivergenceError` of one that is far too large has it as ``max_epsilon``.


def largest_stable(X, y):
    """The largest epsilon that does not diverge on the columns made of X."""
    try:
        clone(pipeline).set_params(gradientdescentregressor__epsilon=100).fit(X, y)
    except DivergenceError as error:
        return error.max_epsilon
    raise AssertionError("a step of 100 did not diverge")


limits = np.array([largest_stable(X[train], y[train]) for train, _ in folds.split(X)])
scores = np.transpose(
    [search.cv_results_[f"split{fold}_test_score"] for fold in range(len(limits))]
)
np.testing.assert_array_equal(np.isnan(scores), epsilons[:, None] > limits)
print("largest stable epsilon of each fold:", limits.round(4))

# %%
# The best learning rate is well below the limit, and its mean score on the held-out
# folds is higher than that of least squares on the same columns.

least_squares = cross_val_score(
    make_pipeline(columns, LinearRegression()), X, y, cv=folds
).mean()
assert best_epsilon < 0.5 * limits.min()
assert search.best_score_ > least_squares
print(f"least squares: mean R2 {least_squares:.3f}")

# %%
# The scores
# ----------
#
# The band reaches from the worst fold to the best. With small learning rates a hundred
# steps do not get far from predicting the mean of y, and underfit. With large ones they
# score lower than with the best one.


def draw_scores(axes):
    """Mean and range of the scores against epsilon, and the candidates without one."""
    stable = ~np.isnan(scores).any(axis=1)
    x, stable_scores = epsilons[stable], scores[stable]
    lowest, highest = stable_scores.min(axis=1), stable_scores.max(axis=1)
    axes.fill_between(x, lowest, highest, color="#56B4E9", alpha=0.3, linewidth=0)
    axes.plot(x, stable_scores.mean(axis=1), "o-", color="#0072B2", markersize=4)
    axes.plot(best_epsilon, search.best_score_, "o", color="#D55E00", markersize=9)
    failed = epsilons[~stable]
    axes.plot(failed, np.full(len(failed), 0.02), "x", color="black")


def label(axes, text, place, shift, color, **kwargs):
    """Text beside what it names, in its colour."""
    axes.annotate(
        text, place, xytext=shift, textcoords="offset points", color=color, **kwargs
    )


figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
draw_scores(axes)
axes.axhline(least_squares, color="#009E73", linestyle="--", linewidth=1.5)
axes.axvline(limits.min(), color="black", linestyle=":", linewidth=1.5)
axes.set_xscale("log")
axes.set_ylim(0, 0.7)
axes.set_xlabel("epsilon")
axes.set_ylabel("R² on the held-out fold")
axes.spines[["top", "right"]].set_visible(False)
best = (best_epsilon, search.best_score_)
failed_middle = np.sqrt(limits.max() * epsilons[-1])
label(axes, f"best, {best_epsilon:.3f}", best, (0, 9), "#A84A00", ha="center")
label(axes, "least squares", (1e-4, least_squares), (0, 4), "#00795A")
label(axes, "mean of five folds", (5e-4, 0.235), (-6, 0), "#0072B2", ha="right")
label(axes, "from the worst fold to the best", (1.6e-3, 0.25), (0, 0), "#0072B2")
label(
    axes, "largest stable epsilon", (limits.min(), 0.66), (-5, 0), "black", ha="right"
)
label(axes, "NaN", (failed_middle, 0.02), (0, 7), "black", ha="center")
plt.show()
