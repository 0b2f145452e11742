"""Any loss beside the estimators and solvers made for it, as ratios.

Run with names of the parts to run, or without for all. Quantiles are in a script of
their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import statsmodels.api as sm
from _compare import compare, gap_of, objective, ours, run, value_of
from _data import flights, heavy_tails, normal
from _timing import report
from glum import GeneralizedLinearRegressor
from scipy.optimize import minimize
from skglm import GeneralizedLinearEstimator
from skglm.datafits import Huber as SkglmHuber
from skglm.penalties import L1
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    HuberRegressor,
    PoissonRegressor,
)
from sklearn.preprocessing import PolynomialFeatures

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import GammaDeviance, Huber, PoissonDeviance


def huber() -> None:
    """Huber, heavy tails, at a scale of one: HuberRegressor and skglm."""
    for units in (1e6, 100.0, 1.0):
        _huber(*heavy_tails(200_000, 50, units), units)


def _huber(X: np.ndarray, y: np.ndarray, units: float) -> None:
    loss = Huber(1.35, scale=1.0)
    models = ours(loss)
    skglm = GeneralizedLinearEstimator(SkglmHuber(1.35), L1(0.0))
    skglm.fit(X[:1000], y[:1000])  # compiles
    peers = {
        "HuberRegressor": (lambda: HuberRegressor().fit(X, y), ">= 30"),
        "skglm": (lambda: skglm.fit(X, y), ">= 1"),
    }
    compare(
        f"Huber, 200,000 x 50, units 1 to {units:.0f}", models, peers, X, y, repeat=2
    )
    exact = GradientDescentRegressor(loss, tol=1e-11).fit(X, y)
    best = objective(exact, loss, X, y)
    gap = gap_of(models, best, lambda model: objective(model, loss, X, y))
    report("  objective above the optimum's", gap, "<= 1e-8")
    report("  the same of skglm", gap_of({"": skglm}, best, value_of(loss, X, y)), "")


def estimated_scale() -> None:
    """Huber that finds its scale, on columns of several kinds: HuberRegressor."""
    peer, loss = HuberRegressor(), Huber(1.35)
    models = {"autograd": GradientDescentRegressor(loss)}
    for what, X, y in _kinds_of_columns():
        peers = {"HuberRegressor": (lambda: peer.fit(X, y), ">= 15")}  # noqa: B023
        compare(f"Huber, its scale estimated, {what}", models, peers, X, y, repeat=2)


def _kinds_of_columns() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield columns as they were measured, drawn in units, correlated, and white."""
    X, delay, air = flights()
    yield "flights, delay", X, delay
    yield "flights, time in the air", X, air
    for units in (1e6, 100.0):
        yield f"units 1 to {units:.0f}", *heavy_tails(200_000, 50, units)
    X, y = normal(200_000, 50)
    yield "ten deviations from zero", X + 10.0, y
    rng = np.random.default_rng(0)
    for j in range(1, X.shape[1]):  # now the neighbours correlate by 0.9
        X[:, j] = 0.9 * X[:, j - 1] + math.sqrt(0.19) * X[:, j]
    yield (
        "neighbours correlated by 0.9",
        X,
        X @ rng.standard_normal(50) + rng.standard_t(2, len(X)),
    )
    yield "independent columns in equal units", *heavy_tails(200_000, 50, 1.0)


def linex(y_true: Any, y_pred: Any) -> Any:
    """LINEX, in one line."""
    return adnp.expm1(0.02 * (y_pred - y_true)) - 0.02 * (y_pred - y_true)


def mape(y_true: Any, y_pred: Any) -> Any:
    """Absolute percentage error, in one line."""
    return abs((y_true - y_pred) / y_true)


def own() -> None:
    """One-line losses on the flights: L-BFGS-B with the gradient written by hand."""
    X, delay, air = flights()
    slopes: dict[Any, Callable[..., np.ndarray]] = {
        linex: lambda y, z: 0.02 * np.expm1(0.02 * (z - y)),
        mape: lambda y, z: np.sign(z - y) / abs(y),
    }
    for loss, y in ((linex, delay), (mape, air)):
        models = ours(loss)
        scaled = (X - X.mean(0)) / X.std(0)
        peers = {
            "L-BFGS-B": (lambda: lbfgs(loss, slopes[loss], X, y), "> 1"),  # noqa: B023
            "L-BFGS-B, scaled": (
                lambda: lbfgs(loss, slopes[loss], scaled, y),  # noqa: B023
                "> 1",
            ),
        }
        what = f"{loss.__name__}, flights {X.shape[0]:,} x {X.shape[1]}"
        compare(what, models, peers, X, y, repeat=2)
        best = min(lbfgs(loss, slopes[loss], data, y).fun for data in (X, scaled))
        gap = gap_of(models, best, value_of(loss, X, y))
        report("  objective beside the better of L-BFGS-B", gap, "<= 0")


