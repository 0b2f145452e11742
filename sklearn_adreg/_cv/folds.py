"""Second moments of the training and held-out rows of every split, in one pass over X.

Splits cut the rows into cells: rows that are in the same training and test sets, as
often in each. K-fold has one cell for each fold. Moments are measured once for each
cell, about its own mean, and what a training set needs is pooled from the cells in it
by the parallel-axis theorem [1]_,

    gram = sum_c p_c (gram_c + (m_c - m) (m_c - m)^T),     p_c = weight_c / weight,

where everything that is added is positive semidefinite: nothing cancels, as it would
in total less held-out. Splits that overlap at random (ShuffleSplit) have a cell for
every combination; they are taken a few at a time, so that the cells stay few.

Means are kept relative to one row of X, the pivot, so that a huge offset (timestamps)
does not swamp the digits in which they differ.

References
----------
.. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise
   algorithm for computing sample variances", COMPSTAT, 1982.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._rows.design import HostDesign, tall_design, weighted_mean
from sklearn_adreg._rows.device import DeviceDesign, device_design
from sklearn_adreg.backends.base import Backend

Split = tuple[np.ndarray, np.ndarray]

# What the moments of the cells of one batch of splits may take.
_BATCH_BYTES = 1 << 27


@dataclass(frozen=True)
class Rows:
    """Rows of X and targets, as columns, and where they are to be computed with.

    `pivot` and `target_pivot` are what means are relative to. `weights` is None where
    all are the same.
    """

    X: np.ndarray
    target: np.ndarray
    weights: np.ndarray | None
    pivot: np.ndarray
    target_pivot: np.ndarray
    backend: Backend
    device: str | None

    def take(self, indices: np.ndarray) -> Rows:
        """Take some of the rows, with repetitions; a view where they are neighbours."""
        where: slice | np.ndarray = indices
        if len(indices) and (np.diff(indices) == 1).all():
            where = slice(indices[0], indices[-1] + 1)
        weights = None if self.weights is None else self.weights[where]
        return Rows(
            self.X[where],
            self.target[where],
            weights,
            self.pivot,
            self.target_pivot,
            self.backend,
            self.device,
        )

    @property
    def deviations(self) -> np.ndarray:
        """Targets less their pivot, in float64."""
        return self.target - self.target_pivot

    @property
    def total(self) -> float:
        """Sum of the weights, or the number of rows."""
        return float(len(self.X) if self.weights is None else self.weights.sum())

    @property
    def shares(self) -> np.ndarray | None:
        """Weights that sum to one; None where all are the same."""
        if self.weights is None or (self.weights == self.weights[0]).all():
            return None
        return (self.weights / self.weights.sum()).astype(self.X.dtype)


def make_rows(
    X: np.ndarray, target: np.ndarray, weights: np.ndarray | None, place: dict[str, Any]
) -> Rows:
    """Take all rows, and find the pivots; `place` is the backend and the device."""
    pivots = X[0].astype(np.float64), weighted_mean(target, weights)
    return Rows(X, target, weights, *pivots, **place)


class Statistics(NamedTuple):
    """Of some rows: weight, means relative to the pivots, second moments about them."""

    weight: Any
    mean: Any
    target_mean: Any
    gram: Any
    cross: Any
    square: Any


class Fold(NamedTuple):
    """Rows of one split, and what was measured of its training and test rows."""

    split: Split
    train: Statistics
    test: Statistics


def fold_statistics(
    rows: Rows, splits: Sequence[Split], *, centred: bool
) -> tuple[Statistics, list[Fold]]:
    """Measure all rows, and those of each split.

    What models are fitted to is measured about its mean, or about zero where they have
    no intercept.
    """
    wholes: list[Statistics] = []
    folds: list[Fold] = []
    for members, cells, counts in _batches(splits, *rows.X.shape):
        measured = _measured_cells(rows, cells)
        wholes.append(_pooled(measured, np.ones(len(measured.weight))))
        for fold, (in_train, in_test) in zip(members, counts, strict=True):
            train, test = _pooled(measured, in_train), _pooled(measured, in_test)
            folds.append(
                Fold(splits[fold], train if centred else _about_zero(train, rows), test)
            )
    return wholes[0] if centred else _about_zero(wholes[0], rows), folds


def relative_mean(design: HostDesign | DeviceDesign, pivot: np.ndarray) -> np.ndarray:
    """Mean of a design's rows, less the pivot, without losing digits to an offset."""
    if isinstance(design, DeviceDesign) or design.shift is None:
        return design.mean - pivot
    return (design.shift - pivot) + design.offset


