"""Exactness, against references that carry more digits than the estimator does."""

import warnings

import mpmath
import numpy as np
import pytest
from covering import in_turns
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import linalg
from sklearn.exceptions import ConvergenceWarning
from statsmodels.datasets import longley

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor

EPS = np.finfo(float).eps


def exact_least_squares(X, y, *, fit_intercept):
    """Coefficients to 60 digits, from normal equations in multiple precision."""
    with mpmath.workdps(120):
        columns = np.c_[X, np.ones(len(X))] if fit_intercept else X
        A = mpmath.matrix(columns.tolist())
        w = mpmath.lu_solve(A.T * A, A.T * mpmath.matrix(y.tolist()))
        return np.array([float(value) for value in w[: X.shape[1]]])


def relative_error(coef, expected):
    return np.linalg.norm(coef - expected) / np.linalg.norm(expected)


def conditioned(rng, shape, exponent):
    """Log-spaced singular values from 1 to 10^-exponent, random rotations."""
    left = np.linalg.qr(rng.standard_normal(shape))[0]
    right = np.linalg.qr(rng.standard_normal((shape[1], shape[1])))[0]
    return left * np.logspace(0, -exponent, shape[1]) @ right.T * np.sqrt(shape[0])


@pytest.mark.parametrize(
    ("exponent", "fit_intercept"), in_turns(range(2, 11), [True, False])
)
def test_as_exact_as_lstsq(places, exponent, fit_intercept):
    rng = np.random.default_rng(exponent)
    ours = [[0.0] * 5 for _ in places]
    theirs = []
    for turn in range(5):
        X = conditioned(rng, (60, 5), exponent)
        y = X @ rng.standard_normal(5) + 0.1 * rng.standard_normal(60)
        expected = exact_least_squares(X, y, fit_intercept=fit_intercept)
        for place, errors in zip(places, ours, strict=True):
            model = GradientDescentRegressor(fit_intercept=fit_intercept, **place)
            errors[turn] = relative_error(model.fit(X, y).coef_, expected)
        A = np.c_[X, np.ones(60)] if fit_intercept else X
        for driver in ("gelsy", "gelsd"):
            w = linalg.lstsq(A, y, lapack_driver=driver, cond=EPS)[0][:5]
            theirs.append(relative_error(w, expected))
    # Errors of one design are a matter of luck: compare the typical ones.
    for place, errors in zip(places, ours, strict=True):
        # Products in extended precision are worth digits that lstsq has not.
        extended = exponent >= 6 and "device" not in place
        slack = 1 if extended else 10
        assert np.median(errors) <= slack * np.median(theirs), place


def test_published_coefficients_of_longley(place):
    data = longley.load_pandas()
    model = GradientDescentRegressor(**place).fit(data.exog, data.endog)
    # Certified by NIST, Statistical Reference Datasets, Longley.
    certified = [
        15.0618722713733,
        -0.358191792925910e-01,
        -2.02022980381683,
        -1.03322686717359,
        -0.511041056535807e-01,
        1829.15146461355,
    ]
    np.testing.assert_allclose(model.coef_, certified, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, -3482258.63459582, rtol=1e-9)


def test_polynomial_of_tenth_degree(places):
    # As ill-conditioned as NIST's Filip: cond([1, X]) is about 1e15.
    x = np.linspace(-8.78, -3.13, 82)
    X = x[:, None] ** np.arange(1, 11)
    y = 0.85 + 0.02 * np.sin(7 * x) + 0.02 * x
    expected = exact_least_squares(X, y, fit_intercept=True)
    for place in places:
        model = GradientDescentRegressor(**place).fit(X, y)
        assert relative_error(model.coef_, expected) < 1e-6, place


