"""Early stopping: the textbook's steps end where held-out rows are fitted no better.

Held-out rows stay among the rows, where a weight of zero keeps them out of the
objective: all that belongs to a row follows them. They alone are read after
each step.

The rule is that of scikit-learn's `SGDRegressor`: steps end when the score has risen by
less than `tol` above the best one so far, `n_iter_no_change` times in a row, and the
last coefficients are kept. The score is D^2, which is R^2 for squared error.
`SGDClassifier` goes by the accuracy, which changes only when a row crosses the
boundary: of 57 held-out rows of the breast cancer data (standardised, four seeds) it
rests after 8 to 12 steps of 0.1, at a log loss of 0.20 to 0.25; by D^2 steps end at
0.01 to 0.08.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from sklearn_adreg._descent.textbook import BatchState, Run
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._solve.score import least_of_constants, spared


class HeldOut(NamedTuple):
    """Weights of the held-out rows, (n,), which sum to one, and zero for others.

    Steps end after so many without a rise of the score. The `offset` is what was
    subtracted from the targets, (n, n_targets): the score is that of what they were.
    """

    weight: np.ndarray
    n_iter_no_change: int
    offset: np.ndarray | None = None

    def of_target(self, number: int, unit: float = 1.0) -> HeldOut:
        """Return the same for one of the targets, in another unit."""
        if self.offset is None:
            return self
        return self._replace(offset=self.offset[:, [number]] / unit)


class Watched(NamedTuple):
    """How a descent went on: its values, those of held-out rows, and the error.

    `validation` are the mean losses of the held-out rows, (n_iter + 1, n_targets). The
    error is the largest rise of the score above the best one before, of the last
    `n_iter_no_change` steps, which is below `tol` where they have ended.
    """

    state: BatchState
    values: np.ndarray
    validation: np.ndarray
    error: float


def hold_out(
    estimator: Any,
    X: Any,
    weight: np.ndarray | None,
    labels: np.ndarray | None = None,
) -> tuple[np.ndarray, HeldOut]:
    """Draw rows as the parameters of an estimator say, of each label its share.

    Returns the weights of the rows that are left, which sum to one, and the others.
    """
    fraction, name, n_rows = estimator.validation_fraction, type(estimator), X.shape[0]
    if estimator.epsilon == "auto":
        raise ValueError(
            f"The 'early_stopping' parameter of {name.__name__} must be False with "
            "epsilon='auto': its steps are whitened and go to the optimum in a few, so "
            "that none on the way is a smaller model to stop at. Set epsilon to a "
            "number (max_stable_epsilon(X, y) is the largest stable one), or keep "
            "coefficients small by alpha."
        )
    rule = (
        f"The 'validation_fraction' parameter of {name.__name__} must leave rows with "
        "a weight above zero to be fitted, and others to be held out"
    )
    kind = ShuffleSplit if labels is None else StratifiedShuffleSplit
    splitter = kind(1, test_size=fraction, random_state=estimator.random_state)
    try:
        ((_, drawn),) = splitter.split(np.empty((n_rows, 0)), labels)
    except ValueError as error:
        raise ValueError(
            f"{rule}. Got {fraction!r} of {n_rows} rows instead, which cannot be "
            f"split: {error} Set another fraction, or early_stopping=False."
        ) from error
    left = np.ones(n_rows, X.dtype) if weight is None else weight.copy()
    held = np.zeros_like(left)
    held[drawn], left[drawn] = left[drawn], 0.0
    if not (held.any() and left.any()):
        raise ValueError(
            f"{rule}. Got a sample_weight of zero for all of either instead. Set "
            "another random_state, or leave out the rows of weight zero."
        )
    return left / left.sum(), HeldOut(held / held.sum(), estimator.n_iter_no_change)


@dataclass(frozen=True)
class Watch:
    """The held-out rows of a descent, and what tells whether they are fitted better."""

    objective: MeanLoss
    constants: np.ndarray
    held: HeldOut

    @classmethod
    def of(cls, objective: MeanLoss, held: HeldOut) -> Watch:
        """Take the held-out rows from a mean loss of all."""
        rows = objective.data.rows
        data = objective.data._replace(weight=rows.vector(held.weight))
        index = np.flatnonzero(held.weight)
        few: Data = data.part(index)
        target, weight, *row_data = (
            few.rows.numpy(each) for each in (few.target, few.weight, *few.row_data)
        )
        target = target.reshape(len(target), -1)
        if held.offset is not None:
            target = target + held.offset[index]
        constants = least_of_constants(
            objective.loss,
            objective.backend,
            target,
            weight,
            tuple(row_data),
            objective.n_outputs,
        )
        return cls(replace(objective, data=few), constants, held)

    def losses(self, theta: np.ndarray) -> np.ndarray:
        """Mean loss of the held-out rows, of each target."""
        objective, rows = self.objective, self.objective.data.rows
        theta = np.asarray(theta, dtype=np.float64)
        found = rows.numpy(objective.losses(objective.linear_predictor(theta)))
        return np.atleast_1d(found.sum(axis=0, dtype=np.float64))

    def follow(
        self,
        run: Run,
        state: BatchState,
        *,
        max_iter: int,
        tol: float,
        report: Callable[[np.ndarray], None],
    ) -> Watched:
        """Step until the score has not risen for long enough."""
        patience = self.held.n_iter_no_change
        values: list[float] = []
        losses, best, gains = [self.losses(state.theta)], -np.inf, [np.inf]
        # One row, or rows that are all alike, a constant predicts without a loss.
        size = np.where(self.constants == 0, losses[0], self.constants)
        while len(values) < max_iter and (len(values) < patience or max(gains) >= tol):
            state, value = run(state, 1, report)
            if not len(value):
                break  # where it stands is not finite
            values.append(value[0])
            losses.append(self.losses(state.theta))
            score = float(spared(losses[-1][None], size)[0])
            # A score that is not finite is no gain.
            gains.append(score - best if np.isfinite(score) else -np.inf)
            gains, best = gains[-patience:], float(np.fmax(best, score))
        return Watched(state, np.array(values), np.array(losses), max(gains))
