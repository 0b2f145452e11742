"""Ridge, lasso and what lies between: against scikit-learn, and by their conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from autograd import elementwise_grad
from covering import in_turns
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import (
    LOSSES,
    GammaDeviance,
    Huber,
    LogCosh,
    Pinball,
    PoissonDeviance,
)

Arrays = tuple[np.ndarray, np.ndarray]
# Predictions are then within 1e-10 of the optimum's, relative to the spread of y.
TIGHT = 1e-10


def tall() -> Arrays:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 20)) + 2.0
    return X, 5.0 + X[:, ::4] @ [3.0, -2.0, 1.0, 0.5, 0.1] + rng.standard_normal(300)


def wide() -> Arrays:
    """More columns than a step looks at: working sets."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((50, 600))
    return X, 5.0 + X[:, :6] @ np.arange(1.0, 7.0) + 0.5 * rng.standard_normal(50)


def correlated() -> Arrays:
    """Neighbours share 0.95 of their deviation; columns differ in scale."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((200, 30))
    for j in range(1, 30):
        X[:, j] = 0.95 * X[:, j - 1] + np.sqrt(1 - 0.95**2) * X[:, j]
    X *= np.geomspace(0.5, 2.0, 30)
    return X, X[:, ::5].sum(axis=1) + rng.standard_normal(200)


def constants() -> Arrays:
    X, y = tall()
    X[:, 3], X[:, 7] = 0.0, 4.0
    return X, y


def low_rank() -> Arrays:
    """Columns that span five dimensions."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((100, 5)) @ rng.standard_normal((5, 40))
    return X, X[:, :3].sum(axis=1) + rng.standard_normal(100)


ALL = [tall, wide, correlated, constants, low_rank]
DATA = pytest.mark.parametrize("data", ALL, ids=lambda data: data.__name__)


def strongest(X: np.ndarray, y: np.ndarray, weights: Any = None) -> float:
    """The alpha of a lasso on squared error from which on all coefficients are zero."""
    shares = np.full(len(y), 1 / len(y)) if weights is None else weights / weights.sum()
    return float(2 * np.abs(((y - shares @ y) * shares) @ (X - shares @ X)).max())


def elastic_net(
    X: np.ndarray, y: np.ndarray, alpha: float, l1_ratio: float, **options: Any
) -> ElasticNet:
    """The same objective, halved, to a duality gap of 1e-12 of y's square."""
    weights = options.pop("sample_weight", None)
    model = ElasticNet(
        alpha=alpha / 2, l1_ratio=l1_ratio, tol=1e-12, max_iter=10**6, **options
    )
    return model.fit(X, y, sample_weight=weights)


def check_equal(model: Any, expected: Any, X: np.ndarray, y: np.ndarray) -> None:
    assert_array_equal(model.coef_ == 0, expected.coef_ == 0)
    # A gap of 1e-12 of y's square is 1e-6 of y in the predictions, at worst.
    size = np.abs(expected.coef_).max()
    assert_allclose(model.coef_, expected.coef_, atol=1e-6 * size, rtol=0)
    assert_allclose(model.predict(X), expected.predict(X), atol=1e-6 * np.std(y))


# Of each pair of them all combinations.
@pytest.mark.parametrize(
    ("l1_ratio", "weighted", "fit_intercept"),
    [(1.0, False, True), (1.0, True, False), (0.5, False, False), (0.5, True, True)],
)
@DATA
def test_elastic_net(
    data: Any, l1_ratio: float, weighted: bool, fit_intercept: bool
) -> None:
    X, y = data()
    weights = (
        np.random.default_rng(3).integers(0, 3, len(y)) * 0.3 if weighted else None
    )
    for part in (0.5, 0.05, 0.005):
        alpha = part * strongest(X, y, weights)
        model = GradientDescentRegressor(
            alpha=alpha, l1_ratio=l1_ratio, tol=TIGHT, fit_intercept=fit_intercept
        ).fit(X, y, sample_weight=weights)
        expected = elastic_net(
            X, y, alpha, l1_ratio, sample_weight=weights, fit_intercept=fit_intercept
        )
        assert model.coef_.any()
        check_equal(model, expected, X, y)
        check_conditions(model, X, y, weights)


