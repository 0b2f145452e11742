"""The search of GradientDescentRegressorCV: splits in, scores and a choice out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from sklearn_adreg._cv.candidates import (
    Candidates,
    best_steps,
    choice,
    make_candidates,
    report_divergence,
    search_results,
)
from sklearn_adreg._cv.folds import (
    Ends,
    Split,
    check_splits,
    rows_about_pivot,
    shares,
)
from sklearn_adreg._cv.problems import ClosedFormProblem, closed_form_problems
from sklearn_adreg._cv.scoring import Measure, Scores, call_scorers, check_rows
from sklearn_adreg._cv.stepping import SteppedProblem, stepped_problems
from sklearn_adreg._descent.coordinates import MAX_WHITENED_SPARSE
from sklearn_adreg._loss.check import get_loss
from sklearn_adreg._regressor import GradientDescentRegressor
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._rows.sparse import too_wide
from sklearn_adreg.backends import get_backend
from sklearn_adreg.losses import SquaredError

Problem = ClosedFormProblem | SteppedProblem
# Scores by the name of the measure, and where NaN in them means divergence.
Evaluation = tuple[Scores, np.ndarray]


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
        X: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray | None,
        seen: np.ndarray,
        splits: Sequence[Split],
        measures: Sequence[Measure],
    ) -> dict[str, Any]:
        """Score all candidates on all splits; the attributes of the estimator.

        `y` is (n, n_targets), and `seen` the targets as scorers are to see them;
        `weight` is None where all are the same. The first measure chooses.
        """
        data, target_pivot = rows_about_pivot(X, y, weight)
        check_rows(measures, splits)
        check_splits(data, splits)
        started = time.perf_counter()
        data, problems, on_splits, on_all = self._problems(
            data, y, splits, target_pivot
        )
        longest = min(on_splits, on_all)
        candidates = make_candidates(self.epsilons, self.alphas, longest)
        fitted = time.perf_counter()

        evaluator = Evaluator(data, X, seen, candidates, measures, self.settings)
        candidates, evaluations, paths = self._evaluate(evaluator, problems)
        seconds = {
            "fit_time": fitted - started,
            "score_time": time.perf_counter() - fitted,
        }
        failed = np.any([diverged for _, diverged in evaluations], axis=0)
        report_divergence(candidates.params, failed, on_splits)
        scores = {
            measure.name: np.array([found[measure.name] for found, _ in evaluations])
            for measure in measures
        }
        results = search_results(candidates.params, scores, seconds)
        found = choice(results, measures[0].name)
        kept = {"path_scores_": paths} if self.keep_paths else {}
        return found | {"max_epsilon_": on_all, "n_splits_": len(splits)} | kept

    def _problems(
        self, data: Data, y: np.ndarray, splits: Sequence[Split], pivot: np.ndarray
    ) -> tuple[Data, Sequence[Problem], float, float]:
        """Problems of the splits with their data; the largest stable steps."""
        loss = get_loss(self.settings["loss"])
        alpha = 0.0 if self.alphas is None else float(self.alphas.max())
        where = {
            "backend": get_backend(self.settings["backend"]),
            "device": self.settings["device"],
            "intercept": self.settings["fit_intercept"],
        }
        if loss == SquaredError() and not too_wide(data.rows.X, MAX_WHITENED_SPARSE):
            found = closed_form_problems(data, splits, loss, where, alpha, pivot)
            return data, *found
        data = data._replace(target=y)
        return data, *stepped_problems(data, splits, loss, where, alpha)

    def _evaluate(
        self, evaluator: Evaluator, problems: Sequence[Problem]
    ) -> tuple[Candidates, list[Evaluation], np.ndarray | None]:
        paths, candidates = None, evaluator.candidates
        max_iter, tol = self.settings["max_iter"], self.settings["tol"]
        n_iter = np.full(len(candidates.params), max_iter)
        if self.early_stopping or self.keep_paths:
            paths = np.array(self._on_all(problems, evaluator.path, max_iter))
        if self.early_stopping and paths is not None:
            n_iter, tol = best_steps(paths), 0.0
            candidates = candidates.with_n_iter(n_iter)
        return candidates, self._on_all(problems, evaluator.ends, n_iter, tol), paths

    def _on_all(
        self, problems: Sequence[Problem], method: Callable[..., Any], *arguments: Any
    ) -> list[Any]:
        """Call a method of the evaluator on each split."""
        parallel = Parallel(n_jobs=self.n_jobs)
        return list(parallel(delayed(method)(each, *arguments) for each in problems))


@dataclass(frozen=True)
class Evaluator:
    """What all candidates on a split are scored with.

    `X` and `y` are as scorers see them, and `settings` those of all models.
    """

    data: Data
    X: np.ndarray
    y: np.ndarray
    candidates: Candidates
    measures: Sequence[Measure]
    settings: dict[str, Any]

    def ends(self, problem: Problem, n_iter: np.ndarray, tol: float) -> Evaluation:
        """Score each candidate where it stops, after `n_iter` steps at the latest."""
        ends = problem.descend(self.data, self.candidates, n_iter, tol)
        return self._scored(problem, ends, n_iter.shape, self.measures)

    def path(self, problem: Problem, max_iter: int) -> np.ndarray:
        """First score, after 0, 1, ... steps, (n_candidates, max_iter + 1)."""
        ends = problem.path(self.data, self.candidates, max_iter)
        shape, first = (len(self.candidates.params), max_iter + 1), self.measures[:1]
        return self._scored(problem, ends, shape, first)[0][first[0].name]

    def _scored(
        self,
        problem: Problem,
        ends: Iterable[Ends],
        shape: tuple[int, ...],
        measures: Sequence[Measure],
    ) -> Evaluation:
        """Score models, some at a time; those that diverged are scored NaN."""
        scores = {measure.name: np.full(shape, np.nan) for measure in measures}
        failed = np.zeros(shape, dtype=bool)
        candidates = np.arange(shape[0]).reshape((-1,) + (1,) * (len(shape) - 1))
        numbers = np.broadcast_to(candidates, shape)
        spread = spread_of(self.data, problem.split[1])
        for where, diverged, found in ends:
            failed[where], stable = diverged, ~diverged
            values = self._scores(
                problem, found[stable], numbers[where][stable], measures, spread
            )
            for name, kept in values.items():
                scores[name][where][stable] = kept
        return scores, failed

    def _scores(
        self,
        problem: Problem,
        ends: np.ndarray,
        numbers: np.ndarray,
        measures: Sequence[Measure],
        spread: np.ndarray,
    ) -> Scores:
        """Scores of models, (n_models,), from where their descents ended."""
        found: Scores = {}
        if any(measure.formula for measure in measures):
            errors = problem.mean_squared_errors(self.data, ends)
            found = {
                measure.name: measure.formula(errors, spread)
                for measure in measures
                if measure.formula is not None
            }
        if len(found) < len(measures):
            models = self._models(problem, ends, numbers)
            test = problem.split[1]
            found |= call_scorers(measures, models, self.X, self.y, test)
        return found

    def _models(
        self, problem: Problem, ends: np.ndarray, numbers: np.ndarray
    ) -> Iterator[GradientDescentRegressor]:
        """Fitted models of candidates, one at a time."""
        target = 0 if self.y.ndim == 1 else slice(None)
        for end, number in zip(ends, numbers, strict=True):
            params = self.candidates.params[number]
            model = GradientDescentRegressor(**(self.settings | params))
            coef, intercept = problem.coefficients(self.data, end)
            model.coef_ = coef.astype(self.X.dtype)[target]
            model.intercept_ = intercept.astype(self.X.dtype)[target]
            model.epsilon_ = params["epsilon"]
            model.n_features_in_ = coef.shape[1]
            yield model


def spread_of(data: Data, index: np.ndarray) -> np.ndarray:
    """Mean square deviation of targets from their mean, as metrics compute it.

    It is zero for constant targets exactly.
    """
    target, weight = data.target[index], shares(data.weight[index])
    mean = np.average(target, axis=0, weights=weight)
    return np.average((target - mean) ** 2, axis=0, weights=weight)
