r"""
Softmax regression with a custom loss of five lines
===================================================

The cross-entropy of a softmax (multinomial logistic regression) is a loss with one
linear predictor for each class. It is written here as a custom loss with
``n_outputs``. It is built in too, as `Multinomial`, the loss that
`GradientDescentClassifier` uses for several classes. The claims, asserted below:

- with a ridge penalty, on scikit-learn's wines and digits, the coefficients are those
  of `LogisticRegression` to 1e-5;
- without a penalty, on simulated classes that overlap, the probabilities are those of
  `LogisticRegression` to 1e-6.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import softmax
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor


def cross_entropy(y_true, y_pred):
    """Minus the log-probability of the observed class, which is 0, 1, ..."""
    chosen = y_true[:, None] == np.arange(y_pred.shape[1])
    largest = adnp.max(y_pred, axis=1)  # before the exponential, which overflows
    total = adnp.sum(adnp.exp(y_pred - largest[:, None]), axis=1)
    return adnp.log(total) + largest - adnp.sum(y_pred * chosen, axis=1)


# %%
# With a ridge penalty
# --------------------

ALPHA = 0.01
wine, digits = load_wine(return_X_y=True), load_digits(return_X_y=True)
data = {"wine": (scale(wine[0]), wine[1]), "digits": (digits[0] / 16, digits[1])}
for name, (X, y) in data.items():
    model = GradientDescentRegressor(
        cross_entropy, n_outputs=len(np.unique(y)), alpha=ALPHA, tol=1e-8
    ).fit(X, y)
    known = LogisticRegression(
        C=1 / (ALPHA * len(y)), solver="newton-cg", tol=1e-8, max_iter=1000
    ).fit(X, y)
    difference = np.abs(model.coef_ - known.coef_).max()
    print(f"{name}: {model.n_iter_} steps, coefficients differ by {difference:.1e}")
    assert difference < 1e-5

# %%
# Without a penalty
# -----------------
#
# The data have two columns and three classes that overlap. The coefficients are unique
# only up to a constant that is added to those of all classes; the ones that are found
# sum to zero.

rng = np.random.default_rng(0)
y = rng.integers(0, 3, 600)
X = rng.standard_normal((600, 2)) + 1.5 * np.array([[0, 1], [-1, -0.5], [1, -0.5]])[y]
model = GradientDescentRegressor(cross_entropy, n_outputs=3, tol=1e-8).fit(X, y)
known = LogisticRegression(C=np.inf, solver="newton-cg", tol=1e-10).fit(X, y)
probabilities = softmax(model.predict(X), axis=1)
assert np.abs(probabilities - known.predict_proba(X)).max() < 1e-6
assert np.abs(model.coef_.sum(axis=0)).max() < 1e-10

# %%
grid = np.stack(np.meshgrid(*2 * [np.linspace(-5, 5, 300)]), axis=-1)
shown = softmax(model.predict(grid.reshape(-1, 2)), axis=1).reshape(300, 300, 3)
figure, axis = plt.subplots(figsize=(5.4, 5), layout="constrained")
axis.imshow(shown, origin="lower", extent=(-5, 5, -5, 5), alpha=0.5)
for number, colour in enumerate(("tab:red", "tab:green", "tab:blue")):
    axis.plot(*X[y == number].T, ".", color=colour, ms=4)
axis.set(title="probabilities of three classes", xlabel="$x_1$", ylabel="$x_2$")
plt.show()
