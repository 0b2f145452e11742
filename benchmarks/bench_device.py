"""A device beside host memory on the same machine: seconds of a fit, and the objective.

Run with the device's name (`cpu` unless told) and a number of rows (20,000 unless
told). The first fit compiles; host fits are autograd's, with all cores.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
from _data import normal
from _timing import timed
from sklearn.exceptions import ConvergenceWarning

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Huber, Pinball, PoissonDeviance

N_COLUMNS = 100
TEXTBOOK: dict[str, Any] = {"epsilon": 0.1, "tol": 0.0}
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "squared error": ("squared_error", {}),
    "ridge": ("squared_error", {"alpha": 0.1}),
    "lasso": ("squared_error", {"alpha": 0.1, "l1_ratio": 1.0}),
    "Huber": (Huber(scale=1.0), {}),
    "Poisson": (PoissonDeviance(), {}),
    "pinball 0.9": (Pinball(0.9), {}),
    "textbook, 1,000 steps, squared": ("squared_error", TEXTBOOK | {"max_iter": 1000}),
    "textbook, 100 steps, Huber": (Huber(scale=1.0), TEXTBOOK | {"max_iter": 100}),
}


def main(device: str, n_rows: int) -> None:
    """Compare each case in both float types."""
    X, y = normal(n_rows, N_COLUMNS)
    counts = np.random.default_rng(1).poisson(np.exp(y / (2 * y.std()))).astype(float)
    print(f"{n_rows:,} x {N_COLUMNS}{'':<35} host s  first s  {device} s  ratio  gap")
    for dtype in np.float64, np.float32:
        for name, (loss, parameters) in CASES.items():
            target = counts if name == "Poisson" else y
            data = X.astype(dtype), target.astype(dtype)
            line(f"{name}, {dtype.__name__}", device, data, loss, parameters)


def line(what: str, device: str, data: Any, loss: Any, parameters: Any) -> None:
    """Fit on the host and on the device, and print what it took and how they differ."""
    host = GradientDescentRegressor(loss, **parameters)
    there = GradientDescentRegressor(loss, **parameters, backend="jax", device=device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        host.fit(*data)
        seconds = min(timed(lambda: host.fit(*data)) for _ in range(2))
        first = timed(lambda: there.fit(*data))
        again = min(timed(lambda: there.fit(*data)) for _ in range(3))
    gap = float(there.loss_curve_[-1]) / float(host.loss_curve_[-1]) - 1
    steps = f"{host.n_iter_}/{there.n_iter_}"
    print(
        f"{what:<45} {seconds:8.3f} {first:8.2f} {again:8.3f} "
        f"{seconds / again:6.1f} {gap:9.1e} {steps}",
        flush=True,
    )


if __name__ == "__main__":
    name, rows = (*sys.argv[1:], *("cpu", "20000")[len(sys.argv) - 1 :])
    main(name, int(rows))
