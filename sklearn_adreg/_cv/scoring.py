"""Scores of candidates on the held-out rows of a split.

Scores come from mean squared errors, where there is a formula, or from a scorer's call.
Where second moments of the held-out rows are known, the mean squared error is a
quadratic form of theta, and no row is read; where a fit is so good that the form
cancels, or the loss is another one, the rows are multiplied with theta.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import validate_data

from sklearn_adreg._cv.descents import Candidates, Ends, Fold
from sklearn_adreg._cv.folds import some_rows
from sklearn_adreg._cv.measures import Measure
from sklearn_adreg._loss.linear import (
    LinearLoss,
    fitted_loss,
    predicted,
)
from sklearn_adreg._regressor import GradientDescentRegressor
from sklearn_adreg._rows.moments import Moments, centre_of, pivot_row
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._solve.score import least_of_constants, mean_losses, spared
from sklearn_adreg._solve.task import Fit
from sklearn_adreg._validation import shares
from sklearn_adreg.backends import get_backend
from sklearn_adreg.losses import Loss, get_loss

# Below this part of what it is a difference of, a mean square has lost too many digits:
# ten are left of sixteen.
_CANCELLED = 1e-6
# A constant target is met where errors are so many units in its last place: of 90 fits
# on losses that step, whose best constants round, none had more than 0.8.
_MET = 4.0
# Models whose predictions are held at one time: of 100,000 rows 51 MB.
_PREDICTED = 64

Scores = dict[str, np.ndarray]
# Scores by the name of the measure, and where NaN in them means divergence.
Evaluation = tuple[Scores, np.ndarray]


@dataclass(frozen=True)
class Evaluator:
    """What all candidates on a split are scored with.

    `fit` has the targets with the offset that those of the data may be less. `X` and
    `y` are as they came, for the scorers; models have `settings`.
    """

    data: Data
    fit: Fit
    X: Any
    y: Any
    candidates: Candidates
    measures: Sequence[Measure]
    settings: dict[str, Any]

    def last(self, fold: Fold, n_iter: np.ndarray, tol: float) -> Evaluation:
        """Score each candidate where it stops, after `n_iter` steps at the latest."""
        ends = fold.descents.stop(self.data, self.candidates, n_iter, tol)
        return self._scored(fold, ends, n_iter.shape, self.measures)

    def path(self, fold: Fold, max_iter: int) -> np.ndarray:
        """First score, after 0, 1, ... steps, (n_candidates, max_iter + 1)."""
        ends = fold.descents.path(self.data, self.candidates, max_iter)
        shape, first = (len(self.candidates.params), max_iter + 1), self.measures[:1]
        return self._scored(fold, ends, shape, first)[0][first[0].name]

    def _scored(
        self,
        fold: Fold,
        ends: Iterable[Ends],
        shape: tuple[int, ...],
        measures: Sequence[Measure],
    ) -> Evaluation:
        """Score models, some at a time; those that diverged are scored NaN."""
        scores = {measure.name: np.full(shape, np.nan) for measure in measures}
        failed = np.zeros(shape, dtype=bool)
        candidates = np.arange(shape[0]).reshape((-1,) + (1,) * (len(shape) - 1))
        numbers = np.broadcast_to(candidates, shape)
        spread = self._spread(fold)
        for where, diverged, theta in ends:
            failed[where], stable = diverged, ~diverged
            if not stable.any():
                continue
            values = self._scores(
                fold, theta[:, stable], numbers[where][stable], measures, spread
            )
            for name, kept in values.items():
                scores[name][where][stable] = kept
        return scores, failed

    def _scores(
        self,
        fold: Fold,
        theta: np.ndarray,
        numbers: np.ndarray,
        measures: Sequence[Measure],
        spread: np.ndarray,
    ) -> Scores:
        """Scores of models, (n_models,), from theta, (p, n_models, n_targets)."""
        found: Scores = {}
        if any(measure.formula for measure in measures):
            errors = self._errors(fold, theta, spread)
            found = {
                measure.name: measure.formula(errors, spread)
                for measure in measures
                if measure.formula is not None
            }
        if len(found) < len(measures):
            models = self._models(theta, numbers)
            found |= call_scorers(measures, models, self.X, self.y, fold.test)
        return found

    @cached_property
    def loss(self) -> LinearLoss:
        """The loss of the models."""
        return LinearLoss.of(get_loss(self.settings["loss"]), self.fit.row_names)

    @property
    def _by_loss(self) -> bool:
        return self.measures[0].formula is spared

    def _spread(self, fold: Fold) -> np.ndarray:
        """Measure what errors on the held-out rows are compared with, (n_targets,)."""
        if not self._by_loss:
            held = fold.test
            return spread_of(self.fit.y[held], self.data.weight[held])
        test, backend = some_rows(self.data, fold.test), self.settings["backend"]
        known = test.target, shares(test.weight), test.row_data
        return least_of_constants(self.loss, get_backend(backend), *known)

    def _errors(self, fold: Fold, theta: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Measure mean squared errors, or mean losses, (n_models, n_targets).

        Of targets without spread, R^2 asks whether they are met: rounding is no error.
        """
        if not self._by_loss:
            errors = mean_squared_errors(self.data, fold, self.loss.loss, theta)
            one = pivot_row(self.fit.y[fold.test], self.data.weight[fold.test])
            last = _MET * np.finfo(one.dtype).eps * one
            return np.where((spread == 0) & (errors <= last**2), 0.0, errors)
        test = some_rows(self.data, fold.test)
        weight, found = shares(test.weight), []
        for linear in linear_predictors(test, theta):
            columns = linear.reshape(len(linear), -1)
            target = np.tile(test.target, (1, linear.shape[1]))
            losses = self.loss(target, columns, *test.row_data)
            found.append(mean_losses(losses, weight).reshape(linear.shape[1:]))
        return np.concatenate(found)

    def _models(
        self, theta: np.ndarray, numbers: np.ndarray
    ) -> Iterator[GradientDescentRegressor]:
        """Fitted models of candidates, one at a time."""
        one = np.ndim(self.y) == 1 and theta.shape[2] == 1
        target = 0 if one else slice(None)
        loss = fitted_loss(self.loss.loss, None)
        for each, number in zip(theta.swapaxes(0, 1), numbers, strict=True):
            params = self.candidates.params[number]
            model = GradientDescentRegressor(**(self.settings | params))
            coef, intercept = self.data.rows.outer(each)
            model.coef_ = coef.T.astype(self.fit.X.dtype)[target]
            model.intercept_ = intercept.astype(self.fit.X.dtype)[target]
            model.epsilon_ = params["epsilon"]
            if loss is not None:
                model.loss_ = loss
            validate_data(model, self.X, skip_check_array=True)  # names of features
            yield model


