r"""Higher derivatives by nesting autograd.

The derivative of order k is the derivative of the function that computes the one of
order k - 1. One evaluation of the outermost passes through all the others, whose values
are taken along. Each level differentiates every operation of the one inside it, so that
the number of operations grows by a factor of two to four an order.

The rules of autograd divide by squares: that of :math:`x / y` by :math:`y^2`, its
derivative by :math:`y^4`. At order k the denominators are powers of degree
:math:`2^k`, which overflow, and a finite number divided by infinity is a zero that
looks like any other. Overflow is therefore watched for, and reported.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.core import VJPNode, backward_pass
from autograd.tracer import getval, isbox, new_box, trace_stack

from sklearn_adreg.backends._elementwise import check_elementwise

# Order 10 of tanh on 1,000 points takes about 3 s, and each further one four times
# the time and memory of the one before.
NESTED_ORDERS = 10


def nested_derivatives(func: Callable[[Any], Any], x: Any, order: int) -> list[Any]:
    """Value and derivatives of `func` at `x`, up to `order`."""
    if order > NESTED_ORDERS:
        raise ValueError(
            f"The `order` parameter must be at most {NESTED_ORDERS} with "
            f"backend='autograd', whose cost is exponential in it. Got {order} "
            "instead. Use backend='jax', whose cost is quadratic."
        )
    values, overflowed = _watched(func, x, order)
    if overflowed:
        first = next(k for k in range(order + 1) if _watched(func, x, k)[1])
        warnings.warn(
            f"An intermediate number overflowed in the derivative of order {first} of "
            "func: autograd's rules square denominators at each order. From this order "
            "on the results may be wrong, even where they are finite. Use "
            "backend='jax', a lower order, or a narrower interval.",
            RuntimeWarning,
            stacklevel=4,
        )
    return values


def _watched(func: Callable[[Any], Any], x: Any, order: int) -> tuple[list[Any], bool]:
    """Compute without NumPy's warnings; whether there was an overflow."""
    overflows: list[str] = []

    def note(kind: str, flag: int) -> None:
        del flag
        overflows.append(kind)

    with np.errstate(all="ignore", over="call", call=note):
        values = _tower(func, x, order)
    return values, bool(overflows)


def _tower(func: Callable[[Any], Any], x: Any, order: int) -> list[Any]:
    """Differentiate once for each order, the derivative of the order before."""
    if order == 0:
        return [_checked(func(x), x)]
    root = VJPNode.new_root()
    with trace_stack.new_trace() as trace:
        values = _tower(func, new_box(x, trace, root), order - 1)
    last = values[-1]
    if isbox(last) and last._trace == trace:
        derivative = backward_pass(np.ones_like(getval(last)), last._node)
    else:  # a constant, which no longer depends on x
        derivative = np.zeros_like(getval(x))
    return [_released(value, trace) for value in values] + [derivative]


def _released(value: Any, trace: int) -> Any:
    """Take a value out of the trace that computed it."""
    return value._value if isbox(value) and value._trace == trace else value


def _checked(value: Any, x: Any) -> Any:
    """Return the value of func, if autograd followed it."""
    plain = getval(value)
    if isinstance(plain, np.ndarray) and plain.dtype == object:
        raise TypeError("it took an array apart into numbers that autograd lost.")
    if isinstance(plain, int | float):
        plain = np.float64(plain)
    check_elementwise(plain, np.shape(getval(x)))
    return value
