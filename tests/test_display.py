"""What the displays draw, read back from the artists."""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import sklearn_adreg.numpy as adnp
from sklearn_adreg import DerivativesDisplay, OdeDisplay
from sklearn_adreg.derivatives import derivatives

X = np.linspace(-4, 4, 50)


@pytest.fixture(autouse=True)
def plt() -> Iterator[Any]:
    pyplot = importlib.import_module("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    yield pyplot
    pyplot.close("all")


@pytest.mark.parametrize("backend", ["autograd", "jax"])
def test_derivatives(backend: str) -> None:
    display = DerivativesDisplay.from_function(np.tanh, X, order=5, backend=backend)
    expected = derivatives(np.tanh, X, 5, backend=backend)
    assert_array_equal(display.values, expected)
    assert len(display.lines_) == 6
    for line, values in zip(display.lines_, expected, strict=True):
        assert_array_equal(line.get_xdata(), X)
        assert_array_equal(line.get_ydata(), values)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["$f$", "$f'$", "$f''$", "$f'''$", "$f^{(4)}$", "$f^{(5)}$"]
    assert display.ax_.get_xlabel() == "$x$"
    display.figure_.canvas.draw()  # the notation is one that Matplotlib can set


def test_lines_can_be_told_apart() -> None:
    display = DerivativesDisplay.from_function(np.sin, X, order=6)
    looks = {(line.get_color(), line.get_linestyle()) for line in display.lines_}
    assert len(looks) == 7


def test_lines_take_keywords() -> None:
    display = DerivativesDisplay.from_function(np.sin, X, order=1, linewidth=4)
    assert [line.get_linewidth() for line in display.lines_] == [4, 4]


def test_draws_where_it_is_told(plt: Any) -> None:
    figure, (left, right) = plt.subplots(1, 2)
    display = DerivativesDisplay.from_function(np.sin, X, order=1, ax=left)
    assert display.ax_ is left
    assert display.figure_ is figure
    assert display.plot(ax=right) is display
    assert display.ax_ is right
    ode = OdeDisplay.from_function(np.sin, lambda _, y: -y[2], X, 2, ax=left)
    assert ode.ax_ is left
    assert ode.plot() is ode
    assert ode.figure_ is not figure


def test_ode() -> None:
    display = OdeDisplay.from_function(
        np.sin, lambda _, y: -y[2], X, 2, right_label="$-f''$"
    )
    left, right = display.lines_
    assert_array_equal(left.get_ydata(), np.sin(X))
    assert_array_equal(right.get_ydata(), np.sin(X))
    assert display.max_residual_ == 0.0
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["$f$", "$-f''$"]
    # Both can be seen where they are the same.
    assert left.get_linewidth() > 2 * right.get_linewidth()
    assert right.get_zorder() >= left.get_zorder()
    assert right.get_linestyle() == "--"


def test_ode_that_is_solved_for_a_derivative() -> None:
    display = OdeDisplay.from_function(
        adnp.tanh, lambda _, y: 1 - y[0] ** 2, X, 1, solved_for=1, backend="jax"
    )
    assert_array_equal(display.left, derivatives(adnp.tanh, X, 1, backend="jax")[1])
    assert 0 < display.max_residual_ < 1e-15
    assert display.lines_[0].get_label() == "$f'$"


def test_ode_that_is_not_solved() -> None:
    display = OdeDisplay.from_function(np.sin, lambda _, y: y[1], X, 1)
    assert display.max_residual_ == np.abs(np.sin(X) - np.cos(X)).max()
    assert display.ax_.get_title() == "largest difference: 1.4e+00"


@pytest.mark.parametrize("x", [1.0, [1.0], np.ones((2, 2))])
def test_points_are_checked(x: Any) -> None:
    with pytest.raises(ValueError, match=r"`x` parameter must be .*\(n_points,\)"):
        DerivativesDisplay.from_function(np.sin, x)
    with pytest.raises(ValueError, match=r"`x` parameter must be .*\(n_points,\)"):
        OdeDisplay.from_function(np.sin, lambda _, y: y[0], x, 1)


def test_matplotlib_is_asked_for_but_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sklearn-adreg\[plot\]"):
        DerivativesDisplay.from_function(np.sin, X)


def test_other_import_errors_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError("of its own", name="something_else")
        return original(name, *args, **kwargs)

    original = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(ModuleNotFoundError, match="of its own"):
        DerivativesDisplay.from_function(np.sin, X)


def test_matplotlib_is_imported_to_draw(run_python: Callable[..., str]) -> None:
    code = """
import sys
import numpy as np
import sklearn_adreg
display = sklearn_adreg.DerivativesDisplay(np.arange(2.0), np.ones((2, 2)))
print("matplotlib" in sys.modules)
import matplotlib
matplotlib.use("agg")
print(len(display.plot().lines_))
"""
    assert run_python(code).split() == ["False", "2"]
