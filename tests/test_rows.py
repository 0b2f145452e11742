"""Every ask of the rows' protocol, on every kind of rows, beside one dense matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pytest
from conftest import DEVICE
from kinds_of_rows import BUILDERS, every_builder, kinds
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_adreg._rows.moments import Moments, measured, pooled
from sklearn_adreg._rows.place import place
from sklearn_adreg.backends import get_backend

# Errors in units of the rounding of a term: sums of n of them gather some, at the most
# in proportion to n.
ROUNDINGS, ROUNDINGS_PER_ROW = 200, 0.05
FLOAT64 = 2.0**-52


@dataclass(frozen=True)
class Problem:
    """Dense X, weights, and the matrix that the rows stand for."""

    shape: tuple[int, int]
    weighted: bool = True
    intercept: bool = True
    far: float = 1.0
    constant: bool = False

    @cached_property
    def X(self) -> np.ndarray:  # noqa: N802
        n_features = self.shape[1]
        rng = np.random.default_rng(0)
        X = rng.standard_normal(self.shape) * np.geomspace(0.1, 10.0, n_features)
        X += self.far * rng.uniform(0.5, 1.5, n_features)
        if self.constant:
            X[:, ::2] = 1e6 / 3
        return X

    @cached_property
    def weight(self) -> np.ndarray:
        rng = np.random.default_rng(1)
        found: np.ndarray = np.ones(self.shape[0])
        if self.weighted and len(found) > 1:
            found = 0.7 * rng.integers(0, 4, len(found))
        return found / found.sum()

    def dense(self, dtype: Any) -> np.ndarray:
        """X as it is in the float type, less its mean, and a column of ones."""
        X = self.X.astype(dtype).astype(np.longdouble)
        if not self.intercept:
            return X
        # From one of the rows: what is constant is exactly zero then.
        drift = X - X[np.argmax(self.weight > 0)]
        weight = self.weight.astype(np.longdouble)
        return np.c_[drift - weight @ drift / weight.sum(), np.ones(len(X))]


PROBLEMS = {
    "weighted": Problem((60, 5)),
    "without an intercept": Problem((60, 5), intercept=False),
    "far from zero": Problem((60, 5), far=1e6),
    "constant columns": Problem((60, 5), constant=True),
    "one row": Problem((1, 4)),
    "one column": Problem((50, 1)),
    "one number": Problem((1, 1), intercept=False),
    "wide": Problem((30, 40), weighted=False),
    # More than a block of X, and than a chunk of rows.
    "long": Problem((40_000, 30), far=10.0),
}
# Whatever is compiled is compiled for each shape.
FEW_SHAPES = ("weighted", "far from zero", "without an intercept", "one row")


class Case:
    """Rows of one kind, and the dense matrix that they stand for."""

    def __init__(self, kind: str, name: str) -> None:
        problem = PROBLEMS[name]
        self.dtype = np.dtype(np.float32 if "float32" in kind else np.float64)
        self.problem, long = problem, name == "long"
        self.rows = every_builder()[kind](
            problem.X.astype(self.dtype), problem.weight, problem.intercept
        )
        self.exact = problem.dense(self.dtype)
        precision = [self.rows.dtype]
        if problem.intercept:  # the mean is as exact as the data
            precision.append(self.dtype)
        # What is asked of the others in many ways is asked of these in a few.
        self.costly = long or not self.rows.eager
        if long:  # long double has no BLAS
            self.exact = self.exact.astype(np.float64)
            precision.append(self.exact.dtype)
        roundings = ROUNDINGS + ROUNDINGS_PER_ROW * problem.shape[0]
        self.eps = roundings * max(float(np.finfo(each).eps) for each in precision)
        # It may be subtracted from products, as long as it is a few deviations.
        deviations = np.sqrt(np.mean(self.exact.astype(float) ** 2, axis=0))
        self.sizes = np.abs(self.exact).astype(float)
        if problem.intercept:
            self.sizes[:, :-1] += 20.0 * deviations[:-1]

    @property
    def shape(self) -> tuple[int, int]:
        n_rows, n_columns = self.exact.shape
        return n_rows, n_columns

    def vector(self, *trailing: int, seed: int = 2) -> tuple[Any, np.ndarray]:
        """Draw a row vector, and the same in NumPy as the rows have rounded it."""
        rng = np.random.default_rng(seed)
        drawn = rng.standard_normal((self.shape[0], *trailing))
        return self.known(drawn)

    def known(self, array: np.ndarray) -> tuple[Any, np.ndarray]:
        found = self.rows.vector(array)
        return found, np.asarray(self.rows.numpy(found)).astype(self.exact.dtype)

    def check(self, found: Any, left: Any, right: Any, least: float = 0.0) -> None:
        """Compare with a product of matrices, and its rounding with that of its terms.

        Each is a pair of a matrix and the sizes of its entries. `least` is the rounding
        of what is float64 in all rows.
        """
        expected, scale = left[0] @ right[0], left[1] @ right[1]
        assert np.shape(found) == expected.shape
        eps = max(self.eps, ROUNDINGS * least)
        assert (np.abs(found - expected) <= eps * scale).all()


@cache
def build(kind: str, name: str) -> Case:
    return Case(kind, name)


# Many rows are what blocks and chunks are for: not each kind needs them.
LONG = ("C order", "Fortran order", "-taken", "moments", "-float32", "blocks")


def cases() -> Iterator[tuple[str, str]]:
    """Kinds and problems."""
    compiled = tuple(kind.__name__ for kind in kinds() if not kind.eager)
    for kind in every_builder():
        if kind.startswith(compiled):
            few = FEW_SHAPES[:1] if kind.endswith("-taken") else FEW_SHAPES
            yield from ((kind, name) for name in few)
        else:
            long = kind.endswith(LONG)
            yield from ((kind, name) for name in PROBLEMS if long or name != "long")


@pytest.fixture(params=cases(), ids="-".join, scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    """Rows of each kind, of each problem."""
    return build(*request.param)


def draws(shape: tuple[int, ...], seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def sized(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return array, np.abs(array).astype(float)


def one_and_three(check: Callable[[Case, tuple[int, ...]], None]) -> Any:
    """Check with row vectors of one number a row, and of three."""

    def test(case: Case) -> None:
        check(case, ())
        check(case, (3,))

    return test


def test_every_kind_is_tested() -> None:
    missing = {kind.__name__ for kind in kinds()} - set(BUILDERS)
    assert not missing, f"Say in kinds_of_rows.BUILDERS how to build {missing}."


@one_and_three
def test_row_vectors(case: Case, trailing: tuple[int, ...]) -> None:
    assert case.rows.shape == case.shape
    assert case.rows.intercept == case.problem.intercept
    found, array = case.vector(*trailing)
    assert array.shape == (case.shape[0], *trailing)
    assert np.asarray(case.rows.numpy(found)).dtype == case.rows.dtype


def thetas(case: Case, trailing: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Coefficients: all, one of the first, those of the ones, none."""
    theta = draws((case.shape[1], *trailing))
    few, level, none = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    few[0], level[-1] = theta[0], theta[-1]
    if case.problem.intercept:
        few[-1] = theta[-1]
    yield from (theta, few, level, none)


