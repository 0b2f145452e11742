"""Losses that see their row: limits, costs and groups, beside optima of SciPy's."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import autograd
import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import DEVICE
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.metrics import d2_absolute_error_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg._loss.traits import Traits, looked_at, traits_of
from sklearn_adreg.backends import AutogradBackend
from sklearn_adreg.losses import Huber, PointwiseLoss

EXACT: dict[str, Any] = {"tol": 1e-10}
STEPS: dict[str, Any] = {"epsilon": 0.5, "tol": 1e-13, "max_iter": 5000}

N = 200
rng = np.random.default_rng(0)
X = rng.standard_normal((N, 3))
FREE = 1.0 + X @ [1.0, 2.0, -1.0] + rng.logistic(size=N)
LOWER = np.where(rng.random(N) < 0.5, 0.0, -np.inf)
UPPER = np.where(rng.random(N) < 0.5, 3.0, np.inf)
CENSORED = np.clip(FREE, LOWER, UPPER)
LIMITS = {"lower": LOWER, "upper": UPPER}
COST = rng.uniform(0.5, 4.0, N)
GROUP = rng.integers(0, 3, N)
WEIGHT = rng.integers(0, 3, N).astype(float)


def tobit(y: Any, z: Any, *, lower: Any, upper: Any) -> Any:
    """Minus the log likelihood of logistic errors, censored at the limits."""
    below, above = y <= lower, y >= upper
    at_lower = adnp.logaddexp(0.0, z - adnp.where(below, lower, 0.0))
    at_upper = adnp.logaddexp(0.0, adnp.where(above, upper, 0.0) - z)
    between = 2 * adnp.logaddexp(0.0, y - z) - (y - z)
    return adnp.where(below, at_lower, adnp.where(above, at_upper, between))


def interval(y: Any, z: Any, *, low: Any, high: Any) -> Any:
    """Minus the log likelihood of an interval; the target says nothing."""
    share = adnp.tanh((high - z) / 2) - adnp.tanh((low - z) / 2)
    return -adnp.log(share / 2) + 0.0 * y


def costly(y: Any, z: Any, *, cost: Any) -> Any:
    return cost * abs(y - z)


def optimum(loss: Any, y: np.ndarray, weight: Any = None, **data: Any) -> np.ndarray:
    """Intercept and coefficients, by SciPy, from values and autograd's slopes."""
    design = np.column_stack([np.ones(N), X])
    weight = np.ones(N) if weight is None else weight

    def total(theta: Any) -> Any:
        return (weight * loss(y, design @ theta, **data)).sum()

    slope = autograd.grad(total)
    found = minimize(total, np.zeros(4), jac=slope, options={"gtol": 1e-9}).x
    # BFGS stops in the line search: a Newton step gives the last digits.
    moves = 1e-5 * np.eye(4)
    rises = [slope(found + move) - slope(found - move) for move in moves]
    step = np.linalg.solve(np.stack(rises) / 2e-5, slope(found))
    assert np.abs(step).max() < 1e-5
    return np.asarray(found - step)


def theta(model: Any) -> np.ndarray:
    assert np.isfinite(model.loss_curve_).all()
    return np.append(model.intercept_, model.coef_)


@pytest.mark.parametrize(
    "options",
    [
        EXACT,
        STEPS,
        EXACT | {"backend": "jax"},
        STEPS | {"backend": "jax", "device": DEVICE},
    ],
    ids=["auto", "textbook", "jax", "device"],
)
def test_censored_targets(options: dict[str, Any]) -> None:
    model = GradientDescentRegressor(tobit, **options)
    model.fit(X, CENSORED, row_data=LIMITS)
    assert_allclose(theta(model), optimum(tobit, CENSORED, **LIMITS), atol=1e-8)


