"""The search of GradientDescentRegressorCV: splits in, scores and a choice out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.exceptions import FitFailedWarning
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel, delayed

from sklearn_adreg._cv.descents import (
    Candidates,
    Fold,
    folds_in_closed_form,
    folds_step_by_step,
)
from sklearn_adreg._cv.folds import Split, all_rows, check_splits
from sklearn_adreg._cv.measures import Measure, check_rows
from sklearn_adreg._cv.scoring import Evaluation, Evaluator
from sklearn_adreg._regressor import GradientDescentRegressor
from sklearn_adreg._report import limit
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._solve.task import Fit, Task, may_be_dense, without_offset
from sklearn_adreg._validation import checked_alpha
from sklearn_adreg.exceptions import DivergenceError
from sklearn_adreg.losses import SquaredError

# The grid left to itself: six steps a decade, between these parts of the largest stable
# step, which is known to three digits.
_N_EPSILONS = 20
_SHORTEST, _LONGEST = 1e-3, 0.95


@dataclass(frozen=True)
class Search:
    """What is tried, and when descents stop; `settings` are those of all models."""

    epsilons: np.ndarray | None
    alphas: np.ndarray | None
    early_stopping: bool
    keep_paths: bool
    n_jobs: int | None
    settings: dict[str, Any]

    def run(
        self,
        fit: Fit,
        given: tuple[Any, Any],
        splits: Sequence[Split],
        measures: Sequence[Measure],
    ) -> dict[str, Any]:
        """Score all candidates on all splits; the attributes of the estimator.

        `given` are X and y as they came, for the scorers. The first measure chooses.
        """
        check_rows(measures, splits)
        started = time.perf_counter()
        data, folds, on_splits, on_all = self._set_up(fit, splits)
        candidates = self._candidates(fit, min(on_splits, on_all))
        fitted = time.perf_counter()

        seen_X, seen_y = indexable(*given)
        evaluator = Evaluator(
            data, fit, seen_X, seen_y, candidates, measures, self.settings
        )
        candidates, evaluations, paths = self._evaluate(evaluator, folds)
        seconds = {
            "fit_time": fitted - started,
            "score_time": time.perf_counter() - fitted,
        }
        failed = np.any([diverged for _, diverged in evaluations], axis=0)
        exact = bool(evaluator.loss.loss == SquaredError())
        report_divergence(candidates.params, failed, on_splits, exact=exact)
        scores = {
            measure.name: np.array([found[measure.name] for found, _ in evaluations])
            for measure in measures
        }
        results = search_results(candidates.params, scores, seconds)
        found = choice(results, measures[0].name)
        kept = {"path_scores_": paths} if self.keep_paths else {}
        return found | {"max_epsilon_": on_all, "n_splits_": len(splits)} | kept

    def _set_up(
        self, fit: Fit, splits: Sequence[Split]
    ) -> tuple[Data, list[Fold], float, float]:
        """Set up the descents of each split, in closed form where there is one."""
        model = GradientDescentRegressor(**self.settings)
        task = Task.of(model, fit.y.shape[1], fit.X.shape[1])
        y, offset = without_offset(task.loss, fit.y, fit.offset)
        data = all_rows(fit._replace(y=y, offset=offset))
        check_splits(data, splits)
        alphas = self._strengths(fit)
        even = alphas[0].size == 1
        if task.loss == SquaredError() and may_be_dense(fit.X) and even:
            return folds_in_closed_form(data, splits, task, alphas)
        return folds_step_by_step(data, splits, task, alphas, fit.row_names)

    def _strengths(self, fit: Fit) -> np.ndarray:
        """Return penalties, (n_alphas, n_columns or 1, n_features or 1); None is zero.

        Columns of coefficients are those of targets, or of outputs.
        """
        if self.alphas is None:
            return np.zeros((1, 1, 1))
        name = (
            "'alphas' parameter of GradientDescentRegressorCV, without its first axis,"
        )
        shape = fit.y.shape[1] * fit.n_outputs, fit.X.shape[1]
        found = [checked_alpha(name, alpha, *shape) for alpha in self.alphas]
        return np.array(np.broadcast_arrays(*map(np.atleast_2d, found)))

    def _candidates(self, fit: Fit, max_epsilon: float) -> Candidates:
        """Combine each of the step lengths with each of the penalties.

        Like scikit-learn's `ParameterGrid`, it goes through the names in alphabetical
        order, the last one fastest.
        """
        epsilons, alphas = self.epsilons, self._strengths(fit)
        if epsilons is None:
            longest = max_epsilon if np.isfinite(max_epsilon) else 1.0
            epsilons = longest * np.geomspace(_SHORTEST, _LONGEST, _N_EPSILONS)
        numbers = np.arange(len(alphas))
        penalty, epsilon = map(np.ravel, np.meshgrid(numbers, epsilons, indexing="ij"))
        params: list[dict[str, Any]] = [{"epsilon": float(each)} for each in epsilon]
        if self.alphas is not None:
            given = [self.alphas[number] for number in penalty]
            params = [
                {"alpha": each if each.ndim else float(each)} | candidate
                for each, candidate in zip(given, params, strict=True)
            ]
        return Candidates(epsilon, penalty, alphas, params)

    def _evaluate(
        self, evaluator: Evaluator, folds: Sequence[Fold]
    ) -> tuple[Candidates, list[Evaluation], np.ndarray | None]:
        paths, candidates = None, evaluator.candidates
        max_iter, tol = self.settings["max_iter"], self.settings["tol"]
        n_iter = np.full(len(candidates.params), max_iter)
        if self.early_stopping or self.keep_paths:
            paths = np.array(self._on_all(folds, evaluator.path, max_iter))
        if self.early_stopping and paths is not None:
            n_iter, tol = best_steps(paths), 0.0
            candidates = candidates.with_n_iter(n_iter)
        return candidates, self._on_all(folds, evaluator.last, n_iter, tol), paths

    def _on_all(
        self, folds: Sequence[Fold], method: Callable[..., Any], *arguments: Any
    ) -> list[Any]:
        """Call a method of the evaluator on each split."""
        parallel = Parallel(n_jobs=self.n_jobs)
        return list(parallel(delayed(method)(each, *arguments) for each in folds))


def checked_epsilons(values: Any) -> np.ndarray | None:
    """Return the step lengths to try, as float64; or None."""
    if values is None:
        return None
    numbers = np.asarray(values)
    good = numbers.dtype.kind in "iuf" and numbers.ndim == 1 and numbers.size > 0
    if not (good and ((numbers > 0) & np.isfinite(numbers)).all()):
        raise ValueError(
            "The 'epsilons' parameter of GradientDescentRegressorCV must be None or an "
            "array of shape (n_epsilons,) of positive numbers, one at least. Got "
            f"{values!r} instead."
        )
    return numbers.astype(np.float64)


def checked_alphas(values: Any) -> np.ndarray | None:
    """Return the penalties to try, the first axis of a float64 array; or None."""
    if values is None:
        return None
    numbers = np.asarray(values)
    good = numbers.dtype.kind in "iuf" and numbers.ndim > 0 and numbers.size > 0
    if not (good and ((numbers >= 0) & np.isfinite(numbers)).all()):
        raise ValueError(
            "The 'alphas' parameter of GradientDescentRegressorCV must be None or an "
            "array of shape (n_alphas,) of non-negative numbers, or (n_alphas, "
            f"n_features) of one for each column of X. Got {values!r} instead."
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
        values = _column([candidate[name] for candidate in params])
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
    params: Sequence[dict[str, Any]],
    failed: np.ndarray,
    max_epsilon: float,
    *,
    exact: bool,
) -> None:
    """Warn of the candidates that failed, (n_candidates,); raise where all did."""
    if not failed.any():
        return
    listed = ", ".join(
        " and ".join(f"{name}={_shown(value)}" for name, value in candidate.items())
        for candidate, bad in zip(params, failed, strict=True)
        if bad
    )
    remedy = (
        "The largest epsilon that is stable on all splits is "
        f"{limit(max_epsilon, exact=exact)}. Leave out longer ones, or scale the "
        "columns (StandardScaler)."
    )
    if exact:
        remedy += " With epsilons=None they are chosen below it."
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


def _column(values: list[Any]) -> np.ndarray:
    """One entry for each candidate, which may be an array."""
    if not isinstance(values[0], np.ndarray):
        return np.array(values)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _shown(value: Any) -> str:
    return (
        f"{value:.6g}" if np.ndim(value) == 0 else np.array2string(value, precision=6)
    )


def _ranks(means: np.ndarray) -> np.ndarray:
    """One for the largest; candidates that are not scored come last."""
    known = ~np.isnan(means)
    ranks = np.full(len(means), known.sum() + 1, dtype=np.int32)
    ranks[known] = rankdata(-means[known], method="min")
    return ranks
