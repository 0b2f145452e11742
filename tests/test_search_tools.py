"""Other searches over epsilon: scikit-learn's, and one by Bayesian optimisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
)
from skopt import BayesSearchCV
from skopt.space import Real

from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV

SHORTEST, LONGEST = 1e-4, 0.2


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    """Many columns with little in them: the best step is neither end of the range."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 60))
    y = X[:, :30] @ rng.standard_normal(30) + 10 * rng.standard_normal(600)
    return X, y


@pytest.fixture
def model() -> GradientDescentRegressor:
    # So many steps whatever their length: none of them warns that it is not there yet.
    return GradientDescentRegressor(max_iter=30, tol=0)


def check(search: Any, data: tuple[np.ndarray, np.ndarray]) -> None:
    """Assert that it finds an epsilon that is as good as the best of a fine grid."""
    X, y = data
    search.fit(X, y)
    epsilons = np.geomspace(SHORTEST, LONGEST, 200)
    best = GradientDescentRegressorCV(epsilons, cv=5, max_iter=30, tol=0).fit(X, y)
    means = best.cv_results_["mean_test_score"]
    found = search.best_params_["epsilon"]
    assert np.interp(found, epsilons, means) > best.best_score_ - 0.01
    assert search.best_estimator_.epsilon_ == found
    assert best.best_score_ > max(means[0], means[-1]) + 0.02


def test_grid(data: Any, model: Any) -> None:
    grid = {"epsilon": np.geomspace(SHORTEST, LONGEST, 20)}
    check(GridSearchCV(model, grid), data)


def test_randomized(data: Any, model: Any) -> None:
    distributions = {"epsilon": loguniform(SHORTEST, LONGEST)}
    check(RandomizedSearchCV(model, distributions, n_iter=20, random_state=0), data)


def test_halving_by_rows(data: Any, model: Any) -> None:
    grid = {"epsilon": np.geomspace(SHORTEST, LONGEST, 9)}
    search = HalvingGridSearchCV(model, grid, min_resources=200, random_state=0)
    check(search, data)


def test_halving_by_steps(data: Any, model: Any) -> None:
    # Descents that are behind after a few steps are not continued.
    grid = {"epsilon": np.geomspace(SHORTEST, LONGEST, 9)}
    search = HalvingGridSearchCV(
        model, grid, resource="max_iter", min_resources=4, max_resources=36
    )
    search.fit(*data)
    assert search.n_resources_ == [4, 12, 36]
    assert search.best_params_["max_iter"] == search.best_estimator_.n_iter_


def test_bayesian(data: Any, model: Any) -> None:
    space = {"epsilon": Real(SHORTEST, LONGEST, "log-uniform")}
    check(BayesSearchCV(model, space, n_iter=12, cv=5, random_state=0), data)
