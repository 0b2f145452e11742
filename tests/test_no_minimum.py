"""An objective without a minimum is told from one that has a flat or distant one."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import linprog, minimize
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from targets import far_rows

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentClassifier, GradientDescentRegressor
from sklearn_adreg.losses import (
    Multinomial,
    NormalLogLikelihood,
    StudentTLogLikelihood,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 3))
SEPARABLE = np.sign(X[:, 0] - 0.3)
NOISY = np.sign(X[:, 0] + RNG.standard_normal(300))


def logistic(y: Any, z: Any) -> Any:
    return adnp.logaddexp(0, -y * z)


def exponential(y: Any, z: Any) -> Any:
    return adnp.exp(-y * z)


def softplus(z: Any) -> Any:
    return adnp.logaddexp(0, z)


def overflowing_softplus(z: Any) -> Any:
    return adnp.log1p(adnp.exp(z))


def hinge(y: Any, z: Any) -> Any:
    return adnp.maximum(0, 1 - y * z)


def squared_hinge(y: Any, z: Any) -> Any:
    return adnp.maximum(0, 1 - y * z) ** 2


def separates(y: np.ndarray) -> bool:
    """Whether a plane has all labels on their side, by a linear programme."""
    rows = -y[:, None] * np.column_stack([X, np.ones(len(X))])
    found = linprog(np.zeros(4), rows, -np.ones(len(X)), bounds=(None, None))
    return bool(found.status == 0)


@pytest.mark.parametrize("loss", [logistic, exponential])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_labels_that_a_plane_separates(loss: Any, scale: float) -> None:
    check_separated(loss, scale)


def test_labels_that_a_plane_separates_by_each_backend(backend: Any) -> None:
    check_separated(exponential, 1e3, backend=backend)


def check_separated(loss: Any, scale: float, **place: Any) -> None:
    assert separates(SEPARABLE)
    model = GradientDescentRegressor(loss, **place)
    with pytest.warns(ConvergenceWarning, match="no minimum.*Set alpha above 0"):
        model.fit(scale * X, SEPARABLE)
    assert (np.sign(model.predict(scale * X)) == SEPARABLE).all()


def test_steps_of_a_given_length(backend: Any) -> None:
    apart = np.abs(X[:, 0] - 0.3) > 0.3
    parameters: dict[str, Any] = {"epsilon": 2.0, "tol": 1e-3, "backend": backend}
    model = GradientDescentRegressor(logistic, max_iter=5_000, **parameters)
    with pytest.warns(ConvergenceWarning, match="no minimum.*Set alpha above 0"):
        model.fit(X[apart], np.column_stack([NOISY, SEPARABLE])[apart])
    model.fit(X[apart], NOISY[apart])


def test_steps_that_end_before_they_have_separated_labels(backend: Any) -> None:
    model = GradientDescentRegressor(logistic, epsilon=0.1, backend=backend)
    with pytest.warns(ConvergenceWarning, match="no minimum.*Set alpha above 0"):
        model.fit(X, SEPARABLE)
    assert (np.sign(model.predict(X)) != SEPARABLE).any()
    model.set_params(max_iter=3)
    with pytest.warns(ConvergenceWarning, match="max_iter=3 steps were not enough"):
        model.fit(X, NOISY)


def test_steps_that_end_before_they_have_separated_three_classes() -> None:
    centres = np.array([[-9.0, -1.0], [-8.0, -9.0], [-1.0, 4.0]])
    labels = np.arange(90) % 3
    rows = centres[labels] + 0.8 * np.random.default_rng(1).standard_normal((90, 2))
    model = GradientDescentClassifier(epsilon=0.02, alpha=0, max_iter=30)
    with pytest.warns(ConvergenceWarning, match="no minimum.*Set alpha above 0"):
        model.fit(rows, labels)


def test_steps_of_a_given_length_down_a_loss_without_end(backend: Any) -> None:
    model = GradientDescentRegressor(
        lambda y, z: -((y - z) ** 2), epsilon=0.1, backend=backend
    )
    with pytest.raises(ValueError, match=r"must be bounded below.*Check its sign"):
        model.fit(X, NOISY)


# Where there is a minimum, steps may be short above it.
@pytest.mark.filterwarnings("ignore:Gradient descent stopped above the minimum")
@pytest.mark.parametrize("epsilon", [0.1, 5.0])
def test_short_steps_before_labels_are_separated(epsilon: float) -> None:
    level = np.arange(300) < 30
    Z, labels = np.column_stack([X, level]), np.where(level, -1.0, NOISY)
    model = GradientDescentRegressor(logistic, epsilon=epsilon, tol=1e-2)
    assert separates(SEPARABLE)
    for rows, y in (X, SEPARABLE), (Z, labels):
        with pytest.warns(ConvergenceWarning, match="no minimum"):
            model.fit(rows, y)
        model.set_params(alpha=1e-3).fit(rows, y)
        model.set_params(alpha=0.0)
    assert not separates(NOISY)
    model.fit(X, NOISY)
    model.set_params(loss=squared_hinge).fit(X, SEPARABLE)


def test_steps_of_a_given_length_with_offsets() -> None:
    apart = np.abs(X[:, 0] - 0.3) > 0.3
    parameters: dict[str, Any] = {"epsilon": 2.0, "tol": 1e-3, "max_iter": 5_000}
    model, offset = GradientDescentRegressor(logistic, **parameters), X[apart, :2] / 9
    with pytest.warns(ConvergenceWarning, match="no minimum.*Set alpha above 0"):
        model.fit(
            X[apart], np.column_stack([NOISY, SEPARABLE])[apart], offset=offset[:, ::-1]
        )
    model.fit(X[apart], NOISY[apart], offset=offset[:, 0])
    model.fit(X[apart], np.column_stack([NOISY, -NOISY])[apart], offset=offset)


def test_a_loss_that_is_not_defined_at_zero() -> None:
    def barrier(y: Any, z: Any) -> Any:
        return -adnp.log(3 + z - y)

    with pytest.warns(ConvergenceWarning, match="no minimum"):
        GradientDescentRegressor(barrier).fit(X, NOISY + 10)


def test_an_intercept_that_alpha_does_not_bound() -> None:
    def rewards(_y: Any, z: Any) -> Any:
        return adnp.exp(-z)

    model = GradientDescentRegressor(rewards, alpha=1.0)
    with pytest.warns(ConvergenceWarning, match="set fit_intercept=False"):
        model.fit(X, NOISY)
    model.set_params(fit_intercept=False).fit(X, NOISY)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_level_without_events(place: dict[str, Any], dtype: Any) -> None:
    """Only the coefficient of its indicator runs off; the others have an optimum."""
    level = np.arange(300) < 30
    enough = 1e-5 if dtype is np.float64 else 1e-3
    Z, labels = np.column_stack([X, level]), np.where(level, -1.0, NOISY)
    counts = np.random.default_rng(0).poisson(np.exp(0.3 * X[:, 0])) * (1.0 - level)
    Z, labels, counts = (each.astype(dtype) for each in (Z, labels, counts))
    others = ~level
    cases: list[tuple[Any, np.ndarray]] = [
        (logistic, labels),
        ("poisson_deviance", counts),
    ]
    for loss, y in cases:
        model = GradientDescentRegressor(loss, **place)
        with pytest.warns(ConvergenceWarning, match="no minimum"):
            model.fit(Z, y)
        alone = GradientDescentRegressor(loss).fit(X[others], y[others])
        assert np.abs(model.coef_[:3] - alone.coef_).max() < enough
        assert model.coef_[3] < -10
        model.set_params(alpha=1e-3).fit(Z, y)
    # Flat from somewhere on: the coefficient stays where it is enough.
    model = GradientDescentRegressor(squared_hinge, **place).fit(Z, labels)
    assert np.abs(model.coef_).max() < 10


@pytest.mark.parametrize(
    "penalty", [{}, {"alpha": 1e-3}, {"alpha": 1e-3, "l1_ratio": 1.0}]
)
def test_a_class_without_rows(backend: Any, penalty: dict[str, Any]) -> None:
    """Only its logarithm of odds runs off, as intercepts are not penalised."""
    labels = NOISY > 0
    model = GradientDescentRegressor(Multinomial(3), backend=backend, **penalty)
    with pytest.warns(ConvergenceWarning, match=r"no minimum.* class without rows"):
        model.fit(X, labels)
    two = GradientDescentRegressor(Multinomial(2), **penalty).fit(X, labels)
    expected = np.column_stack([two.predict(X), 0 * labels])
    assert np.abs(model.predict(X) - expected).max() < 1e-5


def test_a_class_without_rows_beside_offsets() -> None:
    """Odds of classes differ so much by row that a predictor's unit tells little."""
    offset = 3 * np.random.default_rng(0).standard_normal((300, 4))
    labels = np.argmax(offset[:, :3] + X, axis=1)
    settings: dict[str, Any] = {"alpha": 1e-2, "l1_ratio": 0.5}
    model = GradientDescentRegressor(Multinomial(4), **settings)
    with pytest.warns(ConvergenceWarning, match=r"no minimum.* class without rows"):
        model.fit(X, labels, offset=offset)
    three = GradientDescentRegressor(Multinomial(3), **settings)
    three.fit(X, labels, offset=offset[:, :3])
    assert np.abs(model.coef_[:3] - three.coef_).max() < 1e-4
    labels[0] = 3  # a class of one row has a minimum, however roughly it is sought
    for tol in (1e-6, 1e-2):
        model.set_params(tol=tol).fit(X, labels, offset=offset)


