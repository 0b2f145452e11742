"""Many rows: descents begin on a sample, sum up straight rows, and end where they must.

The optimum is known by other means: quantiles of groups, stationarity, or bounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import PoissonRegressor
from targets import AMOUNTS

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._rows.place import place
from sklearn_adreg._rows.rows import spread_out
from sklearn_adreg._solve.start import units
from sklearn_adreg.backends import AutogradBackend
from sklearn_adreg.losses import (
    AbsolutePercentageError,
    GammaDeviance,
    Huber,
    Multinomial,
    Pinball,
    PoissonDeviance,
)

# Rows enough for a sample of them: where the loss has kinks, and where it has a link.
MANY, MANY_LINKED = 60_000, 160_000
KINKED = [loss for loss in AMOUNTS.values() if loss.kinked and loss.convex]
LOSS = pytest.mark.parametrize("loss", KINKED, ids=lambda loss: type(loss).__name__)


def counts(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, rng.poisson(np.exp(0.3 * X[:, 0] + 0.5)).astype(float)


def groups(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Indicators of groups from two rows to half of all, and whole numbers."""
    rng = np.random.default_rng(0)
    sizes = np.array([2, 5, 20, 200, 2_000])
    member = np.repeat(np.arange(6), [*sizes, n - sizes.sum()])
    y = np.round(10.0 * member + 5.0 * rng.standard_t(2, n))
    order = rng.permutation(n)
    return (member[:, None] == np.arange(5)).astype(float)[order], y[order]


@pytest.mark.parametrize("quantile", [0.01, 0.9])
def test_groups_have_their_own_quantiles(quantile: float) -> None:
    X, y = groups(20_000)
    model = GradientDescentRegressor(Pinball(quantile)).fit(X, y)
    check_groups(quantile, X, y, model)


def test_groups_have_their_own_quantiles_everywhere(place: dict[str, Any]) -> None:
    quantile = 0.01
    X, y = groups(20_000)
    model = GradientDescentRegressor(Pinball(quantile), **place).fit(X, y)
    check_groups(quantile, X, y, model)


def test_groups_of_many_rows_have_their_own_quantiles() -> None:
    # A sample has none of the rows of the smallest group, or one.
    X, y = groups(MANY)
    model = GradientDescentRegressor(Pinball(0.9)).fit(X, y)
    check_groups(0.9, X, y, model)


def check_groups(quantile: float, X: np.ndarray, y: np.ndarray, model: Any) -> None:
    """A model of groups is best where each has its own quantile."""
    loss, member = Pinball(quantile), X @ np.arange(1.0, 6.0)
    best = sum(
        loss(mine, np.quantile(mine, quantile, method="lower")).sum()
        for mine in (y[member == group] for group in range(6))
    )
    assert model.loss_curve_[-1] <= best / len(y) * (1 + 1e-6)
    found = loss(y, model.predict(X)).mean()
    assert model.loss_curve_[-1] == pytest.approx(found, rel=1e-9)


