"""Blocks, moments and factors of X, against the same in one piece."""

import numpy as np
import pytest

from sklearn_adreg._rows import design
from sklearn_adreg._rows.design import block_length, tall_design, wide_design


@pytest.fixture(params=["C", "F", "strided"])
def data(request, monkeypatch):
    """Rows in many blocks, in each memory order, far from zero."""
    monkeypatch.setattr(design, "BLOCK_BYTES", 1 << 12)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 7)) * [1, 2, 3, 4, 5, 6, 0] + 1e4
    y = rng.standard_normal((1000, 2))
    weights = rng.random(1000)
    X = np.repeat(X, 2, axis=1)[:, ::2] if request.param == "strided" else X
    X = np.asarray(X, order=request.param) if request.param in "CF" else X
    return X, y - weights @ y / weights.sum(), weights / weights.sum()


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("centred", [True, False])
def test_moments(data, weighted, centred):
    X, y, weights = data
    p = weights if weighted else np.full(1000, 1e-3)
    y = y if weighted else y - y.mean(axis=0)
    design, moments = tall_design(X, p if weighted else None, y, centred=centred)
    Xc = X - p @ X if centred else X
    np.testing.assert_allclose(moments.gram, Xc.T * p @ Xc, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(moments.cross, Xc.T * p @ y, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(moments.square, p @ y**2, rtol=1e-13)
    np.testing.assert_allclose(design.mean, p @ X if centred else 0.0, rtol=1e-14)
    coef = np.random.default_rng(1).standard_normal((7, 3))
    np.testing.assert_allclose(design.dot(coef), Xc @ coef, atol=1e-9)
    np.testing.assert_allclose(design.transposed_dot(y), Xc.T @ y, atol=1e-8)
    np.testing.assert_allclose(
        design.column_variances(), np.diag(moments.gram), rtol=1e-10, atol=1e-20
    )


@pytest.mark.parametrize("weighted", [True, False])
def test_triangles_have_the_gram_matrix(data, weighted):
    X, y, weights = data
    p = weights if weighted else np.full(1000, 1e-3)
    design, moments = tall_design(X, p if weighted else None, y, centred=True)
    triangle = design.triangle(np.ones(7), y)
    np.testing.assert_allclose(triangle, np.triu(triangle))
    gram = (triangle.T @ triangle)[1:8, 1:8]
    np.testing.assert_allclose(gram, moments.gram, rtol=1e-10, atol=1e-12)
    X, p = X[:20].T @ np.eye(20), np.full(7, 1 / 7)
    design = wide_design(X, p if weighted else None, centred=True)
    Xc = (X - p @ X) * np.sqrt(1 / 7)
    np.testing.assert_allclose(design.row_gram(), Xc @ Xc.T, rtol=1e-9, atol=1e-9)
    rows = design.row_triangle()
    np.testing.assert_allclose(rows.T @ rows, Xc @ Xc.T, rtol=1e-9, atol=1e-9)


def test_constant_columns_are_exactly_zero(data):
    X, y, _ = data
    for column in (0.1, 1e9 / 3, -1e-9):
        X[:, 6] = column
        _, moments = tall_design(X, None, y, centred=True)
        assert (moments.gram[6] == 0).all()


def test_blocks_are_views_unless_there_is_an_offset(data):
    X, y, _ = data
    plain, _ = tall_design(X, None, y, centred=False)
    near, _ = tall_design(X[:, :6] - 1e4, None, y, centred=True)
    far, _ = tall_design(X, None, y, centred=True)
    assert all(np.shares_memory(block, plain.X) for _, block in plain.blocks())
    assert all(np.shares_memory(block, near.X) for _, block in near.blocks())
    assert not any(np.shares_memory(block, far.X) for _, block in far.blocks())
    assert sum(len(block) for _, block in far.blocks()) == 1000


def test_blocks_fit_in_cache():
    for width in (1, 10, 100, 5000, 10**7):
        length = block_length(width, np.dtype(np.float64))
        assert length & (length - 1) == 0
        assert length == 64 or length * width * 8 <= design.BLOCK_BYTES
