"""All candidates on one split: descend in closed form, and score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._cv.folds import Rows
from sklearn_adreg._cv.problems import Problem
from sklearn_adreg._cv.scoring import (
    MakeModel,
    Measure,
    Scores,
    call_scorers,
    formula_scores,
)
from sklearn_adreg._cv.spectrum import Candidates, descend, steps_to

# Numbers of one chunk of candidates: 32 MB.
_CHUNK = 1 << 22


class Evaluation(NamedTuple):
    """Scores by the name of the measure, and where NaN means divergence."""

    scores: Scores
    diverged: np.ndarray


@dataclass(frozen=True)
class Evaluator:
    """What candidates are scored with; X and y are as scorers see them."""

    rows: Rows
    y: np.ndarray
    candidates: Candidates
    measures: Sequence[Measure]
    make_model: MakeModel

    def stopped(self, problem: Problem, max_iter: int, tol: float) -> Evaluation:
        """Score each candidate where its descent stops, (n_candidates,)."""
        n_iter = steps_to(problem.spectrum, self.candidates, max_iter=max_iter, tol=tol)
        return self.after(problem, n_iter)

    def after(self, problem: Problem, n_iter: np.ndarray) -> Evaluation:
        """Score each candidate after its number of steps, (n_candidates,)."""
        scores, diverged = self._evaluate(problem, n_iter[:, None], self.measures)
        scores = {name: values[:, 0] for name, values in scores.items()}
        return Evaluation(scores, diverged[:, 0])

    def path(self, problem: Problem, max_iter: int) -> np.ndarray:
        """First score, after 0, 1, ... steps, (n_candidates, max_iter + 1)."""
        n_iter = np.tile(np.arange(max_iter + 1), (len(self.candidates.epsilon), 1))
        first = self.measures[:1]
        return self._evaluate(problem, n_iter, first).scores[first[0].name]

    def _evaluate(
        self, problem: Problem, n_iter: np.ndarray, measures: Sequence[Measure]
    ) -> Evaluation:
        """Score after numbers of steps, (n_candidates, n_numbers)."""
        length = max(1, _CHUNK // (n_iter.shape[1] * problem.spectrum.parts.size))
        chunks = [
            self._evaluate_chunk(
                problem,
                np.arange(len(n_iter))[start : start + length],
                n_iter,
                measures,
            )
            for start in range(0, len(n_iter), length)
        ]
        scores = {
            measure.name: np.concatenate([part.scores[measure.name] for part in chunks])
            for measure in measures
        }
        return Evaluation(scores, np.concatenate([part.diverged for part in chunks]))

    def _evaluate_chunk(
        self,
        problem: Problem,
        chosen: np.ndarray,
        n_iter: np.ndarray,
        measures: Sequence[Measure],
    ) -> Evaluation:
        candidates = Candidates(*(part[chosen, None] for part in self.candidates))
        eps = float(np.finfo(self.rows.X.dtype).eps)
        # What overflows has diverged, and is scored NaN.
        with np.errstate(over="ignore", invalid="ignore"):
            ends = descend(problem.spectrum, candidates, n_iter[chosen], eps=eps)
        stable = ~ends.diverged
        parts = ends.parts[stable]
        found = formula_scores(measures, problem, self.rows, parts)
        if len(found) < len(measures):
            numbers = np.broadcast_to(chosen[:, None], stable.shape)[stable]
            models = self._models(problem, parts, numbers)
            test = problem.split[1]
            found |= call_scorers(measures, models, self.rows.X, self.y, test)
        scores = {name: np.full(stable.shape, np.nan) for name in found}
        for name, values in found.items():
            scores[name][stable] = values
        return Evaluation(scores, ends.diverged)

    def _models(
        self, problem: Problem, parts: np.ndarray, numbers: np.ndarray
    ) -> Iterator[Any]:
        for part, number in zip(parts, numbers, strict=True):
            yield self.make_model(int(number), *problem.coefficients(part, self.rows))
