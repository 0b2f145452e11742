"""Which step lengths and penalties are tried, and `cv_results_` of their scores."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata
from sklearn.exceptions import FitFailedWarning

from sklearn_adreg.exceptions import DivergenceError

_N_EPSILONS = 20
# The grid left to itself: its ends, in parts of the largest stable step.
_SHORTEST, _LONGEST = 1e-3, 0.95


class Candidates(NamedTuple):
    """Step lengths and penalties, and the parameters of `GradientDescentRegressor`.

    There is one of each for each candidate.
    """

    epsilon: np.ndarray
    alpha: np.ndarray
    params: list[dict[str, Any]]

    def with_n_iter(self, n_iter: np.ndarray) -> Candidates:
        """Let each candidate take exactly so many steps."""
        params = [
            candidate | {"max_iter": int(steps), "tol": 0.0}
            for candidate, steps in zip(self.params, n_iter, strict=True)
        ]
        return Candidates(self.epsilon, self.alpha, params)


def make_candidates(epsilons: Any, alphas: Any, max_epsilon: float) -> Candidates:
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
    return Candidates(epsilon, alpha, params)


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


def search_results(
    params: Sequence[dict[str, Any]],
    scores: dict[str, np.ndarray],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Assemble the columns, from scores (n_splits, n_candidates) by their name.

    Candidates and splits share one computation: each gets an equal share of its
    `seconds`.
    """
    results: dict[str, Any] = {}
    n_splits, n_candidates = next(iter(scores.values())).shape
    for name, total in seconds.items():
        results[f"mean_{name}"] = np.full(n_candidates, total / n_splits / n_candidates)
        results[f"std_{name}"] = np.zeros(n_candidates)
    for name in params[0]:
        values = np.array([candidate[name] for candidate in params])
        results[f"param_{name}"] = np.ma.MaskedArray(values, mask=False)
    results["params"] = list(params)
    for name, values in scores.items():
        for split, row in enumerate(values):
            results[f"split{split}_test_{name}"] = row
        means = values.mean(axis=0)
        results[f"mean_test_{name}"] = means
        results[f"std_test_{name}"] = values.std(axis=0)
        results[f"rank_test_{name}"] = _ranks(means)
    return results


def choice(results: dict[str, Any], name: str) -> dict[str, Any]:
    """Attributes of an estimator that follow from the scores of that name."""
    if np.isnan(results[f"mean_test_{name}"]).all():
        raise ValueError(
            "The 'scoring' parameter must be a scorer that can tell candidates "
            f"apart. Got NaN from {name!r} on some split for every candidate "
            "instead. Score with larger test sets, or with another scorer."
        )
    index = int(results[f"rank_test_{name}"].argmin())
    chosen = results["params"][index]
    found = {
        "cv_results_": results,
        "best_index_": index,
        "best_score_": float(results[f"mean_test_{name}"][index]),
        "best_params_": chosen,
    }
    if "alpha" in chosen:
        found["alpha_"] = chosen["alpha"]
    if "max_iter" in chosen:
        found["best_n_iter_"] = chosen["max_iter"]
    return found


def report_divergence(
    params: Sequence[dict[str, Any]], failed: np.ndarray, max_epsilon: float
) -> None:
    """Warn of the candidates that failed, (n_candidates,); raise where all did."""
    if not failed.any():
        return
    listed = ", ".join(
        " and ".join(f"{name}={value:.6g}" for name, value in candidate.items())
        for candidate, bad in zip(params, failed, strict=True)
        if bad
    )
    remedy = (
        f"The largest epsilon that is stable on all splits is {max_epsilon:.6g}. Leave "
        "out longer ones, scale the columns (StandardScaler), or leave epsilons=None, "
        "which chooses them below it."
    )
    if failed.all():
        raise DivergenceError(
            f"Gradient descent diverged with every candidate: {listed}. {remedy}",
            max_epsilon,
        )
    warnings.warn(
        f"Gradient descent diverged, and the score is NaN, with {failed.sum()} of "
        f"{len(params)} candidates: {listed}. {remedy}",
        FitFailedWarning,
        stacklevel=6,  # the line that called fit
    )


def _ranks(means: np.ndarray) -> np.ndarray:
    """One for the largest; candidates that are not scored come last."""
    if np.isnan(means).all():
        return np.ones(len(means), dtype=np.int32)
    worst = np.nanmin(means) - 1
    return rankdata(-np.nan_to_num(means, nan=worst), method="min").astype(np.int32)
