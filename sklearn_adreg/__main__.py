"""Print the versions that a report of a bug should name: python -m sklearn_adreg."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_info

import sklearn_adreg

_PACKAGES = (
    *("numpy", "scipy", "scikit-learn", "autograd", "jax", "jaxlib"),
    *("threadpoolctl", "matplotlib", "tqdm"),
)


def versions() -> dict[str, str]:
    """Versions by the name of what they are of."""
    found = {
        "sklearn-adreg": sklearn_adreg.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    for library in threadpool_info():
        name = f"{library['user_api']}: {library['internal_api']}"
        found[name] = f"{library['version']}, {library['num_threads']} threads"
    return found


if __name__ == "__main__":
    for name, number in versions().items():
        sys.stdout.write(f"{name:>20}  {number}\n")
