"""Fitted models are NumPy and parameters: they pickle, and load without JAX."""

from __future__ import annotations

import copy
import importlib
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from types import FunctionType
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from joblib.externals.loky import cloudpickle_wrapper
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_adreg import (
    GradientDescentClassifier,
    GradientDescentRegressor,
    GradientDescentRegressorCV,
)
from sklearn_adreg.backends import Backend
from sklearn_adreg.losses import PointwiseLoss

EPSILONS: list[Any] = ["auto", 0.1]
Place = dict[str, Any]


def data(dtype: Any = np.float64, n_targets: int | None = None) -> Any:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4)).astype(dtype)
    coef = rng.standard_normal((4,) if n_targets is None else (4, n_targets))
    return X, (X @ coef + 3.0).astype(dtype)


def by_pickle(model: Any) -> Any:
    return pickle.loads(pickle.dumps(model))


def by_joblib(model: Any) -> Any:
    buffer = BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


def by_skops(model: Any) -> Any:
    dumped = skops.io.dumps(model)
    unknown = skops.io.get_untrusted_types(data=dumped)
    # All that a user is asked to trust is this package.
    assert unknown
    assert all(name.startswith("sklearn_adreg.") for name in unknown)
    return skops.io.loads(dumped, trusted=unknown)


@pytest.mark.parametrize("copied", [by_pickle, by_joblib, by_skops])
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_round_trip(place: Place, epsilon: Any, copied: Callable[[Any], Any]) -> None:
    X, y = data()
    model = GradientDescentRegressor(epsilon=epsilon, **place).fit(X, y)
    copy = copied(model)
    assert copy.get_params() == model.get_params()
    assert vars(copy).keys() == vars(model).keys()
    assert_array_equal(copy.coef_, model.coef_)
    assert_array_equal(copy.predict(X), model.predict(X))


@pytest.mark.parametrize("copied", [by_pickle, by_joblib, by_skops, clone])
@pytest.mark.parametrize("fitted", [False, True])
def test_backend_instance_is_copied(
    backend: Backend, copied: Callable[[Any], Any], fitted: bool
) -> None:
    X, y = data()
    model = GradientDescentRegressor(backend=backend)
    if fitted:
        model.fit(X, y)
    copy = copied(model)
    assert copy.backend == backend
    assert hash(copy.backend) == hash(backend)
    assert hasattr(copy, "coef_") == (fitted and copied is not clone)
    expected = clone(model).fit(X, y).coef_
    assert_array_equal(copy.fit(X, y).coef_, expected)


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_clone_is_unfitted(place: Place, epsilon: Any) -> None:
    X, y = data()
    model = GradientDescentRegressor(epsilon=epsilon, **place).fit(X, y)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert vars(copy).keys() == model.get_params().keys()


def parts(value: Any) -> Iterator[Any]:
    """A value and everything that it holds."""
    yield value
    children: Any = ()
    if isinstance(value, dict):
        children = value.values()
    elif isinstance(value, list | tuple | set):
        children = value
    elif hasattr(value, "__dict__"):
        children = vars(value).values()
    for child in children:
        yield from parts(child)


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_targets", [None, 2])
def test_attributes_are_numpy(
    place: Place, epsilon: Any, dtype: Any, n_targets: int | None
) -> None:
    X, y = data(dtype, n_targets)
    # Float32 does not reach the default tolerance by textbook steps.
    model = GradientDescentRegressor(epsilon=epsilon, tol=1e-3, **place).fit(X, y)
    for part in parts(vars(model)):
        assert type(part).__module__.split(".")[0] in {"builtins", "numpy"}
    for array in (model.coef_, model.intercept_, model.loss_curve_):
        assert isinstance(array, np.ndarray | np.floating)
        assert array.dtype == dtype
    assert model.coef_.shape == ((4,) if n_targets is None else (n_targets, 4))
    assert np.shape(model.intercept_) == (() if n_targets is None else (n_targets,))
    assert isinstance(model.epsilon_, float)
    assert isinstance(model.n_iter_, int)
    assert model.loss_curve_.shape == (model.n_iter_ + 1,)
    assert model.predict(X).dtype == dtype


def test_the_walk_sees_jax_arrays() -> None:
    # The counterpart: the test above would find a JAX array, however deep.
    jnp = importlib.import_module("jax.numpy")
    modules = {
        type(part).__module__.split(".")[0] for part in parts([{"a": jnp.ones(1)}])
    }
    assert modules & {"jax", "jaxlib"}


WITHOUT_JAX = """
import sys
sys.modules["jax"] = sys.modules["jaxlib"] = None  # import raises ModuleNotFoundError
import joblib
models, X, predictions = joblib.load(sys.argv[1])
for model, expected in zip(models, predictions):
    assert (model.predict(X) == expected).all()
    # Textbook steps stop where one is below 1e-6; the rest of them sum to less.
    model.set_params(backend="autograd", device=None).fit(X, expected)
    assert abs(model.predict(X) - expected).max() < 1e-3
try:
    import jax
except ImportError:
    print(len(models))
"""


