"""Models of every backend beside peers, in turns, and what they reach."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from _timing import interleaved, report

from sklearn_adreg import GradientDescentRegressor

BACKENDS = ("autograd", "jax")


def ours(loss: Any, **parameters: Any) -> dict[str, GradientDescentRegressor]:
    """One model for each backend."""
    return {
        backend: GradientDescentRegressor(loss, backend=backend, **parameters)
        for backend in BACKENDS
    }


def compare(
    what: str,
    models: dict[str, Any],
    peers: dict[str, tuple[Callable[[], Any], str]],
    X: np.ndarray,
    y: np.ndarray,
    repeat: int = 3,
) -> dict[str, float]:
    """Time models and peers in turns, once each has run, and report the ratios."""
    for model in models.values():
        model.fit(X, y)  # compiles
    calls = {
        name: lambda model=model: model.fit(X, y) for name, model in models.items()
    }
    calls |= {name: peer for name, (peer, _) in peers.items()}
    seconds = interleaved(calls, repeat)
    for name in models:
        report(f"{what}, {name}", f"{seconds[name]:.3f} s", "")
        for peer, (_, target) in peers.items():
            report(f"  {peer} / {name}", f"{seconds[peer] / seconds[name]:.1f}", target)
    return seconds


def objective(model: Any, loss: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Mean loss of a model that has been fitted."""
    return float(loss(y, X @ model.coef_ + model.intercept_).mean())


def gap_of(models: dict[str, Any], best: float, value: Callable[[Any], float]) -> str:
    """Return how far the worst of the models is above the best objective known."""
    worst = max(value(model) for model in models.values())
    return f"{worst / best - 1:.1e}"


def value_of(loss: Any, X: np.ndarray, y: np.ndarray) -> Callable[[Any], float]:
    """Return the objective as a function of a fitted model."""
    return lambda model: objective(model, loss, X, y)


def run(parts: dict[str, Callable[[], None]], default: list[str]) -> None:
    """Run the parts that the command line names, or the default ones."""
    warnings.simplefilter("ignore")
    for name in sys.argv[1:] or default:
        start = time.perf_counter()
        parts[name]()
        print(f"({name}: {time.perf_counter() - start:.0f} s)\n", flush=True)
