r"""
Sine and cosine solve a differential equation
=============================================

Sine and cosine satisfy :math:`y'' = -y`, and with automatic differentiation the
residual of this equation is below 1e-14 at all of 1,000 points. A function that only
looks like the cosine leaves a residual above 0.05. This is exercise 2 of Colin Carroll,
"Exercises in automatic differentiation using autograd and jax", 2019.
"""

import matplotlib.pyplot as plt
import numpy as np

import sklearn_adreg.numpy as adnp
from sklearn_adreg import OdeDisplay
from sklearn_adreg.derivatives import ode_residual

x = np.linspace(-2 * np.pi, 2 * np.pi, 1000)


def equation(_x, y):
    """The residual, zero for a solution; ``y[k]`` is the derivative of order k."""
    return y[2] + y[0]


def bumps(x):
    """A sum of Gaussians that looks like a cosine: one for each crest and trough."""
    width = 2 * 0.8**2
    centres = np.pi * np.arange(-4, 5)
    crests = [
        (-1) ** k * adnp.exp(-((x - centre) ** 2) / width)
        for k, centre in enumerate(centres)
    ]
    return sum(crests)


# %%
# The residuals of sine and cosine, with both backends.

for backend in "autograd", "jax":
    for func in np.sin, np.cos:
        residual = ode_residual(equation, func, x, order=2, backend=backend)
        assert np.abs(residual).max() < 1e-14
        print(f"{backend:>8}, {func.__name__}: {np.abs(residual).max():.1e}")

assert np.abs(ode_residual(equation, bumps, x, order=2)).max() > 0.05

# %%
# Each panel draws :math:`f` and :math:`-f''`. They coincide for sine and cosine, which
# are solutions, and differ for the sum of Gaussians, which is not.

fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained", sharey=True)
for ax, func, name in zip(
    axes, (np.sin, np.cos, bumps), ("sine", "cosine", "Gaussians"), strict=True
):
    OdeDisplay.from_function(
        func, lambda _x, y: -y[2], x, order=2, right_label="$-f''$", ax=ax
    )
    residual = np.abs(ode_residual(equation, func, x, order=2)).max()
    ax.set_title(f"{name}: residual at most {residual:.1g}")
