"""Derivatives against mpmath, in 60 digits, and on each other.

Errors are relative to the largest absolute value of a derivative on the interval.
"""

from __future__ import annotations

import pickle
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.testing import assert_allclose, assert_array_equal

import sklearn_adreg.numpy as adnp
from sklearn_adreg.backends import AutogradBackend, Backend, JaxBackend
from sklearn_adreg.derivatives import derivatives, nth_derivative, ode_residual

BACKENDS = ["autograd", "jax"]
HIGHEST = {"autograd": 6, "jax": 8}
TOLERANCE = 1e-9
X = np.linspace(-4, 4, 24)

# Functions of the namespace, and the same in mpmath.
FUNCTIONS: dict[str, tuple[Any, Any]] = {
    "tanh": (adnp.tanh, mpmath.tanh),
    "sin": (adnp.sin, mpmath.sin),
    "cos": (adnp.cos, mpmath.cos),
    "exp": (adnp.exp, mpmath.exp),
    "gaussian": (lambda x: adnp.exp(-(x**2) / 2), lambda x: mpmath.exp(-(x**2) / 2)),
    "logistic": (lambda x: 1 / (1 + adnp.exp(-x)), lambda x: 1 / (1 + mpmath.exp(-x))),
    "softplus": (
        lambda x: adnp.logaddexp(x, 0.0),
        lambda x: mpmath.log(1 + mpmath.exp(x)),
    ),
    "arctan": (adnp.arctan, mpmath.atan),
    "x^3 exp(-x)": (lambda x: x**3 * adnp.exp(-x), lambda x: x**3 * mpmath.exp(-x)),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_accuracy(name: str, backend: str, reference: Any, worst_error: Any) -> None:
    func, exact = FUNCTIONS[name]
    # As far as the user guide goes: slow to compile.
    order = 15 if (name, backend) == ("tanh", "jax") else HIGHEST[backend]
    found = derivatives(func, X, order, backend=backend)
    assert worst_error(found, reference(exact, X, order)) < TOLERANCE


@pytest.mark.parametrize("backend", BACKENDS)
def test_powers_whose_exponent_is_zero(backend: str, worst_error: Any) -> None:
    # Where an exponent varies and is zero, and where a constant one comes to it.
    x = np.array([-0.5, 0.0, 0.5])
    for func in (
        lambda x: (2 + x) ** x,
        lambda x: (2 - x) ** (x * x),
        lambda x: x**3 + (x**2) ** 1,
    ):
        with mpmath.workdps(60):
            exact = [[mpmath.diff(func, mpmath.mpf(p), k) for p in x] for k in range(7)]
        found = derivatives(func, x, 6, backend=backend)
        assert worst_error(found, np.array(exact, dtype=np.float64)) < TOLERANCE


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    x=npst.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.bool_]),
        npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=2),
        elements=st.integers(0, 1),
    ),
    order=st.integers(0, 3),
)
@settings(max_examples=25, deadline=None)
def test_shapes_and_dtypes(x: np.ndarray, order: int, backend: str) -> None:
    found = derivatives(np.sin, x, order, backend=backend)
    dtype = np.float32 if x.dtype == np.float32 else np.float64
    assert found.shape == (order + 1, *x.shape)
    assert found.dtype == dtype
    expected = np.stack([np.sin(x + k * np.pi / 2) for k in range(order + 1)])
    assert_allclose(found, expected, atol=1e-6 if dtype == np.float32 else 1e-14)

    last = nth_derivative(np.sin, order, backend=backend)(x)
    assert last.shape == x.shape
    assert last.dtype == dtype
    assert_array_equal(last, found[order])


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_is_kept_with_wider_constants(backend: str) -> None:
    wide = np.float64(0.1)
    found = derivatives(
        lambda x: wide * x**2, np.array([1, 2], np.float32), 2, backend=backend
    )
    assert found.dtype == np.float32
    assert_allclose(found[2], 0.2, rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("func", "expected"),
    [
        (lambda x: x**2, [4.0, 4.0, 2.0, 0.0, 0.0]),
        (lambda x: 0 * x + 3, [3.0, 0.0, 0.0, 0.0, 0.0]),
        (lambda x: adnp.ones_like(x), [1.0, 0.0, 0.0, 0.0, 0.0]),
        (lambda x: x > 0, [1.0, 0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_derivatives_that_end(backend: str, func: Any, expected: list[float]) -> None:
    assert_array_equal(derivatives(func, 2.0, 4, backend=backend), expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_derivatives_of_derivatives(backend: str) -> None:
    once = nth_derivative(np.sin, 2, backend=backend)
    assert nth_derivative(once, 3, backend=backend)(0.5) == pytest.approx(np.cos(0.5))
    mixed = nth_derivative(lambda x: x * once(x), backend=backend)(0.5)
    assert mixed == pytest.approx(-np.sin(0.5) - 0.5 * np.cos(0.5))


def test_under_transformations_of_jax() -> None:
    second = nth_derivative(adnp.sin, 2, backend="jax")
    for found in (jax.jit(second)(0.5), jax.vmap(second)(jnp.array([0.5]))[0]):
        assert found == pytest.approx(-np.sin(0.5), rel=1e-6)
    assert jax.grad(second)(0.5) == pytest.approx(-np.cos(0.5), rel=1e-6)


def test_jax_setting_is_left_alone() -> None:
    before = jnp.arange(2.0).dtype
    assert derivatives(adnp.sin, 0.5, 2, backend="jax").dtype == np.float64
    assert jnp.arange(2.0).dtype == before


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.n_traces = 0

    def __call__(self, x: Any) -> Any:
        self.n_traces += 1
        return adnp.sin(x)


class Hashable(Unhashable):
    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


@pytest.mark.parametrize("kind", [Unhashable, Hashable])
def test_compiled_once(kind: Any) -> None:
    func, other = kind(), kind()
    for _ in range(3):
        derivatives(func, X, 3, backend="jax")
    assert func.n_traces == 1
    derivatives(func, X, 2, backend="jax")
    assert func.n_traces <= 2  # JAX may remember the trace itself
    derivatives(other, X, 3, backend="jax")
    assert other.n_traces == 1


@pytest.mark.parametrize("backend", [AutogradBackend(), JaxBackend()])
def test_backend_instances(backend: Backend) -> None:
    by_name = derivatives(np.tanh, X, 2, backend=backend.name)
    assert_array_equal(derivatives(np.tanh, X, 2, backend=backend), by_name)


@pytest.mark.parametrize("backend", BACKENDS)
def test_pickle(backend: str) -> None:
    restored = pickle.loads(pickle.dumps(nth_derivative(adnp.tanh, 2, backend=backend)))
    assert_array_equal(restored(X), nth_derivative(np.tanh, 2, backend=backend)(X))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("equation", "func", "order"),
    [
        (lambda _, y: y[2] + y[0], adnp.sin, 2),
        (lambda _, y: y[2] + y[0], adnp.cos, 2),
        (lambda _, y: y[1] - y[0], adnp.exp, 1),
        (lambda _, y: y[1] - (1 - y[0] ** 2), adnp.tanh, 1),
        (
            # A damped oscillator: y'' + y' / 5 + y = 0, of frequency sqrt(0.99).
            lambda _, y: y[2] + 0.2 * y[1] + y[0],
            lambda x: adnp.exp(-0.1 * x) * adnp.cos(np.sqrt(0.99) * x),
            2,
        ),
        (lambda x, y: y[1] + 2 * x * y[0], lambda x: adnp.exp(-(x**2)), 1),
    ],
)
def test_classics_solve_their_equations(
    equation: Any, func: Any, order: int, backend: str
) -> None:
    x = np.linspace(-2 * np.pi, 2 * np.pi, 60)
    residual = ode_residual(equation, func, x, order, backend=backend)
    assert residual.shape == x.shape
    # A few roundings of the largest term, which is exp(2 pi).
    scale = np.abs(derivatives(func, x, order, backend=backend)).max()
    assert np.abs(residual).max() <= 1e-14 * scale


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_does_not_solve(backend: str) -> None:
    residual = ode_residual(lambda _, y: y[1], np.sin, 0.0, 1, backend=backend)
    assert residual == 1.0
    assert np.ndim(residual) == 0
