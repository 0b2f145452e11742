"""What is found out of a callable: its kinks, and whether it is convex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from targets import AMOUNTS, LABELS

import sklearn_adreg.numpy as adnp
from sklearn_adreg._loss.traits import Traits, looked_at, traits_of
from sklearn_adreg.backends import AutogradBackend, Backend
from sklearn_adreg.losses import (
    LOSSES,
    EpsilonInsensitive,
    Expectile,
    GammaDeviance,
    Huber,
    Linex,
    Pinball,
    PoissonDeviance,
    TweedieDeviance,
)

RNG = np.random.default_rng(0)
TARGETS = {
    "normal": RNG.standard_normal(500),
    "counts": RNG.poisson(3.0, 500) + 1.0,
    "large": 1e4 + 50.0 * RNG.standard_normal(500),
    "small": 1e-6 * RNG.standard_normal(500),
    "heavy": RNG.standard_t(1.5, 500),
    # A grid over their range is much coarser than the well of a robust loss.
    "one outlier": np.append(RNG.standard_normal(500), 1e6),
    "half of them zero": np.append(np.zeros(300), RNG.exponential(size=200)),
}


def known_traits(loss: Any, *seen: Any) -> Traits:
    return traits_of(loss, looked_at(loss, *seen))


def positive(target: np.ndarray) -> np.ndarray:
    return np.abs(target) + 1e-3 * np.abs(target).max()


def scaled(loss: Any, target: np.ndarray) -> Callable[[Any, Any], Any]:
    """A loss in the units of the target, as a user would write it; no traits of it."""
    unit = np.median(np.abs(target - np.median(target))) or 1.0

    def own(y: Any, prediction: Any) -> Any:
        return loss(y / unit, prediction / unit)

    inverse_link = getattr(loss, "inverse_link", None)
    if inverse_link is None:
        return own
    own = lambda y, prediction: loss(y, prediction)  # noqa: E731
    own.inverse_link = inverse_link  # type: ignore[attr-defined]
    return own


OTHERS = [
    *(Pinball(0.99), Expectile(0.9), EpsilonInsensitive(1.0), Huber(0.1), Linex(0.1)),
    *(TweedieDeviance(1.0), TweedieDeviance(2.0)),
]


@pytest.mark.parametrize("data", TARGETS)
@pytest.mark.parametrize("loss", [*AMOUNTS.values(), *OTHERS], ids=repr)
def test_built_in_losses_behind_a_callable(loss: Any, data: str) -> None:
    target = TARGETS[data]
    try:
        loss.check_target(target)
    except ValueError:
        target = positive(target)
    own = scaled(loss, target)
    found = known_traits(own, AutogradBackend(), target[:, None])
    linked = hasattr(loss, "inverse_link")
    assert found == Traits(loss.kinked, loss.convex, linked)


@pytest.mark.parametrize("loss", LABELS.values(), ids=repr)
def test_losses_of_labels_behind_a_callable(loss: Any) -> None:
    target = np.random.default_rng(1).choice(loss.labels, 500)
    found = known_traits(scaled(loss, 0 * target), AutogradBackend(), target[:, None])
    linked = hasattr(loss, "inverse_link")
    assert found == Traits(loss.kinked, loss.convex, linked)


def test_built_in_losses_say_it_themselves(backend: Backend) -> None:
    for loss in LOSSES.values():
        found = known_traits(loss, backend, np.ones((3, 1)))
        linked = hasattr(loss, "inverse_link")
        assert found == Traits(loss.kinked, loss.convex, linked)


def softplus(y: Any, z: Any) -> Any:
    return adnp.logaddexp(0.0, z) - (y > 0) * z


# Of each the loss, whether it has kinks, and whether it is convex.
OWN = {
    "stock-outs": (lambda y, z: adnp.maximum(4 * (y - z), z - y), True, True),
    "MAPE": (lambda y, z: adnp.abs((y - z) / y), True, True),
    "dead zone": (lambda y, z: adnp.maximum(adnp.abs(y - z) - 0.2, 0.0), True, True),
    "squared, asymmetric": (
        lambda y, z: adnp.where(y > z, 5.0, 1.0) * (y - z) ** 2,
        False,
        True,
    ),
    "log-cosh": (lambda y, z: adnp.log(adnp.cosh(y - z)), False, True),
    "squared": (lambda y, z: (y - z) ** 2, False, True),
    "fourth power": (lambda y, z: (y - z) ** 4, False, True),
    "power 1.5": (lambda y, z: ((y - z) ** 2 + 1e-300) ** 0.75, False, True),
    "Charbonnier": (lambda y, z: adnp.sqrt(1 + (y - z) ** 2), False, True),
    # Narrow, but smooth: it bends over 1e-3 of the spread of y.
    "nearly a kink": (lambda y, z: adnp.sqrt(1e-6 + (y - z) ** 2), False, True),
    "Welsch": (lambda y, z: 1 - adnp.exp(-((y - z) ** 2) / 2), False, False),
    "Geman-McClure": (lambda y, z: (y - z) ** 2 / (1 + (y - z) ** 2), False, False),
    "capped": (lambda y, z: adnp.minimum(adnp.abs(y - z), 1.0), True, False),
    "capped, squared": (lambda y, z: adnp.minimum((y - z) ** 2, 1.0), True, False),
    "root": (lambda y, z: adnp.log(1 + adnp.abs(y - z)), True, False),
    "a jump and a curve": (
        lambda y, z: (y - z) ** 2 + 0.01 * adnp.abs(y - z),
        True,
        True,
    ),
    # Kinks that are not at the target.
    "two tariffs": (
        lambda y, z: adnp.abs(y - z) + adnp.maximum(z - 1.0, 0.0),
        True,
        True,
    ),
    "floor": (lambda y, z: (y - adnp.maximum(z, 0.0)) ** 2, True, False),
    "softplus": (softplus, False, True),
    "cubic penalty": (lambda y, z: adnp.abs(y - z) ** 3, False, True),
}


@pytest.mark.parametrize("name", OWN)
def test_own_losses(name: str, backend: Backend) -> None:
    loss, kinked, convex = OWN[name]
    # Away from zero, where a percentage has no derivative.
    target = TARGETS["normal"] + np.copysign(0.01, TARGETS["normal"])
    found = known_traits(loss, backend, target[:, None])
    assert found == Traits(kinked, convex, linked=False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [2, 15, 16, 17])
def test_few_targets_of_any_dtype(n: int, dtype: Any) -> None:
    target = np.arange(1.0, n + 1, dtype=dtype)[:, None]
    for name in ("stock-outs", "log-cosh", "Welsch"):
        loss, kinked, convex = OWN[name]
        found = known_traits(loss, AutogradBackend(), target)
        assert found == Traits(kinked, convex, linked=False)


def test_several_targets() -> None:
    target = np.c_[TARGETS["normal"], TARGETS["normal"] * 100.0]
    loss, kinked, convex = OWN["stock-outs"]
    found = known_traits(loss, AutogradBackend(), target)
    assert found == Traits(kinked, convex, linked=False)
    # The well of one is as wide as the small column, and nothing to the large one.
    target = np.c_[TARGETS["normal"] * 1e5, TARGETS["normal"]]
    assert not known_traits(OWN["Welsch"][0], AutogradBackend(), target).convex


def test_links_of_own_losses(backend: Backend) -> None:
    for family in (PoissonDeviance(), GammaDeviance()):
        own = scaled(family, TARGETS["counts"])
        found = known_traits(own, backend, TARGETS["counts"][:, None])
        assert found == Traits(kinked=False, convex=True, linked=True)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e8])
def test_kinks_behind_a_link(unit: float) -> None:
    def relative(y: Any, prediction: Any) -> Any:
        return adnp.abs(adnp.log(y) - adnp.log(prediction))

    relative.inverse_link = adnp.exp  # type: ignore[attr-defined]
    target = unit * np.exp(TARGETS["normal"])[:, None]
    found = known_traits(relative, AutogradBackend(), target)
    assert found == Traits(kinked=True, convex=True, linked=True)


@pytest.mark.parametrize("n", [1, 30])
def test_one_value(n: int) -> None:
    # How a loss bends further out does not matter: a constant fits.
    for name in ("stock-outs", "log-cosh"):
        loss, kinked, convex = OWN[name]
        found = known_traits(loss, AutogradBackend(), np.full((n, 1), 2.0))
        assert found == Traits(kinked, convex, linked=False)
