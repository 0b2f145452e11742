"""What is added to the linear predictor: exposures of counts, and what is known."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from glum import GeneralizedLinearRegressor
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.robust.norms import HuberT

from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.losses import GammaDeviance, Huber, PoissonDeviance, Tukey

EXACT: dict[str, Any] = {"tol": 1e-10}
RULES: dict[str, dict[str, Any]] = {
    "auto": EXACT,
    "textbook": {"epsilon": 0.01, "tol": 1e-12, "max_iter": 10_000},
}
RULE = pytest.mark.parametrize("rule", RULES)
MODELS = [
    GradientDescentRegressor("poisson_deviance", epsilon=0.01, max_iter=20, tol=0),
    GradientDescentRegressorCV(
        [0.01, 0.02], loss="poisson_deviance", cv=3, max_iter=20, tol=0
    ),
]
MODELS_ARE = ["regressor", "search"]
BOTH = pytest.mark.parametrize("model", MODELS, ids=MODELS_ARE)
EXACTLY = GradientDescentRegressor("poisson_deviance", **EXACT)

rng = np.random.default_rng(0)
X = rng.standard_normal((240, 3))
OFFSET = np.log(rng.uniform(0.5, 20.0, 240))
RATE = np.exp(0.3 + X @ [0.2, -0.4, 0.1])
COUNTS = rng.poisson(RATE * np.exp(OFFSET)).astype(float)
# What an offset accounts for may be far larger than what is left.
KNOWN = 100.0 * OFFSET
Y = X @ [1.0, 2.0, 3.0] + KNOWN + rng.standard_t(3, 240)
WEIGHT = rng.uniform(0.0, 2.0, 240)


def assert_same(model: Any, params: np.ndarray, atol: float = 1e-8) -> None:
    """Compare with an intercept and coefficients."""
    assert np.isfinite(model.loss_curve_).all()
    assert_allclose(np.append(model.intercept_, model.coef_), params, atol=atol)


def glm(family: Any, y: np.ndarray, **given: Any) -> np.ndarray:
    model = sm.GLM(y, sm.add_constant(X), family=family, offset=OFFSET, **given)
    return np.asarray(model.fit(tol=1e-14).params)


@RULE
def test_agrees_with_statsmodels(rule: str, place: dict[str, Any]) -> None:
    model = GradientDescentRegressor("poisson_deviance", **RULES[rule], **place)
    model.fit(X, COUNTS, offset=OFFSET)
    params = glm(sm.families.Poisson(), COUNTS)
    assert_same(model, params)
    expected = np.exp(sm.add_constant(X) @ params + OFFSET)
    assert_allclose(model.predict(X, OFFSET), expected, rtol=1e-7)
    assert_allclose(model.predict(X), expected / np.exp(OFFSET), rtol=1e-7)


def test_other_families_weights_and_sparse_rows() -> None:
    poisson = GradientDescentRegressor("poisson_deviance", **EXACT)
    poisson.fit(sparse.csr_array(X), COUNTS, WEIGHT, OFFSET)
    assert_same(poisson, glm(sm.families.Poisson(), COUNTS, var_weights=WEIGHT))
    y = rng.gamma(2.0, RATE * np.exp(OFFSET) / 2.0)
    gamma = GradientDescentRegressor("gamma_deviance", **EXACT)
    log = sm.families.links.Log()
    assert_same(gamma.fit(X, y, offset=OFFSET), glm(sm.families.Gamma(log), y))


@pytest.mark.parametrize(
    ("loss", "family"), [(PoissonDeviance(), "poisson"), (GammaDeviance(), "gamma")]
)
def test_agrees_with_glum(loss: Any, family: str) -> None:
    y = COUNTS if family == "poisson" else COUNTS + 0.5
    options: dict[str, Any] = {"alpha": 0.0, "gradient_tol": 1e-12, "link": "log"}
    reference = GeneralizedLinearRegressor(family=family, **options)
    reference.fit(X, y, offset=OFFSET)
    model = GradientDescentRegressor(loss, **EXACT).fit(X, y, offset=OFFSET)
    assert_same(model, np.append(reference.intercept_, reference.coef_))
    assert_allclose(model.predict(X, OFFSET), reference.predict(X, offset=OFFSET))


@RULE
def test_squared_error(rule: str, place: dict[str, Any]) -> None:
    options = RULES[rule] | ({"epsilon": 0.3} if rule == "textbook" else {})
    model = GradientDescentRegressor(**options, **place)
    model.fit(X, Y, WEIGHT, KNOWN)
    reference = sm.WLS(Y - KNOWN, sm.add_constant(X), WEIGHT).fit()
    assert_same(model, reference.params)
    assert_allclose(model.predict(X, KNOWN), reference.fittedvalues + KNOWN, atol=1e-7)


def test_robust_scale() -> None:
    model = GradientDescentRegressor("huber", **EXACT).fit(X, Y, offset=KNOWN)
    reference = sm.RLM(Y - KNOWN, sm.add_constant(X), M=HuberT(1.35))
    expected = reference.fit(maxiter=1000, tol=1e-14)
    assert_same(model, expected.params)
    assert model.scale_ == pytest.approx(expected.scale, rel=1e-7)
    left = GradientDescentRegressor("huber", **EXACT).fit(X, Y - KNOWN)
    assert_array_equal(model.coef_, left.coef_)
    assert model.scale_ == left.scale_
    warm = GradientDescentRegressor("huber", warm_start=True, **EXACT)
    warm.fit(X, Y, offset=KNOWN).fit(X, Y, offset=KNOWN)
    assert_allclose(warm.coef_, left.coef_, atol=1e-8)


# Of losses that know y - z alone, whatever way they are minimised by.
@pytest.mark.parametrize(
    ("loss", "options", "atol"),
    [
        ("absolute_error", {}, 1e-6),
        ("pinball", {"alpha": 0.01}, 1e-6),
        (Huber(scale=1.0), {"alpha": 0.01, "l1_ratio": 1.0}, 1e-9),
        (Huber(scale=1.0), {"epsilon": 0.3, "max_iter": 20}, 1e-9),
        (Tukey(scale=1.0), {}, 1e-9),
        ("log_cosh", {"fit_intercept": False}, 1e-9),
    ],
)
def test_is_a_shift_of_the_target(loss: Any, options: Any, atol: float) -> None:
    model = GradientDescentRegressor(loss, **({"tol": 1e-10} | options))
    if "epsilon" in options:
        model.set_params(tol=0.0)
    found, expected = clone(model).fit(X, Y, offset=KNOWN), model.fit(X, Y - KNOWN)
    assert_allclose(found.coef_, expected.coef_, atol=atol)
    assert_allclose(found.intercept_, expected.intercept_, atol=atol)


def test_many_rows_begin_with_a_sample() -> None:
    rng = np.random.default_rng(1)
    many = rng.standard_normal((160_000, 2))
    offset = np.log(rng.uniform(0.5, 20.0, len(many)))
    y = rng.poisson(np.exp(0.3 + many @ [0.2, -0.4] + offset)).astype(float)
    model = GradientDescentRegressor("poisson_deviance", **EXACT)
    model.fit(many, y, offset=offset)
    design = sm.add_constant(many)
    reference = sm.GLM(y, design, sm.families.Poisson(), offset=offset).fit(tol=1e-14)
    assert_same(model, reference.params)
    kinked = GradientDescentRegressor("absolute_error", tol=1e-9)
    some, known = many[:50_000], offset[:50_000]
    target = some @ [1.0, 2.0] + known + rng.standard_normal(50_000)
    found = clone(kinked).fit(some, target, offset=known)
    assert_allclose(found.coef_, kinked.fit(some, target - known).coef_, atol=1e-4)


@RULE
def test_several_targets(rule: str) -> None:
    both = np.stack([COUNTS, COUNTS[::-1]], axis=1)
    each = np.stack([OFFSET, OFFSET[::-1]], axis=1)
    model = GradientDescentRegressor("poisson_deviance", **RULES[rule])
    together = clone(model).fit(X, both, offset=each)
    shared = clone(model).fit(X, both, offset=OFFSET)
    for j in (0, 1):
        alone = clone(model).fit(X, both[:, j], offset=each[:, j])
        assert_allclose(together.coef_[j], alone.coef_, rtol=1e-7)
        assert_allclose(together.predict(X, each)[:, j], alone.predict(X, each[:, j]))
        alone.fit(X, both[:, j], offset=OFFSET)
        assert_allclose(shared.coef_[j], alone.coef_, rtol=1e-7)
    column = clone(model).fit(X, COUNTS, offset=OFFSET[:, None])
    assert_array_equal(column.predict(X, OFFSET[:, None]), column.predict(X, OFFSET))


def test_nothing_is_added() -> None:
    model = GradientDescentRegressor("poisson_deviance")
    plain = clone(model).fit(X, COUNTS)
    assert_array_equal(model.fit(X, COUNTS, offset=np.zeros(240)).coef_, plain.coef_)
    assert_array_equal(plain.predict(X, np.zeros(240)), plain.predict(X))


BAD: dict[str, tuple[Any, str]] = {
    "length": (OFFSET[:7], r"shape \(240,\): .* Got shape \(7,\)"),
    "columns": (np.ones((240, 2)), r"shape \(240,\): .* Got shape \(240, 2\)"),
    "number": (1.0, r"Got shape \(\) instead\. .* is the intercept"),
    "NaN": (np.where(OFFSET > 1, np.nan, 0.0), "offset contains NaN"),
    "infinity": (np.where(OFFSET > 1, np.inf, 0.0), "offset contains infinity"),
    "words": (np.full(240, "much"), "dense array of real numbers. Got dtype <U4"),
    "sparse": (sparse.csr_array(X[:, :1]), "Got a sparse matrix"),
}


@BOTH
@pytest.mark.parametrize("name", BAD)
def test_bad_offsets(name: str, model: Any) -> None:
    offset, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        clone(model).fit(X, COUNTS, offset=offset)
    fitted = clone(model).fit(X, COUNTS)
    with pytest.raises(ValueError, match=message):
        fitted.predict(X, offset)


@BOTH
def test_score_says_when_the_offset_is_forgotten(model: Any) -> None:
    model = clone(model).fit(X, COUNTS, offset=OFFSET)
    with pytest.warns(UserWarning, match="routing.*set_score_request"):
        forgotten = model.score(X, COUNTS)
    score = model.score(X, COUNTS, WEIGHT, OFFSET)
    errors = np.average((COUNTS - model.predict(X, OFFSET)) ** 2, weights=WEIGHT)
    spread = COUNTS - np.average(COUNTS, weights=WEIGHT)
    expected = 1 - errors / np.average(spread**2, weights=WEIGHT)
    assert score == pytest.approx(expected, rel=1e-10)
    assert forgotten < 0.1 < 0.7 < score
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(model).fit(X, COUNTS).score(X, COUNTS)
    with pytest.warns(UserWarning, match="fitted with an offset"):
        GridSearchCV(model, {"tol": [0.0]}, cv=2).fit(X, COUNTS, offset=OFFSET)


@pytest.mark.parametrize("model", [*MODELS, EXACTLY], ids=[*MODELS_ARE, "auto"])
def test_routing(model: Any) -> None:
    expected = clone(model).fit(X, COUNTS, offset=OFFSET)
    with config_context(enable_metadata_routing=True):
        asking = clone(model).set_fit_request(offset=True)
        asking.set_score_request(offset=True).set_predict_request(offset=True)
        scaler = StandardScaler(with_mean=False, with_std=False)
        pipeline = make_pipeline(scaler, asking).fit(X, COUNTS, offset=OFFSET)
        assert_allclose(pipeline[-1].coef_, expected.coef_, rtol=1e-10)
        predicted = pipeline.predict(X, offset=OFFSET)
        assert_allclose(predicted, expected.predict(X, OFFSET), rtol=1e-10)
        score = expected.score(X, COUNTS, offset=OFFSET)
        assert pipeline.score(X, COUNTS, offset=OFFSET) == pytest.approx(score)

        search = GridSearchCV(asking, {"fit_intercept": [True]}, cv=2)
        search.fit(X, COUNTS, offset=OFFSET)
        assert_allclose(search.best_estimator_.coef_, expected.coef_, rtol=1e-10)
        half = clone(model).fit(X[120:], COUNTS[120:], offset=OFFSET[120:])
        score = half.score(X[:120], COUNTS[:120], offset=OFFSET[:120])
        assert search.cv_results_["split0_test_score"] == pytest.approx(score)


@pytest.mark.parametrize(
    ("loss", "scoring"),
    [
        ("squared_error", "r2"),
        ("squared_error", "neg_mean_squared_error"),
        ("poisson_deviance", "r2"),
        ("huber", "neg_mean_squared_error"),
    ],
)
def test_search_uses_the_held_out_offsets(loss: str, scoring: str) -> None:
    epsilons = [0.005, 0.01]
    options: dict[str, Any] = {"loss": loss, "max_iter": 20, "tol": 0.0}
    search = GradientDescentRegressorCV(epsilons, cv=3, scoring=scoring, **options)
    search.fit(X, COUNTS, WEIGHT, OFFSET)
    for split, (train, test) in enumerate(KFold(3).split(X)):
        scores = search.cv_results_[f"split{split}_test_score"]
        for epsilon, found in zip(epsilons, scores, strict=True):
            model = GradientDescentRegressor(epsilon=epsilon, **options)
            model.fit(X[train], COUNTS[train], WEIGHT[train], OFFSET[train])
            score = model.score(X[test], COUNTS[test], WEIGHT[test], OFFSET[test])
            if scoring != "r2":
                errors = COUNTS[test] - model.predict(X[test], OFFSET[test])
                score = -np.average(errors**2, weights=WEIGHT[test])
            assert found == pytest.approx(score, rel=1e-8)
    best = GradientDescentRegressor(epsilon=search.epsilon_, **options)
    best.fit(X, COUNTS, WEIGHT, OFFSET)
    assert_allclose(search.coef_, best.coef_, rtol=1e-10)


def absolute(y: np.ndarray, predicted: np.ndarray, offset: np.ndarray) -> float:
    """What a metric of counts makes of predictions for an exposure of one."""
    return float(np.abs(y - predicted * np.exp(offset)).mean())


def test_scorers_without_the_offset_are_refused() -> None:
    options: dict[str, Any] = {"loss": "poisson_deviance", "max_iter": 20, "tol": 0.0}
    model = GradientDescentRegressorCV([0.01], cv=2, **options)
    refused = clone(model).set_params(scoring="neg_mean_absolute_error")
    for routing in (False, True):
        with (
            config_context(enable_metadata_routing=routing),
            pytest.raises(ValueError, match=r"requests it\.|request it\. .*routing"),
        ):
            refused.fit(X, COUNTS, offset=OFFSET)
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(absolute, greater_is_better=False)
        model.set_params(scoring=scorer.set_score_request(offset=True))
        model.fit(X, COUNTS, offset=OFFSET)
    half = GradientDescentRegressor(epsilon=0.01, **options)
    half.fit(X[120:], COUNTS[120:], offset=OFFSET[120:])
    error = np.abs(COUNTS[:120] - half.predict(X[:120], OFFSET[:120])).mean()
    assert model.cv_results_["split0_test_score"] == pytest.approx(-error)
