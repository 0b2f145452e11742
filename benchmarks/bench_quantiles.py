"""Quantiles, which have a kink, beside linear programmes, as ratios.

Run with names of the parts to run, or without for `pinball` alone: the others wait some
minutes for their peers.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import statsmodels.api as sm
from _compare import compare, gap_of, ours, run, value_of
from _data import normal, timetable
from _timing import report, timed
from sklearn.linear_model import QuantileRegressor

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Pinball


def pinball() -> None:
    """Pinball, 50,000 x 20: statsmodels; and a million rows."""
    X, y = normal(50_000, 20)
    loss = Pinball(0.8)
    design = sm.add_constant(X)
    models = ours(loss)
    peers = {
        "statsmodels": (lambda: sm.QuantReg(y, design).fit(q=0.8), ">= 5"),
    }
    compare("pinball 0.8, 50,000 x 20", models, peers, X, y)
    exact = GradientDescentRegressor(loss, tol=1e-10, max_iter=10_000).fit(X, y)
    value = value_of(loss, X, y)
    gap = gap_of(models, value(exact), value)
    report("  objective above the optimum's", gap, "<= 1e-6")
    X, y = normal(1_000_000, 50)
    for backend, model in ours(loss).items():
        seconds = min(timed(lambda model=model: model.fit(X, y)) for _ in range(2))
        report(f"pinball, 1,000,000 x 50, {backend}", f"{seconds:.2f} s", "seconds")


def delays() -> None:
    """Delays of 327,346 flights by their timetable: whole numbers, and a long tail."""
    X, y = timetable()
    design = sm.add_constant(X)
    for quantile in (0.5, 0.99):
        peer = sm.QuantReg(y, design)
        found = SimpleNamespace()

        def fit(quantile: float = quantile) -> None:
            params = peer.fit(q=quantile).params  # noqa: B023
            found.intercept_, found.coef_ = params[0], params[1:]  # noqa: B023

        once(quantile, X, y, "statsmodels", fit, found, "")


def highs() -> None:
    """Pinball, 50,000 x 20: QuantileRegressor."""
    X, y = normal(50_000, 20)
    peer = QuantileRegressor(quantile=0.8, alpha=0, solver="highs")
    once(0.8, X, y, "QuantileRegressor(highs)", lambda: peer.fit(X, y), peer, ">= 500")


def once(
    quantile: float,
    X: np.ndarray,
    y: np.ndarray,
    name: str,
    fit: Callable[[], Any],
    peer: Any,
    target: str,
) -> None:
    """Time one fit of a slow peer, and compare objectives."""
    loss = Pinball(quantile)
    models = ours(loss)
    times = {
        backend: min(timed(lambda m=m: m.fit(X, y)) for _ in range(4))
        for backend, m in models.items()
    }
    theirs = timed(fit)
    value = value_of(loss, X, y)
    what = f"pinball {quantile}, {X.shape[0]:,} x {X.shape[1]}"
    for backend, seconds in times.items():
        report(f"{what}, {backend}", f"{seconds:.3f} s", "")
        report(f"  {name} / {backend}", f"{theirs / seconds:.0f}", target)
    gap = gap_of(models, value(peer), value)
    report(f"  objective above that of {name}", gap, "<= 1e-6")


PARTS = {part.__name__: part for part in (pinball, delays, highs)}

if __name__ == "__main__":
    run(PARTS, ["pinball"])
