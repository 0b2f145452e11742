"""Derivatives against mpmath, in 60 digits, and what is refused.

Errors are relative to the largest absolute value of a derivative on the interval.
"""

from __future__ import annotations

import math
import pickle
import sys
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
HIGHEST = {"autograd": 6, "jax": 15}
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

# What jax.experimental.jet has no rule for, or a rule that is not to be trusted.
NOT_BY_JET: dict[str, tuple[Any, Any]] = {
    "tan": (lambda x: jnp.tan(x / 4), lambda x: mpmath.tan(x / 4)),
    "arcsin": (lambda x: jnp.arcsin(x / 5), lambda x: mpmath.asin(x / 5)),
    "arcsinh": (jnp.arcsinh, mpmath.asinh),
    "arctan2": (lambda x: jnp.arctan2(x, 2 - x), lambda x: mpmath.atan2(x, 2 - x)),
    "cbrt": (lambda x: jnp.cbrt(x + 5), lambda x: mpmath.cbrt(x + 5)),
    "sqrt": (lambda x: jnp.sqrt(x + 5), lambda x: mpmath.sqrt(x + 5)),
    "rsqrt": (lambda x: jax.lax.rsqrt(x + 5), lambda x: 1 / mpmath.sqrt(x + 5)),
    "x^2.5": (lambda x: (x + 5) ** 2.5, lambda x: (x + 5) ** mpmath.mpf(2.5)),
    "x^3.0": (lambda x: x**3.0, lambda x: x**3),
    "x^-2": (lambda x: (x + 5) ** -2, lambda x: (x + 5) ** -2),
    "exp2": (jnp.exp2, lambda x: mpmath.mpf(2) ** x),
    "expm1": (jnp.expm1, mpmath.expm1),
    "log1p": (lambda x: jnp.log1p(x + 4.5), lambda x: mpmath.log1p(x + 4.5)),
    "erfc": (jax.scipy.special.erfc, mpmath.erfc),
    "gammaln": (
        lambda x: jax.scipy.special.gammaln(x + 5),
        lambda x: mpmath.loggamma(x + 5),
    ),
    "digamma": (
        lambda x: jax.scipy.special.digamma(x + 5),
        lambda x: mpmath.digamma(x + 5),
    ),
    "sigmoid": (jax.nn.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x))),
    "softplus": (jax.nn.softplus, lambda x: mpmath.log(1 + mpmath.exp(x))),
}


def reference(func: Any, x: np.ndarray, order: int) -> np.ndarray:
    """Derivatives by Taylor's formula, from 60 digits of mpmath."""
    with mpmath.workdps(60):
        columns = [
            [
                float(coefficient * math.factorial(k))
                for k, coefficient in enumerate(mpmath.taylor(func, float(at), order))
            ]
            for at in x
        ]
    return np.array(columns).T


def worst_error(found: np.ndarray, expected: np.ndarray) -> float:
    scale = np.abs(expected).max(axis=1, keepdims=True)
    # Derivatives that vanish everywhere, up to the rounding of the reference.
    scale = np.where(scale > 1e-30, scale, 1.0)
    return float((np.abs(found - expected) / scale).max())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_accuracy(name: str, backend: str) -> None:
    func, exact = FUNCTIONS[name]
    order = HIGHEST[backend]
    found = derivatives(func, X, order, backend=backend)
    assert worst_error(found, reference(exact, X, order)) < TOLERANCE


@pytest.mark.parametrize("name", NOT_BY_JET)
def test_accuracy_where_jet_is_not_used(name: str) -> None:
    func, exact = NOT_BY_JET[name]
    found = derivatives(func, X, 8, backend="jax")
    assert worst_error(found, reference(exact, X, 8)) < TOLERANCE


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_tails_keep_their_digits(name: str) -> None:
    # Relative to the derivative itself, not to its largest value.
    func = {"tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}[name]
    exact = {"tanh": mpmath.tanh, "sigmoid": NOT_BY_JET["sigmoid"][1]}[name]
    x = np.array([-30.0, -15.0, 10.0, 15.0, 30.0])
    found = derivatives(func, x, 5, backend="jax")
    assert_allclose(found, reference(exact, x, 5), rtol=1e-12)


def tower(func: Any, order: int) -> Any:
    """Nested forward mode, by jax.jvp alone."""
    for _ in range(order):
        func = (lambda f: lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1])(func)
    return func


