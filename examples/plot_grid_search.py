"""
A search over epsilon
=====================

`GradientDescentRegressor` is an estimator like any other: it goes into a pipeline, and
the pipeline into a grid search. Here the search is over the step length, with the
number of steps fixed. The claims, asserted below:

- a step that is too long for a fold is scored NaN there, exactly when it exceeds the
  largest stable step of that fold, and the search goes on;
- of those that are stable the best is not the longest: a shorter step stops earlier on
  its way to least squares, and that predicts better than least squares does.
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
# for 442 rows. A textbook step has one length for all of them, so they are brought to
# the same scale first. ``tol=0`` asks for exactly a hundred steps, whatever their
# length, and so none of them warns that it has not converged.

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
# Candidates are spread over three decades, some of them beyond what is stable.
# scikit-learn warns of fits that failed, and of scores that are not finite: both are
# what is expected here, and they are silenced by name.

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
# What is stable in each fold
# ---------------------------
#
# The largest stable step is a property of the rows that a model is fitted to. The error
# of a step that is far too long names it.


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
# The other claim: the best step is well below the limit, and stops at coefficients that
# score higher on rows not seen than those of least squares on the same columns.

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
# The band reaches from the worst fold to the best. With short steps a hundred of them
# do not get far from the mean of y; longer ones get close to least squares, and
# overfit.


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
axes.set_ylabel("R² on the fold left out")
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
