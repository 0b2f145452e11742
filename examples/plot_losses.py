r"""
Every loss, and its derivative
==============================

All built-in losses are drawn here with their derivatives, in the order of the influence
of an outlier. The derivative of a loss tells how strongly a row with a given error
pulls at the fit. The claims, asserted below for each loss:

- the derivatives by autograd and by JAX agree with difference quotients of the loss;
- the attributes ``kinked`` and ``convex`` of the loss are right: the derivative jumps
  where the loss is said to have kinks, and never falls where it is said to be convex.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_adreg.derivatives import nth_derivative
from sklearn_adreg.losses import LOSSES, EpsilonInsensitive, Expectile, Pinball

# %%
# One target, and predictions around it
# -------------------------------------
#
# All losses have their default parameters, except for three whose shape shows better
# with other ones.

losses = LOSSES | {
    "pinball": Pinball(quantile=0.8),
    "expectile": Expectile(level=0.8),
    "epsilon_insensitive": EpsilonInsensitive(epsilon=1.5),
}

# %%
# Some losses, such as the deviances, have a link function: the linear predictor is the
# logarithm of the prediction. All losses are drawn against the linear predictor, by
# which gradient descent differentiates them, less its value at which the prediction
# equals the target. Losses of class labels have no such value: they are drawn from
# zero, where both classes are equally likely.

TARGET = 1.0
STEP = 1e-5
error = np.arange(-6.0, 6.0, 0.01) + 0.005  # no point is on a kink


def link_of(loss):
    """The inverse link, and the linear predictor that meets the target; 0 of labels."""
    linked = hasattr(loss, "inverse_link")
    inverse_link = loss.inverse_link if linked else lambda linear: linear
    try:
        loss.check_target(np.array([1.5]))
    except ValueError:  # labels and proportions alone
        return inverse_link, 0.0
    return inverse_link, np.log(TARGET) if linked else TARGET


def curve(loss):
    """The loss as a function of the error of the linear predictor."""
    inverse_link, centre = link_of(loss)
    return lambda at: loss(TARGET + 0 * at, inverse_link(centre + at))


def slope(loss, backend="autograd"):
    """Its derivative, by automatic differentiation."""
    return nth_derivative(curve(loss), 1, backend=backend)


# %%
# What holds for each of them
# ---------------------------

for name, loss in losses.items():
    f = curve(loss)
    differences = (f(error + STEP) - f(error - STEP)) / (2 * STEP)
    scale = np.abs(differences).max()
    for backend in "autograd", "jax":
        found = slope(loss, backend)(error)
        np.testing.assert_allclose(found, differences, atol=1e-7 * scale, err_msg=name)
    rises = np.diff(slope(loss)(error))
    assert loss.convex == (rises > -1e-12 * scale).all(), name

# %%
# At a kink the derivative jumps, by the same amount over any interval around it. The
# derivative of a smooth loss rises a hundred times less over an interval that is a
# hundred times as short.


def rise_within(loss, width):
    """The largest rise of the derivative over a width, near the steepest places."""
    at = error[np.argsort(np.diff(slope(loss)(error)))[-4:]]
    fine = at[:, None] + np.arange(0.0, 0.01, width) + width / 3
    return np.diff(slope(loss)(fine), axis=1).max()


for name, loss in losses.items():
    stays = rise_within(loss, 1e-4) / np.diff(slope(loss)(error)).max()
    assert loss.kinked == (stays > 0.5), (name, stays)

# %%
# The picture
# -----------
#
# All panels have the same axes. First come the losses that are not convex: their
# derivative returns towards zero, so that large outliers are ignored. Where the
# derivative levels off, an outlier has bounded influence. Where it goes on rising, an
# outlier pulls the harder the further away it is. Losses with a link come last. At a
# target of 1 the percentage error equals the absolute error; at another target it is
# the absolute error divided by that. Losses of class labels are drawn for the label 1.

BLUE, ORANGE = "#0072B2", "#D55E00"
N_COLUMNS = 3


def pull(item):
    """Order of the panels: those with a link last, and convex ones after others."""
    loss = item[1]
    at_gross_errors = np.abs(slope(loss)(error[[0, -1]])).max()
    return hasattr(loss, "inverse_link"), loss.convex, at_gross_errors


def title(name, loss):
    """The name as `loss=` takes it, with the parameters where there are any."""
    fields = {key: value for key, value in vars(loss).items() if key != "scale"}
    return ", ".join([name, *(f"{key}={value:g}" for key, value in fields.items())])


def draw(axes, name, loss):
    """The loss, and its derivative with a gap where it jumps."""
    axes.axhline(0, color="0.85", linewidth=1, zorder=0)
    axes.axvline(0, color="0.85", linewidth=1, zorder=0)
    axes.plot(error, curve(loss)(error), color=BLUE, linewidth=2.2)
    found = slope(loss)(error)
    if loss.kinked:
        found[np.append(np.diff(found) > 0.3, False)] = np.nan
    axes.plot(error, found, color=ORANGE, linewidth=1.6)
    axes.set_title(title(name, loss), fontsize="medium")
    axes.set(xlim=(-6, 6), ylim=(-3.2, 6.2), xticks=(-5, 0, 5), yticks=(-2, 0, 2, 4))
    axes.tick_params(labelsize="small", length=0, colors="0.4")
    axes.spines[:].set_visible(False)


n_rows = -(-len(losses) // N_COLUMNS)
figure, panels = plt.subplots(
    n_rows,
    N_COLUMNS,
    figsize=(9, 2.0 * n_rows + 0.4),
    sharex=True,
    sharey=True,
    layout="constrained",
)
for axes in panels.flat[len(losses) :]:
    axes.set_visible(False)
for axes, item in zip(panels.flat, sorted(losses.items(), key=pull), strict=False):
    draw(axes, *item)
panels.flat[0].text(3.6, 4.2, "loss", color=BLUE, ha="center")
panels.flat[0].text(3.0, -1.2, "derivative", color=ORANGE, ha="center", va="top")
figure.supxlabel(
    "linear predictor, less that which meets the target (class labels: not shifted)",
    fontsize="medium",
)
plt.show()
