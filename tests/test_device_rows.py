"""Rows on a device: the mean loss there is the mean loss in host memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._rows.device import DeviceRows, device_rows
from sklearn_adreg._rows.host import HostRows
from sklearn_adreg._rows.moments import centred, measured, moments_of
from sklearn_adreg._rows.rows import Data, Rows
from sklearn_adreg.backends import Backend, iterate_in_python
from sklearn_adreg.losses import LogCosh, PoissonDeviance

N_ROWS, N_FEATURES, N_PREDICTORS = 60, 4, 3
# Differences of losses over the bandwidth are rounded to eps / bandwidth.
BANDWIDTH = 0.1
ROUNDING: dict[Any, float] = {np.float64: 1e-12, np.float32: 1e-4}


@dataclass(frozen=True)
class Robust:
    """One predictor and row data: errors in units of the row's own."""

    def __call__(self, y_true: Any, linear: Any, unit: Any) -> Any:
        return adnp.log(adnp.cosh((y_true - linear) / unit))


@dataclass(frozen=True)
class Located:
    """Three predictors, which bend each other: location, slope, and their sum's."""

    def __call__(self, y_true: Any, linear: Any, unit: Any) -> Any:
        error = (y_true - linear[:, 0] - linear[:, 1] * linear[:, 2]) / unit
        return adnp.log(adnp.cosh(error)) + adnp.sum(linear**2, axis=1) / 4


def with_units(loss: Any) -> LinearLoss:
    return LinearLoss.of(loss, row_names=("unit",))


ROBUST, LOCATED = with_units(Robust()), with_units(Located())


class Problem(NamedTuple):
    data: Data


class State(NamedTuple):
    theta: Any
    gradient: Any
    value: Any


@dataclass(frozen=True)
class Descend:
    """A step of gradient descent on rows that are put together where it runs."""

    rows: Rows
    loss: LinearLoss
    backend: Backend

    def __call__(self, problem: Problem, state: State) -> State:
        data = problem.data
        data = data._replace(rows=self.rows.filled(data.rows))
        objective = MeanLoss(data, self.loss, self.backend)
        value, gradient = objective.value_and_gradient(state.theta)
        return State(state.theta - gradient / 4, gradient, value)


def always(problem: Problem, state: State) -> Any:
    del problem
    return abs(state.value) < np.inf


def no_report(values: np.ndarray) -> None:
    pass


def both_rows(
    backend: Backend, device: str, dtype: Any, intercept: bool
) -> tuple[Callable[[Rows], Data], HostRows, DeviceRows]:
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((N_ROWS, N_FEATURES)) + 100).astype(dtype)
    weight = rng.uniform(size=N_ROWS).astype(dtype)
    weight[::7] = 0
    weight /= weight.sum()
    target, offset = rng.standard_normal((2, N_ROWS))
    target[::7] = np.nan  # where there is no weight
    unit = rng.uniform(1, 2, N_ROWS)

    def data(rows: Rows) -> Data:
        shares, units = rows.vector(weight), (rows.vector(unit),)
        return Data(rows, rows.vector(target), shares, rows.vector(offset), units)

    there = device_rows(backend, device, X, weight, intercept=intercept)
    return data, centred(X, weight, intercept=intercept), there