def spread_targets(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal([0.0, 1e4, 0.0, -50.0], size=(n, 4))
    return X, 30.0 + X[:, 0] + rng.standard_t(3, n)


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@LOSS
def test_no_direction_leads_down_where_rows_are_straight(
    loss: Any, weighted: bool
) -> None:
    # Of all rows but few the loss is straight around the optimum: they count by their
    # slopes alone, and slopes that are wrong would leave a way down.
    X, y = spread_targets(MANY)
    weights = np.random.default_rng(1).integers(0, 3, MANY) if weighted else None
    model = GradientDescentRegressor(loss).fit(X, y, weights)
    centred = X - np.average(X, axis=0, weights=weights)
    linear = model.predict(X)
    least = float(np.average(loss(y, linear), weights=weights))
    assert model.loss_curve_[-1] == pytest.approx(least, rel=1e-9)
    directions = np.eye(5) + 0.3 * np.random.default_rng(2).standard_normal((5, 5))
    for direction in directions:
        move = np.c_[centred, np.ones(MANY)] @ direction
        for length in (-1e-1, -1e-2, -1e-3, 1e-3, 1e-2, 1e-1):
            there = np.average(loss(y, linear + length * move), weights=weights)
            # The objective is within 1e-6 of the optimum's.
            assert there >= least * (1 - 1e-6)


@pytest.mark.parametrize("quantile", [0.2, 0.9])
def test_residuals_are_split_by_the_quantile(quantile: float) -> None:
    X, y = spread_targets(MANY)
    model = GradientDescentRegressor(Pinball(quantile), tol=1e-9).fit(X, y)
    left = y - model.predict(X)
    # A row for each coefficient may be on its kink.
    assert abs(np.sum(left < 0) - quantile * MANY) <= 10


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_stationary_on_all_rows(weighted: bool, fit_intercept: bool) -> None:
    X, y = counts(MANY_LINKED, 5)
    weights = np.ones(MANY_LINKED)
    if weighted:
        weights = np.random.default_rng(2).integers(0, 3, MANY_LINKED).astype(float)
    model = GradientDescentRegressor(
        PoissonDeviance(), fit_intercept=fit_intercept, tol=1e-9
    ).fit(X, y, weights)
    slopes = weights / weights.sum() * (model.predict(X) - y)
    # tol is the error of the linear predictor, by which slopes change as means do.
    assert_allclose(X.T @ slopes, 0.0, atol=1e-7)
    if fit_intercept:
        assert slopes.sum() == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_lasso_is_stationary_on_all_rows(l1_ratio: float) -> None:
    X, y = counts(MANY_LINKED, 8)
    alpha = 0.01
    model = GradientDescentRegressor(
        PoissonDeviance(), alpha=alpha, l1_ratio=l1_ratio, tol=1e-9
    ).fit(X, y)
    slope = 2.0 * X.T @ (model.predict(X) - y) / MANY_LINKED
    slope += alpha * (1 - l1_ratio) * model.coef_
    moved = model.coef_ != 0
    assert 0 < moved.sum() < 8
    expected = -alpha * l1_ratio * np.sign(model.coef_)
    assert_allclose(slope[moved], expected[moved], atol=1e-7)
    assert (np.abs(slope[~moved]) <= alpha * l1_ratio * (1 + 1e-6)).all()


def test_several_targets_and_float32() -> None:
    X, y = counts(MANY_LINKED, 4)
    Y = np.stack([y, counts(MANY_LINKED, 4, seed=3)[1]], axis=1)
    both = GradientDescentRegressor(PoissonDeviance()).fit(X, Y)
    for column in range(2):
        alone = GradientDescentRegressor(PoissonDeviance()).fit(X, Y[:, column])
        assert_array_equal(both.coef_[column], alone.coef_)
    short = GradientDescentRegressor(PoissonDeviance()).fit(X.astype(np.float32), Y)
    assert short.coef_.dtype == np.float32
    assert_allclose(short.coef_, both.coef_, atol=1e-5)


def test_columns_that_a_sample_need_not_see() -> None:
    # An indicator of three rows, and one that depends on the others.
    X, y = counts(MANY_LINKED, 4)
    rare = np.zeros(MANY_LINKED)
    rare[[10, 20_000, 159_999]] = 1.0
    X = np.c_[X, rare, X[:, 0] + X[:, 1]]
    model = GradientDescentRegressor(PoissonDeviance(), tol=1e-9).fit(X, y)
    # Of minimum norm: no share of what changes no prediction.
    null = np.array([1.0, 1.0, 0.0, 0.0, 0.0, -1.0])
    assert abs(model.coef_ @ null) <= 1e-7
    # At the optimum the residuals of the three rows sum to zero.
    left = (y - model.predict(X)) @ rare
    assert abs(left) <= 1e-5


@pytest.mark.parametrize("seed", [0, 1])
def test_rows_far_from_the_others_that_a_sample_may_lack(seed: int) -> None:
    X, y = counts(MANY_LINKED, 3)
    outside = np.random.default_rng(seed).choice(MANY_LINKED, 5, replace=False)
    X[outside, 0] = -2_000.0  # exp(0.3 * 2000) is out of range
    X[outside[0], 0] = 2_000.0
    y[outside] = 1.0
    model = GradientDescentRegressor(PoissonDeviance(), max_iter=5_000).fit(X, y)
    slopes = model.predict(X) - y
    assert_allclose(X.T @ slopes / MANY_LINKED, 0.0, atol=1e-4)
    assert_allclose(slopes.mean(), 0.0, atol=1e-5)


def test_rows_that_lead_a_sample_astray() -> None:
    # Few rows decide all, and a sample has about as many of them as chance will have.
    X, y = spread_targets(MANY)
    y = np.abs(y) + 10.0
    heavy = np.random.default_rng(3).choice(MANY, 12, replace=False)
    y[heavy] = 1e-4
    model = GradientDescentRegressor(AbsolutePercentageError()).fit(X, y)
    linear = model.predict(X)
    least = np.mean(np.abs((y - linear) / y))
    assert model.loss_curve_[-1] == pytest.approx(least, rel=1e-9)
    # The errors of these rows are 10,000 times as dear: all predictions follow them.
    best = GradientDescentRegressor(AbsolutePercentageError(), tol=1e-9).fit(X, y)
    assert least <= best.loss_curve_[-1] * (1 + 1e-6)


def test_few_steps_where_few_rows_have_most_of_the_curvature() -> None:
    rng = np.random.default_rng(11)
    X = rng.standard_normal((40_000, 8))
    X[rng.choice(len(X), 5)] *= 1e4
    z = X @ rng.standard_normal(8)
    y = rng.poisson(np.exp(np.clip(z / z.std(), -3, 3))).astype(float)
    loose, tight = (
        GradientDescentRegressor("poisson_deviance", tol=tol, max_iter=1000).fit(X, y)
        for tol in (1e-6, 1e-9)
    )
    assert tight.loss_curve_[-1] <= loose.loss_curve_[-1] * (1 + 1e-9)
    # 16 and 18; with one Hessian of some rows after another it takes 225 and 339.
    assert loose.n_iter_ <= tight.n_iter_ <= 40
    # What a Newton step would gain, twice the mean negative log likelihood.
    rows = np.c_[X, np.ones(len(X))]
    mean = tight.predict(X)
    slope = rows.T @ (mean - y) / len(X)
    gain = slope @ np.linalg.solve((rows.T * mean) @ rows / len(X), slope)
    assert gain <= 1e-9 * tight.loss_curve_[-1]


def test_few_events() -> None:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((200_000, 4))
    y = rng.poisson(3e-5 * np.exp(X @ np.full(4, 0.5))).astype(float)
    model = GradientDescentRegressor("poisson_deviance").fit(X, y)
    # 7; from the end of a sample without any of the ten events it takes 34.
    assert model.n_iter_ <= 15
    other = PoissonRegressor(alpha=0, tol=1e-10, solver="newton-cholesky").fit(X, y)
    assert_allclose(model.coef_, other.coef_, atol=1e-4)
    assert_allclose(model.intercept_, other.intercept_, atol=1e-4)


def test_few_steps_where_straight_rows_are_summed_up() -> None:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((5_000, 20))
    y = X @ rng.standard_normal(20) + rng.standard_t(3, len(X))
    model = GradientDescentRegressor("absolute_error").fit(X, y)
    # 6; a Hessian with the second moments of the other rows in it takes 243.
    assert model.n_iter_ <= 20
    # Half of the residuals are on either side, but for those of rows that are met.
    above = np.count_nonzero(y > model.predict(X))
    assert abs(above - len(X) / 2) <= X.shape[1] + 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("row", [7, 31_417, MANY - 1])
def test_not_finite_in_any_row(bad: float, l1_ratio: float, row: int) -> None:
    X, y = counts(MANY, 4)
    X[row, 3] = bad
    # So strong a penalty leaves some coefficients at zero, or all.
    for alpha in (0.0, 0.1, 1e3):
        model = GradientDescentRegressor("pinball", alpha=alpha, l1_ratio=l1_ratio)
        with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
            model.fit(X, y)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite_in_a_row_without_weight(bad: float) -> None:
    X, y = counts(1_000, 4)
    weights = np.ones(len(y))
    X[7, 1], weights[7] = bad, 0.0
    # Neither measured nor centred: no sum over the rows has shown it.
    model = GradientDescentRegressor(
        "huber", alpha=0.1, l1_ratio=1.0, fit_intercept=False
    )
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        model.fit(X, y, weights)


@pytest.mark.parametrize("row", [31_417, MANY_LINKED - 1])
def test_errors_name_the_row(row: int) -> None:
    X, y = counts(MANY_LINKED, 4)
    y[row] = -1e4

    def own(y_true: Any, y_pred: Any) -> Any:
        return adnp.log(1 + adnp.exp(y_true - y_pred)) + adnp.log(y_true + 1e3)

    own.inverse_link = adnp.exp  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=f"in row {row}, with y_true=-10000"):
        GradientDescentRegressor(own).fit(X, y)


