"""GradientDescentRegressorCV: epsilon and the number of steps by cross-validation."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.validation import validate_data

from sklearn_adreg._cv.measures import make_router, routed
from sklearn_adreg._cv.search import Search, checked_alphas, checked_epsilons
from sklearn_adreg._habits import Shown, all_or_nothing, in_fit_context
from sklearn_adreg._loss.linear import needs_positive
from sklearn_adreg._loss.outputs import outputs_of
from sklearn_adreg._pickled import Pickled
from sklearn_adreg._regressor import GradientDescentRegressor
from sklearn_adreg._solve.problem import silent
from sklearn_adreg._solve.task import Fit
from sklearn_adreg._validation import (
    SPARSE,
    check_one_target,
    check_place,
    checked_offset,
    checked_row_data,
    checked_target,
    unsummed_weights,
)
from sklearn_adreg.backends import Backend
from sklearn_adreg.losses import Loss, Name, get_loss

_SCORERS = StrOptions(set(get_scorer_names()))
# Whether X is finite is seen from its moments, without a pass over it.
_DATA = {
    "accept_sparse": SPARSE,
    "dtype": [np.float64, np.float32],
    "ensure_all_finite": False,
}
# Parameters that are handed on to GradientDescentRegressor as they are.
_SHARED = (
    *("loss", "max_iter", "tol", "fit_intercept", "backend", "device", "verbose"),
    "n_outputs",
)


class GradientDescentRegressorCV(
    Shown, Pickled, MultiOutputMixin, RegressorMixin, BaseEstimator
):
    """Linear model by gradient descent, with `epsilon` chosen by cross-validation.

    It finds what ``GridSearchCV(GradientDescentRegressor(...), {"epsilon": ...})``
    finds. For the squared error it takes one pass over X for all candidates, splits and
    numbers of steps: where the textbook's descent is at any step follows from the
    second moments of the training rows in closed form, and so do scores.

    Parameters
    ----------
    epsilons : array-like of shape (n_epsilons,), default=None
        Learning rates to try. None takes 20, spaced evenly on a logarithmic scale over
        three decades below the largest that is stable on all splits.

    loss : str or callable, default='squared_error'
        The loss, as in `GradientDescentRegressor`. For others than squared error the
        descents are run, those of all candidates in the same passes over a split.

    alphas : array-like of shape (n_alphas, ...), default=None
        Strengths of a ridge penalty, as `alpha` in `GradientDescentRegressor`, to try
        with each step length; None is without a penalty. The first axis is that of
        the candidates: of shape (n_alphas, n_features) they have a strength for each
        column of X.

    cv : int, splitter or iterable, default=None
        How the rows are split, as in `sklearn.model_selection.GridSearchCV`; None is
        5-fold.

    scoring : str, callable, list, tuple or dict, default=None
        The score on the held-out rows that chooses, as in
        `sklearn.model_selection.GridSearchCV`; None is R^2, or D^2 where the loss
        takes row data or predicts several numbers a row, as in `score`. Of several
        the first chooses, and `cv_results_` has all. R^2 and (root) mean squared errors
        cost nothing; other scorers are called on each candidate and split.

    max_iter : int, default=1000
        The largest number of steps.

    tol : float, default=1e-6
        When to stop, as in `GradientDescentRegressor`.

    fit_intercept : bool, default=True
        Whether to fit the intercept.

    early_stopping : bool, default=False
        Whether to choose the number of steps, up to `max_iter`, as well; without `tol`.
        The held-out rows are those of the splits, and the final fit is to all rows.

    store_path_scores : bool, default=False
        Whether to keep the scores after every number of steps, in `path_scores_`.

    backend : {'autograd', 'jax'} or Backend, default='autograd'
        The library that differentiates the loss in the final fit.

    device : str or None, default=None
        Where X is, as in `GradientDescentRegressor`.

    n_jobs : int or None, default=None
        Number of processes that call scorers, where there is no formula for them.

    verbose : int, default=0
        1 shows a progress bar of the final fit, or a few lines without tqdm.

    n_outputs : int, default=None
        Linear predictors a row, as in `GradientDescentRegressor`. With several,
        `scoring` must be None, or a scorer of their predictions.

    Attributes
    ----------
    epsilon_ : float
        The step length chosen.

    alpha_ : float or ndarray
        The penalty chosen. Only with `alphas`.

    best_n_iter_ : int
        The number of steps chosen. Only with `early_stopping`.

    best_score_ : float
        Mean of the scores of the chosen candidate over the splits.

    best_index_ : int
        The place of the chosen candidate in `cv_results_`.

    best_estimator_ : GradientDescentRegressor
        The final fit, to all rows.

    best_params_ : dict
        The parameters of `GradientDescentRegressor` that were chosen.

    cv_results_ : dict of ndarray
        The columns of `sklearn.model_selection.GridSearchCV`. With `early_stopping`
        each candidate has the best number of steps for it, in `param_max_iter`. The
        seconds of the search are divided equally among candidates.

    path_scores_ : ndarray of shape (n_splits, n_candidates, `max_iter` + 1)
        The (first) score of each candidate after 0, 1, ... steps. Only with
        `store_path_scores`.

    max_epsilon_ : float
        The largest stable step length for all rows and the largest of `alphas`;
        estimated at the start for losses other than squared error.

    n_splits_ : int
        Number of splits.

    coef_, intercept_, n_iter_, loss_curve_ : ndarray, ndarray or float, int, ndarray
        Those of the final fit.

    scale_, loss_ : float or ndarray, object or list
        Those of the final fit, where `GradientDescentRegressor` has them.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has string names for all of them.

    Raises
    ------
    DivergenceError
        If all candidates diverge, or the chosen one does on all rows.

    Warns
    -----
    FitFailedWarning
        Once, of all candidates that diverge; they are scored NaN.

    See Also
    --------
    EpsilonPathDisplay : The scores against the step lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import GradientDescentRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 3))
    >>> y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(100)
    >>> model = GradientDescentRegressorCV([0.01, 0.1, 0.3], max_iter=10, tol=0)
    >>> model.fit(X, y).epsilon_
    0.3
    >>> model.cv_results_["mean_test_score"].round(2)
    array([0.24, 0.98, 1.  ])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "epsilons": ["array-like", None],
        "alphas": ["array-like", None],
        "cv": ["cv_object"],
        "scoring": [_SCORERS, callable, list, tuple, dict, None],
        "early_stopping": ["boolean"],
        "store_path_scores": ["boolean"],
        "n_jobs": [Integral, None],
        **{
            name: GradientDescentRegressor._parameter_constraints[name]
            for name in _SHARED
        },
    }

    def __init__(
        self,
        epsilons: Any = None,
        *,
        loss: Name | str | Loss = "squared_error",
        alphas: Any = None,
        cv: Any = None,
        scoring: Any = None,
        max_iter: int = 1000,
        tol: float = 1e-6,
        fit_intercept: bool = True,
        early_stopping: bool = False,
        store_path_scores: bool = False,
        backend: Literal["autograd", "jax"] | Backend = "autograd",
        device: str | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        n_outputs: int | None = None,
    ) -> None:
        self.epsilons = epsilons
        self.loss = loss
        self.alphas = alphas
        self.cv = cv
        self.scoring = scoring
        self.max_iter = max_iter
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.early_stopping = early_stopping
        self.store_path_scores = store_path_scores
        self.backend = backend
        self.device = device
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.n_outputs = n_outputs

    @in_fit_context
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        offset: Any = None,
        row_data: Any = None,
        **params: Any,
    ) -> Self:
        """Choose among the candidates, and fit the chosen one to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, as in `GradientDescentRegressor.fit`.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, for fits and for scores. With metadata routing,
            scorers other than the default get them if they request them.

        offset : array-like, shape (n_samples,) or (n_samples, n_targets), default=None
            As in `GradientDescentRegressor.fit`; it is split as the rows are. R^2 and
            squared errors are those of predictions with the held-out offsets. Another
            scorer must request the offset, with metadata routing, or is refused.

        row_data : data frame, structured array or mapping of arrays, default=None
            As in `GradientDescentRegressor.fit`; a data frame or a structured array is
            split as the rows are.

        **params : dict
            `groups` for the splitter, or with metadata routing what the splitter and
            the scorers request.

        Returns
        -------
        GradientDescentRegressorCV
            The estimator itself; after an error it is as it was before.
        """
        known = {"sample_weight": sample_weight, "offset": offset, "row_data": row_data}
        with all_or_nothing(self):
            for name in [name for name in vars(self) if name.endswith("_")]:
                delattr(self, name)  # what was chosen before may not be chosen again
            return self._fit(X, y, known, params)

    predict = GradientDescentRegressor.predict
    score = GradientDescentRegressor.score
    set_params = GradientDescentRegressor.set_params

    def get_metadata_routing(self) -> MetadataRouter:
        """Say what `fit` passes on to the splitter and to the scorers.

        Returns
        -------
        MetadataRouter
            The routing.
        """
        return make_router(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.device is None
        tags.target_tags.positive_only = needs_positive(self.loss)
        return tags

    def _fit(
        self, X: Any, y: Any, known: dict[str, Any], params: dict[str, Any]
    ) -> Self:
        search = Search(
            epsilons=checked_epsilons(self.epsilons),
            alphas=checked_alphas(self.alphas),
            early_stopping=self.early_stopping,
            keep_paths=self.store_path_scores,
            n_jobs=self.n_jobs,
            settings={name: getattr(self, name) for name in _SHARED},
        )
        given = X, y
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, **_DATA)
        check_place(X, self.device, self)
        weights = unsummed_weights(known["sample_weight"], X)
        for_splitter, measures = routed(self, known, params)
        splits = list(check_cv(self.cv).split(X, y, **for_splitter))
        targets = checked_target(y, X.dtype)
        loss, n_outputs = get_loss(self.loss), outputs_of(self)
        check_one_target(targets, n_outputs, self)
        n_rows, n_columns = X.shape[0], targets.shape[1] * n_outputs
        fit = Fit(X, targets, weights, None, silent, n_outputs=n_outputs).knowing(
            checked_offset(known["offset"], (n_rows, n_columns), X.dtype),
            checked_row_data(known["row_data"], loss, n_rows, X.dtype),
        )
        with np.errstate(all="ignore"):  # what is not finite is refused with a reason
            found = search.run(fit, given, splits, measures)
        model = GradientDescentRegressor(**(search.settings | found["best_params_"]))
        # Chosen by how it predicts other rows, it need not be at the minimum.
        found["best_estimator_"] = model._fit(X, y, **known, chosen=True)
        self._with_offset, self._n_outputs = model._with_offset, model._n_outputs
        for name, value in (found | vars(model)).items():
            if name.endswith("_"):
                setattr(self, name, value)
        if hasattr(self, "feature_names_in_"):
            model.feature_names_in_ = self.feature_names_in_
        return self
