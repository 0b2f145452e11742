"""When descent diverges, or does not converge: what the user reads, and when.

For squared error textbook descent is stable below the inverse of the largest
eigenvalue of the second moments of X, centred if there is an intercept.
"""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest
from covering import in_turns
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.exceptions import DivergenceError

Place = dict[str, Any]
Data = dict[str, Any]


def data(shape: tuple[int, int] = (60, 4), seed: int = 0) -> Data:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape)
    return {"X": X, "y": X.sum(axis=1) + rng.standard_normal(shape[0])}


def weighted() -> Data:
    return data() | {"sample_weight": np.random.default_rng(1).uniform(0, 2, 60)}


def offset() -> Data:
    found = data()
    return found | {"X": found["X"] + [1e3, 0.0, -50.0, 1.0]}


def several_targets() -> Data:
    found = data()
    y = np.random.default_rng(2).standard_normal((60, 3))
    return found | {"y": y + found["X"][:, :3]}


def scaled() -> Data:
    found = data()
    return found | {"X": found["X"] * [1.0, 1.5, 0.7, 1.2] * 1e3}


def float32() -> Data:
    return {name: array.astype(np.float32) for name, array in data().items()}


DESIGNS = {
    "tall": data(),
    "square": data((12, 12), seed=1),
    "wide": data((8, 12)),
    "very wide": data((20, 300)),
    "one column": data((60, 1)),
    "weighted": weighted(),
    "offset": offset(),
    "several targets": several_targets(),
    "scaled": scaled(),
    "float32": float32(),
}


def largest_stable(found: Data, *, centred: bool) -> float:
    X = found["X"].astype(np.float64)
    weights = found.get("sample_weight", np.ones(len(X)))
    weights = weights / weights.sum()
    if centred:
        X = X - weights @ X
    return float(1 / np.linalg.eigvalsh(X.T @ (X * weights[:, None]))[-1])


# At 1.01 of the limit the largest error doubles in 35 steps; at 0.99 it halves in 35.
N_STEPS = 1000


