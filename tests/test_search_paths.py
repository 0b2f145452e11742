"""Numbers of steps and penalties: against loops in NumPy, and fits of so many steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import make_scorer, max_error
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.exceptions import DivergenceError

N_STEPS = 30


def data() -> tuple[np.ndarray, np.ndarray]:
    """More columns than five folds can determine well, and much noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 20)) * np.geomspace(1, 0.1, 20)
    return X, X @ rng.standard_normal(20) + 2 * rng.standard_normal(60) + 1.0


def epsilons() -> np.ndarray:
    X, _ = data()
    largest = len(X) / np.linalg.norm(X - X.mean(axis=0), ord=2) ** 2
    return largest * np.array([0.02, 0.2, 0.7])


def score_of(scoring: Any, epsilon: float, n_steps: int) -> np.ndarray:
    model = GradientDescentRegressor(epsilon=epsilon, max_iter=n_steps, tol=0)
    return cross_val_score(model, *data(), scoring=scoring)


SCORING = {
    "formula": "neg_root_mean_squared_error",
    "scorer": make_scorer(max_error, greater_is_better=False),
}


@pytest.mark.parametrize("name", SCORING)
def test_path_scores(name: str) -> None:
    scoring, X, y = SCORING[name], *data()
    model = GradientDescentRegressorCV(
        epsilons(), scoring=scoring, max_iter=N_STEPS, tol=0, store_path_scores=True
    ).fit(X, y)
    assert model.path_scores_.shape == (5, 3, N_STEPS + 1)
    for number, epsilon in enumerate(epsilons()):
        for n_steps in (1, 2, 7, N_STEPS):
            expected = score_of(scoring, epsilon, n_steps)
            found = model.path_scores_[:, number, n_steps]
            assert_allclose(found, expected, rtol=1e-8)
    # At the start every model is the mean of its training rows.
    start = [score_of(scoring, 1e-12, 1) for _ in epsilons()]
    assert_allclose(model.path_scores_[:, :, 0].T, start, rtol=1e-8)
    # Products with fewer columns are rounded differently.
    found = model.path_scores_[:, :, -1].mean(axis=0)
    assert_allclose(model.cv_results_["mean_test_score"], found, rtol=1e-13)


def test_early_stopping() -> None:
    X, y = data()
    model = GradientDescentRegressorCV(
        epsilons(), max_iter=500, early_stopping=True, store_path_scores=True
    ).fit(X, y)
    means = model.path_scores_.mean(axis=0)
    best = np.unravel_index(means.argmax(), means.shape)
    assert model.best_index_ == best[0]
    assert model.best_n_iter_ == model.n_iter_ == best[1]
    assert 1 < model.best_n_iter_ < 500
    assert model.best_score_ == pytest.approx(means.max(), rel=1e-13)
    assert model.best_params_ == {
        "epsilon": epsilons()[best[0]],
        "max_iter": best[1],
        "tol": 0.0,
    }
    expected = GradientDescentRegressor(**model.best_params_).fit(X, y)
    assert_array_equal(model.coef_, expected.coef_)
    steps = model.cv_results_["param_max_iter"]
    assert_array_equal(steps, means[:, 1:].argmax(axis=1) + 1)
    for number, n_steps in enumerate(steps):
        expected_scores = score_of("r2", epsilons()[number], n_steps)
        found = [model.cv_results_[f"split{i}_test_score"][number] for i in range(5)]
        assert_allclose(found, expected_scores, rtol=1e-8)


def test_early_stopping_by_the_first_of_several_scorers() -> None:
    X, y = data()
    scoring = ["neg_mean_absolute_error", "r2"]
    model = GradientDescentRegressorCV(
        epsilons(), scoring=scoring, max_iter=N_STEPS, early_stopping=True
    ).fit(X, y)
    n_steps = model.cv_results_["param_max_iter"][model.best_index_]
    for name in scoring:
        expected = score_of(name, model.epsilon_, n_steps)
        found = model.cv_results_[f"mean_test_{name}"][model.best_index_]
        assert_allclose(found, expected.mean(), rtol=1e-8)


def test_early_stopping_ends_before_divergence() -> None:
    # Too long a step goes downhill at first, along the other directions.
    X, y = data()
    too_long = epsilons()[-1] * 1.4
    model = GradientDescentRegressorCV(
        [epsilons()[0], too_long],
        max_iter=500,
        early_stopping=True,
        store_path_scores=True,
    ).fit(X, y)
    assert np.isnan(model.path_scores_[:, 1, -1]).any()
    assert np.isfinite(model.cv_results_["mean_test_score"]).all()
    with pytest.warns(FitFailedWarning, match="1 of 2"):
        model.set_params(early_stopping=False, tol=1e-2).fit(X, y)
    assert not hasattr(model, "best_n_iter_")


def descended(
    gram: np.ndarray, cross: np.ndarray, epsilon: float, alpha: float, n_steps: int
) -> np.ndarray:
    """The textbook's loop."""
    coef = np.zeros_like(cross)
    for _ in range(n_steps):
        coef = coef - epsilon * (2 * (gram @ coef - cross) + alpha * coef)
    return coef


