"""One split of cross-validation, in the eigenbasis of its training rows.

Where columns are no more than rows, everything comes from second moments, which all
splits share one pass over X for. Where they are more, the eigenvectors are those of
the inner products of the rows, and each split reads its own rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sklearn_adreg._cv.folds import (
    Fold,
    Rows,
    Split,
    Statistics,
    fold_statistics,
    relative_mean,
)
from sklearn_adreg._cv.spectrum import Spectrum
from sklearn_adreg._rows.design import HostDesign, weighted_mean, wide_design
from sklearn_adreg._rows.device import DeviceDesign, device_design
from sklearn_adreg._validation import check_range


class HeldOut(NamedTuple):
    """Second moments of the held-out rows, in the basis of the training rows.

    They are about the held-out means. `shift` and `target_shift` are what these are
    off the training means. `spread` is the targets' mean square deviation from their
    mean as metrics compute it, zero for constant targets exactly.
    """

    gram: np.ndarray
    cross: np.ndarray
    square: np.ndarray
    shift: np.ndarray
    target_shift: np.ndarray
    spread: np.ndarray


class Problem(NamedTuple):
    """One split: what descends, what it is scored on, and the training means."""

    split: Split
    spectrum: Spectrum
    held_out: HeldOut
    mean: np.ndarray
    target_mean: np.ndarray

    def coefficients(
        self, parts: np.ndarray, rows: Rows
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (n, n_targets, n_features) and intercepts (n, n_targets)."""
        coef = parts @ self.spectrum.basis.T
        # Without an intercept the means are the pivots' negatives: zero, exactly.
        intercept = (rows.target_pivot + self.target_mean) - coef @ (
            rows.pivot + self.mean
        )
        return coef, intercept


def prepare_problems(
    rows: Rows, splits: Sequence[Split], *, centred: bool
) -> tuple[list[Problem], Spectrum]:
    """Set up each split, and find the spectrum of all rows."""
    if rows.X.shape[1] > len(rows.X):
        design = _design(rows, rows.deviations, centred=centred)
        _check_range(rows, design.column_variances())
        everything = np.arange(len(rows.X))
        whole, *problems = (
            _wide_problem(rows, split, centred=centred)
            for split in [(everything, everything), *splits]
        )
        return problems, whole.spectrum
    statistics, folds = fold_statistics(rows, splits, centred=centred)
    _check_range(rows, statistics.gram.diagonal())
    problems = [_tall_problem(rows, fold) for fold in folds]
    return problems, _spectrum(statistics)


def _check_range(rows: Rows, variances: np.ndarray) -> None:
    squares = weighted_mean(rows.deviations**2, rows.weights)
    check_range("y", rows.target, rows.weights, squares)
    check_range("X", rows.X, rows.weights, variances)


def check_splits(rows: Rows, splits: Sequence[Split]) -> None:
    """Raise where a split has no rows to fit, or none to score."""
    for number, split in enumerate(splits):
        for name, part in zip(("training", "test"), split, strict=True):
            if not (len(part) if rows.weights is None else rows.weights[part].any()):
                raise ValueError(
                    f"Each split must have {name} rows with a weight above zero. "
                    f"Split {number} has none instead. Drop the rows of weight zero, "
                    "or use a splitter that shuffles them."
                )


def _tall_problem(rows: Rows, fold: Fold) -> Problem:
    train, test = fold.train, fold.test
    held, weights = fold.split[1], rows.weights
    spectrum = _spectrum(train)
    basis = spectrum.basis
    held_out = HeldOut(
        gram=basis.T @ test.gram @ basis,
        cross=basis.T @ test.cross,
        square=test.square,
        shift=(test.mean - train.mean) @ basis,
        target_shift=test.target_mean - train.target_mean,
        spread=spread_of(rows.target[held], None if weights is None else weights[held]),
    )
    return Problem(fold.split, spectrum, held_out, train.mean, train.target_mean)


def _spectrum(train: Statistics) -> Spectrum:
    values, basis = np.linalg.eigh(train.gram)
    parts = basis.T @ train.cross
    return Spectrum(values, basis, parts, parts**2, train.square)


def _wide_problem(rows: Rows, split: Split, *, centred: bool) -> Problem:
    train, test = map(rows.take, split)
    target_mean = -rows.target_pivot
    if centred:
        target_mean = weighted_mean(train.deviations, train.shares)
    target = train.deviations - target_mean
    design = _design(train, target, centred=centred)
    mean = relative_mean(design, rows.pivot)
    values, vectors = np.linalg.eigh(design.row_gram())
    roots = np.sqrt(design.row_weights)[:, None]
    basis = design.transposed_dot((roots * vectors).astype(design.dtype))
    parts = vectors.T @ (roots * target)
    slopes = np.maximum(values, 0.0)[:, None] * parts**2
    square = weighted_mean(target**2, train.shares)
    spectrum = Spectrum(values, basis, parts, slopes, square)
    held_out = _wide_held_out(test, basis, mean, target_mean)
    return Problem(split, spectrum, held_out, mean, target_mean)


def _wide_held_out(
    test: Rows, basis: np.ndarray, mean: np.ndarray, target_mean: np.ndarray
) -> HeldOut:
    test_target_mean = weighted_mean(test.deviations, test.shares)
    target = test.deviations - test_target_mean
    design = _design(test, target, centred=True)
    images = np.asarray(design.dot(basis.astype(design.dtype)), dtype=np.float64)
    weighted = images * design.row_weights[:, None]
    return HeldOut(
        gram=weighted.T @ images,
        cross=weighted.T @ target,
        square=weighted_mean(target**2, test.shares),
        shift=(relative_mean(design, test.pivot) - mean) @ basis,
        target_shift=test_target_mean - target_mean,
        spread=spread_of(test.target, test.weights),
    )


def _design(
    rows: Rows, target: np.ndarray, *, centred: bool
) -> HostDesign | DeviceDesign:
    if rows.device is None:
        return wide_design(rows.X, rows.shares, centred=centred)
    target = target.astype(rows.X.dtype)
    return device_design(
        rows.backend, rows.device, rows.X, rows.shares, target, centred=centred
    )


def spread_of(target: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Mean square deviation of the targets from their mean, as metrics compute it."""
    mean = np.average(target, axis=0, weights=weights)
    return np.average((target - mean) ** 2, axis=0, weights=weights)
