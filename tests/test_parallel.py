"""Fits in other processes and threads, and beside the user's own JAX code."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.backends import Backend

Place = dict[str, Any]


def data(dtype: Any = np.float64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 4))
    y = X @ rng.standard_normal(4) + rng.standard_normal(60)
    return X.astype(dtype), y.astype(dtype)


@pytest.mark.parametrize("joblib_backend", ["loky", "threading"])
def test_two_jobs_score_as_one(backend: Backend, joblib_backend: str) -> None:
    X, y = data()
    model = GradientDescentRegressor(backend=backend)
    grid = {"epsilon": ["auto", 0.1]}
    alone = GridSearchCV(model, grid, cv=2).fit(X, y)
    with joblib.parallel_config(backend=joblib_backend):
        search = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(X, y)
        scores = cross_val_score(model, X, y, cv=2, n_jobs=2)
    # The same operations; another number of BLAS threads may sum in another order.
    for key in ("split0_test_score", "split1_test_score"):
        assert np.isfinite(search.cv_results_[key]).all()
        assert_allclose(search.cv_results_[key], alone.cv_results_[key], rtol=1e-12)
    assert_allclose(search.best_estimator_.coef_, alone.best_estimator_.coef_)
    assert_allclose(scores, cross_val_score(model, X, y, cv=2), rtol=1e-12)


@pytest.mark.parametrize("epsilon", ["auto", 0.1])
def test_threads_of_both_dtypes(place: Place, epsilon: Any) -> None:
    def fit(task: tuple[type, int]) -> GradientDescentRegressor:
        model = GradientDescentRegressor(epsilon=epsilon, max_iter=50, tol=0, **place)
        return model.fit(*data(*task))

    tasks = [(dtype, seed) for seed in range(8) for dtype in (np.float32, np.float64)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fit, tasks))
    for task, model in zip(tasks, together, strict=True):
        alone = fit(task)
        assert model.coef_.dtype == task[0]
        assert model.loss_curve_.dtype == task[0]
        assert_array_equal(model.coef_, alone.coef_)
        assert_array_equal(model.intercept_, alone.intercept_)


def test_user_code_keeps_its_precision(place: Place) -> None:
    jax = importlib.import_module("jax")
    assert not jax.config.jax_enable_x64
    X, y = data()
    model = GradientDescentRegressor(epsilon=0.1, max_iter=20, tol=0, **place)
    model.fit(X, y)
    assert jax.numpy.ones(3).dtype == np.float32
    assert not jax.config.jax_enable_x64

    # And while a fit runs, in the thread of the user.
    running = threading.Event()
    done = threading.Event()

    def fit_again_and_again() -> None:
        while not done.is_set():
            model.fit(X, y)
            running.set()

    with ThreadPoolExecutor(1) as pool:
        fits = pool.submit(fit_again_and_again)
        try:
            assert running.wait(60)
            seen = {jax.numpy.ones(3).dtype.name for _ in range(200)}
            flags = {jax.config.jax_enable_x64 for _ in range(1000)}
        finally:
            done.set()
        fits.result()
    assert seen == {"float32"}
    assert flags == {False}


def test_precision_is_restored_after_an_error(place: Place) -> None:
    jax = importlib.import_module("jax")
    X, y = data()
    model = GradientDescentRegressor(epsilon=1e3, **place)
    with pytest.raises(ValueError, match="diverged"):
        model.fit(X, y)
    assert jax.numpy.ones(3).dtype == np.float32


X64_EVERYWHERE = """
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
from sklearn_adreg import GradientDescentRegressor
rng = np.random.default_rng(0)
X = rng.standard_normal((60, 4)).astype(np.float32)
for device in None, "cpu":
    for epsilon in "auto", 0.1:
        model = GradientDescentRegressor(
            epsilon=epsilon, backend="jax", device=device, max_iter=5, tol=0
        )
        print(model.fit(X, X[:, 0]).coef_.dtype, jax.numpy.ones(3).dtype)
"""


def test_user_who_enabled_x64(run_python: Callable[..., str]) -> None:
    importlib.import_module("jax")
    assert set(run_python(X64_EVERYWHERE).splitlines()) == {"float32 float64"}