def test_weights_sparse_rows_and_offset() -> None:
    model = GradientDescentRegressor(tobit, **EXACT)
    expected = optimum(tobit, CENSORED, WEIGHT, **LIMITS)
    model.fit(X, CENSORED, WEIGHT, row_data=LIMITS)
    assert_allclose(theta(model), expected, atol=1e-8)
    model.fit(sparse.csr_array(X), CENSORED, WEIGHT, row_data=LIMITS)
    assert_allclose(theta(model), expected, atol=1e-8)
    shift = {name: each + 5.0 * COST for name, each in LIMITS.items()}
    model.fit(X, CENSORED + 5.0 * COST, WEIGHT, 5.0 * COST, shift)
    assert_allclose(theta(model), expected, atol=1e-7)


@pytest.mark.parametrize("rule", [EXACT, STEPS], ids=["auto", "textbook"])
def test_interval_censored_targets(rule: dict[str, Any]) -> None:
    low = np.floor(FREE)
    high = low + 1.0
    low[:20], high[20:40] = -np.inf, np.inf
    data, nothing = {"low": low, "high": high}, np.zeros(N)
    model = GradientDescentRegressor(interval, **rule).fit(X, nothing, row_data=data)
    assert_allclose(theta(model), optimum(interval, nothing, **data), atol=1e-8)
    # The best constant is found as well, of which the target knows nothing.
    constant = minimize(lambda z: interval(0.0, z[0] + nothing, **data).mean(), [0.0])
    found = interval(nothing, model.predict(X), **data).mean()
    score = model.score(X, nothing, row_data=data)
    assert score == pytest.approx(1 - found / constant.fun, abs=1e-8)


TABLE_OF_LIMITS = np.zeros(N, dtype=[("upper", float), ("lower", float)])
TABLE_OF_LIMITS["upper"], TABLE_OF_LIMITS["lower"] = UPPER, LOWER
FORMS: dict[str, Callable[[], Any]] = {
    "pandas": lambda: pd.DataFrame(LIMITS, index=np.arange(N)[::-1]),
    "polars": lambda: pl.DataFrame(LIMITS),
    "structured": lambda: TABLE_OF_LIMITS,
    "lists": lambda: {name: list(each) for name, each in LIMITS.items()},
}
FORM = pytest.mark.parametrize("form", FORMS)


@FORM
def test_forms(form: str) -> None:
    model = GradientDescentRegressor(tobit)
    expected = clone(model).fit(X, CENSORED, row_data=LIMITS).coef_
    assert_array_equal(model.fit(X, CENSORED, row_data=FORMS[form]()).coef_, expected)


@pytest.mark.parametrize("options", [{}, {"alpha": 0.1, "l1_ratio": 1.0}])
def test_costs_are_weights(options: dict[str, Any]) -> None:
    plain = GradientDescentRegressor("absolute_error", tol=1e-9, **options)
    expected = plain.fit(X, FREE, COST).coef_
    model = GradientDescentRegressor(costly, tol=1e-9, **options)
    model.fit(X, FREE, row_data={"cost": COST / COST.mean()})
    assert_allclose(model.coef_, expected, atol=1e-6)


def test_many_rows_begin_with_a_sample() -> None:
    rng = np.random.default_rng(1)
    many, cost = rng.standard_normal((50_000, 2)), rng.uniform(0.5, 2.0, 50_000)
    y = many @ [1.0, 2.0] + rng.standard_normal(50_000)
    plain = GradientDescentRegressor("absolute_error", tol=1e-9).fit(many, y, cost)
    model = GradientDescentRegressor(costly, tol=1e-9)
    model.fit(many, y, row_data={"cost": cost})
    assert_allclose(model.coef_, plain.coef_, atol=1e-4)


