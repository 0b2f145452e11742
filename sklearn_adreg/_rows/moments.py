"""Means and second moments of rows: all that squared error asks of the data.

They are measured in one reading of X, about a rough shift, and then told about the
mean. Moments of parts of the rows are pooled by the parallel-axis theorem [1]_,

    gram = sum_c p_c (gram_c + (m_c - m) (m_c - m)^T),     p_c = weight_c / weight,

where everything that is added is positive semidefinite: nothing cancels, as it would in
total less part.

References
----------
.. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise
   algorithm for computing sample variances", COMPSTAT, 1982.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_adreg._rows.host import HostRows
from sklearn_adreg._rows.rows import Rows

# So many rows are looked at for one that is near the others: four may be far.
_PIVOTS = 9
# Rows that tell where the columns are to about a sixteenth of a standard deviation.
_FIRST_ROWS = 256
# A mean of so many standard deviations costs two digits of the second moments at the
# most, and refinement brings them back: no copy of X is made to subtract it.
BENIGN_DRIFT = 10.0
# A smallest eigenvalue of the scaled moments, relative to the largest, that costs no
# more than four digits of what is solved for.
_TRUSTED_EIGENVALUE = 1e-4
# Rounding of a sum of weights that is half of all, as it was meant.
_EVEN = 1e-12


class Moments(NamedTuple):
    """Weighted means of products of rows x and targets y, about their means.

    `gram` is the mean of x x^T, (d, d), `cross` that of x y^T, (d, n_targets), and
    `square` that of y^2, (n_targets,). `weight` is the sum of the weights that they are
    means by. Without an intercept everything is about zero.
    """

    weight: Any
    mean: Any
    target_mean: Any
    gram: Any
    cross: Any
    square: Any

    def about(self, mean: np.ndarray, target_mean: np.ndarray) -> Moments:
        """Moments about another point, whose distances from the mean are added."""
        off, target_off = self.mean - mean, self.target_mean - target_mean
        return Moments(
            self.weight,
            mean,
            target_mean,
            self.gram + np.multiply.outer(off, off),
            self.cross + np.multiply.outer(off, target_off),
            self.square + target_off**2,
        )

    def bordered(self, intercept: bool) -> tuple[np.ndarray, np.ndarray]:
        """`gram` and `cross` by theta: with the ones of an intercept, if there is one.

        The moments are about the means, where the ones are orthogonal to all columns.
        """
        gram, cross = (np.asarray(each, np.float64) for each in (self.gram, self.cross))
        if not intercept:
            return gram, cross
        size = len(gram) + 1
        bordered, below = np.zeros((size, size)), np.zeros((size, cross.shape[1]))
        bordered[:-1, :-1], bordered[-1, -1], below[:-1] = gram, 1.0, cross
        return bordered, below

    @property
    def scale(self) -> np.ndarray:
        """Standard deviations of the columns; one for those that are constant."""
        return positive_roots(np.diag(self.gram))

    @property
    def smallest_eigenvalue(self) -> float:
        """Of the second moments of the scaled columns, relative to the largest."""
        if not np.isfinite(self.gram).all():
            return 0.0
        values = np.linalg.eigvalsh(self.gram / np.outer(self.scale, self.scale))
        return float(values[0] / values[-1]) if values[-1] > 0 else 0.0

    @property
    def trusted(self) -> bool:
        """Whether they hold their digits when they are solved for."""
        return self.smallest_eigenvalue > _TRUSTED_EIGENVALUE


def measured(
    X: np.ndarray, target: np.ndarray, weight: np.ndarray | None, *, intercept: bool
) -> tuple[HostRows, Moments]:
    """Rows and moments from one reading of X (two where its rows drift far).

    `weight` sums to one; None is the same for all. The target is (n, n_targets).
    """
    shift = _first_shift(X, weight) if intercept else None
    rows = HostRows(X, shift, np.zeros(X.shape[1]), intercept)
    moments = about_shift(rows, target, weight)
    if not intercept:
        return rows, moments
    drift, variances = moments.mean, moments.gram.diagonal()
    far = np.abs(drift) > BENIGN_DRIFT * np.sqrt(np.maximum(variances, 0.0))
    if far.any():
        # Measured from one of its own values, a constant column is exactly zero.
        constant = variances <= 1e3 * np.finfo(X.dtype).eps * drift**2
        shift = np.where(constant, pivot_row(X, weight), rows.mean + drift)
        rows = HostRows(X, shift.astype(X.dtype), rows.drift, intercept)
        moments = about_shift(rows, target, weight)
    rows = HostRows(X, rows.shift, moments.mean, intercept)
    return rows, moments._replace(mean=rows.mean.astype(np.float64))


def centred(X: np.ndarray, weight: np.ndarray | None, *, intercept: bool) -> HostRows:
    """Rows whose columns are centred one by one, without second moments.

    Where some rows, evenly spread, are not far from zero, blocks are views of X.
    """
    nothing = np.zeros(X.shape[1])
    if not intercept:
        return HostRows(X, None, nothing, intercept)
    shares = np.full(len(X), 1.0 / len(X), X.dtype) if weight is None else weight
    some = slice(None, None, -(-len(X) // _FIRST_ROWS))
    if _first_shift(X[some], None if weight is None else weight[some]) is None:
        mean = HostRows(X, None, nothing, intercept=False).rmatvec(shares)
        return HostRows(X, None, mean, intercept)
    pivot = pivot_row(X, weight)
    drift = HostRows(X, pivot, nothing, intercept=False).rmatvec(shares)
    shift = (pivot + drift).astype(X.dtype)
    return HostRows(X, shift, (pivot - shift.astype(np.float64)) + drift, intercept)


def moments_of(rows: Rows, target: Any, weight: Any) -> Moments:
    """Moments of rows of any kind and of targets, (n, n_targets), from their products.

    The `target` and the `weight`, which sums to one, are row vectors. The rows may be
    centred by other weights.
    """
    target, shares = (np.asarray(rows.numpy(v), np.float64) for v in (target, weight))
    gram, mean = rows.gram(weight), rows.mean
    target_mean = rest = np.zeros(target.shape[1])
    if rows.intercept:
        drift, gram = gram[:-1, -1], gram[:-1, :-1]
        gram, mean = gram - np.outer(drift, drift), mean + drift
        target_mean = centre_of(target, shares)
        rest = shares @ (target - target_mean)
    target = (target - target_mean) - rest
    cross = rows.rmatvec(rows.vector(shares[:, None] * target))[: len(gram)]
    square = shares @ target**2
    return Moments(1.0, mean, target_mean + rest, gram, cross, square)


def pooled(parts: Moments, counts: np.ndarray) -> Moments:
    """Moments of all rows of stacked parts, each repeated as `counts` says."""
    weight = counts * parts.weight
    total = weight.sum()
    used = np.flatnonzero(weight)
    shares = weight[used] / total
    mean = shares @ parts.mean[used]
    target_mean = centre_of(parts.target_mean[used], shares)
    roots = np.sqrt(shares)[:, None]
    off = roots * (parts.mean[used] - mean)
    target_off = roots * (parts.target_mean[used] - target_mean)
    return Moments(
        total,
        mean,
        target_mean,
        np.tensordot(shares, parts.gram[used], 1) + off.T @ off,
        np.tensordot(shares, parts.cross[used], 1) + off.T @ target_off,
        shares @ parts.square[used] + (target_off**2).sum(axis=0),
    )


def weighted_mean(values: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Weighted mean over the rows, in float64."""
    if weight is None:
        return values.sum(axis=0, dtype=np.float64) / len(values)
    return np.asarray(weight @ values / weight.sum(), dtype=np.float64)


