"""Losses against 60 digits, against other libraries, and what minimises them."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf
from numpy.testing import assert_allclose
from scipy import special, stats
from sklearn import metrics
from sklearn._loss.loss import ExponentialLoss
from statsmodels.genmod import families
from statsmodels.robust import norms

from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg.backends import AutogradBackend, Backend
from sklearn_adreg.losses import (
    AbsoluteError,
    AbsolutePercentageError,
    Bernoulli,
    Cauchy,
    EpsilonInsensitive,
    Expectile,
    Exponential,
    GammaDeviance,
    Hinge,
    Huber,
    Linex,
    LogCosh,
    Multinomial,
    NegativeBinomial,
    Pinball,
    PoissonDeviance,
    PseudoHuber,
    SquaredError,
    SquaredHinge,
    Tukey,
    TweedieDeviance,
)

D, C = mpf(1.5), mpf(4.5)

# Value and derivative by the error r = prediction - target.
OF_THE_ERROR: dict[Any, Any] = {
    SquaredError(): (lambda r: r**2, lambda r: 2 * r),
    AbsoluteError(): (abs, mp.sign),
    LogCosh(): (lambda r: mp.log(mp.cosh(r)), mp.tanh),
    Huber(1.5): (
        lambda r: r**2 / 2 if abs(r) <= D else D * abs(r) - D**2 / 2,
        lambda r: r if abs(r) <= D else D * mp.sign(r),
    ),
    PseudoHuber(1.5): (
        lambda r: D**2 * (mp.sqrt(1 + (r / D) ** 2) - 1),
        lambda r: r / mp.sqrt(1 + (r / D) ** 2),
    ),
    Pinball(0.75): (
        lambda r: -3 * r / 4 if r < 0 else r / 4,
        lambda r: mpf(-0.75) if r < 0 else mpf(0.25),
    ),
    Expectile(0.75): (
        lambda r: 3 * r**2 / 4 if r < 0 else r**2 / 4,
        lambda r: 3 * r / 2 if r < 0 else r / 2,
    ),
    EpsilonInsensitive(0.5): (
        lambda r: max(abs(r) - mpf(0.5), 0),
        lambda r: mp.sign(r) if abs(r) > 0.5 else 0,
    ),
    Cauchy(1.5): (
        lambda r: D**2 / 2 * mp.log(1 + (r / D) ** 2),
        lambda r: r / (1 + (r / D) ** 2),
    ),
    Tukey(4.5): (
        lambda r: C**2 / 6 * (1 - max(1 - (r / C) ** 2, 0) ** 3),
        lambda r: r * max(1 - (r / C) ** 2, 0) ** 2,
    ),
}


@pytest.mark.parametrize("loss", OF_THE_ERROR, ids=repr)
def test_digits_at_every_size_of_error(loss: Any, backend: Backend) -> None:
    sizes = [1e-150, 1e-30, 1e-9, 1e-4, 0.03, 0.3, 1.0, 4.0, 15.0, 25.0, 1e9, 1e150]
    errors = np.array([*sizes, *(-size for size in sizes)])
    found = backend.value_and_derivative(loss)(np.zeros(len(errors)), errors)
    with mpmath.workdps(700):  # log(cosh(1e-150)) takes 300 to see
        exact = [
            [float(function(mpf(error))) for error in errors]
            for function in OF_THE_ERROR[loss]
        ]
    assert_allclose(found, exact, rtol=1e-14)


def test_log_cosh_in_float32(backend: Backend) -> None:
    errors = np.geomspace(1e-6, 1e6, 50, dtype=np.float32)
    found = backend.value_and_derivative(LogCosh())(np.zeros_like(errors), errors)
    with mpmath.workdps(60):
        values = [float(mp.log(mp.cosh(mpf(float(error))))) for error in errors]
    assert_allclose(found[0], values, rtol=1e-6)
    assert_allclose(found[1], np.tanh(errors.astype(float)), rtol=1e-6)


def _deviance(power: float, y: Any, mean: Any) -> Any:
    """Twice the integral of (u - y) / u^power from y to the mean, by its terms."""
    p = mpf(power)
    if p == 1:
        return 2 * (y * mp.log(y / mean) - y + mean) if y else 2 * mean
    if p == 2:
        return 2 * (mp.log(mean / y) + y / mean - 1)
    terms = y ** (2 - p) / ((1 - p) * (2 - p)) - y * mean ** (1 - p) / (1 - p)
    return 2 * (terms + mean ** (2 - p) / (2 - p))


DEVIANCES: dict[Any, float] = {
    PoissonDeviance(): 1.0,
    GammaDeviance(): 2.0,
    # At the powers next to 1 and 2, the terms of the formula are up to 1e9 as large
    # as their sum.
    **{TweedieDeviance(p): p for p in (0, 1, 1 + 1e-9, 1.5, 2 - 1e-9, 2, 2 + 1e-9, 3)},
}


@pytest.mark.parametrize("loss", DEVIANCES, ids=repr)
def test_digits_of_deviances(loss: Any, backend: Backend) -> None:
    power = DEVIANCES[loss]
    targets = [1e-3, 0.7, 1.75, 40.0] + [0.0] * (power < 2)
    means = [1e-12, 1e-3, 0.5, 1.75 * (1 + 1e-6), 3.0, 1e5]
    y, mean = (grid.ravel() for grid in np.meshgrid(targets, means))
    found = backend.value_and_derivative(loss)(y, mean)
    with mpmath.workdps(60):
        exact = [
            float(_deviance(power, mpf(of), mpf(at)))
            for of, at in zip(y, mean, strict=True)
        ]
    # The slope is taken by the linear predictor, the logarithm of the mean. Both are
    # as exact as the terms that they are made of.
    slopes = 2 * (mean - y) * mean ** (1 - power)
    size = (y + mean) * mean ** (1 - power) + exact
    assert (np.abs(found[0] - exact) <= 4e-15 * size).all()
    assert (np.abs(found[1] * mean - slopes) <= 4e-15 * size).all()


@pytest.mark.parametrize("dispersion", [1e-9, 0.3, 1.0, 20.0])
def test_digits_of_negative_binomial(dispersion: float, backend: Backend) -> None:
    targets, means = [0.0, 1.0, 3.0, 400.0], [1e-9, 1e-3, 0.5, 3.0, 3.1, 1e5]
    y, mean = (grid.ravel() for grid in np.meshgrid(targets, means))
    loss, a = NegativeBinomial(dispersion), mpf(dispersion)
    values, slopes = backend.value_and_derivative(loss)(y, mean)
    with mpmath.workdps(60):
        terms = [
            (
                (2 * of * mp.log(of / at) if of else mpf(0)),
                2 * (of + 1 / a) * mp.log((1 + a * at) / (1 + a * of)),
            )
            for of, at in zip(map(mpf, y), map(mpf, mean), strict=True)
        ]
        exact = [float(mp.fsum(pair)) for pair in terms]
        size = [float(mp.fsum(map(abs, pair))) for pair in terms]
    rounding = 4e-15 * (np.array(size) + y + mean)
    assert (np.abs(values - exact) <= rounding).all()
    expected = 2 * (mean - y) / (1 + dispersion * mean)
    assert (np.abs(slopes * mean - expected) <= rounding).all()


def test_digits_of_log_loss(backend: Backend) -> None:
    targets, linear = [0.0, 0.2, 0.5, 1.0], [-40.0, -1.0, 0.0, 1e-3, 3.0, 40.0]
    y, z = (grid.ravel() for grid in np.meshgrid(targets, linear))
    found = backend.value_and_derivative(LinearLoss.of(Bernoulli()))(y, z)
    with mpmath.workdps(60):
        pairs = [
            (mpf(of), 1 / (1 + mp.exp(-mpf(at)))) for of, at in zip(y, z, strict=True)
        ]
        values = [float(-of * mp.log(p) - (1 - of) * mp.log(1 - p)) for of, p in pairs]
        slopes = [float(p - of) for of, p in pairs]
    # The slope at 0.001 is a difference.
    assert_allclose(found[0], values, rtol=4e-15)
    assert_allclose(found[1], slopes, rtol=1e-12)


def test_digits_of_linex(backend: Backend) -> None:
    errors = np.array([-300.0, -20.0, -1.0, -1e-3, -1e-8, 1e-8, 1e-3, 1.0, 20.0, 300.0])
    loss = Linex(1.5)
    values, slopes = backend.value_and_derivative(loss)(np.zeros(10), errors)
    with mpmath.workdps(60):
        exact = [float(mp.exp(1.5 * mpf(r)) - 1.5 * mpf(r) - 1) for r in errors]
    # Of small errors, the linear terms cancel.
    rounding = 4e-16 * np.abs(errors)
    assert (np.abs(values - exact) <= 1e-13 * np.array(exact) + rounding).all()
    assert_allclose(slopes, 1.5 * np.expm1(1.5 * errors), rtol=1e-13, atol=1e-15)


def _positive() -> tuple[np.ndarray, np.ndarray]:
    y, prediction = np.random.default_rng(0).lognormal(size=(2, 200))
    return y, prediction


@pytest.mark.parametrize(
    ("loss", "reference"),
    [
        (SquaredError(), metrics.mean_squared_error),
        (AbsoluteError(), metrics.mean_absolute_error),
        (AbsolutePercentageError(), metrics.mean_absolute_percentage_error),
        (Pinball(0.8), lambda y, z: metrics.mean_pinball_loss(y, z, alpha=0.8)),
        (PoissonDeviance(), metrics.mean_poisson_deviance),
        (GammaDeviance(), metrics.mean_gamma_deviance),
        (
            NegativeBinomial(0.7),
            lambda y, z: families.NegativeBinomial(alpha=0.7).deviance(y, z) / len(y),
        ),
        *(
            (
                TweedieDeviance(p),
                lambda y, z, p=p: metrics.mean_tweedie_deviance(y, z, power=p),
            )
            for p in (0, 1, 1.5, 2, 3)
        ),
        (Huber(0.7), lambda y, z: special.huber(0.7, y - z).mean()),
        (PseudoHuber(0.7), lambda y, z: special.pseudo_huber(0.7, y - z).mean()),
        (Tukey(1.7), lambda y, z: norms.TukeyBiweight(1.7).rho(y - z).mean()),
    ],
    ids=lambda value: repr(value) if hasattr(value, "convex") else "",
)
def test_mean_equals_that_of_other_libraries(loss: Any, reference: Any) -> None:
    y, prediction = _positive()
    assert_allclose(loss(y, prediction).mean(), reference(y, prediction), rtol=1e-12)


def test_losses_of_labels_equal_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    linear, y = rng.standard_normal(50), rng.choice([-1.0, 1.0], 50)
    probability = special.expit(linear)
    found = Bernoulli()((y + 1) / 2, probability).mean()
    assert_allclose(found, metrics.log_loss(y, probability), rtol=1e-14)
    assert_allclose(Hinge()(y, linear).mean(), metrics.hinge_loss(y, linear))
    squares = np.mean(np.maximum(1 - y * linear, 0) ** 2)
    assert_allclose(SquaredHinge()(y, linear).mean(), squares)
    halves = ExponentialLoss().loss(y_true=(y + 1) / 2, raw_prediction=linear)
    assert_allclose(Exponential()(y, linear), halves, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_of_several_classes(dtype: Any, backend: Backend) -> None:
    rng = np.random.default_rng(0)
    linear = (rng.standard_normal((60, 4)) * rng.choice([1, 90, 1e4], (60, 1))).astype(
        dtype
    )
    y, loss = rng.integers(0, 4, 60).astype(dtype), Multinomial(4)
    values, slopes = backend.value_and_derivative(LinearLoss.of(loss))(y, linear)
    assert values.dtype == slopes.dtype == dtype
    exact = special.log_softmax(linear.astype(float), axis=1)
    mine = y[:, None] == np.arange(4)
    # Sums of linear predictors as large as these are rounded.
    rounding = 8 * np.finfo(dtype).eps * np.abs(linear).max(axis=1)
    assert (np.abs(values + exact[mine]) <= rounding + np.finfo(dtype).eps).all()
    assert_allclose(slopes, np.exp(exact) - mine, atol=float(rounding.max()))
    assert loss.inverse_link(linear).dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tails_of_several_classes(dtype: Any, backend: Backend) -> None:
    """Those of two classes with a third that is far away."""
    margin = np.array([0.5, 3.0, 15.0, 50.0, 80.0])
    linear = np.stack([margin, np.zeros(5), np.full(5, -1e4)], axis=1) + 1e2
    loss, target = LinearLoss.of(Multinomial(3)), np.zeros(5, dtype)
    values, slopes = backend.value_and_derivative(loss)(target, linear.astype(dtype))
    rounding = 1e2 * float(np.finfo(dtype).eps)
    assert_allclose(values, -special.log_expit(margin), rtol=rounding)
    wrong = special.expit(-margin)
    expected = np.stack([-wrong, wrong, np.zeros(5)], axis=1)
    assert_allclose(slopes, expected, rtol=rounding)


def test_values_of_several_classes() -> None:
    rng = np.random.default_rng(0)
    linear, y = rng.standard_normal((60, 4)), rng.integers(0, 4, 60)
    probability = Multinomial(4).inverse_link(linear)
    assert_allclose(probability, special.softmax(linear, axis=1), rtol=1e-14)
    found = Multinomial(4)(y, probability).mean()
    assert_allclose(found, metrics.log_loss(y, probability), rtol=1e-14)


@pytest.mark.parametrize("power", [1, 1.5])
def test_deviances_of_zero(power: float) -> None:
    y, prediction = np.zeros(3), np.array([0.1, 1.0, 10.0])
    expected = metrics.mean_tweedie_deviance(y, prediction, power=power)
    assert_allclose(TweedieDeviance(power)(y, prediction).mean(), expected, rtol=1e-14)


def test_poisson_of_zero_and_a_vanishing_mean(backend: Backend) -> None:
    differentiate = backend.value_and_derivative(PoissonDeviance())
    values, slopes = differentiate(np.zeros(2), np.array([0.0, 1e-300]))
    assert_allclose(values, [0.0, 2e-300])
    assert_allclose(slopes, [2.0, 2.0])


def _weighted_median(y: np.ndarray, weights: np.ndarray) -> Any:
    order = np.argsort(y)
    share = np.cumsum(weights[order]) / weights.sum()
    return y[order][np.searchsorted(share, 0.5)]


@pytest.mark.parametrize(
    ("loss", "constant"),
    [
        (SquaredError(), np.mean),
        (AbsoluteError(), np.median),
        (Pinball(0.8), lambda y: np.quantile(y, 0.8, method="inverted_cdf")),
        (Expectile(0.8), lambda y: stats.expectile(y, 0.8)),
        (Linex(0.7), lambda y: -np.log(np.exp(-0.7 * y).mean()) / 0.7),
        (Linex(-0.7), lambda y: np.log(np.exp(0.7 * y).mean()) / 0.7),
        (AbsolutePercentageError(), lambda y: _weighted_median(y, 1 / y)),
        (PoissonDeviance(), np.mean),
        (GammaDeviance(), np.mean),
        (NegativeBinomial(), np.mean),
        (TweedieDeviance(1.5), np.mean),
        (TweedieDeviance(3), np.mean),
        (Huber(1e-6), np.median),
        (Huber(1e6), np.mean),
    ],
    ids=lambda value: repr(value) if hasattr(value, "convex") else "",
)
def test_constant_that_minimises(loss: Any, constant: Any) -> None:
    y, _ = _positive()
    y = y[:99]
    slopes = AutogradBackend().value_and_derivative(loss)
    at, near = constant(y), 1e-6
    # The mean loss falls up to there, and rises from there.
    falling, rising = (slopes(y, np.full(99, at + d))[1].mean() for d in (-near, near))
    assert falling < 0 < rising


@pytest.mark.parametrize("loss", [Huber(0.5), PseudoHuber(0.5), LogCosh()], ids=repr)
def test_between_median_and_mean(loss: Any) -> None:
    y, _ = _positive()
    slopes = AutogradBackend().value_and_derivative(loss)
    assert np.median(y) < y.mean()
    assert slopes(y, np.full_like(y, np.median(y)))[1].mean() < 0
    assert slopes(y, np.full_like(y, y.mean()))[1].mean() > 0


def test_weights_of_an_epsilon_insensitive_constant() -> None:
    y = np.array([0.0, 1.0, 2.0, 3.0, 10.0])
    slopes = AutogradBackend().value_and_derivative(EpsilonInsensitive(1.5))
    # One row above 2 + 1.5 and one below 2 - 1.5, beside one at 1 and at 3.
    assert slopes(y, np.full(5, 2.0))[1].mean() == 0