def test_several_targets_and_wide_entries() -> None:
    def share(y: Any, z: Any, *, shares: Any) -> Any:
        return adnp.sum(shares, axis=1) * adnp.log(adnp.cosh(y - z))

    both, shares = np.stack([FREE, -FREE], axis=1), np.stack([COST, 1 + COST], axis=1)
    for rule in (EXACT, {"epsilon": 0.05, "max_iter": 10, "tol": 0.0}):
        model = GradientDescentRegressor(share, **rule)
        model.fit(X, both, row_data={"shares": shares})
        alone = clone(model).fit(X, FREE, row_data={"shares": shares})
        assert_allclose(model.coef_, [alone.coef_, -alone.coef_], atol=1e-8)
        score = alone.score(X, FREE, row_data={"shares": shares})
        together = model.score(X, both, row_data={"shares": shares})
        assert together == pytest.approx(score, abs=1e-8)


def test_types_of_entries(place: dict[str, Any]) -> None:
    prices, seen = np.array([1.0, 2.0, 5.0]), set[str]()

    def priced(y: Any, z: Any, *, group: Any, late: Any, cost: Any) -> Any:
        seen.update(each.dtype.name for each in (z, group, late, cost))
        price = adnp.take(prices.astype(z.dtype), group) * adnp.where(late, 2.0, 1.0)
        return price * cost * adnp.log(adnp.cosh(y - z))

    late, single = GROUP > 1, X.astype(np.float32)
    data = pd.DataFrame({"group": GROUP, "late": late, "cost": COST})
    weight = prices[GROUP] * np.where(late, 2.0, 1.0) * COST
    model = GradientDescentRegressor(priced, tol=1e-4, **place)
    model.fit(single, FREE, row_data=data)
    expected = optimum(lambda y, z: np.log(np.cosh(y - z)), FREE, weight)
    assert_allclose(theta(model), expected, atol=1e-3)
    assert {"bool", "float32"} < seen
    assert any(name.startswith("int") for name in seen)


@dataclass(frozen=True)
class Exposed(PointwiseLoss):
    """Poisson's likelihood of counts in some time, in three pieces."""

    def __call__(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, *, time: Any
    ) -> Any:
        return time * y_pred - y_true * adnp.log(time * y_pred)

    def inverse_link(self, linear: Any) -> Any:
        return adnp.exp(linear)

    def of_linear(self, y_true: Any, linear: Any, *, time: Any) -> Any:
        return time * adnp.exp(linear) - y_true * linear

    def of_target(self, y_true: Any, *, time: Any) -> Any:
        return -y_true * adnp.log(time)


@pytest.mark.parametrize("rule", [EXACT, STEPS], ids=["auto", "textbook"])
def test_pieces_of_a_loss_get_the_same(rule: dict[str, Any]) -> None:
    y = rng.poisson(COST * np.exp(X @ [0.3, -0.2, 0.1])).astype(float)
    rule = rule | ({"epsilon": 0.1} if "epsilon" in rule else {})
    model = GradientDescentRegressor(Exposed(), **rule)
    model.fit(X, y, row_data={"time": COST})
    offset = GradientDescentRegressor("poisson_deviance", **EXACT)
    offset.fit(X, y, offset=np.log(COST))
    assert_allclose(theta(model), theta(offset), atol=1e-8)
    whole = Exposed()(y, model.predict(X), time=COST)
    assert model.loss_curve_[-1] == pytest.approx(whole.mean(), rel=1e-9)
    # The likelihood may be negative: more is better all the same.
    score, shrunk = (
        fitted.score(X, y, row_data={"time": COST})
        for fitted in (model, clone(model).set_params(alpha=1.0))
        if fitted is model or fitted.fit(X, y, row_data={"time": COST})
    )
    assert 0.0 < shrunk < score


def with_default(y: Any, z: Any, *, cost: Any, power: Any = 2.0) -> Any:
    return cost * abs(y - z) ** power


class Squared:
    """An object whose call takes row data."""

    def __call__(self, y: Any, z: Any, *, cost: Any) -> Any:
        return cost * (y - z) ** 2


