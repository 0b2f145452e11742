"""Steps that are too long for a search, and the grid that it makes without them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import KFold

from sklearn_adreg import GradientDescentRegressorCV
from sklearn_adreg.exceptions import DivergenceError


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = 3.0 + rng.standard_normal((40, 4)) * [0.5, 1.0, 2.0, 1.0]
    return X, X @ [1.0, -1.0, 2.0, 0.0] + rng.standard_normal(40)


def largest_stable(X: np.ndarray) -> float:
    return float(len(X) / np.linalg.norm(X - X.mean(axis=0), ord=2) ** 2)


def test_divergence_is_said_once() -> None:
    X, y = data()
    largest = largest_stable(X)
    epsilons = largest * np.array([0.1, 0.5, 3.0, 30.0])
    model = GradientDescentRegressorCV(epsilons, tol=1e-2)
    with pytest.warns(FitFailedWarning) as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    message = str(caught[0].message)
    assert "2 of 4 candidates" in message
    for epsilon in epsilons[2:]:
        assert f"epsilon={epsilon:.6g}" in message
    scores = model.cv_results_["mean_test_score"]
    assert_array_equal(np.isnan(scores), [False, False, True, True])
    assert_array_equal(model.cv_results_["rank_test_score"][2:], [3, 3])
    assert_allclose(model.max_epsilon_, largest, rtol=1e-12)


def test_no_candidate_is_left() -> None:
    X, y = data()
    model = GradientDescentRegressorCV([1e3, 1e4]).fit
    with pytest.raises(DivergenceError, match="with every candidate") as caught:
        model(X, y)
    stable = min(largest_stable(X[train]) for train, _ in KFold(5).split(X))
    assert_allclose(caught.value.max_epsilon, stable, rtol=1e-12)


@pytest.mark.parametrize("loss", ["squared_error", "expectile", "poisson_deviance"])
def test_no_candidate_is_left_of_any_loss(loss: str) -> None:
    X, y = data()
    for weights in (None, np.arange(40.0)):
        with pytest.raises(DivergenceError, match="with every candidate") as caught:
            GradientDescentRegressorCV([1e3], loss=loss).fit(X, abs(y), weights)
        assert 0 < caught.value.max_epsilon < 1e3


def test_no_candidate_is_left_where_the_loss_scores() -> None:
    X, y = data()

    def costly(y_true: Any, y_pred: Any, *, cost: Any) -> Any:
        return cost * (y_true - y_pred) ** 2

    cost = pd.DataFrame({"cost": np.arange(1.0, 41.0)})
    with pytest.raises(DivergenceError, match="with every candidate"):
        GradientDescentRegressorCV([1e3], loss=costly).fit(X, y, row_data=cost)


def test_what_diverged_is_never_chosen() -> None:
    # Less one, the worst score is the same float.
    X, y = data()
    model = GradientDescentRegressorCV([10.0, 0.1], scoring="neg_mean_squared_error")
    with pytest.warns(FitFailedWarning, match="1 of 2"):
        model.fit(X, 1e9 * y)
    assert model.best_score_ < -1e16
    assert model.epsilon_ == 0.1
    assert_array_equal(model.cv_results_["rank_test_score"], [2, 1])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_epsilons_from_the_data(scale: float) -> None:
    X, y = data()
    model = GradientDescentRegressorCV(tol=1e-2).fit(scale * X, y)
    epsilons = np.array(model.cv_results_["param_epsilon"])
    assert len(epsilons) == 20
    assert_allclose(np.diff(np.log(epsilons)), np.log(950) / 19)
    stable = [largest_stable(scale * X[train]) for train, _ in KFold(5).split(X)]
    assert_allclose(epsilons[-1], 0.95 * min(*stable, model.max_epsilon_))
    assert np.isfinite(model.cv_results_["mean_test_score"]).all()


def test_nothing_to_learn() -> None:
    model = GradientDescentRegressorCV(cv=2).fit(np.ones((6, 2)), np.arange(6.0))
    assert_array_equal(model.coef_, 0.0)
    assert model.max_epsilon_ == np.inf
