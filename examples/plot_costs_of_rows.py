r"""
What each row costs: prices in a loss
=====================================

What a missing unit loses, and what a unit left over costs, differs from article to
article. No sample weight says that, and no quantile: the two prices are row data of a
loss that is one line. The claims, asserted below for articles that were not fitted:

- the orders are those of an exact linear programme, by HiGHS, at the same cost;
- they cost less than orders by the mean prices, and less than those by least squares,
  also where these know the prices as columns.
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
# Demand is simulated: it grows with a season and falls with the price, and is as hard
# to foresee as it is large. A few hundred articles are fitted, the others are kept.

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
# One line
# --------
#
# Arguments after the star are row data: arrays with an entry for each row of ``X``.
# They come by their names, here as the columns of a data frame.


def cost(demand, order, *, short, left):
    """What an article costs, by its own prices."""
    return adnp.maximum(short * (demand - order), left * (order - demand))


model = GradientDescentRegressor(cost)
model.fit(X[fitted], demand[fitted], row_data=prices[fitted])

# %%
# The same orders as a linear programme: units missing and left over are variables, and
# the prices are what they cost.

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
# What it saves
# -------------
#
# Others are fitted to the same columns: by what a unit costs on average, and by least
# squares. ``score`` is one less the cost over that of the best order that is the same
# for all articles.

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
print(f"{spared:.0%} less than the best order that is the same for all")

# %%
# The picture
# -----------
#
# The more of the two prices a missing unit has, the more is ordered beyond the mean: a
# margin for each article, and not one for all.

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
left.set(xlabel="price of a missing unit, of both", ylabel="ordered beyond the mean")
left.legend(frameon=False, markerscale=4)
right.barh([*costs], [*costs.values()], color=[BLUE, ORANGE, GREY], height=0.6)
right.bar_label(right.containers[0], fmt="%.1f", padding=4)
right.invert_yaxis()
right.set(xticks=(), title="cost of an article")
right.tick_params(length=0)
left.spines[["top", "right"]].set_visible(False)
right.spines[:].set_visible(False)
plt.show()
