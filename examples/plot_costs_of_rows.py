r"""
A loss with costs of its own for each row
=========================================

A missing unit and a unit left over have costs that differ from article to article.
Neither a sample weight nor a single quantile can express that. Here the two costs are
passed to the loss as additional data of each row (``row_data``), and the loss is one
line. The claims, asserted below:

- the cost on the fitted articles is that of the exact solution, a linear programme
  solved by SciPy;
- on articles that were not fitted, orders by this loss cost less than orders by the
  mean costs, and less than orders by least squares. All three know each article's
  costs by a column, the share of the cost of a missing unit in the sum of both.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.optimize import linprog
from sklearn.linear_model import LinearRegression

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor

# %%
# Articles
# --------
#
# Demand is simulated: it grows with the season, falls with the price, and spreads more
# widely in season. 400 articles are fitted, and 4,000 are held out for testing.

rng = np.random.default_rng(1)
N_FITTED, N_KEPT = 400, 4_000
n_articles = N_FITTED + N_KEPT
season, price = rng.uniform(0, 1, n_articles), rng.uniform(1, 3, n_articles)
demand = 40 + 30 * season - 8 * price
demand += (6 + 4 * season) * (rng.gamma(4.0, size=n_articles) - 4)
prices = pd.DataFrame(
    {
        "short": price * rng.uniform(0.2, 4.0, n_articles),  # lost with a customer
        "left": price * rng.uniform(0.1, 1.0, n_articles),  # lost at clearance
    }
)
share = prices["short"] / (prices["short"] + prices["left"])
X = np.column_stack([season, price, share])
fitted, kept = slice(0, N_FITTED), slice(N_FITTED, None)

# %%
# The loss
# --------
#
# Keyword-only arguments of a loss are row data: arrays with an entry for each row of
# ``X``. ``fit`` takes them by name, here as the columns of a data frame.


def cost(demand, order, *, short, left):
    """Cost of each article, by its own costs of a unit missing or left over."""
    return adnp.maximum(short * (demand - order), left * (order - demand))


model = GradientDescentRegressor(cost)
model.fit(X[fitted], demand[fitted], row_data=prices[fitted])

# %%
# The same problem as a linear programme: the units missing and left over are variables,
# and their costs are the coefficients of the objective.

design = np.column_stack([np.ones(N_FITTED), X[fitted]])
eye = np.eye(N_FITTED)
programme = linprog(
    np.concatenate([np.zeros(4), prices["short"][fitted], prices["left"][fitted]]),
    A_eq=np.hstack([design, eye, -eye]),
    b_eq=demand[fitted],
    bounds=[(None, None)] * 4 + [(0, None)] * (2 * N_FITTED),
)
np.testing.assert_allclose(N_FITTED * model.loss_curve_[-1], programme.fun, rtol=1e-6)

# %%
# Costs on held-out articles
# --------------------------
#
# Two models for comparison are fitted to the same columns: one by the mean costs of a
# unit, one by least squares. ``score`` is 1 minus the ratio of the model's cost to that
# of the best constant order.

mean_short, mean_left = prices[fitted].mean()
by_mean = GradientDescentRegressor(
    lambda demand, order: cost(demand, order, short=mean_short, left=mean_left)
).fit(X[fitted], demand[fitted])
by_squares = LinearRegression().fit(X[fitted], demand[fitted])

models = {"own prices": model, "mean prices": by_mean, "least squares": by_squares}
orders = {name: each.predict(X[kept]) for name, each in models.items()}
costs = {
    name: cost(demand[kept], order, **prices[kept]).mean()
    for name, order in orders.items()
}
for name, value in costs.items():
    print(f"{name:<14}{value:7.2f} an article")
assert costs["own prices"] < 0.95 * costs["mean prices"]
assert costs["own prices"] < 0.75 * costs["least squares"]
spared = model.score(X[kept], demand[kept], row_data=prices[kept])
print(f"{spared:.0%} less than the best constant order")

# %%
# The picture
# -----------
#
# The larger the share of the cost of a missing unit, the more is ordered beyond the
# prediction of least squares: a safety margin for each article, and not one for all.

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "0.6"
figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.8), layout="constrained", width_ratios=(3, 2)
)
beyond = {
    name: orders[name] - orders["least squares"]
    for name in ("own prices", "mean prices")
}
for (name, margin), colour in zip(beyond.items(), (BLUE, ORANGE), strict=True):
    left.plot(share[kept], margin, ".", color=colour, markersize=2.5, label=name)
left.axhline(0, color="0.25", linewidth=1)
left.set(
    xlabel="cost of a missing unit, as a share of both costs",
    ylabel="order minus least squares (units)",
)
left.legend(frameon=False, markerscale=4)
right.barh([*costs], [*costs.values()], color=[BLUE, ORANGE, GREY], height=0.6)
right.bar_label(right.containers[0], fmt="%.1f", padding=4)
right.invert_yaxis()
right.set(xticks=(), title="mean cost of an article")
right.tick_params(length=0)
left.spines[["top", "right"]].set_visible(False)
right.spines[:].set_visible(False)
plt.show()