def loads_without_jax(
    models: list[GradientDescentRegressor], path: Path, run_python: Callable[..., str]
) -> None:
    X, y = data()
    predictions = [model.fit(X, y).predict(X) for model in models]
    joblib.dump((models, X, predictions), path)
    assert run_python(WITHOUT_JAX, path) == f"{len(models)}\n"


def test_loads_without_jax(
    places: list[Place], tmp_path: Path, run_python: Callable[..., str]
) -> None:
    models = [
        GradientDescentRegressor(epsilon=epsilon, **place)
        for epsilon in EPSILONS
        for place in places
    ]
    loads_without_jax(models, tmp_path / "models.joblib", run_python)


def test_loads_without_jax_with_an_instance(
    device_backend: Backend, tmp_path: Path, run_python: Callable[..., str]
) -> None:
    models = [GradientDescentRegressor(backend=device_backend)]
    loads_without_jax(models, tmp_path / "models.joblib", run_python)


@dataclass(frozen=True)
class Held(PointwiseLoss):
    """A loss that holds a function."""

    function: Any

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred)


def local_loss() -> Any:
    def loss(y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred) ** 2

    return loss


def by_cloudpickle(model: Any) -> Any:
    return cloudpickle_wrapper.loads(cloudpickle_wrapper.dumps(model))


FUNCTIONS: dict[int, Any] = {}


def function_of(number: int) -> Any:
    return FUNCTIONS[number]


PythonPickler: Any = pickle._Pickler


class OwnPickler(PythonPickler):
    """One in Python that writes functions in a way of its own, as dill does."""

    dispatch = PythonPickler.dispatch.copy()

    def save_function(self, function: Any) -> None:
        try:
            self.save_global(function)
        except (pickle.PicklingError, AttributeError):
            FUNCTIONS[id(function)] = function
            self.save_reduce(function_of, (id(function),), obj=function)

    dispatch[FunctionType] = save_function


def by_own_pickler(model: Any) -> Any:
    buffer = BytesIO()
    OwnPickler(buffer).dump(model)
    return pickle.loads(buffer.getvalue())


UNNAMED: list[tuple[Any, str]] = [
    (lambda y, z: (y - z) ** 2, r"`lambda y, z: \(y - z\) \*\* 2`\. Define"),
    (local_loss(), r"`local_loss.<locals>.loss`\. Define"),
    (partial(lambda power, y, z: (y - z) ** power, 2), r"`lambda power, y, z.*partial"),
    (Held(lambda y, z: (y - z) ** 2), r"`lambda y, z: .*` in Held\("),
]


@pytest.mark.parametrize(("loss", "named"), UNNAMED)
@pytest.mark.parametrize("write", [pickle.dumps, by_joblib])
def test_a_loss_without_a_name_is_refused_with_the_remedy(
    loss: Any, named: str, write: Callable[[Any], Any]
) -> None:
    X, y = data()
    model = make_pipeline(GradientDescentRegressor(loss)).fit(X, y)
    rule = f"`loss` parameter of GradientDescentRegressor .*{named}"
    with pytest.raises(pickle.PicklingError, match=f"{rule}.*cloudpickle.dump"):
        write(model)


COPIES = [by_cloudpickle, by_own_pickler, copy.copy, copy.deepcopy, clone]


@pytest.mark.parametrize(("loss", "named"), UNNAMED)
@pytest.mark.parametrize("copied", COPIES)
def test_a_loss_without_a_name_is_copied(
    loss: Any, named: str, copied: Callable[[Any], Any]
) -> None:
    del named
    X, y = data()
    model = GradientDescentRegressor(loss, epsilon=0.1).fit(X, y)
    again = copied(model)
    assert type(again.loss) is type(loss)
    assert again.loss(3.0, 1.0) == 4.0
    assert_array_equal(again.fit(X, y).coef_, model.coef_)


@pytest.mark.parametrize(
    "estimator", [GradientDescentClassifier, GradientDescentRegressorCV]
)
def test_all_estimators_refuse_and_copy_a_lambda(estimator: Any) -> None:
    model = estimator(loss=lambda y, z: (y - z) ** 2)
    with pytest.raises(pickle.PicklingError, match=estimator.__name__):
        pickle.dumps(model)
    assert by_cloudpickle(model).loss(3.0, 1.0) == 4.0
    assert copy.copy(model).loss is model.loss


def test_a_loss_that_refers_to_its_model_pickles() -> None:
    class_of = GradientDescentRegressor
    model = class_of()
    model.loss = partial(max, model)  # without end, if it were tried by itself
    again = by_pickle(model)
    assert again.loss.args == (again,)