def test_arguments_with_defaults_partials_and_objects() -> None:
    expected = GradientDescentRegressor(tol=1e-10).fit(X, FREE, COST).coef_
    data = {"cost": COST}
    for loss in (with_default, partial(with_default, power=2.0), Squared()):
        model = GradientDescentRegressor(loss, tol=1e-10).fit(X, FREE, row_data=data)
        assert_allclose(model.coef_, expected, atol=1e-8)
    squares = {"cost": COST, "power": np.full(N, 2)}
    model = GradientDescentRegressor(with_default, tol=1e-10)
    assert_allclose(model.fit(X, FREE, row_data=squares).coef_, expected, atol=1e-8)
    known = GradientDescentRegressor(partial(with_default, cost=1.0)).fit(X, FREE)
    assert_allclose(known.coef_, GradientDescentRegressor().fit(X, FREE).coef_)
    # R^2, as the loss has got no row data.
    assert known.score(X, FREE) == pytest.approx(Ridge(0).fit(X, FREE).score(X, FREE))


def test_the_loss_of_the_fit_is_kept() -> None:
    model = GradientDescentRegressor(Exposed()).fit(
        X, 1.0 + (X > 0).sum(1), None, None, {"time": COST}
    )
    model = pickle.loads(pickle.dumps(model)).set_params(loss=Huber())
    assert model.loss_ == Exposed()
    assert np.isfinite(model.score(X, 1.0 + X[:, 0] ** 2, row_data={"time": COST}))


def of_others(y: Any, z: Any, *, cost: Any) -> Any:
    return cost / adnp.mean(cost) * (y - z) ** 2


def unbounded(y: Any, z: Any, *, cost: Any) -> Any:
    return (y - z) ** 2 + 0.0 * cost * z


def hungry(y: Any, z: Any, **data: Any) -> Any:
    return data["cost"] * (y - z) ** 2


def test_jax_is_told_how_to_index_an_array_of_the_loss() -> None:
    prices = np.array([1.0, 2.0, 3.0])

    def priced(y: Any, z: Any, *, group: Any) -> Any:
        return prices[group] * adnp.square(y - z)

    model = GradientDescentRegressor(priced, backend="jax")
    with pytest.raises(TypeError, match=r"take\(array, index\)"):
        model.fit(X, FREE, row_data={"group": GROUP})


