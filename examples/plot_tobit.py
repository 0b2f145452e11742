r"""
Tobit regression: censoring limits of each row
==============================================

The Tobit model is the likelihood of censored data: of a reading at the detection limit
of an instrument, or at its largest value, it is only known that the true value is
beyond. Each instrument has limits of its own, which are passed to the loss as
additional data of each row (``row_data``). The claims, asserted below on simulated
readings:

- coefficients and scale are the maximum likelihood estimates that SciPy finds, to 1e-5;
- they are within three standard errors of the true ones, while those of least squares
  on the readings are more than eight standard errors away.
"""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from autograd import grad
from autograd.scipy.stats import norm
from scipy.optimize import minimize, minimize_scalar

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor

# %%
# Three instruments
# -----------------
#
# A concentration depends on the temperature and on the distance from a source. The
# first instrument reads everything; the second nothing below 3; the third from 1 to 6.

rng = np.random.default_rng(0)
N_READINGS = 2_000
TRUE_INTERCEPT, TRUE_COEF, TRUE_SCALE = 2.0, np.array([1.5, -1.0]), 1.5
X = rng.standard_normal((N_READINGS, 2))
concentration = TRUE_INTERCEPT + X @ TRUE_COEF
concentration = concentration + TRUE_SCALE * rng.standard_normal(N_READINGS)

instrument = rng.integers(0, 3, N_READINGS)
limits = {
    "lower": np.array([-np.inf, 3.0, 1.0])[instrument],
    "upper": np.array([np.inf, np.inf, 6.0])[instrument],
}
reading = np.clip(concentration, limits["lower"], limits["upper"])
censored = reading != concentration
print(f"{censored.mean():.0%} of {N_READINGS:,} readings are at a limit")

# %%
# The loss
# --------
#
# Keyword-only arguments of a loss are row data. An instrument without a limit has an
# infinite one, which no reading reaches. Both branches of ``where`` are differentiated,
# so infinite limits are replaced by zero first, to keep the derivatives finite. The
# logarithm of the normal distribution function comes from autograd here; JAX has one
# too.


@dataclass(frozen=True)
class Tobit:
    """Minus the log likelihood of normal errors, censored at the limits of a row."""

    scale: float

    def __call__(self, y_true, y_pred, *, lower, upper):
        below, above = y_true <= lower, y_true >= upper
        lower, upper = adnp.where(below, lower, 0.0), adnp.where(above, upper, 0.0)
        seen = norm.logpdf(y_true, y_pred, self.scale)
        at_lower = norm.logcdf((lower - y_pred) / self.scale)
        at_upper = norm.logcdf((y_pred - upper) / self.scale)
        return -adnp.where(below, at_lower, adnp.where(above, at_upper, seen))


# %%
# The scale of the errors is a parameter of the likelihood as well. The coefficients are
# fitted at a given scale, and a scalar minimiser finds the scale of the best fit
# (profile likelihood).


def fitted(log_scale):
    """Fit at a scale."""
    model = GradientDescentRegressor(Tobit(float(np.exp(log_scale))), tol=1e-8)
    return model.fit(X, reading, row_data=limits)


best = minimize_scalar(
    lambda log_scale: fitted(log_scale).loss_curve_[-1],
    bounds=(-1.0, 2.0),
    options={"xatol": 1e-6},
)
model = fitted(best.x)
by_squares = GradientDescentRegressor().fit(X, reading)

# %%
# The maximum likelihood estimate by SciPy
# ----------------------------------------
#
# SciPy minimises the same loss over all parameters at once. The inverse of the Hessian
# at the minimum gives the standard errors.


def likelihood(theta):
    """Minus the log likelihood by intercept, coefficients and log scale."""
    linear = theta[0] + X @ theta[1:3]
    return Tobit(adnp.exp(theta[3]))(reading, linear, **limits).sum()


slope = grad(likelihood)
direct = minimize(likelihood, np.zeros(4), jac=slope, options={"gtol": 1e-4}).x
found = np.array([model.intercept_, *model.coef_, best.x])
np.testing.assert_allclose(found, direct, atol=1e-5)

step = 1e-5 * np.eye(4)
hessian = np.stack([slope(direct + row) - slope(direct - row) for row in step]) / 2e-5
errors = np.sqrt(np.diag(np.linalg.inv(hessian)))
truth = np.array([TRUE_INTERCEPT, *TRUE_COEF, np.log(TRUE_SCALE)])
assert (abs(found - truth) < 3 * errors).all()

squares = np.array([by_squares.intercept_, *by_squares.coef_])
assert (abs(squares - truth[:3]) > 8 * errors[:3]).all()
print(f"{'':<14}{'intercept':>10}{'temperature':>13}{'distance':>10}")
for name, row in (("true", truth), ("Tobit", found), ("least squares", squares)):
    print(f"{name:<14}{row[0]:10.2f}{row[1]:13.2f}{row[2]:10.2f}")

# %%
# The picture
# -----------
#
# The readings against the temperature, those at a limit in colour, and the fitted lines
# at the mean of the other column.

BLUE, ORANGE = "#0072B2", "#D55E00"
figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
axes.plot(X[~censored, 0], reading[~censored], ".", color="0.8", markersize=3)
axes.plot(X[censored, 0], reading[censored], ".", color="#E8A57C", markersize=3)
at = np.linspace(-3, 3, 2)
for name, (level, coef), style in (
    ("true", (truth[0], truth[1]), {"color": "0.2", "linewidth": 4, "alpha": 0.4}),
    ("Tobit", (found[0], found[1]), {"color": BLUE, "linewidth": 2}),
    ("least squares", (squares[0], squares[1]), {"color": ORANGE, "linestyle": "--"}),
):
    axes.plot(at, level + coef * at, label=name, **style)
axes.set(xlim=(-3, 3), ylim=(-5, 10), xlabel="temperature", ylabel="reading")
axes.legend(frameon=False, loc="upper left")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
