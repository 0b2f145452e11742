r"""
Robust regression: outliers, and four losses
============================================

How far an outlier can move a fit is decided by the derivative of the loss, the
influence of a row. The data are telephone calls in Belgium, where for six years another
quantity than the number of calls was recorded. The claims, asserted below:

- with the squared error the influence of a row is unbounded, and the slope is more than
  four times that of the correct years alone;
- with Huber's loss and the absolute error the influence is bounded, and the slope is
  between 1.05 and 2 times that of the correct years;
- with Tukey's biweight loss large outliers have no influence, and the slope is that of
  the correct years to three percent.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import AbsoluteError, Huber, SquaredError, Tukey

# %%
# Telephone calls in Belgium
# --------------------------
#
# The target is the number of calls, in tens of millions, from 1950 to 1973. From 1964
# to 1969 another system recorded the total length of the calls; 1963 and 1970 are
# partly affected. The data are from P. J. Rousseeuw and A. M. Leroy, "Robust Regression
# and Outlier Detection", Wiley, 1987.

year = np.arange(1950, 1974)
calls = np.hstack(
    [
        [0.44, 0.47, 0.47, 0.59, 0.66, 0.73, 0.81, 0.88, 1.06, 1.20, 1.35, 1.49],
        [1.61, 2.12, 11.9, 12.4, 14.2, 15.9, 18.2, 21.2, 4.30, 2.40, 2.70, 2.90],
    ]
)
X = year[:, None].astype(float)
right = (year < 1963) | (year > 1970)

# %%
# The scale of the errors
# -----------------------
#
# The losses of Huber and Tukey reduce the influence of errors beyond a threshold, which
# is given in standard deviations of the errors. That standard deviation is estimated
# with the fit, from the median of the absolute residuals, which is robust to outliers,
# and is the attribute ``scale_``, in the units of the target.


def fit(loss, target=calls, backend="autograd"):
    """An estimator that minimises the mean of the loss."""
    return GradientDescentRegressor(loss, backend=backend).fit(X, target)


losses = {
    "squared error": SquaredError(),
    "Huber": Huber(),
    "absolute error": AbsoluteError(),
    "Tukey": Tukey(),
}
models = {name: fit(loss) for name, loss in losses.items()}
scales = [f"{name} {models[name].scale_:.3f}" for name in ("Huber", "Tukey")]
print("scales:", *scales)

# %%
# Four slopes
# -----------
#
# Tukey's loss is not convex, so that a descent could end in a local minimum, even in
# one that fits the wrong years. The descent starts from the fit by the absolute error,
# and from there the objective falls in each step. The minimum of the absolute error is
# not unique here, as the median of an even number of targets is not: lines with slopes
# from 0.116 to 0.162 have the same mean absolute error.

reference = GradientDescentRegressor().fit(X[right], calls[right])
slopes = {name: model.coef_[0] for name, model in models.items()}
print(f"{'correct years only':<18}{reference.coef_[0]:7.4f}")
for name, slope in slopes.items():
    print(f"{name:<18}{slope:7.4f}")

ratio = {name: slope / reference.coef_[0] for name, slope in slopes.items()}
assert ratio["squared error"] > 4
assert 1.05 < ratio["absolute error"] < ratio["Huber"] < 2
assert abs(ratio["Tukey"] - 1) < 0.03
assert (np.diff(models["Tukey"].loss_curve_) <= 0).all()

for name, loss in losses.items():
    reached = fit(loss, backend="jax").loss_curve_[-1]
    np.testing.assert_allclose(reached, models[name].loss_curve_[-1], rtol=1e-6)

# %%
# The influence of one outlier
# ----------------------------
#
# The data are now simulated: a line with noise of standard deviation one, the last
# target of which is moved up step by step. The slope of least squares grows without
# bound. That by Huber's loss and by the absolute error stays constant once the
# influence of the row has reached its bound. That by Tukey's loss grows at first and
# then falls, as the influence of the row goes to zero.

noise = np.random.default_rng(0).standard_normal(len(year))
moves = np.linspace(0, 15, 46)


def slopes_after(loss):
    """The slope of the line, for each length of the move."""
    last = year == year[-1]
    return np.array([fit(loss, year + noise + move * last).coef_[0] for move in moves])


defaults = {name: slopes_after(loss) for name, loss in losses.items()}

squared = np.ptp(defaults["squared error"])
for name in "Huber", "absolute error", "Tukey":
    assert np.ptp(defaults[name][-20:]) < 1e-3 * squared
assert defaults["Tukey"].argmax() < len(moves) // 3

# %%
# The picture
# -----------

COLORS = {
    "squared error": "#D55E00",
    "Huber": "#9E6B00",
    "absolute error": "#009E73",
    "Tukey": "#0072B2",
}
STYLES = {"squared error": "--", "Huber": "-.", "absolute error": ":", "Tukey": "-"}


def draw_lines(axes):
    """The data and the four lines, each with its name at its end."""
    axes.plot(year[right], calls[right], "o", color="0.35", markersize=5)
    axes.plot(year[~right], calls[~right], "o", color="0.35", markerfacecolor="white")
    ends = np.array([[1950.0], [1973.0]])
    shifts = 0, 6, 1, -5
    for (name, model), shift in zip(models.items(), shifts, strict=True):
        found = model.predict(ends)
        axes.plot(ends, found, STYLES[name], color=COLORS[name], linewidth=2.2)
        axes.annotate(
            name,
            (1973, found[1]),
            xytext=(5, shift),
            textcoords="offset points",
            va="center",
            color=COLORS[name],
        )
    axes.set(xlabel="year", ylabel="calls (tens of millions)")


def draw_curves(axes):
    """The slope against how far the outlier was moved."""
    for name, curve in defaults.items():
        change = curve - curve[0]
        axes.plot(moves, change, STYLES[name], color=COLORS[name], linewidth=2.2)
    axes.set_xlabel("shift of the last target")
    axes.set_ylabel("change of the slope")


figure, (left, beside) = plt.subplots(
    1, 2, figsize=(9, 4.2), layout="constrained", width_ratios=(5, 4)
)
draw_lines(left)
draw_curves(beside)
for axes in (left, beside):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()
