r"""
Counts, with the Poisson deviance
=================================

Counts are not negative, their spread grows with their mean, and what matters tends to
multiply. The Poisson deviance with its logarithmic link says so, and it is a loss like
any other. The claims, asserted below, for derivatives by autograd and by JAX:

- coefficients are those of `PoissonRegressor` at half the ``alpha``, to six decimals;
- on average, what is predicted is what was counted;
- counts of groups, with the number of their persons as the exposure, have the
  coefficients of the counts of single persons;
- where few visits are to be expected, it predicts them better than least squares.
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
# more or less of what they spent, and counted how often they saw a doctor: 20,190
# years of one person each. The columns of amounts are logarithms; others say yes or no.

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
# Without a penalty, the gradient by the intercept is the difference of the two means.

model = GradientDescentRegressor("poisson_deviance").fit(X, y)
predicted = model.predict(X)
np.testing.assert_allclose(predicted.mean(), y.mean(), rtol=1e-6)
print(f"predictions from {predicted.min():.2f} to {predicted.max():.2f} visits")

# %%
# Exposure
# --------
#
# A count has an exposure: the years, the persons or the kilometres that it was counted
# in, to which it is proportional. The logarithm of the exposure is the ``offset``,
# which is added to the linear predictor. Here the years of persons who are alike, by
# five columns, are added up: what is left is a table of their visits and of their
# number, and the rates that it tells are those of single years.

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
# With the offset ``predict`` tells the visits of a group, and without one those of an
# exposure of one: the rate.

visits = by_group.predict(table[alike], offset=offset)
np.testing.assert_allclose(visits / table["size"], by_group.predict(table[alike]))

# %%
# What is predicted, and what was counted
# ---------------------------------------
#
# People are sorted by their prediction into twenty groups of one size, and the mean
# count of each group is held against its mean prediction.

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
# On the left, groups on the line are predicted right. On the right, what a yes, or a
# standard deviation more of an amount, does to the number of visits: an effect of the
# exponential of the coefficient, whatever the other columns say. Who is ill sees a
# doctor more often, and who pays for it does so less often.

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
    axes.set(
        xlim=limits, ylim=limits, xlabel="predicted visits", ylabel="counted visits"
    )
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
    axes.set(xlim=(-38, 46), xticks=(), title="change of the number of visits")
    axes.tick_params(length=0)


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
draw_groups(left)
draw_effects(right)
left.spines[["top", "right"]].set_visible(False)
right.spines[:].set_visible(False)
plt.show()