TABLE = pd.DataFrame({"cost": COST, "kind": pd.Categorical(GROUP)})
BAD: dict[str, tuple[Any, Any, str]] = {
    "none": (costly, None, r"costly needs row_data with 'cost'.* Got none instead\. "
             r".*set_fit_request\(row_data=True\) and set_score_request"),
    "missing": (tobit, {"lower": LOWER}, "tobit needs .*'upper'.* Got 'lower' instead"),
    "misspelt": (costly, {"costs": COST}, "costly, which takes cost. Got 'costs' as"),
    "superfluous": (costly, {"cost": COST, "x": COST}, "takes cost. Got 'x' as well"),
    "not taken": ("pinball", {"cost": COST}, r"Pinball\(.*\), which takes none"),
    "short": (costly, {"cost": COST[:7]}, r"'cost' of the loss costly must have 200 "
              r"entries.*Got shape \(7,\).*structured array is sliced, a mapping"),
    "short frame": (costly, TABLE[["cost"]][:7], r"Got shape \(7,\) instead\.$"),
    "NaN": (costly, {"cost": np.where(COST > 1, np.nan, 1.0)}, "not be NaN. Got NaN"),
    "words": (costly, {"cost": ["low"] * N}, r"must be numbers\. Got .*\.cat\.codes"),
    "category": (costly, {"cost": TABLE["kind"]}, r"Got category .*\.cat\.codes"),
    "plain array": (costly, COST, "mapping of arrays, .* Got ndarray instead"),
    "keywords": (hungry, {"cost": COST}, r"hungry must name its arguments.* Got \*\*"),
    "other rows": (of_others, {"cost": COST}, "must treat each sample by itself"),
    "infinite": (costly, {"cost": np.where(COST > 1, np.inf, 1.0)},
                 r"costly must be finite.* cost=inf"),
    "infinite slope": (unbounded, {"cost": np.full(N, np.inf)}, "cost=inf|finite"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", BAD)
def test_bad_row_data(name: str) -> None:
    loss, data, message = BAD[name]
    for model in (
        GradientDescentRegressor(loss),
        GradientDescentRegressorCV([0.1], loss=loss),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X, FREE, row_data=data)
        assert not hasattr(model, "coef_")


def test_row_data_that_single_precision_does_not_hold() -> None:
    data = {"cost": np.where(COST > 1, 1e300, 1.0)}
    model = GradientDescentRegressor(costly)
    with pytest.raises(ValueError, match=r"'cost' of .* costly must fit in float32"):
        model.fit(X.astype(np.float32), FREE, row_data=data)


def test_a_loss_that_estimates_its_scale_takes_none() -> None:
    @dataclass(frozen=True)
    class Own(PointwiseLoss):
        scale: Any = "mad"

        def __call__(  # type: ignore[override]
            self, y_true: Any, y_pred: Any, *, cost: Any
        ) -> Any:
            return cost * (y_true - y_pred) ** 2

    with pytest.raises(ValueError, match="a number as its scale where it takes"):
        GradientDescentRegressor(Own()).fit(X, FREE, row_data={"cost": COST})


def test_a_row_that_is_not_finite_is_named() -> None:
    # Neither the rows that the loss is tried on nor the others' limits show it.
    data = {"low": np.full(N, -np.inf), "high": np.full(N, np.inf)}
    data["high"][77] = -np.inf
    with pytest.raises(ValueError, match=r"row 77, .*low=-inf, high=-inf"):
        GradientDescentRegressor(interval).fit(X, FREE, row_data=data)


def test_arrays_of_all_rows_inside_a_loss() -> None:
    model = GradientDescentRegressor(lambda y, z: COST * (y - z) ** 2)
    with pytest.raises(ValueError, match="broadcast") as caught:
        model.fit(X, FREE)
    assert "fit(X, y, row_data={'cost': cost})" in caught.value.__notes__[1]


# Few rows have the kink, or the dent: they are looked at with their own data.
def kinked(y: Any, z: Any, *, rare: Any) -> Any:
    return (y - z) ** 2 + rare * abs(z - y)


def dented(y: Any, z: Any, *, rare: Any) -> Any:
    return adnp.where(rare > 0, adnp.log1p((y - z) ** 2), (y - z) ** 2)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [(kinked, Traits(True, True, False)), (dented, Traits(False, False, False))],
)
def test_traits_of_rare_rows(loss: Any, expected: Traits) -> None:
    rare = np.zeros(N)
    rare[150] = 1.0
    target, backend = FREE[:, None], AutogradBackend()
    for rows, traits in ((rare, expected), (0.0 * rare, Traits(False, True, False))):
        looks = looked_at(loss, backend, target, {"rare": rows})
        assert traits_of(loss, looks) == traits


def test_score_is_d2() -> None:
    data = {"cost": COST}
    model = GradientDescentRegressor(costly).fit(X, FREE, row_data=data)
    for weight in (None, WEIGHT):
        weights = COST if weight is None else COST * weight
        predicted = model.predict(X)
        expected = d2_absolute_error_score(FREE, predicted, sample_weight=weights)
        assert model.score(X, FREE, weight, row_data=data) == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"needs row_data .*set_score_request"):
        model.score(X, FREE)
    with pytest.raises(ValueError, match=r"200 entries.* Got shape \(3,\)"):
        model.score(X, FREE, row_data={"cost": COST[:3]})
    exact = GradientDescentRegressor(costly).fit(X, X[:, 0], row_data=data)
    assert exact.score(X, X[:, 0], row_data=data) == pytest.approx(1.0, abs=1e-5)
    assert exact.score(X[:3], np.ones(3), row_data={"cost": COST[:3]}) == 0.0


