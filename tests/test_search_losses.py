"""The search with losses other than squared error, beside GridSearchCV."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from covering import in_turns
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.losses import (
    Huber,
    Linex,
    Multinomial,
    NormalLogLikelihood,
    Pinball,
)

# Parts of the step that the curvature at the start allows.
PARTS = np.array([0.01, 0.1, 0.4])


def data(n_targets: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Counts, which every loss is defined for."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4)) * [1.0, 0.5, 2.0, 1.0] + [1.0, 0.0, 2.0, 0.0]
    rate = np.exp(0.3 * X @ rng.standard_normal((4, n_targets)))
    y = 1.0 + rng.poisson(rate)
    return X, y[:, 0] if n_targets == 1 else y


def stock_out(y_true: Any, y_pred: Any) -> Any:
    return adnp.maximum(4 * (y_true - y_pred), y_pred - y_true)


def epsilons(loss: Any, **settings: Any) -> np.ndarray:
    model = GradientDescentRegressorCV([1e-6], loss=loss, max_iter=1, tol=0, **settings)
    # Lines have no curvature that would limit a step.
    return PARTS * min(model.fit(*data()).max_epsilon_, 0.5)


LOSSES = [Huber(), Pinball(0.8), "poisson_deviance", stock_out]


TARGETS = [(1, True), (2, False)]
NAMES = ["huber", "pinball", "poisson", "own"]


@pytest.mark.parametrize(("loss", "targets"), in_turns(LOSSES, TARGETS), ids=NAMES)
def test_equals_grid_search(loss: Any, targets: tuple[int, bool]) -> None:
    check_search(loss, *targets)


def test_equals_grid_search_everywhere(place: dict[str, Any]) -> None:
    check_search("poisson_deviance", *TARGETS[1], **place)


def check_search(loss: Any, n_targets: int, fit_intercept: bool, **place: Any) -> None:
    X, y = data(n_targets)
    steps = epsilons(loss, fit_intercept=fit_intercept)
    limits: dict[str, Any] = {
        "loss": loss,
        "max_iter": 25,
        "tol": 0.02,
        "fit_intercept": fit_intercept,
    }
    grid = {"epsilon": steps, "alpha": [0.0, 0.2]}
    scoring = ["neg_mean_absolute_error", "r2"]
    with warnings.catch_warnings(action="ignore"):  # so few steps do not converge
        model = GradientDescentRegressor(**limits, **place)
        theirs = GridSearchCV(model, grid, cv=3, scoring=scoring, refit=scoring[0])
        ours = GradientDescentRegressorCV(
            steps, alphas=[0.0, 0.2], cv=3, scoring=scoring, **limits, **place
        )
        expected, found = theirs.fit(X, y), ours.fit(X, y)
    assert list(found.cv_results_) == list(expected.cv_results_)
    for name, values in expected.cv_results_.items():
        if "_test_" in name and "rank" not in name:
            assert_allclose(found.cv_results_[name], values, rtol=1e-8, err_msg=name)
    assert found.best_params_ == expected.best_params_
    assert_array_equal(found.coef_, expected.best_estimator_.coef_)
    assert_array_equal(found.predict(X), expected.predict(X))


def test_weights_and_other_processes() -> None:
    X, y = data()
    counts = np.random.default_rng(1).integers(0, 3, 60)
    groups = np.arange(60) // 20
    splits = [(groups != group, groups == group) for group in range(3)]
    rows = [tuple(map(np.flatnonzero, split)) for split in splits]
    repeated = np.repeat(np.arange(60), counts)
    again = [
        tuple(np.flatnonzero(part[repeated]) for part in split) for split in splits
    ]
    settings: dict[str, Any] = {"loss": "huber", "max_iter": 20, "tol": 0, "n_jobs": 2}
    steps = epsilons("huber")
    model = GradientDescentRegressorCV(steps, cv=rows, **settings)
    found = model.fit(X, y, counts.astype(float)).cv_results_["mean_test_score"]
    model = GradientDescentRegressorCV(steps, cv=again, **settings)
    expected = model.fit(X[repeated], y[repeated]).cv_results_["mean_test_score"]
    assert_allclose(found, expected, rtol=1e-8)


def test_weights_where_steps_that_are_too_long_magnify_rounding() -> None:
    """Targets times 1 + 1e-15 change the second score by 8e-3."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((90, 3))
    y = X[:, 0] + rng.standard_normal(90)
    weights = np.append(rng.uniform(0.5, 2, 30), np.ones(60))
    weights[40] = 1e3
    settings: dict[str, Any] = {"loss": NormalLogLikelihood(), "max_iter": 150}
    model = GradientDescentRegressor(epsilon=0.1, **settings)
    own = GradientDescentRegressorCV([0.1], cv=KFold(2), **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they do not converge
        own.fit(X, y, sample_weight=weights)
        for number, (train, test) in enumerate(KFold(2).split(X)):
            model.fit(X[train], y[train], sample_weight=weights[train])
            expected = model.score(X[test], y[test], sample_weight=weights[test])
            assert np.isfinite(expected)
            found = own.cv_results_[f"split{number}_test_score"][0]
            assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("rows", [6, 40])
def test_several_outputs_without_one_class_in_a_split(rows: int) -> None:
    """There the start runs off until no row has a slope: a fit and a search alike."""
    X = np.random.default_rng(5).standard_normal((rows, 2))
    y = np.append(np.arange(rows // 2) % 2, np.arange(rows - rows // 2) % 3)
    own = GradientDescentRegressorCV([0.1], loss=Multinomial(3), cv=KFold(2))
    model = GradientDescentRegressor(Multinomial(3), epsilon=0.1, max_iter=10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they do not converge
        own.set_params(max_iter=10).fit(X, y)
        expected = cross_val_score(model, X, y, cv=KFold(2))
    assert np.isfinite(expected).all()
    found = [own.cv_results_[f"split{number}_test_score"][0] for number in range(2)]
    assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_paths(device: str | None) -> None:
    X, y = data()
    steps = epsilons("huber")
    settings: dict[str, Any] = {"backend": "jax", "device": device, "loss": "huber"}
    model = GradientDescentRegressorCV(
        steps, max_iter=12, early_stopping=True, store_path_scores=True, **settings
    ).fit(X, y)
    assert model.path_scores_.shape == (5, 3, 13)
    for n_steps in (1, 5, 12):
        alone = GradientDescentRegressor(
            epsilon=steps[1], max_iter=n_steps, tol=0, **settings
        )
        expected = cross_val_score(alone, X, y)
        assert_allclose(model.path_scores_[:, 1, n_steps], expected, rtol=1e-8)
    means = model.path_scores_.mean(axis=0)[:, 1:]
    assert_array_equal(model.cv_results_["param_max_iter"], 1 + means.argmax(axis=1))
    assert_allclose(model.cv_results_["mean_test_score"], means.max(axis=1), rtol=1e-12)
    assert model.n_iter_ == model.best_n_iter_


def test_divergence() -> None:
    X, y = data()
    steps = epsilons("log_cosh")[1] * np.array([1.0, 1e4])
    model = GradientDescentRegressorCV(steps, loss="log_cosh", max_iter=20, tol=0)
    with pytest.warns(FitFailedWarning, match="1 of 2"):
        model.fit(X, y)
    assert_array_equal(np.isnan(model.cv_results_["mean_test_score"]), [False, True])


def test_epsilons_from_the_data() -> None:
    X, y = data()
    model = GradientDescentRegressorCV(
        loss="huber", cv=3, max_iter=100, early_stopping=True
    ).fit(X, y)
    assert model.epsilon_ < model.max_epsilon_
    best = GradientDescentRegressor("huber").fit(X, y)
    assert model.best_score_ > cross_val_score(best, X, y).mean() - 1e-3


def test_targets_are_checked() -> None:
    X, y = data()
    model = GradientDescentRegressorCV(loss="poisson_deviance")
    assert model.__sklearn_tags__().target_tags.positive_only
    with pytest.raises(ValueError, match="Poisson"):
        model.fit(X, -y)
    with pytest.raises(ValueError, match="'loss' parameter"):
        GradientDescentRegressorCV(loss="none such").fit(X, y)


@pytest.mark.parametrize(
    "loss", ["poisson_deviance", Linex(1.0)], ids=["domain", "steep"]
)
def test_rows_of_weight_zero_do_not_count(place: dict[str, Any], loss: Any) -> None:
    X, y = data()
    counts = np.ones(60)
    counts[[0, 30]] = 0.0
    # A target that the loss is not defined for, or at which it is as steep as no other.
    X[0], y[0], y[30] = 1e9, -1.0, -60.0
    settings: dict[str, Any] = {"loss": loss, "max_iter": 10, "tol": 0, **place}
    kept = np.flatnonzero(counts)
    groups = np.arange(60) // 20
    rows = [
        (np.flatnonzero(groups != g), np.flatnonzero(groups == g)) for g in range(3)
    ]
    again = [
        tuple(np.flatnonzero(np.isin(kept, part)) for part in split) for split in rows
    ]
    steps = [1e-3, 1e-2]
    found = GradientDescentRegressorCV(steps, cv=rows, **settings)
    expected = GradientDescentRegressorCV(steps, cv=again, **settings)
    found.fit(X, y, counts)
    expected.fit(X[kept], y[kept])
    assert_allclose(found.max_epsilon_, expected.max_epsilon_, rtol=1e-10)
    name = "mean_test_score"
    assert_allclose(found.cv_results_[name], expected.cv_results_[name], rtol=1e-6)
    assert_allclose(found.coef_, expected.coef_, rtol=1e-8)
    assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-10)


def test_the_largest_stable_epsilon_of_one_column() -> None:
    X, y = data()
    model = GradientDescentRegressorCV([1e-3], loss="huber", max_iter=5, tol=0)
    found = model.fit(X[:, :1], y).max_epsilon_
    # Second derivative 1 at small errors, and the intercept's second moment.
    largest = max(X[:, 0].var(), 1.0)
    assert_allclose(found, 2 / largest, rtol=1e-2)
