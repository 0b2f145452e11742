"""A loss is compiled once in a process, however many estimators use it."""

from __future__ import annotations

from collections.abc import Callable

SCRIPT = """
import numpy as np
from sklearn.model_selection import GridSearchCV
import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.losses import Expectile, Huber, Pinball

def compiled(estimator, X, y):
    from sklearn_adreg.backends import _xla
    return float(_xla.row_by_row._cache_size())

rng = np.random.default_rng(0)
X = rng.standard_normal((300, 3))
y = X @ np.ones(3) + rng.standard_normal(300)
model = GradientDescentRegressor(backend="jax")

# Each task unpickles them anew; they are equal nevertheless.
def weighted(share):
    return lambda y, z: adnp.maximum(share * (y - z), (1 - share) * (z - y))

objects = [Huber(), Pinball(0.8), Expectile(0.3)]
lambdas = [weighted(share) for share in (0.1, 0.5, 0.9)]
for losses in (objects, objects + lambdas):
    search = GridSearchCV(
        model, {"loss": losses}, cv=4, n_jobs=2, scoring=compiled, refit=False
    ).fit(X, y)
    scores = [search.cv_results_[f"split{i}_test_score"] for i in range(4)]
    print(int(np.max(scores)))
"""


def test_once_per_worker(run_python: Callable[..., str]) -> None:
    objects, together = map(int, run_python(SCRIPT).split())
    assert 1 <= objects <= 3
    # A function of the user's is also looked at for kinks, at two numbers of points.
    assert objects < together <= 3 + 9
