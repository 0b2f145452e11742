r"""
Zero-inflated Poisson: counts with too many zeros
=================================================

Counts with more zeros than a Poisson regression allows have a zero-inflated likelihood,
which is a custom loss with two linear predictors a row. Here the counts are fish:
some visitors of a park do not fish and catch nothing, the others catch a Poisson
count, which may be zero as well. The two predictors are the logarithm of the rate and
the log-odds of not fishing. The claims, asserted below on simulated counts:

- coefficients are those of statsmodels' `ZeroInflatedPoisson`, to 1e-5;
- the predicted share of zeros is within 0.05 of that of the counts at every group size,
  while that of a Poisson regression is off by more than 0.2 at one of them.
"""

import matplotlib.pyplot as plt
import numpy as np
from statsmodels.discrete.count_model import ZeroInflatedPoisson

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor

# %%
# The counts
# ----------

rng = np.random.default_rng(0)
people, hours = rng.integers(1, 7, 2000), rng.uniform(1, 8, 2000)
X = np.column_stack([people, np.log(hours)]).astype(float)
not_fishing = rng.random(2000) < 1 / (1 + np.exp(0.6 * people - 2))
y = np.where(not_fishing, 0, rng.poisson(0.4 * hours * np.exp(0.1 * people)))

# %%
# The loss
# --------
#
# The loss is minus the log-likelihood. A count is zero either because a visitor does
# not fish, or by chance.


def zero_inflated(y_true, y_pred):
    """Minus the logarithm of the probability of a count, without its factorial."""
    log_rate, log_odds = y_pred[:, 0], y_pred[:, 1]
    zero = adnp.logaddexp(log_odds, -adnp.exp(log_rate))
    caught = y_true * log_rate - adnp.exp(log_rate)
    return adnp.logaddexp(0.0, log_odds) - adnp.where(y_true == 0, zero, caught)


model = GradientDescentRegressor(zero_inflated, n_outputs=2, tol=1e-8).fit(X, y)
design = np.column_stack([X, np.ones(len(y))])
known = ZeroInflatedPoisson(y, design, exog_infl=design)
known = known.fit(method="newton", maxiter=200, disp=False)
ours = np.column_stack([model.coef_, model.intercept_])
difference = np.abs(ours[::-1].ravel() - known.params).max()
print(f"{model.n_iter_} steps, coefficients differ by {difference:.1e}")
assert difference < 1e-5

# %%
# The share of zeros
# ------------------

poisson = GradientDescentRegressor("poisson_deviance").fit(X, y)
log_rate, log_odds = model.predict(X).T
absent = 1 / (1 + np.exp(-log_odds))
zeros = {
    "counts": y == 0,
    "zero-inflated": absent + (1 - absent) * np.exp(-np.exp(log_rate)),
    "Poisson": np.exp(-poisson.predict(X)),
}
sizes = np.arange(1, 7)
shares = {
    name: np.array([found[people == size].mean() for size in sizes])
    for name, found in zeros.items()
}
errors = {
    name: np.abs(found - shares["counts"]).max() for name, found in shares.items()
}
print("largest error of the share of zeros:", errors)
assert errors["zero-inflated"] < 0.05
assert errors["Poisson"] > 0.2

# %%
figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
for (name, found), mark in zip(shares.items(), ("ko", "C0-", "C1--"), strict=True):
    axis.plot(sizes, found, mark, label=name)
axis.set(xlabel="people in a group", ylabel="share of zero counts", ylim=(0, 1))
axis.legend(frameon=False)
plt.show()
