"""The pictures of the page on performance: ratios to peers, and time against size.

CPU time on one thread, the fastest of several fits in turns. Draws
docs/images/performance_ratios.png and docs/images/performance_sizes.png.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import statsmodels.api as sm
from _data import heavy_tails
from _timing import report
from glum import GeneralizedLinearRegressor
from scipy import sparse
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    LinearRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    SGDRegressor,
)
from threadpoolctl import threadpool_limits

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Pinball

IMAGES = Path(__file__).parents[1] / "docs" / "images"
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "0.6"
# Rows against which the time is drawn at 20 columns, and columns at 20,000 rows.
N_ROWS, N_COLUMNS = (1_000, 10_000, 100_000, 500_000), (10, 30, 100, 300)

Call = Callable[[], Any]


def linear(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw correlated columns, a linear target and unit noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) + 0.5 * rng.standard_normal((n, 1))
    return X, X @ rng.standard_normal(d) / np.sqrt(d) + rng.standard_normal(n)


def counts(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw counts with a mean of one."""
    X, y = linear(n, d)
    return X, np.random.default_rng(1).poisson(np.exp(0.3 * y))


def words(n: int, d: int) -> tuple[Any, np.ndarray]:
    """Draw a sparse matrix, all columns as frequent."""
    X = sparse.random(n, d, density=1e-3, random_state=0, format="csr")
    rng = np.random.default_rng(0)
    return X, X @ rng.standard_normal(d) + 0.1 * rng.standard_normal(n)


