"""A quadratic with an l1 penalty is minimised exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._objective import active_set
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._objective.quadratic import Quadratic
from sklearn_adreg._objective.semidefinite import Semidefinite

EPS = np.finfo(float).eps


def minimise(
    hessian: np.ndarray, cross: np.ndarray, threshold: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Minimise the quadratic plus an l1 norm."""
    penalty = Penalty(threshold, np.zeros(len(threshold)))
    slope = hessian @ start - cross
    return penalty.minimum(Semidefinite(hessian), slope, start)[0]


def check_conditions(
    hessian: np.ndarray, cross: np.ndarray, threshold: np.ndarray, found: np.ndarray
) -> None:
    """Gradients balance the penalty, as exactly as products of the Hessian are."""
    assert np.isfinite(found).all()
    slope = hessian @ found - cross
    scale = np.sqrt(np.maximum(np.diag(hessian), 0.0))
    scale[scale == 0] = 1.0
    # In coordinates in which the diagonal is one, gradients are of one size.
    size = (np.abs(cross) / scale).max() + (threshold / scale).max()
    noise = 1e-12 * size * scale + 4 * EPS * np.abs(hessian) @ np.abs(found)
    chosen = found != 0
    error = np.abs(slope + np.sign(found) * threshold)
    assert (error[chosen] <= noise[chosen]).all()
    assert (np.abs(slope[~chosen]) <= (threshold + noise)[~chosen]).all()