@pytest.mark.parametrize("data", [tall, wide], ids=lambda data: data.__name__)
def test_lasso_everywhere(data: Any, place: dict[str, Any]) -> None:
    X, y = data()
    alpha = 0.1 * strongest(X, y)
    model = GradientDescentRegressor(alpha=alpha, l1_ratio=1.0, tol=TIGHT, **place)
    check_equal(model.fit(X, y), elastic_net(X, y, alpha, 1.0), X, y)


def test_lasso_of_several_targets(place: dict[str, Any]) -> None:
    X, y = tall()
    Y = np.c_[y, -3.0 * y + X[:, 1], 100.0 * X[:, 2]]
    model = GradientDescentRegressor(alpha=0.5, l1_ratio=1.0, tol=TIGHT, **place)
    coef = model.fit(X, Y).coef_
    for target, found in zip(Y.T, coef, strict=True):
        expected = elastic_net(X, target, 0.5, 1.0).coef_
        assert_array_equal(found == 0, expected == 0)
        assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@DATA
def test_ridge(data: Any, weighted: bool, fit_intercept: bool) -> None:
    X, y = data()
    weights = np.random.default_rng(3).integers(0, 3, len(y)) * 0.3
    weights = weights if weighted else np.ones(len(y))
    for alpha in (1e-4, 0.1, 100.0):
        model = GradientDescentRegressor(
            alpha=alpha, tol=TIGHT, fit_intercept=fit_intercept
        ).fit(X, y, sample_weight=weights)
        theirs = alpha / 2 * weights.sum()
        solver = "svd" if len(X) > X.shape[1] else "cholesky"
        expected = Ridge(alpha=theirs, solver=solver, fit_intercept=fit_intercept)
        expected.fit(X, y, sample_weight=weights)
        # Rounding, times the condition number, which is 1e5 at the smallest alpha.
        size = np.abs(expected.coef_).max()
        assert_allclose(model.coef_, expected.coef_, atol=1e-8 * size, rtol=0)
        assert_allclose(model.intercept_, expected.intercept_, rtol=1e-7)


def test_ridge_of_several_targets(place: dict[str, Any]) -> None:
    X, y = tall()
    Y = np.c_[y, 3.0 * X[:, 0] - 7.0]
    model = GradientDescentRegressor(alpha=0.2, tol=TIGHT, **place).fit(X, Y)
    expected = Ridge(alpha=0.1 * len(X), solver="svd").fit(X, Y)
    assert_allclose(model.coef_, expected.coef_, atol=1e-9)
    assert_allclose(model.intercept_, expected.intercept_, rtol=1e-9)


def test_duplicate_columns() -> None:
    # The solution is not unique; the objective is.
    X, y = tall()
    X = np.c_[X, X[:, :8], -X[:, :3]]
    alpha = 0.05 * strongest(X, y)
    model = GradientDescentRegressor(alpha=alpha, l1_ratio=1.0, tol=TIGHT).fit(X, y)
    expected = elastic_net(X, y, alpha, 1.0)
    objectives = [
        np.mean((y - fit.predict(X)) ** 2) + alpha * np.abs(fit.coef_).sum()
        for fit in (model, expected)
    ]
    # ElasticNet's duality gap.
    assert objectives[0] <= objectives[1] + 1e-12 * np.mean(y**2)
    check_conditions(model, X, y, None)
    # The ridge shares among equals.
    model.set_params(alpha=0.1, l1_ratio=0.0).fit(X, y)
    assert_allclose(model.coef_[:8], model.coef_[20:28], atol=1e-9)
    assert_allclose(model.coef_[:3], -model.coef_[28:], atol=1e-9)


