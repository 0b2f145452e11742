"""Which step lengths and penalties are tried, and the models that they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg._cv.spectrum import Candidates
from sklearn_adreg._regressor import GradientDescentRegressor

_N_EPSILONS = 20
# The grid left to itself: its ends, in parts of the largest stable step.
_SHORTEST, _LONGEST = 1e-3, 0.95


@dataclass(frozen=True)
class Grid:
    """Candidates, and the parameters of `GradientDescentRegressor` of each."""

    candidates: Candidates
    params: list[dict[str, Any]]

    def with_n_iter(self, n_iter: np.ndarray) -> Grid:
        """Let each candidate take exactly so many steps."""
        params = [
            candidate | {"max_iter": int(steps), "tol": 0.0}
            for candidate, steps in zip(self.params, n_iter, strict=True)
        ]
        return Grid(self.candidates, params)


@dataclass(frozen=True)
class ModelMaker:
    """Makes the fitted model of a candidate, for a scorer."""

    grid: Grid
    settings: dict[str, Any]
    dtype: np.dtype
    flat: bool

    def __call__(
        self, number: int, coef: np.ndarray, intercept: np.ndarray
    ) -> GradientDescentRegressor:
        """Of a candidate's number, coefficients (n_targets, n_features) and such."""
        model = GradientDescentRegressor(**(self.settings | self.grid.params[number]))
        target = 0 if self.flat else slice(None)
        model.coef_ = coef.astype(self.dtype)[target]
        model.intercept_ = intercept.astype(self.dtype)[target]
        model.epsilon_ = float(self.grid.candidates.epsilon[number])
        model.n_features_in_ = coef.shape[1]
        return model


def make_grid(epsilons: Any, alphas: Any, max_epsilon: float) -> Grid:
    """Combine each of the step lengths with each of the penalties.

    Like scikit-learn's `ParameterGrid`, it goes through the names in alphabetical
    order, the last one fastest.
    """
    if epsilons is None:
        longest = max_epsilon if np.isfinite(max_epsilon) else 1.0
        epsilons = longest * np.geomspace(_SHORTEST, _LONGEST, _N_EPSILONS)
    penalties = np.zeros(1) if alphas is None else alphas
    alpha, epsilon = map(np.ravel, np.meshgrid(penalties, epsilons, indexing="ij"))
    named = (
        {"epsilon": epsilon} if alphas is None else {"alpha": alpha, "epsilon": epsilon}
    )
    params = [
        dict(zip(named, map(float, values), strict=True))
        for values in zip(*named.values(), strict=True)
    ]
    return Grid(Candidates(epsilon, alpha), params)


def checked_list(name: str, values: Any, *, zero: bool) -> np.ndarray | None:
    """Return the numbers to try, as float64; or None."""
    if values is None:
        return None
    numbers = np.asarray(values)
    good = numbers.dtype.kind in "iuf" and numbers.ndim == 1 and numbers.size > 0
    if good:
        positive = (numbers >= 0) if zero else (numbers > 0)
        good = bool((positive & np.isfinite(numbers)).all())
    if not good:
        raise ValueError(
            f"The '{name}' parameter of GradientDescentRegressorCV must be None or an "
            f"array of shape (n_{name},) of {'non-negative' if zero else 'positive'} "
            f"numbers, one at least. Got {values!r} instead."
        )
    return numbers.astype(np.float64)


def best_steps(paths: np.ndarray) -> np.ndarray:
    """Find the steps, one or more, with the largest mean score, (n_candidates,)."""
    means = paths.mean(axis=0)[:, 1:]
    return 1 + np.nan_to_num(means, nan=-np.inf).argmax(axis=1)