def _batches(
    splits: Sequence[Split], n_samples: int, n_features: int
) -> Iterator[tuple[range, np.ndarray, list[np.ndarray]]]:
    """Consecutive splits whose cells are few.

    Yields the splits' numbers, the cell of each row, and for each split how often
    each cell is in its training and its test rows, (2, n_cells).
    """
    most_cells = max(4, _BATCH_BYTES // (8 * n_features**2))
    everyone = range(len(splits))
    cells = _partition(splits, n_samples) if len(splits) < most_cells else None
    if cells is not None:
        numbers = np.arange(cells.max() + 1)
        in_test = (numbers == np.array(everyone)[:, None]).astype(np.intp)
        yield everyone, cells, list(np.stack([1 - in_test, in_test], axis=1))
        return
    nothing = np.zeros(n_samples, dtype=np.intp)
    start, cells = 0, nothing
    for fold, split in enumerate(splits):
        train, test = _counts(split, n_samples)
        code = train * (test.max() + 1) + test
        finer = _refined(cells, code)
        # Disjoint test sets add one cell each; independent ones double their number.
        if fold > start and finer.max() >= min(2 * (fold - start) + 4, most_cells):
            yield _batch(splits, range(start, fold), cells)
            start, finer = fold, _refined(nothing, code)
        cells = finer
    yield _batch(splits, range(start, len(splits)), cells)


def _partition(splits: Sequence[Split], n_samples: int) -> np.ndarray | None:
    """Test set of each row, if all rows that are not in a test set train; or None.

    The usual case, found in a fraction of the time that the general one takes.
    """
    cells = np.full(n_samples, len(splits))
    for fold, (train, test) in enumerate(splits):
        new = (cells[test] == len(splits)).all()
        cells[test] = fold
        complete = len(train) + len(test) == n_samples and (cells[train] != fold).all()
        if not (new and complete and _ascends(train) and _ascends(test)):
            return None
    return cells


def _ascends(indices: np.ndarray) -> bool:
    return bool((indices[1:] > indices[:-1]).all())


def _batch(
    splits: Sequence[Split], members: range, cells: np.ndarray
) -> tuple[range, np.ndarray, list[np.ndarray]]:
    one_of_each = np.zeros(cells.max() + 1, dtype=np.intp)
    one_of_each[cells] = np.arange(len(cells))
    counts = [
        np.stack([count[one_of_each] for count in _counts(splits[fold], len(cells))])
        for fold in members
    ]
    return members, cells, counts


def _counts(split: Split, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each row is in the training and in the test rows."""
    train, test = split
    return (
        np.bincount(train, minlength=n_samples),
        np.bincount(test, minlength=n_samples),
    )


def _refined(cells: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Cut cells by a code of their rows; they are numbered from zero."""
    code = cells * (code.max() + 1) + code
    present = np.bincount(code) > 0
    return (np.cumsum(present) - 1)[code]


def _measured_cells(rows: Rows, cells: np.ndarray) -> Statistics:
    """Statistics of each cell, stacked."""
    order = np.argsort(cells, kind="stable")
    ends = np.cumsum(np.bincount(cells))[:-1]
    parts = [_measured(rows.take(members)) for members in np.split(order, ends)]
    return Statistics(*map(np.array, zip(*parts, strict=True)))


def _measured(rows: Rows) -> Statistics:
    n_features, n_targets = rows.X.shape[1], rows.target.shape[1]
    if rows.total == 0:
        return Statistics(
            0.0,
            np.zeros(n_features),
            np.zeros(n_targets),
            np.zeros((n_features, n_features)),
            np.zeros((n_features, n_targets)),
            np.zeros(n_targets),
        )
    shares = rows.shares
    target_mean = weighted_mean(rows.deviations, shares)
    target = (rows.deviations - target_mean).astype(rows.X.dtype)
    design: HostDesign | DeviceDesign
    if rows.device is None:
        design, moments = tall_design(rows.X, shares, target, centred=True)
    else:
        design = device_design(
            rows.backend, rows.device, rows.X, shares, target, centred=True
        )
        moments = design.moments()
    mean = relative_mean(design, rows.pivot)
    return Statistics(rows.total, mean, target_mean, *moments)


def _pooled(cells: Statistics, counts: np.ndarray) -> Statistics:
    """Statistics of all rows of the cells, each repeated as `counts` says."""
    weight = counts * cells.weight
    total = weight.sum()
    used = np.flatnonzero(weight)
    shares = weight[used] / total
    mean = shares @ cells.mean[used]
    target_mean = shares @ cells.target_mean[used]
    roots = np.sqrt(shares)[:, None]
    off = roots * (cells.mean[used] - mean)
    target_off = roots * (cells.target_mean[used] - target_mean)
    return Statistics(
        total,
        mean,
        target_mean,
        np.tensordot(shares, cells.gram[used], 1) + off.T @ off,
        np.tensordot(shares, cells.cross[used], 1) + off.T @ target_off,
        shares @ cells.square[used] + (target_off**2).sum(axis=0),
    )


def _about_zero(train: Statistics, rows: Rows) -> Statistics:
    """Statistics about zero, which is where a model without an intercept stands."""
    mean = train.mean + rows.pivot
    target_mean = train.target_mean + rows.target_pivot
    return Statistics(
        train.weight,
        -rows.pivot,
        -rows.target_pivot,
        train.gram + np.outer(mean, mean),
        train.cross + np.outer(mean, target_mean),
        train.square + target_mean**2,
    )
