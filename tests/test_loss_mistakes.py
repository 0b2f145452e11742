"""What is wrong with a loss is said before anything is fitted, with the remedy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Huber

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 3))
Y = 5.0 + X @ [1.0, 2.0, 3.0] + rng.standard_normal(60)

NAN_SLOPE = "Beware of sqrt and log at zero"
PER_SAMPLE = "the mean, and the sample weights, are the estimator's"


def jump(y: Any, z: Any) -> Any:
    return adnp.round(y - z) ** 2 * 1.0


def branch(y: Any, z: Any) -> Any:
    return (y - z) ** 2 if (y > z) else abs(y - z)


def no_array(y: Any, z: Any) -> Any:
    return [float(one) for one in adnp.asarray((y - z) ** 2).ravel()]


def of_the_mean(y: Any, z: Any) -> Any:
    return (y - adnp.mean(z)) ** 2 + 0.0 * z


def standardised(y: Any, z: Any) -> Any:
    return ((y - z) / adnp.std(y)) ** 2


def infinite(y: Any, z: Any) -> Any:
    return (y - z) ** 2 / (y < -1e9)


def nothing(y: Any, z: Any) -> Any:
    del y, z


def fails(y: Any, z: Any) -> Any:
    return (y - z).no_such_thing


def steep(y: Any, z: Any) -> Any:
    return adnp.sqrt(0.0 * z) + (y - z) ** 2


# The loss, what the message says of it, and the remedy.
MISTAKES: dict[str, tuple[Any, str, str]] = {
    "mean": (
        lambda y, z: adnp.mean((y - z) ** 2),
        "must return one value per sample",
        f"Return one loss per sample, do not average: {PER_SAMPLE}",
    ),
    "pairs": (
        lambda y, z: (y[:, None] - z[None, :]) ** 2,
        "must return one value per sample",
        "Compute it element by element",
    ),
    "nothing": (nothing, "Got None", "return the result"),
    "list": (no_array, "must return an array", "Write it with array operations"),
    "comparison": (lambda y, z: y > z, "dtype bool", "multiply it by a cost"),
    "complex": (lambda y, z: (y - z) * 1j, "dtype complex128", "no derivative"),
    "infinite": (infinite, "must be finite", "Leave such rows out"),
    "logarithm": (
        lambda y, z: adnp.log(y - 1e6) + 0 * z,
        "must be finite",
        "defined there",
    ),
    "of the mean": (
        of_the_mean,
        "must treat each sample by itself",
        "Do not use means",
    ),
    "standardised": (standardised, "must treat each sample", "sums or sizes"),
    "rounding": (jump, "must be differentiable", "Rounding, sorting and comparisons"),
    "infinite slope": (steep, "must have finite derivatives", NAN_SLOPE),
    "one argument": (lambda y: y**2, "function of two arrays", "Define it with these"),
    "branch": (branch, "", "`where`"),
    "its own error": (fails, "no_such_thing", "two arrays"),
}


@pytest.mark.filterwarnings("ignore:invalid value|divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:Output seems independent:UserWarning")
@pytest.mark.parametrize("epsilon", ["auto", 0.01])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: str, epsilon: Any, backend: Any) -> None:
    loss, rule, remedy = MISTAKES[mistake]
    model = GradientDescentRegressor(loss, backend=backend, epsilon=epsilon)
    with pytest.raises((TypeError, ValueError)) as caught:
        model.fit(X, Y)
    message = str(caught.value)
    assert "loss" in message
    assert loss.__qualname__ in message
    assert rule in message
    assert remedy in message
    assert not hasattr(model, "coef_")


FOREIGN: dict[str, tuple[Callable[..., Any], str, str]] = {
    "numpy in autograd": (
        lambda y, z: np.where(y > z, y - z, z - y),
        "autograd",
        "calls numpy.where",
    ),
    "numpy in jax": (
        lambda y, z: np.where(y > z, y - z, z - y),
        "jax",
        "calls numpy.where",
    ),
    "math": (lambda y, z: math.sqrt(y - z), "autograd", "sklearn_adreg.numpy"),
    "autograd in jax": (lambda y, z: anp.tanh(y - z), "jax", "sklearn_adreg.numpy"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_functions_that_a_backend_cannot_follow(name: str) -> None:
    loss, backend, said = FOREIGN[name]
    with pytest.raises(TypeError) as caught:
        GradientDescentRegressor(loss, backend=backend).fit(X, Y)
    message = str(caught.value)
    assert f"backend='{backend}' cannot differentiate the loss" in message
    assert loss.__qualname__ in message
    assert said in message


def test_a_class_is_no_loss() -> None:
    with pytest.raises(ValueError, match=r"Pass an instance: loss=Huber\(\)"):
        GradientDescentRegressor(Huber).fit(X, Y)


def test_not_finite_at_the_start() -> None:
    # The first rows are fine; a later one is not.
    y = Y.copy()
    y[40] = -3.0

    def loss(y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred) ** 2 + adnp.log(y_true + 2.5)

    with pytest.raises(
        ValueError, match=r"finite for every sample.* row 40, with y_true=-3"
    ):
        GradientDescentRegressor(loss).fit(X, y)


def test_not_bounded_below() -> None:
    def reward(y_true: Any, y_pred: Any) -> Any:
        return -((y_true - y_pred) ** 2)

    with pytest.raises(ValueError, match=r"must be bounded below.*Check its sign"):
        GradientDescentRegressor(reward).fit(X, Y)


@dataclass
class Mutable:
    """Compares by value, and so has no hash."""

    power: float = 2.0

    def __call__(self, y: Any, z: Any) -> Any:
        return abs(y - z) ** self.power


@dataclass
class MutableLink(Mutable):
    def inverse_link(self, linear: Any) -> Any:
        return adnp.exp(linear)


def test_losses_without_a_hash(backend: Any) -> None:
    found = GradientDescentRegressor(Mutable(), backend=backend).fit(X, Y)
    expected = GradientDescentRegressor(backend=backend).fit(X, Y)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-6)
    found = GradientDescentRegressor(MutableLink(), backend=backend).fit(X, np.exp(Y))
    assert (found.predict(X) > 0).all()
    assert found.score(X, np.exp(Y)) > expected.fit(X, np.exp(Y)).score(X, np.exp(Y))
