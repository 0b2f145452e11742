"""The scale of robust losses: estimated with the fit, in any units of the target."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import HuberRegressor
from sklearn.model_selection import GridSearchCV
from statsmodels.robust.norms import HuberT, TukeyBiweight

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.exceptions import DivergenceError
from sklearn_adreg.losses import LOSSES, Cauchy, Huber, PoissonDeviance, Tukey

ROBUST = [name for name, loss in LOSSES.items() if hasattr(loss, "scale")]
NORMAL_MEDIAN = 0.6744897501960817


def heavy(n: int = 101, n_targets: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Heavy tails in the columns and in the errors, and gross outliers."""
    rng = np.random.default_rng(5)
    X = rng.standard_t(3, (n, 4))
    shape = (n,) if n_targets is None else (n, n_targets)
    y = (X @ rng.standard_normal((4, *shape[1:]))) + rng.standard_t(1.5, shape) + 3.0
    y[:5] += 300.0
    return X, y


def rounded_scale(model: Any, X: np.ndarray, y: np.ndarray, weights: Any) -> Any:
    """The scale of the residuals of a model, with integer weights."""
    sizes = np.abs(y - model.predict(X))
    return np.median(np.repeat(sizes, weights, axis=0), axis=0) / NORMAL_MEDIAN


@pytest.mark.parametrize("name", ROBUST)
def test_scaled_loss(name: str) -> None:
    loss: Any = LOSSES[name]
    y, z = np.random.default_rng(0).standard_normal((2, 50)) * 5
    one = replace(loss, scale=1.0)
    assert np.array_equal(loss(y, z), one(y, z))
    assert_allclose(replace(loss, scale=3.0)(3 * y, 3 * z), 9 * one(y, z), rtol=1e-13)
    with pytest.raises(ValueError, match=r"above 0, or 'mad'\. Got 'iqr' instead"):
        replace(loss, scale="iqr")


@pytest.mark.parametrize("data", [sm.datasets.stackloss, sm.datasets.engel])
@pytest.mark.parametrize(
    ("loss", "norm"),
    [(Huber(1.345), HuberT(1.345)), (Tukey(4.685), TukeyBiweight(4.685))],
    ids=["Huber", "Tukey"],
)
def test_agrees_with_statsmodels(data: Any, loss: Any, norm: Any) -> None:
    table = data.load_pandas()
    X, y = table.exog.to_numpy(float), table.endog.to_numpy(float)
    expected = sm.RLM(y, sm.add_constant(X), M=norm).fit(tol=1e-13, maxiter=5000)
    model = GradientDescentRegressor(loss, tol=1e-10).fit(X, y)
    found = [model.intercept_, *model.coef_]
    assert_allclose(found, expected.params, rtol=1e-6)
    assert model.scale_ == pytest.approx(expected.scale, rel=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("name", ROBUST)
def test_units_of_the_target(name: str, alpha: float) -> None:
    X, y = heavy()
    model = GradientDescentRegressor(name, alpha=alpha).fit(X, y)
    size = np.abs(model.coef_).max()
    for unit in (1e-6, 0.37, 1e6):
        other = clone(model).fit(X, unit * y)
        assert np.abs(other.coef_ / unit - model.coef_).max() <= 1e-8 * size
        assert other.scale_ == pytest.approx(unit * model.scale_, rel=1e-8)
        curve = unit**2 * model.loss_curve_[-1]
        assert other.loss_curve_[-1] == pytest.approx(curve, rel=1e-7)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"alpha": 0.3, "l1_ratio": 1.0},
        {"epsilon": 0.01, "max_iter": 3, "tol": 0.0},
        {"fit_intercept": False, "backend": "jax"},
        {"alpha": 0.1, "backend": "jax", "device": "cpu"},
    ],
    ids=["auto", "lasso", "numeric", "jax", "device"],
)
def test_scale_is_that_of_its_own_fit(parameters: dict[str, Any]) -> None:
    X, y = heavy(n_targets=2)
    y[:, 1] *= 100.0
    weights = np.arange(len(X)) % 4
    model = GradientDescentRegressor("huber", **parameters).fit(X, y, weights)
    if "epsilon" not in parameters:
        expected = rounded_scale(model, X, y, weights)
        assert_allclose(model.scale_, expected, rtol=1e-5)
    for j in range(2):
        loss = Huber(scale=float(model.scale_[j]))
        alone = GradientDescentRegressor(loss, **parameters).fit(X, y[:, j], weights)
        assert model.loss_[j] == loss
        size = np.abs(alone.coef_).max()
        assert_allclose(model.coef_[j], alone.coef_, rtol=0, atol=1e-4 * size)
    if "epsilon" in parameters:  # it finds the scale of the whole fit, and holds it
        whole = GradientDescentRegressor("huber").fit(X, y, weights)
        assert_allclose(model.scale_, whole.scale_, rtol=1e-6)
        assert model.n_iter_ == 3


