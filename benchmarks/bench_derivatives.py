"""Derivatives: accuracy against mpmath, time to compile and to run, growth with order.

Run with ``python benchmarks/bench_derivatives.py``. Errors are relative to the largest
absolute value of a derivative on [-4, 4]. The reference, in 60 digits at each of the
1,000 points, takes some minutes. Each figure stands beside the one that is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

import sklearn_adreg.numpy as adnp
from sklearn_adreg.derivatives import derivatives

X = np.linspace(-4, 4, 1000)
ORDERS = {"autograd": 6, "jax": 15}

FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
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


def reference(func: Callable[[Any], Any]) -> np.ndarray:
    """Differentiate in 60 digits; slow, as it takes differences of high order."""
    order = max(ORDERS.values())
    with mpmath.workdps(60):
        factorials = [mpmath.factorial(k) for k in range(order + 1)]
        rows = [mpmath.taylor(func, float(x), order) for x in X]
        scaled = [[c * f for c, f in zip(r, factorials, strict=True)] for r in rows]
    return np.array(scaled, dtype=float).T


def accuracy() -> None:
    print(f"{'worst error, of 1e-9':22s}" + "".join(f"{b:>12s}" for b in ORDERS))
    for name, (func, exact) in FUNCTIONS.items():
        expected = reference(exact)
        scale = np.abs(expected).max(axis=1, keepdims=True)
        line = f"{name:22s}"
        for backend, order in ORDERS.items():
            found = derivatives(func, X, order, backend=backend)
            errors = np.abs(found - expected[: order + 1]) / scale[: order + 1]
            line += f"{errors.max():12.0e}"
        print(line, flush=True)


def seconds(func: Callable[[Any], Any], order: int, backend: str) -> float:
    """Median over enough calls to fill a tenth of a second."""
    times: list[float] = []
    while sum(times) < 0.1 or len(times) < 3:
        start = time.perf_counter()
        derivatives(func, X, order, backend=backend)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def times() -> None:
    start = time.perf_counter()
    derivatives(adnp.tanh, X, 15, backend="jax")
    cold = time.perf_counter() - start
    print("\ntanh at 1,000 points, with JAX")
    print(f"  15 orders, the first call, JAX imported by then  {cold:8.2f} s   (< 5 s)")
    warm = 1e3 * seconds(adnp.tanh, 15, "jax")
    print(
        f"  15 orders, once compiled                         {warm:8.2f} ms  (< 5 ms)"
    )
    for order in (8, 16):
        derivatives(adnp.tanh, X, order, backend="jax")
    ratio = seconds(adnp.tanh, 16, "jax") / seconds(adnp.tanh, 8, "jax")
    print(f"  order 16 against order 8, once compiled          {ratio:8.2f}     (< 6)")

    print("\ntanh at 1,000 points, with autograd")
    for order in (2, 4, 6):
        print(f"  order {order}: {1e3 * seconds(adnp.tanh, order, 'autograd'):.2f} ms")


if __name__ == "__main__":
    import jax  # noqa: F401, so that its import is not timed

    times()
    print()
    accuracy()
