"""Sparse X: what a dense copy of it gives, from the entries that are stored alone."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Lasso, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_adreg import GradientDescentRegressor, GradientDescentRegressorCV
from sklearn_adreg._rows.sparse import sparse_rows

# The formats that are used as they are.
FORMATS: list[Callable[[Any], Any]] = [
    sparse.csr_array,
    sparse.csc_array,
    sparse.csr_matrix,
    sparse.csc_matrix,
]
# What a fit may hold of rows at one time: a block of 4 MB.
BLOCK_BYTES = 1 << 22


def design(n_rows: int = 300) -> np.ndarray:
    """Columns of all sorts: few entries, none, far from zero, constant; empty rows."""
    X = sparse.random(n_rows, 12, density=0.3, random_state=0).toarray()
    X[:, 3] = 0.0
    X[:, 6] = 7.0
    X[::7, :6] = X[::7, 7:] = 0.0
    rng = np.random.default_rng(1)
    X[:, 5] = 1e5 + rng.standard_normal(n_rows)
    return X


def targets(X: np.ndarray, *, counts: bool) -> np.ndarray:
    rng = np.random.default_rng(2)
    linear = X[:, :5].sum(axis=1) - X[:, 8] + 0.3 * (X[:, 5] - X[:, 5].mean())
    if counts:
        return rng.poisson(np.exp(0.5 * linear)).astype(float)
    return np.asarray(linear + 0.5 * rng.standard_normal(len(X)))


def settings() -> Iterator[dict[str, Any]]:
    """Penalties, with and without an intercept, both update rules."""
    for alpha, l1_ratio in ((0.0, 0.0), (0.01, 0.0), (0.01, 0.5)):
        penalty = {"alpha": alpha, "l1_ratio": l1_ratio}
        for fit_intercept in (True, False):
            shared = {**penalty, "fit_intercept": fit_intercept}
            yield {**shared, "tol": 1e-10}
            step = 1e-2 if fit_intercept else 1e-11
            yield {**shared, "epsilon": step, "max_iter": 30, "tol": 0}


def weights(n_rows: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 3, n_rows).astype(float)


@pytest.mark.parametrize("backend", ["autograd", "jax"])
@pytest.mark.parametrize("loss", ["squared_error", "poisson_deviance", "cauchy"])
def test_coefficients_are_those_of_dense_rows(loss: str, backend: Any) -> None:
    X = design()
    y, some = targets(X, counts=loss == "poisson_deviance"), weights(len(X))
    formats = itertools.cycle(FORMATS)
    for params in settings():
        if loss != "squared_error" and not params["fit_intercept"]:
            continue  # the far column is for least squares
        model = GradientDescentRegressor(loss, backend=backend, **params)
        weight = some if params["alpha"] else None
        model.fit(X, y, weight)
        expected, level = model.coef_, model.intercept_
        kept = next(formats)(X)
        model.fit(kept, y, weight)
        assert np.isfinite(model.coef_).all()
        assert_allclose(model.coef_, expected, rtol=1e-10, atol=1e-8)
        # Of a column without entries a ridge leaves zero, or a rounding of 1e-30.
        nothing = 0.0 if params["l1_ratio"] else 1e-25
        assert_array_equal(np.abs(model.coef_) <= nothing, np.abs(expected) <= nothing)
        assert_allclose(model.intercept_, level, rtol=0, atol=1e-3)
        assert_allclose(model.predict(kept), model.predict(X), atol=1e-9)
        assert model.score(kept, y) == pytest.approx(model.score(X, y), abs=1e-9)


@pytest.mark.parametrize("loss", ["pinball", "huber"])
def test_kinks(loss: str) -> None:
    X = design()[:, :5]
    y = targets(design(), counts=False)
    for alpha, l1_ratio in ((0.0, 0.0), (0.01, 0.5)):
        penalty: dict[str, Any] = {"alpha": alpha, "l1_ratio": l1_ratio}
        model = GradientDescentRegressor(loss, tol=1e-8, **penalty).fit(X, y)
        expected = model.loss_curve_[-1]
        model.fit(sparse.csr_array(X), y)
        assert model.loss_curve_[-1] == pytest.approx(expected, rel=1e-7)


def test_many_rows_are_whitened_by_a_sample() -> None:
    # All levels of two factors: columns that are collinear, some of them rare.
    rng = np.random.default_rng(0)
    n_rows = 170_000
    levels = [rng.integers(0, 5, n_rows), (30 * rng.random(n_rows) ** 3).astype(int)]
    X = OneHotEncoder().fit_transform(np.stack(levels, axis=1))
    y = rng.poisson(np.exp(0.3 * levels[0] - 0.05 * levels[1])).astype(float)
    model = GradientDescentRegressor("poisson_deviance", tol=1e-10).fit(X, y)
    # Of minimum norm, though nothing penalises: the last column of each factor tells.
    assert abs(model.coef_[:5].sum() - model.coef_[5:].sum()) < 1e-8
    drop = np.delete(np.arange(35), [0, 5])
    reference = PoissonRegressor(alpha=0, solver="newton-cholesky", tol=1e-10)
    predicted = reference.fit(X[:, drop], y).predict(X[:, drop])
    assert_allclose(model.predict(X), predicted, rtol=1e-7)


def test_more_columns_than_rows() -> None:
    X = sparse.random(80, 300, density=0.1, random_state=0, format="csr")
    X = X[np.maximum(np.arange(80), 1)]  # rows that repeat
    y = X[:, :9].sum(axis=1).A1 + np.random.default_rng(0).standard_normal(80)
    for loss in ("squared_error", "log_cosh"):
        model = GradientDescentRegressor(loss, tol=1e-10)
        expected = model.fit(X.toarray(), y).coef_
        assert_allclose(model.fit(X, y).coef_, expected, atol=1e-7)


def test_any_order_of_entries() -> None:
    X, y = design(), targets(design(), counts=False)
    model = GradientDescentRegressor(tol=1e-10)
    expected = model.fit(X, y).coef_
    rows, columns = np.nonzero(np.ones_like(X))  # with zeros that are stored
    rng = np.random.default_rng(4)
    order = np.concatenate([rng.permutation(X.size), np.arange(40)])  # 40 twice
    values = X[rows, columns][order]
    values[-40:] -= 3.0
    values[np.argsort(order, kind="stable")[:80:2]] = 3.0
    for index in (np.int32, np.int64):
        pointers = np.concatenate([[0], np.cumsum(np.bincount(rows[order]))])
        by_row = np.argsort(rows[order], kind="stable")
        kept = sparse.csr_array(
            (
                values[by_row],
                columns[order][by_row].astype(index),
                pointers.astype(index),
            ),
            shape=X.shape,
        )
        assert_allclose(kept.toarray(), X, atol=1e-9)
        assert not kept.has_canonical_format
        before = kept.indices.copy(), kept.data.copy()
        kept.data.setflags(write=False)
        assert_allclose(model.fit(kept, y).coef_, expected, atol=1e-8)
        assert_array_equal(kept.indices, before[0])
        assert_array_equal(kept.data, before[1])
    for other in (sparse.coo_array, sparse.lil_array, sparse.dok_array):
        assert_allclose(model.fit(other(X), y).coef_, expected, atol=1e-8)


def test_second_moments_of_few_entries() -> None:
    X = sparse.random(3000, 40, density=0.02, random_state=0, format="csr")
    dense, rng = X.toarray(), np.random.default_rng(0)
    mean = dense.mean(axis=0)
    rows = sparse_rows(X, None, intercept=True)
    centred = np.c_[dense - mean, np.ones(3000)]
    for h in (np.abs(rng.standard_normal(3000)), rng.standard_normal(3000)):
        expected = centred.T * h @ centred
        assert_allclose(rows.gram(h), expected, atol=1e-9)
        columns = np.array([3, 4, 40])
        expected = expected[np.ix_(columns, columns)]
        assert_allclose(rows.gram(h, columns), expected, atol=1e-9)


@pytest.mark.parametrize(
    "params",
    [{"alpha": 1e-3}, {"alpha": 3e-3, "l1_ratio": 1.0}, {"epsilon": 1.0, "tol": 1e-2}],
    ids=["ridge", "lasso", "step by step"],
)
def test_never_densified(
    params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Dense it would take 800 MB, and its second moments as much.
    rng, n_entries = np.random.default_rng(0), 100_000
    rows, columns = rng.integers(0, 10_000, (2, n_entries))
    X = sparse.csr_matrix((rng.random(n_entries) + 1, (rows, columns)), (10_000,) * 2)
    y = X[:, :500].sum(axis=1).A1 + 0.1 * rng.standard_normal(10_000)
    model = GradientDescentRegressor(**params)
    whole = sparse.csr_matrix.toarray

    def refused(self: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        assert self.shape[0] == self.shape[1] or 8 * np.prod(self.shape) <= BLOCK_BYTES
        assert self.shape != X.shape
        return whole(self, *args, **kwargs)

    for kind in (sparse.csr_matrix, sparse.csc_matrix):
        monkeypatch.setattr(kind, "toarray", refused)
        monkeypatch.setattr(kind, "todense", refused)
    tracemalloc.start()
    try:
        model.fit(X, y)
        model.predict(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = X.data.nbytes + X.indices.nbytes
    vectors = 60 * 8 * sum(X.shape)
    assert peak < 4 * size + vectors + 2 * BLOCK_BYTES
    assert model.score(X, y) > 0.3


def test_search() -> None:
    X = design()
    y = targets(X, counts=False)
    for loss, kept in (("squared_error", X), ("huber", X[:, :5])):
        search = GradientDescentRegressorCV(
            loss=loss, alphas=[0.0, 0.1], max_iter=20, tol=0
        )
        expected = search.fit(kept, y, weights(len(X))).cv_results_["mean_test_score"]
        coef = search.coef_
        search.fit(sparse.csc_array(kept), y, weights(len(X)))
        assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-8)
        assert_allclose(search.coef_, coef, rtol=1e-8, atol=1e-12)
    # More columns than second moments are made of.
    X = sparse.random(200, 1100, density=0.02, random_state=0, format="csr")
    y = X[:, :9].sum(axis=1).A1
    search = GradientDescentRegressorCV(max_iter=9, tol=0).fit(X, y)
    expected = search.cv_results_["mean_test_score"]
    found = GradientDescentRegressorCV(max_iter=9, tol=0).fit(X.toarray(), y)
    assert_allclose(found.cv_results_["mean_test_score"], expected, rtol=1e-6)
    assert found.max_epsilon_ == pytest.approx(search.max_epsilon_, rel=1e-4)


def test_one_hot_columns_of_a_data_frame() -> None:
    rng = np.random.default_rng(0)
    n_rows, letters = 2000, list("abcdefghij")
    frame = pd.DataFrame({name: rng.choice(letters, n_rows) for name in ("u", "v")})
    frame["size"] = rng.standard_normal(n_rows)
    y = rng.poisson(np.exp(0.5 * (frame["u"] == "a") + 0.3 * frame["size"]))
    columns = ColumnTransformer(
        [("c", OneHotEncoder(), ["u", "v"])], remainder="passthrough"
    )
    assert sparse.issparse(columns.fit_transform(frame))
    model = make_pipeline(columns, GradientDescentRegressor("poisson_deviance"))
    predicted = model.fit(frame, y).predict(frame)
    reference = PoissonRegressor(alpha=0, tol=1e-8, max_iter=1000)
    expected = make_pipeline(columns, reference).fit(frame, y).predict(frame)
    assert_allclose(predicted, expected, rtol=1e-4)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_beside_ridge_and_lasso(weighted: bool, fit_intercept: bool) -> None:
    X = sparse.random(120, 40, density=0.2, random_state=1, format="csc")
    Y = X[:, :2] * 10 + 0.1 * np.random.default_rng(0).standard_normal((120, 2))
    Y = np.asarray(Y)
    weight = weights(120) + 0.5 if weighted else None
    total = 120.0 if weight is None else weight.sum()
    shared: dict[str, Any] = {"fit_intercept": fit_intercept}
    model = GradientDescentRegressor(alpha=0.02, tol=1e-10, **shared)
    model.fit(X, Y, weight)
    ridge = Ridge(alpha=0.01 * total, solver="sparse_cg", tol=1e-12, **shared)
    ridge.fit(X, Y, weight)
    assert_allclose(model.coef_, ridge.coef_, atol=1e-7)
    assert_allclose(model.intercept_, ridge.intercept_, atol=1e-7)
    lasso = Lasso(alpha=0.01, tol=1e-12, max_iter=10_000, **shared)
    lasso.fit(X, Y[:, 0], weight)
    model = GradientDescentRegressor(alpha=0.02, l1_ratio=1.0, tol=1e-10, **shared)
    model.fit(X, Y[:, 0], weight)
    assert_allclose(model.coef_, lasso.coef_, atol=1e-7)
    assert_array_equal(model.coef_ != 0, lasso.coef_ != 0)


def test_conjugate_gradients() -> None:
    # More rows and columns than are whitened; three targets, and a start.
    rng = np.random.default_rng(0)
    X = sparse.random(2000, 1500, density=0.01, random_state=0, format="csr")
    Y = np.asarray(X[:, :3] * 5.0 + rng.standard_normal((2000, 3)))
    weight = weights(2000)
    for intercept in (True, False):
        ridge = Ridge(
            alpha=0.01 * weight.sum(),
            solver="lsqr",
            tol=1e-12,
            fit_intercept=intercept,
        )
        expected = ridge.fit(X, Y, weight)
        model = GradientDescentRegressor(
            alpha=0.02, tol=1e-10, fit_intercept=intercept, warm_start=True
        )
        for _ in range(2):
            model.fit(X, Y, weight)
            assert_allclose(model.coef_, expected.coef_, atol=1e-8)
            assert_allclose(model.intercept_, expected.intercept_, atol=1e-8)
        residual = Y - model.predict(X)
        value = weight @ (residual**2).sum(axis=1) / weight.sum()
        value += 0.01 * (model.coef_**2).sum()
        assert model.loss_curve_[-1] == pytest.approx(value, rel=1e-9)
        assert (np.diff(model.loss_curve_) <= 0).all()
        # What a ridge says is left, or the last steps, is not too little.
        for tol, strength in ((1e-2, 0.02), (1e-5, 0.02), (1e-4, 1e-5)):
            model = GradientDescentRegressor(alpha=strength, fit_intercept=intercept)
            exact = clone(model).set_params(tol=1e-11).fit(X, Y).predict(X)
            off = model.set_params(tol=tol).fit(X, Y).predict(X) - exact
            assert ((off**2).mean(axis=0) <= (tol * Y.std(axis=0)) ** 2).all()
    single = GradientDescentRegressor(alpha=0.02).fit(X.astype(np.float32), Y[:, 0])
    double = GradientDescentRegressor(alpha=0.02).fit(X, Y[:, 0])
    assert_allclose(single.coef_, double.coef_, atol=1e-5)
    few = GradientDescentRegressor(alpha=0.02, tol=0, max_iter=7).fit(X, Y)
    assert few.n_iter_ == 7


def test_conjugate_gradients_with_fewer_rows() -> None:
    rng, n_rows, n_columns = np.random.default_rng(0), 1100, 2200
    for decay in (0.0, 0.9):  # columns as frequent as each other, and as words are
        shares = np.arange(1.0, n_columns + 1) ** -decay
        rows = rng.integers(0, n_rows, 11_000)
        columns = rng.choice(n_columns, 11_000, p=shares / shares.sum())
        X = sparse.csr_array((np.ones(11_000), (rows, columns)), (n_rows, n_columns))
        offset, noise = rng.standard_normal((2, n_rows, 2))
        Y = np.asarray(X @ rng.standard_normal((n_columns, 2)) + noise + 3.0)
        centred = X.toarray() - X.mean(axis=0)
        for strength in (1e-4, 1e-1):
            model = GradientDescentRegressor(alpha=strength, tol=1e-10)
            model.fit(X, Y + offset, offset=offset)
            gram = centred @ centred.T + strength * n_rows / 2 * np.eye(n_rows)
            expected = centred.T @ np.linalg.solve(gram, Y - Y.mean(axis=0))
            assert_allclose(model.coef_, expected.T, atol=1e-6)
            before = model.coef_.copy()
            model.set_params(warm_start=True, tol=1e-8).fit(X, Y)
            assert_allclose(model.coef_, before, atol=1e-6)
            assert model.n_iter_ <= 5


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array])
def test_columns_whose_squares_vanish(kind: Any) -> None:
    X, y = design(), np.arange(300.0)
    model = GradientDescentRegressor(alpha=1e-3).fit(kind(X), y)  # some are constant
    assert np.isfinite(model.coef_).all()
    X[::2, 3] = 1e-170
    with pytest.raises(ValueError, match=r"squares of X .* underflow"):
        model.fit(kind(X), y)
