"""Libraries for automatic differentiation, behind one interface, `Backend`."""

from __future__ import annotations

from sklearn_adreg.backends._autograd import AutogradBackend
from sklearn_adreg.backends._jax import JaxBackend
from sklearn_adreg.backends.base import Backend, iterate_in_python

__all__ = ["AutogradBackend", "Backend", "JaxBackend", "iterate_in_python"]

BACKENDS: dict[str, Backend] = {"autograd": AutogradBackend(), "jax": JaxBackend()}


def get_backend(backend: str | Backend) -> Backend:
    """Return the backend of a name; an instance is returned as it is.

    Parameters
    ----------
    backend : {'autograd', 'jax'} or Backend
        A name or an instance.

    Returns
    -------
    Backend
        The backend.
    """
    return backend if isinstance(backend, Backend) else BACKENDS[backend]
