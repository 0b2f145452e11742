"""What the optimum of a loss is: data, and minima that SciPy and HiGHS find.

The references know of a loss only its values, and autograd's derivatives. Convex
losses with kinks are minimised by HiGHS, over tangents of each sample's loss; the
others by SciPy's trust-region Newton. Both in whitened coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import sklearn
from autograd import elementwise_grad
from scipy import sparse
from scipy.optimize import linprog, minimize
from sklearn.datasets import load_diabetes
from sklearn.linear_model import HuberRegressor
from sklearn.utils.fixes import parse_version
from targets import first_allowed

# How exact the references are, and what HiGHS takes for zero (no less is allowed).
REFERENCE = 1e-7
EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}

# With this LogisticRegression has an l1 penalty, in the words of its version.
LASSO: dict[str, Any] = {"l1_ratio": 1.0, "solver": "saga"}
if parse_version(sklearn.__version__) < parse_version("1.8"):
    LASSO["penalty"] = "elasticnet"

Data = tuple[np.ndarray, np.ndarray]


def diabetes() -> Data:
    """Columns as they were measured."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return X, y


def heavy() -> Data:
    """Outliers in X that have leverage, in y, and tails without a variance."""
    rng = np.random.default_rng(0)
    X = rng.standard_t(3, (300, 5))
    X[:4] *= 100.0
    y = X @ np.arange(1.0, 6.0) + rng.standard_t(1.5, 300)
    y[4:8] += 1e3
    return X, y


def scales() -> Data:
    """Correlated columns, in units from 1e-6 to 1e6."""
    rng = np.random.default_rng(1)
    Z = rng.standard_normal((250, 6)) @ (np.eye(6) + 0.9 * np.eye(6, k=1))
    return Z * np.logspace(-6, 6, 6), 3.0 + Z @ np.ones(6) + rng.standard_normal(250)


