r"""
The lasso, for any loss
=======================

``l1_ratio=1`` adds the lasso (L1) penalty to any loss: ``alpha`` times the sum of the
absolute values of the coefficients, which makes some of them exactly zero. The claims,
asserted below, for derivatives by autograd and by JAX:

- with the squared error, coefficients are those of scikit-learn's `ElasticNet` at half
  the ``alpha``, to a millionth of the largest, and the same ones are exactly zero;
- with the Poisson deviance, which scikit-learn's `PoissonRegressor` fits with an L2
  penalty only, they meet the optimality conditions: the derivative of the loss by a
  coefficient has the absolute value ``alpha`` where the coefficient is not zero, and at
  most that elsewhere.
"""

import matplotlib.pyplot as plt
import numpy as np
import statsmodels.api as sm
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet
from sklearn.preprocessing import StandardScaler

from sklearn_adreg import GradientDescentRegressor

# %%
# A path of alphas
# ----------------
#
# The path goes from an ``alpha`` at which all coefficients are zero down to a
# thousandth of it. The smallest such ``alpha`` is the largest absolute entry of the
# gradient of the loss at the best constant. With ``warm_start`` each fit begins where
# the one before ended. The columns are standardised, since the penalty depends on
# their units.


def gradient(X, y, predicted):
    """Gradient of the mean squared error, and of the mean Poisson deviance."""
    return -2 / len(y) * X.T @ (y - predicted)


def path(loss, X, y, *, backend="autograd"):
    """Alphas, the coefficients for each, and the models' predictions."""
    largest = np.abs(gradient(X, y, y.mean())).max()
    alphas = 1.001 * largest * np.geomspace(1, 1e-3, 40)
    model = GradientDescentRegressor(
        loss, l1_ratio=1, tol=1e-9, backend=backend, warm_start=True
    )
    coefs, predictions = [], []
    for alpha in alphas:
        model.set_params(alpha=alpha).fit(X, y)
        coefs.append(model.coef_)
        predictions.append(model.predict(X))
    return alphas, np.array(coefs), predictions


# %%
# Least squares: the same as ElasticNet
# -------------------------------------
#
# `ElasticNet` minimises half the mean squared error plus the penalty, this package the
# mean squared error plus the penalty. The same solution therefore takes twice the
# ``alpha`` here.

diabetes = load_diabetes(as_frame=True, scaled=False)
X_diabetes = StandardScaler().fit_transform(diabetes.data)
y_diabetes = diabetes.target.to_numpy()


def elastic_net(alpha):
    """Coefficients by coordinate descent, at half the alpha."""
    model = ElasticNet(alpha=alpha / 2, l1_ratio=1, tol=1e-12, max_iter=100_000)
    return model.fit(X_diabetes, y_diabetes).coef_


for backend in "autograd", "jax":
    alphas, coefs, _ = path("squared_error", X_diabetes, y_diabetes, backend=backend)
    expected = np.array([elastic_net(alpha) for alpha in alphas])
    np.testing.assert_allclose(coefs, expected, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_array_equal(coefs == 0, expected == 0)
print(f"zeros, from the largest alpha on: {(coefs == 0).sum(axis=1)}")

# %%
# Counts: visits to a doctor
# --------------------------
#
# The target is how often the participants of the RAND health insurance experiment saw a
# doctor in a year, in 20,190 observations; the columns describe their insurance and
# their health. The link function is the logarithm, so that the effects of the columns
# multiply.

visits = sm.datasets.randhie.load_pandas().data
X_visits = StandardScaler().fit_transform(visits.drop(columns="mdvis"))
y_visits = visits["mdvis"].to_numpy()

for backend in "autograd", "jax":
    alphas_visits, coefs_visits, predictions = path(
        "poisson_deviance", X_visits, y_visits, backend=backend
    )
    for alpha, coef, predicted in zip(
        alphas_visits, coefs_visits, predictions, strict=True
    ):
        slopes = gradient(X_visits, y_visits, predicted)
        kept = coef != 0
        np.testing.assert_allclose(
            slopes[kept], -alpha * np.sign(coef[kept]), rtol=1e-3
        )
        assert (np.abs(slopes[~kept]) <= alpha * (1 + 1e-6)).all()

# %%
# The paths
# ---------
#
# At the right all coefficients are zero. As ``alpha`` falls, one after the other
# becomes nonzero: for the visits to a doctor first that of the number of chronic
# diseases (disea), then that of a physical limitation (physlm), then that of the most
# that the insurance lets a patient pay (fmde).

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")


def draw(axes, alphas, coefs, names, spread):
    """A line for each coefficient, with the name of the larger ones at their ends."""
    axes.axhline(0, color="0.8", linewidth=1)
    order = np.argsort(coefs[-1])
    places = coefs[-1][order].copy()
    for _ in range(100):  # names that lie on top of each other move apart
        gap = np.diff(places)
        push = np.maximum(spread - gap, 0) / 2
        places[:-1] -= push
        places[1:] += push
    for place, column in zip(places, order, strict=True):
        color = COLORS[column % len(COLORS)]
        axes.semilogx(alphas, coefs[:, column], color=color, linewidth=2)
        axes.annotate(
            names[column],
            (alphas[-1], place),
            xytext=(-5, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            color=color,
            fontsize="small",
        )
    axes.set_xlim(alphas[-1], alphas[0] * 1.2)
    axes.set_xlabel("alpha")
    axes.yaxis.tick_right()
    axes.spines[["top", "left"]].set_visible(False)


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
draw(left, alphas, coefs, list(diabetes.data.columns), 2.6)
draw(right, alphas_visits, coefs_visits, list(visits.columns[1:]), 0.016)
left.set_title("squared error: diabetes")
right.set_title("Poisson deviance: visits to a doctor")
plt.show()
