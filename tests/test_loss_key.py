"""Losses that are the same compile once; those that differ in anything do not."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg.losses import Huber, PoissonDeviance

SHIFT = 1.0


def power(exponent: Any) -> Any:
    return lambda y, z: abs(y - z) ** exponent


def by_default(exponent: float) -> Any:
    def loss(y: Any, z: Any, exponent: float = exponent) -> Any:
        return abs(y - z) ** exponent

    return loss


def by_keyword(exponent: float) -> Any:
    def loss(y: Any, z: Any, *, exponent: float = exponent) -> Any:
        return abs(y - z) ** exponent

    return loss


def nested(exponent: float) -> Any:
    inner = power(exponent)
    return lambda y, z: inner(y, z) + 1.0


@pytest.mark.parametrize("make", [power, by_default, by_keyword, nested])
def test_equal_where_all_they_refer_to_is(make: Any) -> None:
    first, again, other = (
        LinearLoss.of(make(2.0)),
        LinearLoss.of(make(2.0)),
        LinearLoss.of(make(3.0)),
    )
    assert first == again
    assert hash(first) == hash(again)
    assert first != other
    # An integer and a float may be computed with in different ways.
    assert first != LinearLoss.of(make(2))


def test_tuples_are_compared_by_what_they_hold() -> None:
    assert LinearLoss.of(power((1.0, 2.0))) == LinearLoss.of(power((1.0, 2.0)))
    assert LinearLoss.of(power((1.0, 2.0))) != LinearLoss.of(power((1.0, 3.0)))


def test_other_objects_equal_themselves_alone() -> None:
    shared: list[float] = [2.0]
    assert LinearLoss.of(power(shared)) == LinearLoss.of(power(shared))
    assert LinearLoss.of(power(shared)) != LinearLoss.of(power([2.0]))


def test_globals_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(y: Any, z: Any) -> Any:
        return (lambda error: abs(error + SHIFT))(y - z)

    before = LinearLoss.of(shifted)
    assert before == LinearLoss.of(shifted)
    monkeypatch.setitem(globals(), "SHIFT", 2.0)
    assert LinearLoss.of(shifted) != before


def test_a_function_may_call_itself() -> None:
    def repeated(y: Any, z: Any, times: int = 2) -> Any:
        return abs(y - z) if times == 0 else repeated(y, z, times - 1) ** 2

    assert LinearLoss.of(repeated) == LinearLoss.of(repeated)


def test_losses_that_compare_by_value() -> None:
    loss = Huber(2.0)
    again = LinearLoss.of(pickle.loads(pickle.dumps(loss)))
    assert LinearLoss.of(loss) == again
    assert hash(LinearLoss.of(loss)) == hash(again)
    assert LinearLoss.of(loss) != LinearLoss.of(Huber(3.0))


def test_functions_with_attributes_equal_themselves_alone() -> None:
    # What has attributes of its own is not known by its code.
    linked, other = power(2.0), power(2.0)
    linked.inverse_link = other.inverse_link = adnp.exp
    assert LinearLoss.of(linked) == LinearLoss.of(linked)
    assert LinearLoss.of(linked) != LinearLoss.of(other)


def test_what_is_left_out_and_row_data_count() -> None:
    loss = power(2.0)
    assert LinearLoss.of(loss) != LinearLoss.of(loss, ("exposure",))
    poisson = PoissonDeviance()
    assert LinearLoss.of(poisson) != LinearLoss.cheapest(poisson)
    # Where nothing can be left out it is the same.
    assert LinearLoss.of(loss) == LinearLoss.cheapest(loss)


class Scaled:
    """Equal to itself alone, and not to what it was before a change."""

    def __init__(self) -> None:
        self.scale = [np.ones(3)]

    def __call__(self, y: Any, z: Any) -> Any:
        return self.scale[0][0] * (y - z) ** 2


@pytest.mark.parametrize(
    "held",
    [[2.0], {"a": [2.0]}, np.ones((4, 2)).T, np.array(2.0), np.zeros(0), [1.0] * 5000],
    ids=["list", "dictionary", "strided", "scalar", "empty", "long"],
)
def test_contents_count(held: Any) -> None:
    loss = power(held)
    before = LinearLoss.of(loss)
    assert before == LinearLoss.of(loss)
    if isinstance(held, dict):
        held["a"][0] = 3.0
    elif isinstance(held, list):
        held[-1] = 3.0
    elif held.size:
        held[(-1,) * held.ndim] = 3.0
    assert (before == LinearLoss.of(loss)) == (np.size(held) == 0)


def test_a_loss_that_is_changed_between_two_fits(backend: Any) -> None:
    loss = Scaled()
    X = np.linspace(-1, 1, 20)[:, None]
    model = GradientDescentRegressor(loss, backend=backend)
    curve = model.fit(X, X[:, 0] ** 2).loss_curve_
    loss.scale[0][0] = 5.0
    for given in (loss, partial(loss)):
        model.set_params(loss=given).fit(X, X[:, 0] ** 2)
        np.testing.assert_allclose(model.loss_curve_[-1], 5 * curve[-1])
