"""What the functions of `derivatives` refuse, and what they warn of."""

from __future__ import annotations

import math
import sys
from typing import Any

import jax
import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose

import sklearn_adreg.numpy as adnp
from sklearn_adreg.backends import AutogradBackend, Backend
from sklearn_adreg.derivatives import derivatives, nth_derivative, ode_residual

BACKENDS = ["autograd", "jax"]
X = np.linspace(-4, 4, 24)


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
    found = derivatives(np.tanh, 4.0, 8, backend="jax")
    with mpmath.workdps(60):
        series = mpmath.taylor(mpmath.tanh, 4, 8)
    exact = [float(c * math.factorial(k)) for k, c in enumerate(series)]
    assert_allclose(found, exact, rtol=1e-12)


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
    monkeypatch.delitem(sys.modules, "sklearn_adreg.backends._xla", raising=False)
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(ImportError, match=r"sklearn-adreg\[jax\]"):
        nth_derivative(np.sin, backend="jax")