@pytest.mark.parametrize(
    ("shape", "intercept", "dtype"),
    [
        ((), True, np.float64),
        ((), False, np.float32),
        ((N_PREDICTORS,), True, np.float32),
        ((N_PREDICTORS,), False, np.float64),
    ],
)
def test_mean_loss(
    device_backend: Backend,
    device: str,
    shape: tuple[int, ...],
    intercept: bool,
    dtype: Any,
) -> None:
    data, here, there = both_rows(device_backend, device, dtype, intercept)
    assert here.shape == there.shape
    assert there.dtype == dtype
    loss = LOCATED if shape else ROBUST
    rng = np.random.default_rng(1)
    theta, direction = rng.uniform(-1, 1, (2, here.shape[1], *shape)) / 100
    same = partial(assert_allclose, rtol=ROUNDING[dtype], atol=ROUNDING[dtype])

    units = (1.0,) * N_PREDICTORS if shape else None
    objectives = [
        MeanLoss(data(rows), loss, device_backend, units=units)
        for rows in (here, there)
    ]
    for bandwidth in (0.0, BANDWIDTH):
        host, placed = (each.through(bandwidth) for each in objectives)
        points = []
        for objective in (host, placed):
            linear = objective.linear_predictor(theta)
            ray = objective.ray(direction)
            points.append(objective.point(linear, ray, 0.5))
        expected, found = points
        for name in ("value", "directional_derivative", "mean_curvature"):
            ours = getattr(found, name)
            assert ours is None or type(ours) is float
            if ours is not None:
                same(ours, getattr(expected, name))
        for name in ("linear", "slope", "curvature"):
            if getattr(expected, name) is not None:
                ours = there.numpy(getattr(found, name))
                assert ours.dtype == dtype
                same(ours, getattr(expected, name))
        gradient = placed.gradient(found)
        assert type(gradient) is np.ndarray
        assert gradient.dtype == np.float64
        same(gradient, host.gradient(expected))
        same(placed.value(found.linear), host.value(expected.linear))
    hessian = placed.hessian(found)
    same(hessian, host.hessian(expected))


LOSSES = [
    ROBUST,
    LOCATED,
    LinearLoss.of(PoissonDeviance()),
    LinearLoss.cheapest(PoissonDeviance()),
]


@pytest.mark.parametrize("loss", LOSSES)
def test_rows_in_a_compiled_loop(
    device_backend: Backend, device: str, loss: LinearLoss
) -> None:
    data, here, there = both_rows(device_backend, device, np.float64, True)
    shape = (N_PREDICTORS,) if loss == LOCATED else ()
    start = np.random.default_rng(3).uniform(-0.1, 0.1, (here.shape[1], *shape))
    states = []
    for rows in (here, there):
        labels = data(rows)
        if not loss.row_names:  # no counts are negative
            target = rows.vector(abs(rows.numpy(labels.target)))
            labels = labels._replace(target=target, row_data=())
        empty, X = rows.emptied()
        step = Descend(empty, loss, device_backend)
        problem = Problem(labels if X is None else labels._replace(rows=X))
        state = State(start, start, np.float64(0))
        iterate = iterate_in_python if rows.eager else device_backend.iterate
        states.append(iterate(step, always, problem, state, 5, no_report)[0])
    for expected, found in zip(*states, strict=True):
        assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_emptied_rows_are_one_key(device_backend: Backend, device: str) -> None:
    _, _, there = both_rows(device_backend, device, np.float64, True)
    few, _ = there.take(np.arange(5))
    empty, X = few.emptied()
    assert empty == there.emptied()[0]
    assert hash(empty) == hash(there.emptied()[0])
    assert_array_equal(X, there.numpy(there.X)[:5])
    _, _, other = both_rows(device_backend, device, np.float64, False)
    assert empty != other.emptied()[0]


