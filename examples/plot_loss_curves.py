r"""
How fast the objective falls
============================

The objective of least squares is a sum of squares along the eigenvectors of the second
moments of X, and a step of the textbook shrinks the one of eigenvalue :math:`\lambda`
by :math:`(1 - 2 \epsilon \lambda)^2`. The claims, asserted below:

- in the end the objective less its optimum falls by the same factor in each step, the
  largest of these: a straight line on a logarithmic axis;
- the step that makes this factor smallest is the inverse of the sum of the smallest and
  the largest eigenvalue, close below the largest stable step.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_adreg import GradientDescentRegressor, LossCurveDisplay

# %%
# Columns of spreads from 1 to 0.2, and their eigenvalues
# --------------------------------------------------------

rng = np.random.default_rng(0)
X = rng.standard_normal((200, 8)) * np.geomspace(1, 0.2, 8)
y = X @ rng.standard_normal(8) + 0.5 * rng.standard_normal(200)

centred = X - X.mean(axis=0)
eigenvalues = np.linalg.eigvalsh(centred.T @ centred / len(X))
largest_stable = 1 / eigenvalues[-1]
fastest = 1 / (eigenvalues[0] + eigenvalues[-1])


def factor(epsilon):
    """By how much the last of the objective shrinks in a step."""
    return np.max((1 - 2 * epsilon * eigenvalues) ** 2)


epsilons = np.linspace(0.01, 1, 500) * largest_stable
assert factor(fastest) <= min(map(factor, epsilons))
print(f"fastest {fastest:.3f}, largest stable {largest_stable:.3f}")

# %%
# Three lengths, and none
# -----------------------
#
# The default, ``epsilon="auto"``, descends in coordinates in which all eigenvalues are
# one. It is there after the first step.

STEPS = 120
optimum = GradientDescentRegressor().fit(X, y).loss_curve_.min()
rounding = 1e-12  # kept of the objective, so that its logarithm can be drawn
models = {
    "a tenth of it": 0.1 * fastest,
    "fastest": fastest,
    "largest stable": 0.999 * largest_stable,
    "auto": "auto",
}
models = {
    name: GradientDescentRegressor(epsilon=epsilon, max_iter=STEPS, tol=0).fit(X, y)
    for name, epsilon in models.items()
}
for name in ("fastest", "a tenth of it", "largest stable"):
    gap = models[name].loss_curve_[-20:] - optimum
    np.testing.assert_allclose(
        gap[1:] / gap[:-1], factor(models[name].epsilon), rtol=0.05
    )
assert models["auto"].loss_curve_[1] - optimum < 1e-12

# %%
# Several displays share one axes: the first one's is passed on to the others.

figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
baseline = optimum - rounding
for name, model in models.items():
    LossCurveDisplay.from_estimator(model, name=name, baseline=baseline, ax=axes)
axes.set_ylabel("objective less its optimum")
plt.show()
