"""All candidates on one split, where the loss is not squared error: descend, score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_adreg._cv.batch_descent import Batch
from sklearn_adreg._cv.evaluation import Evaluation
from sklearn_adreg._cv.folds import Rows, Split
from sklearn_adreg._cv.scoring import MakeModel, Measure, call_scorers, predicted_scores
from sklearn_adreg._cv.spectrum import Candidates
from sklearn_adreg._loss.check import check_loss
from sklearn_adreg._loss.key import keyed
from sklearn_adreg._loss.pointwise import predicted
from sklearn_adreg._loss.traits import traits_of
from sklearn_adreg._solve.textbook import LossRows, place_loss_rows
from sklearn_adreg.losses import Loss

# Targets of one batch of candidates: 128 MB.
_BATCH = 1 << 24


@dataclass(frozen=True)
class LossOnRows:
    """Rows, and the loss that models of them have."""

    rows: Rows
    loss: Loss
    linked: bool
    centred: bool

    @classmethod
    def of(cls, rows: Rows, loss: Loss, *, centred: bool) -> LossOnRows:
        """Check the loss on the rows."""
        check_loss(loss, rows.backend, rows.target)
        loss = keyed(loss)
        linked = traits_of(loss, rows.backend, rows.target).linked
        return cls(rows, loss, linked, centred)

    def place(self, indices: np.ndarray) -> LossRows:
        """Place some of the rows for a descent."""
        rows = self.rows.take(indices)
        return place_loss_rows(
            rows.X,
            rows.target,
            rows.shares,
            loss=self.loss,
            linked=self.linked,
            backend=rows.backend,
            device=rows.device,
            centred=self.centred,
        )

    def max_epsilon(self, indices: np.ndarray, ridge: float) -> float:
        """Estimate the largest stable step, from the curvature at the start."""
        rows = self.place(indices)
        first = rows.start(None).astype(rows.design.dtype)
        return rows.max_epsilon(first, ridge)


@dataclass(frozen=True)
class LossEvaluator:
    """What `Evaluator` offers, by descents in batches; problems are the splits."""

    data: LossOnRows
    y: np.ndarray
    candidates: Candidates
    measures: Sequence[Measure]
    make_model: MakeModel

    def stopped(self, split: Split, max_iter: int, tol: float) -> Evaluation:
        """Score each candidate where its descent stops, (n_candidates,)."""
        n_iter = np.full(len(self.candidates.epsilon), max_iter)
        return self._descend(split, n_iter, tol)

    def after(self, split: Split, n_iter: np.ndarray) -> Evaluation:
        """Score each candidate after its number of steps, (n_candidates,)."""
        return self._descend(split, n_iter, 0.0)

    def path(self, split: Split, max_iter: int) -> np.ndarray:
        """First score, after 0, 1, ... steps, (n_candidates, max_iter + 1)."""
        first = self.measures[:1]
        paths = []
        for chosen, batch in self._batches(split):
            scores = [
                self._score(split, chosen, batch, coef, first).scores[first[0].name]
                for coef in batch.path(max_iter)
            ]
            paths.append(np.stack(scores, axis=1))
        return np.concatenate(paths)

    def _descend(self, split: Split, n_iter: np.ndarray, tol: float) -> Evaluation:
        parts = []
        for chosen, batch in self._batches(split):
            coef = batch.descend(n_iter[chosen], tol)
            parts.append(self._score(split, chosen, batch, coef, self.measures))
        scores = {
            measure.name: np.concatenate([part.scores[measure.name] for part in parts])
            for measure in self.measures
        }
        return Evaluation(scores, np.concatenate([part.diverged for part in parts]))

    def _batches(self, split: Split) -> Iterator[tuple[np.ndarray, Batch]]:
        rows = self.data.place(split[0])
        length = max(1, _BATCH // rows.target.size)
        numbers = np.arange(len(self.candidates.epsilon))
        for start in range(0, len(numbers), length):
            chosen = numbers[start : start + length]
            some = Candidates(*(part[chosen] for part in self.candidates))
            yield chosen, Batch(rows, some)

    def _score(
        self,
        split: Split,
        chosen: np.ndarray,
        batch: Batch,
        coef: np.ndarray,
        measures: Sequence[Measure],
    ) -> Evaluation:
        diverged = batch.diverged(coef)
        slopes, intercepts = batch.intercepts(coef)
        slopes, intercepts = slopes[~diverged], intercepts[~diverged]
        test = self.data.rows.take(split[1])
        linear = np.tensordot(test.X, slopes, (1, 2)) + intercepts
        predictions = predicted(self.data.loss, linear)
        found = predicted_scores(measures, predictions, test.target, test.weights)
        if len(found) < len(measures):
            numbers = map(int, chosen[~diverged])
            models = map(self.make_model, numbers, slopes, intercepts)
            X = self.data.rows.X
            found |= call_scorers(measures, models, X, self.y, split[1])
        scores = {name: np.full(len(chosen), np.nan) for name in found}
        for name, values in found.items():
            scores[name][~diverged] = values
        return Evaluation(scores, diverged)