def powers_in_a_loop(x: Any) -> Any:
    return jax.lax.fori_loop(0, 3, lambda _, y: y * jnp.sin(x), x)


def counted(x: Any) -> Any:
    def step(state: Any) -> Any:
        return state[0] + 1, state[1] * jnp.cos(x)

    return jax.lax.while_loop(lambda state: state[0] < 3, step, (0, x))[1]


def branched(x: Any) -> Any:
    return jax.lax.cond(x[0] < 0, jnp.sin, jnp.cos, x) * x


def through_complex(x: Any) -> Any:
    return jnp.abs(jnp.exp(1j * x) + 2)


@jax.custom_jvp
def registered(x: Any) -> Any:
    return jnp.sin(x)


@registered.defjvp
def _(primals: Any, tangents: Any) -> Any:
    # Twice the truth, to see that the rule is used.
    return jnp.sin(primals[0]), 2 * jnp.cos(primals[0]) * tangents[0]


@pytest.mark.parametrize(
    "func",
    [
        powers_in_a_loop,
        counted,
        branched,
        through_complex,
        registered,
        jax.nn.relu,
        jax.nn.gelu,
        jax.checkpoint(lambda x: jnp.sin(x) ** 2),
        jax.vmap(lambda x: x * jnp.tanh(x)),
        lambda x: jnp.clip(x, -1, 1) + jnp.abs(x) + jnp.maximum(x, 0) * x,
        lambda x: x % 1.5 + jnp.floor(x) + jnp.remainder(5, x + 9),
        lambda x: jnp.where(x > 0, jnp.expm1(x), x**2),
        lambda x: 2.0**x + x ** x.shape[0] + (x + 9) ** (x / 9),
        lambda x: x.reshape(2, -1).T.ravel() * 0 + x.astype(int) * x,
        lambda x: jnp.stack([x, x**2]).sum(axis=0),
        lambda x: jnp.dot(jnp.eye(len(x)) * 3, x) * x,
    ],
)
def test_agrees_with_nested_forward_mode(func: Any) -> None:
    x = np.array([-3.0, -0.7, 0.0, 0.3, 1.1, 3.2])
    with jax.enable_x64(True):
        expected = np.stack([tower(func, order)(x) for order in range(4)])
    found = derivatives(func, x, 3, backend="jax")
    assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


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


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("func", "order", "at", "words"),
    [
        (adnp.log, 0, -1.0, "order 0 .*func itself"),
        (lambda x: x**0.5, 1, 0.0, "order 1 .*func is finite there"),
        (adnp.tanh, 0, np.nan, "order 0 .*x itself"),
    ],
)
def test_non_finite_is_reported(
    backend: str, func: Any, order: int, at: float, words: str
) -> None:
    with pytest.warns(RuntimeWarning, match=f"{words}") as caught:
        found = derivatives(func, [at, 1.0], 2, backend=backend)
    assert not np.isfinite(found[order, 0])
    assert np.isfinite(found[:, 1]).all()
    assert caught[0].filename == __file__
    assert "1 of 2 points" in str(caught[0].message)


def test_overflow_is_reported_where_the_result_is_finite() -> None:
    # autograd divides by cosh(x)^(2^order); what it returns is finite, and wrong.
    with pytest.warns(RuntimeWarning, match="overflowed .*order 8") as caught:
        derivatives(np.tanh, [4.0], 8)
    assert caught[0].filename == __file__
    found = derivatives(np.tanh, [4.0], 8, backend="jax")
    assert_allclose(found, reference(mpmath.tanh, np.array([4.0]), 8), rtol=1e-12)


@pytest.mark.parametrize(("backend", "limit"), [("autograd", 10), ("jax", 30)])
def test_absurd_orders(backend: str, limit: int) -> None:
    with pytest.raises(ValueError, match=f"`order` .* at most {limit} .*{limit + 1}"):
        derivatives(np.tanh, X, limit + 1, backend=backend)


@pytest.mark.parametrize("order", [-1, 1.0, "2", True, None])
def test_order_is_checked(order: Any) -> None:
    with pytest.raises(ValueError, match="`order` parameter must be an integer"):
        nth_derivative(np.tanh, order)
    with pytest.raises(ValueError, match="`order` parameter must be an integer"):
        derivatives(np.tanh, X, order)


