"""A strength of the penalty for each coefficient."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from glum import GeneralizedLinearRegressor
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LogisticRegression, QuantileRegressor
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_adreg import (
    GradientDescentClassifier,
    GradientDescentRegressor,
    GradientDescentRegressorCV,
)
from sklearn_adreg.exceptions import DivergenceError
from sklearn_adreg.losses import Huber, Pinball

ALPHA = np.array([0.0, 0.1, 1.0, 0.01, 0.0, 0.3])


def data(n_rows: int = 150) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 6)) * [1.0, 2.0, 0.5, 1.0, 3.0, 1.0] + 1.0
    return X, X @ [1.0, -0.5, 1.0, 0.0, 0.2, 0.1] + rng.standard_normal(n_rows)


def ridge_of(
    X: np.ndarray, y: np.ndarray, alpha: np.ndarray, weight: Any = None
) -> np.ndarray:
    """Coefficients by the normal equations, with the intercept last."""
    weight = np.ones(len(y)) if weight is None else weight
    X1, ridge = np.c_[X, np.ones(len(X))], np.append(alpha, 0.0)
    gram = 2 * (X1.T * weight) @ X1 / weight.sum() + np.diag(ridge)
    return np.linalg.solve(gram, 2 * (X1.T * weight) @ y / weight.sum())


@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("family", ["normal", "poisson"])
def test_agrees_with_glum(family: str, l1_ratio: float) -> None:
    # The objective there has half of the deviance, and penalties of their own for both
    # terms: with these numbers they are |P1 w| and w P2 w / 2.
    X, y = data()
    loss = "squared_error"
    if family == "poisson":
        loss = "poisson_deviance"
        y = np.random.default_rng(1).poisson(np.exp(0.3 * y)).astype(float)
    weight = np.random.default_rng(2).integers(0, 3, len(y)).astype(float)
    peer = GeneralizedLinearRegressor(
        family=family,
        alpha=2.0,
        l1_ratio=0.5,
        P1=l1_ratio * ALPHA / 2,
        P2=(1 - l1_ratio) * ALPHA / 2,
        gradient_tol=1e-10,
        max_iter=50,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it stops at rounding
        peer.fit(X, y, sample_weight=weight)
    settings: dict[str, Any] = {"alpha": ALPHA, "l1_ratio": l1_ratio}
    model = GradientDescentRegressor(loss, **settings, tol=1e-10)
    for kept in (X, sparse.csr_array(X)):
        model.fit(kept, y, weight)
        assert_allclose(model.coef_, peer.coef_, rtol=0, atol=1e-8)
        assert_allclose(model.intercept_, peer.intercept_, rtol=0, atol=1e-8)
    assert_array_equal(model.coef_ == 0, np.abs(peer.coef_) < 1e-12)
    # The textbook's steps stay there.
    textbook = GradientDescentRegressor(
        loss, **settings, epsilon=1e-3, tol=0, max_iter=20, warm_start=True
    )
    textbook.coef_, textbook.intercept_ = peer.coef_, peer.intercept_
    assert_allclose(textbook.fit(X, y, weight).coef_, peer.coef_, rtol=0, atol=1e-8)


def test_textbook_on_a_device() -> None:
    X, y = data()
    shared: dict[str, Any] = {"alpha": ALPHA, "epsilon": 0.02, "max_iter": 40, "tol": 0}
    expected = GradientDescentRegressor(**shared).fit(X, y)
    # w <- w - epsilon (gradient + alpha w), written out.
    centred, target, coef = X - X.mean(axis=0), y - y.mean(), np.zeros(6)
    for _ in range(40):
        slope = 2 * centred.T @ (centred @ coef - target) / len(y) + ALPHA * coef
        coef = coef - 0.02 * slope
    assert_allclose(expected.coef_, coef, rtol=1e-10)
    own: dict[str, Any] = {"alpha": ALPHA, "tol": 1e-8}
    for settings in (shared, own):
        found = GradientDescentRegressor(backend="jax", device="cpu", **settings)
        here = GradientDescentRegressor(**settings).fit(X, y)
        assert_allclose(found.fit(X, y).coef_, here.coef_, rtol=1e-5, atol=1e-6)


def test_equal_strengths_are_one_number() -> None:
    X, y = data()
    step: dict[str, Any] = {"epsilon": 0.02, "max_iter": 9, "tol": 0}
    for settings in ({}, step):
        one = GradientDescentRegressor(alpha=0.3, **settings).fit(X, y)
        for alpha in (np.full(6, 0.3), [0.3] * 6, [0.3], np.full((1, 6), 0.3)):
            many = GradientDescentRegressor(alpha=alpha, **settings).fit(X, y)
            assert_array_equal(many.coef_, one.coef_)


@pytest.mark.parametrize("wide", ["dense", "sparse"])
def test_more_columns_than_rows(wide: str) -> None:
    # More than are whitened, where they are sparse: conjugate gradients.
    rng = np.random.default_rng(0)
    shape = (40, 90) if wide == "dense" else (1100, 1300)
    X = sparse.random(*shape, density=0.2, random_state=0).toarray()
    y = X[:, :5].sum(axis=1) + 0.1 * rng.standard_normal(len(X))
    alpha = rng.random(X.shape[1]) + 0.1
    alpha[[3, 17]] = 0.0
    kept = X if wide == "dense" else sparse.csr_array(X)
    model = GradientDescentRegressor(alpha=alpha, tol=1e-10).fit(kept, y)
    assert_allclose(model.coef_, ridge_of(X, y, alpha)[:-1], atol=1e-8)


def test_more_columns_than_rows_that_are_all_penalised() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 90)), rng.integers(0, 3, 40)
    alpha = rng.random(90) + 0.1
    model = GradientDescentClassifier(alpha=alpha, tol=1e-10)
    peer = LogisticRegression(C=1 / 40, solver="newton-cg", tol=1e-12, max_iter=1000)
    peer.fit(X / np.sqrt(alpha), y)
    for kept in (X, sparse.csr_array(X), sparse.csc_array(X)):
        model.fit(kept, y)
        assert_allclose(model.coef_, peer.coef_ / np.sqrt(alpha), atol=1e-7)
    model.set_params(warm_start=True).fit(X, y)
    assert model.n_iter_ <= 1
    one = GradientDescentRegressor(alpha=alpha, tol=1e-10).fit(X, y)
    assert_allclose(one.coef_, ridge_of(X, y, alpha)[:-1], atol=1e-9)
    alpha[:3] = 1e-30  # nearly free beside the others, but not beside the rows
    one.set_params(tol=1e-6).fit(X.astype(np.float32), y.astype(np.float32))
    assert_allclose(one.coef_, ridge_of(X, y, alpha)[:-1], atol=1e-5)


def test_kinks_and_scales() -> None:
    X, y = data()
    # Columns that are scaled by the roots of the strengths, and penalised alike.
    alpha = ALPHA + 0.05
    for loss in ("log_cosh", Huber(scale="mad"), "cauchy"):
        model = GradientDescentRegressor(loss, alpha=alpha, tol=1e-10).fit(X, y)
        even = GradientDescentRegressor(loss, alpha=1.0, tol=1e-10)
        even.fit(X / np.sqrt(alpha), y)
        assert_allclose(model.coef_, even.coef_ / np.sqrt(alpha), atol=1e-7)
    settings: dict[str, Any] = {"l1_ratio": 1.0, "tol": 1e-10}
    for loss in (Huber(scale="mad"), "absolute_error"):
        model = GradientDescentRegressor(loss, alpha=alpha, **settings).fit(X, y)
        even = GradientDescentRegressor(loss, alpha=1.0, **settings).fit(X / alpha, y)
        assert model.loss_curve_[-1] == pytest.approx(even.loss_curve_[-1], rel=1e-7)
    quantile = QuantileRegressor(quantile=0.3, alpha=0.1).fit(X / [1, 1, 1, 1, 1, 2], y)
    alpha = np.array([0.1] * 5 + [0.2])
    model = GradientDescentRegressor(Pinball(0.3), alpha=alpha, **settings).fit(X, y)
    expected = quantile.coef_ / [1, 1, 1, 1, 1, 2]
    assert_allclose(model.coef_, expected, atol=1e-4)


def test_targets() -> None:
    X, y = data()
    Y = np.c_[y, y**2]
    strengths = np.array([ALPHA, ALPHA[::-1] + 0.1])
    model = GradientDescentRegressor(alpha=strengths, tol=1e-10, warm_start=True)
    for _ in range(2):
        model.fit(X, Y)
        assert model.loss_curve_.shape == (model.n_iter_ + 1,)
        for target, alpha, coef, level in zip(
            Y.T, strengths, model.coef_, model.intercept_, strict=True
        ):
            assert_allclose(np.append(coef, level), ridge_of(X, target, alpha))
    # One strength a target.
    model = GradientDescentRegressor(alpha=[[0.1], [2.0]], l1_ratio=1.0, tol=1e-10)
    model.fit(X, Y)
    for target, alpha, coef in zip(Y.T, (0.1, 2.0), model.coef_, strict=True):
        expected = Lasso(alpha / 2, tol=1e-12).fit(X, target).coef_
        assert_allclose(coef, expected, atol=1e-7)
    robust = GradientDescentRegressor(Huber(scale="mad"), alpha=[[0.0], [1.0]])
    assert robust.fit(X, Y).scale_.shape == (2,)


def test_stable_steps() -> None:
    # The limit is that of the Hessian with this very ridge.
    X, y = data()
    alpha = np.array([0.0, 9.0, 0.0, 0.0, 0.0, 0.0])
    hessian = 2 * np.cov(X.T, bias=True) + np.diag(alpha)
    largest = 2 / np.linalg.eigvalsh(hessian)[-1]
    model = GradientDescentRegressor(alpha=alpha, epsilon=1.01 * largest, tol=0)
    with pytest.raises(DivergenceError) as error:
        model.fit(X, y)
    assert error.value.max_epsilon == pytest.approx(largest)
    search = GradientDescentRegressorCV(alphas=[alpha], max_iter=9, tol=0).fit(X, y)
    assert search.max_epsilon_ == pytest.approx(largest)


def test_search() -> None:
    X, y = data(60)
    Y, cv = np.c_[y, y**2], KFold(3)
    shared: dict[str, Any] = {"max_iter": 30, "tol": 0}
    for target, alphas, loss in (
        (y, [ALPHA, 3 * ALPHA], "squared_error"),
        (y, [ALPHA, 0 * ALPHA], Huber(scale="mad")),
        (Y, [[[0.1], [0.0]], [[3.0], [1.0]]], "squared_error"),
    ):
        grid = {"alpha": list(map(np.array, alphas)), "epsilon": [0.005, 0.02]}
        model = GradientDescentRegressor(loss, **shared)
        peer = GridSearchCV(model, grid, cv=cv).fit(X, target)
        search = GradientDescentRegressorCV(
            grid["epsilon"], loss=loss, alphas=alphas, cv=cv, **shared
        ).fit(X, target)
        expected = peer.cv_results_["mean_test_score"]
        assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-6)
        assert_array_equal(search.alpha_, peer.best_params_["alpha"])
        assert_allclose(search.coef_, peer.best_estimator_.coef_)
        assert search.cv_results_["param_alpha"].shape == (4,)


def test_what_is_not_penalised_may_have_no_minimum() -> None:
    rng = np.random.default_rng(0)
    X = np.c_[np.repeat([0.0, 1.0], 50), rng.standard_normal(100)]
    y = np.where(X[:, 0] == 1, 0.0, rng.poisson(2.0, 100))
    with pytest.warns(ConvergenceWarning, match="no minimum.*alpha above 0 for all"):
        GradientDescentRegressor("poisson_deviance", alpha=[0.0, 1.0]).fit(X, y)
    GradientDescentRegressor("poisson_deviance", alpha=[1.0, 0.0]).fit(X, y)


def test_bad_strengths() -> None:
    X, y = data(20)
    for alpha, said in (
        (np.ones(5), r"of shape \(1, 6\). Got shape \(5,\) instead"),
        (np.ones((2, 6)), r"Got shape \(2, 6\) instead"),
        (-ALPHA, "must be a non-negative number.*Got -0.1 among them"),
        (ALPHA * np.nan, "Got nan among them"),
        ([np.inf] * 6, "Got inf among them"),
        (["a"] * 6, r"Got \['a'"),
        ("a", "must be a float in the range"),
    ):
        with pytest.raises(ValueError, match=f"'alpha' parameter.*{said}"):
            GradientDescentRegressor(alpha=alpha).fit(X, y)
    for alphas, said in (
        ([np.ones(5)], r"without its first axis.*Got shape \(5,\)"),
        ([-ALPHA], "non-negative"),
        (1.0, "array-like"),
    ):
        with pytest.raises(ValueError, match=f"'alphas' parameter.*{said}"):
            GradientDescentRegressorCV(alphas=alphas).fit(X, y)


def test_the_array_is_kept_as_it_came() -> None:
    X, y = data(20)
    given = ALPHA.copy()
    model = GradientDescentRegressor(alpha=given)
    assert model.fit(X, y).get_params()["alpha"] is given
    assert_array_equal(given, ALPHA)
    assert_array_equal(clone(model).alpha, given)
    assert "alpha=array" in repr(model)