@pytest.mark.parametrize(
    ("dtype", "seed"), [(np.float64, 0), (np.float32, 0), (np.float32, 67)]
)
def test_a_class_that_lacks_in_a_level(dtype: Any, seed: int) -> None:
    noise = np.random.default_rng(seed).gumbel(size=X.shape)
    level, labels = np.arange(300) < 30, np.argmax(X + noise, axis=1)
    Z = np.column_stack([X, level]).astype(dtype)
    model = GradientDescentRegressor(Multinomial(3))
    model.fit(Z, labels)
    with pytest.warns(ConvergenceWarning, match="no minimum.*Set alpha above 0"):
        model.fit(Z, np.where(level, labels % 2, labels))
    assert model.predict(Z)[level, 2].max() < 1e-4
    model.set_params(alpha=1e-3).fit(Z, np.where(level, labels % 2, labels))


@pytest.mark.parametrize("seed", [2, 3])
def test_one_class_is_apart_and_the_others_are_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, Z = rng.integers(0, 3, 100), rng.standard_normal((100, 4))
    Z[:, :2] += np.eye(3)[labels][:, :2]
    apart = labels == 2
    Z[apart, 3] += Z[~apart, 3].max() - Z[apart, 3].min() + 0.5
    model = GradientDescentRegressor(Multinomial(3))
    with pytest.warns(ConvergenceWarning, match="no minimum.*Set alpha above 0"):
        model.fit(Z.astype(np.float32), labels)