@pytest.mark.parametrize("backend", ["tensorflow", AutogradBackend, 1, ["jax"]])
def test_backend_is_checked(backend: Any) -> None:
    with pytest.raises(ValueError, match="`backend` parameter must be 'autograd'"):
        nth_derivative(np.tanh, backend=backend)


def test_func_and_equation_are_checked() -> None:
    with pytest.raises(TypeError, match=r"`func` parameter must be a callable.*'tanh'"):
        nth_derivative("tanh")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="`equation` parameter must be a callable"):
        ode_residual(1.0, np.sin, X, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"`order` parameter .*k = 0 to 1.*Got 1"):
        ode_residual(lambda _, y: y[2], np.sin, X, 1)
    with pytest.raises(ValueError, match=r"`equation` .*shape of x, \(24,\).*\(\)"):
        ode_residual(lambda _, y: y[1].sum(), np.sin, X, 1)


@pytest.mark.parametrize("x", [1j, "a", None, [object()]])
def test_x_is_checked(x: Any) -> None:
    with pytest.raises(TypeError, match="`x` parameter must be an array of real"):
        derivatives(np.sin, x, 1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("func", "words"),
    [
        (lambda x: adnp.sum(x), r"elementwise.*shape \(\)"),
        (lambda x: x[:2], r"elementwise.*shape \(2,\)"),
        (lambda x: (x, x), "must return an array"),
        (lambda _: None, "must return an array. Got None"),
        (lambda x: x + 1j, "must return real numbers"),
    ],
)
def test_func_is_elementwise_and_real(func: Any, words: str, backend: str) -> None:
    with pytest.raises(ValueError, match=words):
        derivatives(func, X, 1, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("func", "words"),
    [
        (lambda x: np.where(x > 0, x, 0.1 * x), "numpy.where.*sklearn_adreg.numpy"),
        (lambda x: x * np.clip(x, 0, 1), "numpy.clip.*sklearn_adreg.numpy"),
        (lambda x: math.sin(x), "functions of sklearn_adreg.numpy, in place of .*math"),
    ],
)
def test_operation_is_named(func: Any, words: str, backend: str) -> None:
    with pytest.raises(TypeError, match=f"backend='{backend}' cannot .*{words}"):
        derivatives(func, X, 1, backend=backend)


def test_operation_that_one_backend_lacks_is_named() -> None:
    with pytest.raises(TypeError, match="calls cbrt, of which autograd has no deriv"):
        derivatives(lambda x: np.cbrt(x), X, 1)
    with pytest.raises(NotImplementedError, match=r"numpy.cbrt .*backend='jax'"):
        derivatives(np.cbrt, X, 1)
    with pytest.raises(TypeError, match=r"calls numpy\.sin, which jax cannot follow"):
        derivatives(lambda x: np.sin(x) + x**0.5, X, 1, backend="jax")
    with pytest.raises(TypeError, match=r"boolean.*where"):
        derivatives(lambda x: x if x[0] > 0 else -x, X, 1, backend="jax")


def test_custom_vjp_is_refused() -> None:
    square = jax.custom_vjp(lambda x: x * x)
    square.defvjp(lambda x: (x * x, x), lambda x, cotangent: (2 * x * cotangent,))
    with pytest.raises(NotImplementedError, match=r"uses jax\.custom_vjp"):
        derivatives(square, X, 1, backend="jax")


@pytest.mark.parametrize("backend", BACKENDS)
def test_errors_of_the_function_are_its_own(backend: str) -> None:
    def broken(_: Any) -> Any:
        raise IndexError("of its own")

    with pytest.raises(IndexError, match=r"^of its own"):
        derivatives(broken, X, 1, backend=backend)


def test_backend_without_derivatives() -> None:
    class Third(AutogradBackend):
        derivatives = Backend.derivatives

        @property
        def name(self) -> str:
            return "third"

    with pytest.raises(NotImplementedError, match="backend='third' has no derivatives"):
        derivatives(np.sin, X, 1, backend=Third())


def test_jax_is_asked_for_but_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sklearn_adreg.backends._jax")
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(ImportError, match=r"sklearn-adreg\[jax\]"):
        nth_derivative(np.sin, backend="jax")
