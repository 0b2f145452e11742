"""Parts of rows, beside the matrix that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from kinds_of_rows import BUILDERS, Builder, host_rows
from numpy.testing import assert_allclose

from sklearn_adreg._rows.parts import PartRows

PARTS = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0], [1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])
EVERY = np.arange(80)
INDICES = [None, EVERY[::3], EVERY[:1], EVERY[5:9]]


@pytest.mark.parametrize("build", [host_rows, BUILDERS["SparseRows"]["CSR"]])
@pytest.mark.parametrize("index", INDICES, ids=["all", "thirds", "one", "neighbours"])
def test_beside_a_dense_matrix(build: Builder, index: np.ndarray | None) -> None:
    rng = np.random.default_rng(0)
    X, weight = rng.normal(3.0, 1.0, (20, 2)), np.full(20, 0.05)
    dense = np.c_[X - X.mean(axis=0), np.ones(20)]
    whole = np.kron(dense, PARTS).reshape(20 * 4, 9)
    # Columns of theta (p, k) as one vector follow those of the parts.
    rows = PartRows(build(X, weight, True), PARTS)
    if index is not None:
        rows, whole = rows.take(index)[0], whole[index]
    assert rows.shape == whole.shape
    theta, v = rng.standard_normal(9), rng.standard_normal(len(whole))
    assert_allclose(rows.matvec(theta), whole @ theta, atol=1e-12)
    assert_allclose(rows.rmatvec(v), whole.T @ v, atol=1e-12)
    gram = whole.T @ (v[:, None] * whole)
    assert_allclose(rows.gram(v), gram, atol=1e-12)
    columns = np.array([0, 4, 5, 8])
    some = np.ix_(columns, columns)
    assert_allclose(rows.gram(v, columns), gram[some], atol=1e-12)
    factor = rng.standard_normal((3, 2))
    wide = np.kron(factor, np.eye(3))
    assert_allclose(rows.gram(v, factor=factor), wide.T @ gram @ wide, atol=1e-12)
    squares = np.diag(whole.T @ (v[:, None] ** 2 * whole))
    assert_allclose(rows.diagonal(v**2), squares, atol=1e-12)
