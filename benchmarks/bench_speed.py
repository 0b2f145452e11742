"""Speed of GradientDescentRegressor beside scikit-learn's estimators, as ratios."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tracemalloc
import warnings

import jax
import numpy as np
from _timing import best, interleaved, report, timed
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
    F = np.asfortranarray(X)
    models = {name: GradientDescentRegressor(backend=name) for name in BACKENDS}
    ridge = Ridge(solver="cholesky", alpha=0)
    first = timed(lambda: ridge.fit(X, y))
    seconds = interleaved(
        {
            "floor": lambda: (X.mean(axis=0), X.T @ X),
            "autograd": lambda: models["autograd"].fit(X, y),
            "jax": lambda: models["jax"].fit(X, y),
            "autograd, F": lambda: models["autograd"].fit(F, y),
            "jax, F": lambda: models["jax"].fit(F, y),
            "ridge": lambda: ridge.fit(X, y),
        }
    )
    for backend in BACKENDS:
        mine = seconds[backend]
        name = f"500,000 x 100, {backend}"
        ratio = mine / seconds["floor"]
        report(f"{name} / (X.mean(0) and X.T @ X)", f"{ratio:.2f}", "<= 1.6")
        ratio = seconds[f"{backend}, F"] / mine
        report(f"{name}, Fortran order / C order", f"{ratio:.2f}", "<= 1.3")
    mine = seconds["autograd"]
    ratio = seconds["ridge"] / mine
    report("500,000 x 100, Ridge(cholesky) / ours", f"{ratio:.1f}", ">= 5")
    report("  the same, Ridge's first fit", f"{first / mine:.1f}", "")
    theirs = timed(lambda: LinearRegression().fit(X, y))
    report("500,000 x 100, LinearRegression / ours", f"{theirs / mine:.1f}", ">= 8")
    tracemalloc.start()
    GradientDescentRegressor().fit(X, y)
    peak = tracemalloc.get_traced_memory()[1] / X.nbytes
    tracemalloc.stop()
    report("500,000 x 100, peak memory / X", f"{100 * peak:.1f} %", "<= 5 %")


def grid_search() -> None:
    """Count compilations of the descent by a grid search, in a fresh JAX."""
    X, y = linear_data(1003, 20)
    jax.clear_caches()
    model = GradientDescentRegressor(backend="jax")
    with warnings.catch_warnings(action="ignore"):  # small steps do not converge
        GridSearchCV(model, {"epsilon": np.logspace(-3, -1, 10)}, cv=5).fit(X, y)
    descents = (each for key, each in _xla.programs.items() if key[0] is _xla.run_steps)
    compiled = sum(each.jitted._cache_size() for each in descents)
    report("10 epsilons x 5 folds, 1003 x 20: compilations", str(compiled), "<= 3")


IMPORT = """
import sys, time
import sklearn.linear_model
start = time.perf_counter()
import sklearn_adreg
print(time.perf_counter() - start, "jax" in sys.modules, "matplotlib" in sys.modules)
"""


def import_time() -> None:
    """Time the import beyond scikit-learn's, in fresh interpreters.

    From bytecode, as an installed package is.
    """
    command = [sys.executable, "-c", IMPORT]
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        env = kept | {"PYTHONPYCACHEPREFIX": folder}
        runs = [
            subprocess.run(
                command, capture_output=True, text=True, check=True, env=env
            ).stdout
            for _ in range(6)
        ]
    seconds, jax_imported, matplotlib_imported = min(runs).split()
    extra = f"{1e3 * float(seconds):.0f} ms"
    report("import sklearn_adreg beyond sklearn.linear_model", extra, "< 100 ms")
    found = f"{jax_imported} {matplotlib_imported}"
    report("  imports jax, matplotlib", found, "False False")


if __name__ == "__main__":
    report("what", "measured", "target")
    exercise_3()
    small()
    grid_search()
    import_time()
    large()
