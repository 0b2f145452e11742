"""What a type checker says of a user's script, and that names it knows are those."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from mypy import api

from sklearn_adreg.losses import NAMED, Name

GOOD = """
import numpy as np
import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg.losses import Huber, loss_scorer

class Mine(GradientDescentRegressor):
    pass

def cost(y_true, y_pred):
    return adnp.maximum(4 * (y_true - y_pred), y_pred - y_true)

X, y = np.ones((3, 1)), np.ones(3)
mine: Mine = Mine(cost, epsilon=0.1).fit(X, y).set_params(alpha=1.0)
for name in ["huber", "mae"]:
    GradientDescentRegressor(name, backend="jax").fit(X, y)
search: GradientDescentRegressorCV = GradientDescentRegressorCV(
    loss=Huber(), scoring=loss_scorer("mae")
).fit(X, y)
"""
# What fits do not need to be typed for is left out: it takes ten seconds.
CONFIG = """
[mypy]
ignore_missing_imports = True
[mypy-jax.*,matplotlib.*,scipy.*,sklearn.*,autograd.*,tqdm.*]
follow_imports = skip
"""
BAD = """
import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
adnp.maximun(1, 2)
GradientDescentRegressor(epsilon="fast")
GradientDescentRegressor(backend="torch")
GradientDescentRegressor(los="huber")
reveal_type(GradientDescentRegressor().fit([[1.0]], [1.0]))
"""


def test_a_type_checker_on_scripts(tmp_path: Path) -> None:
    for name, text in (("good", GOOD), ("bad", BAD)):
        (tmp_path / f"{name}.py").write_text(text)
    config = tmp_path / "mypy.ini"
    config.write_text(CONFIG)
    cache = Path(__file__).parents[1] / ".mypy_cache" / "of_scripts"
    paths = [str(tmp_path / f"{name}.py") for name in ("good", "bad")]
    out, _, _ = api.run([f"--config-file={config}", f"--cache-dir={cache}", *paths])
    lines = re.findall(r"(good|bad)\.py:(\d+): (?:error: |note: Revealed)(.*)", out)
    assert [(name, int(line)) for name, line, _ in lines] == [
        ("bad", line) for line in (4, 5, 6, 7, 8)
    ], out
    for (_, _, said), expected in zip(
        lines, ("maximun", "epsilon", "backend", "los", "Regressor"), strict=True
    ):
        assert expected in said


def test_names_for_type_checkers_are_those_there_are() -> None:
    assert set(get_args(Name)) == set(NAMED)
