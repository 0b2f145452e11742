"""The contract of scikit-learn's estimators: its own checks, and what they leave out.

NaN equals NaN to scikit-learn's checks, so that they would pass where every fit
diverges without a word. Here each fit, those inside the checks included, must leave
finite numbers.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from covering import in_turns
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tests.metadata_routing_common import assert_request_is_empty
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_param_validation,
    parametrize_with_checks,
)

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Huber

Place = dict[str, Any]

# Stable on all data of the checks: the largest stable one is 0.043 in
# check_inplace_ensure_writeable, whose columns have variances near 20.
STABLE = 0.04
DEVICE = os.environ.get("SKLEARN_ADREG_TEST_DEVICE", "cpu")
PLACES: list[Place] = [
    {"backend": "autograd"},
    {"backend": "jax"},
    {"backend": "jax", "device": DEVICE},
]
EPSILONS = ["auto", STABLE]
# The step is short for most of the checks' data: many steps, and a coarser tolerance.
TEXTBOOK: dict[str, Any] = {"epsilon": STABLE, "max_iter": 2000, "tol": 1e-3}
# Other losses and penalties: smooth, with kinks, with a link, with exact zeros.
OBJECTIVES: list[dict[str, Any]] = [
    {"loss": "pinball"},
    {"loss": Huber(2.0)},
    {"loss": "poisson_deviance", "alpha": 0.1},
    {"alpha": 0.1, "l1_ratio": 0.5},
]
# What the checks are about comes before the place and the objective: each place
# descends by both rules, and each objective is computed somewhere.
ESTIMATORS = [
    *(GradientDescentRegressor(**place) for place in PLACES),
    *(GradientDescentRegressor(**TEXTBOOK, **place) for place in PLACES),
    *(
        GradientDescentRegressor(**objective, **place)
        for objective, place in in_turns(OBJECTIVES, PLACES[:2])
    ),
]


def expected_failures(estimator: Any) -> dict[str, str]:
    """Checks that take no notice of a tag: `positive_only`, and `sparse` before 1.7."""
    tags, found = get_tags(estimator), {}
    if tags.target_tags.positive_only:
        found["check_regressor_multioutput"] = "it has negative targets"
    if not tags.input_tags.sparse:
        check = "check_sample_weight_equivalence_on_sparse_data"
        found[check] = "a sparse X is not put on a device"
    return found


def assert_finite(model: GradientDescentRegressor) -> None:
    for name in ("coef_", "intercept_", "loss_curve_", "epsilon_"):
        assert np.isfinite(getattr(model, name)).all(), name


@pytest.fixture(autouse=True)
def _finite_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every fit in this module assert that it left finite numbers."""
    fit = GradientDescentRegressor.fit

    @functools.wraps(fit)
    def checked_fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        fitted = fit(self, *args, **kwargs)
        assert_finite(fitted)
        return fitted

    monkeypatch.setattr(GradientDescentRegressor, "fit", checked_fit)


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    return X, X @ [1.0, -2.0, 3.0, 0.0] + rng.standard_normal(60) + 5.0


def weights() -> np.ndarray:
    return np.random.default_rng(1).uniform(0.1, 2.0, 60)


# Coverage is that of the package's own tests: it takes a third of the checks' time.
@pytest.mark.no_cover
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


# check_estimator does not run these on estimators outside of scikit-learn.
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@pytest.mark.parametrize(
    "check",
    [
        check_param_validation,
        check_dataframe_column_names_consistency,
        check_inplace_ensure_writeable,
    ],
)
def test_checks_not_run_by_default(
    estimator: Any, check: Callable[[str, Any], None]
) -> None:
    check(type(estimator).__name__, estimator)


def test_nan_would_be_seen() -> None:
    model = GradientDescentRegressor().fit(*data())
    model.coef_[1] = np.nan
    with pytest.raises(AssertionError, match="coef_"):
        assert_finite(model)


def test_array_api_is_not_claimed() -> None:
    # scikit-learn's dispatch assigns in place, which JAX arrays refuse; without the
    # tag, check_array_api_input_and_values does not apply.
    assert not get_tags(GradientDescentRegressor()).array_api_support


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_jax_arrays_are_read_as_numpy(place: Place, epsilon: Any) -> None:
    jnp = importlib.import_module("jax.numpy")
    X, y = (array.astype(np.float32) for array in data())
    model = GradientDescentRegressor(epsilon=epsilon, tol=1e-3, **place)
    expected = clone(model).fit(X, y)
    model.fit(jnp.asarray(X), jnp.asarray(y))
    assert type(model.predict(jnp.asarray(X))) is np.ndarray
    assert_array_equal(model.coef_, expected.coef_)


def test_nothing_is_requested_by_default() -> None:
    with config_context(enable_metadata_routing=True):
        request = GradientDescentRegressor().get_metadata_routing()
        assert_request_is_empty(request)
        model = GradientDescentRegressor().set_fit_request(sample_weight=True)
        with pytest.raises(AssertionError):
            assert_request_is_empty(model.get_metadata_routing())


def frames(X: np.ndarray) -> Iterator[Any]:
    names = ["age", "bmi", "bp", "s1"]
    yield importlib.import_module("pandas").DataFrame(X, columns=names)
    yield importlib.import_module("polars").DataFrame(X, schema=names)