def random_problem(rng: Any, n_rows: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    rows = rng.standard_normal((n_rows, size))
    return rows.T @ rows / n_rows, rows.T @ rng.standard_normal(n_rows) / n_rows


@pytest.mark.parametrize("start", ["zeros", "random", "solution"])
@pytest.mark.parametrize("part", [0.9, 0.3, 0.01, 0.0])
@pytest.mark.parametrize("size", [1, 2, 10, 100])
def test_random_problems(size: int, part: float, start: str) -> None:
    rng = np.random.default_rng(size)
    hessian, cross = random_problem(rng, 3 * size, size)
    threshold = part * np.abs(cross).max() * rng.uniform(0.5, 1.0, size)
    first = {
        "zeros": np.zeros(size),
        "random": rng.standard_normal(size) * 10.0,
        "solution": np.linalg.solve(hessian, cross),
    }[start]
    found = minimise(hessian, cross, threshold, first)
    check_conditions(hessian, cross, threshold, found)


def test_does_not_change_its_arguments() -> None:
    hessian, cross = random_problem(np.random.default_rng(0), 20, 5)
    given = hessian, cross, np.full(5, 0.1), np.ones(5)
    before = [array.copy() for array in given]
    minimise(*given)
    for array, copy in zip(given, before, strict=True):
        assert_array_equal(array, copy)


def test_zero_is_exact() -> None:
    hessian, cross = random_problem(np.random.default_rng(1), 30, 8)
    threshold = np.full(8, np.abs(cross).max())
    assert_array_equal(minimise(hessian, cross, threshold, np.ones(8)), 0.0)


def test_nothing_to_fit() -> None:
    hessian, _ = random_problem(np.random.default_rng(1), 30, 8)
    for part in (0.0, 1.0):
        found = minimise(hessian, np.zeros(8), np.full(8, part), np.ones(8))
        # The solution is zero, which rounding may miss where nothing holds it there.
        assert_allclose(found, 0.0, atol=1e-15)


def test_signs_change_on_the_way() -> None:
    # One entry starts on the wrong side, and pulls the others with it.
    rng = np.random.default_rng(2)
    hessian, cross = random_problem(rng, 60, 30)
    threshold = np.full(30, 0.1 * np.abs(cross).max())
    best = minimise(hessian, cross, threshold, np.zeros(30))
    found = minimise(hessian, cross, threshold, -100.0 * best)
    assert_allclose(found, best, atol=1e-12 * np.abs(best).max())


@pytest.mark.parametrize("scale", [1e-150, 1e-8, 1e8, 1e150])
def test_units_do_not_matter(scale: float) -> None:
    # Coefficients in other units: zeros stay where they are.
    rng = np.random.default_rng(3)
    hessian, cross = random_problem(rng, 60, 10)
    threshold = np.full(10, 0.3 * np.abs(cross).max())
    expected = minimise(hessian, cross, threshold, np.zeros(10))
    found = minimise(scale * hessian, scale * cross, scale * threshold, np.zeros(10))
    assert_allclose(found, expected, rtol=1e-10)
    units = np.geomspace(1e-6, 1e6, 10)
    found = minimise(
        hessian / np.outer(units, units), cross / units, threshold / units, np.zeros(10)
    )
    assert_allclose(found / units, expected, rtol=1e-10)
    assert_array_equal(found == 0, expected == 0)


@pytest.mark.parametrize("part", [0.5, 0.05])
def test_duplicate_columns(part: float) -> None:
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((50, 10))
    rows = np.c_[rows, rows[:, :5], -rows[:, :2]]
    hessian, cross = rows.T @ rows / 50, rows.T @ rng.standard_normal(50) / 50
    threshold = np.full(17, part * np.abs(cross).max())
    for start in (np.zeros(17), rng.standard_normal(17)):
        found = minimise(hessian, cross, threshold, start)
        check_conditions(hessian, cross, threshold, found)


@pytest.mark.parametrize("part", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("rank", [1, 5, 20])
def test_fewer_rows_than_columns(rank: int, part: float) -> None:
    rng = np.random.default_rng(rank)
    hessian, cross = random_problem(rng, rank, 60)
    threshold = np.full(60, part * np.abs(cross).max())
    found = minimise(hessian, cross, threshold, np.zeros(60))
    check_conditions(hessian, cross, threshold, found)


def test_columns_without_curvature() -> None:
    # Constant columns: no curvature, no gradient.
    hessian, cross = random_problem(np.random.default_rng(5), 30, 6)
    hessian[2], hessian[:, 2], cross[2] = 0.0, 0.0, 0.0
    threshold = np.full(6, 0.1 * np.abs(cross).max())
    for start in (np.zeros(6), np.ones(6)):
        found = minimise(hessian, cross, threshold, start)
        check_conditions(hessian, cross, threshold, found)
        assert found[2] == 0


def test_no_curvature_at_all() -> None:
    found = minimise(np.zeros((3, 3)), np.zeros(3), np.ones(3), np.zeros(3))
    assert_array_equal(found, 0.0)


def test_on_the_edge() -> None:
    # Gradients that equal their thresholds, up to rounding.
    hessian, _ = random_problem(np.random.default_rng(6), 40, 12)
    threshold = np.full(12, 0.1)
    best = np.r_[np.ones(4), np.zeros(8)]
    cross = hessian @ best + 0.1 * np.r_[np.ones(4), np.tile([1.0, -1.0], 4)]
    found = minimise(hessian, cross, threshold, np.zeros(12))
    assert_allclose(found, best, atol=1e-12)


def test_nearly_dependent_columns() -> None:
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((100, 20))
    rows[:, 10:] = rows[:, :10] + 1e-4 * rows[:, 10:]
    hessian, cross = rows.T @ rows / 100, rows.T @ rng.standard_normal(100) / 100
    threshold = np.full(20, 1e-3 * np.abs(cross).max())
    found = minimise(hessian, cross, threshold, np.zeros(20))
    check_conditions(hessian, cross, threshold, found)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    size=st.integers(1, 25),
    n_rows=st.integers(1, 50),
    part=st.floats(0.0, 1.1),
    whole=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_problem(
    size: int, n_rows: int, part: float, whole: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    hessian, cross = random_problem(rng, n_rows, size)
    if whole:
        # Ties, zero columns and columns that depend on each other.
        rows = rng.integers(-2, 3, (n_rows, size)).astype(float)
        hessian, cross = rows.T @ rows, rows.T @ rng.integers(-3, 4, n_rows)
    threshold = np.full(size, part * np.abs(cross).max())
    found = minimise(hessian, cross, threshold, rng.standard_normal(size))
    check_conditions(hessian, cross, threshold, found)


@pytest.mark.parametrize("start", [0.0, 5.0])
def test_entries_without_a_penalty(start: float) -> None:
    hessian, cross = random_problem(np.random.default_rng(8), 60, 20)
    threshold = np.full(20, 0.2 * np.abs(cross).max())
    threshold[[3, 19]] = 0.0
    found = minimise(hessian, cross, threshold, np.full(20, start))
    check_conditions(hessian, cross, threshold, found)
    assert (found[[3, 19]] != 0).all()
    assert (found == 0).any()


def test_a_quadratic_penalty_is_curvature() -> None:
    hessian, cross = random_problem(np.random.default_rng(9), 30, 12)
    l1, l2 = np.full(12, 0.1 * np.abs(cross).max()), np.linspace(0.0, 2.0, 12)
    found = Penalty(l1, l2).minimum(Semidefinite(hessian), -cross, np.zeros(12))[0]
    check_conditions(hessian + np.diag(l2), cross, l1, found)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_many_entries_that_are_not_zero(correlation: float) -> None:
    rng = np.random.default_rng(10)
    rows = rng.standard_normal((200, 400))
    for column in range(1, 400):
        rows[:, column] += correlation * rows[:, column - 1]
    hessian, cross = rows.T @ rows / 200, rows.T @ rng.standard_normal(200) / 200
    threshold = np.full(400, 0.01 * np.abs(cross).max())
    found = minimise(hessian, cross, threshold, np.zeros(400))
    check_conditions(hessian, cross, threshold, found)
    assert np.count_nonzero(found) > 100


def test_rounds_that_were_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minimum that was not reached is seen, and descended on or warned about."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 60))
    y = X @ rng.standard_normal(60) + rng.standard_normal(300)
    model = GradientDescentRegressor(alpha=0.1, l1_ratio=1.0)
    expected = model.fit(X, y).coef_
    monkeypatch.setattr(active_set, "_MAX_ROUNDS", 2)
    assert_allclose(model.fit(X, y).coef_, expected, atol=1e-6)
    assert model.n_iter_ > 1
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        model.set_params(max_iter=1).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert not np.allclose(model.coef_, expected, atol=1e-3)


def test_how_far_the_minimum_is() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((50, 4)), rng.standard_normal(50)
    quadratic = Quadratic(2.0, X.T @ X / 50, X.T @ y[:, None] / 50, np.mean(y**2))
    theta, nothing = rng.standard_normal((4, 1)), np.zeros((4, 1))
    found = quadratic.changes(Penalty(nothing, nothing), theta)
    left = X @ (theta[:, 0] - np.linalg.lstsq(X, y)[0])
    assert_allclose(found, np.sqrt(np.mean(left**2)), rtol=1e-12)


def test_root_where_nothing_bends() -> None:
    nothing = Semidefinite(np.zeros((3, 3)), made_of=lambda factor: 0 * factor)
    assert_array_equal(nothing.root, np.zeros((3, 3)))