@pytest.mark.parametrize("row", [7, 31_417, MANY_LINKED - 1])
def test_squares_that_overflow_in_any_row(row: int) -> None:
    X, y = counts(MANY_LINKED, 4)
    X[row, 3] = 1e300
    with pytest.raises(ValueError, match=r"squares of X must be representable|finite"):
        GradientDescentRegressor(GammaDeviance()).fit(X, y + 1.0)


def test_warm_start_goes_on_from_the_fit_before() -> None:
    X, y = counts(MANY_LINKED, 4)
    model = GradientDescentRegressor(PoissonDeviance(), warm_start=True).fit(X, y)
    assert model.fit(X, y).n_iter_ == 1


def test_scales_of_hourly_rows() -> None:
    # A row in 24 would be that of one hour, whose target never changes.
    hours = np.arange(24 * 4096)
    y = np.where(hours % 24 < 12, 0.0, 1.0) + np.where(hours % 24 == 0, 5.0, 0.0)
    data, _ = place(
        np.cos(hours)[:, None],
        y,
        None,
        backend=AutogradBackend(),
        device=None,
        intercept=True,
        measure=False,
    )
    objective = MeanLoss(data, LinearLoss.of(Huber(scale=1.0)), AutogradBackend())
    point = objective.point(objective.linear_predictor(np.zeros(2)))
    scale, size, _ = units(objective, point, linked=False)
    # Of 4,096 rows: the standard error of a standard deviation is 2 % of it here.
    assert scale == pytest.approx(y.std(), rel=0.06)
    assert size > 0
    index = spread_out(hours, 4096)
    assert len(index) == 4096
    assert (np.diff(index) > 0).all()
    assert_array_equal(spread_out(hours[:9], 9), hours[:9])