def test_columns_of_very_different_magnitudes() -> None:
    rng = np.random.default_rng(5)
    X = rng.standard_t(3, (500, 10))
    y = X @ rng.standard_normal(10) + rng.standard_t(1.5, 500)
    units = np.geomspace(1.0, 1e6, 10)
    with pytest.warns(ConvergenceWarning):
        peer = HuberRegressor(alpha=0.0).fit(X * units, y)
    even = GradientDescentRegressor("huber").fit(X, y)
    assert np.abs(peer.coef_ * units - even.coef_).max() > 0.1
    model = GradientDescentRegressor("huber").fit(X * units, y)
    assert_allclose(model.coef_ * units, even.coef_, rtol=1e-6)
    assert model.scale_ == pytest.approx(even.scale_, rel=1e-6)


@pytest.mark.parametrize("loss", [Huber(), Cauchy(), Tukey()], ids=repr)
def test_rows_that_are_fitted_exactly(loss: Any) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3))
    line = X @ [1.0, 2.0, 3.0]
    exact = GradientDescentRegressor(loss).fit(X, line)
    assert_allclose(exact.coef_, [1.0, 2.0, 3.0], rtol=1e-9)
    assert 0 < exact.scale_ < 1e-10
    # Least absolute deviations go through 120 of the rows: they do not count.
    line[:80] += 5.0 * rng.standard_normal(80)
    half = GradientDescentRegressor(loss).fit(X, line)
    sizes = np.abs(line - half.predict(X))[:80]
    assert half.scale_ == pytest.approx(np.median(sizes) / NORMAL_MEDIAN, rel=1e-5)
    # As many columns as rows: nothing is left to estimate a scale from.
    wide = rng.standard_normal((10, 10))
    model = GradientDescentRegressor(loss).fit(wide, line[:10])
    assert_allclose(model.predict(wide), line[:10], rtol=1e-6)
    constant = GradientDescentRegressor(loss).fit(X, np.full(200, 7.0))
    assert_allclose(constant.predict(X), 7.0)


@pytest.mark.parametrize("name", ["huber", "tukey"])
def test_warm_start(name: str) -> None:
    X, y = heavy()
    model = GradientDescentRegressor(name, warm_start=True).fit(X, y)
    expected = model.coef_
    assert_allclose(model.fit(X, y).coef_, expected, rtol=1e-6)
    model.coef_ = 1e9 * model.coef_
    assert_allclose(model.fit(X, y).coef_, expected, rtol=1e-6)