ROUTED = [
    GradientDescentRegressor(tobit, epsilon=0.3, max_iter=20, tol=0),
    GradientDescentRegressor(tobit, tol=1e-10),
    GradientDescentRegressorCV([0.2, 0.3], loss=tobit, cv=3, max_iter=20, tol=0),
]


@pytest.mark.parametrize(
    ("number", "form"),
    [(0, "pandas"), (1, "polars"), (1, "structured"), (2, "pandas")],
)
@config_context(enable_metadata_routing=True)
def test_routing(number: int, form: str) -> None:
    model = ROUTED[number]
    data = FORMS[form]()
    asking = clone(model).set_fit_request(row_data=True)
    asking.set_score_request(row_data=True)
    expected = clone(model).fit(X, CENSORED, row_data=LIMITS)
    scaler = StandardScaler(with_mean=False, with_std=False)
    pipeline = make_pipeline(scaler, asking).fit(X, CENSORED, row_data=data)
    assert_allclose(pipeline[-1].coef_, expected.coef_, rtol=1e-10)
    score = expected.score(X, CENSORED, row_data=LIMITS)
    assert pipeline.score(X, CENSORED, row_data=data) == pytest.approx(score)

    search = GridSearchCV(asking, {"fit_intercept": [True]}, cv=2)
    search.fit(X, CENSORED, row_data=data)
    assert_allclose(search.best_estimator_.coef_, expected.coef_, rtol=1e-10)
    first, second = (
        {name: each[part] for name, each in LIMITS.items()}
        for part in (slice(0, 100), slice(100, N))
    )
    half = clone(model).fit(X[100:], CENSORED[100:], row_data=second)
    score = half.score(X[:100], CENSORED[:100], row_data=first)
    assert search.cv_results_["split0_test_score"] == pytest.approx(score)


@config_context(enable_metadata_routing=True)
def test_a_mapping_is_not_sliced() -> None:
    asking = clone(ROUTED[1]).set_fit_request(row_data=True)
    search = GridSearchCV(asking.set_score_request(row_data=True), {"tol": [1e-6]})
    message = "structured array is sliced, a mapping is not: pass one of these"
    with pytest.raises(ValueError, match=message):
        search.fit(X, CENSORED, row_data=LIMITS)


@pytest.mark.parametrize("form", ["pandas", "lists"])
def test_search_scores_by_the_loss(form: str) -> None:
    options: dict[str, Any] = {"loss": tobit, "max_iter": 20, "tol": 0.0}
    epsilons, offset = [0.2, 0.3], 0.1 * COST
    search = GradientDescentRegressorCV(epsilons, cv=3, **options)
    search.fit(X, CENSORED, WEIGHT, offset, FORMS[form]())
    for split, (train, test) in enumerate(KFold(3).split(X)):
        scores = search.cv_results_[f"split{split}_test_score"]
        seen, held = (
            (X[part], CENSORED[part], WEIGHT[part], offset[part],
             {name: each[part] for name, each in LIMITS.items()})
            for part in (train, test)
        )  # fmt: skip
        for epsilon, found in zip(epsilons, scores, strict=True):
            model = GradientDescentRegressor(epsilon=epsilon, **options).fit(*seen)
            assert found == pytest.approx(model.score(*held), rel=1e-9)
    assert search.score(X, CENSORED, WEIGHT, offset, LIMITS) == pytest.approx(
        search.best_estimator_.score(X, CENSORED, WEIGHT, offset, LIMITS)
    )
    early = GradientDescentRegressorCV(epsilons, cv=3, early_stopping=True, **options)
    early.set_params(tol=1e-6).fit(X, CENSORED, row_data=LIMITS)
    assert early.best_score_ >= early.cv_results_["mean_test_score"].max()
    squares = GradientDescentRegressorCV(epsilons, cv=3, scoring="r2", **options)
    squares.fit(X, CENSORED, row_data=LIMITS)
    assert np.isfinite(squares.best_score_)
