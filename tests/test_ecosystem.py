"""Packages that take scikit-learn's estimators take ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
import skrub
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_adreg import (
    GradientDescentClassifier,
    GradientDescentRegressor,
    GradientDescentRegressorCV,
)
from sklearn_adreg.losses import NormalLogLikelihood, PoissonDeviance
from sklearn_adreg.onnx import register

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 3))
Y = np.round(np.exp(X @ [0.5, 0.3, 0.0]) + RNG.exponential(size=90))
LABELS = np.digitize(X[:, 0] + RNG.standard_normal(90), [-0.5, 0.5])


def test_a_table_by_skrub() -> None:
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    table["kind"] = np.array(["low", "middle", "high"])[LABELS]
    table["day"] = pd.date_range("2024-01-01", periods=90)
    ours = skrub.tabular_pipeline(GradientDescentRegressor()).fit(table, Y)
    theirs = skrub.tabular_pipeline(LinearRegression()).fit(table, Y)
    # The table is one of float32.
    assert_allclose(ours.predict(table), theirs.predict(table), rtol=1e-4)
    classifier = skrub.tabular_pipeline(GradientDescentClassifier())
    assert classifier.fit(table, LABELS).score(table, LABELS) > 0.9


def outputs_of(model: Any, given: np.ndarray) -> list[Any]:
    """What ONNX Runtime returns for a model that is converted."""
    register()
    options = {"zipmap": False} if hasattr(model, "classes_") else None
    written = skl2onnx.to_onnx(model, given[:1], options=options)
    session = onnxruntime.InferenceSession(
        written.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found: list[Any] = session.run(None, {"X": given})
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "model",
    [
        GradientDescentRegressor(),
        GradientDescentRegressor("poisson"),
        GradientDescentRegressorCV([0.01, 0.1], loss="huber", max_iter=30, tol=0),
        make_pipeline(StandardScaler(), GradientDescentRegressor("gamma")),
    ],
    ids=["identity", "log", "search", "pipeline"],
)
def test_regressors_in_onnx(model: Any, dtype: Any) -> None:
    model.fit(X, Y + 1)
    (found,) = outputs_of(model, X.astype(dtype))
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    assert found.dtype == dtype
    assert_allclose(found[:, 0], model.predict(X), rtol=rtol)


def test_several_targets_and_bernoulli_in_onnx() -> None:
    model = GradientDescentRegressor().fit(X, np.column_stack([Y, -Y]))
    assert_allclose(outputs_of(model, X)[0], model.predict(X), rtol=1e-12)
    model = GradientDescentRegressor("log_loss").fit(X, LABELS / 2)
    assert_allclose(outputs_of(model, X)[0][:, 0], model.predict(X), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.int64, np.bool_])
def test_columns_that_are_no_floats_in_onnx(dtype: Any) -> None:
    given = (2 * X).astype(dtype)
    model = GradientDescentRegressor("poisson").fit(given, Y)
    (found,) = outputs_of(model, given)
    assert found.dtype == np.float32
    assert_allclose(found[:, 0], model.predict(given), rtol=1e-5)


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
@pytest.mark.parametrize(
    "labels",
    [
        *(LABELS > 0, np.array(["a", "b"])[LABELS // 2], LABELS.astype(float)),
        *(LABELS, LABELS.astype(str)),
    ],
    ids=["bool", "two strings", "floats", "integers", "strings"],
)
def test_classifiers_in_onnx(loss: str, labels: np.ndarray) -> None:
    model = GradientDescentClassifier(loss).fit(X, labels)
    found, scores = outputs_of(model, X)
    assert_array_equal(np.asarray(found).astype(labels.dtype), model.predict(X))
    if loss == "log_loss":
        expected = model.predict_proba(X)
    else:
        expected = model.decision_function(X).reshape(len(X), -1)
    assert_allclose(scores, expected, rtol=1e-10, atol=1e-15)


class Rooted(PoissonDeviance):
    """A link of its own."""

    def inverse_link(self, linear: Any) -> Any:
        return linear**2


@pytest.mark.parametrize("loss", [Rooted(), NormalLogLikelihood()])
def test_a_link_that_onnx_does_not_have(loss: Any) -> None:
    model = GradientDescentRegressor("mse").fit(X, Y)
    model.loss_ = loss
    with pytest.raises(NotImplementedError, match=r"inverse link of the loss .* own"):
        outputs_of(model, X)
