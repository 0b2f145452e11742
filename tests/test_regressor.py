"""The estimator's answers: the note's exercise, and options that change the fit."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from sklearn_adreg import GradientDescentRegressor

PLACES = [
    {"backend": "autograd"},
    {"backend": "jax"},
    {"backend": "jax", "device": "cpu"},
]


def place_id(place):
    return "-".join(place.values())


everywhere = pytest.mark.parametrize("place", PLACES, ids=place_id)


@pytest.fixture
def note():
    """Exercise 3 of the note, with separate streams for X, w and the noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 10))
    return X, X @ rng.standard_normal(10) + 0.1 * rng.standard_normal(100)


@everywhere
def test_every_iterate_of_the_note(note, place):
    X, y = note
    w = np.zeros(10)
    for n_iter in range(1, 101):
        w = w - 0.1 * 2 / 100 * X.T @ (X @ w - y)
        model = GradientDescentRegressor(
            epsilon=0.1, max_iter=n_iter, tol=0, fit_intercept=False, **place
        ).fit(X, y)
        np.testing.assert_allclose(model.coef_, w, rtol=0, atol=1e-12)
        assert model.n_iter_ == n_iter
        assert model.loss_curve_[-1] == pytest.approx(np.mean((X @ w - y) ** 2))
    assert len(model.loss_curve_) == 101
    assert model.loss_curve_[0] == pytest.approx(np.mean(y**2))
    # The note's own comparison: within a tenth of a percent of pinv.
    np.testing.assert_allclose(model.coef_, np.linalg.pinv(X) @ y, rtol=1e-3)


@everywhere
@pytest.mark.parametrize("shape", [(60, 7), (20, 45)], ids=["tall", "wide"])
def test_textbook_iterates_with_intercept_weights_and_targets(place, shape):
    rng = np.random.default_rng(1)
    X = rng.standard_normal(shape) + 2.0
    Y = rng.standard_normal((shape[0], 3)) - 5.0
    s = rng.integers(0, 4, shape[0]).astype(float)
    p = s / s.sum()
    Xc, Yc = X - p @ X, Y - p @ Y
    W = np.zeros((shape[1], 3))
    for _ in range(25):
        W = W - 0.02 * 2 * Xc.T @ (p[:, None] * (Xc @ W - Yc))
    model = GradientDescentRegressor(epsilon=0.02, max_iter=25, tol=0, **place)
    model.fit(X, Y, sample_weight=s)
    np.testing.assert_allclose(model.coef_, W.T, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(model.intercept_, p @ Y - p @ X @ W, rtol=1e-11)


@everywhere
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_real_data_agrees_with_linear_regression(place, fit_intercept):
    X, y = load_diabetes(return_X_y=True, scaled=False)
    ours = GradientDescentRegressor(fit_intercept=fit_intercept, **place).fit(X, y)
    theirs = LinearRegression(fit_intercept=fit_intercept).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-9)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-10)
    assert ours.n_iter_ <= 4
    assert np.isfinite(ours.loss_curve_).all()


@everywhere
@pytest.mark.parametrize("epsilon", ["auto", 0.05])
@pytest.mark.parametrize("shape", [(40, 6), (12, 30)], ids=["tall", "wide"])
def test_targets_are_fitted_as_alone(place, epsilon, shape):
    rng = np.random.default_rng(2)
    X, Y = rng.standard_normal(shape), rng.standard_normal((shape[0], 3))
    Y *= [1.0, 1e-6, 1e6]
    # A fixed number of steps: alone, each would stop at its own.
    model = GradientDescentRegressor(epsilon=epsilon, tol=0, max_iter=5, **place)
    together = model.fit(X, Y)
    assert together.coef_.shape == (3, shape[1])
    assert together.predict(X).shape == Y.shape
    coefs, intercepts = together.coef_, together.intercept_
    for target, coef, intercept in zip(Y.T, coefs, intercepts, strict=True):
        alone = model.fit(X, target)
        assert alone.coef_.shape == (shape[1],)
        scale = np.abs(alone.coef_).max()
        np.testing.assert_allclose(alone.coef_, coef, rtol=0, atol=1e-12 * scale)
        np.testing.assert_allclose(alone.intercept_, intercept, atol=1e-12 * scale)
    column = model.fit(X, Y[:, :1])
    assert column.coef_.shape == (1, shape[1])
    assert column.predict(X).shape == (shape[0], 1)


