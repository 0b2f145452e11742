"""Validation scores of all candidates: from second moments, or by calling a scorer.

With a model's deviation from the training means, the mean squared error on held-out
rows is a quadratic form in the eigenbasis of the training rows. Where a fit is so good
that the form cancels, the held-out rows are read instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg._cv.folds import Rows
from sklearn_adreg._cv.problems import Problem, spread_of

# Below this part of what it is a difference of, a mean square has lost too many digits.
_CANCELLED = 1e-6
# Candidates whose predictions are held at one time.
_PREDICTED = 64

Scores = dict[str, np.ndarray]
# A fitted model from a candidate's number, coefficients (n_targets, n_features) and
# intercepts (n_targets,).
MakeModel = Callable[[int, np.ndarray, np.ndarray], Any]
Formula = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _r2(errors: np.ndarray, spread: np.ndarray) -> np.ndarray:
    # As scikit-learn scores a constant target: 1 where it is met, 0 where it is not.
    constant = np.where(errors == 0, 1.0, 0.0)
    flat = spread == 0
    score = np.where(flat, constant, 1 - errors / np.where(flat, 1.0, spread))
    return score.mean(axis=1)


def _neg_mean_squared_error(errors: np.ndarray, _spread: np.ndarray) -> np.ndarray:
    return -errors.mean(axis=1)


def _neg_root_mean_squared_error(errors: np.ndarray, _spread: np.ndarray) -> np.ndarray:
    return -np.sqrt(errors).mean(axis=1)


# Scores as functions of mean squared errors, (n_candidates, n_targets).
FORMULAS: dict[str, Formula] = {
    "r2": _r2,
    "neg_mean_squared_error": _neg_mean_squared_error,
    "neg_root_mean_squared_error": _neg_root_mean_squared_error,
}


@dataclass(frozen=True)
class Measure:
    """A scorer with its name, what it is passed, and its formula where it has one."""

    name: str
    scorer: Callable[..., Any]
    params: dict[str, Any]
    formula: Formula | None

    def params_of(self, rows: np.ndarray, n_samples: int) -> dict[str, Any]:
        """Cut what it is passed down to some rows, where there is one for each."""
        return {
            name: values[rows]
            if values.shape[:1] == (n_samples,)
            else self.params[name]
            for name, values in map(_named_array, self.params.items())
        }


def _named_array(item: tuple[str, Any]) -> tuple[str, np.ndarray]:
    return item[0], np.asarray(item[1])


def check_rows(measures: Iterable[Measure], splits: Iterable[Any]) -> None:
    """Raise where a measure cannot be told from so few held-out rows."""
    if any(measure.formula is _r2 for measure in measures) and any(
        len(test) < 2 for _, test in splits
    ):
        raise ValueError(
            "The 'scoring' parameter must be one that a single row can be scored with, "
            "since cv holds out one row at a time. Got R^2 instead, which is not "
            "defined for it. Use scoring='neg_mean_squared_error'."
        )


def formula_scores(
    measures: Iterable[Measure], problem: Problem, rows: Rows, parts: np.ndarray
) -> Scores:
    """Scores of models, (n_models,), that all of the measures have formulas for."""
    errors = mean_squared_errors(problem, rows, parts)
    spread = problem.held_out.spread
    return {
        measure.name: measure.formula(errors, spread)
        for measure in measures
        if measure.formula is not None
    }


def predicted_scores(
    measures: Iterable[Measure],
    predictions: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray | None,
) -> Scores:
    """Scores of models by formulas, from predictions (n_samples, n_models, n_targets).

    `target` is (n_samples, n_targets).
    """
    residuals = target[:, None] - predictions
    errors = np.average(residuals**2, axis=0, weights=weights)
    spread = spread_of(target, weights)
    return {
        measure.name: measure.formula(errors, spread)
        for measure in measures
        if measure.formula is not None
    }


def call_scorers(
    measures: Iterable[Measure],
    models: Iterable[Any],
    X: np.ndarray,
    y: np.ndarray,
    test: np.ndarray,
) -> Scores:
    """Scores of models, (n_models,), by the measures that have no formula."""
    slow = [measure for measure in measures if measure.formula is None]
    params = [measure.params_of(test, len(y)) for measure in slow]
    held_X, held_y = X[test], y[test]
    found = [
        [
            measure.scorer(model, held_X, held_y, **passed)
            for measure, passed in zip(slow, params, strict=True)
        ]
        for model in models
    ]
    columns = np.array(found, dtype=np.float64).reshape(-1, len(slow)).T
    return {measure.name: column for measure, column in zip(slow, columns, strict=True)}


def mean_squared_errors(problem: Problem, rows: Rows, parts: np.ndarray) -> np.ndarray:
    """Of models on the held-out rows; (n, n_targets, rank) to (n, n_targets)."""
    held_out = problem.held_out
    quadratic = ((parts @ held_out.gram) * parts).sum(axis=2)
    linear = (parts * held_out.cross.T).sum(axis=2)
    shift = parts @ held_out.shift
    offset = held_out.target_shift - shift
    errors = held_out.square - 2 * linear + quadratic + offset**2
    size = held_out.square + quadratic + held_out.target_shift**2 + shift**2
    doubtful = np.flatnonzero((errors <= _CANCELLED * size).any(axis=1))
    for start in range(0, len(doubtful), _PREDICTED):
        chosen = doubtful[start : start + _PREDICTED]
        errors[chosen] = _errors_of_rows(problem, rows, parts[chosen])
    return errors


def _errors_of_rows(problem: Problem, rows: Rows, parts: np.ndarray) -> np.ndarray:
    test = rows.take(problem.split[1])
    coef = parts @ problem.spectrum.basis.T
    centred = (test.X - rows.pivot) - problem.mean
    predicted = np.tensordot(centred, coef, (1, 2))
    residuals = (test.deviations - problem.target_mean)[:, None] - predicted
    return np.average(residuals**2, axis=0, weights=test.shares)
