r"""
Quantile regression on Engel's data
===================================

Quantile regression with the pinball loss shows that spending on food varies more among
households with a high income: the lines of the 5, 25, 50, 75 and 95 percent quantiles
fan out. The data are Engel's, 235 working-class households in Belgium, a standard
example of quantile regression. The claims, asserted below:

- for derivatives by autograd and by JAX, each line has a mean pinball loss within a
  relative 1e-6 of that of the exact solution, a linear programme;
- the slopes are those in the documentation of statsmodels, 0.5602 for the median;
- leaving out two of the 235 households moves the slope of least squares more than three
  times as far as that of the median.
"""

import matplotlib.pyplot as plt
import numpy as np
import statsmodels.api as sm
from sklearn.linear_model import LinearRegression, QuantileRegressor

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Pinball

# %%
# Engel's data
# ------------
#
# Income and expenditure on food, in Belgian francs a year, published in 1857.

data = sm.datasets.engel.load_pandas().data
X, y = data[["income"]].to_numpy(), data["foodexp"].to_numpy()

# %%
# One line for each quantile
# --------------------------
#
# The pinball loss charges q for each franc above the line, and 1 - q for each below.


def fitted_line(quantile, backend="autograd"):
    """Slope and intercept of a conditional quantile."""
    model = GradientDescentRegressor(Pinball(quantile), backend=backend).fit(X, y)
    return model.coef_[0], model.intercept_


def exact_line(quantile):
    """The same from a linear programme."""
    model = QuantileRegressor(quantile=quantile, alpha=0, solver="highs").fit(X, y)
    return model.coef_[0], model.intercept_


def mean_loss(quantile, line):
    """The objective, at a line."""
    slope, intercept = line
    return Pinball(quantile)(y, slope * X[:, 0] + intercept).mean()


quantiles = np.arange(1, 20) / 20
lines = {quantile: fitted_line(quantile) for quantile in quantiles}

for quantile, line in lines.items():
    exact = exact_line(quantile)
    least = mean_loss(quantile, exact)
    for found in line, fitted_line(quantile, backend="jax"):
        assert mean_loss(quantile, found) < least * (1 + 1e-6)
        np.testing.assert_allclose(found[0], exact[0], rtol=1e-3)

# %%
# The slopes agree with those in the documentation of statsmodels, and the share of
# households below each line with the quantile.

PUBLISHED = {
    0.05: 0.343361,
    0.25: 0.474103,
    0.5: 0.5602,
    0.75: 0.644014,
    0.95: 0.709069,
}

print(f"{'quantile':>8}{'slope':>10}{'published':>11}{'intercept':>11}{'below':>8}")
for quantile, published in PUBLISHED.items():
    slope, intercept = lines[quantile]
    below = np.mean(y < slope * X[:, 0] + intercept)
    print(f"{quantile:8.2f}{slope:10.4f}{published:11.4f}{intercept:11.2f}{below:8.3f}")
    np.testing.assert_allclose(slope, published, rtol=1e-4)
    assert abs(below - quantile) < 2 / len(y)  # the line goes through two households

# %%
# Two households with high incomes that spend little on food change the slope of least
# squares. To the median it matters only that they are below the line, not how far.

mean_line = LinearRegression().fit(X, y)
odd = (X[:, 0] > 2_500) & (y < 0.4 * X[:, 0])
assert odd.sum() == 2

without = X[~odd], y[~odd]
median = GradientDescentRegressor("absolute_error").fit(*without)
moved_median = median.coef_[0] - lines[0.5][0]
moved_mean = LinearRegression().fit(*without).coef_[0] - mean_line.coef_[0]
print(f"without two households, median {moved_median:+.3f}, mean {moved_mean:+.3f}")
assert moved_mean > 3 * moved_median > 0

# %%
# The fan
# -------
#
# On the left are the quantiles, with the line of least squares dashed. On the right is
# the slope of each quantile and that of least squares: the slope at the 95 percent
# quantile is about twice that at the 5 percent quantile, which the single slope of
# least squares does not show. One household, with an income of 4,958 francs, is outside
# the picture.

BLUE, ORANGE = "#0072B2", "#D55E00"


def draw_fan(axes):
    """Households, the lines, and the share of households below each."""
    axes.plot(X[:, 0], y, "o", color="0.72", markersize=4, markeredgewidth=0)
    ends = np.array([300.0, 3_000.0])
    for quantile in PUBLISHED:
        slope, intercept = lines[quantile]
        thick = 2.6 if quantile == 0.5 else 1.5
        axes.plot(ends, slope * ends + intercept, color=BLUE, linewidth=thick)
        axes.annotate(
            f"{100 * quantile:.0f} %",
            (ends[1], slope * ends[1] + intercept),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=BLUE,
        )
    dashed = mean_line.predict(ends[:, None])
    axes.plot(ends, dashed, "--", color=ORANGE, linewidth=1.8)
    axes.set(xlim=(300, 3_000), ylim=(150, 2_250), xlabel="income, francs a year")
    axes.set_ylabel("expenditure on food, francs a year")


def draw_slopes(axes):
    """The slope of each quantile."""
    slopes = [slope for slope, _ in lines.values()]
    axes.plot(quantiles, slopes, "o-", color=BLUE, markersize=4, linewidth=2)
    axes.axhline(mean_line.coef_[0], linestyle="--", color=ORANGE, linewidth=1.8)
    label = {"color": "#A84A00", "ha": "right", "va": "bottom"}
    axes.text(0.98, mean_line.coef_[0] + 0.004, "least squares", **label)
    axes.set(xlim=(0, 1), xlabel="quantile", ylabel="slope, francs per franc of income")


figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4.4), layout="constrained", width_ratios=(3, 2)
)
draw_fan(left)
draw_slopes(right)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()
