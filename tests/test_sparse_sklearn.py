"""scikit-learn's own tests of its sparse linear models, with ours in place of theirs.

Their functions are called as they are, for each of their parameters, with classes in
their modules that hand the same objective to ours.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Self

import numpy as np
import pytest
import sklearn.linear_model
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model.tests import (
    test_coordinate_descent,
    test_ridge,
    test_sparse_coordinate_descent,
)
from sklearn.linear_model.tests.test_ridge import ols_ridge_dataset  # noqa: F401

from sklearn_adreg import GradientDescentRegressor

MODULES = test_ridge, test_coordinate_descent, test_sparse_coordinate_descent
RUN = {
    "test_dense_sparse",
    "test_enet_multitarget",
    "test_enet_sample_weight_consistency",
    "test_enet_toy_explicit_sparse_input",
    "test_enet_toy_list_input",
    "test_lasso_zero",
    "test_regularization_limits_ridge",
    "test_ridge_fit_intercept_sparse",
    "test_ridge_sample_weight_consistency",
    "test_same_multiple_output_sparse_dense",
    "test_solver_consistency",
    "test_sparse_dense_equality",
    "test_sparse_design_with_sample_weights",
    "test_sparse_enet_not_as_toy_dataset",
    "test_sparse_lasso_not_as_toy_dataset",
    "test_sparse_read_only_buffer",
}
# It takes a fixture of theirs.
WITH_DATASET = "test_ridge_regression_sample_weights"
# The others that mention what is sparse, by what they ask for.
NOT_RUN = {
    "another estimator: RidgeCV, its helpers, or a classifier": {
        "test_check_gcv_mode_choice",
        "test_compute_covariance",
        "test_compute_gram",
        "test_regularization_limits_ridge_classifier_gcv",
        "test_regularization_limits_ridge_gcv",
        "test_ridge_classifier_with_scoring",
        "test_ridge_gcv_sample_weights",
        "test_ridge_gcv_vs_ridge_loo_cv",
        "test_ridge_loo_cv_asym_scoring",
        "test_ridge_regression_custom_scoring",
    },
    "ElasticNetCV, LassoCV, or a function for a path of penalties": {
        "test_enet_alpha_max",
        "test_enet_alpha_max_sample_weight",
        "test_enet_cv_sample_weight_consistency",
        "test_enet_cv_sample_weight_correctness",
        "test_enet_path",
        "test_path_parameters",
        "test_same_output_sparse_dense_lasso_and_enet_cv",
        "test_sparse_dense_descent_paths",
        "test_sparse_input_convergence_warning",
        "test_sparse_input_dtype_enet_and_lassocv",
    },
    "the function ridge_regression": {
        "test_ridge_regression_check_arguments_validity",
        "test_ridge_regression_convergence_fail",
        "test_ridge_regression_dtype_stability",
    },
    "a penalty per target": {"test_ridge_individual_penalties"},
    "solvers by name, their errors, warnings or numbers of steps": {
        "test_dtype_match",
        "test_n_iter",
        "test_random_descent",
        "test_ridge_fit_intercept_sparse_error",
        "test_ridge_fit_intercept_sparse_sag",
        "test_ridge_positive_error_test",
        "test_sparse_cg_max_iter",
        "test_sparse_enet_coordinate_descent",
        "test_warm_start_convergence",
    },
    "a private function, or the order of memory": {
        "test_cython_solver_equivalence",
        "test_model_pipeline_same_dense_and_sparse",
        "test_read_only_buffer",
        "test_set_order_sparse",
    },
    "the attribute sparse_coef_": {"test_sparse_coef"},
}
# Of the releases that we know 15 and 16 are run, with 60 and 70 sets of parameters.
FEWEST_TESTS, FEWEST_CASES = 12, 50


class Peer(RegressorMixin, BaseEstimator):
    """What their estimators share; parameters that choose an algorithm are ignored."""

    summed = False

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        warm_start: bool = False,
        tol: float = 1e-4,
        max_iter: int | None = None,
        random_state: Any = None,
        solver: str = "auto",
        precompute: bool = False,
        positive: bool = False,
        copy_X: bool = True,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.warm_start = warm_start
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.solver = solver
        self.precompute = precompute
        self.positive = positive
        self.copy_X = copy_X

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        n_rows, total = np.shape(X)[0], 1.0
        if self.summed:
            weight = 1.0 if sample_weight is None else sample_weight
            total = float(np.broadcast_to(weight, n_rows).sum())
        single = getattr(X, "dtype", None) == np.float32
        self.model_ = GradientDescentRegressor(
            alpha=2 * self.alpha / total,
            l1_ratio=self.share,
            fit_intercept=self.fit_intercept,
            tol=1e-6 if single else 1e-12,
        ).fit(X, y, sample_weight)
        self.coef_, self.intercept_ = self.model_.coef_, self.model_.intercept_
        self.dual_gap_ = duality_gap(self, X, y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self.model_.predict(X)

    @property
    def share(self) -> float:
        """Share of the lasso in the penalty."""
        return self.l1_ratio


class Ridge(Peer):
    """Sum of squares, plus alpha times that of the coefficients."""

    summed, share = True, 0.0


class ElasticNet(Peer):
    """Half the mean square, plus the penalty."""


class Lasso(Peer):
    """Half the mean square, plus alpha times the sum of absolute coefficients."""

    share = 1.0


OURS = {
    getattr(sklearn.linear_model, peer.__name__): peer
    for peer in (Ridge, ElasticNet, Lasso)
}


def duality_gap(model: Peer, X: Any, y: Any) -> Any:
    """Of the elastic net without weights, from any dual point: zero at the optimum."""
    dense = X.toarray() if sparse.issparse(X) else np.asarray(X)
    y = np.asarray(y, dtype=float)
    gaps = []
    for coef, target in zip(
        np.atleast_2d(model.coef_), np.atleast_2d(y.T), strict=True
    ):
        shift = model.fit_intercept
        A, b = dense - shift * dense.mean(axis=0), target - shift * target.mean()
        l1 = model.alpha * model.share * len(b)
        l2 = model.alpha * (1 - model.share) * len(b)
        residual = b - A @ coef
        steepest = np.abs(A.T @ residual - l2 * coef).max()
        scale = 1.0 if steepest <= l1 or l1 == 0 else l1 / steepest
        primal = residual @ residual / 2 + l1 * abs(coef).sum() + l2 / 2 * coef @ coef
        dual = scale * (residual @ b) - scale**2 / 2 * (
            residual @ residual + l2 * coef @ coef
        )
        gaps.append((primal - dual) / len(b))
    return gaps[0] if y.ndim == 1 else np.array(gaps)


def functions_of(module: ModuleType) -> dict[str, Any]:
    """Tests of a module that mention what is sparse."""
    return {
        name: function
        for name, function in vars(module).items()
        if name.startswith("test_")
        and inspect.isfunction(function)
        and "sparse" in (module.__name__ + inspect.getsource(function)).lower()
    }


def cases(function: Any) -> Iterator[dict[str, Any]]:
    """Parameters of a test that are about sparse X and an estimator of ours."""
    marks = [m for m in getattr(function, "pytestmark", []) if m.name == "parametrize"]
    choices = []
    for mark in marks:
        names, values = mark.args[:2]
        names = names.replace(" ", "").split(",") if isinstance(names, str) else names
        rows = [
            value.values
            if hasattr(value, "marks")
            else (value,)
            if len(names) == 1
            else value
            for value in values
        ]
        choices.append([dict(zip(names, row, strict=True)) for row in rows])
    for choice in itertools.product(*choices):
        case = {name: value for part in choice for name, value in part.items()}
        if all(concerns(name, value) for name, value in case.items()):
            yield {name: replaced(value) for name, value in case.items()}


def concerns(name: str, value: Any) -> bool:
    """Whether a test with such a parameter is about sparse X, and ours can serve it."""
    if "container" in name:
        return "_array" in getattr(value, "__name__", "")  # matrices are alike
    if name == "test_func":
        return "Ridge(" in inspect.getsource(value)
    if isinstance(value, type) and issubclass(value, BaseEstimator):
        return value in OURS
    served = {"solver": "sparse_cg", "positive": False, "precompute": False}
    return bool(value == served.get(name, value))


def replaced(value: Any) -> Any:
    return OURS.get(value, value) if isinstance(value, type) else value


ALL = [
    (module, name, case)
    for module in MODULES
    for name, function in functions_of(module).items()
    if name in RUN
    for case in cases(function)
]


@pytest.fixture
def global_random_seed() -> int:
    return 42


@pytest.fixture(autouse=True)
def in_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, (theirs, ours) in itertools.product(MODULES, OURS.items()):
        if hasattr(module, theirs.__name__):
            monkeypatch.setattr(module, theirs.__name__, ours)


@pytest.mark.parametrize(
    ("module", "name", "case"),
    ALL,
    ids=[f"{name}-{number}" for number, (_, name, _) in enumerate(ALL)],
)
def test_of_theirs(
    module: ModuleType, name: str, case: dict[str, Any], global_random_seed: int
) -> None:
    function = getattr(module, name)
    if "global_random_seed" in inspect.signature(function).parameters:
        case = {**case, "global_random_seed": global_random_seed}
    function(**case)


def test_of_theirs_with_their_dataset(
    ols_ridge_dataset: Any,  # noqa: F811
    global_random_seed: int,
) -> None:
    function = getattr(test_ridge, WITH_DATASET)
    for case in cases(function):
        function(
            **case,
            ols_ridge_dataset=ols_ridge_dataset,
            global_random_seed=global_random_seed,
        )


def test_all_are_run_or_listed() -> None:
    listed = {WITH_DATASET} | RUN.union(*NOT_RUN.values())
    for module in MODULES:
        assert functions_of(module).keys() <= listed
    assert len({name for _, name, _ in ALL}) >= FEWEST_TESTS
    assert len(ALL) >= FEWEST_CASES
