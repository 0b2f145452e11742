"""Labels: against scikit-learn's classifiers, and what is refused."""

from __future__ import annotations

import pickle
import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from references import LASSO
from scipy import sparse, special
from scipy.stats import norm
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.families.links import CLogLog
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tools import add_constant

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentClassifier
from sklearn_adreg.backends import Backend
from sklearn_adreg.exceptions import DivergenceError
from sklearn_adreg.losses import (
    Exponential,
    Hinge,
    Huber,
    Multinomial,
    NormalLogLikelihood,
    PoissonDeviance,
    SquaredError,
)

ESTIMATORS = [
    GradientDescentClassifier(),
    GradientDescentClassifier(backend="jax"),
    # Stable on all data of the checks, and so convex that few steps are enough.
    GradientDescentClassifier(epsilon=0.04, alpha=10.0, tol=1e-3),
]
LOSSES = ["log_loss", "hinge", "squared_hinge", "exponential"]


# Coverage is that of the package's own tests: it takes a third of the checks' time.
@pytest.mark.no_cover
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@cache
def overlapping(n_classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Labels that no plane tells apart."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4)) @ (np.eye(4) + 0.5 * np.eye(4, k=1))
    noise = rng.gumbel(size=(300, n_classes))
    y = (X @ rng.standard_normal((4, n_classes)) + noise).argmax(axis=1)
    return X + np.array([0.0, 3.0, 0.0, -1.0]), y


def logistic(alpha: float, n_rows: float, **kwargs: Any) -> LogisticRegression:
    """The same objective, times the number of rows over alpha."""
    C = 1 / (alpha * n_rows) if alpha else np.inf
    return LogisticRegression(
        C=C, solver="newton-cholesky", tol=1e-12, max_iter=1000, **kwargs
    )


def check_same(model: Any, expected: Any, X: np.ndarray) -> None:
    assert_array_equal(model.classes_, expected.classes_)
    assert_allclose(model.coef_, expected.coef_, rtol=0, atol=1e-7)
    assert_allclose(model.intercept_, expected.intercept_, rtol=0, atol=1e-7)
    assert_array_equal(model.predict(X), expected.predict(X))
    found = model.predict_proba(X)
    assert_allclose(found, expected.predict_proba(X), rtol=0, atol=1e-8)


@pytest.mark.parametrize("alpha", [0.0, 1e-2])
def test_two_classes_are_logistic_regression(alpha: float, backend: Backend) -> None:
    X, y = overlapping()
    weights = np.random.default_rng(1).integers(0, 4, len(y))
    names = np.array(["yes", "no"])[y]
    model = GradientDescentClassifier(alpha=alpha, tol=1e-9, backend=backend)
    model.fit(X, names, sample_weight=weights)
    expected = logistic(alpha, weights.sum()).fit(X, names, sample_weight=weights)
    assert model.coef_.shape == (1, 4)
    assert model.intercept_.shape == (1,)
    check_same(model, expected, X)
    decision = model.decision_function(X)
    assert decision.shape == (300,)
    assert_array_equal(model.predict(X) == "yes", decision > 0)
    losses = special.log1p(np.exp(np.where(names == "yes", -decision, decision)))
    found = np.average(losses, weights=weights) + alpha / 2 * np.sum(model.coef_**2)
    assert model.loss_curve_[-1] == pytest.approx(found, rel=1e-12)


def test_default_strength_on_data_as_they_come() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model = GradientDescentClassifier().fit(X, y)
    expected = logistic(1e-4, len(y)).fit(X, y)
    # tol=1e-6 of the log odds.
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-6)
    assert model.score(X, y) == expected.score(X, y)


