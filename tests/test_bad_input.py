"""What must not be fitted, and what the user reads then.

An error names the parameter (or X, y, sample_weight), what it must be and what it
got, and leaves the estimator as it was.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.backends import AutogradBackend
from sklearn_adreg.exceptions import DivergenceError

Place = dict[str, Any]
N_ROWS, N_COLUMNS = 60, 4


def data(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N_ROWS, N_COLUMNS))
    return X, X @ [1.0, -2.0, 3.0, 0.5] + rng.standard_normal(N_ROWS)


def with_one(array: np.ndarray, value: float) -> np.ndarray:
    array = array.copy()
    array.flat[3] = value
    return array


X, Y = data()
ONES = np.ones(N_ROWS)

BAD_PARAMETERS = [
    *(("epsilon", v) for v in (0, 0.0, -1.0, np.nan, np.inf, "fast", True, None)),
    *(("max_iter", v) for v in (0, -1, 1.5, None, "many")),
    *(("tol", v) for v in (-1e-9, np.nan, np.inf, None, "small")),
    *(("loss", v) for v in (None, 3)),
    *(("backend", v) for v in ("torch", None, AutogradBackend)),
    *(("device", v) for v in (0, 1.5)),
    *(("fit_intercept", v) for v in ("yes", None)),
    *(("warm_start", v) for v in ("yes", None)),
    *(("verbose", v) for v in (-1, "yes", None)),
]


@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS)
def test_parameters(name: str, value: Any) -> None:
    model = GradientDescentRegressor(**{name: value})
    expected = f"'{name}' parameter of GradientDescentRegressor must be .* Got "
    with pytest.raises(ValueError, match=expected + re.escape(f"{value!r} instead")):
        model.fit(X, Y)


@pytest.mark.parametrize("absent", ["cuda:7", "nonsense", "", "CPU", "cpu:99"])
@pytest.mark.parametrize("epsilon", ["auto", 0.1])
def test_absent_device(absent: str, epsilon: Any) -> None:
    model = GradientDescentRegressor(epsilon=epsilon, backend="jax", device=absent)
    expected = f"'device' parameter must be .*'cpu'.* Got '{absent}' instead"
    with pytest.raises(ValueError, match=expected):
        model.fit(X, Y)


@pytest.mark.parametrize("device", ["cpu", "cuda", "nonsense"])
def test_autograd_has_no_device(device: str) -> None:
    expected = f"'device' parameter must be None.* Got '{device}'.* backend='jax'"
    with pytest.raises(ValueError, match=expected):
        GradientDescentRegressor(device=device).fit(X, Y)


# Where scikit-learn has a sentence of its own, it is scikit-learn's that is expected.
BAD_DATA = {
    "X NaN": (with_one(X, np.nan), Y, "Input X contains NaN"),
    "X infinite": (with_one(X, np.inf), Y, "Input X contains infinity"),
    "X complex": (X + 1j, Y, "Complex data not supported"),
    "X strings": (np.full(X.shape, "a"), Y, "could not convert string .*'a'"),
    "X objects": (np.full(X.shape, "a", object), Y, "could not convert string .* 'a'"),
    "X 1-d": (X[:, 0], Y, "Expected 2D array, got 1D array"),
    "X 3-d": (X[:, :, None], Y, "Found array with dim 3.* <= 2"),
    "X no rows": (X[:0], Y[:0], r"0 sample\(s\) \(shape=\(0, 4\)\) while a minimum"),
    "X no columns": (X[:, :0], Y, r"0 feature\(s\) \(shape=\(60, 0\)\) while"),
    "y NaN": (X, with_one(Y, np.nan), "Input y contains NaN"),
    "y infinite": (X, with_one(Y, -np.inf), "Input y contains infinity"),
    "y complex": (X, Y + 1j, "Complex data not supported"),
    "y strings": (X, np.full(N_ROWS, "a"), "target y must be .* Got dtype <U1"),
    "y dates": (X, np.full(N_ROWS, np.datetime64("2020")), "y must be .* datetime64"),
    "y durations": (
        X,
        np.full(N_ROWS, np.timedelta64(1, "D")),
        "y must be .* timedelta64",
    ),
    "y objects": (X, np.full(N_ROWS, "a", object), "could not convert string .* 'a'"),
    "y sparse": (X, sparse.csr_array(Y[:, None]), "y must be a dense .* sparse"),
    "y 3-d": (X, Y[:, None, None], "Found array with dim 3.* <= 2"),
    "y missing": (X, None, "requires y to be passed, but the target y is None"),
    "y no targets": (X, Y[:, None][:, :0], r"0 feature\(s\) \(shape=\(60, 0\)\)"),
    "y short": (X, Y[:-1], r"inconsistent numbers of samples: \[60, 59\]"),
    "y too large": (
        X.astype(np.float32),
        Y * 1e60,
        "y must fit in float32.* too large",
    ),
}


@pytest.mark.parametrize(("X", "y", "expected"), BAD_DATA.values(), ids=BAD_DATA)
def test_data(X: Any, y: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        GradientDescentRegressor().fit(X, y)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_design(kind: Any) -> None:
    models: list[Any] = [
        GradientDescentRegressor(),
        GradientDescentRegressor(epsilon=0.1),
        GradientDescentRegressor("huber", alpha=0.1, l1_ratio=0.5),
        GradientDescentRegressorCV(),
    ]
    for model in models:
        for bad, name in ((np.nan, "NaN"), (-np.inf, "infinity")):
            with pytest.raises(ValueError, match=f"Input X contains {name}"):
                model.fit(kind(with_one(X, bad)), Y)
        with pytest.raises(ValueError, match=r"squares of X .* overflow"):
            model.fit(kind(with_one(X, 1e200)), Y)
        with pytest.raises(ValueError, match="Complex data not supported"):
            model.fit(kind(X + 1j), Y)
        with pytest.raises(ValueError, match=r"y must be a dense .* sparse"):
            model.fit(kind(X), kind(Y[:, None]))
        model.set_params(backend="jax", device="cpu")
        with pytest.raises(ValueError, match=r"'device' .* 'cpu' .* device=None"):
            model.fit(kind(X), Y)
    with pytest.raises(ValueError, match=r"4 features.* 3|3 features.* 4"):
        GradientDescentRegressor().fit(X, Y).predict(kind(X[:, :3]))
    # A column that vanishes when it is squared, among others that have no entries.
    small = np.c_[X, 0 * X]
    small[:, 0] *= 1e-200
    with pytest.raises(ValueError, match=r"squares of X .* underflow"):
        GradientDescentRegressor().fit(kind(small), Y)


# Squares of these are not finite in their dtype, or zero.
EXTREMES = [(np.float64, 1e200), (np.float64, 1e-200), (np.float32, 1e25)]


def reason_not_to_fit(model: Any, X: np.ndarray, y: np.ndarray) -> str:
    try:
        model.fit(X, y)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("dtype", "scale"), EXTREMES)
@pytest.mark.parametrize("scaled", ["X", "y"])
@pytest.mark.parametrize("epsilon", ["auto", 0.1])
def test_extreme_scales(
    place: Place, epsilon: Any, scaled: str, dtype: Any, scale: float
) -> None:
    big_X = (X * (scale if scaled == "X" else 1.0)).astype(dtype)
    big_y = (Y * (scale if scaled == "y" else 1.0)).astype(dtype)
    model = GradientDescentRegressor(epsilon=epsilon, tol=1e-4, **place)
    # Either it says which of the two is at fault, or it fits, and well.
    if reason := reason_not_to_fit(model, big_X, big_y):
        assert re.search(rf"\b{scaled}\b", reason)
        return
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_)
    if epsilon == "auto":
        expected = GradientDescentRegressor().fit(X, Y).predict(X)
        predicted = model.predict(big_X) * (float(Y[0]) / float(big_y[0]))
        assert_allclose(predicted, expected, atol=1e-3)


BAD_WEIGHTS = {
    "negative": (with_one(ONES, -2.0), "negative.* Got .*-2.0"),
    "negative scalar": (-2.0, "negative.* Got .*-2.0"),
    "all zero": (0 * ONES, "weight above zero.* zero"),
    "zero": (0.0, "weight above zero.* zero"),
    "NaN": (with_one(ONES, np.nan), "NaN"),
    "infinite": (with_one(ONES, np.inf), "infinity"),
    "short": (ONES[1:], r"shape \(60,\).* Got shape \(59,\)"),
    "one": (ONES[:1], r"shape \(60,\).* Got shape \(1,\)"),
    "none": (ONES[:0], r"shape \(60,\).* Got shape \(0,\)"),
    "column": (ONES[:, None], r"shape \(60,\).* Got shape \(60, 1\)"),
    "table": (np.ones((N_ROWS, 2)), r"shape \(60,\).* Got shape \(60, 2\)"),
    "complex": (ONES + 1j, "[Cc]omplex"),
    "strings": (np.full(N_ROWS, "a"), "number"),
    "sparse": (sparse.csr_array(ONES[:, None]), "dense array .* Got a sparse"),
}


@pytest.mark.parametrize(("weight", "expected"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_sample_weight(weight: Any, expected: str) -> None:
    # Where it names the parameter is no matter.
    with pytest.raises((ValueError, TypeError), match=expected) as caught:
        GradientDescentRegressor().fit(X, Y, weight)
    assert "sample_weight" in str(caught.value)


def test_predict() -> None:
    model = GradientDescentRegressor().fit(X, Y)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* expecting 4 feat"):
        model.predict(X[:, :3])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict(with_one(X, np.nan))


def test_warm_start_of_another_shape() -> None:
    model = GradientDescentRegressor(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match=r"warm_start=True.* 4 features.* Got 3 feat"):
        model.fit(X[:, :3], Y)


WITHOUT_JAX = """
import sys
sys.modules["jax"] = sys.modules["jaxlib"] = None  # import raises ModuleNotFoundError
import numpy as np
from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
X = np.eye(3)
for device in None, "cpu":
    try:
        GradientDescentRegressor(backend="jax", device=device).fit(X, X[0])
    except ImportError as error:
        print(error)