@pytest.mark.parametrize("kind", [0, 1], ids=["pandas", "polars"])
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_data_frames(place: Place, epsilon: Any, kind: int) -> None:
    X, y = data()
    frame = list(frames(X))[kind]
    target = frame["bp"] * 2.0 + 1.0
    model = GradientDescentRegressor(epsilon=epsilon, **place).fit(frame, target)
    expected = clone(model).fit(X, X[:, 2] * 2.0 + 1.0)
    assert_allclose(model.coef_, expected.coef_, rtol=1e-10, atol=1e-10)
    assert type(model.predict(frame)) is np.ndarray
    assert_allclose(model.predict(frame), expected.predict(X), rtol=1e-10, atol=1e-10)
    # scikit-learn 1.6 does not see the names of a polars 2 frame.
    reference = LinearRegression().fit(frame, y)
    names = getattr(reference, "feature_names_in_", None)
    assert_array_equal(getattr(model, "feature_names_in_", None), names)
    if kind == 0:
        assert_array_equal(names, frame.columns)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_pipeline_that_puts_out_frames(output: str) -> None:
    X, y = data()
    plain = make_pipeline(StandardScaler(), GradientDescentRegressor()).fit(X, y)
    framed = clone(plain).set_output(transform=output).fit(X, y)
    assert_allclose(framed.predict(X), plain.predict(X), rtol=1e-10)
    assert_allclose(framed[-1].coef_, plain[-1].coef_, rtol=1e-10)


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_pipeline_and_cross_validation(place: Place, epsilon: Any) -> None:
    X, y = data()
    model = GradientDescentRegressor(epsilon=epsilon, **place)
    # A millionth of a standard deviation per step, over a rate of about 0.95.
    exact = make_pipeline(StandardScaler(), LinearRegression())
    ours = make_pipeline(StandardScaler(), model)
    assert_allclose(ours.fit(X, y).predict(X), exact.fit(X, y).predict(X), atol=1e-3)
    scores = cross_val_score(ours, X, y, cv=3)
    assert_allclose(scores, cross_val_score(exact, X, y, cv=3), atol=1e-3)


def test_metadata_routing(place: Place) -> None:
    X, y = data()
    model = GradientDescentRegressor(**place)
    weighted = clone(model).fit(X, y, weights())
    plain = clone(model).fit(X, y)
    assert abs(weighted.coef_ - plain.coef_).max() > 1e-3
    with config_context(enable_metadata_routing=True):
        requesting = clone(model).set_fit_request(sample_weight=True)
        requesting.set_score_request(sample_weight=True)
        scaler = StandardScaler(with_mean=False, with_std=False)
        scaler.set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, requesting)
        pipeline.fit(X, y, sample_weight=weights())
        assert_allclose(pipeline[-1].coef_, weighted.coef_, rtol=1e-10)

        search = GridSearchCV(requesting, {"fit_intercept": [True]}, cv=2)
        search.fit(X, y, sample_weight=weights())
        assert_allclose(search.best_estimator_.coef_, weighted.coef_, rtol=1e-10)
        half = clone(model).fit(X[30:], y[30:], weights()[30:])
        score = half.score(X[:30], y[:30], weights()[:30])
        assert_allclose(search.cv_results_["split0_test_score"], [score], rtol=1e-10)


@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
def test_grid_search_survives_divergence(place: Place) -> None:
    X, y = data()
    model = GradientDescentRegressor(**place)
    search = GridSearchCV(model, {"epsilon": [0.1, 1e4, "auto"]}, cv=2)
    with pytest.warns(FitFailedWarning, match="The largest stable epsilon"):
        search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert_array_equal(np.isnan(scores), [False, True, False])
    assert search.best_params_["epsilon"] != 1e4


COUNT_COMPILATIONS = """
import logging, re
import jax
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Huber

compiled = []

class Collect(logging.Handler):
    def emit(self, record):
        found = re.match(r"Finished XLA compilation of (\\S+) in", record.getMessage())
        if found:
            compiled.append(found[1])

logging.getLogger("jax").addHandler(Collect())
rng = np.random.default_rng(0)
X = rng.standard_normal((1003, 20))
y = X @ rng.standard_normal(20) + rng.standard_normal(1003)
place = {"backend": "jax", "device": "cpu"}
model = GradientDescentRegressor(Huber(scale=1.0), **place, max_iter=100, tol=0)
grid = {"epsilon": np.geomspace(0.01, 0.3, 10)}
with jax.log_compiles():
    GridSearchCV(model, grid, cv=5).fit(X, y)
print(sum("run_steps" in name for name in compiled), len(compiled))
"""


def test_grid_search_compiles_the_descent_once_a_shape(
    run_python: Callable[..., str],
) -> None:
    # Folds of 802 and 803 rows and the refit: three shapes of X.
    descents, programs = map(int, run_python(COUNT_COMPILATIONS).split())
    assert 1 <= descents <= 3
    # No program is compiled anew for each of the 51 fits.
    assert programs <= 25


def test_repr_and_clone_keep_parameters() -> None:
    model = GradientDescentRegressor(epsilon=0.1, tol=1e-3, device="cuda:1")
    assert repr(clone(model)) == repr(model)
    assert "device='cuda:1'" in repr(model)
