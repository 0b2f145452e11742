"""Taylor mode where jax.experimental.jet is not used, or not to be trusted.

Compared with mpmath, in 60 digits, and with JAX's forward mode, nested. Errors are
relative to the largest absolute value of a derivative on the interval.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_adreg.derivatives import derivatives

X = np.linspace(-4, 4, 24)
TOLERANCE = 1e-9

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


@pytest.mark.parametrize("name", NOT_BY_JET)
def test_accuracy_where_jet_is_not_used(
    name: str, reference: Any, worst_error: Any
) -> None:
    func, exact = NOT_BY_JET[name]
    # Each order of these is the derivative of the one before: slow to compile.
    order = 4 if name in {"gammaln", "digamma"} else 8
    found = derivatives(func, X, order, backend="jax")
    assert worst_error(found, reference(exact, X, order)) < TOLERANCE


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_tails_keep_their_digits(name: str, reference: Any) -> None:
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
        expected = jax.jit(lambda x: [tower(func, order)(x) for order in range(4)])(x)
    found = derivatives(func, x, 3, backend="jax")
    assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
