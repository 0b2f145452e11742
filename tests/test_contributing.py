"""The walk-throughs of CONTRIBUTING.md, run as they stand there."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import test_rows
from kinds_of_rows import every_builder
from numpy.testing import assert_allclose
from pages import module_of
from scipy.optimize import approx_fprime
from scipy.optimize import minimize as independent_minimum

# What asks for a case, and for nothing else, is asked of rows of every kind.
CHECKS = [
    check
    for name, check in vars(test_rows).items()
    if name.startswith("test_") and list(signature(check).parameters) == ["case"]
]
PROBLEMS = ["weighted", "without an intercept", "far from zero", "one row", "wide"]


@pytest.fixture(scope="module")
def page() -> Iterator[ModuleType]:
    """Run the page, with what it asserts."""
    with module_of("CONTRIBUTING.md") as module:
        yield module


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("check", CHECKS)
def test_rows_pass_the_parity_test(page: Any, check: Any, problem: str) -> None:
    kind = f"{page.RowsInUnits.__name__}-in units"
    assert kind in every_builder()
    check(test_rows.build(kind, problem))


def test_gradient_of_the_penalty(page: Any) -> None:
    theta = np.array([0.03, -2.0, 0.1, 5.0])
    expected = approx_fprime(theta, page.penalty.value, 1e-7)
    # One-sided differences are right to the step times the curvature.
    assert_allclose(page.penalty.gradient(theta), expected, atol=1e-6)


def test_minimum_with_the_penalty(page: Any) -> None:
    def objective(theta: np.ndarray) -> float:
        residual = page.y - page.X @ theta[:-1] - theta[-1]
        size = np.abs(residual)
        losses = np.where(size <= 1.35, residual**2 / 2, 1.35 * (size - 1.35 / 2))
        return float(losses.mean() + page.penalty.value(theta))

    coef, intercept = page.rows.outer(page.gentle.theta)
    found = np.append(coef, intercept)
    other = independent_minimum(objective, np.zeros(4), tol=1e-10)
    assert objective(found) <= other.fun + 1e-12
    assert_allclose(found, other.x, atol=1e-4)
