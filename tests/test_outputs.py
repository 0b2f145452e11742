"""Several linear predictors a row, beside libraries that have such models."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from references import LASSO
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import softmax
from scipy.stats import norm, t
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from statsmodels.discrete.count_model import ZeroInflatedPoisson
from targets import far_rows

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.losses import (
    Multinomial,
    NormalLogLikelihood,
    StudentTLogLikelihood,
    loss_scorer,
)

EXACT = {"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9}


def cross_entropy(y: Any, z: Any) -> Any:
    """Of a softmax: the predictor of each row's label is told by a comparison."""
    largest = adnp.max(z, axis=1)
    total = adnp.log(adnp.sum(adnp.exp(z - largest[:, None]), axis=1)) + largest
    return total - adnp.sum(z * (y[:, None] == adnp.arange(z.shape[1])), axis=1)


def zero_inflated(y: Any, z: Any) -> Any:
    """Poisson counts of which some are zero for another reason."""
    rate, logit = z[:, 0], z[:, 1]
    none = adnp.logaddexp(logit, -adnp.exp(rate))
    counted = y * rate - adnp.exp(rate)
    return adnp.logaddexp(0.0, logit) - adnp.where(y == 0, none, counted)


def wine() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X[::3] / 16, y[::3]


def overlapping(n_rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Three classes, none of which a plane separates."""
    rng = np.random.default_rng(0)
    X = rng.normal([5.0, -1.0], [10.0, 0.1], size=(n_rows, 2))
    scores = (X - [5.0, -1.0]) @ [[0.1, 0.0, 0.0], [0.0, -10.0, 0.0]]
    return X, (scores + rng.gumbel(size=(n_rows, 3))).argmax(axis=1)


@pytest.mark.parametrize("data", [wine, digits])
def test_softmax_with_a_ridge(data: Any) -> None:
    X, y = data()
    n_classes, alpha = len(np.unique(y)), 1e-2
    model = GradientDescentRegressor(
        cross_entropy, n_outputs=n_classes, alpha=alpha, tol=1e-9
    ).fit(X, y)
    expected = LogisticRegression(
        C=1 / (alpha * len(y)), solver="newton-cg", tol=1e-10
    ).fit(X, y)
    assert model.coef_.shape == (n_classes, X.shape[1])
    assert model.intercept_.shape == (n_classes,)
    assert model.predict(X).shape == (len(y), n_classes)
    assert_allclose(model.coef_, expected.coef_, atol=1e-5)
    assert_allclose(model.intercept_, expected.intercept_, atol=1e-5)


def test_softmax_with_a_lasso() -> None:
    X, y = wine()
    alpha = 0.02
    lasso: dict[str, Any] = {"n_outputs": 3, "alpha": alpha, "l1_ratio": 1.0}
    model = GradientDescentRegressor(cross_entropy, **lasso, tol=1e-8).fit(X, y)
    expected = LogisticRegression(
        C=1 / (alpha * len(y)), tol=1e-8, max_iter=10_000, **LASSO
    ).fit(X, y)
    assert_allclose(model.coef_, expected.coef_, atol=1e-5)
    assert (model.coef_ == 0).sum() == (np.abs(expected.coef_) < 1e-9).sum() > 20
    assert_allclose(model.intercept_.sum(), 0.0, atol=1e-12)


def test_softmax_without_a_penalty(place: dict[str, Any]) -> None:
    X, y = overlapping()
    model = GradientDescentRegressor(cross_entropy, n_outputs=3, tol=1e-9, **place)
    model.fit(X, y)
    scaled = StandardScaler().fit_transform(X)
    expected = LogisticRegression(C=np.inf, solver="newton-cg", tol=1e-10)
    expected.fit(scaled, y)
    probabilities = softmax(model.predict(X), axis=1)
    assert_allclose(probabilities, expected.predict_proba(scaled), atol=1e-7)
    # Coefficients are unique up to a shift: ours sum to zero.
    size = np.abs(model.coef_).max(axis=0)
    assert_allclose(model.coef_.sum(axis=0) / size, 0.0, atol=1e-12)


def test_classes_that_a_plane_separates_have_no_minimum() -> None:
    X, y = wine()
    with pytest.warns(UserWarning, match="no minimum at finite coefficients"):
        GradientDescentRegressor(cross_entropy, n_outputs=3).fit(X, y)


def test_every_way_of_giving_the_data() -> None:
    X, y = overlapping()
    X = StandardScaler().fit_transform(X)
    ridge: dict[str, Any] = {"n_outputs": 3, "alpha": 1e-2, "tol": 1e-9}
    model = GradientDescentRegressor(cross_entropy, **ridge).fit(X, y)
    same: dict[str, Any] = {"rtol": 1e-6, "atol": 1e-8}
    for given in sparse.csr_array(X), sparse.csc_array(X):
        found = clone(model).fit(given, y)
        assert_allclose(found.coef_, model.coef_, **same)
    column = clone(model).fit(X, y[:, None])
    assert_allclose(column.coef_, model.coef_, **same)
    twice = clone(model).fit(X, y, sample_weight=np.arange(len(y)) % 3)
    rows = np.repeat(np.arange(len(y)), np.arange(len(y)) % 3)
    assert_allclose(clone(model).fit(X[rows], y[rows]).coef_, twice.coef_, **same)
    single = clone(model).set_params(tol=1e-4).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    assert_allclose(single.coef_, model.coef_, atol=1e-3)
    again = clone(model).set_params(warm_start=True).fit(X, y).fit(X, y)
    assert again.n_iter_ <= 1
    assert_allclose(again.coef_, model.coef_, **same)
    textbook = clone(model).set_params(epsilon=1.0, tol=1e-8, max_iter=10_000)
    assert_allclose(textbook.fit(X, y).coef_, model.coef_, atol=1e-6)
    no_intercept = clone(model).set_params(fit_intercept=False).fit(X, y)
    assert_allclose(no_intercept.intercept_, 0.0)
    assert no_intercept.loss_curve_[-1] > model.loss_curve_[-1]


def test_more_columns_than_rows() -> None:
    X, y = digits()
    X, y = X[:40], y[:40]
    ridge: dict[str, Any] = {"n_outputs": 10, "alpha": 1e-2, "tol": 1e-9}
    model = GradientDescentRegressor(cross_entropy, **ridge).fit(X, y)
    expected = LogisticRegression(C=100 / 40, solver="newton-cg", tol=1e-10).fit(X, y)
    assert_allclose(model.coef_, expected.coef_, atol=1e-5)


def spreading(n_rows: int = 1000, unit: float = 1.0) -> tuple[np.ndarray, ...]:
    """A spread that varies twentyfold, and columns in units of their own."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n_rows, 3)) + 2
    X[:, 1] += X[:, 0]
    noise = np.exp(0.7 * (X[:, 0] - 2)) * rng.standard_t(5, n_rows)
    return X * [1e-3, 1.0, 1e3], unit * (X @ [1.0, -2.0, 0.5] + 10 + noise)


def by_scipy(negative: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Least mean of a function of errors, plus the logarithm of the scale."""
    centred = np.c_[StandardScaler().fit_transform(X), np.ones(len(y))]
    p = centred.shape[1]

    def objective(unknowns: np.ndarray) -> tuple[float, np.ndarray]:
        log_scale = centred @ unknowns[p:]
        error = (y - centred @ unknowns[:p]) * np.exp(-log_scale)
        values, slopes = negative(error)
        by_location = -slopes * np.exp(-log_scale)
        by_scale = 1 - slopes * error
        slope = [centred.T @ by_location, centred.T @ by_scale]
        return (values + log_scale).mean(), np.concatenate(slope) / len(y)

    start = np.zeros(2 * p)
    start[p - 1], start[-1] = y.mean(), np.log(y.std())
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=EXACT)
    return float(found.fun)


@pytest.mark.parametrize("unit", [1e-5, 1.0, 1e5])
def test_normal_location_and_scale(unit: float) -> None:
    X, y = spreading(unit=unit)
    model = GradientDescentRegressor(NormalLogLikelihood()).fit(X, y)
    expected = by_scipy(lambda e: (-norm.logpdf(e), e), X, y / unit) + np.log(unit)
    location, scale = model.predict(X).T
    found = -norm.logpdf(y, location, scale).mean()
    assert found == pytest.approx(expected, abs=1e-8)
    assert model.loss_curve_[-1] == pytest.approx(found, abs=1e-10)
    assert model.n_iter_ < 30


@pytest.mark.parametrize("unit", [1e-2, 1e-3])
def test_a_scale_that_is_far_from_one_without_an_intercept(unit: float) -> None:
    rng = np.random.default_rng(3)
    X, errors = rng.standard_normal((200, 3)), rng.standard_normal(200)
    y = X @ [1, 2, -1] + 5 + np.exp(0.4 * X[:, 1]) * errors
    model = GradientDescentRegressor(NormalLogLikelihood(), fit_intercept=False)
    model.fit(X, unit * y)

    def objective(unknowns: np.ndarray) -> float:
        log_scale = X @ unknowns[3:]
        errors = (y - X @ unknowns[:3]) * unit * np.exp(-log_scale)
        return float((-norm.logpdf(errors) + log_scale).mean())

    options = {"maxiter": 9000, "maxfev": 9000, "xatol": 1e-9, "fatol": 1e-11}
    start = np.zeros(6)
    expected = minimize(objective, start, method="Nelder-Mead", options=options).fun
    assert model.loss_curve_[-1] <= expected + 1e-7  # one of several optima


def test_one_row_whose_curvature_drowns_all_others() -> None:
    # A row far out has a scale of 1e-9: the others' curvature is below its rounding.
    X, y = far_rows(3, 60)
    model = GradientDescentRegressor(NormalLogLikelihood(), alpha=1.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)

    def objective(theta: np.ndarray) -> float:
        coef, intercept = theta[:6].reshape(2, 3), theta[6:]
        location, log_scale = coef @ X.T + intercept[:, None]
        found = -norm.logpdf(y, location, np.exp(log_scale)).mean()
        return float(found + (coef**2).sum() / 2)

    end = np.concatenate([model.coef_.ravel(), model.intercept_])
    lower = minimize(objective, end, method="Nelder-Mead").fun
    assert caught or objective(end) <= lower + 1e-6


def test_student_t_location_and_scale() -> None:
    X, y = spreading()
    y[:20] += 1e4
    model = GradientDescentRegressor(StudentTLogLikelihood(3.0)).fit(X, y)
    expected = by_scipy(lambda e: (-t.logpdf(e, 3), 4 * e / (3 + e**2)), X, y)
    location, scale = model.predict(X).T
    found = -t.logpdf(y, 3, location, scale).mean()
    assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("loss", [NormalLogLikelihood(), StudentTLogLikelihood(2.5)])
def test_likelihoods_of_scipy(loss: Any) -> None:
    y, mean = np.array([0.0, 1.0, -30.0]), np.array([0.5, 1.0, 2.0])
    scale = np.array([1.0, 0.1, 7.0])
    family = t(2.5, mean, scale) if hasattr(loss, "df") else norm(mean, scale)
    expected = -family.logpdf(y)
    assert_allclose(loss(y, np.c_[mean, scale]), expected, rtol=1e-12)
    linear = np.c_[mean, np.log(scale)]
    assert_allclose(loss.of_linear(y, linear), expected, rtol=1e-12)
    assert_allclose(loss.inverse_link(linear), np.c_[mean, scale], rtol=1e-12)


def test_zero_inflated_counts() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 2))
    counts = rng.poisson(np.exp(0.5 * X[:, 0] + 0.3))
    y = np.where(rng.random(500) < 0.3, 0, counts)
    model = GradientDescentRegressor(zero_inflated, n_outputs=2, tol=1e-9).fit(X, y)
    design = np.c_[X, np.ones(500)]
    expected = ZeroInflatedPoisson(y, design, exog_infl=design).fit(
        disp=False, maxiter=500, method="newton"
    )
    inflation, rate = expected.params[:3], expected.params[3:]
    assert_allclose(np.append(model.coef_[0], model.intercept_[0]), rate, atol=1e-5)
    found = np.append(model.coef_[1], model.intercept_[1])
    assert_allclose(found, inflation, atol=1e-5)


@pytest.mark.parametrize(
    ("loss", "n_outputs", "message"),
    [
        (cross_entropy, 0, "'n_outputs' parameter"),
        (cross_entropy, 1.5, "'n_outputs' parameter"),
        (cross_entropy, True, "'n_outputs' parameter"),
        (cross_entropy, "two", "'n_outputs' parameter"),
        ("squared_error", 2, "what the loss SquaredError.. has itself, 1. Got 2"),
        (NormalLogLikelihood(), 3, "has itself, 2. Got 3"),
        (lambda y, z: (y[:, None] - z) ** 2, 3, "shape .8, 3.. Sum it over the out"),
        (lambda y, z: adnp.maximum(z[:, 0] + z[:, 1], y), 2, "where 1 . y_pred"),
    ],
)
def test_what_is_refused(loss: Any, n_outputs: Any, message: str) -> None:
    X, y = overlapping(30)
    with pytest.raises(ValueError, match=message):
        GradientDescentRegressor(loss, n_outputs=n_outputs).fit(X, y)


def log_likelihood(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Mean logarithm of the probabilities of the labels, as a scorer."""
    return float(-cross_entropy(y, model.predict(X)).mean())


@pytest.mark.parametrize("backend", ["autograd", "jax"])
def test_the_search_finds_what_grid_search_finds(backend: str) -> None:
    X, y = overlapping(90)
    X = StandardScaler().fit_transform(X)
    grid = {"epsilon": [0.1, 1.0], "alpha": [0.01, 0.1]}
    shared: dict[str, Any] = {
        **{"loss": cross_entropy, "n_outputs": 3, "max_iter": 20, "tol": 0},
        **{"backend": backend, "device": "cpu" if backend == "jax" else None},
    }
    found = GradientDescentRegressorCV(
        grid["epsilon"], alphas=grid["alpha"], scoring=log_likelihood, cv=3, **shared
    ).fit(X, y)
    expected = GridSearchCV(
        GradientDescentRegressor(**shared), grid, scoring=log_likelihood, cv=3
    ).fit(X, y)
    assert found.best_params_ == expected.best_params_
    assert_allclose(
        found.cv_results_["mean_test_score"],
        expected.cv_results_["mean_test_score"],
        rtol=1e-8,
    )
    assert found.coef_.shape == (3, 2)


def test_the_search_scores_as_models_do() -> None:
    X, y = overlapping(90)
    X = StandardScaler().fit_transform(X)
    alphas = [0.1 * np.ones((3, 1)), np.array([[0.0], [0.1], [0.5]])]
    shared: dict[str, Any] = {"loss": Multinomial(3), "max_iter": 10, "tol": 0}
    found = GradientDescentRegressorCV([0.1], alphas=alphas, cv=3, **shared).fit(X, y)
    model = GradientDescentRegressor(epsilon=0.1, **shared)
    expected = GridSearchCV(model, {"alpha": alphas}, cv=3).fit(X, y)
    for scores in ("mean_test_score", "std_test_score"):
        assert_allclose(
            found.cv_results_[scores], expected.cv_results_[scores], rtol=1e-8
        )
    scorer = loss_scorer(Multinomial(3))
    losses = Multinomial(3)(y, found.predict(X))
    assert scorer(found, X, y) == pytest.approx(-float(losses.mean()))


def test_a_score_goes_by_the_fit() -> None:
    X, y = overlapping(90)
    model = GradientDescentRegressor(Multinomial(3)).fit(X, y)
    expected = model.score(X, y)
    assert model.set_params(loss="squared_error").score(X, y) == expected


def test_several_targets_are_refused() -> None:
    X, y = overlapping(30)
    with pytest.raises(ValueError, match="one column where n_outputs is above 1"):
        GradientDescentRegressor(cross_entropy, n_outputs=3).fit(X, np.c_[y, y])


def test_the_attribute_of_a_loss() -> None:
    class Entropy:
        n_outputs = 3
        __call__ = staticmethod(cross_entropy)

    X, y = overlapping()
    found = GradientDescentRegressor(Entropy()).fit(X, y)
    given = GradientDescentRegressor(cross_entropy, n_outputs=3).fit(X, y)
    assert_allclose(found.coef_, given.coef_)
    wrong = Entropy()
    wrong.n_outputs = 0
    with pytest.raises(ValueError, match="attribute n_outputs of the loss"):
        GradientDescentRegressor(wrong).fit(X, y)


def test_one_output_keeps_its_shapes() -> None:
    X, y = overlapping()
    model = GradientDescentRegressor("log_cosh", n_outputs=1).fit(X, y)
    assert model.coef_.shape == (2,)
    assert model.predict(X).shape == (len(y),)


@pytest.mark.parametrize("loss", [NormalLogLikelihood(), StudentTLogLikelihood()])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_units_of_the_targets(loss: Any, fit_intercept: bool) -> None:
    """Intercepts, or a column of ones in their place, take up the units."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3))
    y = X @ [1.0, 2.0, 3.0] + np.exp(0.3 * X[:, 0]) * rng.standard_normal(400) + 0.5
    if not fit_intercept:
        X = np.column_stack([np.ones(400), X])
    model = GradientDescentRegressor(loss, fit_intercept=fit_intercept)
    expected = model.fit(X, y).predict(X)
    assert np.isfinite(expected).all()
    for unit in (1e-8, 1e-4, 1e8):
        assert_allclose(model.fit(X, unit * y).predict(X) / unit, expected, atol=2e-5)