def check_conditions(
    model: GradientDescentRegressor, X: np.ndarray, y: np.ndarray, weights: Any
) -> None:
    """The gradient is within the subdifferential of the penalty."""
    loss = LOSSES[model.loss] if isinstance(model.loss, str) else model.loss
    inverse_link = getattr(loss, "inverse_link", lambda linear: linear)
    slope = elementwise_grad(lambda z: loss(y, inverse_link(z)))
    shares = np.ones(len(y)) if weights is None else weights
    shares = shares / shares.sum()
    slopes = shares * slope(X @ model.coef_ + model.intercept_)
    gradient = slopes @ X + model.alpha * (1 - model.l1_ratio) * model.coef_
    lasso = model.alpha * model.l1_ratio
    # The change of the linear predictor that is left, in units of y or of its
    # logarithm, times the largest curvature, at most 10 here, and a column's size.
    left = 10 * model.tol * max(np.std(y), 1.0) * np.sqrt(np.mean(X**2, axis=0))
    left += 1e-13 * np.abs(slopes) @ np.abs(X)  # rounding
    chosen = model.coef_ != 0
    error = np.abs(gradient + lasso * np.sign(model.coef_))
    assert (error[chosen] <= left[chosen]).all()
    assert (np.abs(gradient[~chosen]) <= lasso + left[~chosen]).all()
    if model.fit_intercept:
        # It is not penalised.
        assert abs(slopes.sum()) <= 10 * model.tol * max(np.std(y), 1.0)


SMOOTH = [Huber(1.0, scale=1.0), LogCosh(scale=1.0), PoissonDeviance(), GammaDeviance()]


def suited(loss: Any, data: Any) -> Arrays:
    """Counts, or amounts, for the deviances."""
    X, y = data()
    if hasattr(loss, "inverse_link"):
        rng = np.random.default_rng(4)
        z = (y - y.mean()) / np.std(y)
        y = rng.poisson(np.exp(z)) + 0.5 * isinstance(loss, GammaDeviance)
    return X, np.asarray(y, dtype=float)


@pytest.mark.parametrize(("data", "l1_ratio"), in_turns(ALL, [1.0, 0.5]))
@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
def test_conditions(loss: Any, data: Any, l1_ratio: float) -> None:
    X, y = suited(loss, data)
    weights = np.random.default_rng(3).integers(0, 3, len(y)) * 0.3
    for alpha in (0.3, 0.03):
        model = GradientDescentRegressor(loss, alpha=alpha, l1_ratio=l1_ratio, tol=1e-8)
        model.fit(X, y, sample_weight=weights)
        assert (model.coef_ == 0).any()
        check_conditions(model, X, y, weights)


def test_an_elastic_net_that_meets_all_targets_comes_to_an_end() -> None:
    X, y = wide()
    model = GradientDescentRegressor("absolute_error", alpha=0.03, l1_ratio=0.5)
    model.set_params(tol=1e-9).fit(X, y)
    assert model.n_iter_ < 100
    assert_allclose(model.predict(X), y, atol=1e-6)


@pytest.mark.parametrize(("data", "quantile"), in_turns(ALL, [0.5, 0.8]))
def test_quantile_lasso(data: Any, quantile: float) -> None:
    X, y = data()
    loss = Pinball(quantile)
    for alpha in (0.2, 0.02):
        model = GradientDescentRegressor(loss, alpha=alpha, l1_ratio=1.0).fit(X, y)
        expected = QuantileRegressor(quantile=quantile, alpha=alpha).fit(X, y)
        found, best = (
            np.mean(loss(y, fit.predict(X))) + alpha * np.abs(fit.coef_).sum()
            for fit in (model, expected)
        )
        # What the estimator promises, relative to the optimum.
        assert found <= best * (1 + 1e-6)
        assert model.loss_curve_[-1] == pytest.approx(found, rel=1e-10)


@DATA
@pytest.mark.parametrize(
    ("loss", "other"),
    [(PoissonDeviance(), PoissonRegressor), (GammaDeviance(), GammaRegressor)],
    ids=["poisson", "gamma"],
)
def test_ridge_of_deviances(loss: Any, other: Any, data: Any) -> None:
    X, y = suited(loss, data)
    for alpha in (1.0, 1e-3):
        model = GradientDescentRegressor(loss, alpha=2 * alpha, tol=1e-8).fit(X, y)
        expected = other(alpha=alpha, solver="newton-cholesky", tol=1e-10).fit(X, y)
        found, best = (
            np.mean(loss(y, fit.predict(X))) + alpha * np.sum(fit.coef_**2)
            for fit in (model, expected)
        )
        assert found == pytest.approx(best, rel=1e-9)
