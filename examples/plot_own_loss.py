r"""
A loss of your own: what a stock-out costs
==========================================

A custom loss is a function of the targets and the predictions. Here it is the cost of
a shop, which loses four times as much by ordering a unit too few as by ordering one too
many. The claims, asserted below:

- on days that were not fitted, orders by that loss cost less than those by least
  squares, and less than those by least squares with the best constant safety margin;
- with a second loss, quadratic in the units missing, the orders that are fitted to it
  are again the cheapest of all by that cost;
- both backends give the same coefficients. The first loss is that of a quantile, and on
  the fitted days its orders cost as much as those by `QuantileRegressor`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression, QuantileRegressor

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor

# %%
# Days in a shop
# --------------
#
# The mean and the spread of the demand rise with the temperature, at weekends and with
# a promotion. The days are simulated: 500 are fitted, 5,000 are held out for testing.

rng = np.random.default_rng(2)
N_FITTED, N_KEPT = 500, 5_000
n_days = N_FITTED + N_KEPT
temperature = rng.uniform(5, 30, n_days)
weekend = (np.arange(n_days) % 7 >= 5).astype(float)
promotion = (rng.random(n_days) < 0.2).astype(float)
mean = 40 + 1.5 * (temperature - 5) + 15 * weekend + 40 * promotion
spread = 4 + 0.3 * (temperature - 5) + 4 * weekend + 20 * promotion
surprise = (rng.gamma(4.0, size=n_days) - 4) / 2  # skewed, of mean 0 and spread 1

X = np.column_stack([temperature, weekend, promotion])
demand = mean + spread * surprise
X_fitted, X_kept = np.split(X, [N_FITTED])
y_fitted, y_kept = np.split(demand, [N_FITTED])

# %%
# Two losses
# ----------
#
# A loss takes the demands (``y_true``) and the orders (``y_pred``), and returns the
# cost of each day. Written with `sklearn_adreg.numpy`, it can be differentiated by both
# backends. It may have kinks, points where its derivative jumps, as ``maximum`` has;
# they need not be declared.


def linear_cost(demand, order):
    """Four for each unit that is missing, one for each that is left."""
    return adnp.maximum(4 * (demand - order), order - demand)


def square_cost(demand, order):
    """One for each unit left, a tenth of the square of the units missing."""
    missing = adnp.maximum(demand - order, 0)
    return adnp.maximum(order - demand, 0) + 0.1 * missing**2


def fit(loss, backend="autograd"):
    """An estimator that minimises the mean of the loss."""
    return GradientDescentRegressor(loss, backend=backend).fit(X_fitted, y_fitted)


# %%
# Least squares orders the mean demand, and does not weigh missing units more than those
# left. The usual remedy is a safety margin, the same for all days: here it is the one
# that would have cost least on the days that were fitted.

by_squares = LinearRegression().fit(X_fitted, y_fitted)


def best_margin(loss):
    """What to add to the orders by least squares."""
    order = by_squares.predict(X_fitted)
    margins = np.linspace(0, 60, 601)
    costs = [loss(y_fitted, order + margin).mean() for margin in margins]
    return margins[np.argmin(costs)]


models = {loss: fit(loss) for loss in (linear_cost, square_cost)}
mean_order = by_squares.predict(X_kept)

# %%
# Costs on held-out days
# ----------------------


def orders(loss):
    """Orders for the held-out days, with the margin that is the best for a loss."""
    return {
        "least squares": mean_order,
        "least squares + margin": mean_order + best_margin(loss),
        "linear_cost": models[linear_cost].predict(X_kept),
        "square_cost": models[square_cost].predict(X_kept),
    }


costs = {
    loss.__name__: {
        name: loss(y_kept, order).mean() for name, order in orders(loss).items()
    }
    for loss in models
}
print(f"{'orders by':<24}", *(f"{name:>12}" for name in costs))
for name in orders(linear_cost):
    print(f"{name:<24}", *(f"{column[name]:12.2f}" for column in costs.values()))

for own, column in costs.items():
    others = [cost for name, cost in column.items() if name != own]
    assert column[own] < 0.95 * min(others), own

# %%
# With costs of four and one the first loss is minimised by the quantile 4 / 5. The
# exact solution by scikit-learn's `QuantileRegressor`, a linear programme, has the same
# cost on the days that were fitted.

for loss, model in models.items():
    with_jax = fit(loss, backend="jax")
    np.testing.assert_allclose(with_jax.coef_, model.coef_, rtol=1e-4)

exact = QuantileRegressor(quantile=4 / 5, alpha=0).fit(X_fitted, y_fitted)
least = linear_cost(y_fitted, exact.predict(X_fitted)).mean()
found = linear_cost(y_fitted, models[linear_cost].predict(X_fitted)).mean()
np.testing.assert_allclose(found, least, rtol=1e-6)

# %%
# Where the saving comes from
# ---------------------------
#
# Orders by the custom loss have a safety margin of their own for every day: narrow on a
# cold weekday, wide on a hot day with a promotion, when the demand varies more. The
# bars are the mean linear cost of a held-out day, divided into the costs of units
# missing and units left.

BLUE, ORANGE, PALE = "#0072B2", "#D55E00", "#F0B27A"


def draw_orders(axes):
    """Some weekdays' demand, and orders for them, with and without a promotion."""
    at = np.linspace(5, 30, 50)
    for promoted, label in (0, "no promotion"), (1, "promotion"):
        shown = np.flatnonzero((X_kept[:, 1] == 0) & (X_kept[:, 2] == promoted))[:400]
        points = X_kept[shown, 0], y_kept[shown]
        axes.plot(*points, ".", color="#7CC9B0" if promoted else "0.8", markersize=3.5)
        day = np.column_stack([at, 0 * at, 0 * at + promoted])
        axes.plot(at, by_squares.predict(day), "--", color="0.25", linewidth=1.5)
        order = models[linear_cost].predict(day)
        axes.plot(at, order, color=BLUE, linewidth=2.2)
        axes.annotate(
            label,
            (30, order[-1]),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color="#00795A" if promoted else "0.4",
        )
    axes.text(5.4, 196, "linear_cost", color=BLUE)
    axes.text(5.4, 182, "least squares, dashed", color="0.25")
    axes.set(xlim=(5, 30), ylim=(0, 210), xlabel="temperature, °C")
    axes.set_ylabel("units on a weekday")


def draw_costs(axes):
    """A bar for each way to order, in the parts that it is made of."""
    for place, (name, order) in enumerate(orders(linear_cost).items()):
        missing = 4 * np.maximum(y_kept - order, 0).mean()
        left = np.maximum(order - y_kept, 0).mean()
        axes.barh(place, missing, height=0.6, color=ORANGE)
        axes.barh(place, left, left=missing, height=0.6, color=PALE)
        axes.text(0, place - 0.33, name, va="bottom")
        axes.text(missing + left + 0.4, place, f"{missing + left:.1f}", va="center")
        if place == 0:
            axes.text(0.4, 0, "units missing", color="white", va="center")
        if place == 1:
            axes.text(missing + 0.4, 1, "units left", va="center")
    axes.set(ylim=(3.6, -0.7), yticks=(), xticks=(), title="mean linear cost of a day")


figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4.2), layout="constrained", width_ratios=(3, 2)
)
draw_orders(left)
draw_costs(right)
left.spines[["top", "right"]].set_visible(False)
right.spines[:].set_visible(False)
plt.show()
