"""All kinds of rows, and how to build each from dense X.

A new kind is a subclass of `Rows` in the package: it is found by itself, and needs a
builder here, or several for the shapes that its data may have.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from opaque_rows import OpaqueRows, opaque_rows
from scipy import sparse

import sklearn_adreg._rows
from sklearn_adreg._rows.host import HostRows
from sklearn_adreg._rows.moments import centred, measured
from sklearn_adreg._rows.parts import PartRows
from sklearn_adreg._rows.rows import Rows
from sklearn_adreg.backends import get_backend

# (X, weight that sums to one, intercept) to rows.
Builder = Callable[[np.ndarray, np.ndarray, bool], Any]


def _concrete(parent: type[Any]) -> Iterator[type[Any]]:
    for child in parent.__subclasses__():
        yield child
        yield from _concrete(child)


def kinds() -> list[type[Any]]:
    """All subclasses of Rows that are not abstract, of the package and of the tests."""
    for module in pkgutil.iter_modules(sklearn_adreg._rows.__path__):
        importlib.import_module(f"sklearn_adreg._rows.{module.name}")
    return [kind for kind in _concrete(Rows) if not kind.__abstractmethods__]


def host_rows(X: np.ndarray, weight: np.ndarray, intercept: bool) -> HostRows:
    """Rows with their moments, centred about a rough shift."""
    target = np.zeros((len(X), 1), dtype=X.dtype)
    rows, _ = measured(X, target, weight.astype(X.dtype), intercept=intercept)
    return rows


def _host_without_moments(
    X: np.ndarray, weight: np.ndarray, intercept: bool
) -> HostRows:
    return centred(X, weight, intercept=intercept)


def _fortran(X: np.ndarray, weight: np.ndarray, intercept: bool) -> HostRows:
    return host_rows(np.asfortranarray(X), weight, intercept)


def _strided(X: np.ndarray, weight: np.ndarray, intercept: bool) -> HostRows:
    return host_rows(np.repeat(X, 2, axis=1)[:, ::2], weight, intercept)


def _memory_map(X: np.ndarray, weight: np.ndarray, intercept: bool) -> HostRows:
    with TemporaryDirectory() as folder:
        np.save(path := Path(folder) / "X.npy", X)
        return host_rows(np.load(path, mmap_mode="r"), weight, intercept)


def _float32(X: np.ndarray, weight: np.ndarray, intercept: bool) -> HostRows:
    return host_rows(X.astype(np.float32), weight, intercept)


def _taken(build: Builder) -> Builder:
    """Build of the rows that are left, where others without weight stood between."""

    def taken(X: np.ndarray, weight: np.ndarray, intercept: bool) -> Any:
        index = 2 * np.arange(len(X)) + 1
        more, heavier = np.repeat(X, 2, axis=0), np.repeat(weight, 2)
        more[::2] = 1e6
        heavier[::2] = 0.0
        return build(more, heavier, intercept).take(index)[0]

    return taken


def _refined(build: Builder) -> Builder:
    return lambda *data: build(*data).refined()


def _device(X: np.ndarray, weight: np.ndarray, intercept: bool) -> Any:
    module: Any = importlib.import_module("sklearn_adreg._rows.device")
    device = os.environ.get("SKLEARN_ADREG_TEST_DEVICE", "cpu")
    backend = get_backend("jax")
    return module.device_rows(backend, device, X, weight, intercept=intercept)


def _opaque(X: np.ndarray, weight: np.ndarray, intercept: bool) -> Any:
    return opaque_rows(X, weight, intercept=intercept)


def _sparse(kind: Any, dtype: Any = np.float64) -> Builder:
    def build(X: np.ndarray, weight: np.ndarray, intercept: bool) -> Any:
        module: Any = importlib.import_module("sklearn_adreg._rows.sparse")
        shares = weight.astype(dtype)
        return module.sparse_rows(kind(X.astype(dtype)), shares, intercept=intercept)

    return build


def _one_part(X: np.ndarray, weight: np.ndarray, intercept: bool) -> PartRows:
    """Parts of one predictor alone, which is what the rows are."""
    return PartRows(host_rows(X, weight, intercept), np.ones((1, 1)))


BUILDERS: dict[str, dict[str, Builder]] = {
    HostRows.__name__: {
        "C order": host_rows,
        "Fortran order": _fortran,
        "strided": _strided,
        "memory map": _memory_map,
        "without moments": _host_without_moments,
        "taken": _taken(host_rows),
        "refined": _refined(host_rows),
        "refined, taken": _refined(_taken(host_rows)),
        "float32": _float32,
        "float32, refined": _refined(_float32),
    },
    OpaqueRows.__name__: {"blocks": _opaque, "taken": _taken(_opaque)},
    "SparseRows": {
        "CSR": _sparse(sparse.csr_array),
        "CSC, taken": _taken(_sparse(sparse.csc_matrix)),
        "CSC, refined": _refined(_sparse(sparse.csc_array)),
        "float32": _sparse(sparse.csr_matrix, np.float32),
    },
    "DeviceRows": {"placed": _device, "taken": _taken(_device)},
    "PartRows": {"one part": _one_part, "one part, taken": _taken(_one_part)},
}


def every_builder() -> dict[str, Builder]:
    """Builders of the kinds that there are, by a name."""
    return {
        f"{kind.__name__}-{name}": build
        for kind in kinds()
        for name, build in BUILDERS.get(kind.__name__, {}).items()
    }
