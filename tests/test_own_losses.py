"""Losses that a user writes reach the optimum as the package's own do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from covering import in_turns
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes
from sklearn.linear_model import HuberRegressor, QuantileRegressor

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import (
    AbsolutePercentageError,
    Expectile,
    Huber,
    LogCosh,
    Pinball,
    PoissonDeviance,
    PseudoHuber,
)

# What the estimator promises of the objective, relative to the optimum.
PROMISED = 1e-6

Line = Callable[[Any, Any], Any]


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return X, y


def heavy() -> tuple[np.ndarray, np.ndarray]:
    # Of the shape of the other, so that JAX compiles each loss once.
    rng = np.random.default_rng(0)
    X = rng.standard_t(3, (442, 10))
    X[:4] *= 100.0
    y = X @ np.arange(1.0, 11.0) + rng.standard_t(1.5, 442)
    y[4:8] += 1e3
    return X, y


DATA = pytest.mark.parametrize("data", [diabetes, heavy], ids=["diabetes", "heavy"])


@pytest.fixture
def data(place: dict[str, Any], places: list[dict[str, Any]]) -> Any:
    """The two of them in turns, where a test goes through the places."""
    return [diabetes, heavy][places.index(place) % 2]


def mean_loss(
    loss: Line, X: np.ndarray, y: np.ndarray, coef: np.ndarray, intercept: float
) -> float:
    return float(np.mean(loss(y, X @ coef + intercept)))


def fitted(loss: Any, X: np.ndarray, y: np.ndarray, place: dict[str, Any]) -> float:
    """The objective that a fit reaches."""
    model = GradientDescentRegressor(loss, **place).fit(X, y)
    found = mean_loss(loss, X, y, model.coef_, model.intercept_)
    # Two sums of the same n terms, which may be roots of what rounding leaves of zero.
    assert model.loss_curve_[-1] == pytest.approx(found, rel=1e-8)
    return found


def by_highs(X: np.ndarray, y: np.ndarray, quantile: float, weights: Any) -> Any:
    """Quantile regression, in whitened columns: HiGHS takes 1e-7 for zero."""
    centred = X - X.mean(axis=0)
    triangle = np.linalg.qr(centred)[1] / np.sqrt(len(y))
    whitened = centred @ np.linalg.inv(triangle)
    model = QuantileRegressor(quantile=quantile, alpha=0.0)
    model.fit(whitened, y, sample_weight=weights)
    coef = np.linalg.solve(triangle, model.coef_)
    return coef, model.intercept_ - X.mean(axis=0) @ coef


def by_newton(
    loss: Line, slope: Line, X: np.ndarray, y: np.ndarray, start: Any
) -> float:
    """L-BFGS in whitened coordinates, from a linear predictor."""
    columns = np.linalg.qr(np.c_[np.ones(len(y)), X - X.mean(axis=0)])[0]
    columns *= np.sqrt(len(y))
    found = minimize(
        lambda u: np.mean(loss(y, columns @ u)),
        columns.T @ start / len(y),
        jac=lambda u: columns.T @ slope(y, columns @ u) / len(y),
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 5000},
    )
    return float(found.fun)


def test_stock_outs(data: Any, place: dict[str, Any]) -> None:
    X, y = data()

    def expected(y: Any, z: Any) -> Any:
        return np.maximum(4 * (y - z), z - y)

    best = mean_loss(expected, X, y, *by_highs(X, y, 0.8, None))
    own = lambda y, z: adnp.maximum(4 * (y - z), z - y)  # noqa: E731
    assert fitted(own, X, y, place) <= best * (1 + PROMISED)
    assert 5 * fitted(Pinball(0.8), X, y, {}) <= best * (1 + PROMISED)


def test_percentages(data: Any, place: dict[str, Any]) -> None:
    X, y = data()
    y = np.abs(y) + 1.0
    best = mean_loss(
        lambda y, z: np.abs((y - z) / y), X, y, *by_highs(X, y, 0.5, 1 / y)
    )
    own = lambda y, z: adnp.abs((y - z) / y)  # noqa: E731
    assert fitted(own, X, y, place) <= best * (1 + PROMISED)
    assert fitted(AbsolutePercentageError(), X, y, {}) <= best * (1 + PROMISED)


@pytest.mark.parametrize(
    ("delta", "data"), in_turns([1e-6, 1e-3, 0.03], [heavy, diabetes])
)
@pytest.mark.parametrize("smooth", [Huber, PseudoHuber])
def test_corners_as_good_as_kinks(data: Any, smooth: Any, delta: float) -> None:
    check_corner(data, smooth, delta)


@pytest.mark.parametrize("smooth", [Huber, PseudoHuber])
def test_corners_everywhere(smooth: Any, place: dict[str, Any]) -> None:
    check_corner(diabetes, smooth, 1e-3, **place)


def check_corner(data: Any, smooth: Any, delta: float, **place: Any) -> None:
    # At no start does a row lie in the corner: the loss seems to be straight.
    X, y = data()
    least = mean_loss(lambda y, z: np.abs(y - z), X, y, *by_highs(X, y, 0.5, None))
    # Both losses are between delta * (|r| - delta) and delta * |r|.
    found = fitted(smooth(delta, scale=1.0), X, y, place)
    assert found <= delta * least * (1 + PROMISED)
    assert found >= delta * (least * (1 - PROMISED) - delta)


def test_asymmetric_squares(data: Any, place: dict[str, Any]) -> None:
    X, y = data()
    # Iteratively reweighted least squares, which for expectiles is Newton's method.
    z = np.full(len(y), np.mean(y))
    columns = np.c_[np.ones(len(y)), X - X.mean(axis=0)]
    for _ in range(100):
        roots = np.sqrt(np.where(y > z, 5.0, 1.0))
        z = columns @ np.linalg.lstsq(columns * roots[:, None], y * roots)[0]
    best = np.mean(np.where(y > z, 5.0, 1.0) * (y - z) ** 2)
    own = lambda y, z: adnp.where(y > z, 5.0, 1.0) * (y - z) ** 2  # noqa: E731
    assert fitted(own, X, y, place) <= best * (1 + PROMISED)
    assert 6 * fitted(Expectile(5 / 6), X, y, {}) <= best * (1 + PROMISED)


def test_log_cosh(data: Any, place: dict[str, Any]) -> None:
    X, y = data()
    y = y / 50.0  # cosh overflows at 710, which the first line search may try
    stable = LogCosh(scale=1.0)
    start = np.full(len(y), np.median(y))
    best = by_newton(stable, lambda y, z: np.tanh(z - y), X, y, start)
    own = lambda y, z: adnp.log(adnp.cosh(y - z))  # noqa: E731
    assert fitted(own, X, y, place) <= best * (1 + PROMISED)
    assert fitted(stable, X, y, {}) <= best * (1 + PROMISED)


def test_welsch(data: Any, place: dict[str, Any]) -> None:
    X, y = data()
    unit = 3.0 * np.median(np.abs(y - np.median(y)))

    def loss(y: Any, z: Any) -> Any:
        return 1 - adnp.exp(-(((y - z) / unit) ** 2) / 2)

    def slope(y: Any, z: Any) -> Any:
        return (z - y) / unit**2 * np.exp(-(((y - z) / unit) ** 2) / 2)

    scale = X.std(axis=0)
    robust = HuberRegressor(alpha=0.0, max_iter=10_000).fit(X / scale, y)
    best = by_newton(loss, slope, X, y, robust.predict(X / scale))
    assert fitted(loss, X, y, place) <= best * (1 + PROMISED)
    model = GradientDescentRegressor(loss, **place).fit(X, y)
    # Values are sums of n terms near one, rounded.
    assert (np.diff(model.loss_curve_) <= 1e-13).all()


class MyPoisson:
    """A loss with a link, written as a class."""

    inverse_link = staticmethod(adnp.exp)

    def __call__(self, y: Any, mean: Any) -> Any:
        return 2 * (mean - y * adnp.log(mean))


def my_poisson(y: Any, mean: Any) -> Any:
    """The same, as a function."""
    return 2 * (mean - y * adnp.log(mean))


my_poisson.inverse_link = adnp.exp  # type: ignore[attr-defined]


@pytest.mark.parametrize("own", [MyPoisson(), my_poisson], ids=["class", "function"])
def test_own_link(own: Any, place: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3))
    y = rng.poisson(np.exp(X @ [0.3, 0.2, 0.1] + 1)).astype(float)
    expected = GradientDescentRegressor(PoissonDeviance(), tol=1e-9).fit(X, y)
    model = GradientDescentRegressor(own, tol=1e-9, **place).fit(X, y)
    # tol is the error of the linear predictor.
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-8)
    np.testing.assert_allclose(model.predict(X), expected.predict(X), rtol=1e-7)


@DATA
def test_penalised_kinks(data: Any) -> None:
    X, y = data()
    X = X / X.std(axis=0)
    own = lambda y, z: adnp.maximum(4 * (y - z), z - y)  # noqa: E731
    ours, theirs = (
        GradientDescentRegressor(loss, alpha=alpha, l1_ratio=0.5).fit(X, y)
        for loss, alpha in ((own, 1.0), (Pinball(0.8), 0.2))
    )
    # Each is within 1e-6 of the optimum of its objective.
    found, expected = ours.loss_curve_[-1], 5 * theirs.loss_curve_[-1]
    assert found == pytest.approx(expected, rel=2 * PROMISED)


@DATA
def test_losses_of_any_size(data: Any) -> None:
    X, y = data()
    expected = GradientDescentRegressor().fit(X, y).predict(X)

    def square(y: Any, z: Any, size: float) -> Any:
        return size * (y - z) ** 2

    for size in (1e-200, 1e160, 1e200):
        model = GradientDescentRegressor(partial(square, size=size))
        atol = 1e-6 * float(np.std(y))
        assert_allclose(model.fit(X, y).predict(X), expected, rtol=0, atol=atol)


@DATA
def test_infinite_slopes_at_exact_fits(data: Any) -> None:
    def root(y: Any, z: Any) -> Any:
        return abs(y - z) ** 0.5

    X, y = data()
    # It starts from least absolute deviations, and the median residual is one's.
    start = GradientDescentRegressor("absolute_error").fit(X, y)
    at_start = mean_loss(root, X, y, start.coef_, start.intercept_)
    for backend in ("autograd", "jax"):
        assert fitted(root, X, y, {"backend": backend}) <= (1 + 1e-3) * at_start


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("dtype", "level"), [(np.float32, 3e7), (np.float64, 1e16)])
def test_targets_so_large_that_steps_are_rounded(dtype: Any, level: float) -> None:
    def tilted(y: Any, z: Any) -> Any:
        return adnp.maximum(100.0 * (y - z), 0.01 * (z - y))

    X, y = np.zeros((3, 1), dtype), np.full(3, level, dtype)
    y[1] += np.spacing(y[1])
    model = GradientDescentRegressor(tilted).fit(X, y)
    assert_allclose(model.predict(X), y, rtol=2 * np.finfo(dtype).eps)
