"""Speed of searches over epsilon beside grid searches, as ratios."""

from __future__ import annotations

import warnings

import numpy as np
from _timing import interleaved, report
from sklearn.linear_model import Ridge, SGDRegressor
from sklearn.model_selection import GridSearchCV

from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV

BACKENDS = ("autograd", "jax")


def linear_data(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw standard normal columns, a linear target and unit noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, X @ rng.standard_normal(d) + rng.standard_normal(n)


def one_pass() -> None:
    """Time 20 and 1,000 epsilons on 5 splits beside one fit of the best of them."""
    X, y = linear_data(200_000, 50)
    functions = {}
    for backend in BACKENDS:
        few, many = (
            GradientDescentRegressorCV(np.geomspace(1e-3, 0.9, n), backend=backend)
            for n in (20, 1000)
        )
        best = few.fit(X, y).best_estimator_
        functions |= {
            f"{backend}, one fit": lambda best=best: best.fit(X, y),
            f"{backend}, 20": lambda few=few: few.fit(X, y),
            f"{backend}, 1000": lambda many=many: many.fit(X, y),
        }
    seconds = interleaved(functions)
    for backend in BACKENDS:
        few = seconds[f"{backend}, 20"]
        name = f"200,000 x 50, {backend}, 5 splits"
        ratio = few / seconds[f"{backend}, one fit"]
        report(f"{name}: 20 epsilons / one fit", f"{ratio:.2f}", "<= 3")
        ratio = seconds[f"{backend}, 1000"] / few
        report(f"{name}: 1,000 epsilons / 20", f"{ratio:.2f}", "< 10")


def beside_grid_searches() -> None:
    """Time 20 epsilons on 5 splits beside grid searches with two processes."""
    X, y = linear_data(200_000, 50)
    epsilons = np.geomspace(1e-3, 0.9, 20)
    ours = GradientDescentRegressorCV(epsilons)
    descent = GradientDescentRegressor()
    grid = GridSearchCV(descent, {"epsilon": epsilons}, n_jobs=2)
    stochastic = GridSearchCV(
        SGDRegressor(random_state=0), {"eta0": np.geomspace(1e-4, 0.1, 20)}, n_jobs=2
    )
    grid.fit(X[:1000], y[:1000])  # starts the processes
    once = interleaved(
        {
            "ours": lambda: ours.fit(X, y),
            "descent": lambda: grid.fit(X, y),
            "stochastic": lambda: stochastic.fit(X, y),
        },
        repeat=2,
    )
    often = interleaved({"ours": lambda: ours.fit(X, y)})
    mine = min(once["ours"], often["ours"])
    name = "200,000 x 50, 20 x 5: GridSearchCV(n_jobs=2)"
    ratio = once["stochastic"] / mine
    report(f"{name}, SGDRegressor / ours", f"{ratio:.0f}", ">= 100")
    ratio = once["descent"] / mine
    report(f"{name}, ours by one / ours", f"{ratio:.1f}", ">= 15")


def grid_search() -> None:
    """Time GridSearchCV over epsilon beside one over Ridge's alpha."""
    X, y = linear_data(2000, 30)
    ridge = GridSearchCV(Ridge(), {"alpha": np.geomspace(1e-3, 1e3, 50)})
    functions = {"ridge": lambda: ridge.fit(X, y)}
    for backend in BACKENDS:
        model = GradientDescentRegressor(backend=backend)
        search = GridSearchCV(model, {"epsilon": np.geomspace(0.01, 0.7, 50)})
        functions[backend] = lambda search=search: search.fit(X, y)
    seconds = interleaved(functions)
    for backend, target in zip(BACKENDS, ("", "< 1.5"), strict=True):
        ratio = seconds[backend] / seconds["ridge"]
        name = f"2,000 x 30, 50 x 5: GridSearchCV, {backend} / Ridge"
        report(name, f"{ratio:.2f}", target)


if __name__ == "__main__":
    report("what", "measured", "target")
    with warnings.catch_warnings(action="ignore"):  # short steps do not converge
        one_pass()
        grid_search()
        beside_grid_searches()