def random_rows(seed: int, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns whose second moments range over six orders, and two targets."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, 6)) * np.geomspace(1, 1e-3, 6)
    return X, rng.standard_normal((n_rows, 2))


def moments(X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return X.T @ X / len(X), X.T @ Y / len(X)


def longest_step(gram: np.ndarray, alpha: float) -> float:
    return float(1 / (np.linalg.eigvalsh(gram)[-1] + alpha / 2))


PARTS = [1e-4, 0.3, 0.5, 0.8, 1.0, 1.1]
ROWS = pytest.mark.parametrize("n_rows", [3, 50], ids=["singular", "regular"])


@ROWS
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("n_steps", [1, 2, 15, 200])
def test_any_number_of_steps(
    n_rows: int, alpha: float, part: float, n_steps: int
) -> None:
    X, Y = random_rows(1, n_rows)
    gram, cross = moments(X, Y)
    epsilon = part * longest_step(gram, alpha)
    expected = descended(gram, cross, epsilon, alpha, n_steps)

    def objective(coef: np.ndarray) -> float:
        quadratic = (coef * (gram @ coef - 2 * cross)).sum()
        return float(quadratic + alpha / 2 * (coef**2).sum())

    model = GradientDescentRegressor(
        epsilon=epsilon, alpha=alpha, max_iter=n_steps, tol=0, fit_intercept=False
    )
    if objective(expected) > 1e-12:
        with pytest.raises(DivergenceError):
            model.fit(X, Y)
        return
    scale = np.abs(expected).max()
    found = model.fit(X, Y).coef_.T
    assert_allclose(found, expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.filterwarnings("ignore:Gradient descent diverged")
@ROWS
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_paths_of_any_step_length(n_rows: int, alpha: float) -> None:
    # Two folds, of so many rows each.
    X, Y = random_rows(1, 2 * n_rows)
    steps = np.array(PARTS) * longest_step(moments(X, Y)[0], alpha)
    model = GradientDescentRegressorCV(
        steps,
        alphas=[alpha],
        cv=2,
        scoring="neg_mean_squared_error",
        max_iter=200,
        tol=0,
        early_stopping=True,
        fit_intercept=False,
        store_path_scores=True,
    ).fit(X, Y)
    for fold, test in enumerate((slice(None, n_rows), slice(n_rows, None))):
        train = slice(n_rows, None) if fold == 0 else slice(None, n_rows)
        gram, cross = moments(X[train], Y[train])
        for number, epsilon in enumerate(steps):
            for n_steps in (0, 1, 2, 15, 200):
                coef = descended(gram, cross, epsilon, alpha, n_steps)
                expected = -np.mean((X[test] @ coef - Y[test]) ** 2)
                found = model.path_scores_[fold, number, n_steps]
                if np.isfinite(found):
                    assert_allclose(found, expected, rtol=1e-9)
                else:  # a descent that has gone uphill has no score
                    value = (coef * (gram @ coef - 2 * cross)).sum()
                    assert value + alpha / 2 * (coef**2).sum() > 0


@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("tol", [0.3, 1e-3, 1e-6])
@pytest.mark.parametrize("part", [1e-3, 0.1, 0.5, 0.9])
@pytest.mark.filterwarnings("ignore:Gradient descent did not converge")
def test_where_descents_stop(part: float, tol: float, alpha: float) -> None:
    X, Y = random_rows(2, 50)
    gram, cross = moments(X, Y)
    epsilon = part * longest_step(gram, alpha)
    square = (Y**2).mean(axis=0)
    model = GradientDescentRegressor(
        epsilon=epsilon, alpha=alpha, max_iter=300, tol=tol, fit_intercept=False
    ).fit(X, Y)
    for n_steps in range(300):
        coef = descended(gram, cross, epsilon, alpha, n_steps)
        gradient = 2 * (gram @ coef - cross) + alpha * coef
        error = np.sqrt(epsilon * (gradient**2).sum(axis=0) / square)
        if error.max() <= tol:
            break
    else:
        n_steps = 300
    assert model.n_iter_ == n_steps


@pytest.mark.filterwarnings("ignore:Gradient descent did not converge")
@pytest.mark.parametrize("n_targets", [1, 2])
def test_penalties(place: dict[str, Any], n_targets: int) -> None:
    X, y = data()
    y = np.column_stack([y, X[:, 0]])[:, :n_targets].squeeze()
    grid = {"alpha": [0.0, 0.1, 1.0], "epsilon": epsilons()[:2]}
    limits: dict[str, Any] = {"max_iter": 100, "tol": 0.01}
    model = GradientDescentRegressor(**limits, **place)
    theirs = GridSearchCV(model, grid, cv=3).fit(X, y)
    ours = GradientDescentRegressorCV(
        grid["epsilon"], alphas=grid["alpha"], cv=3, **limits, **place
    ).fit(X, y)
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    for name in ("split0_test_score", "mean_test_score", "std_test_score"):
        found, expected = ours.cv_results_[name], theirs.cv_results_[name]
        assert_allclose(found, expected, rtol=1e-8)
    assert ours.alpha_ == theirs.best_params_["alpha"]
    assert_allclose(ours.coef_, theirs.best_estimator_.coef_, rtol=1e-8)


def test_longest_step_with_a_penalty() -> None:
    X, y = data()
    plain = GradientDescentRegressorCV(max_iter=5, tol=0).fit(X, y).max_epsilon_
    model = GradientDescentRegressorCV(alphas=[0.0, 3.0], max_iter=5, tol=0).fit(X, y)
    assert_allclose(1 / model.max_epsilon_, 1 / plain + 1.5, rtol=1e-10)
