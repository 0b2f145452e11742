r"""
Poisson regression: counts and exposure
=======================================

``loss="poisson_deviance"`` is Poisson regression with a logarithmic link: counts are
not negative, their variance grows with their mean, and effects multiply. The claims,
asserted below:

- for derivatives by autograd and by JAX, coefficients are those of scikit-learn's
  `PoissonRegressor` at half the ``alpha``, to 1e-5;
- the mean of the predictions is the mean of the counts;
- counts that are summed over groups, with the size of the group as the exposure, have
  the coefficients of the single counts;
- among the rows with the lowest predictions, it is better calibrated than least
  squares.
"""

import matplotlib.pyplot as plt
import numpy as np
import statsmodels.api as sm
from sklearn.linear_model import PoissonRegressor

from sklearn_adreg import GradientDescentRegressor

# %%
# Visits to a doctor
# ------------------
#
# The RAND health insurance experiment gave its participants insurances that paid for
# more or less of what they spent, and counted how often they saw a doctor. Each of the
# 20,190 rows is a year of one person. The columns of amounts are logarithms; those that
# are yes or no are 1 or 0.

data = sm.datasets.randhie.load_pandas().data
X = data.drop(columns="mdvis").to_numpy()
y = data["mdvis"].to_numpy()
print(f"{len(y):,} counts from 0 to {y.max():.0f}, mean {y.mean():.2f}")

# %%
# The same coefficients
# ---------------------
#
# `PoissonRegressor` minimises half the mean deviance plus half of ``alpha`` times the
# squares of the coefficients. Here it is the whole of the deviance, and so the same
# solution takes twice the ``alpha``.

for alpha in 0.0, 0.01, 1.0:
    expected = PoissonRegressor(alpha=alpha, solver="newton-cholesky", tol=1e-10)
    expected.fit(X, y)
    for backend in "autograd", "jax":
        found = GradientDescentRegressor(
            "poisson_deviance", alpha=2 * alpha, backend=backend
        ).fit(X, y)
        # The linear predictors are within 1e-6; the columns are of unequal spread.
        np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-5)
        np.testing.assert_allclose(found.predict(X), expected.predict(X), rtol=1e-5)

# %%
# Without a penalty, the derivative of the objective by the intercept is proportional to
# the difference of the mean prediction and the mean count. At the optimum it is zero.

model = GradientDescentRegressor("poisson_deviance").fit(X, y)
predicted = model.predict(X)
np.testing.assert_allclose(predicted.mean(), y.mean(), rtol=1e-6)
print(f"predictions from {predicted.min():.2f} to {predicted.max():.2f} visits")

# %%
# Exposure
# --------
#
# The mean of a count is proportional to its exposure: the years, the persons or the
# kilometres that it was counted in. The logarithm of the exposure is the ``offset``,
# which is added to the linear predictor. Here the rows that have the same values in
# five columns are added up to groups. The table of visits and numbers of rows of each
# group gives the same coefficients as the single rows.

alike = ["lncoins", "idp", "hlthg", "hlthf", "hlthp"]
table = data.groupby(alike)["mdvis"].agg(["sum", "size"]).reset_index()
offset = np.log(table["size"])
by_group = GradientDescentRegressor("poisson_deviance", tol=1e-10)
by_group.fit(table[alike], table["sum"], offset=offset)
by_year = GradientDescentRegressor("poisson_deviance", tol=1e-10).fit(data[alike], y)
np.testing.assert_allclose(by_group.coef_, by_year.coef_, atol=1e-8)

glm = sm.GLM(
    table["sum"],
    sm.add_constant(table[alike]),
    family=sm.families.Poisson(),
    exposure=table["size"],
)
np.testing.assert_allclose(by_group.coef_, glm.fit(tol=1e-13).params[1:], atol=1e-8)
print(f"{len(table)} groups in place of {len(y):,} years")

# %%
# With the offset ``predict`` returns the expected visits of a group, and without it the
# rate, which is the expected visits at an exposure of one.

visits = by_group.predict(table[alike], offset=offset)
np.testing.assert_allclose(visits / table["size"], by_group.predict(table[alike]))

# %%
# Calibration
# -----------
#
# The rows are sorted by their prediction into twenty groups of equal size, and the mean
# count of each group is compared with its mean prediction.

by_squares = GradientDescentRegressor().fit(X, y).predict(X)


def grouped(predicted):
    """Mean prediction and mean count of each group."""
    groups = np.array_split(np.argsort(predicted, kind="stable"), 20)
    return np.array([(predicted[group].mean(), y[group].mean()) for group in groups])


by_deviance, by_square = grouped(predicted), grouped(by_squares)
lowest_deviance, lowest_square = (
    groups[0, 0] / groups[0, 1] for groups in (by_deviance, by_square)
)
print(f"prediction / count in the lowest group: {lowest_deviance:.2f} by the deviance")
print(f"{'':<40}{lowest_square:.2f} by least squares")
assert abs(np.log(lowest_deviance)) < 0.7 * abs(np.log(lowest_square))

# %%
# The picture
# -----------
#
# On the left, groups on the line are predicted without bias. On the right is the change
# of the expected number of visits by a yes, or by a standard deviation more of an
# amount, from the exponential of the coefficient, with the other columns held fixed.

LABELS = {
    "lncoins": "share paid oneself",
    "idp": "a deductible: yes",
    "lpi": "incentive to take part",
    "fmde": "most paid oneself",
    "physlm": "physical limitation: yes",
    "disea": "chronic diseases",
    "hlthg": "health good: yes",
    "hlthf": "health fair: yes",
    "hlthp": "health poor: yes",
}
BLUE, ORANGE = "#0072B2", "#D55E00"


def draw_groups(axes):
    """Counts against predictions, on logarithmic axes."""
    limits = (0.8, 8)
    axes.plot(limits, limits, color="0.7", linewidth=1)
    axes.loglog(*by_square.T, "s", color=ORANGE, markerfacecolor="none", markersize=6)
    axes.loglog(*by_deviance.T, "o", color=BLUE, markersize=6)
    axes.text(2.3, 1.5, "Poisson deviance", color=BLUE)
    axes.text(0.87, 2.1, "least squares", color="#A84A00")
    axes.set(xlim=limits, ylim=limits, xlabel="mean prediction", ylabel="mean count")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(plt.FixedLocator([1, 2, 4, 8]))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(plt.NullLocator())
    axes.set_aspect("equal")


def draw_effects(axes):
    """Change of the number of visits, in percent, in the order of its size."""
    is_amount = X.max(axis=0) > 1
    steps = np.where(is_amount, X.std(axis=0), 1.0)
    change = 100 * np.expm1(model.coef_ * steps)
    order = np.argsort(change)
    names = [LABELS[data.columns[1 + column]] for column in order]
    axes.barh(names, change[order], color=BLUE, height=0.65)
    axes.bar_label(axes.containers[0], fmt="%+.0f %%", padding=4)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlim=(-38, 46), xticks=(), title="change of the expected visits")
    axes.tick_params(length=0)


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
draw_groups(left)
draw_effects(right)
left.spines[["top", "right"]].set_visible(False)
right.spines[:].set_visible(False)
plt.show()
