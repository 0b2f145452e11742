"""Coefficient errors against solutions in multiple precision, beside scipy's lstsq."""

from __future__ import annotations

import mpmath
import numpy as np
from _timing import report
from scipy import linalg
from sklearn.linear_model import LinearRegression

from sklearn_adreg import GradientDescentRegressor

N_SAMPLES, N_FEATURES, N_DESIGNS = 200, 8, 10


def exact(A: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Solve least squares in 100 digits."""
    with mpmath.workdps(100):
        M = mpmath.matrix(A.tolist())
        w = mpmath.lu_solve(M.T * M, M.T * mpmath.matrix(y.tolist()))
        return np.array([float(value) for value in w])


def errors(rng: np.random.Generator, exponent: int, fit_intercept: bool) -> list[float]:
    """Measure errors on one design: ours, on a device, gelsy, gelsd, sklearn's."""
    shape = (N_SAMPLES, N_FEATURES)
    left = np.linalg.qr(rng.standard_normal(shape))[0]
    right = np.linalg.qr(rng.standard_normal((N_FEATURES, N_FEATURES)))[0]
    X = left * np.logspace(0, -exponent, N_FEATURES) @ right.T * np.sqrt(N_SAMPLES)
    y = X @ rng.standard_normal(N_FEATURES) + 0.1 * rng.standard_normal(N_SAMPLES)
    A = np.c_[X, np.ones(N_SAMPLES)] if fit_intercept else X
    expected = exact(A, y)[:N_FEATURES]
    options = {"fit_intercept": fit_intercept}
    found = [
        GradientDescentRegressor(**options).fit(X, y).coef_,
        GradientDescentRegressor(backend="jax", device="cpu", **options)
        .fit(X, y)
        .coef_,
    ]
    for driver in ("gelsy", "gelsd"):
        w = linalg.lstsq(A, y, lapack_driver=driver, cond=np.finfo(float).eps)[0]
        found.append(w[:N_FEATURES])
    found.append(LinearRegression(**options).fit(X, y).coef_)
    size = np.linalg.norm(expected)
    return [float(np.linalg.norm(coef - expected) / size) for coef in found]


if __name__ == "__main__":
    print("median (largest) relative error of the coefficients over 20 designs")
    columns = ("ours", 'device="cpu"', "gelsy", "gelsd", "LinearRegression")
    print(f"{'cond(X)':>8}" + "".join(f"{name:>20}" for name in columns))
    worst = {"ours": 0.0, "device": 0.0}
    for exponent in range(2, 11):
        rng = np.random.default_rng(exponent)
        table = np.array(
            [
                errors(rng, exponent, fit_intercept)
                for fit_intercept in (True, False)
                for _ in range(N_DESIGNS)
            ]
        )
        cells = (
            f"{middle:.0e} ({top:.0e})"
            for middle, top in zip(np.median(table, 0), table.max(0), strict=True)
        )
        print(f"{'1e' + str(exponent):>8}" + "".join(f"{cell:>20}" for cell in cells))
        theirs = table[:, 2:4].max(axis=1)
        worst["ours"] = max(worst["ours"], float((table[:, 0] / theirs).max()))
        worst["device"] = max(worst["device"], float((table[:, 1] / theirs).max()))
    for name, ratio in worst.items():
        report(f"largest ratio to lstsq on one design, {name}", f"{ratio:.1f}", "<= 10")