@one_and_three
def test_matvec(case: Case, trailing: tuple[int, ...]) -> None:
    for theta in thetas(case, trailing):
        found = case.rows.numpy(case.rows.matvec(theta))
        assert found.dtype == case.rows.dtype
        case.check(found, (case.exact, case.sizes), sized(theta))


@one_and_three
def test_rmatvec(case: Case, trailing: tuple[int, ...]) -> None:
    _, array = case.vector(*trailing)
    few = np.zeros_like(array)
    few[:: max(1, len(few) // 3)] = array[:: max(1, len(few) // 3)]
    for each in (array, few, np.zeros_like(array)):
        v, each = case.known(each)
        found = case.rows.rmatvec(v)
        assert isinstance(found, np.ndarray)
        case.check(found, (case.exact.T, case.sizes.T), sized(each))


def curvatures(case: Case) -> Iterator[tuple[Any, np.ndarray]]:
    """Weights of second moments: none, of both signs, mostly zero, positive."""
    n_rows = case.shape[0]
    yield None, np.ones(n_rows, dtype=case.exact.dtype)
    signed = draws((n_rows,), seed=4)
    few = np.where(np.arange(n_rows) % 20 == 0, signed, 0.0)
    yield case.known(signed)
    yield case.known(np.abs(few))
    if not case.costly:
        yield case.known(np.abs(signed))
        yield case.known(few)


def chosen_columns(case: Case) -> Iterator[np.ndarray | None]:
    """All columns; some without the last, which may be ones, and with it; none."""
    n_columns = case.shape[1]
    yield from (None, np.arange(0, n_columns, 2))
    if not case.costly:
        yield from (np.arange(n_columns), np.arange(n_columns - 1))
        yield np.array([n_columns - 1])


def test_gram(case: Case) -> None:
    for h, array in curvatures(case):
        weighted = array[:, None] * case.exact, np.abs(array)[:, None] * case.sizes
        for columns in chosen_columns(case):
            found = case.rows.gram(h, columns)
            assert found.dtype == np.float64
            part = slice(None) if columns is None else columns
            X, sizes = case.exact[:, part], case.sizes[:, part]
            right = weighted[0][:, part], weighted[1][:, part].astype(float)
            case.check(found, (X.T, sizes.T), right, FLOAT64)


def test_gram_in_the_basis_of_a_factor(case: Case) -> None:
    for h, array in curvatures(case):
        for columns in chosen_columns(case):
            part = slice(None) if columns is None else columns
            X, sizes = case.exact[:, part], case.sizes[:, part]
            factor = draws((X.shape[1], max(1, X.shape[1] - 1)), seed=5)
            found = case.rows.gram(h, columns, factor)
            image, size = X @ factor, sizes @ np.abs(factor)
            right = array[:, None] * image, np.abs(array).astype(float)[:, None] * size
            case.check(found, (image.T, size.T), right, FLOAT64)


def test_diagonal(case: Case) -> None:
    for h, array in curvatures(case):
        if h is not None:
            found = case.rows.diagonal(h)
            squares = case.exact.T**2, case.sizes.T**2
            case.check(found, squares, sized(array), FLOAT64)


@dataclass(frozen=True)
class Line:
    """Visitor: two row vectors and two sums, of which one is of k numbers."""

    slope: float

    def __call__(self, _xp: Any, v: Any, w: Any, *, level: Any) -> Any:
        line = self.slope * v + level
        product = w * line[:, None]
        return (line, product), (line.sum(), product.sum(axis=0))


def total(_xp: Any, v: Any) -> Any:
    """Visitor: a sum alone."""
    return (), (v.sum(),)


def doubled(_xp: Any, v: Any) -> Any:
    """Visitor: a row vector alone."""
    return (2 * v,), ()


def check_visitors(case: Case, rows: Any, v: Any, w: Any, known: Any) -> None:
    array, wide = known
    (line, product), (once, columns) = rows.apply(Line(3.0), v, w, level=0.5)
    expected, size = 3 * array + 0.5, 3 * np.abs(array) + 0.5
    ones = np.ones(len(array))
    case.check(np.asarray(once), (expected, size), sized(ones))
    terms = (expected[:, None] * wide).T, (size[:, None] * np.abs(wide)).T
    case.check(np.asarray(columns), terms, sized(ones))
    assert (np.abs(rows.numpy(line) - expected) <= case.eps * size).all()
    assert (np.abs(rows.numpy(product).T - terms[0]) <= case.eps * terms[1]).all()
    nothing, (once,) = rows.apply(total, v)
    assert len(nothing) == 0
    case.check(np.asarray(once), sized(array), sized(ones))
    (twice,), nothing = rows.apply(doubled, w)
    assert len(nothing) == 0
    assert_array_equal(rows.numpy(twice), 2 * wide)


def test_apply(case: Case) -> None:
    v, array = case.vector()
    w, wide = case.vector(3, seed=6)
    check_visitors(case, case.rows, v, w, (array, wide))
    none, (v, w) = case.rows.take(np.arange(0), v, w)
    check_visitors(case, none, v, w, (array[:0], wide[:0]))


def indices(case: Case) -> Iterator[np.ndarray]:
    n_rows = case.shape[0]
    yield from (np.arange(n_rows), np.arange(0, n_rows, 3), np.array([n_rows - 1]))
    yield np.arange(0)


def test_take(case: Case) -> None:
    v, array = case.vector()
    w, wide = case.vector(3, seed=6)
    for index in indices(case):
        few, (some, more) = case.rows.take(index, v, w)
        assert few.shape == (len(index), case.shape[1])
        assert few.intercept == case.rows.intercept
        assert few.dtype == case.rows.dtype
        assert_array_equal(few.numpy(some), array[index])
        assert_array_equal(few.numpy(more), wide[index])
        X, sizes = case.exact[index], case.sizes[index]
        theta = draws((case.shape[1], 3))
        case.check(few.numpy(few.matvec(theta)), (X, sizes), sized(theta))
        case.check(few.rmatvec(some), (X.T, sizes.T), sized(array[index]))
        case.check(few.gram(), (X.T, sizes.T), (X, sizes), FLOAT64)
        again, _ = few.take(np.arange(len(index))[1::2])
        X, sizes = X[1::2], sizes[1::2]
        case.check(again.gram(), (X.T, sizes.T), (X, sizes), FLOAT64)


def test_take_refuses_rows_in_disorder(case: Case) -> None:
    v, _ = case.vector()
    with pytest.raises(ValueError, match="ascend"):
        case.rows.take(np.array([0, 0]), v)
    if case.shape[0] > 2:
        with pytest.raises(ValueError, match="ascend"):
            case.rows.take(np.array([2, 0, 1]), v)


@one_and_three
def test_put(case: Case, trailing: tuple[int, ...]) -> None:
    v, array = case.vector(*trailing)
    other, new = case.vector(*trailing, seed=7)
    for index in indices(case):
        _, (values,) = case.rows.take(index, other)
        found = case.rows.numpy(case.rows.put(v, index, values))
        expected = array.copy()
        expected[index] = new[index]
        assert_array_equal(found, expected)
        # The row vector itself stays as it was.
        assert_array_equal(case.rows.numpy(v), array)


@one_and_three
def test_nonzero(case: Case, trailing: tuple[int, ...]) -> None:
    for index in indices(case):
        array = np.zeros((case.shape[0], *trailing))
        array.reshape(len(array), -1)[index, -1] = -1.0
        found = case.rows.nonzero(case.rows.vector(array))
        assert isinstance(found, np.ndarray)
        assert_array_equal(found, index)


@dataclass(frozen=True)
class Residual:
    """Visitor: residuals, weighted and as they are, and the sum of squares."""

    scale: float

    def __call__(self, _xp: Any, linear: Any, target: Any, weight: Any) -> Any:
        residual = self.scale * (linear - target)
        weight = weight if linear.ndim == 1 else weight[:, None]
        return (weight * residual, residual), ((weight * residual**2).sum(),)


@one_and_three
def test_visit(case: Case, trailing: tuple[int, ...]) -> None:
    target, array = case.vector(*trailing)
    weight, shares = case.known(case.problem.weight)
    shares = shares.reshape(-1, *(1 for _ in trailing))
    theta = draws((case.shape[1], *trailing))
    (squares,), pulled, residual = case.rows.visit(theta, Residual(0.5), target, weight)
    pulled = np.asarray(pulled)  # on a device it stays there
    expected = 0.5 * (case.exact @ theta - array)
    size = 0.5 * (case.sizes @ np.abs(theta) + np.abs(array)).astype(float)
    error = np.abs(np.asarray(case.rows.numpy(residual)) - expected)
    assert (error <= case.eps * size).all()
    assert abs(
        np.longdouble(np.asarray(squares)) - (shares * expected**2).sum()
    ) <= case.eps * (shares * size**2).sum().astype(float)
    part = (shares * expected).astype(case.exact.dtype), shares.astype(float) * size
    case.check(pulled, (case.exact.T, case.sizes.T), part)


@one_and_three
def test_coefficients_of_rows_as_they_came(
    case: Case, trailing: tuple[int, ...]
) -> None:
    n_features = case.problem.shape[1]
    coef = draws((n_features, *trailing))
    intercept = draws(trailing, seed=8) * case.problem.intercept
    theta = case.rows.inner(coef, intercept)
    assert theta.shape == (case.shape[1], *trailing)
    # The mean times the coefficients is a sum of terms of this size.
    X = case.problem.X.astype(case.dtype).astype(np.longdouble)
    means = np.abs(X).max(axis=0) @ np.abs(coef) + np.abs(intercept)
    linear = X @ coef + intercept
    error = np.abs(case.exact @ theta - linear)
    assert (error <= case.eps * means).all()
    found, level = case.rows.outer(theta)
    assert found.dtype == np.float64
    assert np.shape(level) == trailing
    # Coefficients are unchanged: no digit of theirs is lost to the mean.
    assert_array_equal(found, coef)
    assert (np.abs(level - intercept) <= case.eps * means).all()
    if not case.problem.intercept:
        assert_array_equal(level, np.zeros(trailing))


def test_refined(case: Case) -> None:
    longer = case.rows.refined()
    assert longer.shape == case.rows.shape
    assert np.finfo(longer.dtype).eps <= np.finfo(case.rows.dtype).eps
    theta = draws((case.shape[1],))
    found = longer.numpy(longer.matvec(theta))
    case.check(found, (case.exact, case.sizes), sized(theta))
    v, array = case.known(case.problem.weight)
    case.check(longer.rmatvec(v), (case.exact.T, case.sizes.T), sized(array))


def test_constant_columns_are_exactly_zero() -> None:
    for kind in every_builder():
        found = build(kind, "constant columns").rows.gram()
        assert (found[0:5:2] == 0).all()
        assert (found[:, 0:5:2] == 0).all()


@pytest.mark.parametrize("name", [name for name in PROBLEMS if name != "long"])
def test_moments(name: str) -> None:
    problem = PROBLEMS[name]
    rng = np.random.default_rng(9)
    target = rng.standard_normal((problem.shape[0], 2)) + 1e3
    weight, X = problem.weight, problem.dense(np.float64)[:, : problem.shape[1]]
    _, found = measured(problem.X, target, weight, intercept=problem.intercept)
    y = target - weight @ target if problem.intercept else target
    X = X.astype(np.float64)
    scale = np.abs(X).max(axis=0)
    close: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-12 * scale.max() ** 2}
    assert_allclose(found.gram, X.T * weight @ X, **close)
    assert_allclose(found.square, weight @ y**2, rtol=1e-9, atol=1e-12)
    assert_allclose(found.cross, X.T * weight @ y, rtol=1e-7, atol=1e-9 * scale.max())
    if not problem.intercept or problem.shape[0] < 2:
        return
    # Moments of parts are those of all, when they are put together.
    half = problem.shape[0] // 2
    halves = [
        measured(problem.X[part], target[part], weight[part] / shares, intercept=True)
        for part in (slice(half), slice(half, None))
        if (shares := weight[part].sum())
    ]
    stacked = Moments(*map(np.stack, zip(*(each[1] for each in halves), strict=True)))
    counts = np.array([weight[:half].sum(), weight[half:].sum()])
    together = pooled(stacked, counts)
    assert_allclose(together.mean, found.mean, rtol=1e-12)
    assert_allclose(together.gram, found.gram, rtol=1e-8, atol=1e-9 * scale.max() ** 2)
    assert_allclose(together.cross, found.cross, rtol=1e-7, atol=1e-8 * scale.max())
    assert_allclose(together.square, found.square, rtol=1e-9)


@pytest.mark.parametrize("kind", ["dense", "sparse", "device"])
def test_moments_are_those_of_targets_less_their_offsets(kind: str) -> None:
    rng = np.random.default_rng(0)
    X, y, offset = rng.standard_normal((30, 2)), *rng.standard_normal((2, 30, 1))
    on_device = kind == "device"
    data, found = place(
        sparse.csr_array(X) if kind == "sparse" else X,
        y,
        None,
        backend=get_backend("jax" if on_device else "autograd"),
        device=DEVICE if on_device else None,
        intercept=True,
        measure=True,
        offset=offset,
    )
    assert found is not None
    assert_allclose(data.left, y - offset, rtol=1e-15)
    assert_allclose(data.rows.numpy(data.target), y, rtol=1e-15)
    cross = (X - X.mean(axis=0)).T @ (y - offset) / 30
    assert_allclose(found.cross, cross, rtol=1e-12, atol=1e-15)
    assert_allclose(found.square, (y - offset).var(axis=0), rtol=1e-12)
    assert_allclose(found.target_mean, (y - offset).mean(axis=0), rtol=1e-12)
