"""Names of losses, their parameters in searches, and scores by them."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, PoissonRegressor
from sklearn.metrics import (
    d2_absolute_error_score,
    d2_pinball_score,
    d2_tweedie_score,
    get_scorer,
    mean_pinball_loss,
    r2_score,
)
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.losses import Huber, Pinball, PointwiseLoss, d2_score, loss_scorer

X, y = load_diabetes(return_X_y=True)
ALIASES = {
    "log_loss": "bernoulli",
    "mae": "absolute_error",
    "mse": "squared_error",
    "quantile": "pinball",
    "poisson": "poisson_deviance",
    "gamma": "gamma_deviance",
}


@pytest.mark.parametrize("alias", ALIASES)
def test_names_of_other_packages(alias: str) -> None:
    target = y / y.max()  # a proportion, for the log loss
    found, expected = (
        GradientDescentRegressor(name).fit(X, target)
        for name in (alias, ALIASES[alias])
    )
    assert_array_equal(found.coef_, expected.coef_)
    tags = found.__sklearn_tags__()
    positive = alias in {"poisson", "gamma", "log_loss"}
    assert tags.target_tags.positive_only == positive


@pytest.mark.parametrize("kind", [GradientDescentRegressor, GradientDescentRegressorCV])
def test_an_unknown_name_gets_the_nearest_and_all(kind: type[Any]) -> None:
    with pytest.raises(ValueError, match=r"'loss' parameter.*Got 'Hubber'") as caught:
        kind(loss="Hubber").fit(X, y)
    assert "Did you mean 'huber'?" in str(caught.value)
    assert "absolute_error, absolute_percentage_error, bernoulli" in str(caught.value)
    with pytest.raises(ValueError, match="Did you mean 'tweedie_deviance'"):
        kind(loss="tweedie").fit(X, y)
    with pytest.raises(ValueError, match="Got 'svr'") as caught:
        kind(loss="svr").fit(X, y)
    assert "Did you mean" not in str(caught.value)


def test_parameters_of_a_loss_in_a_search() -> None:
    grid = {"gradientdescentregressor__loss__delta": [0.1, 1.0]}
    model = make_pipeline(StandardScaler(), GradientDescentRegressor("huber"))
    found = GridSearchCV(model, grid, cv=3).fit(X, y)
    alone = [
        cross_val_score(GradientDescentRegressor(Huber(delta)), X, y, cv=3).mean()
        for delta in (0.1, 1.0)
    ]
    # The scale of the columns does not matter but for rounding and `tol`.
    assert_allclose(found.cv_results_["mean_test_score"], alone, rtol=1e-4)
    best = found.best_estimator_[-1].loss
    assert best == Huber(found.best_params_[next(iter(grid))])


def test_set_params_replaces_the_loss() -> None:
    given = Huber(2.0)
    model = GradientDescentRegressor(given)
    assert model.get_params()["loss__delta"] == 2.0
    assert model.set_params(loss__delta=3.0, alpha=1.0) is model
    assert (model.loss, model.alpha, given.delta) == (Huber(3.0), 1.0, 2.0)
    model.set_params(loss="quantile", loss__quantile=0.9)
    assert model.loss == Pinball(0.9)
    search = GradientDescentRegressorCV().set_params(loss="huber", loss__scale=2.0)
    assert search.loss == Huber(scale=2.0)
    assert clone(search).loss == search.loss


def test_parameters_that_a_loss_does_not_have() -> None:
    model = GradientDescentRegressor("huber")
    with pytest.raises(ValueError, match=r"field 'dleta'.*\['delta', 'scale'\]"):
        model.set_params(loss__dleta=1.0)
    with pytest.raises(ValueError, match="above 0"):
        model.set_params(loss__delta=-1.0)
    with pytest.raises(ValueError, match="dataclass"):
        GradientDescentRegressor(mean_pinball_loss).set_params(loss__alpha=0.5)
    assert model.loss == "huber"


class Scaled(PointwiseLoss):
    """Not a dataclass, and changed by its constructor."""

    def __init__(self, unit: float) -> None:
        self._inverse = 1 / unit

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return ((y_true - y_pred) * self._inverse) ** 2


def test_losses_that_are_no_dataclasses_are_copied_as_before() -> None:
    model = clone(GradientDescentRegressor(Scaled(2.0)))
    assert model.loss._inverse == 0.5
    assert model.loss.get_params() == {}


NAMES = {
    "squared_error": "neg_mean_squared_error",
    "mae": "neg_mean_absolute_error",
    "absolute_percentage_error": "neg_mean_absolute_percentage_error",
    "poisson": "neg_mean_poisson_deviance",
    "gamma": "neg_mean_gamma_deviance",
}


@pytest.mark.parametrize("name", NAMES)
def test_scorers_are_those_of_scikit_learn(name: str) -> None:
    model = PoissonRegressor().fit(X, y)
    weight = np.arange(len(y)) % 3
    mine, theirs = loss_scorer(name), get_scorer(NAMES[name])
    assert_allclose(mine(model, X, y), theirs(model, X, y))
    expected = theirs(model, X, y, sample_weight=weight)
    assert_allclose(mine(model, X, y, sample_weight=weight), expected)
    copy = pickle.loads(pickle.dumps(mine))
    assert copy(model, X, y) == mine(model, X, y)
    assert repr(copy).startswith("loss_scorer(")


def test_scorers_of_several_targets_and_of_what_rows_bring() -> None:
    both = np.column_stack([y, 2 * y])
    model = LinearRegression().fit(X, both)
    expected = get_scorer("neg_mean_squared_error")(model, X, both)
    assert_allclose(loss_scorer("mse")(model, X, both), expected)

    class Shifted:
        def predict(self, X: Any, offset: Any = 0.0) -> Any:
            return X[:, 0] + offset

    def weighed(y_true: Any, y_pred: Any, cost: Any) -> Any:
        return cost * (y_true - y_pred) ** 2

    loss: Any = weighed
    score = loss_scorer(loss)(
        Shifted(), X, y, offset=y, row_data={"cost": np.full(len(y), 3.0)}
    )
    assert_allclose(score, -3 * np.mean(X[:, 0] ** 2))


def test_a_scorer_needs_a_scale() -> None:
    with pytest.raises(ValueError, match=r"Pass Huber\(scale=...\)"):
        loss_scorer("huber")
    model = LinearRegression().fit(X, y)
    assert loss_scorer(Huber(scale=50.0))(model, X, y) < 0


def test_scorers_get_weights_without_routing() -> None:
    weight = (np.arange(len(y)) % 2).astype(float)
    grid = {"alpha": [0.1]}
    scoring = {"mine": loss_scorer("mse"), "theirs": "neg_mean_squared_error"}
    model = GradientDescentRegressor()
    search = GridSearchCV(model, grid, scoring=scoring, refit="mine")
    found = search.fit(X, y, sample_weight=weight).cv_results_
    assert_allclose(found["mean_test_mine"], found["mean_test_theirs"])


@sklearn.config_context(enable_metadata_routing=True)
def test_scorers_route_weights() -> None:
    weight = (np.arange(len(y)) % 2).astype(float)
    loss = Pinball(0.8)
    model = GradientDescentRegressor(loss).set_fit_request(sample_weight=True)
    scorer = loss_scorer(loss).set_score_request(sample_weight=True)
    halves = [(np.arange(0, 300), np.arange(300, len(y)))]
    search = GridSearchCV(model, {"alpha": [0.1]}, scoring=scorer, cv=halves)
    found = search.fit(X, y, sample_weight=weight).cv_results_["mean_test_score"]
    (train, test) = halves[0]
    alone = clone(model).set_params(alpha=0.1).fit(X[train], y[train], weight[train])
    expected = mean_pinball_loss(
        y[test], alone.predict(X[test]), alpha=0.8, sample_weight=weight[test]
    )
    assert_allclose(found, -expected)
    both = GradientDescentRegressorCV([0.1], loss="mae", scoring=scorer, max_iter=9)
    both.set_params(tol=0).fit(X, y, sample_weight=weight)
    assert np.isfinite(both.best_score_)


@pytest.mark.parametrize(
    ("loss", "theirs"),
    [
        ("mse", r2_score),
        ("mae", d2_absolute_error_score),
        (Pinball(0.8), partial(d2_pinball_score, alpha=0.8)),
        ("poisson", partial(d2_tweedie_score, power=1)),
        ("gamma", partial(d2_tweedie_score, power=2)),
    ],
)
def test_d2_is_that_of_scikit_learn(loss: Any, theirs: Any) -> None:
    found = PoissonRegressor().fit(X, y).predict(X)
    weight = np.arange(len(y)) % 3
    assert_allclose(d2_score(y, found, loss=loss), theirs(y, found), atol=1e-6)
    expected = theirs(y, found, sample_weight=weight)
    mine = d2_score(y, found, loss=loss, sample_weight=weight)
    assert_allclose(mine, expected, atol=1e-6)
    if theirs is not d2_tweedie_score and not isinstance(theirs, partial):
        both = np.column_stack([y, y[::-1]])
        predicted = np.column_stack([found, found])
        expected = theirs(both, predicted)
        assert_allclose(d2_score(both, predicted, loss=loss), expected, atol=1e-6)


def test_d2_of_a_loss_that_sees_its_row() -> None:
    def weighed(y_true: Any, y_pred: Any, *, cost: Any) -> Any:
        return cost * (y_true - y_pred) ** 2

    cost = 1.0 + np.arange(len(y)) % 2
    found = LinearRegression().fit(X, y).predict(X)
    mine = d2_score(y, found, loss=weighed, row_data={"cost": cost})
    assert_allclose(mine, r2_score(y, found, sample_weight=cost), rtol=1e-6)


def test_d2_refuses() -> None:
    with pytest.raises(ValueError, match=r"Pass Huber\(scale=...\)"):
        d2_score(y, y, loss="huber")
    with pytest.raises(ValueError, match=r"\(2,\) and \(442,\)"):
        d2_score(y, y[:2], loss="mse")
    assert d2_score(y, y, loss=Huber(scale=1.0)) == 1.0
