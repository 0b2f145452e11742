r"""
Loss curves and the rate of convergence
=======================================

On least squares, gradient descent converges linearly: after enough steps the objective
less its optimum falls by the same factor in each step. Along an eigenvector of the
covariance matrix of X with the eigenvalue :math:`\lambda`, a step shrinks it by the
factor :math:`(1 - 2 \epsilon \lambda)^2`. The claims, asserted below:

- the factor in the end is the largest of these, so that the loss curve becomes a
  straight line on a logarithmic axis;
- the fastest fixed learning rate, for which this largest factor is smallest, is the
  inverse of the sum of the smallest and the largest eigenvalue.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_adreg import GradientDescentRegressor, LossCurveDisplay

# %%
# Data and eigenvalues
# --------------------
#
# The columns have standard deviations from 1 to 0.2.

rng = np.random.default_rng(0)
X = rng.standard_normal((200, 8)) * np.geomspace(1, 0.2, 8)
y = X @ rng.standard_normal(8) + 0.5 * rng.standard_normal(200)

centred = X - X.mean(axis=0)
eigenvalues = np.linalg.eigvalsh(centred.T @ centred / len(X))
largest_stable = 1 / eigenvalues[-1]
fastest = 1 / (eigenvalues[0] + eigenvalues[-1])


def factor(epsilon):
    """The largest factor, by which the objective less its optimum falls in the end."""
    return np.max((1 - 2 * epsilon * eigenvalues) ** 2)


epsilons = np.linspace(0.01, 1, 500) * largest_stable
assert factor(fastest) <= min(map(factor, epsilons))
print(f"fastest {fastest:.3f}, largest stable {largest_stable:.3f}")

# %%
# Three fixed learning rates, and ``"auto"``
# ------------------------------------------
#
# The default, ``epsilon="auto"``, descends in whitened coordinates, in which all
# eigenvalues are equal. It reaches the optimum in the first step.

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
# All curves are drawn on the same axes, which each display is given as ``ax``.

figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
baseline = optimum - rounding
for name, model in models.items():
    LossCurveDisplay.from_estimator(model, name=name, baseline=baseline, ax=axes)
axes.set_ylabel("objective less its optimum")
plt.show()
