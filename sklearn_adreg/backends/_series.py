r"""Taylor series of the functions that need a rule of their own.

A series is a sequence of arrays :math:`c_0, c_1, \dots, c_K`, the coefficients of
:math:`\sum_k c_k t^k`. If :math:`v = f(u)` and :math:`f'` is known, then
:math:`v' = f'(u) u'`, and comparing coefficients gives the recurrence

.. math:: k v_k = \sum_{j=1}^{k} j u_j s_{k-j}, \qquad s = f'(u),

with as many products as there are pairs. These functions are here because the rule of
`jax.experimental.jet` loses digits (tanh and the logistic function in the tails, expm1
near zero, powers of negative numbers), or because there is none and a recurrence is far
cheaper than nesting.

References
----------
.. [1] A. Griewank, A. Walther, "Evaluating Derivatives", 2nd ed., chapter 13, SIAM,
   2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import lax

Series = Sequence[Any]


def product(a: Series, b: Series, k: int) -> Any:
    """Coefficient k of a product; coefficients that are not there are zero."""
    first, last = max(0, k + 1 - len(b)), min(k, len(a) - 1)
    return sum(a[j] * b[k - j] for j in range(first, last + 1))


def _chain(u: Series, slope: Series, k: int) -> Any:
    """Coefficient k of f(u), from those of f'(u) below k."""
    return sum(j * u[j] * slope[k - j] for j in range(1, k + 1)) / k


def _saturating(u: Series, value: Any, slope: Any, centre: Any) -> list[Any]:
    """Solve v' = s u' and s' = -c s u', where c is 2 v less a constant.

    The slope has a series of its own, from a start that is right to the last digit:
    formed as 1 - v^2, it would be a difference of nearly equal numbers in the tails.
    """
    v, s, c, product_cs = [value], [slope], [centre], [centre * slope]
    for k in range(1, len(u)):
        v.append(_chain(u, s, k))
        s.append(-_chain(u, product_cs, k))
        c.append(2 * v[k])
        product_cs.append(product(c, s, k))
    return v


def _tanh(u: Series) -> list[Any]:
    """Propagate v = tanh(u), s = sech(u)^2, c = 2 v."""
    value, decay = lax.tanh(u[0]), jnp.exp(-2 * jnp.abs(u[0]))
    return _saturating(u, value, 4 * decay / (1 + decay) ** 2, 2 * value)


def _logistic(u: Series) -> list[Any]:
    """Propagate v = 1 / (1 + exp(-u)), s = v (1 - v), c = 2 v - 1."""
    value, decay = lax.logistic(u[0]), jnp.exp(-jnp.abs(u[0]))
    return _saturating(u, value, decay / (1 + decay) ** 2, jnp.tanh(u[0] / 2))


def _expm1(u: Series) -> list[Any]:
    """Propagate as exp, with a value that is right near zero."""
    v = [jnp.exp(u[0])]
    for k in range(1, len(u)):
        v.append(_chain(u, v, k))
    return [jnp.expm1(u[0]), *v[1:]]


def power(u: Series, value: Any, exponent: Any) -> list[Any]:
    """Propagate v = u^r for a constant r, by u v' = r v u'; the value is given."""
    v = [value]
    for k in range(1, len(u)):
        terms = ((exponent * j - (k - j)) * u[j] * v[k - j] for j in range(1, k + 1))
        v.append(sum(terms) / (k * u[0]))
    return v


def _root(function: Any, exponent: float, u: Series) -> list[Any]:
    return power(u, function(u[0]), exponent)


def _composed(outer: Series, u: Series) -> list[Any]:
    """f(u) from the Taylor series of f at u_0, by Horner's rule."""
    order = len(u) - 1
    inner = [jnp.zeros_like(u[0]), *u[1:]]
    v = [outer[order]] + [jnp.zeros_like(u[0])] * order
    for k in range(order - 1, -1, -1):
        v = [product(v, inner, i) for i in range(order + 1)]
        v[0] = v[0] + outer[k]
    return v


def _gamma(first: int, u: Series) -> list[Any]:
    """Log-gamma (first = 0) or digamma (first = 1), from the polygamma functions.

    All of them are computed in one call: a program with one copy of that function for
    each order would take minutes to compile.
    """
    x, order = u[0], len(u) - 1
    degrees = jnp.arange(1.0, order + first, dtype=x.dtype)
    degrees = degrees.reshape((-1,) + (1,) * jnp.ndim(x))
    higher = lax.polygamma(*jnp.broadcast_arrays(degrees, x[None]))
    taken = [lax.lgamma(x), lax.digamma(x), *higher][first : first + order + 1]
    outer, factorial = [], 1.0
    for k, derivative in enumerate(taken):
        factorial *= max(k, 1)
        outer.append(derivative / factorial)
    return _composed(outer, u)


# By the name of the primitive, for those of one argument.
RULES: dict[str, Any] = {
    "tanh": _tanh,
    "logistic": _logistic,
    "expm1": _expm1,
    "sqrt": partial(_root, lax.sqrt, 0.5),
    "rsqrt": partial(_root, lax.rsqrt, -0.5),
    "cbrt": partial(_root, lax.cbrt, 1 / 3),
    "lgamma": partial(_gamma, 0),
    "digamma": partial(_gamma, 1),
}
