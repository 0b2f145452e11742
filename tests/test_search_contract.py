"""The contract of scikit-learn's estimators, routing and bad input, of the search."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_param_validation,
    parametrize_with_checks,
)
from test_contract import expected_failures

from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV

# Many steps and a coarse tolerance: some of the checks' data are far from round.
ESTIMATORS = [
    GradientDescentRegressorCV(max_iter=2000, tol=1e-2, backend="autograd"),
    GradientDescentRegressorCV(max_iter=2000, tol=1e-2, backend="jax"),
    GradientDescentRegressorCV(max_iter=50, early_stopping=True, backend="autograd"),
    GradientDescentRegressorCV(
        max_iter=50, early_stopping=True, backend="jax", device="cpu"
    ),
]


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    return X, X @ [1.0, -2.0, 3.0, 0.0] + rng.standard_normal(60) + 5.0


def weights() -> np.ndarray:
    return np.random.default_rng(1).uniform(0.1, 2.0, 60)


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.parametrize(
    "check",
    [
        check_param_validation,
        check_dataframe_column_names_consistency,
        check_inplace_ensure_writeable,
    ],
)
def test_checks_not_run_by_default(check: Callable[[str, Any], None]) -> None:
    check("GradientDescentRegressorCV", ESTIMATORS[0])


def test_clones_and_pickles() -> None:
    X, y = data()
    model = GradientDescentRegressorCV([0.1, 0.2], cv=3)
    assert repr(clone(model)) == repr(model)
    restored = pickle.loads(pickle.dumps(model.fit(X, y)))
    assert_array_equal(restored.predict(X), model.predict(X))
    assert_array_equal(restored.fit(X, y).coef_, model.coef_)


def test_pipeline_and_cross_validation() -> None:
    X, y = data()
    search = GradientDescentRegressorCV(cv=3, early_stopping=True)
    model = make_pipeline(StandardScaler(), search)
    assert cross_val_score(model, X, y).min() > 0.5


def test_data_frames() -> None:
    X, y = data()
    names = ["age", "bmi", "bp", "s1"]
    frame = importlib.import_module("pandas").DataFrame(X, columns=names)
    model = GradientDescentRegressorCV(early_stopping=True).fit(frame, y)
    assert_array_equal(model.feature_names_in_, names)
    expected = clone(model).fit(X, y)
    # A frame lies in memory by columns: sums of products in another order.
    assert_allclose(model.predict(frame), expected.predict(X), rtol=1e-10)


def test_scorers_get_what_was_passed() -> None:
    # As GridSearchCV does: rows of the frame, which a scorer may tell apart by name.
    X, y = data()
    pandas = importlib.import_module("pandas")
    frame, series = pandas.DataFrame(X, columns=list("abcd")), pandas.Series(y)

    def of_some(model: Any, X: Any, y: Any) -> float:
        return -float((model.predict(X) - y).abs()[X["a"] > 0].mean())

    one = GradientDescentRegressor(max_iter=20, tol=0)
    grid = GridSearchCV(one, {"epsilon": [0.1, 0.2]}, scoring=of_some)
    expected = grid.fit(frame, series).cv_results_["mean_test_score"]
    model = GradientDescentRegressorCV([0.1, 0.2], scoring=of_some, max_iter=20, tol=0)
    found = model.fit(frame, series).cv_results_
    assert_allclose(found["mean_test_score"], expected, rtol=1e-8)


def test_scorers_return_a_number() -> None:
    model = GradientDescentRegressorCV([0.1], scoring=lambda *_: {"mae": 1.0})
    with pytest.raises(ValueError, match=r"one number each\. Got \{'mae': 1\.0\}"):
        model.fit(*data())


def test_weights_repeat_rows() -> None:
    # Through the splits as well, and through the score.
    X, y = data()
    counts = np.random.default_rng(0).integers(0, 4, 60)
    groups = np.arange(60) % 3
    weighted = GradientDescentRegressorCV(cv=GroupKFold(3))
    repeated = clone(weighted)
    weighted.fit(X, y, counts.astype(float), groups=groups)
    repeated.fit(
        *(part.repeat(counts, axis=0) for part in (X, y)), groups=groups.repeat(counts)
    )
    assert_allclose(weighted.epsilon_, repeated.epsilon_, rtol=1e-10)
    # Groups come in another order where their sizes differ.
    for name in ("mean_test_score", "std_test_score"):
        found, expected = weighted.cv_results_[name], repeated.cv_results_[name]
        assert_allclose(found, expected, rtol=1e-8)
    assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-8)


def test_weights_that_are_all_the_same() -> None:
    X, y = data()
    expected = GradientDescentRegressorCV([0.1, 0.3]).fit(X, y)
    for same in (np.full(60, 3.0), 3.0):
        model = GradientDescentRegressorCV([0.1, 0.3]).fit(X, y, same)
        assert_allclose(model.coef_, expected.coef_, rtol=1e-10)
        assert_allclose(model.best_score_, expected.best_score_, rtol=1e-10)


def no_weights(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    return -float(np.abs(y - model.predict(X)).mean())


def test_scorer_that_takes_no_weights() -> None:
    X, y = data()
    model = GradientDescentRegressorCV([0.1], cv=3, scoring=no_weights)
    weighted, plain = model.fit(X, y, weights()).best_score_, model.fit(X, y)
    assert weighted != plain.best_score_


def scored(sample_weight: bool | None) -> Any:
    return get_scorer("r2").set_score_request(sample_weight=sample_weight)


@config_context(enable_metadata_routing=True)
def test_scorers_request_weights() -> None:
    X, y = data()
    first = slice(0, 20), slice(20, None)  # of KFold(3)
    found = {}
    for request in (True, False):
        model = GradientDescentRegressorCV([0.1], cv=3, scoring=scored(request))
        model.fit(X, y, sample_weight=weights())
        test, train = first
        alone = GradientDescentRegressorCV([0.1]).fit(
            X[train], y[train], weights()[train]
        )
        passed = {"sample_weight": weights()[test]} if request else {}
        expected = alone.score(X[test], y[test], **passed)
        found[request] = model.cv_results_["split0_test_score"][0]
        assert_allclose(found[request], expected, rtol=1e-10)
    assert found[True] != found[False]
    default = GradientDescentRegressorCV([0.1], cv=3)
    default.fit(X, y, sample_weight=weights())
    assert default.cv_results_["split0_test_score"][0] == found[True]


@config_context(enable_metadata_routing=True)
def test_several_scorers_request_weights() -> None:
    X, y = data()
    scoring = {"weighted": scored(True), "plain": scored(False)}
    model = GradientDescentRegressorCV([0.1], scoring=scoring)
    results = model.fit(X, y, sample_weight=weights()).cv_results_
    assert results["mean_test_weighted"] != results["mean_test_plain"]


class Leaving(KFold):
    """A splitter with a request of its own."""

    def split(self, X: Any, y: Any = None, groups: Any = None, kept: Any = None) -> Any:
        for train, test in super().split(X, y, groups):
            yield train[np.asarray(kept)[train]], test


def test_splitters_request_metadata() -> None:
    X, y = data()
    kept = np.arange(60) % 2 == 0
    with config_context(enable_metadata_routing=True):
        cv = Leaving(3).set_split_request(kept=True)
        found = GradientDescentRegressorCV([0.1], cv=cv).fit(X, y, kept=kept)
    splits = list(Leaving(3).split(X, kept=kept))
    expected = GradientDescentRegressorCV([0.1], cv=splits).fit(X, y)
    assert found.best_score_ == expected.best_score_


def test_groups() -> None:
    X, y = data()
    groups = np.arange(60) // 20
    model = GradientDescentRegressorCV([0.1, 0.3], cv=GroupKFold(3))
    found = model.fit(X, y, groups=groups).best_score_
    with config_context(enable_metadata_routing=True):
        assert clone(model).fit(X, y, groups=groups).best_score_ == found
    with pytest.raises(ValueError, match="groups"):
        model.fit(X, y)
    with pytest.raises(TypeError, match=r"enable_metadata_routing=True.*'kept'"):
        model.fit(X, y, groups=groups, kept=groups)


@pytest.mark.parametrize("name", ["epsilons", "alphas"])
@pytest.mark.parametrize(
    "value", [[], [-1.0], [[0.1] * 99], ["a"], [np.nan], [np.inf], [True]]
)
def test_lists_of_candidates(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"'{name}' parameter .* Got .* instead"):
        GradientDescentRegressorCV(**{name: value}).fit(*data())


def test_zero_epsilon() -> None:
    with pytest.raises(ValueError, match="positive numbers"):
        GradientDescentRegressorCV([0.0]).fit(*data())


@pytest.mark.parametrize(("part", "rows"), [("training", 0), ("test", 1)])
def test_splits_without_weight(part: str, rows: int) -> None:
    X, y = data()
    split = np.arange(30), np.arange(30, 60)
    weighted = np.ones(60)
    weighted[split[rows]] = 0.0
    model = GradientDescentRegressorCV(cv=[split])
    with pytest.raises(ValueError, match=f"must have {part} rows with a weight"):
        model.fit(X, y, weighted)


@pytest.mark.parametrize("shape", [(30, 3), (10, 20)], ids=["tall", "wide"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_values_that_are_not_finite(shape: tuple[int, int], bad: float) -> None:
    X = np.random.default_rng(0).standard_normal(shape)
    y = X[:, 0].copy()
    X[1, 1] = bad
    with pytest.raises(ValueError, match="X"):
        GradientDescentRegressorCV().fit(X, y)


def test_after_an_error_it_is_as_before() -> None:
    X, y = data()
    model = GradientDescentRegressorCV([0.1, 0.3], cv=3).fit(X, y)
    before = dict(vars(model))
    model.set_params(epsilons=[1e6])
    with pytest.raises(ValueError, match="diverged"):
        model.fit(X, y)
    assert vars(model) == before | {"epsilons": [1e6]}