@pytest.mark.parametrize("leverage", [False, True])
def test_many_rows(leverage: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sklearn_adreg._solve.scale._CHEAP", 0)  # as of many columns
    X, y = heavy(40_000)
    if leverage:  # least squares follow a tenth of the rows
        X[::10], y[::10] = X[::10] + 3.0, y[::10] - 1e4
    for loss, norm in ((Huber(1.345), HuberT(1.345)), (Tukey(), TukeyBiweight())):
        model = GradientDescentRegressor(loss).fit(X, y)
        expected = sm.RLM(y, sm.add_constant(X), M=norm).fit(tol=1e-12, maxiter=500)
        # Predictions are within 1e-6 scales of the optimum's, root mean square.
        assert_allclose([model.intercept_, *model.coef_], expected.params, atol=1e-5)
        assert model.scale_ == pytest.approx(expected.scale, rel=1e-5)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_search_finds_it_on_each_training_set(early_stopping: bool) -> None:
    X, y = heavy(60, n_targets=2)
    tried: dict[str, Any] = {"alpha": [0.5], "epsilon": [0.01, 0.05]}
    search = GradientDescentRegressorCV(
        tried["epsilon"],
        alphas=tried["alpha"],
        loss="tukey",
        max_iter=20,
        tol=0,
        cv=2,
        early_stopping=early_stopping,
    ).fit(X, y)
    if early_stopping:
        tried["max_iter"] = [search.best_n_iter_]
    grid = GridSearchCV(
        GradientDescentRegressor("tukey", max_iter=20, tol=0), tried, cv=2
    ).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    if early_stopping:
        assert search.best_score_ == pytest.approx(grid.best_score_, rel=1e-6)
    else:
        assert_allclose(scores, grid.cv_results_["mean_test_score"], rtol=1e-6)
    best = grid.best_estimator_
    assert_allclose(search.scale_, best.scale_, rtol=1e-6)
    assert_allclose(search.predict(X), best.predict(X), rtol=1e-6)


def with_link(y_true: Any, y_pred: Any) -> Any:
    return adnp.square(y_true - y_pred)


with_link.inverse_link = adnp.exp  # type: ignore[attr-defined]


def test_predictions_go_by_the_loss_of_the_fit() -> None:
    X, y = heavy()
    y = np.abs(y)
    for loss in ("poisson_deviance", "huber", "squared_error"):
        model = GradientDescentRegressor(loss).fit(X, y)
        before, attributes = model.predict(X), set(vars(model))
        for other in ("squared_error", "poisson_deviance"):
            assert np.array_equal(model.set_params(loss=other).predict(X), before)
        assert set(vars(model)) == attributes
        assert hasattr(model, "loss_") == (loss != "squared_error")
        again = pickle.loads(pickle.dumps(model))
        assert np.array_equal(again.predict(X), before)
        assert not hasattr(clone(model), "loss_")
    model = GradientDescentRegressor("poisson_deviance").fit(X, y)
    assert model.loss_ == PoissonDeviance()
    # What belongs to a loss of before goes; a function is never kept.
    model.set_params(loss="huber").fit(X, y)
    assert model.loss_ == Huber(scale=model.scale_)
    model.set_params(loss=with_link).fit(X, y)
    assert not {"loss_", "scale_"} & set(vars(model))
    assert_allclose(model.predict(X), np.exp(X @ model.coef_ + model.intercept_))


def test_a_scale_that_no_fit_has() -> None:
    rng = np.random.default_rng(1)
    n, d = int(rng.integers(8, 30)), int(rng.integers(1, 5))
    X, y = rng.standard_t(2, (n, d)), rng.standard_cauchy(n)
    with pytest.warns(ConvergenceWarning, match="no scale was found.*Set the scale"):
        GradientDescentRegressor(Tukey(3.0)).fit(X, y)


def test_divergence_is_told_in_the_units_of_the_target() -> None:
    X, y = heavy()
    y *= 1e3
    scale = GradientDescentRegressor("huber").fit(X, y).scale_
    said = []
    for loss in (Huber(), Huber(scale=scale)):
        with pytest.raises(DivergenceError) as caught:
            GradientDescentRegressor(loss, epsilon=30.0, max_iter=50).fit(X, y)
        said.append(str(caught.value))
    assert said[0] == said[1]
