"""Every loss of the package reaches its optimum, as SciPy finds it.

The objective is computed here, from `coef_` and `intercept_`, and a new class of losses
is tested by being in `LOSSES`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import BACKENDS
from covering import in_turns
from references import (
    CASES,
    IDS,
    REFERENCE,
    Case,
    drawn,
    in_units_of_y,
    reference,
)
from scipy.optimize import linprog

from sklearn_adreg import GradientDescentRegressor, losses
from sklearn_adreg.backends import Backend
from sklearn_adreg.losses import LOSSES

# What the estimator promises of the objective, relative to the optimum.
PROMISED = 1e-6
# Those that `test_optimum` does not go by.
DEFAULT = GradientDescentRegressor().backend
OTHER_BACKENDS = [each for each in BACKENDS if each.name != DEFAULT]


def check(
    loss: Any,
    case: Case,
    weighted: bool,
    place: dict[str, Any],
    *,
    slack: float = 1.0,
    times: int = 1,
) -> None:
    """The objective of the fit is the optimum's, and the last of the learning curve.

    The rows are given so many times, which changes nothing about the optimum.
    """
    model = GradientDescentRegressor(in_units_of_y(loss), alpha=case.alpha, **place)
    X, y, weights = drawn(loss, case, weighted)
    model.fit(
        np.tile(X, (times, 1)),
        np.tile(y, times),
        None if weights is None else np.tile(weights, times),
    )
    problem, best = reference(loss, case, weighted)
    found = problem.objective(model.coef_, model.intercept_)
    assert found <= best * (1 + PROMISED)
    # Both are sums of n terms; X @ coef cancels where columns have an offset.
    assert model.loss_curve_[-1] == pytest.approx(found, rel=1e-9)
    if loss.convex:
        # Else the reference were not one.
        assert found >= best * (1 - REFERENCE)
    elif not problem.linked:
        # Each value is a sum of n terms, rounded.
        curve = model.loss_curve_
        assert (np.diff(curve) <= 1e-13 * curve[0]).all()
        # A stationary point. Second derivatives are at most one: this is the change
        # that a step promises, to which tol=1e-6 applies, relative to y's deviation.
        steepness = np.linalg.norm(problem.gradient(model.coef_, model.intercept_))
        assert steepness <= slack * 1e-6 * problem.deviation


LOSS = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
OTHERS = [
    *(losses.Huber(0.01), losses.Huber(1e6), losses.PseudoHuber(0.1)),
    *(losses.Pinball(0.02), losses.Pinball(0.95), losses.EpsilonInsensitive(50.0)),
    *(losses.Expectile(0.02), losses.Linex(-0.01), losses.Linex(0.02)),
    *(losses.TweedieDeviance(power) for power in (0, 1, 1.9, 3)),
    *(losses.Cauchy(1.0), losses.Tukey(3.0)),
]


# Each loss on all data; that weights are repetitions is tested by itself.
@pytest.mark.parametrize(("case", "weighted"), in_turns(CASES, [False, True]), ids=IDS)
@LOSS
def test_optimum(loss: Any, case: Case, weighted: bool) -> None:
    check(loss, case, weighted, {})


@LOSS
@pytest.mark.parametrize("backend", OTHER_BACKENDS, ids=lambda each: each.name)
def test_optimum_by_each_backend(loss: Any, backend: Backend) -> None:
    check(loss, CASES[IDS.index("heavy")], True, {"backend": backend})


# What is computed on a device depends on the kind of loss alone.
@pytest.mark.parametrize(
    "name", ["squared_error", "absolute_error", "huber", "poisson_deviance", "tukey"]
)
def test_optimum_on_a_device(name: str, device_backend: Backend, device: str) -> None:
    place = {"backend": device_backend, "device": device}
    check(LOSSES[name], CASES[IDS.index("heavy")], True, place)


@pytest.mark.parametrize("loss", OTHERS, ids=repr)
def test_optimum_at_other_parameters(loss: Any) -> None:
    check(loss, CASES[IDS.index("diabetes")], False, {})


# A descent begins on a sample of so many rows or more: where the loss has kinks or is
# not convex, and where it has a link.
MANY, MANY_LINKED = 45_000, 155_000
SAMPLED = [
    loss
    for loss in LOSSES.values()
    if loss.kinked or not loss.convex or hasattr(loss, "inverse_link")
]


@pytest.mark.parametrize(
    ("name", "weighted"),
    [("diabetes", False), ("heavy", True)],
    ids=["even", "weighted"],
)
@pytest.mark.parametrize("loss", SAMPLED, ids=lambda loss: type(loss).__name__)
def test_optimum_from_a_sample(loss: Any, name: str, weighted: bool) -> None:
    case = CASES[IDS.index(name)]
    many = MANY_LINKED if hasattr(loss, "inverse_link") else MANY
    times = many // len(case.data()[1]) + 1
    # Of the outliers of heavy() a sample may have more than its share: what it takes
    # for a standard deviation is right within a factor.
    check(loss, case, weighted, {}, slack=2.0, times=times)


@pytest.mark.parametrize("seed", [34, 88, 148])
def test_small_errors_of_a_kinked_loss(seed: int) -> None:
    """Windows do not end at a corner that a row is about to leave."""
    rng = np.random.default_rng(seed)
    n, p = 120, 15
    X = rng.standard_normal((n, p))
    y = X @ rng.standard_normal(p) + 1e-3 * rng.standard_normal(n)
    # A linear programme: residuals are the difference of two parts, above and below.
    parts = np.hstack([X, np.ones((n, 1)), np.eye(n), -np.eye(n)])
    cost = np.repeat([0.0, 0.05 / n, 0.95 / n], [p + 1, n, n])
    bounds = [(None, None)] * (p + 1) + [(0, None)] * (2 * n)
    least = linprog(cost, A_eq=parts, b_eq=y, bounds=bounds).fun
    model = GradientDescentRegressor(losses.Pinball(0.05), warm_start=True)
    cold = model.fit(X, y).loss_curve_[-1]
    model.coef_ = 100 * rng.standard_normal(p)
    warm = model.fit(X, y).loss_curve_[-1]
    # Relative to a ten thousandth of the loss of a standard deviation: 3e-4 or more.
    assert least - 1e-12 < min(cold, warm)
    assert max(cold, warm) - least < PROMISED * 4e-4
