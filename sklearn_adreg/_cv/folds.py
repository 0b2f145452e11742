"""Second moments of the training and held-out rows of every split, in one pass over X.

Splits cut the rows into cells: rows that are in the same training and test sets, as
often in each. K-fold has one cell for each fold. Moments are measured once for each
cell, about its own mean, and those of a training set are pooled from the cells in it.
Splits that overlap at random (ShuffleSplit) have a cell for every combination; they are
taken a few at a time, so that the cells stay few.

The rows of all splits are `Data` in host memory: X less one of its rows, so that a huge
mean (timestamps) does not swamp the digits that matter. Where columns are more than
rows, they are coordinates in the span of the rows. Models are told apart by theta of
these rows, with their column of ones, whatever the rows were that they descended on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sklearn_adreg._rows.host import HostRows
from sklearn_adreg._rows.moments import Moments, pivot_row, pooled
from sklearn_adreg._rows.place import data_on, place, rows_less
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._rows.span import span_of
from sklearn_adreg._solve.task import Fit
from sklearn_adreg._validation import shares

Split = tuple[np.ndarray, np.ndarray]

# What the moments of the cells of one batch of splits may take: 128 MB.
_BATCH_BYTES = 1 << 27
# Splits may always have so many cells at a time: K-fold's two, twice.
_FEWEST_CELLS = 4


def all_rows(fit: Fit) -> Data:
    """All rows in host memory, less one that counts."""
    rows = rows_less(fit.X, pivot_row(fit.X, fit.weight))
    return data_on(rows, fit.y, fit.weight, **fit.beside)


def in_span(data: Data, where: dict[str, Any]) -> Data:
    """Return the rows as coordinates in the span of those that count."""
    counted = np.flatnonzero(data.weight)
    found, _ = placed(data.take(counted), where, measure=False)
    span = span_of(found.rows, found.weight)
    assert span is not None
    image = np.zeros((len(data.weight), span.image.shape[1]))
    image[counted] = span.image
    nothing = np.zeros(image.shape[1])
    return data._replace(
        rows=HostRows(image, None, nothing, intercept=True, origin=span)
    )


def check_splits(data: Data, splits: Sequence[Split]) -> None:
    """Raise where a split has no rows to fit, or none to score."""
    for number, split in enumerate(splits):
        for name, part in zip(("training", "test"), split, strict=True):
            if not data.weight[part].any():
                raise ValueError(
                    f"Each split must have {name} rows with a weight above zero. "
                    f"Split {number} has none instead. Drop the rows of weight zero, "
                    "or use a splitter that shuffles them."
                )


def some_rows(data: Data, indices: np.ndarray) -> Data:
    """Return the rows of a split that count.

    Those that are in it twice have twice their weight.
    """
    indices = indices[data.weight[indices] > 0]
    if _ascends(indices):
        return data.take(indices)
    index, counts = np.unique(indices, return_counts=True)
    found = data.take(index)
    return found._replace(weight=found.weight * counts)


def placed(
    part: Data, where: dict[str, Any], *, measure: bool
) -> tuple[Data, Moments | None]:
    """Place some rows by their own weights; `where` is for `place`."""
    X, weight = part.rows.X, shares(part.weight)
    if weight is not None:
        weight = weight.astype(X.dtype)
    beside = {"offset": part.offset, "row_data": part.row_data}
    target = part.target.astype(X.dtype)
    return place(X, target, weight, **where, **beside, measure=measure)


def fold_moments(
    data: Data, splits: Sequence[Split], where: dict[str, Any]
) -> tuple[Moments, list[tuple[Moments, Moments]]]:
    """Moments of all rows, and of the training and the test rows of each split.

    Those of test rows are about their means, and the others are where there is an
    intercept. Means are those of the data's rows.
    """
    whole, folds = None, list[tuple[Moments, Moments]]()
    for cells, counts in _batches(splits, *data.rows.X.shape):
        measured = _moments_of_cells(data, cells, where | {"intercept": True})
        whole = whole or pooled(measured, np.ones(len(measured.weight)))
        folds.extend(
            (pooled(measured, in_train), pooled(measured, in_test))
            for in_train, in_test in counts
        )
    assert whole is not None
    if where["intercept"]:
        return whole, folds
    zero = -np.asarray(data.rows.mean, dtype=np.float64), np.zeros_like(whole.square)
    return whole.about(*zero), [(train.about(*zero), test) for train, test in folds]


def _batches(
    splits: Sequence[Split], n_samples: int, n_features: int
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Consecutive splits whose cells are few.

    Yields the cell of each row, and for each split how often each cell is in its
    training and its test rows, (2, n_cells).
    """
    most_cells = max(_FEWEST_CELLS, _BATCH_BYTES // (8 * n_features**2))
    cells = _partition(splits, n_samples) if len(splits) < most_cells else None
    if cells is not None:
        numbers = np.arange(cells.max() + 1)
        in_test = (numbers == np.arange(len(splits))[:, None]).astype(np.intp)
        yield cells, list(np.stack([1 - in_test, in_test], axis=1))
        return
    nothing = np.zeros(n_samples, dtype=np.intp)
    start, cells = 0, nothing
    for fold, split in enumerate(splits):
        train, test = _counts(split, n_samples)
        code = train * (test.max() + 1) + test
        finer = _refined(cells, code)
        # Disjoint test sets add one cell each; independent ones double their number.
        if fold > start and finer.max() >= min(
            2 * (fold - start) + _FEWEST_CELLS, most_cells
        ):
            yield cells, _counts_of_cells(splits[start:fold], cells)
            start, finer = fold, _refined(nothing, code)
        cells = finer
    yield cells, _counts_of_cells(splits[start:], cells)


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


def _counts_of_cells(splits: Sequence[Split], cells: np.ndarray) -> list[np.ndarray]:
    """How often each cell is in the training and in the test rows of each split."""
    one_of_each = np.zeros(cells.max() + 1, dtype=np.intp)
    one_of_each[cells] = np.arange(len(cells))
    return [
        np.stack([count[one_of_each] for count in _counts(split, len(cells))])
        for split in splits
    ]


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


def _moments_of_cells(data: Data, cells: np.ndarray, where: dict[str, Any]) -> Moments:
    """Moments of each cell, stacked."""
    order = np.argsort(cells, kind="stable")
    ends = np.cumsum(np.bincount(cells))[:-1]
    parts = [_moments(data, members, where) for members in np.split(order, ends)]
    return Moments(*map(np.array, zip(*parts, strict=True)))


def _moments(data: Data, index: np.ndarray, where: dict[str, Any]) -> Moments:
    """Moments of some rows, with their weight, and the mean of the data's rows."""
    part = data.take(index)
    total = float(part.weight.sum(dtype=np.float64))
    if total == 0:
        n_features, n_targets = data.rows.X.shape[1], data.target.shape[1]
        means = np.zeros(n_features), np.zeros(n_targets)
        products = np.zeros((n_features, n_features)), np.zeros((n_features, n_targets))
        return Moments(0.0, *means, *products, np.zeros(n_targets))
    found, moments = placed(part, where, measure=True)
    assert moments is not None
    mean = np.asarray(found.rows.mean - data.rows.mean, dtype=np.float64)
    return moments._replace(weight=total, mean=mean)
