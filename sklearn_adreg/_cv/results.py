"""`cv_results_` as scikit-learn's searches have it, and what is said of NaN in it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata
from sklearn.exceptions import FitFailedWarning

from sklearn_adreg.exceptions import DivergenceError


class Outcome(NamedTuple):
    """What a search found."""

    results: dict[str, Any]
    path_scores: np.ndarray | None
    max_epsilon: float
    n_splits: int

    def attributes(self, name: str) -> dict[str, Any]:
        """Attributes of the estimator; the score of that name chooses."""
        if np.isnan(self.results[f"mean_test_{name}"]).all():
            raise ValueError(
                "The 'scoring' parameter must be a scorer that can tell candidates "
                f"apart. Got NaN from {name!r} on some split for every candidate "
                "instead. Score with larger test sets, or with another scorer."
            )
        index = int(self.results[f"rank_test_{name}"].argmin())
        chosen = self.results["params"][index]
        found = {
            "cv_results_": self.results,
            "best_index_": index,
            "best_score_": float(self.results[f"mean_test_{name}"][index]),
            "best_params_": chosen,
            "max_epsilon_": self.max_epsilon,
            "n_splits_": self.n_splits,
        }
        if "alpha" in chosen:
            found["alpha_"] = chosen["alpha"]
        if "max_iter" in chosen:
            found["best_n_iter_"] = chosen["max_iter"]
        if self.path_scores is not None:
            found["path_scores_"] = self.path_scores
        return found


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


def _ranks(means: np.ndarray) -> np.ndarray:
    """One for the largest; candidates that are not scored come last."""
    if np.isnan(means).all():
        return np.ones(len(means), dtype=np.int32)
    worst = np.nanmin(means) - 1
    return rankdata(-np.nan_to_num(means, nan=worst), method="min").astype(np.int32)


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
