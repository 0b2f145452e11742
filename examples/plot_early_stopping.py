r"""
Early stopping is a kind of ridge
=================================

Gradient descent that starts at zero and is stopped early shrinks the coefficients, as
ridge regression does. After :math:`t` steps of length :math:`\epsilon` on :math:`n`
rows it corresponds to scikit-learn's `Ridge` with the penalty

.. math:: \alpha = \frac{n}{2 \epsilon t} ,

so that a single descent passes through a whole range of penalties. The claims, asserted
below on data where least squares overfits: the best number of steps predicts as well as
the best penalty, to within three percent of the validation error, and the two
penalties, by this formula, are within a factor of three of each other.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression, Ridge

from sklearn_adreg import GradientDescentRegressor, LossCurveDisplay

# %%
# Why they correspond
# -------------------
#
# Let :math:`\lambda` be an eigenvalue of the covariance matrix :math:`X^\top X / n` of
# centred columns, and :math:`c` the least squares solution along its eigenvector. Each
# step on the mean squared error, whose gradient along it is
# :math:`2 \lambda (w - c)`, multiplies the distance from :math:`c` by
# :math:`1 - 2 \epsilon \lambda`. Ridge minimises a sum of squares plus
# :math:`\alpha |w|^2`, or :math:`n \lambda (w - c)^2 + \alpha w^2`. The factors by
# which descent and ridge shrink :math:`c` are therefore
#
# .. math::
#
#    1 - (1 - 2 \epsilon \lambda)^t \approx 1 - e^{-2 \epsilon t \lambda}
#    \quad \text{and} \quad
#    \frac{n \lambda}{n \lambda + \alpha} = \frac{\lambda}{\lambda + \alpha / n} .
#
# For small :math:`\lambda` these are :math:`2 \epsilon t \lambda` and
# :math:`n \lambda / \alpha`, which are the same for
# :math:`\alpha = n / (2 \epsilon t)`. With :math:`u = 2 \epsilon t \lambda` they are
# then :math:`1 - e^{-u}` and :math:`u / (1 + u)`: both rise from 0 to 1, and
# nowhere do they differ by more than 0.204. A. Ali, J. Z. Kolter and R. Tibshirani, "A
# continuous-time view of early stopping for least squares regression", AISTATS 2019,
# show that the risk of gradient descent in small steps is at no point more than 1.69
# times that of the corresponding ridge regression.

u = np.geomspace(1e-4, 1e4, 10_000)
assert np.all(-np.expm1(-u) >= u / (1 + u))
assert np.max(-np.expm1(-u) - u / (1 + u)) < 0.204

# %%
# Data on which least squares overfits
# ------------------------------------
#
# There are 80 columns for 120 rows, and as much noise as signal. The columns differ in
# spread, so that descent learns their coefficients one after the other.

N_SAMPLES, N_FEATURES = 120, 80

rng = np.random.default_rng(7)
spread = np.geomspace(1, 0.1, N_FEATURES)
coefficients = rng.standard_normal(N_FEATURES)


def sample(n_samples):
    """Rows, and targets with noise of about the spread of the signal."""
    X = spread * rng.standard_normal((n_samples, N_FEATURES))
    noise = np.linalg.norm(spread) * rng.standard_normal(n_samples)
    return X, X @ coefficients + noise


X, y = sample(N_SAMPLES)
X_validation, y_validation = sample(5000)


def validation_error(model):
    """Root mean square, on rows that were not fitted."""
    return np.sqrt(np.mean((y_validation - model.predict(X_validation)) ** 2))


# %%
# One descent, many penalties
# ---------------------------
#
# With ``warm_start`` each fit goes on where the one before stopped, and ``tol=0`` asks
# for exactly ``max_iter`` steps. The errors after 1 to 5,000 steps therefore take 5,000
# steps in all.

EPSILON = 0.06

steps = np.unique(np.geomspace(1, 5_000, 50).astype(int))
alphas = N_SAMPLES / (2 * EPSILON * steps)


def descent_errors():
    """The validation error after each number of steps."""
    model = GradientDescentRegressor(epsilon=EPSILON, tol=0, warm_start=True)
    errors = []
    for more in np.diff(steps, prepend=0):
        model.set_params(max_iter=int(more)).fit(X, y)
        errors.append(validation_error(model))
    return np.array(errors)


stopped = descent_errors()
ridge = np.array([validation_error(Ridge(alpha).fit(X, y)) for alpha in alphas])
least_squares = validation_error(LinearRegression().fit(X, y))

# %%
# At their best, early stopping and ridge predict equally well, to three percent, at
# penalties of a similar size, and both are far better than least squares.

best_stop, best_ridge = np.argmin(stopped), np.argmin(ridge)
print(f"least squares       : {least_squares:.3f}")
print(f"best ridge          : {ridge[best_ridge]:.3f}, alpha {alphas[best_ridge]:.1f}")
print(
    f"best early stopping : {stopped[best_stop]:.3f}, after {steps[best_stop]} steps, "
    f"which is alpha {alphas[best_stop]:.1f}"
)
assert stopped[best_stop] < 1.03 * ridge[best_ridge]
assert ridge[best_ridge] < 1.03 * stopped[best_stop]
assert 1 / 3 < alphas[best_stop] / alphas[best_ridge] < 3
assert least_squares > 1.2 * stopped[best_stop]

# %%
# Side by side
# ------------
#
# On the left is the validation error against the number of steps (lower axis) and the
# corresponding penalty (upper axis). On the right is the part of the least squares
# solution that is kept along an eigenvector, for three numbers of steps (solid) and for
# the corresponding penalties (dashed). At each of them the descent keeps more than
# ridge does.

BLUE, ORANGE = "#0072B2", "#D55E00"


def to_other(value):
    """From steps to alpha, and back: the same formula."""
    return N_SAMPLES / (2 * EPSILON * np.maximum(value, 1e-9))


def draw_errors(axes):
    """The validation error of both against steps, with alpha on the top."""
    axes.semilogx(steps, stopped, color=BLUE, linewidth=2)
    axes.semilogx(steps, ridge, color=ORANGE, linewidth=2, linestyle="--")
    axes.plot(steps[best_stop], stopped[best_stop], "o", color=BLUE)
    axes.plot(steps[best_ridge], ridge[best_ridge], "o", color=ORANGE)
    axes.axhline(least_squares, color="0.4", linestyle=":")
    axes.set_xlabel("number of steps")
    axes.set_ylabel("validation error (root mean square)")
    axes.secondary_xaxis("top", functions=(to_other, to_other)).set_xlabel(
        "alpha = n / (2 epsilon steps)"
    )


def draw_filters(axes):
    """The part of least squares that each keeps, against the eigenvalue."""
    eigenvalues = np.geomspace(2e-4, 4, 200)
    for n_steps in (3, 50, 1000):
        kept = 1 - (1 - 2 * EPSILON * eigenvalues) ** n_steps
        axes.semilogx(eigenvalues, kept, color=BLUE, linewidth=2)
        kept = eigenvalues / (eigenvalues + to_other(n_steps) / N_SAMPLES)
        axes.semilogx(eigenvalues, kept, color=ORANGE, linewidth=2, linestyle="--")
        place = -np.log(0.7) / (2 * EPSILON * n_steps), 0.3
        axes.annotate(
            f"{n_steps:,} steps",
            place,
            xytext=(-6, 4),
            textcoords="offset points",
            ha="right",
        )
    axes.set_xlabel("eigenvalue of the covariance matrix")
    axes.set_ylabel("kept part of the least squares solution")


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
draw_errors(left)
draw_filters(right)
left.set_ylim(4.5, 8)
left.text(steps[0], least_squares + 0.04, "least squares", va="bottom", color="0.3")
left.text(steps[35], stopped[35], "descent, stopped  ", ha="right", color=BLUE)
left.text(steps[38], ridge[38], "  ridge", va="top", color="#A84A00")
for axes in (left, right):
    axes.spines["right"].set_visible(False)
right.spines["top"].set_visible(False)
plt.show()

# %%
# Early stopping on held-out rows
# -------------------------------
#
# Where there is no separate validation sample, ``early_stopping=True`` sets a part of
# the rows aside and ends the descent when their error has not improved for
# ``n_iter_no_change`` steps in a row, as scikit-learn's `SGDRegressor` does with
# epochs. The training error falls in every step; the error of the held-out rows falls
# at first and then rises.

stop = {"early_stopping": True, "validation_fraction": 0.25, "random_state": 0}
early = GradientDescentRegressor(epsilon=EPSILON, **stop).fit(X, y)
on = GradientDescentRegressor(
    epsilon=EPSILON, max_iter=500, tol=0, **stop | {"n_iter_no_change": 500}
).fit(X, y)
print(f"stopped after {early.n_iter_} steps: {validation_error(early):.3f}")
assert validation_error(early) < 0.9 * least_squares
assert np.argmin(on.validation_loss_curve_) < early.n_iter_ < 100
assert np.all(np.diff(on.loss_curve_) < 0)

display = LossCurveDisplay.from_estimator(on, name="training rows")
display.ax_.axvline(early.n_iter_, color="0.4", linestyle=":")
display.ax_.annotate(
    f"stopped after {early.n_iter_} steps",
    (early.n_iter_, display.ax_.get_ylim()[1]),
    xytext=(6, -12),
    textcoords="offset points",
)
display.ax_.legend(
    [display.line_, display.validation_line_],
    ["training rows", "held-out rows"],
    frameon=False,
)
display.ax_.set_ylabel("mean squared error")
plt.show()