from sklearn_adreg.backends import JaxBackend
try:
    JaxBackend().value_and_gradient(abs)
except ImportError as error:
    print(error)
"""


def test_missing_jax(run_python: Callable[..., str]) -> None:
    lines = run_python(WITHOUT_JAX).splitlines()
    assert len(lines) == 3
    for line in lines:
        assert "backend='jax'" in line
        assert "pip install 'sklearn-adreg[jax]'" in line


def test_missing_tqdm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("tqdm", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, name, None)
    model = GradientDescentRegressor("huber", epsilon=0.01, max_iter=10, tol=0)
    model.set_params(verbose=1).fit(X, Y)
    steps = [line.split(",")[0] for line in capsys.readouterr().err.splitlines()]
    assert steps == [f"gradient descent: step {n}" for n in (1, 2, 4, 8, 10)]
    model.set_params(verbose=0).fit(X, Y)
    assert capsys.readouterr().err == ""


def test_a_progress_bar_ends_full(capsys: pytest.CaptureFixture[str]) -> None:
    GradientDescentRegressor("huber", verbose=1).fit(X, Y)
    assert "100%" in capsys.readouterr().err.splitlines()[-1]


def assert_unchanged(model: Any, before: dict[str, Any], saved: dict[str, Any]) -> None:
    assert vars(model).keys() == before.keys()
    for name, value in before.items():
        assert getattr(model, name) is value, name
        assert_array_equal(value, saved[name])


class Interrupted(AutogradBackend):
    """A backend in which somebody presses Ctrl-C."""

    def value_and_gradient(self, function: Any) -> Any:
        raise KeyboardInterrupt(function)

    def value_and_derivative(self, loss: Any) -> Any:
        raise KeyboardInterrupt(loss)


FAILURES: dict[str, tuple[dict[str, Any], tuple[Any, ...], type[BaseException]]] = {
    "parameter": ({"epsilon": -1.0}, (X, Y), ValueError),
    "X": ({}, (with_one(X, np.nan), Y), ValueError),
    "y": ({}, (X[:, :2], with_one(Y, np.nan)), ValueError),
    "sample_weight": ({}, (X[:, :2], Y, -ONES), ValueError),
    "device": ({"backend": "jax", "device": "cuda:7"}, (X[:, :2], Y), ValueError),
    "warm_start": ({"warm_start": True}, (X[:, :2], Y), ValueError),
    "divergence": ({"epsilon": 1e3}, (X[:, :2], Y), DivergenceError),
    "convergence": (
        {"epsilon": 1e-3, "max_iter": 2},
        (X[:, :2], Y),
        ConvergenceWarning,
    ),
    "interrupt": ({"backend": Interrupted()}, (X[:, :2], Y), KeyboardInterrupt),
    "interrupt in a step": (
        {"backend": Interrupted(), "epsilon": 0.1},
        (X[:, :2], Y),
        KeyboardInterrupt,
    ),
}


@pytest.mark.parametrize(
    ("parameters", "arguments", "error"), FAILURES.values(), ids=FAILURES
)
@pytest.mark.parametrize("fitted", [False, True])
def test_failed_fit_changes_nothing(
    parameters: Any, arguments: Any, error: type[BaseException], fitted: bool
) -> None:
    if "warm_start" in parameters and not fitted:
        parameters = {**parameters, "tol": -1.0}  # nothing to start from: fail anyhow
    model = GradientDescentRegressor()
    if fitted:
        pandas = importlib.import_module("pandas")
        model.fit(pandas.DataFrame(X, columns=list("abcd")), Y)
        assert model.n_features_in_ == N_COLUMNS
        assert list(model.feature_names_in_) == list("abcd")
    model.set_params(**parameters)
    before = dict(vars(model))
    saved = {name: np.copy(value) for name, value in before.items()}
    with pytest.raises(error):
        model.fit(*arguments)
    assert_unchanged(model, before, saved)
