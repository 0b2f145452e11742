"""The contract of `Backend`, for every backend that the package has.

Derivatives are compared with central differences. Those of a quadratic function are
exact whatever the step, so that a step of one leaves rounding errors alone; of others
the error is step^2 / 6 times the third derivative.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg import backends as backends_module
from sklearn_adreg.backends import AutogradBackend, Backend, get_backend
from sklearn_adreg.backends._xla import exact

DTYPES = [np.float64, np.float32]
# A few dozen roundings of numbers of order one.
ROUNDING: dict[Any, float] = {np.float64: 1e-13, np.float32: 1e-5}


class Decay(NamedTuple):
    rate: Any
    floor: Any


class Quantity(NamedTuple):
    value: Any


class Form(NamedTuple):
    matrix: Any
    slope: Any


class Point(NamedTuple):
    where: Any
    value: Any
    gradient: Any


def decay(problem: Decay, state: Quantity) -> Quantity:
    return Quantity(problem.rate * state.value)


def above_floor(problem: Decay, state: Quantity) -> Any:
    return state.value > problem.floor


def undecided(problem: Form, state: Point) -> Any:
    return (state.value == 0) & (problem.matrix[0, 0] < np.inf)


def quadratic(point: Any, form: Form) -> Any:
    return (point * (form.matrix @ point + form.slope)).sum() / 2


def square(y_true: Any, y_pred: Any) -> Any:
    return (y_true - y_pred) ** 2


def quartic(y_true: Any, y_pred: Any) -> Any:
    return (y_true - y_pred) ** 4


def scaled_square(y_true: Any, y_pred: Any, unit: Any) -> Any:
    return ((y_true - y_pred) / unit) ** 2


def product(y_true: Any, y_pred: Any, unit: Any) -> Any:
    return unit * (y_true - y_pred[:, 0] * y_pred[:, 1])


def products_slope(y_true: Any, y_pred: Any, unit: Any) -> Any:
    del y_true
    return -unit[:, None] * y_pred[:, ::-1]


@dataclass(frozen=True)
class Evaluated:
    """A program that differentiates a loss."""

    backend: Backend
    loss: Callable[..., Any]

    def __call__(self, _xp: Any, *arrays: Any) -> Any:
        return self.backend.value_and_derivative(self.loss)(*arrays)


class Minimal(Backend):
    """A backend with no more than what must be there."""

    @property
    def name(self) -> str:
        return "minimal"

    def value_and_derivative(self, loss: Any) -> Any:
        return lambda *arrays: (loss(*arrays), products_slope(*arrays))


def shifted_roots(xp: Any, values: Any, shift: Any) -> Any:
    return xp.sqrt(values) + shift


@dataclass(frozen=True)
class Differentiate:
    """A step that writes down value and gradient where the state is."""

    backend: Backend

    def __call__(self, form: Form, state: Point) -> Point:
        differentiated = self.backend.value_and_gradient(quadratic)
        return Point(state.where, *differentiated(state.where, form))


def no_report(values: np.ndarray) -> None:
    pass


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4,), (4, 2)])
def test_gradient_of_a_quadratic_form(
    backend: Backend, dtype: Any, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    form = Form(*(rng.uniform(-1, 1, (4, 4)), rng.uniform(-1, 1, shape)))
    where = rng.uniform(-1, 1, shape)
    expected = np.zeros(shape)
    for index in np.ndindex(*shape):
        step = np.zeros(shape)
        step[index] = 1.0
        difference = quadratic(where + step, form) - quadratic(where - step, form)
        expected[index] = difference / 2

    form = Form(*(part.astype(dtype) for part in form))
    start = Point(where.astype(dtype), dtype(0), np.zeros(shape, dtype))
    state, values = backend.iterate(
        Differentiate(backend), undecided, form, start, 1, no_report
    )
    assert state.gradient.shape == shape
    assert state.gradient.dtype == dtype
    assert np.asarray(state.value).dtype == dtype
    assert_allclose(state.gradient, expected, atol=ROUNDING[dtype], rtol=0)
    assert_allclose(values, [quadratic(where, form)], atol=ROUNDING[dtype], rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1,), (5,), (8,), (7, 2)])
@pytest.mark.parametrize(("loss", "step"), [(square, 1.0), (quartic, 1e-4)])
def test_elementwise_derivative(
    backend: Backend, loss: Any, step: float, shape: tuple[int, ...], dtype: Any
) -> None:
    rng = np.random.default_rng(1)
    y_true, y_pred = rng.uniform(-1, 1, (2, *shape))
    expected = (loss(y_true, y_pred + step) - loss(y_true, y_pred - step)) / (2 * step)

    # The third derivative of the fourth power is at most 48 here: 8e-8 by the step.
    atol = ROUNDING[dtype] * 16 if loss is square else max(1e-6, ROUNDING[dtype] * 64)
    values, derivatives = backend.value_and_derivative(loss)(
        y_true.astype(dtype), y_pred.astype(dtype)
    )
    for array in (values, derivatives):
        assert type(array) is np.ndarray
        assert array.shape == shape
        assert array.dtype == dtype
    assert_allclose(values, loss(y_true, y_pred), atol=atol, rtol=0)
    assert_allclose(derivatives, expected, atol=atol, rtol=0)


def predictors(dtype: Any) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(3)
    y_true, unit = rng.uniform(1, 2, (2, 7)).astype(dtype)
    return y_true, rng.uniform(-1, 1, (7, 2)).astype(dtype), unit


@pytest.mark.parametrize("dtype", DTYPES)
def test_derivative_with_row_data(backend: Backend, dtype: Any) -> None:
    y_true, y_pred, unit = predictors(dtype)
    z = y_pred[:, 0]
    values, slopes = backend.value_and_derivative(scaled_square)(y_true, z, unit)
    assert slopes.dtype == dtype
    atol = 16 * ROUNDING[dtype]
    assert_allclose(values, scaled_square(y_true, z, unit), atol=atol, rtol=0)
    assert_allclose(slopes, 2 * (z - y_true) / unit**2, atol=atol, rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("traced", [False, True])
def test_derivative_by_two_predictions(
    backend: Backend, traced: bool, dtype: Any
) -> None:
    arrays = predictors(dtype)
    if traced:
        found = backend.evaluate(Evaluated(backend, product), *arrays)
    else:
        found = backend.value_and_derivative(product)(*arrays)
    values, slopes = map(np.asarray, found)
    assert slopes.dtype == dtype
    assert_allclose(values, product(*arrays), atol=ROUNDING[dtype], rtol=0)
    assert_allclose(slopes, products_slope(*arrays), atol=ROUNDING[dtype], rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_derivative_on_a_device(
    device_backend: Backend, device: str, dtype: Any
) -> None:
    arrays = predictors(dtype)
    placed = device_backend.place(arrays, device)
    for differentiate in (
        device_backend.value_and_derivative(product),
        partial(device_backend.evaluate, Evaluated(device_backend, product)),
    ):
        values, slopes = differentiate(*placed)
        for array in (values, slopes):
            assert not isinstance(array, np.ndarray)
            assert array.dtype == dtype
            assert array.devices() == placed[0].devices()
        assert_allclose(slopes, products_slope(*arrays), atol=ROUNDING[dtype], rtol=0)


def test_smallest_backend() -> None:
    backend = Minimal()
    assert backend.array_namespace is np
    assert backend.evaluate(shifted_roots, np.float64(4), 1) == 3
    arrays = predictors(np.float64)
    values, _ = backend.evaluate(Evaluated(backend, product), *arrays)
    assert_array_equal(values, product(*arrays))
    start = Quantity(np.float64(1))
    problem = Decay(np.float64(0.5), np.float64(0))
    _, values = backend.iterate(decay, above_floor, problem, start, 3, no_report)
    assert_array_equal(values, [0.5, 0.25, 0.125])
    with pytest.raises(NotImplementedError, match="'minimal' has no gradients"):
        backend.value_and_gradient(quadratic)
    with pytest.raises(NotImplementedError, match="'minimal' has no derivatives"):
        backend.derivatives(np.sin, np.ones(2), 1)


# 128 is what JaxBackend compiles into one call.
@pytest.mark.parametrize("max_iter", [0, 1, 5, 127, 128, 129, 256, 300])
@pytest.mark.parametrize("dtype", DTYPES)
def test_iterate_until_max_iter(backend: Backend, max_iter: int, dtype: Any) -> None:
    reported: list[np.ndarray] = []
    problem = Decay(dtype(0.99), dtype(0.0))
    state, values = backend.iterate(
        decay, above_floor, problem, Quantity(dtype(1.0)), max_iter, reported.append
    )
    # Each step rounds once.
    expected = 0.99 ** np.arange(1, max_iter + 1)
    rtol = 300 * float(np.finfo(dtype).eps)
    assert values.shape == (max_iter,)
    assert_allclose(values, expected, rtol=rtol)
    assert_allclose(state.value, 0.99**max_iter, rtol=rtol)
    assert np.asarray(state.value).dtype == dtype
    assert_array_equal(np.concatenate([[], *reported]), values)


@pytest.mark.parametrize("n_steps", [0, 1, 100, 128, 200, 256])
def test_iterate_until_the_condition(backend: Backend, n_steps: int) -> None:
    # Half a step under the value that is to be the last.
    problem = Decay(np.float64(0.99), np.float64(0.99 ** (n_steps - 0.5)))
    reported: list[np.ndarray] = []
    state, values = backend.iterate(
        decay, above_floor, problem, Quantity(np.float64(1.0)), 1000, reported.append
    )
    assert_allclose(values, 0.99 ** np.arange(1, n_steps + 1), rtol=1e-12)
    assert_allclose(state.value, 0.99**n_steps, rtol=1e-12)
    assert_array_equal(np.concatenate([[], *reported]), values)


def test_iterate_returns_numpy(backend: Backend) -> None:
    start = Point(np.ones(4), np.float64(0), np.zeros(4))
    form = Form(np.eye(4), np.zeros(4))
    state, values = backend.iterate(
        Differentiate(backend), undecided, form, start, 1, no_report
    )
    assert isinstance(state, Point)
    assert isinstance(values, np.ndarray)
    for part in state:
        assert isinstance(part, np.ndarray | np.floating)


@pytest.mark.parametrize("dtype", DTYPES)
def test_evaluate(backend: Backend, dtype: Any) -> None:
    values = np.arange(4, dtype=dtype)
    result = backend.evaluate(shifted_roots, values, dtype(1))
    assert result.dtype == dtype
    assert_allclose(np.asarray(result), np.sqrt(values) + 1, rtol=ROUNDING[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_place(device_backend: Backend, device: str, dtype: Any) -> None:
    assert device in device_backend.devices()
    # Not a float32: the dtype is kept for real.
    arrays = np.full(3, 1 + 2.0**-40, dtype=dtype), np.ones((2, 2), dtype=dtype)
    placed = device_backend.place(arrays, device)
    assert len(placed) == len(arrays)
    for there, here in zip(placed, arrays, strict=True):
        assert not isinstance(there, np.ndarray)
        assert there.dtype == dtype
        assert_array_equal(np.asarray(there), here)

    result = device_backend.evaluate(shifted_roots, placed[0], dtype(1))
    assert result.dtype == dtype
    assert result.devices() == placed[0].devices()
    assert_allclose(result, np.sqrt(arrays[0]) + 1, rtol=ROUNDING[dtype])


def test_every_listed_device_can_be_used(device_backend: Backend) -> None:
    for name in device_backend.devices():
        (placed,) = device_backend.place([np.ones(2)], name)
        assert_array_equal(np.asarray(placed), np.ones(2))


@pytest.mark.parametrize("absent", ["cuda:7", "nonsense", "", "cpu:99"])
def test_absent_device(backend: Backend, absent: str) -> None:
    with pytest.raises(ValueError, match=f"'device' .*Got '{absent}'") as caught:
        backend.place([np.ones(2)], absent)
    for name in backend.devices():
        assert repr(name) in str(caught.value)


def test_get_backend(backend: Backend) -> None:
    assert get_backend(backend.name) == backend
    assert get_backend(backend) is backend


def test_public_name(backend: Backend) -> None:
    name = type(backend).__name__
    assert name in backends_module.__all__
    assert getattr(backends_module, name) is type(backend)


def test_equal_backends_are_one_key(backend: Backend) -> None:
    other = type(backend)()
    assert other == backend
    assert hash(other) == hash(backend)
    assert (backend == AutogradBackend()) == (backend.name == "autograd")


def test_pickle(backend: Backend) -> None:
    assert pickle.loads(pickle.dumps(backend)) == backend


def test_instance_and_name_fit_alike(backend: Backend) -> None:
    rng = np.random.default_rng(2)
    X = rng.standard_normal((20, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(20)
    by_instance = clone(GradientDescentRegressor(backend=backend)).fit(X, y)
    name: Any = backend.name
    by_name = GradientDescentRegressor(backend=name).fit(X, y)
    assert by_instance.backend == backend
    assert_array_equal(by_instance.coef_, by_name.coef_)


def test_float32_products_are_asked_for_in_full_precision() -> None:
    matrix = np.eye(3, dtype=np.float32)
    with exact(matrix):
        program = str(jax.make_jaxpr(lambda a: a @ a)(matrix))
    assert "HIGHEST" in program
    assert "f64" not in program
