"""Regression of proportions and of overdispersed counts, against statsmodels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from scipy import special
from sklearn.linear_model import LogisticRegression

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.backends import Backend
from sklearn_adreg.losses import Bernoulli, NegativeBinomial

RNG = np.random.default_rng(0)
X = RNG.standard_normal((400, 4)) @ (np.eye(4) + 0.5 * np.eye(4, k=1))
LINEAR = X @ [0.7, -0.4, 0.0, 0.2] + 0.5
TRIALS = RNG.integers(1, 30, 400)
PROPORTIONS = RNG.binomial(TRIALS, special.expit(LINEAR)) / TRIALS
COUNTS = RNG.poisson(np.exp(LINEAR) * RNG.gamma(2.0, 0.5, 400)).astype(float)


def estimated(y: np.ndarray, family: Any, **kwargs: Any) -> np.ndarray:
    """Intercept and coefficients, as statsmodels finds them."""
    model = sm.GLM(y, sm.add_constant(X), family=family, **kwargs)
    return model.fit(tol=1e-14, tol_criterion="params").params


def check(model: Any, expected: np.ndarray) -> None:
    found = np.append(model.intercept_, model.coef_)
    # What is asked for is 1e-10 in the linear predictor.
    assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("epsilon", ["auto", 2.0])
def test_proportions(epsilon: Any, backend: Backend) -> None:
    settings = {"backend": backend, "epsilon": epsilon, "tol": 1e-10}
    model = GradientDescentRegressor(Bernoulli(), **settings)
    model.fit(X, PROPORTIONS, sample_weight=TRIALS)
    family = sm.families.Binomial()
    check(model, estimated(PROPORTIONS, family, var_weights=TRIALS))
    expected = special.expit(X @ model.coef_ + model.intercept_)
    assert_allclose(model.predict(X), expected, rtol=1e-14)


@pytest.mark.parametrize("dispersion", [0.1, 1.0, 5.0])
def test_overdispersed_counts(dispersion: float, backend: Backend) -> None:
    loss = NegativeBinomial(dispersion)
    model = GradientDescentRegressor(loss, tol=1e-10, backend=backend).fit(X, COUNTS)
    link = sm.families.links.Log()
    check(model, estimated(COUNTS, sm.families.NegativeBinomial(link, dispersion)))


def test_labels_of_zero_and_one() -> None:
    y = (RNG.random(400) < special.expit(LINEAR)).astype(float)
    model = GradientDescentRegressor("log_loss", tol=1e-10, alpha=0.01).fit(X, y)
    # The sum of the losses plus half the squared norm over C.
    ridge = LogisticRegression(C=1 / (400 * 0.01), tol=1e-12, solver="newton-cholesky")
    ridge.fit(X, y)
    check(model, np.append(ridge.intercept_, ridge.coef_))