def wide() -> Data:
    """More columns than rows."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((25, 60))
    return X, 3.0 + X[:, :5].sum(axis=1) + rng.standard_normal(25)


class Case(NamedTuple):
    """Data, and the strength of the ridge."""

    data: Callable[[], Data]
    alpha: float = 0.0


CASES = [Case(diabetes), Case(heavy), Case(scales), Case(wide, 0.1)]
IDS = [case.data.__name__ for case in CASES]


def in_units_of_y(loss: Any) -> Any:
    """The loss without a scale that is to be estimated."""
    estimated = getattr(loss, "scale", None) == "mad"
    return replace(loss, scale=1.0) if estimated else loss


def of_linear(loss: Any, y: np.ndarray) -> Callable[[Any], Any]:
    """Losses as a function of the linear predictor alone."""
    inverse_link = getattr(loss, "inverse_link", lambda linear: linear)
    return lambda linear: loss(y, inverse_link(linear))


def targets_for(loss: Any, y: np.ndarray) -> np.ndarray:
    """Targets that the loss is defined for, and made for."""
    if not loss.convex:
        # It turns down at errors of a few units: bring the bulk of y to that scale.
        y = y / np.median(np.abs(y - np.median(y)))
    return first_allowed(loss, y, np.abs(y).round(), np.maximum(np.abs(y), 0.1))


@cache
def drawn(loss: Any, case: Case, weighted: bool) -> tuple[Any, ...]:
    """X, y and the weights."""
    X, y = case.data()
    y = targets_for(loss, y)
    if not weighted:
        return X, y, None
    weights = np.random.default_rng(3).integers(0, 4, len(y)) * 0.7
    # Rows that do not count hold nonsense, within the domain of the loss.
    X, y = X.copy(), y.copy()
    X[weights == 0] *= 50.0
    y[weights == 0] = y.max()
    return X, y, weights


class Reference:
    """The objective in whitened coordinates, and its minimum.

    Coefficients are `metric` @ u[1:]; u[0] is the linear predictor at the mean of X.
    """

    def __init__(self, loss: Any, case: Case, weighted: bool) -> None:
        X, y, weights = drawn(loss, case, weighted)
        kept = slice(None) if weights is None else weights > 0
        shares = np.ones(len(y)) if weights is None else weights[kept]
        X, y, self.shares = X[kept], y[kept], shares / shares.sum()
        self.loss, self.X, self.y, self.alpha = loss, X, y, case.alpha
        self.linked = hasattr(loss, "inverse_link")
        self.losses = of_linear(loss, y)
        self.slopes = elementwise_grad(self.losses)
        self.mean = self.shares @ X
        centred = X - self.mean
        # With a ridge, whitened coordinates are those in which it is a sum of squares.
        scale = 1.0 if self.alpha else np.sqrt(self.shares @ centred**2)
        roots = np.sqrt(self.shares)[:, None]
        _, sizes, rotation = np.linalg.svd(roots * centred / scale, full_matrices=False)
        used = sizes > 1e-10 * sizes[0]
        self.metric = (rotation[used] / scale).T / sizes[used]
        self.columns = np.c_[np.ones(len(y)), centred @ self.metric]
        self.squares = np.append(0.0, self.alpha * (self.metric**2).sum(axis=0))

    def value(self, unknowns: np.ndarray) -> float:
        losses = self.losses(self.columns @ unknowns)
        found = float(self.shares @ losses + self.squares @ unknowns**2 / 2)
        return np.inf if np.isnan(found) else found

    def objective(self, coef: np.ndarray, intercept: Any) -> float:
        """The objective of a fitted estimator."""
        penalty = self.alpha / 2 * float(coef @ coef)
        return float(self.shares @ self.losses(self.X @ coef + intercept)) + penalty

    @property
    def deviation(self) -> float:
        """Standard deviation of the target."""
        mean = self.shares @ self.y
        return float(np.sqrt(self.shares @ (self.y - mean) ** 2))

    def gradient(self, coef: np.ndarray, intercept: Any) -> np.ndarray:
        """Gradient by the unknowns, at a fitted estimator."""
        slopes = self.shares * self.slopes(self.X @ coef + intercept)
        penalty = np.append(0.0, self.alpha * coef @ self.metric)
        return self.columns.T @ slopes + penalty

    def slope(self, unknowns: np.ndarray) -> np.ndarray:
        """The same, at any unknowns."""
        slopes = self.shares * self.slopes(self.columns @ unknowns)
        return self.columns.T @ slopes + self.squares * unknowns

    def hessian(self, unknowns: np.ndarray) -> np.ndarray:
        curvature = elementwise_grad(self.slopes)(self.columns @ unknowns)
        weighted = (self.shares * curvature)[:, None] * self.columns
        return self.columns.T @ weighted + np.diag(self.squares)

    def by_newton(self, start: np.ndarray) -> float:
        """Minimum of a smooth loss, near a start unless it is convex."""
        unit = self.value(start)
        found = minimize(
            lambda u: self.value(u) / unit,
            start,
            jac=lambda u: self.slope(u) / unit,
            hess=lambda u: np.nan_to_num(self.hessian(u)) / unit,
            method="trust-exact",
            options={"gtol": 1e-10, "maxiter": 1000},
        )
        gradient, hessian = self.slope(found.x), self.hessian(found.x)
        # Half the squared Newton decrement: what is left to gain.
        left = gradient @ np.linalg.lstsq(hessian, gradient)[0] / 2
        assert abs(left) <= REFERENCE * found.fun * unit
        return found.fun * unit

    def by_tangents(self, start: np.ndarray) -> float:
        """Minimum of a convex loss: of its tangents, more of them until it is reached.

        The minimum over tangents is below that of the loss.
        """
        size = np.ptp(self.y)
        points = [self.y + shift * size for shift in (-1e3, -1e-3, 0.0, 1e-3, 1e3)]
        knots, unknowns = [], start
        for halvings in range(60):
            points.append(self.columns @ unknowns)
            reach = size / 2.0**halvings
            knots += [unknowns + shift * reach for shift in range(-2, 3)]
            lower, unknowns = self._over_tangents(points, knots)
            value = self.value(unknowns)
            if value - lower <= REFERENCE * value:
                return value
        raise AssertionError("the tangents did not close in")

    def _over_tangents(self, points: Any, knots: Any) -> tuple[float, np.ndarray]:
        """One bound for each sample's loss, and one for each square of the penalty."""
        n, size = self.columns.shape
        slopes = [self.slopes(z) for z in points]
        levels = [z * s - self.losses(z) for z, s in zip(points, slopes, strict=True)]
        blocks = [[s[:, None] * self.columns, -sparse.eye(n), None] for s in slopes]
        if self.alpha:
            blocks += [
                [np.diag(self.squares * u), None, -sparse.eye(size)] for u in knots
            ]
            levels += [self.squares * u**2 / 2 for u in knots]
        else:
            blocks = [block[:2] for block in blocks]
        cost = np.r_[np.zeros(size), self.shares, np.ones(size * bool(self.alpha))]
        found = linprog(
            cost,
            sparse.block_array(blocks, format="csr"),
            np.concatenate(levels),
            bounds=(None, None),
            method="highs",
            options=EXACT,
        )
        assert found.status == 0, found.message
        return found.fun, found.x[:size]

    def start(self) -> np.ndarray:
        """A robust fit, where the loss is not convex; else a constant."""
        if not self.loss.convex and not self.linked:
            robust = HuberRegressor(alpha=0.0, fit_intercept=False, max_iter=10_000)
            return robust.fit(self.columns, self.y, sample_weight=self.shares).coef_
        levels = np.quantile(self.y, np.linspace(0, 1, 50))
        if self.linked:
            levels = np.log(np.maximum(levels, 1e-3))
        return min(np.outer(levels, np.eye(self.columns.shape[1])[0]), key=self.value)


@cache
def reference(loss: Any, case: Case, weighted: bool) -> tuple[Reference, float]:
    """The objective and its minimum."""
    problem = Reference(loss, case, weighted)
    tangents = loss.convex and loss.kinked
    minimise = problem.by_tangents if tangents else problem.by_newton
    with np.errstate(over="ignore", invalid="ignore"):  # a step too far is taken back
        return problem, minimise(problem.start())
