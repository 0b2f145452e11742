"""Early stopping on held-out rows, beside scikit-learn's rule for it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.preprocessing import scale

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentClassifier, GradientDescentRegressor
from sklearn_adreg.losses import Huber, LogCosh, NormalLogLikelihood, d2_score

SEED = 3
Place = dict[str, Any]
X, y = load_diabetes(return_X_y=True)
X = scale(X)
TRAIN, HELD = next(ShuffleSplit(1, test_size=0.1, random_state=SEED).split(X))
STOPPED: dict[str, Any] = {"early_stopping": True, "random_state": SEED}


@pytest.mark.parametrize("tol", [0.0, 1e-4, 1e-2])
@pytest.mark.parametrize("patience", [1, 4])
def test_it_stops_where_sgd_regressor_does(tol: float, patience: int) -> None:
    # With a weight on one row alone an epoch of SGD is a step of the full batch.
    rows, columns = np.random.default_rng(6), 3
    X = rows.standard_normal((60, columns))
    y = X @ [1.0, 2.0, 0.0] + rows.standard_normal(60)
    train, held = next(ShuffleSplit(1, test_size=0.5, random_state=SEED).split(X))
    weight = np.zeros(60)
    weight[held], weight[train[0]] = 1.0, 1.0
    y[train[0]] *= 3  # so that the best coefficients are on the way
    shared: dict[str, Any] = {
        "early_stopping": True,
        "validation_fraction": 0.5,
        "n_iter_no_change": patience,
        "random_state": SEED,
        "tol": tol,
        "fit_intercept": False,
    }
    theirs = SGDRegressor(
        penalty=None, learning_rate="constant", eta0=0.02, max_iter=5000, **shared
    ).fit(X, y, sample_weight=weight)
    ours = GradientDescentRegressor(epsilon=0.01, max_iter=5000, **shared)
    ours.fit(X, y, sample_weight=weight)
    assert ours.n_iter_ == theirs.n_iter_ > patience
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9)


def expected_steps(scores: list[float], tol: float, patience: int) -> int:
    """The rule, as in the loop of SGD: the scores after each step, and when it ends."""
    best, count = -np.inf, 0
    for number, score in enumerate(scores, start=1):
        count = count + 1 if score < best + tol else 0
        best = max(best, score)
        if count >= patience:
            return number
    return len(scores)


@pytest.mark.parametrize("loss", ["squared_error", Huber(scale=50.0)])
def test_held_out_rows_are_those_of_the_split(loss: Any) -> None:
    settings: dict[str, Any] = {"epsilon": 0.1, "tol": 1e-3}
    model = GradientDescentRegressor(loss, **settings, **STOPPED).fit(X, y)
    plain = GradientDescentRegressor(loss, **settings).set_params(tol=0)
    scores = []
    for number in range(1, model.n_iter_ + 1):
        plain.set_params(max_iter=number).fit(X[TRAIN], y[TRAIN])
        predicted = plain.predict(X[HELD])
        if loss == "squared_error":
            scores.append(r2_score(y[HELD], predicted))
        else:
            scores.append(d2_score(y[HELD], predicted, loss=loss))
    assert model.n_iter_ == expected_steps(scores, 1e-3, 5) == len(scores)
    assert len(scores) > 10
    assert_allclose(model.coef_, plain.coef_, rtol=1e-9)
    assert_allclose(model.loss_curve_, plain.loss_curve_, rtol=1e-9)
    found = (
        1
        - (1 - scores[-1])
        * model.validation_loss_curve_
        / (model.validation_loss_curve_[-1])
    )
    assert_allclose(found[1:], scores, atol=1e-9)
    assert model.validation_loss_curve_.shape == model.loss_curve_.shape


def test_places_stop_alike(place: Place) -> None:
    # Of a given scale: one that is estimated is known to tol.
    loss = LogCosh(scale=50.0)
    model = GradientDescentRegressor(loss, epsilon=0.1, tol=1e-3, **STOPPED)
    expected = clone(model).fit(X, y)
    model.set_params(**place).fit(X, y)
    assert model.n_iter_ == expected.n_iter_
    assert_allclose(model.coef_, expected.coef_, rtol=1e-7)
    curve = expected.validation_loss_curve_
    assert_allclose(model.validation_loss_curve_, curve, rtol=1e-7)


def test_the_curve_is_the_mean_loss_of_held_out_rows() -> None:
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    offset = np.log(np.random.default_rng(1).uniform(1, 2, len(y)))
    model = GradientDescentRegressor("poisson", epsilon=1e-3, tol=1e-3, **STOPPED)
    model.fit(X, y, sample_weight=weight, offset=offset)
    predicted = model.predict(X[HELD], offset=offset[HELD])
    losses = model.loss_(y[HELD], predicted)
    expected = np.average(losses, weights=weight[HELD])
    assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-9)
    left = GradientDescentRegressor("poisson", epsilon=1e-3, tol=0)
    left.set_params(max_iter=model.n_iter_)
    left.fit(X[TRAIN], y[TRAIN], weight[TRAIN], offset[TRAIN])
    assert_allclose(model.coef_, left.coef_, rtol=1e-8)


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_the_score_is_that_of_targets_with_their_offset(loss: str) -> None:
    # Less such an offset, targets spread twice as far.
    settings: dict[str, Any] = {"epsilon": 0.1, "tol": 1e-2}
    offset = 130 * np.random.default_rng(0).standard_normal(len(y))
    model = GradientDescentRegressor(loss, **settings, **STOPPED)
    model.fit(X, y, offset=offset)
    plain, scores = GradientDescentRegressor(loss, **settings).set_params(tol=0), []
    for number in range(1, model.n_iter_ + 1):
        plain.set_params(max_iter=number).fit(X[TRAIN], y[TRAIN], offset=offset[TRAIN])
        predicted = plain.predict(X[HELD], offset=offset[HELD])
        if loss == "squared_error":
            scores.append(r2_score(y[HELD], predicted))
        else:
            scores.append(d2_score(y[HELD], predicted, loss=plain.loss_))
    assert model.n_iter_ == expected_steps([*scores, np.inf], 1e-2, 5)


def test_row_data_follow_their_rows() -> None:
    def weighted(y_true: Any, y_pred: Any, *, cost: Any) -> Any:
        return cost * adnp.square(y_true - y_pred)

    cost = np.random.default_rng(0).uniform(1, 5, len(y))
    model = GradientDescentRegressor(weighted, epsilon=0.02, tol=1e-3, **STOPPED)
    model.fit(X, y, row_data={"cost": cost})
    expected = weighted(y[HELD], model.predict(X[HELD]), cost=cost[HELD]).mean()
    assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@pytest.mark.parametrize("alpha", [{}, {"alpha": 1.0}, {"alpha": 1.0, "l1_ratio": 1.0}])
def test_sparse_rows_and_more_columns_than_rows(loss: str, alpha: Any) -> None:
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((50, 80)) * (rng.uniform(size=(50, 80)) < 0.3)
    target = wide[:, 0] + rng.standard_normal(50)
    model = GradientDescentRegressor(loss, epsilon=0.05, tol=1e-4, **alpha, **STOPPED)
    dense = clone(model).fit(wide, target)
    found = clone(model).fit(sparse.csr_array(wide), target)
    assert found.n_iter_ == dense.n_iter_
    assert_allclose(found.coef_, dense.coef_, atol=1e-9)
    curve = dense.validation_loss_curve_
    assert_allclose(found.validation_loss_curve_, curve, rtol=1e-9)


def test_an_estimated_scale_is_that_of_the_rows_that_are_left() -> None:
    model = GradientDescentRegressor("huber", epsilon=0.1, tol=1e-4, **STOPPED)
    model.fit(X, y)
    plain = GradientDescentRegressor("huber", epsilon=0.1, tol=0)
    plain.set_params(max_iter=model.n_iter_).fit(X[TRAIN], y[TRAIN])
    # The scale is found to `tol`, by default 1e-6 times what the errors are.
    assert model.scale_ == pytest.approx(plain.scale_, rel=1e-6)
    assert_allclose(model.coef_, plain.coef_, rtol=1e-5)
    expected = model.loss_(y[HELD], model.predict(X[HELD])).mean()
    assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-9)


def test_several_targets_and_outputs() -> None:
    model = GradientDescentRegressor(epsilon=0.05, **STOPPED)
    one = clone(model).fit(X, y)
    two = clone(model).fit(X, np.column_stack([y, -y]))
    assert two.n_iter_ == one.n_iter_
    curve = 2 * one.validation_loss_curve_
    assert_allclose(two.validation_loss_curve_, curve, rtol=1e-9)
    likely = GradientDescentRegressor(
        NormalLogLikelihood(), epsilon=0.02, tol=1e-4, **STOPPED
    ).fit(X, y / 100)
    losses = NormalLogLikelihood()(y[HELD] / 100, likely.predict(X[HELD]))
    assert likely.validation_loss_curve_[-1] == pytest.approx(losses.mean(), rel=1e-9)
    apart = clone(model).set_params(alpha=[[0.1], [1.0]])
    apart.fit(X, np.column_stack([y, -y]))
    assert apart.validation_loss_curve_.shape == apart.loss_curve_.shape


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_classifier_holds_out_of_each_class(loss: str, n_classes: int) -> None:
    X, labels = load_iris(return_X_y=True)
    labels = np.minimum(labels, n_classes - 1)
    split = StratifiedShuffleSplit(1, test_size=0.1, random_state=SEED)
    train, held = next(split.split(X, labels))
    model = GradientDescentClassifier(loss, epsilon=0.02, tol=1e-3, **STOPPED)
    model.fit(X, np.array(["a", "b", "c"])[labels])
    plain = GradientDescentClassifier(loss, epsilon=0.02, tol=0)
    plain.set_params(max_iter=model.n_iter_).fit(X[train], labels[train])
    assert_allclose(model.coef_, plain.coef_, atol=1e-9)
    if loss == "log_loss":
        shares = model.predict_proba(X[held])[np.arange(len(held)), labels[held]]
        expected = -np.log(shares).mean()
        assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-7)


def test_draws_and_what_is_kept() -> None:
    model = GradientDescentRegressor(epsilon=0.05, tol=1e-4, **STOPPED)
    again = clone(model).fit(X, y)
    assert_array_equal(model.fit(X, y).coef_, again.coef_)
    other = clone(model).set_params(random_state=SEED + 1).fit(X, y)
    assert (other.coef_ != model.coef_).any()
    given = clone(model).set_params(random_state=np.random.RandomState(SEED))
    assert_array_equal(given.fit(X, y).coef_, model.coef_)
    steps = model.n_iter_
    warm = model.set_params(warm_start=True).fit(X, y)
    assert warm.n_iter_ <= steps
    model.set_params(early_stopping=False, max_iter=2, tol=0, warm_start=False)
    assert not hasattr(model.fit(X, y), "validation_loss_curve_")


def test_one_held_out_row() -> None:
    # R^2 of one row is not defined: its loss is compared with that at the start.
    model = GradientDescentRegressor(epsilon=0.05, validation_fraction=1e-3, **STOPPED)
    curve = model.fit(X, y).validation_loss_curve_
    assert model.n_iter_ == expected_steps(list(-curve[1:] / curve[0]), 1e-6, 5) > 6


def test_messages() -> None:
    model = GradientDescentRegressor(early_stopping=True)
    with pytest.raises(ValueError, match=r"early_stopping.* False with epsilon='auto'"):
        model.fit(X, y)
    labels = np.arange(20) < 1
    classifier = GradientDescentClassifier(epsilon=0.1, early_stopping=True)
    rule = "'validation_fraction' parameter of GradientDescentClassifier must leave"
    with pytest.raises(ValueError, match=f"{rule}.*populated class"):
        classifier.fit(X[:20], labels)
    weight = np.zeros(len(y))
    weight[TRAIN] = 1.0
    model.set_params(epsilon=0.05, random_state=SEED)
    with pytest.raises(ValueError, match="weight of zero for all of either"):
        model.fit(X, y, sample_weight=weight)
    words = "max_iter=10 steps were not enough for the score of held-out rows to stop"
    with pytest.warns(ConvergenceWarning, match=re.escape(words)):
        model.set_params(max_iter=10).fit(X, y)
    for name, value in [("validation_fraction", 1.0), ("n_iter_no_change", 0)]:
        with pytest.raises(ValueError, match=f"'{name}' parameter of"):
            clone(model).set_params(**{name: value}).fit(X, y)


@pytest.mark.parametrize("max_iter", [1, 5])
def test_fewer_steps_than_are_waited_for(max_iter: int) -> None:
    model = GradientDescentRegressor(epsilon=0.01, max_iter=max_iter, **STOPPED)
    told = (
        f"max_iter={max_iter} steps .* n_iter_no_change=5 in a row without .*more than"
    )
    with pytest.warns(ConvergenceWarning, match=told) as caught:
        model.fit(X, y)
    assert "tolerance of inf" not in str(caught[0].message)