def lbfgs(
    loss: Any, slope: Callable[..., np.ndarray], X: np.ndarray, y: np.ndarray
) -> Any:
    """Minimise as people do without this package."""

    def value_and_gradient(coef: np.ndarray) -> tuple[float, np.ndarray]:
        z = X @ coef[:-1] + coef[-1]
        slopes = slope(y, z) / len(y)
        return loss(y, z).mean(), np.append(X.T @ slopes, slopes.sum())

    start = np.append(np.zeros(X.shape[1]), np.median(y))
    with np.errstate(over="ignore", invalid="ignore"):
        return minimize(
            value_and_gradient,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 5000, "maxfun": 20_000},
        )


def deviances() -> None:
    """Poisson and Gamma with ridge, 300,000 x 60: newton-cholesky and glum."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300_000, 60))
    mean = np.exp(X @ (0.1 * rng.standard_normal(60)))
    counts, amounts = rng.poisson(mean).astype(float), rng.gamma(2, mean / 2)
    for family, y in (("poisson", counts), ("gamma", amounts)):
        _deviance(f"{family}, 300,000 x 60", family, X, y)
    # Real ones: doctor visits of the RAND experiment, amounts that are positive.
    visits = sm.datasets.randhie.load_pandas()
    X, y = visits.exog.to_numpy(float), visits.endog.to_numpy(float)
    products = PolynomialFeatures(2, interaction_only=True, include_bias=False)
    pairs = products.fit_transform((X - X.mean(0)) / X.std(0))
    for columns in (X, pairs):
        _deviance(f"poisson, doctor visits {columns.shape}", "poisson", columns, y)
    X, _, air = flights()
    _deviance("gamma, minutes in the air", "gamma", (X - X.mean(0)) / X.std(0), air)


def _deviance(what: str, family: str, X: np.ndarray, y: np.ndarray) -> None:
    alpha = 1e-3
    loss: Any = PoissonDeviance() if family == "poisson" else GammaDeviance()
    kind = PoissonRegressor if family == "poisson" else GammaRegressor
    theirs = kind(alpha=alpha, solver="newton-cholesky")
    glum = GeneralizedLinearRegressor(
        family=family, alpha=alpha, l1_ratio=0, link="log"
    )
    models = ours(loss, alpha=2 * alpha)
    peers = {
        "newton-cholesky": (lambda: theirs.fit(X, y), ">= 1"),
        "glum": (lambda: glum.fit(X, y), ">= 1"),
    }
    compare(what, models, peers, X, y)

    def value(model: Any) -> float:
        mean = np.exp(X @ model.coef_ + model.intercept_)
        return float(loss(y, mean).mean() + alpha * model.coef_ @ model.coef_)

    tight = kind(alpha=alpha, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    report(
        "  objective beside newton-cholesky",
        gap_of(models, value(tight.fit(X, y)), value),
        "<= 1e-9",
    )


def lasso_of_counts() -> None:
    """Poisson with a lasso, 300,000 x 60: glum."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300_000, 60))
    y = rng.poisson(np.exp(X @ (0.1 * rng.standard_normal(60)))).astype(float)
    loss, alpha = PoissonDeviance(), 0.025
    glum = GeneralizedLinearRegressor(
        family="poisson", alpha=alpha, l1_ratio=1, link="log"
    )
    models = ours(loss, alpha=2 * alpha, l1_ratio=1.0)
    peers = {"glum": (lambda: glum.fit(X, y), "")}
    compare("poisson with a lasso, 300,000 x 60", models, peers, X, y)

    def value(model: Any) -> float:
        mean = np.exp(X @ model.coef_ + model.intercept_)
        penalty = 2 * alpha * np.abs(model.coef_).sum()
        return float(loss(y, mean).mean() + penalty)

    report("  objective beside glum's", gap_of(models, value(glum), value), "<= 1e-6")


def lasso() -> None:
    """Lasso, tall and wide: ElasticNet at its tightest tolerance."""
    rng = np.random.default_rng(0)
    for n, d, alpha, repeat in ((1_000_000, 100, 0.1, 4), (2_000, 5_000, 0.1, 4)):
        X = rng.standard_normal((n, d))
        coef = rng.standard_normal(d) * (rng.random(d) < 20 / d)
        y = X @ coef + rng.standard_normal(n)
        models = ours("squared_error", alpha=2 * alpha, l1_ratio=1.0)
        exact = ElasticNet(alpha=alpha, l1_ratio=1.0, tol=1e-10, max_iter=10_000)
        loose = ElasticNet(alpha=alpha, l1_ratio=1.0)
        peers = {
            "ElasticNet": (lambda: loose.fit(X, y), ">= 3" if n > d else ""),  # noqa: B023
            "ElasticNet(tol=1e-10)": (lambda: exact.fit(X, y), ""),  # noqa: B023
        }
        compare(f"lasso, {n:,} x {d:,}", models, peers, X, y, repeat)
        exact.fit(X, y)
        for name, model in models.items():
            same = ((model.coef_ != 0) == (exact.coef_ != 0)).all()
            error = np.abs(model.coef_ - exact.coef_).max() / np.abs(exact.coef_).max()
            report(f"  coefficients beside ElasticNet's, {name}", f"{error:.1e}", "")
            report("  the same zeros", str(bool(same)), "True")


PARTS = {
    part.__name__: part
    for part in (huber, estimated_scale, own, deviances, lasso_of_counts, lasso)
}

if __name__ == "__main__":
    run(PARTS, list(PARTS))
