"""GradientDescentRegressor: validate, descend, store."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from types import FunctionType
from typing import Any, ClassVar

import numpy as np
from sklearn.base import (
    BaseEstimator,
    MultiOutputMixin,
    RegressorMixin,
    _fit_context,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_adreg._descent.loop import Solution
from sklearn_adreg._loss.check import get_loss, needs_positive
from sklearn_adreg._loss.linear import fitted_loss, predictions
from sklearn_adreg._report import endless, progress, unconverged
from sklearn_adreg._solve.routes import solve
from sklearn_adreg._solve.task import Task
from sklearn_adreg._validation import (
    SPARSE,
    check_place,
    checked_start,
    checked_target,
    checked_weights,
)
from sklearn_adreg.backends import BACKENDS, Backend
from sklearn_adreg.losses import LOSSES, Loss


class GradientDescentRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
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
        written with `sklearn_adreg.numpy`. Kinks are found and dealt with. A loss with
        a method ``inverse_link`` is called with predictions ``inverse_link(z)``.

    epsilon : 'auto' or float, default='auto'
        The step length, which decides the update rule.

        A positive number is the textbook: :math:`w \leftarrow w - \epsilon \nabla F`
        with the full batch, from zero, at most `max_iter` times. With an intercept, X
        is centred and the intercept starts at the best constant. It is in units of
        the inverse of X squared.

        'auto' descends in coordinates that whiten X, with steps that it chooses
        itself. It needs no tuning and no scaling, and for squared error converges in
        a few passes over X, to as many digits as a factorisation of X would give.

    max_iter : int, default=1000
        The largest number of steps.

    tol : float, default=1e-6
        When to stop, in standard deviations of y. With epsilon='auto', predictions
        are within `tol` of the optimum's (root mean square); with a numeric
        `epsilon`, a step promises to change them by less than `tol`. For a loss with
        kinks it is the objective that is within `tol`, relative, of the optimum's;
        for one with a link, z within `tol`. Zero asks for exactly `max_iter` steps.

    alpha : float or array-like, default=0.0
        Strength of the penalty, written as in `sklearn.linear_model.ElasticNet`. As
        squared error has no factor one half here, and the deviances have none, the
        same solution takes twice the `alpha` of scikit-learn's estimators. An array
        has one strength for each coefficient: it is broadcast against `coef_`, as
        NumPy does, from shape (n_features,), (n_targets, 1) or
        (n_targets, n_features). Zero leaves a coefficient without a penalty.

    l1_ratio : float, default=0.0
        Share :math:`\rho` of the lasso in the penalty: 0 is ridge, 1 the lasso, which
        leaves exact zeros, and the elastic net lies between.

    fit_intercept : bool, default=True
        Whether to fit the intercept :math:`b`. If False, it is zero and X is used as
        it is.

    backend : {'autograd', 'jax'} or Backend, default='autograd'
        Who differentiates: a name or an instance of `sklearn_adreg.backends.Backend`.
        JAX is imported when it is first asked for.

    device : str or None, default=None
        None keeps X in host memory, where products are BLAS's. With backend='jax' a
        name such as 'cpu', 'gpu', 'cuda', 'tpu' or 'cuda:1' copies X to that device,
        and computes there with all that is as long as X. A sparse X stays in host
        memory.

    warm_start : bool, default=False
        Whether `fit` starts from the coefficients of the fit before.

    verbose : int, default=0
        1 shows a progress bar with the objective (needs tqdm).

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients :math:`w`; of minimum norm where X does not determine them.

    intercept_ : float or ndarray of shape (n_targets,)
        Intercept :math:`b`; never penalised.

    n_iter_ : int
        Steps taken, on all rows: those on a sample of them, where there are many, are
        not counted.

    loss_curve_ : ndarray of shape (`n_iter_` + 1,)
        The objective at the start and after each step, summed over targets.

    epsilon_ : float
        The step length used; with 'auto' that of the whitened coordinates.

    scale_ : float or ndarray of shape (n_targets,)
        The standard deviation of the errors that was found, where `loss` has
        ``scale="mad"``: `loss_curve_` is the objective at it.

    loss_ : object or list of n_targets objects
        The loss of the fit, which `predict` goes by: with the scale that was found, or
        as it came where it has an inverse link. Otherwise, and of a loss that is a
        function, nothing is kept.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has string names for all of them.

    Raises
    ------
    DivergenceError
        If a numeric `epsilon` is too long; the message names the largest stable one.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` steps did not reach `tol`, or the objective has no minimum.

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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "loss": [StrOptions(set(LOSSES)), callable],
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
    }

    def __init__(
        self,
        loss: str | Loss = "squared_error",
        *,
        epsilon: float | str = "auto",
        max_iter: int = 1000,
        tol: float = 1e-6,
        alpha: Any = 0.0,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        backend: str | Backend = "autograd",
        device: str | None = None,
        warm_start: bool = False,
        verbose: int = 0,
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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None
    ) -> GradientDescentRegressor:
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

        Returns
        -------
        GradientDescentRegressor
            The fitted estimator itself.
        """
        before = dict(vars(self))
        try:
            return self._fit(X, y, sample_weight)
        except BaseException:
            self.__dict__ = before
            raise

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions :math:`X w + b`, after the inverse link where the loss has one.
        """
        check_is_fitted(self)
        X = validate_data(
            self, X, reset=False, accept_sparse=SPARSE, dtype=[np.float64, np.float32]
        )
        # The loss of the fit, whatever `loss` is by now; functions alone are not kept.
        given = self.loss if isinstance(self.loss, FunctionType) else None
        loss = getattr(self, "loss_", given)
        return predictions(loss, X @ self.coef_.T + self.intercept_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.device is None
        tags.target_tags.positive_only = needs_positive(self.loss)
        return tags

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> GradientDescentRegressor:
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
        task = Task.of(self, targets.shape[1], X.shape[1])
        weights = checked_weights(sample_weight, X)
        start = None
        if self.warm_start and hasattr(self, "coef_"):
            start = checked_start(self.coef_, self.intercept_, X, targets)
        with (
            progress(bool(self.verbose), self.max_iter) as report,
            np.errstate(all="ignore"),  # what is not finite is refused with a reason
        ):
            solution = solve(task, X, targets, weights, start, report)
        if solution.endless or not solution.error <= (self.tol or np.inf):
            params = self.get_params()
            text = endless(params) if solution.endless else ""
            settled = solution.settled
            text = text or unconverged(
                solution.error, solution.n_iter, params, settled=settled
            )
            warnings.warn(text, ConvergenceWarning, stacklevel=4)
        self._store(solution, X.dtype, flat=y.ndim == 1)
        return self

    def _store(self, solution: Solution, dtype: np.dtype, *, flat: bool) -> None:
        self.coef_ = np.ascontiguousarray(solution.coef.T, dtype=dtype)
        self.intercept_ = solution.intercept.astype(dtype)
        if flat:
            self.coef_, self.intercept_ = self.coef_[0], self.intercept_[0]
        self.loss_curve_ = solution.loss_curve.astype(dtype)
        self.n_iter_, self.epsilon_ = solution.n_iter, solution.epsilon
        for name in "loss_", "scale_":
            self.__dict__.pop(name, None)
        loss, scale = fitted_loss(get_loss(self.loss), solution.scale), solution.scale
        if loss is not None:
            self.loss_ = loss
        if scale is not None:
            self.scale_ = float(scale[0]) if flat else scale.astype(dtype)
