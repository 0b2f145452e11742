r"""Derivatives of any order by Taylor mode, one operation at a time.

JAX writes a function down as a sequence of primitive operations. Each is given the
truncated Taylor series of its arguments and returns that of its result, starting from
:math:`x + t`; the derivative of order k is then :math:`k!` times coefficient k. The
rule for an operation comes from the first of these that has one:

1. operations that are affine, or piecewise so (``add``, ``max``, ``select_n``): JAX's
   own forward mode, applied to each coefficient, with its conventions at the kinks;
2. `_series.RULES`, for those that `jax.experimental.jet` gets wrong or that have a
   cheap recurrence;
3. `jax.experimental.jet`, for those where its rule was found right;
4. otherwise forward mode: if :math:`v = f(u)` then :math:`v' = J_f(u)\, u'`, where JAX
   knows :math:`J_f`. The right-hand side is written down in operations, its series
   propagated to one order less, and integrated. The derivative of an operation is
   mostly simpler than itself (that of arctan is a quotient of polynomials), and the
   nesting stops there; derivatives that the author of a function has registered with
   ``jax.custom_jvp`` are used, and not bypassed.

All four are exact but for rounding, so that it does not matter which is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.jet import jet
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var, jaxpr_as_fun

from sklearn_adreg.backends._elementwise import (
    MissingRuleError,
    check_elementwise,
)
from sklearn_adreg.backends._series import RULES, Series, power

# Affine in all arguments that vary, between the points where a branch is chosen.
_AFFINE = {
    *("add", "add_any", "broadcast_in_dim", "concatenate", "convert_element_type"),
    *("copy", "expand_dims", "imag", "neg", "real", "reduce_sum", "reshape", "slice"),
    *("squeeze", "sub", "transpose"),
    *("ceil", "clamp", "floor", "max", "min", "rem", "round", "select_n"),
    "stop_gradient",
}
# Affine where only these arguments vary.
_AFFINE_IN = {"mul": ({0}, {1}), "div": ({0},), "dot_general": ({0}, {1})}
_JET = {
    *("cos", "cosh", "div", "dot_general", "erf", "exp", "integer_pow", "log", "mul"),
    *("sin", "sinh", "square"),
}
_CALLS = {"closed_call", "core_call", "jit", "pjit"}

# Running is cheap at any order. Compiling is not: order 16 of tanh takes 1 s, order 30
# takes 5 s, and order 60 minutes.
TAYLOR_ORDERS = 30


def taylor_derivatives(func: Callable[[Any], Any], order: int, x: Any) -> list[Any]:
    """Value and derivatives of `func` at `x`, up to `order`."""
    if order > TAYLOR_ORDERS:
        raise ValueError(
            f"The `order` parameter must be at most {TAYLOR_ORDERS} with "
            f"backend='jax', which would compile for minutes. Got {order} instead."
        )
    x = jnp.asarray(x)
    program, value = jax.make_jaxpr(func, return_shape=True)(x)
    check_elementwise(value, x.shape)
    seed = (x, jnp.ones_like(x), *[jnp.zeros_like(x)] * (order - 1))
    (series,) = _propagate(program.jaxpr, program.consts, [seed[: order + 1]])
    return [
        (coefficient * float(math.factorial(k))).astype(x.dtype)
        for k, coefficient in enumerate(_padded(series, order + 1))
    ]


def _propagate(
    jaxpr: Jaxpr, constants: Sequence[Any], inputs: Sequence[Series]
) -> list[Series]:
    """Series of the results of a program. A constant is a series of one term."""
    known: dict[Any, Series] = dict(zip(jaxpr.invars, inputs, strict=True))
    known |= {
        name: (value,) for name, value in zip(jaxpr.constvars, constants, strict=True)
    }

    def read(atom: Any) -> Series:
        return (atom.val,) if isinstance(atom, Literal) else known[atom]

    for equation in jaxpr.eqns:
        step = Jaxpr(
            [],
            list(dict.fromkeys(a for a in equation.invars if isinstance(a, Var))),
            equation.outvars,
            [equation],
            equation.effects,
            jaxpr.debug_info.with_unknown_names(),
        )
        results = _apply(step, [read(atom) for atom in equation.invars])
        known |= dict(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(step: Jaxpr, arguments: list[Series]) -> list[Series]:
    """Series of the results of one operation: see the top of this file."""
    (equation,) = step.eqns
    name = equation.primitive.name
    if name in _CALLS:
        program = equation.params.get("jaxpr") or equation.params["call_jaxpr"]
        return _propagate(program.jaxpr, program.consts, arguments)
    if name.startswith("custom_vjp_call"):
        raise MissingRuleError(
            "backend='jax' cannot differentiate `func`: it uses jax.custom_vjp, which "
            "has no forward mode. Use jax.custom_jvp, or leave the rule to JAX."
        )
    varying = {i for i, series in enumerate(arguments) if len(series) > 1}
    function, moving = _restricted(step, arguments)
    if not varying or not any(map(_is_inexact, equation.outvars)):
        return [(value,) for value in function(*(series[0] for series in moving))]
    if _is_affine(equation, varying):
        return _affine(function, moving)
    if name in RULES:
        return [RULES[name](moving[0])]
    if name == "pow" and varying == {0}:
        return [_constant_power(equation, arguments)]
    if name in _JET:
        value, terms = jet(
            lambda *values: function(*values)[0],
            [series[0] for series in moving],
            [list(series[1:]) for series in moving],
            factorial_scaled=False,
        )
        return [[value, *terms]]
    return _integrated(function, moving, [*map(_is_inexact, equation.outvars)])


def _is_affine(equation: JaxprEqn, varying: set[int]) -> bool:
    name = equation.primitive.name
    if name in {"abs", "sign"}:  # of complex numbers they are smooth, and not affine
        return not jnp.iscomplexobj(equation.invars[0].aval)
    return name in _AFFINE or varying in _AFFINE_IN.get(name, ())


def _is_inexact(variable: Any) -> bool:
    return jnp.issubdtype(variable.aval.dtype, jnp.inexact)


def _restricted(
    step: Jaxpr, arguments: list[Series]
) -> tuple[Callable[..., Sequence[Any]], list[Series]]:
    """Return the operation as a function of what varies in it, and its series."""
    (equation,) = step.eqns
    by_name = {
        atom: series
        for atom, series in zip(equation.invars, arguments, strict=True)
        if isinstance(atom, Var)
    }
    call = jaxpr_as_fun(ClosedJaxpr(step, []))
    moving = {atom: series for atom, series in by_name.items() if len(series) > 1}

    def function(*values: Any) -> Sequence[Any]:
        given = {atom: series[0] for atom, series in by_name.items()}
        given |= dict(zip(moving, values, strict=True))
        return call(*given.values())

    return function, list(moving.values())


def _affine(
    function: Callable[..., Sequence[Any]], moving: list[Series]
) -> list[Series]:
    values, linear = jax.linearize(function, *(series[0] for series in moving))
    terms = [linear(*term) for term in zip(*(s[1:] for s in moving), strict=True)]
    return [list(series) for series in zip(values, *terms, strict=True)]


def _constant_power(equation: JaxprEqn, arguments: list[Series]) -> Series:
    """Propagate u^r; a whole r by products, which are right at zero as well."""
    base, (exponent,) = arguments
    if isinstance(equation.invars[1], Literal) and float(exponent).is_integer():
        value, terms = jet(
            lambda u: jax.lax.integer_pow(u, int(exponent)),
            [base[0]],
            [list(base[1:])],
            factorial_scaled=False,
        )
        return [value, *terms]
    return power(base, jax.lax.pow(base[0], exponent), exponent)


def _integrated(
    function: Callable[..., Sequence[Any]],
    moving: list[Series],
    is_inexact: list[bool],
) -> list[Series]:
    """Integrate the series of the Jacobian times the derivatives of the arguments."""
    values = [series[0] for series in moving]

    def slope(values: list[Any], rates: list[Any]) -> list[Any]:
        slopes = jax.jvp(function, values, rates)[1]
        return [s for s, wanted in zip(slopes, is_inexact, strict=True) if wanted]

    program = jax.make_jaxpr(slope)(values, values)
    rates = [[k * c for k, c in enumerate(s) if k > 0] for s in moving]
    below = [series[:-1] for series in moving]
    slopes = iter(_propagate(program.jaxpr, program.consts, [*below, *rates]))
    results: list[Series] = []
    for value, wanted in zip(function(*values), is_inexact, strict=True):
        found = _padded(next(slopes), len(moving[0]) - 1) if wanted else []
        results.append([value, *(c / k for k, c in enumerate(found, 1))])
    return results


def _padded(series: Series, length: int) -> list[Any]:
    return [*series, *[jnp.zeros_like(series[0])] * (length - len(series))]
