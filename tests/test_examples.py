"""The examples, from their files: a third backend, and the small part of the demo."""

import importlib.util
import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes

from sklearn_adreg import GradientDescentRegressor

EXAMPLES = Path(__file__).parents[1] / "examples"


def load_example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where pickle looks a class up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def third():
    module = load_example("complex_step_backend")
    yield module.ComplexStepBackend()
    del sys.modules["complex_step_backend"]


@pytest.fixture(scope="module")
def demo():
    pyplot = importlib.import_module("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    yield load_example("plot_linear_regression")
    pyplot.close("all")
    del sys.modules["plot_linear_regression"]


def regression(n_targets, dtype=np.float64):
    rng = np.random.default_rng(7)
    X = rng.standard_normal((60, 5))
    y = X @ rng.standard_normal((5, n_targets)) + rng.standard_normal((60, n_targets))
    y = y[:, 0] if n_targets == 1 else y
    return X.astype(dtype), y.astype(dtype)


class TestThirdBackend:
    @pytest.mark.parametrize("n_targets", [1, 3])
    @pytest.mark.parametrize("epsilon", ["auto", 0.1])
    def test_equals_autograd(self, third, epsilon, n_targets):
        X, y = regression(n_targets)
        settings = {"epsilon": epsilon, "max_iter": 50, "tol": 0}
        by_step = GradientDescentRegressor(backend=third, **settings).fit(X, y)
        by_tape = GradientDescentRegressor(backend="autograd", **settings).fit(X, y)
        assert by_step.coef_.dtype == np.float64
        # Both derivatives are right to rounding, and 50 steps do not amplify it.
        np.testing.assert_allclose(by_step.coef_, by_tape.coef_, rtol=1e-10)
        np.testing.assert_allclose(by_step.intercept_, by_tape.intercept_, rtol=1e-10)
        np.testing.assert_allclose(by_step.loss_curve_, by_tape.loss_curve_, rtol=1e-10)

    def test_equals_autograd_on_data_as_they_come(self, third):
        X, y = load_diabetes(return_X_y=True, scaled=False)
        by_step = GradientDescentRegressor(backend=third).fit(X, y)
        by_tape = GradientDescentRegressor(backend="autograd").fit(X, y)
        np.testing.assert_allclose(by_step.coef_, by_tape.coef_, rtol=1e-10)

    @pytest.mark.parametrize("epsilon", ["auto", 0.1])
    def test_keeps_float32(self, third, epsilon):
        X, y = regression(1, np.float32)
        by_step = GradientDescentRegressor(epsilon=epsilon, backend=third).fit(X, y)
        by_tape = GradientDescentRegressor(epsilon=epsilon).fit(X, y)
        assert by_step.coef_.dtype == np.float32
        # float32 carries 1e-7; the gradient at the minimum is a sum of 60 residuals.
        np.testing.assert_allclose(by_step.coef_, by_tape.coef_, rtol=1e-4)

    def test_clones_and_pickles(self, third):
        X, y = regression(1)
        model = GradientDescentRegressor(backend=third).fit(X, y)
        assert clone(model).get_params()["backend"] == third
        restored = pickle.loads(pickle.dumps(model))
        assert restored.backend == third
        np.testing.assert_array_equal(restored.predict(X), model.predict(X))
        np.testing.assert_array_equal(restored.fit(X, y).coef_, model.coef_)

    def test_has_no_devices(self, third):
        X, y = regression(1)
        with pytest.raises(ValueError, match="backend='complex step'"):
            GradientDescentRegressor(backend=third, device="cpu").fit(X, y)

    def test_refuses_a_loss_that_is_not_analytic(self, third):
        derivative = third.value_and_derivative(lambda y, z: np.abs(y - z))
        with pytest.raises(TypeError, match="abs"):
            derivative(np.zeros(3), np.ones(3))


@pytest.mark.parametrize("name", ["plot_tobit", "plot_costs_of_rows", "plot_intervals"])
def test_claims_of_losses_that_see_their_row(name):
    pyplot = importlib.import_module("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    load_example(name)
    pyplot.close("all")
    del sys.modules[name]


class TestDemo:
    @pytest.mark.parametrize("name", ["note_problem", "diabetes_problem"])
    def test_claims_hold(self, demo, name, capsys):
        problem = getattr(demo, name)()
        rows = demo.compare(problem)  # asserts its claim
        assert [row.model for row in rows] == list(demo.models(problem))
        exact = rows[2]
        for row in rows[:2]:
            assert row.score == pytest.approx(exact.score, rel=1e-6)
        demo.print_table(problem, rows)
        lines = capsys.readouterr().out.splitlines()
        assert len({len(line) for line in lines[1:-1]}) == 1, "columns are not aligned"

    def test_longest_stable_step(self, demo):
        problem = demo.note_problem()
        largest = np.linalg.norm(problem.X, ord=2) ** 2 / len(problem.X)
        assert demo.longest_stable(problem) == pytest.approx(1 / largest, rel=1e-6)

    def test_draws_the_descents(self, demo, tmp_path):
        figure = demo.draw_descents()
        assert [len(axes.lines) for axes in figure.axes] == [5, 2]
        path = tmp_path / "descent.png"
        figure.savefig(path)
        assert path.stat().st_size > 0
