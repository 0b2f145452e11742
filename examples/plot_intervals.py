r"""
Targets that are intervals: incomes in brackets
===============================================

A survey asks in which bracket an income lies; what is known of a target is two bounds,
the upper of which is infinite for the last bracket. The bounds are row data, and the
likelihood of an interval is a loss of one line. The claims, asserted below on simulated
incomes:

- coefficients and scale are those of the likelihood's direct optimum, by SciPy;
- the coefficients are within 0.02 of those that the incomes were made with, while those
  of least squares on the middles of the brackets depend on where the open one is taken
  to end: they grow by a third.
"""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from autograd import grad
from scipy.optimize import minimize, minimize_scalar

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor

# %%
# Brackets
# --------
#
# Logarithms of incomes, in thousands, with errors of a logistic distribution.

rng = np.random.default_rng(3)
N_ANSWERS = 2_000
TRUE_INTERCEPT, TRUE_COEF, TRUE_SCALE = 3.3, np.array([0.5, 0.25]), 0.3
X = np.column_stack([rng.standard_normal(N_ANSWERS), rng.integers(0, 2, N_ANSWERS)])
log_income = TRUE_INTERCEPT + X @ TRUE_COEF
log_income = log_income + TRUE_SCALE * rng.logistic(size=N_ANSWERS)

edges = np.log([1e-300, 15, 30, 45, 60])
edges[0] = -np.inf
bounds = np.append(edges, np.inf)
bracket = np.searchsorted(bounds, log_income) - 1
known = {"low": bounds[bracket], "high": bounds[bracket + 1]}
counts = np.bincount(bracket)
print("answers by bracket:", *counts)

# %%
# The loss
# --------
#
# The distribution function is (1 + tanh(t / 2)) / 2, which is 0 and 1, with a slope of
# zero, at infinite bounds. The target is not looked at: the bounds say it all. It is
# what `tol` is measured by, so that the middles of the brackets serve.


@dataclass(frozen=True)
class Interval:
    """Minus the log probability of an interval, with logistic errors."""

    scale: float

    def __call__(self, y_true, y_pred, *, low, high):
        above = adnp.tanh((high - y_pred) / (2 * self.scale))
        below = adnp.tanh((low - y_pred) / (2 * self.scale))
        return -adnp.log((above - below) / 2) + 0.0 * y_true


def middles(last):
    """Middle of each bracket, where the open ones are taken to be somewhere."""
    inner = (edges[1:-1] + edges[2:]) / 2
    return np.concatenate([[np.log(10)], inner, [np.log(last)]])[bracket]


def fitted(log_scale):
    """Fit at a scale."""
    model = GradientDescentRegressor(Interval(float(np.exp(log_scale))), tol=1e-8)
    return model.fit(X, middles(75), row_data=known)


best = minimize_scalar(
    lambda log_scale: fitted(log_scale).loss_curve_[-1],
    bounds=(-3.0, 1.0),
    options={"xatol": 1e-6},
)
model = fitted(best.x)

# %%
# The direct optimum
# ------------------
#
# SciPy minimises the same likelihood by all parameters at once, the scale among them: a
# derivative by it needs bounds that are finite, though very far.

far = {name: np.clip(bound, -50, 50) for name, bound in known.items()}


def likelihood(theta):
    """Minus the log likelihood by intercept, coefficients and log scale."""
    linear = theta[0] + X @ theta[1:3]
    return Interval(adnp.exp(theta[3]))(0.0, linear, **far).sum()


start, options = np.array([3.0, 0.0, 0.0, -1.0]), {"gtol": 1e-4}
with np.errstate(all="ignore"):  # a step may be too long
    direct = minimize(likelihood, start, jac=grad(likelihood), options=options).x
found = np.array([model.intercept_, *model.coef_, best.x])
np.testing.assert_allclose(found, direct, atol=1e-5)

truth = np.array([*TRUE_COEF])
assert abs(model.coef_ - truth).max() < 0.02
lasts = np.linspace(65, 150, 18)
guesses = [GradientDescentRegressor().fit(X, middles(last)).coef_ for last in lasts]
assert (guesses[-1] > 1.3 * guesses[0]).all()
for number in (0, -1):
    found = guesses[number].round(3)
    print(f"least squares, last bracket at {lasts[number]:3.0f}: {found}")
print(f"likelihood of the intervals:       {model.coef_.round(3)}, true {truth}")

# %%
# The picture
# -----------
#
# What the first coefficient comes to, by where incomes in the open bracket are taken to
# be: the likelihood of the intervals does not ask.

BLUE, ORANGE = "#0072B2", "#D55E00"
coefs = [guess[0] for guess in guesses]
figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
axes.axhline(truth[0], color="0.2", linewidth=4, alpha=0.3)
axes.axhline(model.coef_[0], color=BLUE, linewidth=2)
axes.plot(lasts, coefs, "o--", color=ORANGE, markersize=4)
axes.text(150, truth[0] + 0.006, "true", ha="right", color="0.35")
axes.text(66, model.coef_[0] - 0.014, "intervals", color=BLUE)
axes.text(112, 0.46, "least squares on middles", color=ORANGE)
axes.set(xlabel="income that the last bracket is taken to be", ylabel="coefficient")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
