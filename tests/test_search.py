"""GradientDescentRegressorCV beside scikit-learn's search over the same candidates.

Both are sums and products of the same numbers in another order: what rounding leaves
is a few units, times the steps that a descent takes. The tolerance is the 1e-8 that is
promised; the differences found are near 1e-14.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.metrics import get_scorer, make_scorer, median_absolute_error
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    LeavePGroupsOut,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)

from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.exceptions import DivergenceError

SCORERS = ["r2", "neg_mean_squared_error", "neg_root_mean_squared_error"]
# Parts of the largest step that is stable on all rows: some are not, on some splits.
PARTS = np.array([1e-3, 0.03, 0.4, 0.97, 1.7])


def data(
    n_samples: int = 40, n_features: int = 4, n_targets: int = 1, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0.3, 3.0, n_features)
    X = rng.uniform(-5, 5, n_features) + spread * rng.standard_normal(
        (n_samples, n_features)
    )
    y = X @ rng.standard_normal((n_features, n_targets)) + 3.0
    y = y + rng.standard_normal(y.shape)
    return X, y[:, 0] if n_targets == 1 else y


def largest_stable(X: np.ndarray, *, fit_intercept: bool = True) -> float:
    X = X - X.mean(axis=0) if fit_intercept else X
    return float(len(X) / np.linalg.norm(X, ord=2) ** 2)


def both(
    X: np.ndarray,
    y: np.ndarray,
    epsilons: Any,
    cv: Any,
    *,
    scoring: Any = "r2",
    refit: Any = True,
    sample_weight: Any = None,
    groups: Any = None,
    **limits: Any,
) -> Any:
    """Fit the two searches, with metadata routed, and without their warnings.

    None where the candidate that is best on the splits is too long a step for all
    rows, and both say so.
    """
    weighted = sample_weight is not None
    with (
        config_context(enable_metadata_routing=weighted),
        warnings.catch_warnings(action="ignore"),
    ):
        model = GradientDescentRegressor(**limits)
        passed = {} if groups is None else {"groups": groups}
        if weighted:
            model.set_fit_request(sample_weight=True)
            scoring = get_scorer(scoring).set_score_request(sample_weight=True)
            passed["sample_weight"] = sample_weight
        theirs = GridSearchCV(
            model, {"epsilon": epsilons}, cv=cv, scoring=scoring, refit=refit
        )
        ours = GradientDescentRegressorCV(epsilons, cv=cv, scoring=scoring, **limits)
        try:
            theirs.fit(X, y, **passed)
        except DivergenceError:  # the best on the splits is too long for all rows
            with pytest.raises(DivergenceError, match="Gradient descent diverged:"):
                ours.fit(X, y, **passed)
            return None
        return theirs, ours.fit(X, y, **passed)


def assert_same_results(
    theirs: GridSearchCV, ours: GradientDescentRegressorCV, rtol: float = 1e-8
) -> None:
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for name, expected in theirs.cv_results_.items():
        found = ours.cv_results_[name]
        assert type(found) is type(expected), name
        if name == "params":
            assert found == expected
            continue
        assert found.dtype == expected.dtype, name
        if "time" not in name and "rank" not in name:
            assert_allclose(found, expected, rtol=rtol, atol=rtol, err_msg=name)


@st.composite
def problems(draw: Any) -> dict[str, Any]:
    """Data of any shape and weights, and splits with any rows on either side."""
    n_samples = draw(st.integers(6, 30))
    n_features = draw(st.integers(1, 40))
    X, y = data(
        n_samples, n_features, draw(st.integers(1, 3)), draw(st.integers(0, 99))
    )
    row = st.integers(0, n_samples - 1)
    part = st.lists(row, min_size=4, max_size=2 * n_samples).filter(
        lambda rows: len(set(rows)) > 3
    )
    splits = draw(st.lists(st.tuples(part, part), min_size=2, max_size=5))
    weights = None
    if draw(st.booleans()):
        weights = draw(
            st.lists(
                st.sampled_from([0.25, 1.0, 2.0, 3.5]),
                min_size=n_samples,
                max_size=n_samples,
            ).map(np.array)
        )
        # Zero weights as well, but not for the rows of a whole split.
        weights[n_samples // 2 : n_samples // 2 + 2] = 0.0
    fit_intercept = draw(st.booleans())
    return {
        "X": X,
        "y": y,
        "epsilons": PARTS * largest_stable(X, fit_intercept=fit_intercept),
        "cv": [tuple(map(np.array, split)) for split in splits],
        "scoring": draw(st.sampled_from(SCORERS)),
        "sample_weight": weights,
        "fit_intercept": fit_intercept,
        "max_iter": draw(st.integers(1, 60)),
        "tol": draw(st.sampled_from([0.0, 1e-6, 1e-2, 10.0])),
    }


@settings(max_examples=25, deadline=None, derandomize=True)
@given(problem=problems())
def test_equals_grid_search(problem: dict[str, Any]) -> None:
    searches = both(**problem)
    assume(searches is not None)
    assert_same_results(*searches)


SPLITTERS = [
    KFold(5),
    KFold(4, shuffle=True, random_state=0),
    ShuffleSplit(6, random_state=0),
    RepeatedKFold(n_splits=3, n_repeats=3, random_state=0),
    TimeSeriesSplit(4),
    GroupKFold(3),
    LeavePGroupsOut(2),
]


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: str(cv).partition("(")[0])
def test_splitters(cv: Any) -> None:
    check_search(cv, *data())


@pytest.mark.parametrize("shape", [(40, 4), (24, 30)], ids=["tall", "wide"])
def test_shapes_everywhere(place: dict[str, Any], shape: tuple[int, int]) -> None:
    # Splits of one size: a device compiles a program for each number of rows.
    cv = ShuffleSplit(3, test_size=8, random_state=0)
    check_search(cv, *data(*shape), **place)


def check_search(cv: Any, X: np.ndarray, y: np.ndarray, **place: Any) -> None:
    groups = np.arange(len(X)) % 5
    epsilons = PARTS[:-1] * largest_stable(X)
    theirs, ours = both(X, y, epsilons, cv, groups=groups, max_iter=40, **place)
    assert_same_results(theirs, ours)
    assert ours.n_splits_ == theirs.n_splits_
    assert ours.best_index_ == theirs.best_index_
    assert ours.best_params_ == theirs.best_params_
    assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-8)


def test_leave_one_out() -> None:
    X, y = data()
    epsilons = PARTS[:2] * largest_stable(X)
    scoring = "neg_mean_squared_error"
    limits: dict[str, Any] = {"scoring": scoring, "max_iter": 40}
    assert_same_results(*both(X, y, epsilons, LeaveOneOut(), **limits))
    with pytest.raises(ValueError, match="scoring='neg_mean_squared_error'"):
        GradientDescentRegressorCV(epsilons, cv=LeaveOneOut()).fit(X, y)


def negative_range(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    return -float(np.ptp(y - model.predict(X)))


OTHER_SCORING = {
    "name": "neg_mean_absolute_error",
    "scorer": make_scorer(median_absolute_error, greater_is_better=False),
    "function": negative_range,
    "list": ["r2", "neg_median_absolute_error"],
    "tuple": ("neg_mean_squared_error", "r2"),
    "dict": {"range": negative_range, "r2": "r2"},
}


@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("name", OTHER_SCORING)
def test_other_scoring(name: str, n_targets: int) -> None:
    X, y = data(n_targets=n_targets)
    scoring = OTHER_SCORING[name]
    several = isinstance(scoring, list | tuple | dict)
    first = next(iter(scoring)) if several else True
    epsilons = PARTS * largest_stable(X)
    theirs, ours = both(
        X, y, epsilons, 3, scoring=scoring, refit=first, max_iter=30, tol=0
    )
    assert_same_results(theirs, ours)
    assert ours.best_index_ == theirs.best_index_


def test_scorer_that_gives_nan() -> None:
    X, y = data()
    scoring = {"r2": "r2", "nan": lambda *_: np.nan}
    model = GradientDescentRegressorCV([0.01], scoring=scoring, max_iter=5, tol=0)
    assert_array_equal(model.fit(X, y).cv_results_["rank_test_nan"], [1])
    with pytest.raises(ValueError, match="Got NaN from 'score'"):
        model.set_params(scoring=scoring["nan"]).fit(X, y)


def test_scorers_in_other_processes() -> None:
    X, y = data()
    epsilons = PARTS[:3] * largest_stable(X)
    model = GradientDescentRegressorCV(epsilons, scoring=negative_range, tol=1e-2)
    one, two = model.fit(X, y).cv_results_, model.set_params(n_jobs=2).fit(X, y)
    assert_array_equal(two.cv_results_["mean_test_score"], one["mean_test_score"])


@pytest.mark.parametrize("scoring", SCORERS)
def test_fits_without_noise_keep_their_digits(scoring: str) -> None:
    # The quadratic form cancels to 1e-12 of its parts, and the rows are read instead.
    X, _ = data()
    y = X @ np.arange(1.0, 5.0)
    theirs, ours = both(X, y, [0.3 * largest_stable(X)], 5, scoring=scoring)
    # Residuals are 1e-6 of predictions that are near 100: ten digits less of them.
    expected = theirs.cv_results_["mean_test_score"]
    assert_allclose(ours.cv_results_["mean_test_score"], expected, rtol=1e-5)


@pytest.mark.parametrize(
    "kind", ["squared_error", "far", "sparse", "weighted", "huber"]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_constant_targets_are_met(kind: str, dtype: Any) -> None:
    # As r2_score has it of predictions that are the constant: 1.0.
    rng = np.random.default_rng(0)
    far = 1e3 if kind == "far" else 0.0
    X = (rng.standard_normal((60, 3)) + far).astype(dtype)
    y = np.tile([0.1, -7e-5, 1e5], (60, 1)).astype(dtype)
    weight = rng.uniform(0.1, 2.0, 60) if kind in ("weighted", "huber") else None
    given: Any = sparse.csr_array(X) if kind == "sparse" else X
    loss = "huber" if kind == "huber" else "squared_error"
    epsilons = [2e-7, 1e-6] if kind == "far" else [0.05, 5.0]
    cv = GradientDescentRegressorCV(epsilons, loss=loss, max_iter=10, cv=4)
    cv.fit(given, y, sample_weight=weight)
    assert_array_equal(cv.cv_results_["mean_test_score"], 1.0)
    assert_allclose(cv.predict(given), y, rtol=2 * float(np.finfo(dtype).eps))


def test_huge_offsets() -> None:
    # Timestamps of one day: squares of 3e18, of which 1e9 matter.
    X, y = data()
    epsilons = PARTS[:3] * largest_stable(X)
    expected = GradientDescentRegressorCV(epsilons, tol=1e-3).fit(X, y)
    found = GradientDescentRegressorCV(epsilons, tol=1e-3).fit(X + 2.0**30, y)
    for name in ("split0_test_score", "mean_test_score"):
        # The offset has taken 30 of the 52 bits of the deviations.
        assert_allclose(found.cv_results_[name], expected.cv_results_[name], rtol=1e-6)


def test_float32() -> None:
    X, y = (array.astype(np.float32) for array in data())
    epsilons = PARTS[:3] * largest_stable(X)
    theirs, ours = both(X, y, epsilons, 5, tol=1e-3)
    assert ours.coef_.dtype == np.float32
    # GridSearchCV iterates in float32.
    scores = "mean_test_score"
    assert_allclose(ours.cv_results_[scores], theirs.cv_results_[scores], rtol=1e-4)
    assert_array_equal(ours.coef_, theirs.best_estimator_.coef_)


def test_final_fit(place: dict[str, Any]) -> None:
    X, y = data(n_targets=2)
    model = GradientDescentRegressorCV(cv=3, tol=1e-2, **place).fit(X, y)
    expected = GradientDescentRegressor(epsilon=model.epsilon_, tol=1e-2, **place)
    expected.fit(X, y)
    for name in ("coef_", "intercept_", "loss_curve_", "n_iter_", "epsilon_"):
        assert_array_equal(getattr(model, name), getattr(expected, name))
    assert_array_equal(model.predict(X), expected.predict(X))
    assert model.score(X, y) == expected.score(X, y)
    assert model.best_params_ == {"epsilon": model.epsilon_}
