"""Speed of GradientDescentRegressor beside scikit-learn's estimators, as ratios."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from _timing import best, report
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.backends import _xla

BACKENDS = ("autograd", "jax")


def linear_data(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw standard normal columns, a linear target and unit noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, X @ rng.standard_normal(d) + rng.standard_normal(n)


def exercise_3() -> None:
    """Time the note's own fit: 100 textbook steps on 100 x 10."""
    X, y = linear_data(100, 10)
    for backend, target in zip(BACKENDS, ("< 20 ms", "< 2 ms"), strict=True):
        model = GradientDescentRegressor(
            epsilon=0.1, max_iter=100, tol=0, fit_intercept=False, backend=backend
        )
        seconds = best(lambda model=model: model.fit(X, y), 50)
        report(f"note's exercise 3, {backend}", f"{1e3 * seconds:.2f} ms", target)


def small() -> None:
    """Time a fit that is nothing but overhead."""
    X, y = linear_data(200, 10)
    for backend, target in zip(BACKENDS, ("<= 1.5", "<= 2"), strict=True):
        model = GradientDescentRegressor(backend=backend)
        ratios = []
        for _ in range(5):  # interleaved: both see the same machine
            theirs = best(lambda: LinearRegression().fit(X, y), 100)
            ratios.append(best(lambda model=model: model.fit(X, y), 100) / theirs)
        name = f"200 x 10, {backend} / LinearRegression"
        report(name, f"{sorted(ratios)[2]:.2f}", target)


def large() -> None:
    """Time tall data, default parameters: bound by reading X and by X^T X."""
    X, y = linear_data(500_000, 100)
    shapes = {"C": X, "Fortran": np.asfortranarray(X)}
    floor = best(lambda: (X.mean(axis=0), X.T @ X))
    ours = {}
    for backend in BACKENDS:
        for order, data in shapes.items():
            model = GradientDescentRegressor(backend=backend)
            ours[backend, order] = best(lambda m=model, data=data: m.fit(data, y))
    floor = min(floor, best(lambda: (X.mean(axis=0), X.T @ X)))
    for backend in BACKENDS:
        mine = ours[backend, "C"]
        name = f"500,000 x 100, {backend}"
        report(f"{name} / (X.mean(0) and X.T @ X)", f"{mine / floor:.2f}", "<= 1.6")
        fortran = ours[backend, "Fortran"] / mine
        report(f"{name}, Fortran order / C order", f"{fortran:.2f}", "<= 1.3")
    mine = ours["autograd", "C"]
    ridge = Ridge(solver="cholesky", alpha=0)
    cold = time_cold(lambda: ridge.fit(X, y))
    warm = best(lambda: ridge.fit(X, y), 2)
    report("500,000 x 100, Ridge(cholesky) / ours", f"{warm / mine:.1f}", ">= 5")
    report("  the same, its first fit", f"{cold / mine:.1f}", "")
    theirs = time_cold(lambda: LinearRegression().fit(X, y))
    report("500,000 x 100, LinearRegression / ours", f"{theirs / mine:.1f}", ">= 8")
    tracemalloc.start()
    GradientDescentRegressor().fit(X, y)
    peak = tracemalloc.get_traced_memory()[1] / X.nbytes
    tracemalloc.stop()
    report("500,000 x 100, peak memory / X", f"{100 * peak:.1f} %", "<= 5 %")


def time_cold(function: Callable[[], Any]) -> float:
    """Time one call, as a user's first."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def grid_search() -> None:
    """Count compilations of the descent by a grid search, in a fresh JAX."""
    X, y = linear_data(1003, 20)
    jax.clear_caches()
    model = GradientDescentRegressor(backend="jax")
    with warnings.catch_warnings(action="ignore"):  # small steps do not converge
        GridSearchCV(model, {"epsilon": np.logspace(-3, -1, 10)}, cv=5).fit(X, y)
    compiled = _xla.run_steps._cache_size()
    report("10 epsilons x 5 folds, 1003 x 20: compilations", str(compiled), "<= 3")


def import_time() -> None:
    """Time imports beyond scikit-learn's, in fresh interpreters."""
    seconds = {}
    for code in ("import sklearn.linear_model", "import sklearn_adreg"):
        command = [sys.executable, "-c", code]
        seconds[code] = best(lambda command=command: subprocess.run(command), 10)
    extra = seconds["import sklearn_adreg"] - seconds["import sklearn.linear_model"]
    report("import sklearn_adreg beyond sklearn", f"{1e3 * extra:.0f} ms", "< 100 ms")
    code = "import sklearn_adreg, sys; print('jax' in sys.modules, end=' '); "
    code += "print('matplotlib' in sys.modules, end='')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    report("  imports jax, matplotlib", found.stdout, "False False")


if __name__ == "__main__":
    report("what", "measured", "target")
    exercise_3()
    small()
    grid_search()
    import_time()
    large()
