"""What scikit-learn's estimators do beyond fitting: callbacks and representations."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import sklearn
import sklearn.base
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV
from sklearn.utils import estimator_html_repr

import sklearn_adreg
from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.exceptions import DivergenceError

X = np.random.default_rng(0).standard_normal((40, 3))
y = X @ [1.0, 2.0, 3.0] + np.random.default_rng(1).standard_normal(40)


class Counter:
    """Counts what it is told, and what it was told last."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def setup(self, **_given: Any) -> None:
        self.told.append("setup")

    def teardown(self, **_given: Any) -> None:
        self.told.append("teardown")

    def on_fit_task_begin(self, _estimator: Any, context: Any) -> None:
        self.told.append(f"begin {context.task_name}")

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, fitted_estimator: Any = None
    ) -> None:
        self.told.append(f"end {context.task_name}")
        if context.task_name == "fit":
            assert_allclose(fitted_estimator.predict(X), estimator.predict(X))


def test_callbacks_see_a_fit_and_its_steps() -> None:
    pytest.importorskip("sklearn.callback")
    counter = Counter()
    model = GradientDescentRegressor("huber").set_callbacks(counter)
    plain = vars(GradientDescentRegressor("huber").fit(X, y)).keys()
    assert vars(model.fit(X, y)).keys() - plain == {"_skl_callbacks"}
    assert counter.told[:2] == ["setup", "begin fit"]
    assert counter.told[-2:] == ["end fit", "teardown"]
    assert counter.told.count("end step") >= model.n_iter_ > 0


def test_callbacks_are_torn_down_after_an_error() -> None:
    pytest.importorskip("sklearn.callback")
    counter = Counter()
    model = GradientDescentRegressor(epsilon=1e6, tol=0).set_callbacks(counter)
    with pytest.raises(DivergenceError):
        model.fit(X, y)
    assert counter.told[-1] == "teardown"
    assert not hasattr(model, "coef_")
    assert not hasattr(model, "_callback_fit_ctx")


def test_scores_are_monitored_alone_and_in_a_search() -> None:
    callback = pytest.importorskip("sklearn.callback")
    monitor = callback.ScoringMonitor(scoring="r2")
    model = GradientDescentRegressor().set_callbacks(monitor).fit(X, y)
    (row,) = monitor.get_logs().data
    assert row["r2"] == model.score(X, y)
    GridSearchCV(model, {"alpha": [0.0, 1.0]}, cv=2).fit(X, y)
    assert len(monitor.get_logs(select="all")) >= 2


def test_progress_bar_of_scikit_learn(capsys: pytest.CaptureFixture[str]) -> None:
    callback = pytest.importorskip("sklearn.callback")
    bar = callback.ProgressBar()
    GradientDescentRegressor().set_callbacks(bar).fit(X, y)
    search = GridSearchCV(GradientDescentRegressor(), {"alpha": [0.0, 1.0]})
    search.set_callbacks(bar).fit(X, y)
    assert "100%" in capsys.readouterr().out


@pytest.mark.parametrize("kind", [GradientDescentRegressor, GradientDescentRegressorCV])
def test_representation_in_notebooks(
    kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = kind(loss=lambda y_true, y_pred: abs(y_true - y_pred))
    shown = estimator_html_repr(model)
    if hasattr(sklearn.base.BaseEstimator, "_get_params_html"):  # from 1.7 on
        assert "lambda y_true, y_pred: abs(y_true - y_pred)" in shown
    assert model._get_doc_link() == ""
    template = "https://there/{estimator_module}.{estimator_name}.html"
    monkeypatch.setattr(kind, "_doc_link_template", template)
    expected = f"https://there/sklearn_adreg.{kind.__name__}.html"
    assert model._get_doc_link() == expected
    assert expected in estimator_html_repr(model)


def test_versions() -> None:
    command = [sys.executable, "-m", "sklearn_adreg"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = dict(line.split(maxsplit=1) for line in lines.splitlines())
    assert found["sklearn-adreg"] == sklearn_adreg.__version__
    assert found["python"] == platform.python_version()
    assert found["scikit-learn"] == sklearn.__version__