@pytest.mark.parametrize("offset", [0.0, 1e3, 1.7e9])
def test_scales_and_offsets(places, offset):
    rng = np.random.default_rng(0)
    scales = np.logspace(-6, 6, 6)
    Z = rng.standard_normal((500, 6))
    X = Z * scales + offset
    y = Z @ np.arange(1.0, 7.0) + rng.standard_normal(500)
    keep = scales > 1e3 * EPS * offset  # columns that rounding has not eaten
    X = X[:, keep]
    expected = exact_least_squares(X, y, fit_intercept=True)
    for place in places:
        model = GradientDescentRegressor(**place).fit(X, y)
        np.testing.assert_allclose(model.coef_, expected, rtol=1e-9)
        assert model.n_iter_ <= 4


def test_rows_that_drift_away(place):
    # The first rows say nothing of the mean: sorted time stamps, then an outlier.
    rng = np.random.default_rng(1)
    stamps = 1.7e9 + np.sort(rng.random(20_000)) * 1e8
    step = np.where(np.arange(20_000) < 5_000, 0.0, 1e6) + rng.standard_normal(20_000)
    X = np.c_[stamps, step, rng.standard_normal(20_000)]
    X[0] = [0.0, 1e9, 1e3]
    y = X @ [1e-8, 1e-6, 1.0] + rng.standard_normal(20_000)
    centred = X - X.mean(axis=0)
    q, r = np.linalg.qr(centred / centred.std(axis=0))
    expected = linalg.solve_triangular(r, q.T @ (y - y.mean())) / centred.std(axis=0)
    model = GradientDescentRegressor(**place).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-9)


