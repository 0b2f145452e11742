r"""
Interval-censored targets: incomes in brackets
==============================================

A survey asks in which bracket an income lies. Each target is then known by two bounds
only, the upper of which is infinite for the last bracket (interval censoring). The
bounds are passed to the loss as additional data of each row (``row_data``), and the
loss is minus the log-likelihood of the interval. The claims, asserted below on
simulated incomes:

- coefficients and scale are the maximum likelihood estimates that SciPy finds, to 1e-5;
- the coefficients are within 0.02 of the true ones. Those of least squares on the
  midpoints of the brackets depend on the income assumed for the last bracket: between
  65,000 and 150,000 they grow by more than 30 percent.
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
# The incomes are in thousands. Their logarithms are a linear function of the columns
# plus errors of a logistic distribution.

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
# The logistic distribution function is (1 + tanh(t / 2)) / 2. At infinite bounds it is
# 0 and 1, with a derivative of zero. The loss does not use the target, since the bounds
# contain all that is known. The estimator takes the scale of ``tol`` from the target,
# for which the midpoints of the brackets are given.


@dataclass(frozen=True)
class Interval:
    """Minus the log probability of an interval, with logistic errors."""

    scale: float

    def __call__(self, y_true, y_pred, *, low, high):
        above = adnp.tanh((high - y_pred) / (2 * self.scale))
        below = adnp.tanh((low - y_pred) / (2 * self.scale))
        return -adnp.log((above - below) / 2) + 0.0 * y_true


def middles(last):
    """Midpoint of each bracket; an assumed income for the two open ones."""
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
# The maximum likelihood estimate by SciPy
# ----------------------------------------
#
# SciPy minimises the same loss over all parameters at once, including the scale. The
# derivative with respect to the scale needs finite bounds, so infinite ones are
# replaced by -50 and 50.

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
# The first coefficient against the income assumed for the last bracket. The likelihood
# of the intervals does not depend on such an assumption.

BLUE, ORANGE = "#0072B2", "#D55E00"
coefs = [guess[0] for guess in guesses]
figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
axes.axhline(truth[0], color="0.2", linewidth=4, alpha=0.3)
axes.axhline(model.coef_[0], color=BLUE, linewidth=2)
axes.plot(lasts, coefs, "o--", color=ORANGE, markersize=4)
axes.text(150, truth[0] + 0.006, "true", ha="right", color="0.35")
axes.text(66, model.coef_[0] - 0.014, "intervals", color=BLUE)
axes.text(112, 0.46, "least squares on midpoints", color=ORANGE)
axes.set(
    xlabel="income assumed for the last bracket (thousands)",
    ylabel="first coefficient",
)
axes.spines[["top", "right"]].set_visible(False)
plt.show()