@pytest.mark.parametrize("found", DESIGNS.values(), ids=DESIGNS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_largest_stable_epsilon(found: Data, fit_intercept: bool) -> None:
    # Steps are the fastest by JAX.
    check_largest_stable(found, fit_intercept, backend="jax")


@pytest.mark.parametrize(
    ("name", "fit_intercept"), in_turns(["weighted", "very wide"], [True, False])
)
def test_the_largest_stable_epsilon_everywhere(
    place: Place, name: str, fit_intercept: bool
) -> None:
    check_largest_stable(DESIGNS[name], fit_intercept, **place)


def check_largest_stable(found: Data, fit_intercept: bool, **place: Any) -> None:
    model = GradientDescentRegressor(
        max_iter=N_STEPS, tol=0, fit_intercept=fit_intercept, **place
    )
    expected = largest_stable(found, centred=fit_intercept)
    with pytest.raises(DivergenceError) as caught:
        model.set_params(epsilon=100 * expected).fit(**found)
    error = caught.value
    assert isinstance(error, ValueError)
    # Half of what is promised; it is known to 1e-4 where it takes Lanczos' method.
    assert_allclose(error.max_epsilon, expected, rtol=5e-3)
    named = re.search(
        r"largest stable epsilon for this X is ([-+.e\d]+)\. ", str(error)
    )
    assert named is not None
    limit = float(named[1])
    assert_allclose(limit, error.max_epsilon, rtol=1e-5)

    model.set_params(epsilon=0.99 * limit).fit(**found)
    curve = model.loss_curve_.astype(np.float64)
    assert curve[-1] < curve[0]
    # Converging: the last half of the steps goes down, but for rounding.
    assert curve[-1] <= curve[N_STEPS // 2] * (1 + 1e-5) + 1e-12 * curve[0]
    with pytest.raises(DivergenceError, match="diverged"):
        model.set_params(epsilon=1.01 * limit).fit(**found)


def test_message(place: Place) -> None:
    model = GradientDescentRegressor(epsilon=50.0, **place)
    expected = (
        r"diverged: with epsilon=50\.0 .*largest stable epsilon for this X is "
        r"0\.\d+\. .*smaller epsilon.*StandardScaler.*epsilon='auto'"
    )
    with pytest.raises(DivergenceError, match=expected):
        model.fit(**data())


@pytest.mark.parametrize("loss", ["poisson_deviance", "log_cosh"])
def test_a_limit_that_is_an_estimate_says_so(loss: str) -> None:
    # The curvature on the way is not that at the start: a tenth less may be too long.
    X = data()["X"]
    y = np.exp(0.3 * X[:, 0]) * np.random.default_rng(0).gamma(2, 0.5, len(X))
    with pytest.raises(DivergenceError, match=r"is [-+.e\d]+ by estimate,") as caught:
        GradientDescentRegressor(loss, epsilon=1e4).fit(X, y)
    assert f"{caught.value.max_epsilon:.6g} by estimate" in str(caught.value)
    assert 0 < caught.value.max_epsilon < 1e4
    with pytest.raises(DivergenceError, match="by estimate"):
        GradientDescentRegressorCV([1e4], loss=loss, cv=2).fit(X, y)
    with pytest.raises(DivergenceError) as exact:
        GradientDescentRegressorCV([1e4]).fit(X, y)
    assert "estimate" not in str(exact.value)


def test_pickle() -> None:
    with pytest.raises(DivergenceError) as caught:
        GradientDescentRegressor(epsilon=50.0).fit(**data())
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is DivergenceError
    assert copy.max_epsilon == caught.value.max_epsilon
    assert str(copy) == str(caught.value)


def test_constant_columns_do_not_diverge(place: Place) -> None:
    # No step is too long where there is nothing to descend.
    model = GradientDescentRegressor(epsilon=1e6, **place)
    model.fit(np.ones((60, 4)), data()["y"])
    assert_allclose(model.coef_, 0.0)
    assert_allclose(model.intercept_, data()["y"].mean(), rtol=1e-12)


@pytest.mark.parametrize("loss", ["pinball", "squared_error", "poisson_deviance"])
def test_constant_targets_are_met_before_the_first_step(
    place: Place, loss: str
) -> None:
    # In units of a standard deviation that is rounding, no distance would be short.
    for level in (0.1, 7.0, 1e-9):
        model = GradientDescentRegressor(loss, epsilon=0.01, max_iter=11, **place)
        model.fit(data()["X"], np.full(60, level))  # warnings are errors
        assert_allclose(model.predict(data()["X"]), level, rtol=1e-12)
        assert model.n_iter_ == 0


def test_constant_targets_from_a_start() -> None:
    X = data()["X"]
    model = GradientDescentRegressor("log_cosh", epsilon=0.1, warm_start=True)
    model.fit(X, np.full(60, 7.0)).fit(X, np.full(60, 14.0))
    assert model.n_iter_ > 50  # of a tenth, and shorter ones
    assert_allclose(model.predict(X), 14.0, rtol=1e-5)


def test_steps_about_a_kink_say_what_to_smooth(backend: Any) -> None:
    words = "go back and forth where the slope .* smooth it there: sqrt"
    model = GradientDescentRegressor("mae", epsilon=0.5, backend=backend)
    with pytest.warns(ConvergenceWarning, match=words):
        model.fit(**data())
    root = GradientDescentRegressor(
        lambda y, z: adnp.sqrt(abs(y - z) + 1e-12), epsilon=0.5, backend=backend
    )
    with pytest.raises(DivergenceError, match=r"no bound as that of sqrt.*smooth it"):
        root.fit(**data())


# The first does not get there in so few steps, the other asks for what no float has.
UNREACHED = [
    {"epsilon": 1e-3, "max_iter": 5, "tol": 1e-6},
    {"epsilon": "auto", "max_iter": 1, "tol": 1e-100},
]


@pytest.mark.parametrize("parameters", UNREACHED, ids=["textbook", "auto"])
def test_convergence_warning(place: Place, parameters: dict[str, Any]) -> None:
    model = GradientDescentRegressor(**parameters, **place)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(**data())
    assert len(caught) == 1
    message = str(caught[0].message)
    reached = re.search(r"reached a tolerance of ([-+.e\d]+)", message)
    asked = re.search(r"tol=([-+.e\d]+) was asked", message)
    assert reached is not None
    assert asked is not None
    assert float(asked[1]) == parameters["tol"]
    assert float(reached[1]) > parameters["tol"]
    assert "Increase max_iter or tol" in message
    # Descents that choose their own steps do so in coordinates that scale the columns.
    assert ("scale the columns" in message) == (parameters["epsilon"] != "auto")
    # The line that is blamed is the user's.
    assert caught[0].filename == __file__
    assert model.n_iter_ == parameters["max_iter"]


@pytest.mark.parametrize("epsilon", ["auto", 0.1])
def test_no_warning_where_it_converged(place: Place, epsilon: Any) -> None:
    model = GradientDescentRegressor(epsilon=epsilon, **place).fit(**data())
    assert model.n_iter_ < model.max_iter


@pytest.mark.parametrize("epsilon", ["auto", 0.1])
@pytest.mark.parametrize(
    ("max_iter", "dtype"), in_turns([1, 7, 128, 300], [np.float64, np.float32])
)
def test_zero_tol_takes_every_step(
    place: Place, epsilon: Any, max_iter: int, dtype: Any
) -> None:
    model = GradientDescentRegressor(epsilon=epsilon, max_iter=max_iter, tol=0, **place)
    model.fit(
        *(array.astype(dtype) for array in data().values())
    )  # warnings are errors
    assert model.n_iter_ == max_iter
    assert model.loss_curve_.shape == (max_iter + 1,)
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize("loss", ["squared_error", "poisson_deviance"])
def test_steps_that_are_short_before_they_arrive(loss: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 6))
    X[:, 5] = X[:, 0] + 1e-3 * rng.standard_normal(150)
    y = rng.poisson(np.exp(0.3 * X[:, 1] + 400.0 * (X[:, 5] - X[:, 0]))).astype(float)
    best = GradientDescentRegressor(loss).fit(X, y).loss_curve_[-1]
    model = GradientDescentRegressor(loss, epsilon=0.05, tol=1e-4, max_iter=5_000)
    with pytest.warns(ConvergenceWarning, match="stopped above the minimum") as said:
        model.fit(X, y)
    (left,) = map(float, re.findall(r"lower by (\S+) of", str(said[0].message)))
    assert_allclose(left, 1 - best / model.loss_curve_[-1], rtol=0.06)
    model.fit(X[:, :5], y)  # these depend on each other no more
    if loss == "squared_error":  # a target in large units does not hide another
        with pytest.warns(ConvergenceWarning, match="stopped above the minimum"):
            model.fit(X, np.column_stack([1e6 * X[:, 1], y]))
    GradientDescentRegressorCV([0.05], loss=loss, tol=1e-4, max_iter=5_000).fit(X, y)