@pytest.mark.parametrize("loss", [NormalLogLikelihood(), StudentTLogLikelihood()])
def test_a_scale_that_may_go_to_zero(loss: Any) -> None:
    """Targets are a linear function of X, or constant, to the last digits or not."""
    linear, model = X @ [1.0, 2.0, 3.0] + 1, GradientDescentRegressor(loss)
    for y in (linear, np.full(300, 3.0), np.zeros(300)):
        with pytest.warns(ConvergenceWarning, match=r"no minimum.* become exact"):
            model.fit(X, y)
        assert np.isfinite(model.coef_).all()
        location, scale = model.predict(X).T
        assert np.abs(location - y).max() < 1e-6
        assert scale.max() < 1e-5


def test_a_scale_of_one_row_that_a_ridge_bounds() -> None:
    """One row far out is predicted to 1e-9: with a ridge there is a minimum yet."""
    Z, y = far_rows(24, 300)
    model = GradientDescentRegressor(NormalLogLikelihood(), alpha=1.0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(Z, y)
    assert not [each for each in said if "no minimum" in str(each.message)]
    theta = np.column_stack([model.coef_, model.intercept_])

    def objective(theta: np.ndarray) -> float:
        coefs = theta.reshape(2, 4)
        location, logarithm = coefs[:, :3] @ Z.T + coefs[:, 3:]
        density = norm.logpdf(y, location, np.exp(logarithm))
        return float(np.square(coefs[:, :3]).sum() / 2 - density.mean())

    best = minimize(
        objective, theta.ravel(), method="Nelder-Mead", options={"maxiter": 300}
    )
    assert np.isfinite(best.x).all()
    assert objective(theta) - best.fun < 1e-4
    with pytest.warns(ConvergenceWarning, match=r"no minimum.* become exact"):
        model.set_params(alpha=1e-3).fit(X, X @ [1.0, 2.0, 3.0] + 1)
    with pytest.warns(ConvergenceWarning, match=r"no minimum.* become exact"):
        model.set_params(loss=StudentTLogLikelihood()).fit(X, np.full(300, 3.0))


@pytest.mark.parametrize("seed", [8, 10])
def test_a_scale_that_goes_to_zero_in_float32(seed: int) -> None:
    """Three rows on a line: curvatures overflow on the way to the scale of zero."""
    Z = np.random.default_rng(seed).normal(size=(3, 1)).astype(np.float32)
    model = GradientDescentRegressor(NormalLogLikelihood())
    with pytest.warns(ConvergenceWarning, match=r"no minimum.* become exact"):
        model.fit(Z, 2 * Z[:, 0] + 1)
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_a_row_that_decides_its_own_prediction(l1_ratio: float) -> None:
    """With a ridge the minimum is at a scale of exp(-1e5), which floats do not hold."""
    rng = np.random.default_rng(0)
    column = rng.standard_normal((60, 1))
    column[0] = -500
    y = rng.standard_normal(60)
    model = GradientDescentRegressor(
        NormalLogLikelihood(), alpha=0.03, l1_ratio=l1_ratio
    )
    with pytest.warns(ConvergenceWarning, match=r"no minimum that floats.* one row"):
        model.fit(column, y)
    assert np.isfinite(model.loss_curve_).all()
    location, scale = model.predict(column)[0]
    assert abs(location - y[0]) < 1e-12
    assert scale < 1e-12


def test_an_end_that_floats_do_not_hold_is_no_worse_than_a_constant() -> None:
    """Where rounding leads, steps have summed up what theta is 5e11 above."""
    Z, y = far_rows(13, 2000)
    model = GradientDescentRegressor(NormalLogLikelihood(), alpha=0.01)
    with pytest.warns(ConvergenceWarning, match="no minimum that floats"):
        model.fit(Z, y)
    assert np.isfinite(model.predict(Z)).all()
    constant = -norm.logpdf(y, y.mean(), y.std()).mean()
    assert model.loss_curve_[-1] < constant + 1e-3


def test_a_scale_that_is_small_beside_the_targets() -> None:
    y = X @ [1.0, 2.0, 3.0] + 10 + 1e-10 * np.random.default_rng(0).standard_normal(300)
    location, scale = (
        GradientDescentRegressor(NormalLogLikelihood()).fit(X, y).predict(X).T
    )
    assert scale.mean() == pytest.approx((y - location).std(), rel=0.1)


@pytest.mark.parametrize("softplus", [softplus, overflowing_softplus])
def test_signs_in_a_loss_of_zero_and_one(softplus: Any, backend: Any) -> None:
    def of_zero_and_one(y: Any, z: Any) -> Any:
        return y * softplus(-z) + (1 - y) * softplus(z)

    for labels in (NOISY, np.tile([-1.0, 1.0], 150)):  # balanced
        model = GradientDescentRegressor(of_zero_and_one, backend=backend)
        said = ""
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model.fit(X, labels)
            said = str(caught[0].message)
        except ValueError as error:
            said = str(error)
        assert "must be bounded below" in said or "has no minimum" in said, said


@pytest.mark.parametrize("device", [None, "cpu"])
def test_minima_that_exist(device: str | None) -> None:
    assert not separates(NOISY)
    cases: list[tuple[Any, np.ndarray, dict[str, Any]]] = [
        (logistic, NOISY, {}),
        (logistic, SEPARABLE, {"alpha": 1e-3}),
        (logistic, SEPARABLE, {"alpha": 1e-3, "l1_ratio": 1.0}),
        # Flat from somewhere on: all that could be gained was.
        (hinge, SEPARABLE, {}),
        (squared_hinge, SEPARABLE, {}),
        # No coefficient is told from zero, or all are found exactly.
        ("log_cosh", NOISY - X @ np.linalg.lstsq(X, NOISY)[0], {"tol": 0.1}),
        ("log_cosh", X @ [1.0, 2.0, 3.0], {"fit_intercept": False}),
        (lambda y, z: adnp.maximum(abs(y - z) - 50, 0), NOISY, {}),
    ]
    for loss, y, params in cases if device is None else cases[:2]:
        backend: Any = "autograd" if device is None else "jax"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = GradientDescentRegressor(
                loss, backend=backend, device=device, **params
            ).fit(X, y)
        assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("alpha", [0.0, 1e-3])
def test_a_row_of_most_of_the_weight_is_predicted_exactly(alpha: float) -> None:
    # Its scale goes to zero, already of the best constant: a row that weighs more than
    # all others gains more than these lose.
    rng = np.random.default_rng(0)
    X, weight = rng.standard_normal((60, 2)), np.ones(60)
    y, weight[0] = X[:, 0] + rng.standard_normal(60), 1e4
    model = GradientDescentRegressor(StudentTLogLikelihood(1.0), alpha=alpha)
    with pytest.warns(ConvergenceWarning, match="no minimum"):
        model.fit(X, y, sample_weight=weight)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("seed", [2, 22])
def test_an_intercept_that_is_rounding_has_not_run_off(seed: int) -> None:
    """Balanced classes with a ridge: 2^32 of an intercept of 1e-17 is not far."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(60, 2)) ** 3
    y = X[:, 0] + 0.5 * rng.standard_normal(60) > 0.3
    settings: dict[str, Any] = {"alpha": 0.1, "class_weight": "balanced"}
    found = GradientDescentClassifier(tol=1e-4, **settings).fit(X, y)
    settings["C"] = 1 / (settings.pop("alpha") * len(y))
    expected = LogisticRegression(tol=1e-10, **settings).fit(X, y)
    assert_allclose(found.coef_, expected.coef_, rtol=0, atol=1e-3)


def test_an_end_without_slopes_is_no_worse_than_the_start() -> None:
    """One row has a scale of 1e-163: what floats make of it is told, and not kept."""
    rng = np.random.default_rng(9)
    rng.choice(2), rng.choice(3)  # what follows are the numbers that raised an error
    few = np.round(2 * rng.standard_normal((20, 5))) / 2
    few[:1] *= 10.0 ** rng.integers(1, 4)
    y = few @ rng.standard_normal(5) + np.clip(rng.standard_t(3, 20), -20, 20)
    loss = NormalLogLikelihood()
    model = GradientDescentRegressor(loss, alpha=0.1, l1_ratio=1.0, tol=1e-8)
    with pytest.warns(ConvergenceWarning, match="no minimum that floats can hold"):
        model.fit(few, y)
    assert np.isfinite(model.coef_).all()
    assert model.loss_curve_[-1] <= model.loss_curve_[0]
    scale = np.exp(few @ model.coef_[1] + model.intercept_[1])
    location = few @ model.coef_[0] + model.intercept_[0]
    value = -norm.logpdf(y, location, scale).mean() + 0.1 * np.abs(model.coef_).sum()
    assert value == pytest.approx(model.loss_curve_[-1], rel=1e-9)