def rank_deficient(rng, kind, n):
    Z = rng.standard_normal((n, 6))
    onehot = np.c_[np.eye(7)[rng.integers(0, 7, n)], np.eye(5)[rng.integers(0, 5, n)]]
    whole = rng.integers(-5, 6, (n, 4)).astype(float)
    return {
        "duplicates": lambda: np.c_[Z, Z[:, :2]],
        "scaled duplicates": lambda: np.c_[Z, Z[:, :2] * 1e3],
        "combinations": lambda: np.c_[Z, Z @ rng.standard_normal((6, 3))],
        "low rank": lambda: Z @ rng.standard_normal((6, 20)),
        "one-hot": lambda: np.c_[onehot, Z],
        "one-hot, inexact": lambda: np.c_[onehot * 0.1, Z * 100.0],
        "whole numbers": lambda: np.c_[whole, whole.sum(axis=1)],
        "constants": lambda: np.c_[Z, np.full(n, 0.1), np.zeros(n)],
        "wide": lambda: rng.standard_normal((n, 2 * n)),
        "wide, low rank": lambda: (
            rng.standard_normal((n, 7)) @ rng.standard_normal((7, 2 * n))
        ),
        "wide, repeated rows": lambda: np.repeat(
            rng.standard_normal((n // 2, 2 * n)), 2, axis=0
        ),
    }[kind]()


KINDS = [
    ("duplicates", 40_000),
    ("scaled duplicates", 300),
    ("combinations", 300),
    ("low rank", 300),
    ("one-hot", 40_000),
    ("one-hot, inexact", 40_000),
    ("whole numbers", 40_000),
    ("constants", 300),
    ("wide", 50),
    ("wide, low rank", 50),
    ("wide, repeated rows", 50),
]


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("kind", "n"), KINDS)
def test_minimum_norm_as_pinv(kind, n, fit_intercept):
    check_minimum_norm(kind, n, fit_intercept)


@pytest.mark.parametrize(
    ("kind_and_n", "fit_intercept"),
    in_turns([KINDS[0], KINDS[3], KINDS[-2]], [True, False]),
)
def test_minimum_norm_everywhere(place, kind_and_n, fit_intercept):
    kind, n = kind_and_n
    check_minimum_norm(kind, n, fit_intercept, **place)


def check_minimum_norm(kind, n, fit_intercept, **place):
    rng = np.random.default_rng(2)
    X = rank_deficient(rng, kind, n)
    y = X @ rng.standard_normal(X.shape[1]) + rng.standard_normal(n)
    centred, target = X, y
    if fit_intercept:
        centred, target = X - X.mean(axis=0), y - y.mean()
    # The gap in the singular values is wide: pinv's own cut would be too low.
    expected = np.linalg.pinv(centred, rcond=1e-11) @ target
    model = GradientDescentRegressor(fit_intercept=fit_intercept, **place).fit(X, y)
    assert relative_error(model.coef_, expected) < 1e-8


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    n=st.integers(1, 40),
    d=st.integers(1, 12),
    n_targets=st.integers(1, 3),
    fit_intercept=st.booleans(),
    weighted=st.booleans(),
    order=st.sampled_from("CF"),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_shape_solves_the_normal_equations(
    n, d, n_targets, fit_intercept, weighted, order, seed
):
    rng = np.random.default_rng(seed)
    X = np.asarray(rng.integers(-9, 10, (n, d)), dtype=float, order=order)
    Y = rng.standard_normal((n, n_targets))
    s = rng.integers(0, 3, n).astype(float) if weighted else np.ones(n)
    s[rng.integers(n)] = 1.0
    p = s / s.sum()
    centre = (p @ X, p @ Y) if fit_intercept else (np.zeros(d), np.zeros(n_targets))
    roots = np.sqrt(p)[:, None]
    A, B = roots * (X - centre[0]), roots * (Y - centre[1])
    expected = np.linalg.pinv(A, rcond=1e-10) @ B
    model = GradientDescentRegressor(fit_intercept=fit_intercept)
    model.fit(X, Y, sample_weight=s if weighted else None)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(model.coef_, expected.T, atol=1e-9 * scale)


def far_from_zero(shift):
    """Columns about a shift, centred again without rounding, and targets."""
    rng = np.random.default_rng(8)
    X = rng.standard_normal((60, 3)) + shift * np.array([1, 0.7, -0.5])
    centred = X - X[0]  # exact: the digits that a shift has taken are gone before
    y = centred @ [1.0, -2.0, 0.5] + 0.1 * rng.standard_t(2, 60)
    return X, centred, y


@pytest.mark.parametrize("loss", ["squared_error", "log_cosh", "absolute_error"])
def test_columns_a_million_deviations_from_zero(loss):
    X, centred, y = far_from_zero(1e6)
    near = GradientDescentRegressor(loss, tol=1e-11).fit(centred, y)
    far = GradientDescentRegressor(loss, tol=1e-11).fit(X, y)
    level = np.longdouble(far.intercept_) + X[0] @ far.coef_.astype(np.longdouble)
    # An intercept of 1e6 is rounded to 1e-10; of a median the curve is flat.
    assert abs(level - near.intercept_) < 1e-9
    off = X @ far.coef_ + far.intercept_ - near.predict(centred)
    assert np.abs(off).max() < (1e-8 if loss == "absolute_error" else 1e-9)


def test_rounding_that_misses_an_objective_of_zero():
    """Deviations that vanish rise with the rounding of predictions, squares do not."""
    X, centred, _ = far_from_zero(3e7)
    y = centred @ [1.1, -2.3, 0.7]
    model = GradientDescentRegressor("absolute_error")
    with pytest.warns(ConvergenceWarning, match="do not hold the digits of the pred"):
        model.fit(X, y)
    assert np.isfinite(model.coef_).all()
    # A tolerance is relative to 1e-4 of the standard deviation, at the least.
    assert np.abs(y - model.predict(X)).mean() > 1e-6 * 1e-4 * y.std()
    model.fit(centred, y)
    model.fit(X, y + 0.1 * np.random.default_rng(0).standard_normal(60))
    model.set_params(loss="squared_error").fit(X, y)
    X, centred, _ = far_from_zero(1e4)
    model.set_params(loss="absolute_error").fit(X, centred @ [1.1, -2.3, 0.7])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_columns_too_far_from_zero_for_coefficients_of_them(dtype):
    X, centred, y = far_from_zero(1e12 if dtype is np.float64 else 1e5)
    X, y = X.astype(dtype), y.astype(dtype)
    exact = linalg.lstsq(np.column_stack([X - X[0], np.ones(60)]), y)[0]
    model = GradientDescentRegressor()
    with pytest.warns(ConvergenceWarning, match="do not hold the digits of the pred"):
        model.fit(X, y)
    off = model.predict(X) - (X - X[0]) @ exact[:3] - exact[3]
    assert np.isfinite(off).all()
    assert np.sqrt(np.mean(off**2)) > np.sqrt(np.finfo(dtype).eps) * y.std()
    weight = np.arange(60) % 2
    with pytest.warns(ConvergenceWarning, match="do not hold the digits of the pred"):
        model.set_params(loss="huber").fit(X, y, sample_weight=weight)
    model.fit(centred.astype(dtype), y)


@pytest.mark.parametrize("seed", [0, 5])
def test_least_squares_of_more_columns_than_rows_in_units_far_apart(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((20, 40)) * 10.0 ** rng.integers(-8, 9, 40)
    y = rng.standard_normal(20)
    model = GradientDescentRegressor(fit_intercept=False).fit(X, y)
    with mpmath.workdps(80):
        A = mpmath.matrix(X.tolist())
        exact = A.T * mpmath.lu_solve(A * A.T, mpmath.matrix(y.tolist()))
        exact = np.array([float(value) for value in exact])
    assert_allclose(model.coef_, exact, rtol=0, atol=1e-13 * np.abs(exact).max())
    assert_allclose(X @ model.coef_, y, rtol=0, atol=1e-12)


@pytest.mark.parametrize("loss", ["absolute_error", "log_cosh"])
def test_more_columns_than_rows_in_units_far_apart(loss):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((12, 14)) * 10.0 ** rng.integers(-8, 9, 14)
    y = rng.standard_normal(12)
    model = GradientDescentRegressor(loss, tol=1e-8).fit(X, y)
    predicted = X.astype(np.longdouble) @ model.coef_ + model.intercept_
    assert_allclose(predicted.astype(float), y, rtol=0, atol=1e-12)


def test_predictions_of_few_rows_that_lose_their_digits():
    rng = np.random.default_rng(3)
    X = np.zeros((200, 2))
    X[:20, 0], apart = 1.0, rng.standard_normal(200)
    X[:, 1] = X[:, 0] + 1e-10 * apart
    y = apart + rng.standard_t(3, 200)
    model = GradientDescentRegressor("absolute_error", tol=1e-8)
    with pytest.warns(ConvergenceWarning, match="do not hold the digits of the pred"):
        model.fit(X, y)
    exact = X.astype(np.longdouble) @ model.coef_ + model.intercept_
    off = np.abs(model.predict(X) - exact) / y.std()
    assert np.median(off) < 1e-14
    assert off.mean() > np.sqrt(np.finfo(float).eps)


def test_steps_that_round_predictors_are_gone_over_again():
    rng = np.random.default_rng(2)
    column, apart = rng.standard_normal((60, 2)).T
    X = np.column_stack([column, column + 1e-11 * apart])
    apart = X[:, 1] - column  # exact
    apart /= apart.std()
    y = column + 0.1 * apart + 1e-3 * rng.standard_t(2, 60)
    model = GradientDescentRegressor(square_or_slope, tol=1e-8)
    well = model.fit(np.column_stack([column, apart]), y).loss_curve_[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whether it says so as well is rounding
        model.fit(X, y)
    predicted = X.astype(np.longdouble) @ model.coef_ + model.intercept_
    loss = float(square_or_slope(y, predicted.astype(float)).mean())
    # Terms of 1e10 are rounded to 1e-6; without going over it 1.3e-4 was left.
    assert loss < well * (1 + 5e-5)
    assert abs(model.loss_curve_[-1] - loss) < 1e-4 * loss


def square_or_slope(y_true, y_pred):
    error = y_true - y_pred
    return adnp.maximum(error, 0) ** 2 + 0.2 * adnp.maximum(-error, 0)
