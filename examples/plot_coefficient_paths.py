r"""
Coefficients during the descent
===============================

Gradient descent converges fast along the principal components of X with large variance,
and slowly along those with small variance. The claims, asserted below, are about the
diabetes data, whose blood measurements s1 to s5 are nearly collinear:

- along the principal component with the smallest variance, the coefficients need more
  than a hundred times as many steps as along the one with the largest;
- on the way the coefficient of s1 changes its sign, so that its interpretation depends
  on when the descent was stopped;
- predictions converge much earlier: before a twentieth of these steps their
  cross-validated :math:`R^2` is within 0.01 of its maximum.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from sklearn_adreg import (
    CoefficientPathDisplay,
    GradientDescentRegressor,
    GradientDescentRegressorCV,
)

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X = StandardScaler().set_output(transform="pandas").fit_transform(X)
eigenvalues, eigenvectors = np.linalg.eigh(X.T @ X / len(X))
print(f"variances from {eigenvalues[-1]:.2f} down to {eigenvalues[0]:.4f}")
weights = dict(zip(X.columns, eigenvectors[:, 0].round(2).tolist(), strict=True))
print("component of the smallest variance:", weights)

# %%
# `CoefficientPathDisplay` computes the path anew, from the model and the data that it
# was fitted to.

figure, axes = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
model = GradientDescentRegressor(epsilon=0.1, max_iter=10_000, tol=0).fit(X, y)
display = CoefficientPathDisplay.from_estimator(model, X, y, ax=axes)

# %%
# Steps until a coefficient is within a tenth of its last value
# -------------------------------------------------------------


def steps_to(values):
    """The first step after which values stay within a tenth of the last one's."""
    far = np.abs(values - values[-1]) > 0.1 * np.abs(values[-1])
    return display.n_iter[np.flatnonzero(far)[-1] + 1]


combinations = display.coefs @ eigenvectors
quick, slow = steps_to(combinations[:, -1]), steps_to(combinations[:, 0])
print(f"steps for the largest variance: {quick}, for the smallest: {slow}")
assert slow > 100 * quick
s1 = display.coefs[:, X.columns.get_loc("s1")]
assert s1.max() > 1 > 0 > s1[-1]

# %%
# Steps until the predictions are as good as they get
# ---------------------------------------------------

search = GradientDescentRegressorCV(
    [0.1], max_iter=10_000, tol=0, store_path_scores=True
).fit(X, y)
scores = search.path_scores_.mean(axis=(0, 1))
enough = np.flatnonzero(scores > scores.max() - 0.01)[0]
print(f"mean R2 {scores[enough]:.3f} after {enough} steps, {scores.max():.3f} at best")
assert enough < slow / 20

axes.axvline(enough, color="0.4", linestyle=":", zorder=0)
axes.text(enough, -38, " R² within 0.01 of its best", color="0.3")
plt.show()
