"""What the displays of descents and of searches draw, read back from the artists."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_adreg import (
    CoefficientPathDisplay,
    EpsilonPathDisplay,
    GradientDescentRegressor,
    GradientDescentRegressorCV,
    LossCurveDisplay,
)

EPSILONS = [0.2, 0.01, 0.05]  # not in order


@pytest.fixture(autouse=True)
def plt() -> Iterator[Any]:
    pyplot = importlib.import_module("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    yield pyplot
    pyplot.close("all")


def data(n_targets: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    y = X @ rng.standard_normal((4, n_targets)) + rng.standard_normal((60, n_targets))
    return X, y[:, 0] if n_targets == 1 else y


def textbook(**parameters: Any) -> GradientDescentRegressor:
    return GradientDescentRegressor(
        **({"epsilon": 0.1, "max_iter": 30, "tol": 0} | parameters)
    )


def searched(**parameters: Any) -> GradientDescentRegressorCV:
    search = GradientDescentRegressorCV(EPSILONS, max_iter=30, tol=0, **parameters)
    return search.fit(*data())


def legend_of(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_loss_curves() -> None:
    model = textbook().fit(*data())
    display = LossCurveDisplay.from_estimator(model)
    assert_array_equal(display.line_.get_ydata(), model.loss_curve_)
    assert_array_equal(display.line_.get_xdata(), np.arange(31))
    assert display.ax_.get_yscale() == "log"
    assert display.ax_.get_ylabel() == "objective"
    auto = GradientDescentRegressor().fit(*data())
    other = LossCurveDisplay.from_estimator(auto, ax=display.ax_)
    named = LossCurveDisplay.from_estimator(model, name="again", ax=display.ax_, lw=5)
    assert legend_of(display.ax_) == ["epsilon=0.1", "epsilon='auto'", "again"]
    assert named.line_.get_linewidth() == 5
    looks = {
        (each.line_.get_color(), each.line_.get_linestyle())
        for each in (display, other, named)
    }
    assert len(looks) == 3


def test_loss_curve_of_held_out_rows() -> None:
    model = textbook().set_params(early_stopping=True, random_state=0).fit(*data())
    display = LossCurveDisplay.from_estimator(model)
    held = display.validation_line_
    assert_array_equal(held.get_ydata(), model.validation_loss_curve_)
    assert held.get_linestyle() == "--"
    assert held.get_color() == display.line_.get_color()
    assert legend_of(display.ax_) == ["epsilon=0.1", "epsilon=0.1, held-out rows"]


def test_loss_curve_less_its_optimum() -> None:
    model = textbook().fit(*data())
    optimum = float(model.loss_curve_[20])
    display = LossCurveDisplay.from_estimator(model, baseline=optimum)
    height = np.asarray(display.line_.get_ydata())
    assert_allclose(height[:20], model.loss_curve_[:20] - optimum)
    assert np.isnan(height[20:]).all()
    assert "less" in display.ax_.get_ylabel()
    assert LossCurveDisplay(model.loss_curve_).plot().ax_.get_legend() is None


def wrapped(descent: Any) -> list[Any]:
    """Estimators with the descent inside of them, in the order in which they nest."""
    pipeline = make_pipeline(StandardScaler(), descent)
    grid = {"gradientdescentregressor__epsilon": [0.1]}
    return [pipeline, GridSearchCV(pipeline, grid, cv=2)]


def test_descents_are_found_inside_of_others() -> None:
    X, y = data()
    scaled = StandardScaler().fit_transform(X)
    model = textbook().fit(scaled, y)
    expected = CoefficientPathDisplay.from_estimator(model, scaled, y)
    for outer in wrapped(textbook()):
        outer.fit(X, y)
        loss = LossCurveDisplay.from_estimator(outer)
        assert_array_equal(loss.loss_curve, model.loss_curve_)
        path = CoefficientPathDisplay.from_estimator(outer, X, y)
        assert_array_equal(path.coefs, expected.coefs)
    search = searched()
    loss = LossCurveDisplay.from_estimator(search)
    assert_array_equal(loss.loss_curve, search.loss_curve_)
    path = CoefficientPathDisplay.from_estimator(search, *data())
    assert_array_equal(path.coefs[-1], search.coef_)


@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("backend", ["autograd", "jax"])
def test_coefficient_path(backend: str, n_targets: int) -> None:
    X, y = data(n_targets)
    weights = np.linspace(0.5, 2, 60)
    model = textbook(backend=backend, fit_intercept=False).fit(X, y, weights)
    before = dict(vars(model))
    display = CoefficientPathDisplay.from_estimator(
        model, X, y, sample_weight=weights, target=n_targets - 1
    )
    assert vars(model) == before
    target = np.atleast_2d(y.T)[n_targets - 1]
    coef, path = np.zeros(4), []
    for _ in range(31):
        path.append(coef)
        slope = 2 * X.T @ (weights * (X @ coef - target)) / weights.sum()
        coef = coef - 0.1 * slope
    assert_allclose(display.coefs, path, atol=1e-12)
    assert len(display.lines_) == 4
    for line, values in zip(display.lines_, display.coefs.T, strict=True):
        assert_array_equal(line.get_xdata(), np.arange(31))
        assert_array_equal(line.get_ydata(), values)
    assert legend_of(display.ax_) == [f"feature {number}" for number in range(4)]


def test_long_path_of_named_features() -> None:
    X, y = data()
    names = ["age", "bmi", "bp", "s1"]
    frame = importlib.import_module("pandas").DataFrame(X, columns=names)
    long = textbook(max_iter=2000, epsilon=0.001, backend="jax")
    for model in (long, searched()):
        model.fit(frame, y)
        display = CoefficientPathDisplay.from_estimator(model, frame, y)
        assert legend_of(display.ax_) == names
        assert display.n_iter[0] == 0
        assert display.n_iter[-1] == model.n_iter_
        assert len(display.n_iter) <= 61
        assert (np.diff(display.n_iter) > 0).all()
        assert display.ax_.get_xscale() == "symlog"
        assert_array_equal(display.coefs[-1], model.coef_)


def test_path_of_auto_is_short() -> None:
    X, y = data()
    model = GradientDescentRegressor().fit(X, y)
    display = CoefficientPathDisplay.from_estimator(model, X, y, linewidth=3)
    assert_allclose(display.coefs[-1], model.coef_, rtol=1e-12)
    assert display.lines_[0].get_linewidth() == 3
    assert display.ax_.get_xscale() == "linear"


def test_many_features_have_no_legend() -> None:
    display = CoefficientPathDisplay(np.arange(3), np.ones((3, 40))).plot()
    assert len(display.lines_) == 40
    assert display.ax_.get_legend() is None


def test_epsilon_path() -> None:
    search = searched(cv=4)
    display = EpsilonPathDisplay.from_estimator(search)
    results = search.cv_results_
    order = np.argsort(EPSILONS)
    assert_array_equal(display.epsilons, np.array(EPSILONS)[order])
    assert display.scores.shape == (4, 3)
    mean = results["mean_test_score"][order]
    assert_allclose(display.line_.get_ydata(), mean, rtol=1e-12)
    edges = display.fill_between_.get_paths()[0].vertices[:, 1]
    spread = results["std_test_score"][order]
    assert_allclose(edges.max(), (mean + spread).max(), rtol=1e-12)
    assert_allclose(edges.min(), (mean - spread).min(), rtol=1e-12)
    assert_array_equal(display.best_.get_xdata(), [search.epsilon_])
    assert_array_equal(display.max_epsilon_line_.get_xdata(), search.max_epsilon_)
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_ylabel() == "r2"
    assert any("largest stable" in text for text in legend_of(display.ax_))


@pytest.mark.filterwarnings("ignore:Gradient descent diverged")
def test_epsilon_path_leaves_out_what_diverged() -> None:
    search = GradientDescentRegressorCV([0.01, 0.1, 10.0], max_iter=30, tol=0)
    display = EpsilonPathDisplay.from_estimator(search.fit(*data()))
    assert_array_equal(np.isnan(display.line_.get_ydata()), [False, False, True])
    assert display.best_.get_xdata()[0] < 1


def test_epsilon_path_of_the_best_penalty() -> None:
    search = searched(alphas=[0.0, 5.0], scoring=lambda *_: 1.0)
    display = EpsilonPathDisplay.from_estimator(search)
    assert_array_equal(display.epsilons, np.sort(EPSILONS))
    assert display.ax_.get_ylabel() == "score"


def test_score_of_a_loss_that_takes_row_data() -> None:
    def costly(y: Any, z: Any, *, cost: Any) -> Any:
        return cost * (y - z) ** 2

    X, y = data()
    search = GradientDescentRegressorCV(EPSILONS, loss=costly, max_iter=30, tol=0)
    search.fit(X, y, row_data={"cost": np.linspace(0.5, 1.5, 60)})
    display = EpsilonPathDisplay.from_estimator(search)
    assert display.ax_.get_ylabel() == "d2"
    best = np.nanmax(display.scores.mean(axis=0))
    assert best == pytest.approx(search.best_score_)


def test_epsilon_path_of_other_searches() -> None:
    X, y = data()
    pipeline = make_pipeline(StandardScaler(), textbook())
    grid = {"gradientdescentregressor__epsilon": EPSILONS}
    search = GridSearchCV(pipeline, grid, cv=3, scoring=["neg_max_error"], refit=False)
    with pytest.raises(TypeError, match="epsilon"):
        EpsilonPathDisplay.from_estimator(
            GridSearchCV(Ridge(), {"alpha": [1.0]}).fit(X, y)
        )
    search.set_params(refit="neg_max_error").fit(X, y)
    display = EpsilonPathDisplay.from_estimator(search, scoring="neg_max_error")
    assert display.ax_.get_ylabel() == "neg_max_error"
    assert display.max_epsilon_line_ is None
    with pytest.raises(ValueError, match=r"must be one of \['neg_max_error'\]"):
        EpsilonPathDisplay.from_estimator(search)


@pytest.mark.parametrize("display", [LossCurveDisplay, EpsilonPathDisplay])
def test_estimators_are_checked(display: Any) -> None:
    with pytest.raises(NotFittedError):
        display.from_estimator(GradientDescentRegressorCV())
    with pytest.raises(TypeError, match="Got LinearRegression"):
        display.from_estimator(LinearRegression().fit(*data()))


def test_draw_where_they_are_told(plt: Any) -> None:
    figure, (left, right) = plt.subplots(1, 2)
    search, (X, y) = searched(), data()
    for display in (
        LossCurveDisplay.from_estimator(search, ax=left),
        EpsilonPathDisplay.from_estimator(search, ax=left),
        CoefficientPathDisplay.from_estimator(search, X, y, ax=left),
    ):
        assert display.ax_ is left
        assert display.figure_ is figure
        assert display.plot(ax=right) is display
        assert display.ax_ is right
        assert display.plot().figure_ is not figure


def test_matplotlib_is_asked_for_but_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sklearn-adreg\[plot\]"):
        LossCurveDisplay.from_estimator(searched())
