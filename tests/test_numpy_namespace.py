"""One namespace, three libraries: which one computes, and what an error says."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from autograd.extend import Box
from jax.experimental.jet import jet
from numpy.testing import assert_allclose, assert_array_equal

import sklearn_adreg.numpy as adnp

X = np.array([0.2, 0.5, 0.9])


def spied(function: Callable[..., Any]) -> tuple[Callable[..., Any], list[type]]:
    """The function, and a list that it adds the types of its results to."""
    types: list[type] = []

    def spy(*args: Any) -> Any:
        result = function(*args)
        types.append(type(result))
        return result

    return spy, types


@pytest.mark.parametrize(
    "name",
    [
        *("abs", "arctan", "arctanh", "cos", "cosh", "exp", "expm1", "log", "log1p"),
        *("negative", "reciprocal", "sin", "sinh", "sqrt", "square", "tan", "tanh"),
    ],
)
def test_one_function_three_libraries(name: str) -> None:
    function = getattr(adnp, name)
    assert_array_equal(function(X), getattr(np, name)(X))

    expected = autograd.elementwise_grad(getattr(anp, name))(X)
    spy, types = spied(function)
    assert_array_equal(autograd.elementwise_grad(spy)(X), expected)
    assert issubclass(types[0], Box)

    with jax.enable_x64(True):
        by_jax = jax.jit(jax.vmap(jax.grad(function)))(X)
    assert_allclose(by_jax, expected, rtol=1e-14)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: adnp.where(x > 0.5, x**2, 0.1 * x),
        lambda x: adnp.clip(x, 0.3, 0.7) * x,
        lambda x: adnp.maximum(x, 0.6) * adnp.minimum(0.7, x),
        lambda x: adnp.logaddexp(x, 0.0),
        lambda x: adnp.logaddexp2(0.0, x),
        lambda x: adnp.power(2.0, x) + adnp.hypot(x, 1.0),
        lambda x: adnp.sum(adnp.stack([x, 2 * x]), axis=0),
        lambda x: adnp.concatenate([x, (x * x)])[3:],
        lambda x: adnp.exp([x[0], x[1], x[2]]),
        lambda x: adnp.arctan2(x, 2.0) + adnp.mean(a=2 * x) * 0,
        lambda x: adnp.pi * adnp.ones_like(x) * x,
        lambda x: adnp.array([x[0], 2 * x[1], 3 * x[2]]),
    ],
)
def test_losses_can_be_written(function: Any) -> None:
    by_autograd = autograd.elementwise_grad(function)(X)
    with jax.enable_x64(True):
        # The Jacobian is diagonal, so that its rows add up to the derivatives.
        by_jax = jax.jit(jax.grad(lambda x: function(x).sum()))(X)
    step = 1e-6
    differences = (function(X + step) - function(X - step)) / (2 * step)
    # The points where a branch changes are differentiated from both sides.
    smooth = np.abs(X - 0.5) > 0.01
    assert_allclose(by_autograd[smooth], differences[smooth], rtol=1e-8)
    assert_allclose(by_jax, by_autograd, rtol=1e-12)


def test_nested_boxes() -> None:
    second = autograd.elementwise_grad(autograd.elementwise_grad(adnp.sin))
    assert_allclose(second(X), -np.sin(X), rtol=1e-15)


def test_under_jet() -> None:
    value, (first, second) = jet(adnp.sin, (0.5,), ((1.0, 0.0),))
    expected = [np.sin(0.5), np.cos(0.5), -np.sin(0.5)]
    assert_allclose([value, first, second], expected, rtol=1e-6)


def test_arrays_of_jax_stay_arrays_of_jax() -> None:
    assert isinstance(adnp.exp(jnp.ones(2)), jax.Array)
    assert isinstance(adnp.maximum(X, jnp.ones(3)), jax.Array)
    assert isinstance(adnp.exp(X), np.ndarray)
    assert isinstance(adnp.exp(0.5), np.float64)


def test_keywords_and_containers_are_looked_into() -> None:
    by_keyword = autograd.elementwise_grad(lambda x: adnp.sum(axis=0, a=x))
    assert_array_equal(by_keyword(X), 1.0)
    assert isinstance(adnp.stack(arrays=(jnp.ones(2), X[:2])), jax.Array)


def test_constants_and_types() -> None:
    assert adnp.pi == np.pi
    assert adnp.inf == np.inf
    assert adnp.newaxis is None
    assert adnp.float64 is np.float64
    assert adnp.ndarray is np.ndarray


def test_functions_are_the_same_object() -> None:
    assert adnp.tanh is adnp.tanh
    assert pickle.loads(pickle.dumps(adnp.tanh)) is adnp.tanh
    assert adnp.tanh.__name__ == "tanh"
    assert "tanh" in adnp.tanh.__doc__


def test_dir() -> None:
    names = dir(adnp)
    assert {"where", "logaddexp", "pi", "float64"} <= set(names)
    assert "linalg" not in names
    for name in names:
        assert getattr(adnp, name) is not None or name == "newaxis"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tanhh", "Did you mean 'tanh'"),
        ("softplus", r"softplus is logaddexp\(x, 0\).*autograd.scipy or jax.scipy"),
        ("linalg", "not its submodule 'linalg'.*jax.numpy.linalg"),
        ("_private", "has no attribute '_private'"),
    ],
)
def test_names_that_are_not_there(name: str, words: str) -> None:
    with pytest.raises(AttributeError, match=words):
        getattr(adnp, name)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (adnp.cbrt, r"autograd has no derivative of numpy\.cbrt .*backend='jax'"),
        (lambda x: adnp.clip(X, x, 2.0), r"autograd has no derivative of numpy\.clip"),
        (lambda x: adnp.clip(x, min=0.0), "with the keywords min.*by position"),
    ],
)
def test_missing_gradient_is_named(function: Any, words: str) -> None:
    with pytest.raises(NotImplementedError, match=words):
        autograd.elementwise_grad(function)(X)


def test_missing_function_is_named() -> None:
    with pytest.raises(NotImplementedError, match=r"jax.numpy has no .*'busday_count'"):
        adnp.busday_count(jnp.ones(1), 1)


def test_errors_of_the_arguments_pass() -> None:
    unchecked: Any = adnp
    with pytest.raises(ValueError, match="reshape"):
        autograd.elementwise_grad(lambda x: unchecked.reshape(x, (2,)))(X)
    with pytest.raises(TypeError):
        unchecked.exp()
    with pytest.raises(TypeError, match="integer"):
        autograd.elementwise_grad(lambda x: unchecked.reshape(x, 1.5))(X)
    with pytest.raises(TypeError, match=r"autograd .*by position\. Got x by keyword"):
        autograd.elementwise_grad(lambda x: unchecked.exp(x=x))(X)
