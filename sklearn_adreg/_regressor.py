"""GradientDescentRegressor: validate, descend, store."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sklearn_adreg._descent.loop import Solution
from sklearn_adreg._habits import (
    Callback,
    Followed,
    Shown,
    all_or_nothing,
    in_fit_context,
    with_steps,
)
from sklearn_adreg._loss.linear import (
    fitted_loss,
    loss_of_fit,
    needs_positive,
    predictions,
    scored_by_loss,
)
from sklearn_adreg._loss.outputs import outputs_of
from sklearn_adreg._pickled import Pickled
from sklearn_adreg._report import OFFSET_FORGOTTEN, progress, rounded, unfinished
from sklearn_adreg._solve.held_out import HeldOut, hold_out
from sklearn_adreg._solve.rounding import rounding_costs, rounding_of_predictions
from sklearn_adreg._solve.routes import solve
from sklearn_adreg._solve.score import d2
from sklearn_adreg._solve.task import Fit, Task
from sklearn_adreg._validation import (
    SPARSE,
    check_one_target,
    check_place,
    checked_offset,
    checked_row_data,
    checked_start,
    checked_target,
    checked_weights,
    with_parameters_of_loss,
)
from sklearn_adreg.backends import BACKENDS, Backend, get_backend
from sklearn_adreg.losses import Loss, Name, get_loss


class GradientDescentRegressor(
    Followed, Shown, Pickled, MultiOutputMixin, RegressorMixin, BaseEstimator
):
    r"""Linear model with any differentiable loss, fitted by gradient descent.

    With weights :math:`s_i`, :math:`S = \sum_i s_i` and :math:`z = X w + b`, it
    minimises the mean loss, plus a penalty that leaves the intercept alone:

    .. math:: F(w, b) = \frac{1}{S} \sum_i s_i \, \ell(y_i, z_i)
        + \alpha \left( \rho \|w\|_1 + \frac{1 - \rho}{2} \|w\|_2^2 \right)

    The derivative of the loss is taken by a pluggable backend. Several targets are
    fitted side by side, each as it would be alone.

    Parameters
    ----------
    loss : str or callable, default='squared_error'
        The loss :math:`\ell(y, z)`: the name of one of `sklearn_adreg.losses`
        ('huber', 'pinball', 'poisson_deviance', ...), one of its objects, or any
        callable ``loss(y_true, y_pred)`` that returns one value per sample and is
        written with `sklearn_adreg.numpy`. 'mse', 'mae', 'quantile', 'poisson', 'gamma'
        and 'log_loss' are names too. Kinks need no care. A loss with a
        method ``inverse_link`` is called with predictions ``inverse_link(z)``. Its
        keyword-only arguments are the `row_data` of `fit`.

    epsilon : 'auto' or float, default='auto'
        The step length, also called learning rate or step size.

        'auto' chooses it in each step, and descends in coordinates in which the columns
        of X are uncorrelated and of one scale. It needs no tuning and no scaling, and
        for squared error converges in a few passes over X, to as many digits as a
        factorisation of X would give.

        A positive number is plain gradient descent with that learning rate:
        :math:`w \leftarrow w - \epsilon \nabla F`, with all rows in each step, from
        zero, at most `max_iter` times. With an intercept, X
        is centred and the intercept starts at the best constant. What is stable depends
        on X, see `max_stable_epsilon`: columns twice as large ask for a quarter of it.

    max_iter : int, default=1000
        The largest number of steps.

    tol : float, default=1e-6
        The convergence criterion: what is within `tol` in the end.

        ====================== ====================================================
        epsilon='auto', a loss the predictions' distance from those at the optimum:
        without kinks or link  root mean square, in standard deviations of y
        with an inverse link   the same for the linear predictor z, in its own unit
        with kinks             the objective's distance from its optimum, relative
        epsilon a number       how much another step would change predictions: root
                               mean square, in standard deviations of y
        early_stopping         how much the score of held-out rows still rises
        ====================== ====================================================

        Zero asks for exactly `max_iter` steps.
        Steps of a given `epsilon` may be short far from the optimum: a warning says
        where the objective can be lower by more than `tol` of itself.

    alpha : float or array-like, default=0.0
        Strength of the penalty, written as in `sklearn.linear_model.ElasticNet`. As
        squared error and the deviances have no factor one half here, the same solution
        takes twice the `alpha` of ElasticNet and of PoissonRegressor. An array has one
        strength for each coefficient: it is broadcast against `coef_`, as NumPy does,
        from shape (n_features,), (n_targets, 1) or
        (n_targets, n_features), with `n_outputs` in the place of n_targets where there
        are several. Zero leaves a coefficient without a penalty.

    l1_ratio : float, default=0.0
        Share :math:`\rho` of the lasso in the penalty: 0 is ridge, 1 the lasso, which
        leaves exact zeros, and the elastic net lies between.

    fit_intercept : bool, default=True
        Whether to fit the intercept :math:`b`. If False, it is zero and X is used as
        it is.

    backend : {'autograd', 'jax'} or Backend, default='autograd'
        The library that differentiates the loss: its name, or an instance of
        `sklearn_adreg.backends.Backend`.
        JAX is imported when it is first asked for.

    device : str or None, default=None
        None keeps X in host memory, where products are BLAS's. With backend='jax' a
        name such as 'cpu', 'gpu', 'cuda', 'tpu' or 'cuda:1' copies X to that device,
        and computes there with all that is as long as X. A sparse X is refused with a
        device.

    warm_start : bool, default=False
        Whether `fit` starts from the coefficients of the fit before.

    verbose : int, default=0
        1 shows a progress bar with the objective, or a few lines without tqdm.

    n_outputs : int, default=None
        Number of linear predictors of a row. None takes the attribute ``n_outputs``
        of the loss, or one where it has none. With several there is one target,
        `y_pred` has shape (n_samples, n_outputs), and the loss still returns one value
        per sample.

    early_stopping : bool, default=False
        Whether the steps of a numeric `epsilon` end where rows that are held out are
        predicted no better, as in `sklearn.linear_model.SGDRegressor`: when D^2 of
        these rows, which is R^2 for squared error, has risen by less than `tol` above
        the best one so far in `n_iter_no_change` steps in a row. The coefficients are
        those of the last step. Held-out rows are not fitted; row data, offsets and
        weights follow them. With epsilon='auto' it is refused: those steps lead past
        no better coefficients on their way to the optimum.

    validation_fraction : float, default=0.1
        The part of the rows that `early_stopping` holds out.

    n_iter_no_change : int, default=5
        How many steps in a row without a rise `early_stopping` waits for.

    random_state : int, RandomState instance or None, default=None
        Draws the rows that `early_stopping` holds out; nothing else is random. Pass an
        int for the same rows in each call of `fit`.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients :math:`w`; of minimum norm where X does not determine them. With
        several outputs (`n_outputs`, n_features).

    intercept_ : float or ndarray of shape (n_targets,)
        Intercept :math:`b`; never penalised. With several outputs (`n_outputs`,).

    n_iter_ : int
        Steps taken, on all rows: those on a sample of them, where there are many, are
        not counted.

    loss_curve_ : ndarray of shape (`n_iter_` + 1,)
        The objective at the start and after each step, summed over targets.

    validation_loss_curve_ : ndarray of shape (`n_iter_` + 1,)
        The mean loss of the held-out rows at the start and after each step, without a
        penalty, summed over targets. Only with `early_stopping`.

    scale_ : float or ndarray of shape (n_targets,)
        The standard deviation of the errors that was found, where `loss` has
        ``scale="mad"``: `loss_curve_` is the objective at that scale.

    loss_ : object or list of n_targets objects
        The loss that was fitted, with its estimated scale, as `predict` and `score` use
        it. Only of a loss that has an estimated scale or an inverse link, or takes row
        data, and is not a function.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has string names for all of them.

    epsilon_ : float
        The learning rate used. With 'auto' it is that of the last step, in coordinates
        in which the columns of X are uncorrelated and of one scale, and not comparable
        with a numeric `epsilon`.

    Raises
    ------
    DivergenceError
        If a numeric `epsilon` is too long; the message names the largest stable one.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` steps did not reach `tol`, steps of a given `epsilon` became short
        above the minimum, or the objective has no minimum.

    See Also
    --------
    sklearn.linear_model.LinearRegression : Least squares by a factorisation of X.
    sklearn.linear_model.SGDRegressor : Stochastic gradient descent.

    References
    ----------
    .. [1] C. Carroll, "Exercises in automatic differentiation using autograd and
       jax", 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import GradientDescentRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 3))
    >>> y = X @ [1.0, 2.0, 3.0] + 4.0
    >>> model = GradientDescentRegressor().fit(X, y)
    >>> model.coef_.round(6)
    array([1., 2., 3.])
    >>> print(model.intercept_.round(6))
    4.0
    >>> textbook = GradientDescentRegressor(epsilon=0.1).fit(X, y)
    >>> print(round(textbook.score(X, y), 6))
    1.0
    >>> import sklearn_adreg.numpy as adnp
    >>> def stock_out(y_true, y_pred):
    ...     return adnp.maximum(4 * (y_true - y_pred), y_pred - y_true)
    >>> noisy = y + rng.standard_normal(100)
    >>> model = GradientDescentRegressor(stock_out).fit(X, noisy)
    >>> print((noisy <= model.predict(X)).mean().round(1))
    0.8
    """

    # For type checkers: what it is depends on the target and on the loss.
    intercept_: Any
    loss_: Any
    scale_: Any

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "loss": [str, callable],
        "epsilon": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "backend": [StrOptions(set(BACKENDS)), Backend],
        "device": [str, None],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "n_outputs": [Interval(Integral, 1, None, closed="left"), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        loss: Name | str | Loss = "squared_error",
        *,
        epsilon: float | Literal["auto"] = "auto",
        max_iter: int = 1000,
        tol: float = 1e-6,
        alpha: Any = 0.0,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        backend: Literal["autograd", "jax"] | Backend = "autograd",
        device: str | None = None,
        warm_start: bool = False,
        verbose: int = 0,
        n_outputs: int | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.loss = loss
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.tol = tol
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.backend = backend
        self.device = device
        self.warm_start = warm_start
        self.verbose = verbose
        self.n_outputs = n_outputs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    @in_fit_context
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        offset: Any = None,
        row_data: Any = None,
    ) -> Self:
        """Fit the model.

        After an error the estimator is as it was before the call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. Float64 and float32 are used as they are, without a copy;
            so are CSR and CSC, to the first of which other sparse formats are
            converted.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : array-like of shape (n_samples,) or float, default=None
            Non-negative weights; a weight of two is a row that stands twice.

        offset : array-like, shape (n_samples,) or (n_samples, n_targets), default=None
            What is added to the linear predictor of each row, before the inverse link
            where the loss has one; for counts the logarithm of the exposure. One of
            shape (n_samples,) is for all targets; None is zero. `tol` is then in
            standard deviations of y less the offset.

        row_data : data frame, structured array or mapping of arrays, default=None
            Further data of each row for the loss: its keyword-only arguments, by
            their names, as in ``loss(y_true, y_pred, *, cost)``. Those with a default
            may be left out. A column has one entry, or several, for each row, matched
            by position, not by index. Floats get the dtype of X and may be infinite,
            not NaN; integers and booleans are passed on as they are.

        Returns
        -------
        GradientDescentRegressor
            The fitted estimator itself.
        """
        beside = {"sample_weight": sample_weight, "offset": offset}
        beside["row_data"] = row_data
        with self._followed(X, y, beside) as step, all_or_nothing(self):
            return self._fit(X, y, **beside, step=step)

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Parameters
        ----------
        **params : dict
            Parameters of the estimator, and those of its loss with ``loss__`` before
            their names: ``loss__delta=1.0`` puts another loss, which differs in this,
            in the place of the one that is there; a name becomes its object first.

        Returns
        -------
        object
            The estimator itself.
        """
        params = with_parameters_of_loss(self.loss, params)
        return BaseEstimator.set_params(self, **params)

    def predict(self, X: Any, offset: Any = None) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        offset : array-like, shape (n_samples,) or (n_samples, n_targets), default=None
            The offsets of these rows, as in `fit`. None is an offset of zero, for a
            model that was fitted with one too: an exposure of one.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions :math:`X w + b`, plus the offset, after the inverse link where
            the loss has one. With several outputs (n_samples, `n_outputs`), or what
            the link makes of it.
        """
        return predictions(loss_of_fit(self), linear_predictor(self, X, offset))

    def score(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        offset: Any = None,
        row_data: Any = None,
    ) -> float:
        """Return R^2 or, with row data or several predictions a row, D^2.

        D^2 is one minus the mean loss of the predictions divided by the mean loss of
        the best constant on these rows. R^2 is the D^2 of squared error.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        offset : array-like, shape (n_samples,) or (n_samples, n_targets), default=None
            The offsets of these rows, as in `predict`.

        row_data : data frame, structured array or mapping of arrays, default=None
            The row data of these rows, as in `fit`.

        Returns
        -------
        float
            The score, averaged over targets: 1 where predictions have no loss,
            0 where they are as good as the best constant (for R^2 the mean of `y`),
            and negative where they are worse. Where the mean loss of the constant is
            negative, the difference is divided by its absolute value.

        Raises
        ------
        ValueError
            If the loss needs row data and there are none. In a search, scikit-learn
            passes them on with metadata routing alone.

        Warns
        -----
        UserWarning
            If `fit` had an offset and there is none here. In a search, scikit-learn
            passes it on with metadata routing alone.

        See Also
        --------
        sklearn_adreg.losses.d2_score : D^2 of predictions, by any loss.
        sklearn_adreg.losses.loss_scorer : A scorer for searches, by any loss.
        """
        if offset is None and getattr(self, "_with_offset", False):
            warnings.warn(OFFSET_FORGOTTEN, UserWarning, stacklevel=2)
        predicted = self.predict(X, offset)
        loss = getattr(self, "loss_", None) or get_loss(self.loss)
        n_outputs = getattr(self, "_n_outputs", None) or outputs_of(self)
        other = n_outputs > 1 and predicted.shape != np.shape(y)
        if not other and not scored_by_loss(loss, row_data):
            return float(r2_score(y, predicted, sample_weight=sample_weight))
        known = checked_row_data(row_data, loss, len(predicted), predicted.dtype)
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
        check_consistent_length(X, y)
        target = checked_target(y, predicted.dtype)
        weight = checked_weights(sample_weight, predicted)
        backend = get_backend(self.backend)
        return d2(loss, backend, target, predicted, weight, known, n_outputs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.device is None
        tags.target_tags.positive_only = needs_positive(self.loss)
        return tags

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        offset: Any,
        row_data: Any = None,
        step: Callback = None,
        held: HeldOut | None = None,
        chosen: bool = False,
    ) -> Self:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=SPARSE,
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
            ensure_all_finite=False,  # seen from the moments, without a pass over X
        )
        check_place(X, self.device, self)
        targets = checked_target(y, X.dtype)
        check_one_target(targets, outputs_of(self), self)
        task = Task.of(self, targets.shape[1], X.shape[1])
        weights = checked_weights(sample_weight, X)
        n_columns = targets.shape[1] * task.n_outputs
        offsets = checked_offset(offset, (X.shape[0], n_columns), X.dtype)
        known = checked_row_data(row_data, task.loss, len(targets), X.dtype)
        if self.early_stopping and held is None:
            weights, held = hold_out(self, X, weights)
        start = None
        if self.warm_start and hasattr(self, "coef_"):
            expected = X.shape[1], n_columns
            start = checked_start(self.coef_, self.intercept_, expected)
        with (
            progress(bool(self.verbose), self.max_iter) as report,
            np.errstate(all="ignore"),  # what is not finite is refused with a reason
        ):
            report = with_steps(step, report)
            fit = Fit(X, targets, weights, start, report).knowing(offsets, known)
            solution = solve(task, fit._replace(held=held, chosen=chosen))
            doubt = self._doubt(task, fit, solution)
        if doubt:
            warnings.warn(doubt, ConvergenceWarning, stacklevel=4)
        self._store(solution, X.dtype, flat=y.ndim == 1 and task.n_outputs == 1)
        # What score asks: was an offset forgotten, and has a row several predictors.
        self._with_offset, self._n_outputs = offset is not None, task.n_outputs
        return self

    def _doubt(self, task: Task, fit: Fit, solution: Solution) -> str:
        """Return what a warning is to say of a solution; empty where it is good."""
        short = solution.error <= (self.tol or np.inf)
        if solution.endless or solution.above or not short:
            return unfinished(solution, self.get_params(deep=False))
        rounding = rounding_of_predictions(task, fit, solution)
        half = np.sqrt(np.finfo(fit.X.dtype).eps)
        lost = rounding > max(self.tol, half)
        lost = lost or rounding_costs(task, fit, solution, rounding)
        return rounded(rounding) if lost else ""

    def _store(self, solution: Solution, dtype: np.dtype, *, flat: bool) -> None:
        self.coef_ = np.ascontiguousarray(solution.coef.T, dtype=dtype)
        self.intercept_ = solution.intercept.astype(dtype)
        if flat:
            self.coef_, self.intercept_ = self.coef_[0], self.intercept_[0]
        self.loss_curve_ = solution.loss_curve.astype(dtype)
        self.n_iter_, self.epsilon_ = solution.n_iter, solution.epsilon
        for name in "loss_", "scale_", "validation_loss_curve_":
            self.__dict__.pop(name, None)
        if solution.validation is not None:
            self.validation_loss_curve_ = solution.validation.astype(dtype)
        loss, scale = fitted_loss(get_loss(self.loss), solution.scale), solution.scale
        if loss is not None:
            self.loss_ = loss
        if scale is not None:
            self.scale_ = float(scale[0]) if flat else scale.astype(dtype)


def linear_predictor(estimator: Any, X: Any, offset: Any) -> np.ndarray:
    """Return what a fitted estimator adds up for each row of X.

    Parameters
    ----------
    estimator : estimator
        A fitted one of this package.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Samples.

    offset : array-like or None
        What is added to it, as in `fit`.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_outputs)
        The linear predictor.
    """
    check_is_fitted(estimator)
    X = validate_data(
        estimator, X, reset=False, accept_sparse=SPARSE, dtype=[np.float64, np.float32]
    )
    linear = X @ estimator.coef_.T + estimator.intercept_
    shape = X.shape[0], np.size(estimator.intercept_)
    added = checked_offset(offset, shape, linear.dtype)
    return linear if added is None else linear + added.reshape(linear.shape)
