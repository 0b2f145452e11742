"""
Choosing epsilon in one pass
============================

`GradientDescentRegressorCV` chooses the learning rate ``epsilon`` and the number of
steps by cross-validation. The claims, asserted below:

- it finds the scores of scikit-learn's `GridSearchCV` to eight digits, from the Gram
  matrices of the folds alone;
- its own grid of learning rates is taken from the data, and ends below the largest one
  that is stable;
- a large learning rate with early stopping predicts as well as a small one with more
  steps, and both predict better than least squares.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_adreg import (
    EpsilonPathDisplay,
    GradientDescentRegressor,
    GradientDescentRegressorCV,
)

# %%
# The columns of the diabetes data, their squares and their products are 65 columns for
# 442 rows, on which least squares overfits.

X, y = load_diabetes(return_X_y=True, scaled=False)
X = PolynomialFeatures(2, include_bias=False).fit_transform(
    StandardScaler().fit_transform(X)
)
folds = KFold(5, shuffle=True, random_state=0)

# %%
# A hundred steps at 20 learning rates
# ------------------------------------
#
# ``tol=0`` asks for exactly ``max_iter`` steps. No values of ``epsilon`` are given:
# they are computed from the data.

search = GradientDescentRegressorCV(cv=folds, max_iter=100, tol=0).fit(X, y)
epsilons = search.cv_results_["param_epsilon"]
assert epsilons.max() < search.max_epsilon_
print(f"best of {len(epsilons)}: epsilon {search.epsilon_:.3g}")
print(f"mean R2 {search.best_score_:.3f}")

# %%
# scikit-learn's search fits each of the 20 candidates on each of the 5 splits and finds
# the same scores. The keys of ``cv_results_`` are the same as well.

grid = GridSearchCV(
    GradientDescentRegressor(max_iter=100, tol=0), {"epsilon": epsilons}, cv=folds
).fit(X, y)
assert grid.cv_results_.keys() == search.cv_results_.keys()
for name in ("split0_test_score", "mean_test_score", "std_test_score"):
    np.testing.assert_allclose(
        search.cv_results_[name], grid.cv_results_[name], rtol=1e-8
    )
assert search.best_params_ == grid.best_params_

# %%
# The number of steps as well
# ---------------------------
#
# With ``early_stopping=True`` the best number of steps is chosen for each ``epsilon``.

stopped = GradientDescentRegressorCV(
    cv=folds, max_iter=3000, early_stopping=True, store_path_scores=True
).fit(X, y)
least_squares = cross_val_score(LinearRegression(), X, y, cv=folds).mean()
steps = stopped.cv_results_["param_max_iter"]
print(f"best: {stopped.best_n_iter_} steps of {stopped.epsilon_:.3g}")
print(f"mean R2 {stopped.best_score_:.3f}, least squares {least_squares:.3f}")
means = stopped.cv_results_["mean_test_score"]
assert np.ptp(means[steps < 3000]) < 0.005
assert search.best_score_ > stopped.best_score_ - 0.005
assert stopped.best_score_ > least_squares + 0.05

# %%
# ``path_scores_`` has the score of each learning rate after each number of steps. High
# scores lie along a line on which the product of the two is about constant. Dots mark
# the best number of steps of each learning rate, the ring the best pair.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
EpsilonPathDisplay.from_estimator(search, ax=left)
left.set_title("100 steps", fontsize="medium")
landscape = stopped.path_scores_.mean(axis=0)[:, 1:]
mesh = right.pcolormesh(
    np.arange(1, 3001),
    stopped.cv_results_["param_epsilon"],
    landscape,
    vmin=0,
    cmap="Blues",
    rasterized=True,
)
right.plot(steps, stopped.cv_results_["param_epsilon"], ".", color="white")
right.plot(stopped.best_n_iter_, stopped.epsilon_, "o", color="black", mfc="white")
right.set(xscale="log", yscale="log", xlabel="number of steps", ylabel="epsilon")
right.set_title("1 to 3,000 steps", fontsize="medium")
figure.colorbar(mesh, label="mean R² on the held-out folds")
plt.show()