@pytest.mark.parametrize("alpha", [1e-2, 1.0])
def test_hinge_is_a_linear_support_vector_machine(alpha: float) -> None:
    X, y = overlapping()
    parameters: dict[str, Any] = {"fit_intercept": False, "tol": 1e-9}
    model = GradientDescentClassifier("hinge", alpha=alpha, **parameters).fit(X, y)
    expected = LinearSVC(
        C=1 / (alpha * len(y)), loss="hinge", max_iter=10**6, **parameters
    ).fit(X, y)
    found, best = (
        np.maximum(1 - (2 * y - 1) * (X @ each.coef_[0]), 0).mean()
        + alpha / 2 * each.coef_[0] @ each.coef_[0]
        for each in (model, expected)
    )
    assert found <= best * (1 + 1e-8)
    assert not hasattr(model, "predict_proba")


@pytest.mark.parametrize("alpha", [0.0, 1e-2])
def test_several_classes_are_a_softmax(alpha: float, backend: Backend) -> None:
    X, y = overlapping(3)
    weights = np.random.default_rng(1).integers(0, 4, len(y))
    names = np.array(["b", "a", "c"])[y]
    model = GradientDescentClassifier(alpha=alpha, tol=1e-9, backend=backend)
    model.fit(X, names, sample_weight=weights)
    expected = logistic(alpha, weights.sum()).fit(X, names, sample_weight=weights)
    # What the softmax leaves open.
    expected.coef_ = expected.coef_ - expected.coef_.mean(axis=0)
    expected.intercept_ = expected.intercept_ - expected.intercept_.mean()
    check_same(model, expected, X)
    assert model.loss_ == Multinomial(3)
    found = log_loss(names, model.predict_proba(X), sample_weight=weights)
    found += alpha / 2 * np.sum(model.coef_**2)
    assert model.loss_curve_[-1] == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_several_classes_on_data_as_they_come(load: Any) -> None:
    X, y = load(return_X_y=True)
    model = GradientDescentClassifier().fit(X, y)
    expected = logistic(1e-4, len(y)).fit(X, y)
    # tol=1e-6 of the linear predictors.
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-6)
    assert model.coef_.shape == expected.coef_.shape


