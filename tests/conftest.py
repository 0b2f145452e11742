"""Fixtures that several test modules share."""

from __future__ import annotations

import importlib
import math
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

import sklearn_adreg.backends
from sklearn_adreg.backends import Backend

# Run the tests of devices on a GPU with SKLEARN_ADREG_TEST_DEVICE=cuda.
DEVICE = os.environ.get("SKLEARN_ADREG_TEST_DEVICE", "cpu")


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker of pytest-xdist one thread of BLAS: they share the cores.

    Threads of several workers spin while they wait for each other: where other
    programs ran too, some tests took five times the CPU time with them. BLAS reads
    this where NumPy is loaded, before the workers read this file.
    """
    if getattr(config.option, "numprocesses", None):
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
            os.environ.setdefault(name, "1")
    _keep_programs(config)


def _keep_programs(config: pytest.Config) -> None:
    """Let JAX find what an earlier run compiled: a third of the suite's CPU time.

    An entry is found by the program, the options and the version of JAX. Where it
    cannot be read or written, because another worker is writing it, JAX warns and
    compiles. Runs of `pytest --cache-clear` begin anew.
    """
    cache = getattr(config, "cache", None)  # not with -p no:cacheprovider
    if cache is None or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    jax = importlib.import_module("jax")
    jax.config.update("jax_compilation_cache_dir", str(cache.mkdir("jax")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def _subclasses(parent: type[Any]) -> Iterator[type[Any]]:
    for child in parent.__subclasses__():
        yield child
        yield from _subclasses(child)


def _package_backends() -> list[Backend]:
    """One instance of every concrete backend in the package."""
    for module in pkgutil.iter_modules(sklearn_adreg.backends.__path__):
        importlib.import_module(f"sklearn_adreg.backends.{module.name}")
    return [
        found()
        for found in _subclasses(Backend)
        if found.__module__.startswith("sklearn_adreg.")
        and not getattr(found, "__abstractmethods__", None)
    ]


BACKENDS = _package_backends()
WITH_DEVICES = [found for found in BACKENDS if type(found).place is not Backend.place]


def _places() -> Iterator[Any]:
    for backend in BACKENDS:
        yield pytest.param({"backend": backend.name}, id=backend.name)
    for backend in WITH_DEVICES:
        name = f"{backend.name}-{DEVICE}"
        yield pytest.param({"backend": backend.name, "device": DEVICE}, id=name)


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend of the package; new ones are found by themselves."""
    found: Backend = request.param
    return found


@pytest.fixture(params=WITH_DEVICES, ids=lambda backend: backend.name)
def device_backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend of the package that places arrays on devices."""
    found: Backend = request.param
    return found


@pytest.fixture(params=list(_places()))
def place(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Parameters of an estimator that say where it computes, and with what."""
    return dict(request.param)


@pytest.fixture
def places() -> list[dict[str, Any]]:
    """All that `place` goes through, in one test."""
    return [dict(parameter.values[0]) for parameter in _places()]


@pytest.fixture
def device() -> str:
    """The device that tests of devices run on."""
    return DEVICE


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., str]:
    """Run code in a fresh interpreter; its standard output."""

    def run(code: str, *arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def _reference(func: Any, x: np.ndarray, order: int) -> np.ndarray:
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


def _worst_error(found: np.ndarray, expected: np.ndarray) -> float:
    scale = np.abs(expected).max(axis=1, keepdims=True)
    # Derivatives that vanish everywhere, up to the rounding of the reference.
    scale = np.where(scale > 1e-30, scale, 1.0)
    return float((np.abs(found - expected) / scale).max())


@pytest.fixture
def reference() -> Callable[..., np.ndarray]:
    """Derivatives of a function of mpmath: (function, points, order)."""
    return _reference


@pytest.fixture
def worst_error() -> Callable[..., float]:
    """Largest error, relative to the largest value of each order."""
    return _worst_error
