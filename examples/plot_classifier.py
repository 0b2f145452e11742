r"""
Classification where a miss costs ten false alarms
==================================================

The loss of a linear classifier decides where the line between the classes goes. The
data are scikit-learn's 569 breast masses, malignant or benign, with two columns, so
that the line can be drawn: how large the nuclei of the cells are and how concave their
outline is. The claims, asserted below:

- with the log loss, the probabilities are those of scikit-learn's `LogisticRegression`
  to 1e-8, with derivatives by autograd and by JAX;
- with the hinge loss, the objective is smaller than that of scikit-learn's `LinearSVC`,
  which penalises its intercept as well;
- a custom loss of one line, in which a missed malignant mass costs ten times a false
  alarm, brings the cost on held-out masses to less than half of that of the log loss.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.svm import LinearSVC

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentClassifier

# %%
# The masses
# ----------
#
# The mean radius, and how many parts of the outline are concave. "malignant" sorts
# after "benign", so it is the second class, which a loss sees as 1, and "benign" as -1.

data = load_breast_cancer(as_frame=True)
X = data.data[["mean radius", "mean concave points"]].to_numpy()
X = (X - X.mean(axis=0)) / X.std(axis=0)
y = np.where(data.target == 0, "malignant", "benign")
second = np.where(y == "malignant", 1, -1)

# %%
# The log loss
# ------------

ALPHA = 1e-3


def fitted(loss, **parameters):
    """A classifier fitted to all masses."""
    return GradientDescentClassifier(loss, alpha=ALPHA, **parameters).fit(X, y)


logistic = LogisticRegression(C=1 / (ALPHA * len(y)), tol=1e-10).fit(X, y)
for backend in "autograd", "jax":
    model = fitted("log_loss", tol=1e-9, backend=backend)
    difference = model.predict_proba(X) - logistic.predict_proba(X)
    assert np.abs(difference).max() < 1e-8

# %%
# The hinge loss
# --------------
#
# `LinearSVC` penalises its intercept as well. Its line is therefore another one, with a
# larger value of this objective.


def objective(model):
    """Mean hinge loss and the penalty."""
    margins = second * model.decision_function(X)
    return np.maximum(1 - margins, 0).mean() + ALPHA / 2 * np.sum(model.coef_**2)


machine = LinearSVC(C=1 / (ALPHA * len(y)), loss="hinge", tol=1e-8, max_iter=10**6)
assert objective(fitted("hinge")) < objective(machine.fit(X, y))

# %%
# A custom loss
# -------------
#
# A missed malignant mass costs ten, a false alarm one. The labels are -1 and 1: the
# factor ``(11 + 9 * y_true) / 2`` is 1 for the first and 10 for the second.


def missing_costs_ten(y_true, y_pred):
    """Log loss, ten times as much where the mass is malignant."""
    return (11 + 9 * y_true) / 2 * adnp.logaddexp(0, -y_true * y_pred)


def on_others(loss):
    """Numbers of missed malignant masses and of false alarms, by cross-validation."""
    model = GradientDescentClassifier(loss, alpha=ALPHA)
    found = cross_val_predict(model, X, y, cv=10)
    missed = np.sum((y == "malignant") & (found == "benign"))
    return missed, np.sum((y == "benign") & (found == "malignant"))


print(f"{'loss':<20}{'missed':>8}{'alarms':>8}{'cost':>6}")
costs = {}
for loss in "log_loss", "hinge", "squared_hinge", "exponential", missing_costs_ten:
    name = getattr(loss, "__name__", loss)
    missed, alarms = on_others(loss)
    costs[name] = 10 * missed + alarms
    print(f"{name:<20}{missed:>8}{alarms:>8}{costs[name]:>6}")

assert costs["missing_costs_ten"] < costs["log_loss"] / 2

# %%
# The picture
# -----------

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "0.45"


def draw_line(axes, model, **style):
    """The decision boundary of a model."""
    (slope,), at = -model.coef_[:, 0] / model.coef_[:, 1], axes.get_xlim()
    start = -model.intercept_[0] / model.coef_[0, 1]
    axes.plot(at, start + slope * np.array(at), **style)


figure, panels = plt.subplots(
    1, 2, figsize=(9, 4.2), sharex=True, sharey=True, layout="constrained"
)
for axes in panels:
    for label, colour in ("benign", BLUE), ("malignant", ORANGE):
        axes.scatter(*X[y == label].T, s=8, color=colour, alpha=0.5, linewidth=0)
    axes.set(xlim=(-2.2, 4.2), ylim=(-1.6, 4.2), xlabel="mean radius, standardised")
    axes.spines[["top", "right"]].set_visible(False)
styles = {"log_loss": "-", "hinge": "--", "squared_hinge": "-.", "exponential": ":"}
for loss, line in styles.items():
    model = fitted(loss)
    draw_line(panels[0], model, color="black", linestyle=line, label=loss)
draw_line(panels[1], fitted("log_loss"), color="black", label="log_loss")
draw_line(
    panels[1],
    fitted(missing_costs_ten),
    color="black",
    linestyle="--",
    label="missing_costs_ten",
)
for axes in panels:
    axes.legend(frameon=False, loc="upper left", fontsize="small")
panels[0].set(ylabel="mean concave points, standardised", title="built-in losses")
panels[1].set(title="a miss costs ten times a false alarm")
panels[0].text(3.0, 0.2, "malignant", color=ORANGE)
panels[0].text(-2.0, -1.5, "benign", color=BLUE)
plt.show()
