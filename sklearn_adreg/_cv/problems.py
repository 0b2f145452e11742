"""One split of a search on squared error, in the eigenbasis of its training rows.

Where columns are no more than rows, everything comes from second moments, which all
splits share one pass over X for. Where they are more, the eigenvectors are those of
the inner products of the rows, and each split reads its own rows.

With a model's deviation from the training means, the mean squared error on held-out
rows is a quadratic form in the eigenbasis. Where a fit is so good that the form
cancels, the held-out rows are read instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._cv.candidates import Candidates
from sklearn_adreg._cv.folds import (
    Ends,
    Split,
    fold_moments,
    placed,
    relative_mean,
    shares,
    some_rows,
)
from sklearn_adreg._descent.closed_form import (
    Spectrum,
    descend,
    spectrum_of_moments,
    spectrum_of_rows,
    steps_to,
)
from sklearn_adreg._objective.quadratic import curvature_of
from sklearn_adreg._rows.moments import Moments, weighted_mean
from sklearn_adreg._rows.rows import Data
from sklearn_adreg.losses import Loss

# Numbers of one chunk of candidates: 32 MB.
_CHUNK_NUMBERS = 1 << 22
# Below this part of what it is a difference of, a mean square has lost too many digits.
_CANCELLED = 1e-6
# Candidates whose predictions are held at one time.
_PREDICTED = 64


class ClosedFormProblem(NamedTuple):
    """What descends in closed form, and what it is scored on.

    `mean` and `target_mean` are those of the training rows, relative to the pivots of
    all rows; or the negative pivots, where there is no intercept. The moments of the
    held-out rows are about their own means; `gram` and `cross` are in the basis of the
    training rows.

    Ends are (..., n_targets, rank): coefficients are ``ends @ spectrum.basis.T``.
    """

    split: Split
    spectrum: Spectrum
    mean: np.ndarray
    target_mean: np.ndarray
    target_pivot: np.ndarray
    test: Moments

    def descend(
        self, data: Data, candidates: Candidates, n_iter: np.ndarray, tol: float
    ) -> Iterator[Ends]:
        """Let each candidate stop, after `n_iter` steps, (n_candidates,), at most."""
        epsilon, alpha = candidates.epsilon, candidates.alpha
        n_iter = steps_to(self.spectrum, epsilon, alpha, max_iter=n_iter, tol=tol)
        for where, diverged, ends in self._ends(data, candidates, n_iter[:, None]):
            yield where, diverged[:, 0], ends[:, 0]

    def path(self, data: Data, candidates: Candidates, max_iter: int) -> Iterator[Ends]:
        """Take 0, 1, ... steps with each candidate."""
        n_iter = np.tile(np.arange(max_iter + 1), (len(candidates.epsilon), 1))
        return self._ends(data, candidates, n_iter)

    def coefficients(
        self, data: Data, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (n, n_targets, n_features) and intercepts (n, n_targets)."""
        coef = ends @ self.spectrum.basis.T
        # Without an intercept the means are the pivots' negatives: zero, exactly.
        level = self.target_pivot + self.target_mean
        return coef, level - coef @ (data.rows.mean + self.mean)

    def mean_squared_errors(self, data: Data, ends: np.ndarray) -> np.ndarray:
        """Of models on the held-out rows; (n, n_targets, rank) to (n, n_targets)."""
        test, target_shift = self.test, self.test.target_mean - self.target_mean
        quadratic = ((ends @ test.gram) * ends).sum(axis=2)
        linear = (ends * test.cross.T).sum(axis=2)
        shift = ends @ ((test.mean - self.mean) @ self.spectrum.basis)
        errors = test.square - 2 * linear + quadratic + (target_shift - shift) ** 2
        size = test.square + quadratic + target_shift**2 + shift**2
        doubtful = np.flatnonzero((errors <= _CANCELLED * size).any(axis=1))
        for start in range(0, len(doubtful), _PREDICTED):
            chosen = doubtful[start : start + _PREDICTED]
            errors[chosen] = self._errors_of_rows(data, ends[chosen])
        return errors

    def _ends(
        self, data: Data, candidates: Candidates, n_iter: np.ndarray
    ) -> Iterator[Ends]:
        """Take numbers of steps, (n_candidates, n_numbers), with some at a time."""
        size = n_iter.shape[1] * self.spectrum.parts.size
        length = max(1, _CHUNK_NUMBERS // size)
        for start in range(0, len(n_iter), length):
            where = slice(start, start + length)
            epsilon = candidates.epsilon[where, None]
            alpha = candidates.alpha[where, None]
            # What overflows has diverged, and is scored NaN.
            with np.errstate(over="ignore", invalid="ignore"):
                ends, diverged = descend(
                    self.spectrum, epsilon, alpha, n_iter[where], data.rows.dtype
                )
            yield where, diverged, ends

    def _errors_of_rows(self, data: Data, ends: np.ndarray) -> np.ndarray:
        test = some_rows(data, self.split[1])
        coef = ends @ self.spectrum.basis.T
        columns = coef.reshape(-1, coef.shape[2]).T
        predicted = test.rows.matvec(columns) - self.mean @ columns
        residuals = (test.target - self.target_mean)[:, None]
        residuals = residuals - predicted.reshape(len(residuals), *coef.shape[:2])
        return np.average(residuals**2, axis=0, weights=test.weight)


def closed_form_problems(
    data: Data,
    splits: Sequence[Split],
    loss: Loss,
    where: dict[str, Any],
    ridge: float,
    target_pivot: np.ndarray,
) -> tuple[list[ClosedFormProblem], float, float]:
    """Set up each split; the largest stable step on these, and on all rows.

    `where` is what `place` is told.
    """
    curvature = curvature_of(loss, where["backend"], data.rows.dtype)
    n_rows, n_features = data.rows.shape
    if n_features > n_rows:
        parts = [*(train for train, _ in splits), np.arange(n_rows)]
        *trained, whole = [
            _trained_on_rows(data, part, curvature, where, target_pivot)
            for part in parts
        ]
        tests = [
            _rows_in_basis(data, test, spectrum.basis, where)
            for (_, test), (spectrum, *_) in zip(splits, trained, strict=True)
        ]
    else:
        moments, folds = fold_moments(data, splits, where)
        every = [*(train for train, _ in folds), moments]
        if not where["intercept"]:
            zero = -np.asarray(data.rows.mean, dtype=np.float64), -target_pivot
            every = [each.about(*zero) for each in every]
        *trained, whole = [
            (spectrum_of_moments(each, curvature), each.mean, each.target_mean)
            for each in every
        ]
        tests = [
            _moments_in_basis(test, spectrum.basis)
            for (_, test), (spectrum, *_) in zip(folds, trained, strict=True)
        ]
    problems = [
        ClosedFormProblem(split, *found, target_pivot, test)
        for split, found, test in zip(splits, trained, tests, strict=True)
    ]
    on_splits = min(each.spectrum.max_epsilon(ridge) for each in problems)
    return problems, on_splits, whole[0].max_epsilon(ridge)


def _trained_on_rows(
    data: Data,
    index: np.ndarray,
    curvature: float,
    where: dict[str, Any],
    target_pivot: np.ndarray,
) -> tuple[Spectrum, np.ndarray, np.ndarray]:
    """Spectrum of training rows, and the means that they are seen from."""
    train, target_mean = some_rows(data, index), -target_pivot
    if where["intercept"]:
        target_mean = weighted_mean(train.target, shares(train.weight))
    target = train.target - target_mean
    (rows, _, weight, *_), _ = placed(train, target, where, measure=False)
    spectrum = spectrum_of_rows(rows, weight, target, curvature)
    return spectrum, relative_mean(rows, data), target_mean


def _rows_in_basis(
    data: Data, index: np.ndarray, basis: np.ndarray, where: dict[str, Any]
) -> Moments:
    """Moments of held-out rows in a basis that has fewer columns than they."""
    test, where = some_rows(data, index), where | {"intercept": True}
    target_mean = weighted_mean(test.target, shares(test.weight))
    target = test.target - target_mean
    (rows, _, weight, *_), _ = placed(test, target, where, measure=False)
    images = rows.numpy(rows.matvec(np.pad(basis, ((0, 1), (0, 0)))))
    images = np.asarray(images, dtype=np.float64)
    parts = np.asarray(rows.numpy(weight), dtype=np.float64)
    weighted = parts[:, None] * images
    products = weighted.T @ images, weighted.T @ target, parts @ target**2
    return Moments(1.0, relative_mean(rows, data), target_mean, *products)


def _moments_in_basis(test: Moments, basis: np.ndarray) -> Moments:
    gram, cross = basis.T @ test.gram @ basis, basis.T @ test.cross
    return test._replace(gram=gram, cross=cross)