def centre_of(values: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Weighted mean over the rows, in float64, which of equal rows is these exactly.

    It is measured from one of them: what is left of a constant target is zero, and no
    rounding that would be fitted, and scored, as if it were data.
    """
    pivot = pivot_row(values, weight).astype(np.float64)
    return pivot + weighted_mean(values - pivot, weight)


def weighted_median(values: np.ndarray, weight: np.ndarray | None) -> float:
    """Weighted median; between the middle two where these share the weight evenly."""
    if weight is None:
        return _median(values)
    order = np.argsort(values)
    reached = np.cumsum(weight[order], dtype=np.float64)
    # A weight of two is a row that stands twice, but for rounding of the sums.
    half = reached[-1] / 2 * (1 + _EVEN * np.array([-1, 1]))
    low, high = np.searchsorted(reached, half)
    return float(values[order[low]] / 2 + values[order[high]] / 2)


def _median(values: np.ndarray) -> float:
    """Median of numbers. NumPy's own partitions twice, and takes six times as long."""
    half = len(values) // 2
    parted = np.partition(values, half)
    low = parted[half] if len(values) % 2 else parted[:half].max()
    return float((low + parted[half]) / 2)


def mean_square(values: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Weighted mean square over the rows; what has no weight may be of any size."""
    if weight is None:
        return weighted_mean(values**2, None)
    roots = np.sqrt(weight).reshape(-1, *[1] * (values.ndim - 1))
    return ((roots * values) ** 2).sum(axis=0, dtype=np.float64) / weight.sum()


def positive_roots(variances: np.ndarray) -> np.ndarray:
    """Square roots to divide by; one in place of zero."""
    return np.sqrt(np.where(variances > 0, variances, 1.0))


def pivot_row(X: Any, weight: np.ndarray | None) -> np.ndarray:
    """Return the middle of the first rows that count: a number of each column itself.

    One row alone may be far from all others, which would lose their digits.
    """
    start = 0 if weight is None else int(np.argmax(weight > 0))
    rows = X[start : start + _PIVOTS]
    if weight is not None and weight[start] > 0:
        rows = rows[np.flatnonzero(weight[start : start + _PIVOTS])]
    rows = np.sort(rows.toarray() if sparse.issparse(rows) else rows, axis=0)
    return np.asarray(rows[len(rows) // 2])


def about_shift(
    rows: HostRows,
    target: np.ndarray,
    weight: np.ndarray | None,
    columns: np.ndarray | None = None,
) -> Moments:
    """Moments of (some columns of) X less the shift, from one reading.

    They are about the means where the rows have an intercept, and about zero elsewhere.
    """
    n_rows, n_features = rows.source.shape
    if columns is not None:
        n_features = len(columns)
    gram = np.zeros((n_features, n_features))
    cross = np.zeros((n_features, target.shape[1]))
    mean, target_mean = np.zeros(n_features), centre_of(target, weight)
    for part, whole in rows.blocks(columns):
        block, roots = whole, np.ones(len(whole), dtype=whole.dtype)
        y = (target[part] - target_mean).astype(whole.dtype)
        if weight is not None:
            roots = np.sqrt(weight[part])
            block, y = block * roots[:, None], y * roots[:, None]
        gram += block.T @ block
        cross += block.T @ y
        mean += roots @ block
    unit = 1.0 if weight is not None else 1.0 / n_rows
    mean *= unit
    moments = Moments(
        1.0,
        mean,
        target_mean,
        gram * unit - np.outer(mean, mean),
        cross * unit,
        mean_square(target - target_mean, weight),
    )
    return moments if rows.intercept else moments.about(0 * mean, 0 * target_mean)


def _first_shift(X: np.ndarray, weight: np.ndarray | None) -> np.ndarray | None:
    """Mean of the first rows, or None where no column is far from zero.

    Measured from one of the rows, so that constant columns become exact zeros.
    """
    pivot = pivot_row(X, weight)
    part = None if weight is None else weight[:_FIRST_ROWS]
    if part is not None and not part.any():
        return pivot
    drift = X[:_FIRST_ROWS] - pivot
    mean = weighted_mean(drift, part)
    spread = np.sqrt(np.maximum(weighted_mean(drift**2, part) - mean**2, 0.0))
    shift = pivot + mean
    far = np.abs(shift) > BENIGN_DRIFT * spread
    if len(X) > _FIRST_ROWS:
        # What is constant so far need not be: many an indicator is. If it is, that
        # shows in its moments.
        far &= spread > 0
    return shift.astype(X.dtype) if far.any() else None
