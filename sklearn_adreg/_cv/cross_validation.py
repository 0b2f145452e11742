"""The search of GradientDescentRegressorCV: splits in, scores and a choice out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from sklearn_adreg._cv.candidates import Grid, ModelMaker, best_steps, make_grid
from sklearn_adreg._cv.evaluation import Evaluation, Evaluator
from sklearn_adreg._cv.folds import Rows, Split
from sklearn_adreg._cv.loss_evaluation import LossEvaluator, LossOnRows
from sklearn_adreg._cv.problems import check_splits, prepare_problems
from sklearn_adreg._cv.results import (
    Outcome,
    report_divergence,
    search_results,
)
from sklearn_adreg._cv.scoring import Measure, check_rows
from sklearn_adreg._loss.check import get_loss
from sklearn_adreg.backends import get_backend
from sklearn_adreg.losses import SquaredError


class Prepared(NamedTuple):
    """Splits as one of the evaluators takes them, and the largest stable steps."""

    kind: Callable[..., Any]
    data: Any
    problems: Sequence[Any]
    on_splits: float
    on_all: float


@dataclass(frozen=True)
class Search:
    """What is tried, and when descents stop; `settings` are those of all models."""

    epsilons: np.ndarray | None
    alphas: np.ndarray | None
    early_stopping: bool
    keep_paths: bool
    n_jobs: int | None
    settings: dict[str, Any]

    @property
    def place(self) -> dict[str, Any]:
        """Where X is computed with."""
        backend = get_backend(self.settings["backend"])
        return {"backend": backend, "device": self.settings["device"]}

    def run(
        self,
        rows: Rows,
        y: np.ndarray,
        splits: Sequence[Split],
        measures: Sequence[Measure],
    ) -> Outcome:
        """Score all candidates on all splits; `y` is as scorers are to see it."""
        check_rows(measures, splits)
        check_splits(rows, splits)
        started = time.perf_counter()
        prepared = self._prepare(rows, splits)
        limit = min(prepared.on_splits, prepared.on_all)
        grid = make_grid(self.epsilons, self.alphas, limit)
        fitted = time.perf_counter()

        maker = ModelMaker(grid, self.settings, rows.X.dtype, flat=y.ndim == 1)
        evaluator = prepared.kind(prepared.data, y, grid.candidates, measures, maker)
        grid, evaluations, paths = self._evaluate(evaluator, grid, prepared.problems)
        seconds = {
            "fit_time": fitted - started,
            "score_time": time.perf_counter() - fitted,
        }
        failed = np.any([each.diverged for each in evaluations], axis=0)
        report_divergence(grid.params, failed, prepared.on_splits)
        scores = {
            measure.name: np.array([each.scores[measure.name] for each in evaluations])
            for measure in measures
        }
        results = search_results(grid.params, scores, seconds)
        kept = paths if self.keep_paths else None
        return Outcome(results, kept, prepared.on_all, len(splits))

    def _prepare(self, rows: Rows, splits: Sequence[Split]) -> Prepared:
        centred, loss = self.settings["fit_intercept"], get_loss(self.settings["loss"])
        penalty = 0.0 if self.alphas is None else float(self.alphas.max())
        if loss == SquaredError():
            problems, whole = prepare_problems(rows, splits, centred=centred)
            on_splits = min(each.spectrum.max_epsilon(penalty) for each in problems)
            on_all = whole.max_epsilon(penalty)
            return Prepared(Evaluator, rows, problems, on_splits, on_all)
        data = LossOnRows.of(rows, loss, centred=centred)
        on_splits = min(data.max_epsilon(train, penalty) for train, _ in splits)
        on_all = data.max_epsilon(np.arange(len(rows.X)), penalty)
        return Prepared(LossEvaluator, data, splits, on_splits, on_all)

    def _evaluate(
        self, evaluator: Any, grid: Grid, problems: Sequence[Any]
    ) -> tuple[Grid, list[Evaluation], np.ndarray | None]:
        paths, max_iter = None, self.settings["max_iter"]
        if self.early_stopping or self.keep_paths:
            paths = np.array(self._on_all(problems, evaluator.path, max_iter))
        if self.early_stopping and paths is not None:
            n_iter = best_steps(paths)
            evaluations = self._on_all(problems, evaluator.after, n_iter)
            return grid.with_n_iter(n_iter), evaluations, paths
        limits = max_iter, self.settings["tol"]
        return grid, self._on_all(problems, evaluator.stopped, *limits), paths

    def _on_all(
        self, problems: Sequence[Any], method: Callable[..., Any], *arguments: Any
    ) -> list[Any]:
        """Call a method of the evaluator on each split."""
        parallel = Parallel(n_jobs=self.n_jobs)
        return list(parallel(delayed(method)(each, *arguments) for each in problems))
