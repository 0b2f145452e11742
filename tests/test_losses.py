"""Every loss, in every backend, against finite differences and its own contract.

Each test of `LOSS` takes all that `LOSSES` holds, so that a new class is tested by
existing, and further parameters of some. What a loss says of itself (`kinked`,
`convex`, `check_target`, `inverse_link`) is what the tests go by, and what they test.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import astuple, fields
from functools import cache
from typing import Any

import autograd
import jax
import numpy as np
import pytest
from conftest import BACKENDS
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special
from targets import first_allowed

import sklearn_adreg.losses
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg.backends import Backend
from sklearn_adreg.losses import (
    LOSSES,
    AbsolutePercentageError,
    Bernoulli,
    EpsilonInsensitive,
    Expectile,
    Exponential,
    GammaDeviance,
    Hinge,
    Huber,
    Linex,
    Multinomial,
    NegativeBinomial,
    Pinball,
    PointwiseLoss,
    PoissonDeviance,
    PseudoHuber,
    TweedieDeviance,
)

OTHERS = [
    *(TweedieDeviance(power) for power in (0, 1, 1.1, 1.9, 2, 3)),
    *(Pinball(0.9), Expectile(0.1), Linex(-2.0), Huber(0.2), PseudoHuber(5)),
    *(EpsilonInsensitive(0), EpsilonInsensitive(1), NegativeBinomial(0.1)),
]
LOSS = pytest.mark.parametrize("loss", [*LOSSES.values(), *OTHERS], ids=repr)
# All of them with one backend; of what is compiled, each class once.
LOSS_AND_BACKEND = pytest.mark.parametrize(
    ("loss", "backend"),
    [
        pytest.param(loss, found, id=f"{loss!r}-{found.name}")
        for found in BACKENDS
        for loss in [*LOSSES.values(), *(OTHERS if found.name == "autograd" else [])]
    ],
)


def in_domain(loss: Any, y: np.ndarray) -> np.ndarray:
    """The first of y, its absolute values, and both without 0, that a loss allows.

    Else those up to 1, or labels.
    """
    up_to_one = np.minimum(np.abs(y), 1)
    return first_allowed(
        loss, y, np.abs(y), y + (y == 0), np.abs(y) + (y == 0), up_to_one
    )


@cache
def of_linear(loss: Any) -> Callable[[Any, Any], Any]:
    """The loss as a function of the linear predictor, which JAX compiles once."""
    return LinearLoss.of(loss)


def drawn(loss: Any) -> tuple[np.ndarray, np.ndarray]:
    """Targets, with 0 among them where it is allowed, and linear predictors."""
    y, linear = np.random.default_rng(0).standard_normal((2, 120))
    y[:3] = 0.0
    return in_domain(loss, y), linear


@LOSS
def test_derivative_equals_finite_differences(loss: Any, backend: Backend) -> None:
    y, linear = drawn(loss)
    function, step = of_linear(loss), 1e-5
    values, slopes = backend.value_and_derivative(function)(y, linear)
    # XLA's elementary functions differ from NumPy's in the last digits.
    assert_allclose(values, function(y, linear), rtol=1e-13, atol=1e-14)
    # Central differences: truncation step^2, rounding eps / step. No draw is as near
    # as a step to a kink.
    rise = function(y, linear + step) - function(y, linear - step)
    assert_allclose(slopes, rise / (2 * step), rtol=1e-8, atol=1e-8)


# What autograd says of a derivative that is constant between kinks.
@pytest.mark.filterwarnings("ignore:Output seems independent of input")
@LOSS_AND_BACKEND
def test_second_derivative_equals_finite_differences(
    loss: Any, backend: Backend
) -> None:
    y, linear = drawn(loss)
    function, step = of_linear(loss), 1e-5
    slopes = backend.value_and_derivative(function)
    rise = slopes(y, linear + step)[1] - slopes(y, linear - step)[1]
    if backend.name == "autograd":
        second = autograd.elementwise_grad(autograd.elementwise_grad(function, 1), 1)
        found = second(y, linear)
    else:
        with jax.enable_x64(True):
            second = jax.vmap(jax.grad(jax.grad(function, argnums=1), argnums=1))
            found = np.asarray(jax.jit(second)(y, linear))
    assert_allclose(found, rise / (2 * step), rtol=1e-8, atol=1e-8)


@LOSS
def test_derivative_at_special_points_is_a_subgradient(
    loss: Any, backend: Backend
) -> None:
    # At errors of 0 and of the parameters' sizes, where the formulas change.
    sizes = (value for value in astuple(loss) if value != "mad")
    offsets = np.array([0.0, *sizes])
    offsets = np.concatenate([offsets, -offsets])
    y = in_domain(loss, np.zeros(len(offsets)))
    has_link = hasattr(loss, "inverse_link")
    linear = np.log(y) if has_link and y.all() else y + offsets
    slopes = backend.value_and_derivative(of_linear(loss))
    here, left, right = (slopes(y, linear + step)[1] for step in (0.0, -1e-9, 1e-9))
    assert (here >= np.minimum(left, right) - 1e-15).all()
    assert (here <= np.maximum(left, right) + 1e-15).all()


@LOSS
def test_tiny_and_huge_errors_are_finite(loss: Any, backend: Backend) -> None:
    sizes = np.array([5e-324, 1e-300, 1e-150, 1e-9, 1e9, 1e150])
    if hasattr(loss, "inverse_link") or isinstance(loss, Linex | Exponential):
        sizes = np.array([5e-324, 1e-150, 1e-9, 1.0, 100.0])  # they grow as exp
    errors = np.concatenate([-sizes, sizes])
    y = in_domain(loss, np.zeros(len(errors)))
    results = backend.value_and_derivative(of_linear(loss))(y, y + errors)
    assert np.isfinite(results).all()


@LOSS_AND_BACKEND
def test_float32_is_kept(loss: Any, backend: Backend) -> None:
    y, linear = (array.astype(np.float32) for array in drawn(loss))
    # NumPy's scalars, which a grid search passes, must not widen the arrays either.
    values = (x if x == "mad" else np.float64(x) for x in astuple(loss))
    function = of_linear(type(loss)(*values))
    short = backend.value_and_derivative(function)(y, linear)
    assert function(y, linear).dtype == np.float32
    assert [result.dtype for result in short] == [np.float32, np.float32]
    y, linear = y.astype(np.float64), linear.astype(np.float64)
    long = backend.value_and_derivative(function)(y, linear)
    assert_allclose(short, long, rtol=2e-5, atol=1e-6 * np.abs(long).max())


@LOSS
def test_zero_at_the_target_and_never_below(loss: Any) -> None:
    y, prediction = drawn(loss)
    if hasattr(loss, "inverse_link"):
        y, prediction = in_domain(loss, np.abs(y) + 0.1), loss.inverse_link(prediction)
    assert (loss(y, prediction) >= 0).all()
    if isinstance(loss, Bernoulli | Exponential):
        return  # what is left is the entropy of y, and what a margin of 1 costs
    assert_array_equal(loss(y, y), 0.0)
    # The terms of the deviances cancel there, up to their rounding.
    assert (loss(y, y * (1 + 1e-9)) >= -1e-14).all()


def slopes_on_a_grid(loss: Any, n_points: int) -> np.ndarray:
    targets = in_domain(loss, np.array([-2.0, 0.0, 1.0, 3.0]))
    y, linear = np.meshgrid(targets, np.linspace(-9.0, 9.0, n_points))
    return np.asarray(autograd.elementwise_grad(of_linear(loss), 1)(y, linear))


@LOSS
def test_convex_is_said_where_slopes_never_fall(loss: Any) -> None:
    slopes = slopes_on_a_grid(loss, 2002)
    falls = np.diff(slopes, axis=0) < -1e-12 * np.abs(slopes[1:])
    assert loss.convex == (not falls.any())


@LOSS
def test_kinked_is_said_where_slopes_jump(loss: Any) -> None:
    # Steps of a continuous slope shrink with those of the grid.
    coarse, fine = (
        np.abs(np.diff(slopes_on_a_grid(loss, n_points), axis=0)).max()
        for n_points in (2002, 20002)
    )
    assert fine == pytest.approx((1.0 if loss.kinked else 0.1) * coarse, rel=0.1)


@LOSS
def test_equal_losses_hash_alike_and_pickle(loss: Any) -> None:
    same = copy.deepcopy(loss)
    assert same is not loss
    assert same == loss
    assert hash(same) == hash(loss)
    assert pickle.loads(pickle.dumps(loss)) == loss


def test_losses_differ_by_class_and_parameters() -> None:
    assert len({*LOSSES.values(), *OTHERS}) == len(LOSSES) + len(OTHERS)
    assert Huber(1) == Huber(np.float64(1.0))
    assert repr(Huber(np.float32(1.0))) == "Huber(delta=1.0, scale='mad')"  # type: ignore[arg-type]


def test_every_public_class_has_its_name() -> None:
    public: set[Any] = {
        found
        for name in sklearn_adreg.losses.__all__
        if isinstance(found := getattr(sklearn_adreg.losses, name), type)
    }
    named = {type(loss) for loss in LOSSES.values()}
    several = {each for each in public if getattr(each, "n_outputs", 1) != 1}
    assert public == {PointwiseLoss} | named | several
    assert not named & several
    assert LOSSES["log_cosh"] == sklearn_adreg.losses.LogCosh()
    assert LOSSES["tweedie_deviance"] == TweedieDeviance(1.5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, "1", True, None, 10**400])
@pytest.mark.parametrize("kind", [type(loss) for loss in LOSSES.values()])
def test_parameters_are_finite_numbers(kind: Any, value: Any) -> None:
    for parameter in fields(kind):
        words = f"`{parameter.name}` parameter of {kind.__name__} must be .* Got "
        with pytest.raises(ValueError, match=words):
            kind(**{parameter.name: value})


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Pinball(1.5), "between 0 and 1, both excluded. Got 1.5 instead"),
        (lambda: Pinball(0), "between 0 and 1, both excluded. Got 0 instead"),
        (lambda: Expectile(1.0), "between 0 and 1, both excluded"),
        (lambda: Huber(0.0), "above 0. Got 0.0 instead"),
        (lambda: PseudoHuber(-1.0), "above 0"),
        (lambda: EpsilonInsensitive(-0.1), "0 or more"),
        (lambda: Linex(0.0), "not 0"),
        (lambda: TweedieDeviance(0.5), "0, or a finite number from 1 on"),
        (lambda: Multinomial(1), "an integer, 2 or more. Got 1 instead"),
        (lambda: Multinomial(2.0), "an integer, 2 or more"),  # type: ignore[arg-type]
        (lambda: NegativeBinomial(0.0), "above 0. Got 0.0 instead"),
        (lambda: TweedieDeviance(-1.0), "0, or a finite number from 1 on"),
    ],
)
def test_parameters_outside_their_range(make: Callable[[], Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        make()


@pytest.mark.parametrize(
    ("loss", "value", "words"),
    [
        (AbsolutePercentageError(), 0.0, "different from 0 .*'absolute_error'"),
        (AbsolutePercentageError(), 1e-320, r"Got 1e-320 instead\. Drop those rows"),
        (PoissonDeviance(), -1.0, r"0 or more for the loss PoissonDeviance\(\)"),
        (GammaDeviance(), 0.0, "above 0 .* power below 2 allows zeros"),
        (TweedieDeviance(1.5), -2.0, r"\(power=1.5\)\. Got -2.0 instead"),
        (TweedieDeviance(1), -2.0, "0 or more"),
        (TweedieDeviance(2), 0.0, "above 0"),
        (TweedieDeviance(3), 0.0, "above 0"),
        (NegativeBinomial(), -1.0, r"0 or more .*\(dispersion=1.0\)"),
        (Bernoulli(), 1.5, r"between 0 and 1 .*Got 1.5 instead\. Divide counts"),
        (Bernoulli(), -1.0, "between 0 and 1 .* labels as 0 and 1"),
        (Hinge(), 0.0, "-1 or 1 .* one class as -1"),
        (Exponential(), 0.5, "-1 or 1"),
        (Multinomial(3), 3.0, "a whole number from 0 to 2 .*Classifier, which does"),
        (Multinomial(3), 0.5, "a whole number"),
    ],
)
def test_targets_outside_the_domain(loss: Any, value: float, words: str) -> None:
    y = np.array([[1.0, 1.0], [1.0, value]])
    with pytest.raises(ValueError, match=f"The target y must be .*{words}"):
        loss.check_target(y)


def test_squared_error_has_no_half() -> None:
    loss = LOSSES["squared_error"]
    found = loss(np.array([1.0, 2.0]), np.array([4.0, 2.0]))
    assert_array_equal(found, [9.0, 0.0])


@pytest.mark.parametrize(
    "loss", [loss for loss in LOSSES.values() if hasattr(loss, "of_linear")], ids=repr
)
def test_of_linear_is_the_loss_after_the_link(loss):
    rng = np.random.default_rng(3)
    linear = rng.uniform(-5, 5, 200)
    y_true = in_domain(loss, rng.gamma(1.0, 2.0, 200).round(1))
    expected = loss(y_true, loss.inverse_link(linear))
    # Terms as large as exp(5) cancel.
    found = LinearLoss.of(loss)(y_true, linear)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_of_large_linear_predictors(dtype: Any, backend: Backend) -> None:
    size = np.array([30.0, 90.0, 800.0, 1e30], dtype)
    linear, y = np.concatenate([-size, size]), np.repeat([1.0, 0.0], 4).astype(dtype)
    differentiate = backend.value_and_derivative(of_linear(Bernoulli()))
    wrong, right = differentiate(y, linear), differentiate(1 - y, linear)
    assert_allclose(wrong, [np.abs(linear), 1 - 2 * y], rtol=1e-6)
    # The smallest normal number: XLA takes what is less for zero.
    tail, tiny = np.exp(-np.abs(linear)), np.finfo(dtype).tiny
    assert_allclose(np.abs(right), [tail, tail], rtol=1e-6, atol=tiny)
    probability = Bernoulli().inverse_link(linear)
    assert probability.dtype == dtype
    # The exponent is rounded, before it is one.
    rounding = 100 * np.finfo(dtype).eps
    assert_allclose(probability, special.expit(linear), rtol=rounding, atol=tiny)
