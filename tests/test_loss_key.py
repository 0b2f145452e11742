"""Losses that are the same compile once; those that differ in anything do not."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import sklearn_adreg.numpy as adnp
from sklearn_adreg._loss.key import KeyedLoss, keyed
from sklearn_adreg.losses import Huber

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
    first, again, other = keyed(make(2.0)), keyed(make(2.0)), keyed(make(3.0))
    assert isinstance(first, KeyedLoss)
    assert first == again
    assert hash(first) == hash(again)
    assert first != other
    # An integer and a float may be computed with in different ways.
    assert first != keyed(make(2))


def test_tuples_are_compared_by_what_they_hold() -> None:
    assert keyed(power((1.0, 2.0))) == keyed(power((1.0, 2.0)))
    assert keyed(power((1.0, 2.0))) != keyed(power((1.0, 3.0)))


def test_other_objects_equal_themselves_alone() -> None:
    shared: list[float] = [2.0]
    assert keyed(power(shared)) == keyed(power(shared))
    assert keyed(power(shared)) != keyed(power([2.0]))


def test_globals_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(y: Any, z: Any) -> Any:
        return (lambda error: abs(error + SHIFT))(y - z)

    before = keyed(shifted)
    assert before == keyed(shifted)
    monkeypatch.setitem(globals(), "SHIFT", 2.0)
    assert keyed(shifted) != before


def test_a_function_may_call_itself() -> None:
    def repeated(y: Any, z: Any, times: int = 2) -> Any:
        return abs(y - z) if times == 0 else repeated(y, z, times - 1) ** 2

    assert keyed(repeated) == keyed(repeated)


def test_hashable_losses_are_left_as_they_are() -> None:
    loss = Huber(2.0)
    assert keyed(loss) is loss
    assert keyed(pickle.loads(pickle.dumps(loss))) == loss
    # What has attributes of its own is not known by its code.
    linked = power(2.0)
    linked.inverse_link = adnp.exp
    assert keyed(linked) is linked
