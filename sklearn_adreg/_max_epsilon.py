"""max_stable_epsilon: the step length from which on the textbook's descent diverges."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import validate_data

from sklearn_adreg._cv.descents import steps_on
from sklearn_adreg._cv.folds import all_rows
from sklearn_adreg._loss.outputs import outputs_of
from sklearn_adreg._regressor import GradientDescentRegressor
from sklearn_adreg._solve.problem import silent
from sklearn_adreg._solve.task import Fit, Task, without_offset
from sklearn_adreg._validation import (
    SPARSE,
    check_one_target,
    checked_offset,
    checked_row_data,
    checked_target,
    checked_weights,
)
from sklearn_adreg.backends import Backend
from sklearn_adreg.losses import Loss, Name, SquaredError, get_loss


def max_stable_epsilon(
    X: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    loss: Name | str | Loss = "squared_error",
    alpha: Any = 0.0,
    fit_intercept: bool = True,
    backend: Literal["autograd", "jax"] | Backend = "autograd",
    offset: Any = None,
    row_data: Any = None,
    n_outputs: int | None = None,
) -> float:
    r"""Return the largest step length with which gradient descent is stable.

    A numeric `epsilon` of `GradientDescentRegressor` at or above it diverges on these
    data, or does not settle. It is the limit that the message of a
    `~sklearn_adreg.exceptions.DivergenceError` names.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Training data.

    y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
        Targets; needed for losses other than squared error.

    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    loss : str or callable, default='squared_error'
        The loss, as in `GradientDescentRegressor`.

    alpha : float or array-like, default=0.0
        Strength of a ridge penalty, or strengths of one for each coefficient, as in
        `GradientDescentRegressor`.

    fit_intercept : bool, default=True
        Whether an intercept is fitted, so that X is centred.

    backend : {'autograd', 'jax'} or Backend, default='autograd'
        The library that differentiates the loss.

    offset : array-like, shape (n_samples,) or (n_samples, n_targets), default=None
        What is added to the linear predictor of each row, as in
        `GradientDescentRegressor.fit`.

    row_data : data frame, structured array or mapping of arrays, default=None
        The keyword-only arguments of the loss, as in `GradientDescentRegressor.fit`.

    n_outputs : int, default=None
        Linear predictors a row, as in `GradientDescentRegressor`.

    Returns
    -------
    float
        The largest stable step, infinite where X has no variance. For losses other
        than squared error it is an estimate, from the largest curvature of the loss at
        the best constant; where the loss has kinks there is no such limit, and what is
        returned is a fraction of the spread of `y`.

    Raises
    ------
    ValueError
        If `y`, or row data, are missing for a loss that needs them.

    See Also
    --------
    GradientDescentRegressorCV : Chooses among step lengths by cross-validation.

    Notes
    -----
    For squared error it is :math:`2 / (2 \lambda + \alpha)`, where :math:`\lambda` is
    the largest eigenvalue of :math:`\frac{1}{S} \sum_i s_i x_i x_i^\top`, of centred
    rows if there is an intercept; with strengths for each coefficient, 2 divided by
    that of twice this matrix plus their diagonal one.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import GradientDescentRegressor, max_stable_epsilon
    >>> X = np.array([[-2.0], [0.0], [2.0]])
    >>> limit = max_stable_epsilon(X)
    >>> round(limit, 6)
    0.375
    >>> model = GradientDescentRegressor(epsilon=0.9 * limit)
    >>> model.fit(X, [1.0, 2.0, 3.0]).coef_.round(3)
    array([0.5])
    """
    model = GradientDescentRegressor(
        loss,
        epsilon=1.0,
        alpha=alpha,
        fit_intercept=fit_intercept,
        backend=backend,
        n_outputs=n_outputs,
    )
    model._validate_params()
    squared = bool(get_loss(loss) == SquaredError())
    checks = {"accept_sparse": SPARSE, "dtype": [np.float64, np.float32]}
    if y is not None:
        X, y = validate_data(model, X, y, multi_output=True, y_numeric=True, **checks)
    elif squared:
        X = validate_data(model, X, **checks)
        y = np.zeros(X.shape[0], dtype=X.dtype)
    else:
        raise ValueError(
            "The target y must be given for other losses than squared error, whose "
            f"curvature depends on it. Got None with the loss {loss!r} instead."
        )
    fit, task = _checked(model, X, y, sample_weight, offset, row_data)
    data = all_rows(fit)
    every, alphas = np.arange(X.shape[0]), np.atleast_2d(task.alpha)[None]
    with np.errstate(all="ignore"):  # trial points of a loss may overflow
        (steps,) = steps_on(data, [every], task, alphas, fit.row_names)
        return steps.max_epsilon(data, alphas)


def _checked(
    model: GradientDescentRegressor,
    X: Any,
    y: Any,
    sample_weight: Any,
    offset: Any,
    row_data: Any,
) -> tuple[Fit, Task]:
    """Return the data and the parameters, as `fit` checks them."""
    targets = checked_target(y, X.dtype)
    check_one_target(targets, outputs_of(model), model)
    task = Task.of(model, targets.shape[1], X.shape[1])
    weights = checked_weights(sample_weight, X)
    shape = X.shape[0], targets.shape[1] * task.n_outputs
    offsets = checked_offset(offset, shape, X.dtype)
    known = checked_row_data(row_data, task.loss, len(targets), X.dtype)
    targets, offsets = without_offset(task.loss, targets, offsets)
    fit = Fit(X, targets, weights, None, silent).knowing(offsets, known)
    return fit._replace(n_outputs=task.n_outputs), task
