r"""
Sine and cosine solve a differential equation
=============================================

Sine and cosine satisfy :math:`y'' = -y`, and automatic differentiation says so to
the last digits: what is left of the equation is below 1e-14 everywhere. A function
that merely looks like the cosine leaves a residual that can be seen. This is
exercise 2 of the note from which the package grew.
"""

import matplotlib.pyplot as plt
import numpy as np

import sklearn_adreg.numpy as adnp
from sklearn_adreg import OdeDisplay
from sklearn_adreg.derivatives import ode_residual

x = np.linspace(-2 * np.pi, 2 * np.pi, 1000)


def equation(_x, y):
    """Say what is zero for a solution; ``y[k]`` is the derivative of order k."""
    return y[2] + y[0]


def bumps(x):
    """Look like a cosine: a Gaussian for each of its crests and troughs."""
    width = 2 * 0.8**2
    centres = np.pi * np.arange(-4, 5)
    crests = [
        (-1) ** k * adnp.exp(-((x - centre) ** 2) / width)
        for k, centre in enumerate(centres)
    ]
    return sum(crests)


# %%
# The claim, for both backends.

for backend in "autograd", "jax":
    for func in np.sin, np.cos:
        residual = ode_residual(equation, func, x, order=2, backend=backend)
        assert np.abs(residual).max() < 1e-14
        print(f"{backend:>8}, {func.__name__}: {np.abs(residual).max():.1e}")

assert np.abs(ode_residual(equation, bumps, x, order=2)).max() > 0.05

# %%
# The function and the other side of the equation on top of each other, as the note
# draws them. On the right, the bumps are no solution: the lines part.

fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained", sharey=True)
for ax, func, name in zip(
    axes, (np.sin, np.cos, bumps), ("sine", "cosine", "bumps"), strict=True
):
    OdeDisplay.from_function(
        func, lambda _x, y: -y[2], x, order=2, right_label="$-f''$", ax=ax
    )
    residual = np.abs(ode_residual(equation, func, x, order=2)).max()
    ax.set_title(f"{name}: at most {residual:.1g} apart")