def seconds_of(calls: dict[str, Call], repeat: int = 2) -> dict[str, float]:
    """CPU seconds of the fastest call of each, in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeat):
        for name, call in calls.items():
            n_calls, start = 0, time.process_time()
            while n_calls == 0 or time.process_time() - start < 0.02:
                call()
                n_calls += 1
            times[name].append((time.process_time() - start) / n_calls)
    return {name: min(found) for name, found in times.items()}


def fit(model: Any, data: tuple[Any, Any]) -> Call:
    """Return a call that fits a model."""
    return lambda: model.fit(*data)


def ratios() -> list[tuple[str, str, float]]:
    """How many times as long as ours peers take: what, peer, ratio."""
    small, tall, count = linear(200, 10), linear(300_000, 50), counts(200_000, 40)
    wide, robust = linear(1_000, 3_000), heavy_tails(100_000, 30, 1.0)
    some, many, sparsely = linear(2_000, 20), linear(50_000, 20), words(50_000, 20_000)
    own = GradientDescentRegressor
    lasso = {"alpha": 0.2, "l1_ratio": 1.0}
    table: list[tuple[str, Any, Any, dict[str, Any]]] = [
        (
            "least squares, 200 x 10",
            own(),
            small,
            {"LinearRegression": LinearRegression()},
        ),
        (
            "least squares, 300,000 x 50",
            own(),
            tall,
            {
                "LinearRegression(tol=1e-12)": LinearRegression(tol=1e-12),
                "Ridge(solver='cholesky')": Ridge(alpha=0, solver="cholesky"),
                "SGDRegressor": SGDRegressor(penalty=None),
            },
        ),
        (
            "ridge, sparse 50,000 x 20,000",
            own(alpha=2 / 50_000, tol=1e-6),
            sparsely,
            {"Ridge(solver='lsqr')": Ridge(1.0, solver="lsqr", tol=1e-6)},
        ),
        (
            "lasso, 300,000 x 50",
            own(**lasso),
            tall,
            {"ElasticNet": ElasticNet(alpha=0.1, l1_ratio=1.0)},
        ),
        (
            "lasso, 1,000 x 3,000",
            own(**lasso),
            wide,
            {"ElasticNet(tol=1e-10)": ElasticNet(0.1, l1_ratio=1.0, tol=1e-10)},
        ),
        (
            "Huber, 100,000 x 30",
            own("huber"),
            robust,
            {"HuberRegressor": HuberRegressor()},
        ),
        (
            "median, 2,000 x 20",
            own(Pinball(0.5)),
            some,
            {"QuantileRegressor": QuantileRegressor(alpha=0)},
        ),
        (
            "Poisson, 200,000 x 40",
            own("poisson"),
            count,
            {
                "PoissonRegressor(newton)": PoissonRegressor(
                    alpha=0, solver="newton-cholesky", tol=1e-6
                ),
                "glum": GeneralizedLinearRegressor(family="poisson", alpha=0),
            },
        ),
    ]
    found = []
    for what, model, data, peers in table:
        calls = {"ours": fit(model, data)}
        calls |= {name: fit(peer, data) for name, peer in peers.items()}
        seconds = seconds_of(calls)
        found += [(what, name, seconds[name] / seconds["ours"]) for name in peers]
    model = own(Pinball(0.8))
    design = sm.add_constant(many[0])
    seconds = seconds_of(
        {
            "ours": fit(model, many),
            "theirs": lambda: sm.QuantReg(many[1], design).fit(q=0.8),
        }
    )
    found.append(
        (
            "quantile, 50,000 x 20",
            "statsmodels' QuantReg",
            seconds["theirs"] / seconds["ours"],
        )
    )
    return found


def draw_ratios(found: list[tuple[str, str, float]]) -> None:
    """Draw a bar for each peer, to the left where it is faster."""
    found = sorted(found, key=lambda row: row[2])
    figure, axes = plt.subplots(figsize=(9, 4.6), layout="constrained")
    for place, (what, peer, ratio) in enumerate(found):
        color = BLUE if ratio >= 1 else ORANGE
        axes.barh(place, ratio - 1, left=1, color=color, height=0.6)
        text = f" {ratio:.2g}" if ratio < 100 else f" {ratio:.0f}"
        axes.text(max(ratio, 1), place, text, va="center", color=color)
        axes.text(0.052, place, f"{what}: {peer}", va="center", fontsize="small")
    axes.set_xscale("log")
    axes.axvline(1, color="0.3", linewidth=1)
    axes.set(xlim=(0.05, 4 * found[-1][2]), yticks=(), ylim=(-0.6, len(found) - 0.4))
    axes.set_xlabel("time of the peer / ours: to the right we are faster")
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.savefig(IMAGES / "performance_ratios.png", dpi=100)


def sizes() -> dict[str, dict[str, list[float]]]:
    """CPU seconds by the number of rows, and by that of columns."""
    found: dict[str, dict[str, list[float]]] = {"rows": {}, "columns": {}}
    shapes = [("rows", n, 20) for n in N_ROWS]
    shapes += [("columns", 20_000, d) for d in N_COLUMNS]
    for axis, n, d in shapes:
        data = X, _ = linear(n, d)
        calls = {
            "least squares": fit(GradientDescentRegressor(), data),
            "quantile": fit(GradientDescentRegressor(Pinball(0.8)), data),
            "LinearRegression": fit(LinearRegression(), data),
            "floor": lambda X=X: (X.mean(axis=0), X.T @ X),
        }
        if n <= 1_000:
            calls["QuantileRegressor"] = fit(QuantileRegressor(alpha=0), data)
        for name, seconds in seconds_of(calls, 2).items():
            found[axis].setdefault(name, []).append(seconds)
    return found


def draw_sizes(found: dict[str, dict[str, list[float]]]) -> None:
    """Draw lines on logarithmic axes, the floor below them."""
    looks = {
        "quantile": (BLUE, "-", "quantile, ours"),
        "QuantileRegressor": (BLUE, ":", "QuantileRegressor"),
        "least squares": (ORANGE, "-", "least squares, ours"),
        "LinearRegression": (ORANGE, ":", "LinearRegression"),
        "floor": (GREY, "--", "floor: X.T @ X and the means"),
    }
    figure, panels = plt.subplots(
        1, 2, figsize=(9, 3.8), sharey=True, layout="constrained"
    )
    for axes, axis, at, title in zip(
        panels,
        ("rows", "columns"),
        (N_ROWS, N_COLUMNS),
        ("20 columns", "20,000 rows"),
        strict=True,
    ):
        for name, seconds in found[axis].items():
            color, style, label = looks[name]
            given = {"color": color, "linestyle": style, "label": label}
            axes.loglog(at[: len(seconds)], seconds, marker="o", markersize=4, **given)
        axes.set(xlabel=axis, title=title)
        axes.grid(color="0.92")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("seconds of CPU time, one thread")
    panels[0].legend(frameon=False, fontsize="small")
    figure.savefig(IMAGES / "performance_sizes.png", dpi=100)


def main() -> None:
    """Measure, print and draw."""
    warnings.simplefilter("ignore")
    mpl.use("agg")
    with threadpool_limits(1):
        found = ratios()
        for what, peer, ratio in found:
            report(f"{what}: {peer} / ours", f"{ratio:.2f}", "")
        draw_ratios(found)
        by_size = sizes()
        for axis, lines in by_size.items():
            for name, seconds in lines.items():
                report(f"{name}, by {axis}", " ".join(f"{s:.2g}" for s in seconds), "")
        draw_sizes(by_size)


if __name__ == "__main__":
    main()
