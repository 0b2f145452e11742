"""Libraries for automatic differentiation, behind one small interface."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sklearn_adreg.backends._autograd import AutogradBackend
from sklearn_adreg.backends.base import Backend, iterate_in_python

if TYPE_CHECKING:
    from sklearn_adreg.backends._jax import JaxBackend

__all__ = ["AutogradBackend", "Backend", "JaxBackend", "iterate_in_python"]

BACKENDS = ("autograd", "jax")


def __getattr__(name: str) -> Any:
    """Import JAX when its backend is first asked for, not before."""
    if name != "JaxBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _import_jax_backend()


def get_backend(backend: str | Backend) -> Backend:
    """Find a backend by its name; an instance is returned as it is.

    Parameters
    ----------
    backend : {'autograd', 'jax'} or Backend
        A name or an instance.

    Returns
    -------
    Backend
        The backend.

    Raises
    ------
    ImportError
        If JAX is asked for and is not installed.
    """
    if isinstance(backend, Backend):
        return backend
    return AutogradBackend() if backend == "autograd" else _import_jax_backend()()


def _import_jax_backend() -> type[JaxBackend]:
    try:
        module = importlib.import_module("sklearn_adreg.backends._jax")
    except ModuleNotFoundError as error:
        if error.name not in {"jax", "jaxlib"}:
            raise
        raise ImportError(
            "backend='jax' needs JAX, which is not installed. Install it with "
            "`pip install 'sklearn-adreg[jax]'` (or the extra `cuda` for an NVIDIA "
            "GPU), or use backend='autograd'."
        ) from error
    return module.JaxBackend