@pytest.mark.parametrize("loss", LOSSES[1:])
def test_several_classes_are_told_from_the_rest(loss: str) -> None:
    X, y = load_iris(return_X_y=True)
    model = GradientDescentClassifier(loss, alpha=0.1).fit(X, y)
    each = OneVsRestClassifier(GradientDescentClassifier(loss, alpha=0.1)).fit(X, y)
    assert model.coef_.shape == (3, 4)
    assert model.intercept_.shape == (3,)
    # What tol leaves open; of the hinge loss it is the objective that is within it.
    atol = 1e-2 if loss == "hinge" else 1e-5
    alone = np.stack([one.decision_function(X) for one in each.estimators_], axis=1)
    assert_allclose(model.decision_function(X), alone, atol=atol)
    assert_array_equal(model.predict(X), model.decision_function(X).argmax(axis=1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_far_away(dtype: Any) -> None:
    X, y = load_iris(return_X_y=True)
    model = GradientDescentClassifier().fit(X.astype(dtype), y)
    for direction in X - X.mean(axis=0):
        far = (1e6 * direction[None]).astype(dtype)
        found = model.predict_proba(far)
        assert found.dtype == dtype
        assert_allclose(found.sum(axis=1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("labels", [["b", "a"], [True, False], [5, -3], [2.0, 1.0]])
def test_labels_of_any_type(loss: str, labels: list[Any]) -> None:
    X, y = overlapping()
    y = np.array(labels, dtype=object if isinstance(labels[0], str) else None)[y]
    model = GradientDescentClassifier(loss).fit(X, y)
    assert_array_equal(model.classes_, sorted(labels))
    assert model.score(X, y) > 0.7
    assert set(model.predict(X)) == set(labels)


def test_class_weights_multiply_those_of_samples() -> None:
    X, y = overlapping(3)
    weights = np.random.default_rng(2).integers(1, 4, len(y))
    given = {0: 3.0, 2: 0.5}
    model = GradientDescentClassifier("squared_hinge", class_weight=given)
    model.fit(X, y, sample_weight=weights)
    same = GradientDescentClassifier("squared_hinge")
    same.fit(X, y, sample_weight=weights * np.array([3.0, 1.0, 0.5])[y])
    assert_allclose(model.coef_, same.coef_, rtol=1e-9)


def test_balanced_classes_weigh_the_same() -> None:
    X, y = overlapping()
    X, y = np.r_[X, X[y == 1]], np.r_[y, y[y == 1]]
    model = GradientDescentClassifier(class_weight="balanced", tol=1e-9).fit(X, y)
    expected = logistic(1e-4, len(y), class_weight="balanced").fit(X, y)
    check_same(model, expected, X)
    # A weight of two is a row that stands twice.
    once, twice = overlapping()
    model.fit(once, twice, sample_weight=1 + twice)
    assert_allclose(model.coef_, expected.coef_, atol=1e-7)


@pytest.mark.parametrize("load", [load_breast_cancer, load_iris])
def test_lasso_leaves_zeros(load: Any) -> None:
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = GradientDescentClassifier(alpha=0.05, l1_ratio=1.0, tol=1e-9).fit(X, y)
    expected = LogisticRegression(
        C=1 / (0.05 * len(y)), tol=1e-10, max_iter=10**5, **LASSO
    ).fit(X, y)
    assert_array_equal(model.coef_ != 0, expected.coef_ != 0)
    assert_allclose(model.coef_, expected.coef_, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_textbook_reaches_the_same(loss: str) -> None:
    X, y = overlapping(3)
    X = StandardScaler().fit_transform(X)
    exact = GradientDescentClassifier(loss, alpha=0.1).fit(X, y)
    model = GradientDescentClassifier(loss, alpha=0.1, epsilon=0.05, max_iter=2000)
    model.set_params(tol=1e-6 if loss != "hinge" else 1e-2).fit(X, y)
    # Of the hinge, steps of one length swing around the kinks.
    reached, best = model.loss_curve_[-1], exact.loss_curve_[-1]
    assert reached == pytest.approx(best, rel=1e-2 if loss == "hinge" else 1e-5)
    if loss == "log_loss":  # what the softmax leaves open sums to zero
        assert_allclose(model.intercept_, exact.intercept_, atol=1e-4)


def test_a_step_that_is_too_long() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.raises(DivergenceError, match="largest stable epsilon"):
        GradientDescentClassifier(epsilon=0.1).fit(X, y)


def test_sparse_columns() -> None:
    X, y = overlapping(3)
    X = np.where(np.abs(X) < 1, 0.0, X)
    dense = GradientDescentClassifier(tol=1e-9).fit(X, y)
    model = GradientDescentClassifier(tol=1e-9).fit(sparse.csr_array(X), y)
    assert_allclose(model.coef_, dense.coef_, atol=1e-8)
    found = model.predict_proba(sparse.csc_array(X))
    assert_allclose(found, dense.predict_proba(X), atol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_offsets_are_columns_with_a_known_coefficient(n_classes: int) -> None:
    X, y = overlapping(n_classes)
    model = GradientDescentClassifier(tol=1e-9, alpha=0.0).fit(X, y)
    shifted = GradientDescentClassifier(tol=1e-9, alpha=0.0)
    # Of several classes one has an offset: those of a softmax sum to zero.
    known = 0.3 * X[:, 0] if n_classes == 2 else np.outer(X[:, 0], [0.2, -0.1, -0.1])
    shifted.fit(X, y, offset=known)
    difference = np.zeros_like(model.coef_)
    difference[:, 0] = 0.3 if n_classes == 2 else [0.2, -0.1, -0.1]
    assert_allclose(shifted.coef_, model.coef_ - difference, atol=1e-7)
    found = shifted.predict_proba(X, offset=known)
    assert_allclose(found, model.predict_proba(X), atol=1e-8)
    assert shifted.score(X, y, offset=known) == model.score(X, y)
    with pytest.warns(UserWarning, match="set_score_request"):
        shifted.score(X, y)
    with pytest.raises(ValueError, match=r"offset must have shape \(300,\)"):
        model.predict(X, offset=X[:5, 0])


def test_warm_start_stays() -> None:
    for n_classes in (2, 3):
        X, y = overlapping(n_classes)
        model = GradientDescentClassifier(warm_start=True).fit(X, y)
        before = model.coef_
        model.fit(X, y)
        assert model.n_iter_ <= 1
        assert_allclose(model.coef_, before, rtol=1e-5)
    with pytest.raises(ValueError, match=r"warm_start=True .* 3 targets"):
        model.fit(*overlapping(2))
    assert_array_equal(model.classes_, [0, 1, 2])  # as before the error


def test_in_searches_pipelines_and_calibration() -> None:
    X, y = load_wine(return_X_y=True)
    X = X[:, [0, 6, 9, 12]]  # four columns tell the classes apart as well
    model = make_pipeline(StandardScaler(), GradientDescentClassifier())
    name = "gradientdescentclassifier__alpha"
    search = GridSearchCV(model, {name: [1e-3, 1.0]}, scoring="neg_log_loss", cv=3)
    search.fit(X, y)
    assert search.best_params_[name] == 1e-3
    assert log_loss(y, search.predict_proba(X)) < 0.1
    hinge = make_pipeline(StandardScaler(), GradientDescentClassifier("hinge"))
    calibrated = CalibratedClassifierCV(hinge, cv=3).fit(X, y)
    assert log_loss(y, calibrated.predict_proba(X)) < 0.2


def test_offsets_are_routed() -> None:
    X, y = overlapping()
    offset = 3.0 * X[:, 0]
    with config_context(enable_metadata_routing=True):
        model = GradientDescentClassifier()
        model.set_fit_request(offset=True).set_score_request(offset=True)
        search = GridSearchCV(model, {}, cv=2).fit(X, y, offset=offset)
        pipeline = make_pipeline(clone(model)).fit(X, y, offset=offset)
        assert_array_equal(pipeline[-1].coef_, search.best_estimator_.coef_)
        found = search.cv_results_["split0_test_score"][0]
        (train, test), *_ = StratifiedKFold(2).split(X, y)
        alone = clone(model).fit(X[train], y[train], offset=offset[train])
        assert found == alone.score(X[test], y[test], offset=offset[test])


def careful(y_true: Any, y_pred: Any) -> Any:
    """A loss of labels -1 and 1: missing the second class costs five times as much."""
    return (3 + 2 * y_true) * adnp.logaddexp(0, -y_true * y_pred)


def of_zero_and_one(y_true: Any, y_pred: Any) -> Any:
    return adnp.logaddexp(0, y_pred) - y_true * y_pred


of_zero_and_one.labels = 0, 1  # type: ignore[attr-defined]


def test_own_losses_are_given_the_labels_that_they_ask_for() -> None:
    X, y = overlapping()
    expected = GradientDescentClassifier(tol=1e-9).fit(X, y)
    own = GradientDescentClassifier(of_zero_and_one, tol=1e-9).fit(X, y)
    assert_allclose(own.coef_, expected.coef_, atol=1e-8)
    assert not hasattr(own, "predict_proba")
    model = GradientDescentClassifier(careful, tol=1e-9).fit(X, y)
    expected.set_params(class_weight={1: 5.0}, alpha=1e-4 / np.mean(1 + 4 * y))
    assert_allclose(model.coef_, expected.fit(X, y).coef_, atol=1e-7)


def priced(y_true: Any, y_pred: Any, *, cost: Any) -> Any:
    return cost * adnp.logaddexp(0, -y_true * y_pred)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_row_has_its_own_cost(n_classes: int) -> None:
    X, y = overlapping(n_classes)
    cost = np.random.default_rng(4).gamma(2.0, size=len(y))
    model = GradientDescentClassifier(priced, tol=1e-9, alpha=0.0)
    model.fit(X, y, row_data={"cost": cost})
    weighted = GradientDescentClassifier(of_zero_and_one, tol=1e-9, alpha=0.0)
    weighted.fit(X, y, sample_weight=cost)
    assert_allclose(model.coef_, weighted.coef_, atol=1e-7)
    with pytest.raises(ValueError, match="priced needs row_data with 'cost'"):
        model.fit(X, y)


def test_least_squares_is_one_of_them() -> None:
    X, y = overlapping()
    model = GradientDescentClassifier(SquaredError(), alpha=0.0).fit(X, y)
    expected = np.linalg.lstsq(np.c_[X, np.ones(len(y))], 2.0 * y - 1)[0]
    assert_allclose(model.coef_[0], expected[:-1], rtol=1e-9)


def test_separable_classes_have_no_minimum_without_a_penalty(backend: Backend) -> None:
    X, y = load_iris(return_X_y=True)
    model = GradientDescentClassifier(alpha=0.0, backend=backend)
    words = "no minimum at finite .* labels that X separates.* Set alpha above 0"
    with pytest.warns(ConvergenceWarning, match=words) as caught:
        model.fit(X, y == 0)
    assert caught[0].filename == __file__
    assert model.score(X, y == 0) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(alpha=1e-4).fit(X, y == 0)


@pytest.mark.parametrize("load", [load_iris, load_wine])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_separable_classes_of_three(load: Any, dtype: Any, backend: Backend) -> None:
    """Of the wines each is apart, of the irises one."""
    X, y = load(return_X_y=True)
    model = GradientDescentClassifier(alpha=0.0, backend=backend)
    with pytest.warns(ConvergenceWarning, match="no minimum at finite.*Set alpha"):
        model.fit(X.astype(dtype), y)
    assert np.isfinite(model.coef_).all()
    assert (model.predict(X.astype(dtype)) == y)[(y == 0) | (load is load_wine)].all()


def test_a_loss_says_whether_it_has_a_probability() -> None:
    assert hasattr(GradientDescentClassifier(), "predict_proba")
    others: list[Any] = [
        *LOSSES[1:],
        Hinge(),
        Exponential(),
        careful,
        PoissonDeviance(),
        "?",
    ]
    for loss in others:
        model = GradientDescentClassifier(loss)
        assert not hasattr(model, "predict_proba")
        with pytest.raises(AttributeError) as caught:
            model.predict_proba(X_FEW)
        assert "labels = (0, 1). Got" in str(caught.value.__cause__)


class Cloglog:
    """An own loss that has a probability: the complementary log-log link."""

    labels = 0, 1

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        right = adnp.where(y_true == 1, y_pred, 1 - y_pred)
        return -adnp.log(right)

    def inverse_link(self, linear: Any) -> Any:
        return -adnp.expm1(-adnp.exp(linear))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_an_own_loss_with_a_probability(n_classes: int) -> None:
    X, y = overlapping(n_classes)
    model = GradientDescentClassifier(Cloglog(), tol=1e-9, alpha=0.0).fit(X, y)
    each = np.stack(
        [
            GLM(y == k, add_constant(X), Binomial(CLogLog())).fit(tol=1e-12).predict()
            for k in range(n_classes)
        ],
        axis=1,
    )
    found = model.predict_proba(X)
    if n_classes == 2:
        assert_allclose(found[:, 1], each[:, 1], atol=1e-6)
    else:
        assert_allclose(found, each / each.sum(axis=1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_scale_that_is_estimated_is_kept(n_classes: int) -> None:
    X, y = overlapping(n_classes)
    model = GradientDescentClassifier(Huber(scale="mad"), alpha=0.0).fit(X, y)
    scales = np.atleast_1d(model.scale_)
    losses = model.loss_ if n_classes > 2 else [model.loss_]
    assert scales.shape == (1 if n_classes == 2 else 3,)
    assert_allclose([loss.scale for loss in losses], scales)
    decision = model.decision_function(X).reshape(len(y), -1)
    wanted = (y[:, None] == np.arange(n_classes)[-decision.shape[1] :]) * 2.0 - 1
    errors = np.median(np.abs(wanted - decision), axis=0) / norm.ppf(0.75)
    # Few rows are of the third class: a constant fits most of its labels exactly.
    assert_allclose(scales[:2], errors[:2], rtol=1e-3)


def test_predictions_go_by_the_loss_of_the_fit() -> None:
    X, y = overlapping()
    model = GradientDescentClassifier().fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert not hasattr(model.set_params(loss="hinge").fit(X, y), "loss_")
    assert clone(model).get_params() == model.get_params()


def flat_for_one(y_true: Any, y_pred: Any) -> Any:
    return adnp.maximum(y_true, 0) * adnp.logaddexp(0, -y_pred)


def of_wrong_labels(y_true: Any, y_pred: Any) -> Any:
    return adnp.logaddexp(0, -y_true * y_pred)


of_wrong_labels.labels = 1, 2  # type: ignore[attr-defined]
X_FEW = np.arange(8.0)[:, None]
Y_FEW = np.arange(8) % 2


@pytest.mark.parametrize(
    ("parameters", "y", "words"),
    [
        ({}, np.ones(8), r"two classes or more.* Got 1 classes.* \[1.0\]"),
        ({"class_weight": {0: 0.0}}, Y_FEW, r"weight above 0.* rows of \[1\] instead"),
        ({}, np.linspace(0, 1, 8), "Unknown label type"),
        ({}, np.c_[Y_FEW, Y_FEW], "should be a 1d array"),
        ({"class_weight": {"no": 1.0}}, Y_FEW, "not in class_weight|'no'"),
        ({"class_weight": "even"}, Y_FEW, "'class_weight' parameter"),
        ({"loss": "hinges"}, Y_FEW, "Got 'hinges' instead. Did you mean 'hinge'"),
        ({"loss": Hinge}, Y_FEW, r"instance: loss=Hinge\(\)"),
        ({"loss": flat_for_one}, Y_FEW, r"labels -1.0 and 1.0.*\(-1 and 1, or 0"),
        ({"loss": of_wrong_labels}, Y_FEW, r"`labels` of .* \(0, 1\). Got \(1, 2\)"),
        ({"loss": PoissonDeviance()}, Y_FEW, "must be 0 or more"),
        ({"loss": Multinomial(3)}, Y_FEW, r"one output.* n_outputs=3 .*'log_loss'"),
        ({"loss": NormalLogLikelihood()}, Y_FEW, "one output.* Got n_outputs=2 "),
        ({"alpha": -1.0}, Y_FEW, "'alpha' parameter of GradientDescentClassifier"),
    ],
)
def test_refusals(parameters: dict[str, Any], y: Any, words: str) -> None:
    model = GradientDescentClassifier(**parameters)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=words):
        model.fit(X_FEW, y)
    assert vars(model) == before


def test_classes_without_weight_are_refused() -> None:
    words = r"weight above 0. Got 2 classes, and such rows of \[1\] instead. Drop"
    with pytest.raises(ValueError, match=words):
        GradientDescentClassifier().fit(X_FEW, Y_FEW, sample_weight=Y_FEW)


def test_sparse_columns_are_not_put_on_a_device() -> None:
    model = GradientDescentClassifier(backend="jax", device="cpu")
    with pytest.raises(ValueError, match=r"of GradientDescentClassifier .* sparse"):
        model.fit(sparse.csr_array(X_FEW), Y_FEW)