def mean_squared_errors(
    data: Data, fold: Fold, loss: Loss, theta: np.ndarray
) -> np.ndarray:
    """Of models on the held-out rows, (n_models, n_targets)."""
    if fold.moments is None:
        doubtful, errors = np.arange(theta.shape[1]), np.empty(theta.shape[1:])
    else:
        errors, size = _by_moments(fold.moments, theta)
        doubtful = np.flatnonzero((errors <= _CANCELLED * size).any(axis=1))
    if len(doubtful) == 0:
        return errors
    test = some_rows(data, fold.test)
    found = [
        np.average(
            (test.target[:, None] - predicted(loss, linear)) ** 2,
            axis=0,
            weights=shares(test.weight),
        )
        for linear in linear_predictors(test, theta[:, doubtful])
    ]
    errors[doubtful] = np.concatenate(found)
    return errors


def linear_predictors(test: Data, theta: np.ndarray) -> Iterator[np.ndarray]:
    """Linear predictors of some models at a time, (n, n_models, n_targets)."""
    for start in range(0, theta.shape[1], _PREDICTED):
        chosen = theta[:, start : start + _PREDICTED]
        linear = test.rows.matvec(chosen.reshape(len(theta), -1))
        linear = linear.reshape(-1, *chosen.shape[1:])
        yield linear if test.offset is None else linear + test.offset[:, None]


def _by_moments(test: Moments, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared errors, and the size of what they are a difference of."""
    shape, columns = theta.shape[1:], theta.reshape(len(theta), -1)
    coef, level = columns[:-1], columns[-1].reshape(shape)
    quadratic = np.einsum("ij,ij->j", test.gram @ coef, coef).reshape(shape)
    linear = np.einsum("ijk,ik->jk", theta[:-1], test.cross)
    shift = (level - test.target_mean) + (test.mean @ coef).reshape(shape)
    size = test.square + quadratic + shift**2
    return size - 2 * linear, size


def spread_of(target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean square deviation of targets from their mean; zero for constant ones."""
    mean = centre_of(target, shares(weight))
    return np.average((target - mean) ** 2, axis=0, weights=shares(weight))


def call_scorers(
    measures: Iterable[Measure],
    models: Iterable[Any],
    X: Any,
    y: Any,
    test: np.ndarray,
) -> Scores:
    """Scores of models, (n_models,), by the measures that have no formula.

    Scorers get the rows of what was passed to `fit`: of a data frame, a data frame.
    """
    slow = [measure for measure in measures if measure.formula is None]
    n_samples = len(y)
    held_X, held_y = _safe_indexing(X, test), _safe_indexing(y, test)
    params = [measure.params_of(test, n_samples) for measure in slow]
    found = [
        [
            _one_number(measure, measure.scorer(model, held_X, held_y, **passed))
            for measure, passed in zip(slow, params, strict=True)
        ]
        for model in models
    ]
    columns = np.array(found, dtype=np.float64).reshape(-1, len(slow)).T
    return {measure.name: column for measure, column in zip(slow, columns, strict=True)}


def _one_number(measure: Measure, score: Any) -> float:
    """Return what a scorer has returned, as a number."""
    number = np.asarray(score)
    if number.size != 1 or number.dtype.kind not in "biuf":
        raise ValueError(
            "The 'scoring' parameter must be made of scorers that return one number "
            f"each. Got {score!r} from {measure.name!r} instead. To score by several, "
            "pass a dictionary of scorers."
        )
    return float(number.item())