def test_few_rows_with_curvature(device_backend: Backend, device: str) -> None:
    _, here, there = both_rows(device_backend, device, np.float64, True)
    factor = np.random.default_rng(4).standard_normal((3, 2))
    columns = np.array([0, 3, 4])
    for n_moving in (0, 1, 5, N_ROWS):
        h = np.zeros(N_ROWS)
        h[-n_moving or N_ROWS :] = np.linspace(-1, 2, n_moving)
        asked = there.vector(h)
        for chosen, image in [(None, None), (columns, None), (columns, factor)]:
            assert_allclose(
                there.gram(asked, chosen, image),
                here.gram(h, chosen, image),
                rtol=1e-12,
                atol=1e-12,
            )
        assert_allclose(there.diagonal(asked), here.diagonal(h), rtol=1e-12)
    assert_allclose(there.gram(), here.gram(), rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("intercept", [True, False])
def test_centring_and_moments(
    device_backend: Backend, device: str, intercept: bool
) -> None:
    rng = np.random.default_rng(2)
    X = rng.standard_normal((N_ROWS, N_FEATURES))
    X[:, 1] = 1e9 + rng.integers(0, 9, N_ROWS)  # timestamps
    X[:, 2] = 0.1  # rounded, and constant
    target = rng.standard_normal((N_ROWS, 2)) + 1e4
    weight = rng.uniform(size=N_ROWS)
    weight[: N_ROWS // 2] = 0
    weight /= weight.sum()

    _, expected = measured(X, target, weight, intercept=intercept)
    rows = device_rows(device_backend, device, X, weight, intercept=intercept)
    vectors = rows.vector(target), rows.vector(weight)
    found = moments_of(rows, *vectors)
    for name, ours in found._asdict().items():
        theirs = np.asarray(getattr(expected, name))
        assert np.shape(ours) == theirs.shape, name
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9, err_msg=name)
    if intercept:
        assert_array_equal(found.gram[2], 0)

    theta = rng.standard_normal((rows.shape[1], 2))
    coef, level = rows.outer(theta)
    products = rows.numpy(rows.matvec(theta))
    # Products of numbers of 1e9 with sixteen digits.
    assert_allclose(X @ coef + level, products, rtol=1e-6, atol=1e-5)
    assert_allclose(rows.inner(coef, level), theta, rtol=1e-6, atol=1e-5)
    unweighted = device_rows(device_backend, device, X, None, intercept=intercept)
    assert_allclose(unweighted.mean, X.mean(axis=0) * intercept, rtol=1e-15)


def test_rows_of_another_device(run_python: Callable[..., str]) -> None:
    lines = run_python(SECOND_DEVICE).splitlines()
    assert lines == ["cpu:1"] * 7


SECOND_DEVICE = """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
import numpy as np
from sklearn_adreg._rows.device import device_rows
from sklearn_adreg.backends import JaxBackend

def doubled(xp, v, factor):
    return (factor * v,), ()

rows = device_rows(JaxBackend(), "cpu:1", np.eye(4), None, intercept=True)
v = rows.vector(np.arange(4.0))
few, (taken,) = rows.take(np.array([0, 2]), v)
theta = np.ones(5)
found = [
    rows.X,
    v,
    few.X,
    taken,
    rows.matvec(theta),
    rows.apply(doubled, v, factor=2.0)[0][0],
    rows.put(v, np.array([0, 2]), taken),
]
for array in found:
    (device,) = array.devices()
    print(f"{device.platform}:{device.id}")
"""


def test_loss_of_the_package(device_backend: Backend, device: str) -> None:
    # A loss in another form than it is called, whose constant is left out.
    data, here, there = both_rows(device_backend, device, np.float64, True)
    values: list[float] = []
    for rows in (here, there):
        labels = data(rows)._replace(row_data=())
        loss = LinearLoss.cheapest(LogCosh())
        objective = MeanLoss(labels, loss, device_backend)
        values.append(objective.value(objective.linear_predictor(np.zeros(5))))
    assert_allclose(values[1], values[0], rtol=1e-14)


def test_conjugate_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, 20)) * np.geomspace(1, 30, 20)
    Y = X[:, :2] + rng.standard_normal((N_ROWS, 2))
    weight = rng.integers(0, 3, N_ROWS)
    model = GradientDescentRegressor(alpha=0.1, tol=1e-11).fit(X, Y, weight)
    expected = model.coef_
    # As of more columns than are whitened; JAX warns of what it truncates to float32.
    monkeypatch.setattr("sklearn_adreg._solve.task.MAX_WHITENED", 8)
    model.set_params(backend="jax", device="cpu").fit(X, Y, weight)
    assert np.isfinite(model.coef_).all()
    assert_allclose(model.coef_, expected, rtol=0, atol=1e-10)


def test_first_rows_far_from_all_others(device_backend: Backend, device: str) -> None:
    """Rows of little weight that are a million times as large cost no digits."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2))
    X[:2] *= 1e8
    weight = np.append([1e-20, 1e-20], np.full(38, 1 / 38))
    theta = np.array([1.0, -1.0, 0.5])
    rows = device_rows(device_backend, device, X, weight, intercept=True)
    exact = (X - rows.mean).astype(np.longdouble) @ theta[:2] + theta[2]
    found = rows.numpy(rows.matvec(theta))
    assert_allclose(found[2:], exact[2:].astype(float), rtol=0, atol=1e-14)
