"""A strength of the penalty for each coefficient of several outputs, or classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression, QuantileRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_adreg import (
    GradientDescentClassifier,
    GradientDescentRegressor,
    GradientDescentRegressorCV,
    max_stable_epsilon,
)
from sklearn_adreg.losses import Huber, Multinomial, NormalLogLikelihood, Quantiles

EVERY = np.random.default_rng(3).uniform(0.01, 0.1, (3, 5))
STRENGTHS = [
    np.array([0.02, 0.5, 0.1, 0.01, 0.05]),
    np.array([[0.01], [0.3], [0.05]]),
    EVERY,
    EVERY * (np.arange(15).reshape(3, 5) % 4 > 0),
]
NAMES = ["columns", "outputs", "both", "some free"]


def wine() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X[:, :5]), y


def optimum(X: np.ndarray, y: np.ndarray, alpha: Any, l1_ratio: float) -> np.ndarray:
    """Coefficients of a softmax by L-BFGS-B, in their positive and negative parts."""
    n_rows, n_columns, labels = len(y), X.shape[1], np.eye(3)[y]
    strengths = np.broadcast_to(alpha, (3, n_columns))
    shape = 2, 3, n_columns

    def objective(unknowns: np.ndarray) -> tuple[float, np.ndarray]:
        parts, level = unknowns[:-3].reshape(shape), unknowns[-3:]
        coef = parts[0] - parts[1]
        found = log_softmax(X @ coef.T + level, axis=1)
        slope = (np.exp(found) - labels) / n_rows
        ridge = (1 - l1_ratio) * strengths
        value = -(labels * found).sum() / n_rows + (ridge * coef**2).sum() / 2
        value += l1_ratio * (strengths * parts).sum()
        by_coef = slope.T @ X + ridge * coef
        by_parts = np.array([by_coef, -by_coef]) + l1_ratio * strengths
        return value, np.append(by_parts, slope.sum(axis=0))

    bounds = [(0, None)] * (6 * n_columns) + [(None, None)] * 3
    options = {"maxiter": 10_000, "maxfun": 20_000, "ftol": 1e-16, "gtol": 1e-10}
    start = np.zeros(len(bounds))
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    parts = found.x[:-3].reshape(shape)
    return np.asarray(parts[0] - parts[1])


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("alpha", STRENGTHS, ids=NAMES)
def test_softmax(alpha: np.ndarray, l1_ratio: float) -> None:
    X, y = wine()
    expected = optimum(X, y, alpha, l1_ratio)
    settings: dict[str, Any] = {"alpha": alpha, "l1_ratio": l1_ratio, "tol": 1e-9}
    model = GradientDescentRegressor(Multinomial(3), **settings)
    assert_allclose(model.fit(X, y).coef_, expected, atol=2e-5)
    classifier = GradientDescentClassifier(**settings).fit(sparse.csr_array(X), y)
    assert_allclose(classifier.coef_, expected, atol=2e-5)
    # The textbook's steps stay there.
    settings |= {"epsilon": 0.1, "tol": 0, "max_iter": 20, "warm_start": True}
    textbook = GradientDescentRegressor(Multinomial(3), **settings)
    textbook.coef_, textbook.intercept_ = model.coef_, model.intercept_
    assert_allclose(textbook.fit(X, y).coef_, expected, atol=2e-5)


def test_two_classes() -> None:
    # Columns divided by the roots of the strengths, and penalised alike.
    X, y = wine()
    y, alpha = y == 1, STRENGTHS[0]
    model = GradientDescentClassifier(alpha=alpha, tol=1e-10).fit(X, y)
    settings: dict[str, Any] = {"C": 1 / len(y), "solver": "newton-cg", "tol": 1e-10}
    expected = LogisticRegression(**settings).fit(X / np.sqrt(alpha), y)
    assert_allclose(model.coef_, expected.coef_ / np.sqrt(alpha), atol=1e-6)
    assert_allclose(model.intercept_, expected.intercept_, atol=1e-6)


def test_each_class_told_from_all_others() -> None:
    X, y = wine()
    settings: dict[str, Any] = {"loss": "squared_hinge", "tol": 1e-9}
    model = GradientDescentClassifier(alpha=EVERY, **settings).fit(X, y)
    for label, alpha, coef in zip(range(3), EVERY, model.coef_, strict=True):
        alone = GradientDescentClassifier(alpha=alpha, **settings).fit(X, y == label)
        assert_allclose(coef, alone.coef_[0], atol=1e-7)


@pytest.mark.parametrize("kept", ["whitened", "scaled"])
def test_more_columns_than_rows(kept: str) -> None:
    # Fewer columns of a sparse X are whitened.
    rng, n_columns = np.random.default_rng(0), 60 if kept == "whitened" else 400
    X = sparse.random_array((45, n_columns), density=0.2, rng=0).tocsr()
    y = (X[:, :3] + 0.3 * rng.standard_normal((45, 3))).argmax(axis=1)
    given = X.toarray() if kept == "whitened" else X
    # With a strength of each class, coefficients are in the span of the rows.
    alpha = rng.uniform(0.01, 0.03, (3, n_columns))
    for strengths in (alpha, alpha[:, :1]):
        expected = optimum(X.toarray(), y, strengths, 0.0)
        model = GradientDescentClassifier(alpha=strengths, tol=1e-8)
        assert_allclose(model.fit(given, y).coef_, expected, atol=2e-5)


def test_an_output_that_is_not_penalised_beside_one_that_is() -> None:
    """The ridge of the location is 1e4 times the second moment of the first column."""
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((200, 2))
    X = np.c_[1e-5 * Z[:, 0], 1e5 * (Z[:, 0] + 1e-7 * Z[:, 1])]
    y = Z[:, 0] + np.exp(Z @ [0.3, 0.2]) * rng.standard_normal(200)
    alpha = np.array([[1e-6, 1e-6], [0.0, 0.0]])
    model = GradientDescentRegressor(NormalLogLikelihood(), alpha=alpha).fit(X, y)

    def objective(theta: np.ndarray) -> float:
        location = theta[0] * X[:, 1] / 1e5 + theta[1]
        log_scale = Z @ theta[2:4] + theta[4]
        errors = (y - location) * np.exp(-log_scale)
        return float((errors**2 / 2 + log_scale).mean() + np.log(2 * np.pi) / 2)

    expected = minimize(objective, np.zeros(5), options={"gtol": 1e-9}).fun
    assert abs(model.loss_curve_[-1] - expected) < 1e-9
    assert model.n_iter_ < 30  # 9; the penalty is 1e-16


def test_levels() -> None:
    X, y = wine()
    X, y = X[:, :-1], X[:, -1] + 0.3 * X[:, 0] ** 2
    alphas, levels = [0.02, 0.05, 0.1], (0.2, 0.5, 0.8)
    loss = Quantiles(levels, crossing=True)
    strengths = np.array(alphas)[:, None]
    settings: dict[str, Any] = {"alpha": strengths, "l1_ratio": 1.0, "tol": 1e-10}
    model = GradientDescentRegressor(loss, **settings).fit(X, y)
    for level, alpha, coef in zip(levels, alphas, model.coef_, strict=True):
        expected = QuantileRegressor(quantile=level, alpha=alpha).fit(X, y)
        assert_allclose(coef, expected.coef_, atol=1e-4)
    apart = GradientDescentRegressor(Quantiles(levels), alpha=strengths).fit(X, y)
    assert (np.diff(apart.predict(X), axis=1) > 0).all()
    ridge = GradientDescentRegressor(loss, alpha=strengths).fit(X, y)
    assert ridge.loss_curve_[-1] <= apart.loss_curve_[-1] * (1 + 1e-6)


def test_offsets_and_starts_go_with_their_targets() -> None:
    X, y = wine()
    rng = np.random.default_rng(0)
    Y, offset = X[:, :2] + rng.standard_normal((len(y), 2)), rng.random((len(y), 2))
    for loss in ("squared_error", "log_cosh", Huber(scale="mad")):
        settings: dict[str, Any] = {"loss": loss, "tol": 1e-10, "warm_start": True}
        model = GradientDescentRegressor(alpha=EVERY[:2], **settings)
        model.fit(X, Y, offset=offset)
        found = model.coef_
        for j in range(2):
            alone = GradientDescentRegressor(alpha=EVERY[j], **settings)
            alone.fit(X, Y[:, j], offset=offset[:, j])
            assert_allclose(found[j], alone.coef_, rtol=1e-6)
        again = model.fit(X, Y, offset=offset)
        assert_allclose(again.coef_, found, rtol=1e-6)
        assert again.n_iter_ <= 2


def test_search_with_offsets() -> None:
    X, y = wine()
    rng = np.random.default_rng(0)
    target, offset = X @ np.ones(5) + rng.standard_normal(len(y)), 1.0 * y
    alphas = [EVERY[0], 10 * EVERY[1]]
    search = GradientDescentRegressorCV([0.1], loss="log_cosh", alphas=alphas, cv=3)
    search.fit(X, target, offset=offset)
    model = GradientDescentRegressor("log_cosh", epsilon=0.1, alpha=search.alpha_)
    assert_allclose(model.fit(X, target, offset=offset).coef_, search.coef_)


def test_stable_steps() -> None:
    X, y = wine()
    gram = 2 * np.cov(X.T, bias=True)
    both = np.array([[0, 9, 0, 0, 0], [0, 0, 9, 0, 0]])
    found = max_stable_epsilon(X, np.c_[y, y], alpha=both)
    largest = max(np.linalg.eigvalsh(gram + np.diag(each))[-1] for each in both)
    assert found == pytest.approx(2 / largest)
    assert max_stable_epsilon(X, alpha=both[0]) >= found


def test_bad_strengths() -> None:
    X, y = wine()
    for n_classes, shape in ((2, r"\(1, 5\)"), (3, r"\(3, 5\)")):
        match = f"'alpha' parameter of GradientDescentClassifier.*{shape}.*Got shape"
        with pytest.raises(ValueError, match=match):
            GradientDescentClassifier(alpha=np.ones(4)).fit(
                X, np.minimum(y, n_classes - 1)
            )
    with pytest.raises(ValueError, match=r"'alpha' parameter.*of shape \(3, 5\)"):
        GradientDescentRegressor(Multinomial(3), alpha=np.ones((2, 5))).fit(X, y)
    given = EVERY.copy()
    model = GradientDescentClassifier(alpha=given).fit(X, y)
    assert model.get_params()["alpha"] is given
    assert_array_equal(given, EVERY)