def test_a_column_that_few_of_many_rows_have() -> None:
    """And one that hardly differs from it: rows that stand for all show neither."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((45_000, 4))
    X[:, 0] = 0
    X[rng.integers(45_000, size=3), 0] = 1
    X[:, 3] = X[:, 0] + 1e-3 * rng.standard_normal(45_000)
    y = np.exp(X @ [2.0, -0.8, -0.5, 0.0]) * rng.gamma(2, 0.5, 45_000)
    for alpha in (1e-5, 1e-4):
        model = GradientDescentRegressor("gamma_deviance", alpha=alpha, l1_ratio=1.0)
        model.fit(X, y)
        slope = 2 * (1 - y / model.predict(X))
        gradient = X.T @ slope / len(y)
        assert abs(slope.mean()) < 1e-4
        moving = model.coef_ != 0
        assert moving[1:3].all()
        expected = -alpha * np.sign(model.coef_[moving])
        assert_allclose(gradient[moving], expected, rtol=0, atol=1e-2 * alpha)
        assert (np.abs(gradient) <= 1.01 * alpha).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_rows_of_leverage_among_many(seed: int) -> None:
    """Rows that stand for all have one of them, or none, and steps led astray."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((20_000, 6))
    y = rng.poisson(np.exp(0.3 * X[:, :3].sum(axis=1))).astype(float)
    X[:4] *= 100
    settings: dict[str, Any] = {"alpha": 1e-4, "l1_ratio": 1.0, "tol": 1e-8}
    model = GradientDescentRegressor("poisson_deviance", **settings).fit(X, y)
    assert model.n_iter_ <= 15
    gradient = 2 * X.T @ (model.predict(X) - y) / len(y)
    moving = model.coef_ != 0
    expected = -1e-4 * np.sign(model.coef_[moving])
    assert moving.any()
    assert_allclose(gradient[moving], expected, rtol=0, atol=1e-6)
    assert (np.abs(gradient) <= 1.01e-4).all()


def test_columns_of_a_softmax_that_few_of_many_rows_have() -> None:
    """The first model has no digit of a curvature, and no part of its step led down."""
    rng = np.random.default_rng(0)
    X = np.zeros((20_000, 4))
    for column, count in enumerate((1, 3, 30, 300)):
        X[rng.integers(len(X), size=count), column] = 1.0
    labels = rng.integers(3, size=len(X))
    loss = Multinomial(3)
    model = GradientDescentRegressor(loss, alpha=1e-6, l1_ratio=1.0)
    model.fit(X, labels.astype(float))
    gradient = (model.predict(X) - np.eye(3)[labels]).T @ X / len(X)
    assert np.abs(gradient).max() == pytest.approx(1e-6, rel=1e-2)
    moving = model.coef_ != 0
    expected = -1e-6 * np.sign(model.coef_[moving])
    assert moving.any()
    assert_allclose(gradient[moving], expected, rtol=0, atol=1e-8)
