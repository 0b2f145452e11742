"""Whatever computes with rows does so through them: it runs on rows that are opaque."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from kinds_of_rows import BUILDERS, Builder, host_rows
from mean_losses import SETTINGS, TOGETHER, Setting, many_rows
from numpy.testing import assert_allclose, assert_array_equal
from opaque_rows import Blocks, OpaqueRows

import sklearn_adreg._descent
from sklearn_adreg._descent.continuation import narrow
from sklearn_adreg._descent.coordinates import whitened
from sklearn_adreg._descent.loop import Goal, State, begin, minimise
from sklearn_adreg._descent.quasi_newton import QuasiNewton
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss, Point
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg.losses import Huber, LogCosh, Pinball, PoissonDeviance, SquaredError

opaque: Builder = BUILDERS[OpaqueRows.__name__]["blocks"]
# Sums of the same terms in another order.
CLOSE: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-11}


def test_row_vectors_refuse_all_else() -> None:
    v = Blocks([np.ones(3), np.ones(0)])
    refused: list[Callable[[], Any]] = [
        *(lambda: v + v, lambda: 2.0 * v, lambda: np.ones(3) * v, lambda: -v),
        *(lambda: v[0], lambda: len(v), lambda: bool(v), lambda: list(v)),
        *(lambda: np.asarray(v), lambda: np.sum(v), lambda: v > 0, lambda: v == v),
        *(lambda: np.exp(v), lambda: abs(v), lambda: v @ v, lambda: hash(v)),
    ]
    for attempt in refused:
        with pytest.raises(TypeError):
            attempt()


def check_points(host: MeanLoss, far: MeanLoss, mine: Point, found: Point) -> None:
    """Compare all that two points have."""
    rows = far.data.rows
    assert_allclose(found.value, mine.value, **CLOSE)
    assert_allclose(found.directional_derivative, mine.directional_derivative, **CLOSE)
    assert_allclose(rows.numpy(found.linear), mine.linear, **CLOSE)
    assert_allclose(rows.numpy(found.slope), mine.slope, **CLOSE)
    assert_allclose(far.gradient(found), host.gradient(mine), **CLOSE)
    assert (found.curvature is None) == (mine.curvature is None)
    if found.curvature is not None:
        assert found.mean_curvature == pytest.approx(mine.mean_curvature, rel=1e-9)
        assert_allclose(rows.numpy(found.curvature), mine.curvature, **CLOSE)
        columns = np.array([0, 2, 4])
        for chosen in (None, columns):
            expected = host.hessian(mine, chosen)
            size = np.abs(expected).max()
            hessian = far.hessian(found, chosen)
            assert_allclose(hessian, expected, rtol=0, atol=1e-9 * size)


@pytest.mark.parametrize("name", TOGETHER)
@pytest.mark.parametrize("width", [0.0, 0.3])
def test_mean_loss(name: str, width: float) -> None:
    setting = SETTINGS[name]
    host, far = (setting.on(build).through(width) for build in (host_rows, opaque))
    pairs = []
    for objective in (host, far):
        linear = objective.linear_predictor(setting.theta)
        ray = objective.ray(setting.direction)
        here, there = objective.point(linear), objective.point(linear, ray, 0.3)
        pairs.append((here, there, *objective.curved(there, 0.1)[1:]))
        assert_allclose(objective.value(linear), host.value(pairs[0][0].linear))
    for mine, found in zip(*pairs, strict=True):
        seen = width if mine.curvature is not None else 0.0
        check_points(host.through(seen), far.through(seen), mine, found)
    value, gradient = far.value_and_gradient(setting.theta)
    expected, slope = host.value_and_gradient(setting.theta)
    assert_allclose(value, expected, **CLOSE)
    assert_allclose(gradient, slope, **CLOSE)
    assert far.constant == pytest.approx(host.constant)


def test_some_rows_of_many() -> None:
    setting = many_rows(40_000)
    found = []
    for build in (host_rows, opaque):
        objective = setting.on(build)
        point = objective.point(objective.linear_predictor(setting.theta))
        some, bent = objective.curved(point, 0.1)
        assert some is not objective
        found.append(some.hessian(bent))
    assert_allclose(found[1], found[0], **CLOSE)


def _quasi_newton(objective: MeanLoss, penalty: Penalty) -> QuasiNewton:
    rows, weight = objective.data.rows, objective.data.weight
    return QuasiNewton(whitened(rows, weight, rows.gram(weight), penalty.l2), True)


def _proximal_newton(objective: MeanLoss, _penalty: Penalty) -> Any:
    module: Any = importlib.import_module("sklearn_adreg._descent.proximal_newton")
    return module.ProximalNewton(objective)


# How to make each method for an objective, and whether its penalty may have corners.
METHODS: dict[str, tuple[Callable[[MeanLoss, Penalty], Any], bool]] = {
    "QuasiNewton": (_quasi_newton, False),
    "ProximalNewton": (_proximal_newton, True),
}


def methods() -> list[str]:
    """Names of all update rules of the package, that have what a method has.

    Those around another one, which keep its steps within something, are of that one.
    """
    found = []
    for module in pkgutil.iter_modules(sklearn_adreg._descent.__path__):
        name = f"sklearn_adreg._descent.{module.name}"
        for _, member in inspect.getmembers(importlib.import_module(name)):
            known = all(hasattr(member, ask) for ask in ("step", "learn", "renew"))
            own = inspect.isclass(member) and member.__module__ == name
            if own and known and "method" not in inspect.get_annotations(member):
                found.append(member.__name__)
    return [name for name in found if name != "Method"]


def test_every_method_is_tested() -> None:
    missing = set(methods()) - set(METHODS)
    assert not missing, f"Say in METHODS how to make {missing}."


DESCENTS = {
    "squared error": SquaredError(),
    "log-cosh": LogCosh(),
    "Huber": Huber(0.3),
    "Poisson": PoissonDeviance(),
    "pinball": Pinball(0.7),
}


def descended(setting: Setting, build: Builder, name: str, penalty: Penalty) -> State:
    """Minimise from a constant, through windows where the loss has kinks."""
    objective, loss = setting.on(build), setting.loss.loss
    linked = hasattr(loss, "inverse_link")
    level = float(np.average(setting.target, weights=setting.weight))
    scale = 1.0 if linked else float(setting.target.std())
    theta = np.zeros(setting.X.shape[1] + 1)
    theta[-1] = np.log(level) if linked else level
    point = objective.point(objective.linear_predictor(theta))
    kinked, eps = getattr(loss, "kinked", False), float(np.finfo(np.float64).eps)
    tol = 1e-6 if kinked else 1e-9
    goal = Goal(tol, 500, scale, 1e-4, scale, eps, lambda _values: None)
    state = begin(penalty, theta, point)
    method = METHODS[name][0](objective, penalty)
    if not kinked:
        return minimise(method, objective, penalty, goal, state)
    windows: dict[str, Any] = {"spread": scale, "near": None, "straight": True}
    return narrow(method, objective, penalty, goal, state, **windows)


@pytest.mark.parametrize("loss", DESCENTS.values(), ids=DESCENTS)
@pytest.mark.parametrize(
    ("name", "l1_ratio"),
    [
        (name, l1_ratio)
        for name in methods()
        for l1_ratio in ((0.0, 0.5) if METHODS[name][1] else (0.0,))
    ],
)
def test_every_descent(name: str, loss: Any, l1_ratio: float) -> None:
    rng = np.random.default_rng(0)
    n_rows, n_features = 1_500, 6
    X = rng.standard_normal((n_rows, n_features)) + 3.0
    target = rng.poisson(np.exp(0.3 * (X[:, 0] - X[:, 1]))).astype(float)
    if loss.kinked:  # counts are ties
        target += rng.random(n_rows)
    weight = rng.integers(0, 3, n_rows).astype(float)
    setting = Setting(LinearLoss.cheapest(loss), X, target, weight / weight.sum())
    penalty = Penalty.elastic_net(0.05, l1_ratio, n_features, intercept=True)
    expected, found = (
        descended(setting, build, name, penalty) for build in (host_rows, opaque)
    )
    assert found.error <= 1.0
    assert_allclose(found.curve[-1], expected.curve[-1], rtol=1e-6)
    if not loss.kinked:
        assert abs(len(found.curve) - len(expected.curve)) <= 2
        assert_allclose(found.theta, expected.theta, rtol=0, atol=1e-7)
        assert_array_equal(found.theta == 0, expected.theta == 0)