@everywhere
@pytest.mark.parametrize("epsilon", ["auto", 0.05])
def test_integer_weights_are_repetitions(place, epsilon):
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((30, 5)), rng.standard_normal(30)
    s = rng.integers(0, 4, 30)
    model = GradientDescentRegressor(epsilon=epsilon, **place)
    weighted = model.fit(X, y, sample_weight=s)
    coef, intercept = weighted.coef_, weighted.intercept_
    repeated = model.fit(np.repeat(X, s, axis=0), np.repeat(y, s))
    np.testing.assert_allclose(coef, repeated.coef_, rtol=1e-11)
    np.testing.assert_allclose(intercept, repeated.intercept_, rtol=1e-11)
    # A weight that is the same for all, however large, changes nothing.
    for same in (7.0, np.full(30, 1e300)):
        plain, scaled = model.fit(X, y).coef_, model.fit(X, y, same).coef_
        np.testing.assert_array_equal(plain, scaled)


@everywhere
def test_warm_start_goes_on_where_it_stopped(note, place):
    X, y = note
    X, options = X + 1.0, {"epsilon": 0.05, "tol": 0, **place}
    whole = GradientDescentRegressor(max_iter=50, **options).fit(X, y)
    part = GradientDescentRegressor(max_iter=20, warm_start=True, **options).fit(X, y)
    part.set_params(max_iter=30).fit(X, y)
    np.testing.assert_allclose(part.coef_, whole.coef_, rtol=1e-12)
    np.testing.assert_allclose(part.intercept_, whole.intercept_, rtol=1e-12)
    assert part.n_iter_ == 30
    np.testing.assert_allclose(part.loss_curve_, whole.loss_curve_[20:], rtol=1e-12)
    with pytest.raises(ValueError, match=r"warm_start=True.*10 features.*Got 4"):
        part.fit(X[:, :4], y)


@everywhere
@pytest.mark.parametrize("shape", [(100, 6), (30, 50)], ids=["tall", "wide"])
def test_warm_start_does_not_change_the_answer(place, shape):
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    model = GradientDescentRegressor(warm_start=True, **place).fit(X, y)
    X, y = X[5:], y[5:]
    expected = np.linalg.pinv(X - X.mean(axis=0)) @ (y - y.mean())
    np.testing.assert_allclose(model.fit(X, y).coef_, expected, rtol=1e-9)


@everywhere
def test_float32_is_kept_and_as_good_as_it_gets(place):
    rng = np.random.default_rng(6)
    X = (rng.standard_normal((5000, 8)) @ rng.standard_normal((8, 8))).astype("f4")
    y = (X @ rng.standard_normal(8) + rng.standard_normal(5000)).astype("f4")
    exact = GradientDescentRegressor().fit(X.astype("f8"), y.astype("f8"))
    for epsilon in ("auto", 0.01):
        model = GradientDescentRegressor(epsilon=epsilon, max_iter=20_000, **place)
        model.fit(X, y)
        for value in (model.coef_, model.intercept_, model.loss_curve_):
            assert value.dtype == np.float32
        assert model.predict(X).dtype == np.float32
        error = np.linalg.norm(model.coef_ - exact.coef_) / np.linalg.norm(exact.coef_)
        assert error < (1e-6 if epsilon == "auto" else 1e-3)


def test_verbose_shows_the_objective(note, capsys):
    X, y = note
    for backend in ("autograd", "jax"):
        model = GradientDescentRegressor(
            epsilon=0.1, max_iter=200, tol=0, backend=backend, verbose=1
        ).fit(X, y)
        shown = capsys.readouterr().err
        assert "200/200" in shown
        assert f"objective={model.loss_curve_[-1]:.6g}" in shown


def test_rounding_ends_a_descent_that_asks_for_too_much(note):
    X, y = note
    with pytest.warns(ConvergenceWarning, match="rounding errors stopped it, or steps"):
        model = GradientDescentRegressor(tol=1e-30).fit(X + 1.0, y)
    assert model.n_iter_ < 20
    np.testing.assert_allclose(model.score(X + 1.0, y), 1.0, atol=0.01)


@everywhere
def test_x_is_neither_changed_nor_kept(note, place):
    X, y = note
    before = X.copy()
    X.flags.writeable = False
    model = GradientDescentRegressor(**place).fit(X, y)
    np.testing.assert_array_equal(X, before)
    arrays = [value for value in vars(model).values() if isinstance(value, np.ndarray)]
    assert all(array.base is not X and array.size < X.size for array in arrays)
