"""What is imported, and when: JAX, matplotlib and tqdm only where they are used.

Each test runs in a fresh interpreter, in which nothing has been imported before.
"""

from __future__ import annotations

from collections.abc import Callable

HEAVY = ["jax", "jaxlib", "matplotlib", "tqdm"]

PREPARE = """
import sys
import autograd
import numpy as np
import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.derivatives import derivatives

X = np.random.default_rng(0).standard_normal((20, 3))
y = X @ [1.0, 2.0, 3.0]
"""

IMPORTED = "\nprint(*(name for name in {names} if name in sys.modules))"

RunPython = Callable[..., str]


def test_import_of_the_package(run_python: RunPython) -> None:
    # scikit-learn's linear_model first: what it imports is not our doing.
    code = "import sklearn.linear_model, sys; before = set(sys.modules)\n"
    code += "import sklearn_adreg, sklearn_adreg.backends, sklearn_adreg.losses\n"
    code += f"print(*(set(sys.modules) - before) & set({HEAVY}))"
    assert run_python(code).split() == []


def test_autograd_does_not_import_jax(run_python: RunPython) -> None:
    # Neither fits, searches, the namespace nor derivatives do, and no error does.
    code = """
for epsilon in "auto", 0.1:
    GradientDescentRegressor(epsilon=epsilon).fit(X, y).predict(X)
GradientDescentRegressorCV([0.1]).fit(X, y)
autograd.elementwise_grad(adnp.tanh)(np.ones(3))
derivatives(np.tanh, 1.0, 2)
for parameters in {"epsilon": -1.0}, {"backend": "nonsense"}, {"device": "cuda"}:
    try:
        GradientDescentRegressor(**parameters).fit(X, y)
    except ValueError as error:
        print(next(iter(parameters)) in str(error))
"""
    printed = run_python(PREPARE + code + IMPORTED.format(names=HEAVY)).split()
    assert printed == ["True", "True", "True"]


def test_jax_is_imported_when_asked_for(run_python: RunPython) -> None:
    # The counterpart: a test of what is not imported must see what is.
    fit = 'GradientDescentRegressor(backend="jax").fit(X, y)'
    code = PREPARE + fit + IMPORTED.format(names=["jax", "matplotlib", "tqdm"])
    assert run_python(code).split() == ["jax"]
