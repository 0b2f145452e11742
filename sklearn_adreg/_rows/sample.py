"""A sample of the rows, where there are many: what few of them tell a descent.

The optimum on a sample is near that of all rows, the second moments of a sample whiten
nearly as well as those of all: a descent starts there, and reads the rest of X for
gradients alone. Both errors shrink like the root of columns
over rows of the sample.

References
----------
.. [1] F. Roosta-Khorasani, M. W. Mahoney, "Sub-sampled Newton methods", Mathematical
   Programming 174, 2019.
"""

from __future__ import annotations

import numpy as np

# A sample has so many rows, part of all rows, and rows for each column, at least; and
# is taken where there are several times as many.
_SAMPLE_ROWS, _SAMPLE_SHARE, _SAMPLE_PER_COLUMN = 1 << 13, 16, 20
_TIMES_AS_MANY = 4


def sampled_rows(
    shape: tuple[int, int], weights: np.ndarray | None
) -> np.ndarray | None:
    """Rows of a sample, in order; None where it would be most of them.

    One row of each of as many stretches: neither what repeats along the rows nor what
    drifts is missed. The draw is the same each time.
    """
    counted = None if weights is None else np.flatnonzero(weights)
    n_rows = shape[0] if counted is None else len(counted)
    size = max(_SAMPLE_ROWS, n_rows // _SAMPLE_SHARE, _SAMPLE_PER_COLUMN * shape[1])
    if n_rows < _TIMES_AS_MANY * size:
        return None
    edges = np.arange(size + 1) * n_rows // size
    within = np.random.default_rng(0).random(size) * np.diff(edges)
    rows = edges[:-1] + within.astype(np.intp)
    return rows if counted is None else counted[rows]
