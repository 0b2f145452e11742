"""Whether classes can be told apart: against a linear programme on all of the rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from sklearn_adreg import GradientDescentClassifier


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two to five classes, in columns of any unit and origin."""
    rng = np.random.default_rng(seed)
    k, d = int(rng.integers(2, 6)), int(rng.integers(1, 6))
    n = int(rng.integers(6 * k, 150))
    X = rng.normal(size=(n, d))
    if rng.random() < 0.3:
        X[:, 0] = rng.integers(0, 4, size=n)
    if rng.random() < 0.2:
        X[:, -1] = rng.random(n) < 0.1
    noise = rng.choice([0.05, 0.3, 1, 1, 3])
    utility = X @ rng.normal(size=(d, k)) * 2 + noise * rng.gumbel(size=(n, k))
    y = np.unique(np.argmax(utility, axis=1), return_inverse=True)[1]
    unit = 10.0 ** rng.integers(-3, 4, size=d) if rng.random() < 0.5 else np.ones(d)
    return (X + rng.choice([0, 0, 10])) * unit, y


def separable(X: np.ndarray, y: np.ndarray) -> bool:
    """Whether predictors exist that are nowhere larger for another class."""
    scaled = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9)
    rows, k = np.column_stack([scaled, np.ones(len(y))]), y.max() + 1
    margins = [
        np.kron(np.eye(k)[label] - np.eye(k)[other], row)
        for row, label in zip(rows, y, strict=True)
        for other in range(k)
        if other != label
    ]
    zeros = np.zeros(len(margins))
    found = linprog(-np.sum(margins, axis=0), -np.array(margins), zeros, bounds=(-1, 1))
    return bool(-found.fun > 1e-7)


# Classes that are apart in part, predictors 900 units from zero, and ends in the tail.
@pytest.mark.parametrize("seed", [18, 51, 75, 216, 663])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_classes_that_are_apart_are_said_to_be(seed: int, dtype: Any) -> None:
    X, y = drawn(seed)
    for loss, endless in (("log_loss", separable(X, y)), ("squared_hinge", False)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            GradientDescentClassifier(loss, alpha=0.0).fit(X.astype(dtype), y)
        said = [str(each.message) for each in caught]
        assert any("no minimum" in each for each in said) == endless, said
