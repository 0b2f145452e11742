"""GradientDescentClassifier: labels become targets, and the regressor descends."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import compute_class_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from sklearn_adreg._habits import Followed, Shown, all_or_nothing, in_fit_context
from sklearn_adreg._loss.linear import labels_of, loss_of_fit, predictions
from sklearn_adreg._pickled import Pickled
from sklearn_adreg._regressor import GradientDescentRegressor, linear_predictor
from sklearn_adreg._report import OFFSET_FORGOTTEN
from sklearn_adreg._solve.held_out import HeldOut, hold_out
from sklearn_adreg._validation import (
    SPARSE,
    check_place,
    checked_alpha,
    checked_weights,
)
from sklearn_adreg.backends import Backend
from sklearn_adreg.losses import NAMED, Loss, get_loss

# Parameters that are handed on to GradientDescentRegressor as they are.
_HANDED_ON = (
    *("loss", "epsilon", "max_iter", "tol", "alpha", "l1_ratio", "fit_intercept"),
    *("backend", "device", "warm_start", "verbose"),
    *("early_stopping", "validation_fraction", "n_iter_no_change", "random_state"),
)


def _has_probability(estimator: GradientDescentClassifier) -> bool:
    """Whether predictions are probabilities: means of the labels 0 and 1; an error."""
    given = estimator.loss
    loss = NAMED.get(given) if isinstance(given, str) else given
    linked = getattr(loss, "inverse_link", None) is not None
    if linked and tuple(getattr(loss, "labels", ())) == (0, 1):
        return True
    raise AttributeError(
        "The method predict_proba needs a loss of the labels 0 and 1 with an inverse "
        "link, as 'log_loss' is: one with a method inverse_link(linear) and an "
        f"attribute labels = (0, 1). Got {given!r} instead. Use decision_function, or "
        "calibrate it (sklearn.calibration.CalibratedClassifierCV)."
    )


class GradientDescentClassifier(
    Followed, Shown, Pickled, ClassifierMixin, BaseEstimator
):
    r"""Linear classifier with any differentiable loss, fitted by gradient descent.

    Two classes are coded as the targets that the loss asks for, -1 and 1 or 0 and 1.
    With weights :math:`s_i`, :math:`S = \sum_i s_i` and :math:`z = X w + b`, it
    minimises the mean loss, plus a penalty that leaves the intercept alone:

    .. math:: F(w, b) = \frac{1}{S} \sum_i s_i \, \ell(y_i, z_i)
        + \alpha \left( \rho \|w\|_1 + \frac{1 - \rho}{2} \|w\|_2^2 \right)

    Several classes have a linear predictor each. With the log loss it is multinomial
    (softmax) regression; with other losses each class is fitted against all others.

    Parameters
    ----------
    loss : str or callable, default='log_loss'
        The loss :math:`\ell(y, z)`: a name ('log_loss' is logistic regression, 'hinge'
        a linear support vector machine; 'squared_hinge', 'exponential', ...), an object
        of `sklearn_adreg.losses`, or any callable ``loss(y_true, y_pred)`` as in
        `GradientDescentRegressor`. Its attribute ``labels``, ``(-1, 1)`` or ``(0, 1)``,
        says what `y_true` is for the first and the second class; without one it is -1
        and 1.

    epsilon : 'auto' or float, default='auto'
        The learning rate, as in `GradientDescentRegressor`: 'auto' needs no tuning, a
        number is plain gradient descent with it.

    max_iter : int, default=1000
        The largest number of steps.

    tol : float, default=1e-6
        When to stop: for the log loss with :math:`z` within `tol` of the optimum's
        (root mean square), for the hinge loss with an objective within `tol`, relative,
        and for others within `tol` standard deviations of the labels. Zero asks for
        exactly `max_iter` steps.

    alpha : float or array-like, default=1e-4
        Strength of the penalty, as in `sklearn.linear_model.SGDClassifier`. The `C` of
        `sklearn.linear_model.LogisticRegression` is ``1 / (alpha * n_samples)``. Zero
        is no penalty: there is no minimum where X separates the classes. An array has
        one strength for each coefficient: of shape (n_features,) for each column, and
        of several classes (n_classes, 1) or (n_classes, n_features).

    l1_ratio : float, default=0.0
        Share :math:`\rho` of the lasso in the penalty: 0 is ridge, 1 the lasso, which
        leaves exact zeros, and the elastic net lies between.

    fit_intercept : bool, default=True
        Whether to fit the intercept :math:`b`, which is never penalised.

    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes, which multiply `sample_weight`: by label, one for those
        that are left out. 'balanced' gives all classes the same sum of weights.

    backend : {'autograd', 'jax'} or Backend, default='autograd'
        The library that differentiates the loss, as in `GradientDescentRegressor`.

    device : str or None, default=None
        Where `backend='jax'` computes, as in `GradientDescentRegressor`.

    warm_start : bool, default=False
        Whether `fit` starts from the coefficients of the fit before.

    verbose : int, default=0
        1 shows a progress bar with the objective, or a few lines without tqdm.

    early_stopping : bool, default=False
        Whether the steps of a numeric `epsilon` end where rows that are held out, the
        same part of each class, are predicted no better, as in
        `GradientDescentRegressor`. What is to rise is D^2 by the loss:
        the accuracy of `sklearn.linear_model.SGDClassifier` moves when a row crosses
        the boundary alone, which few of these steps lead to.

    validation_fraction : float, default=0.1
        The part of the rows that `early_stopping` holds out.

    n_iter_no_change : int, default=5
        How many steps in a row without a rise `early_stopping` waits for.

    random_state : int, RandomState instance or None, default=None
        Draws the rows that `early_stopping` holds out; nothing else is random.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels in `y`, sorted.

    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients :math:`w`: of two classes those of the second.

    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercept :math:`b`.

    n_iter_ : int
        Steps taken, on all rows.

    loss_curve_ : ndarray of shape (`n_iter_` + 1,)
        The objective at the start and after each step, summed over the classes where
        each is fitted against all others.

    validation_loss_curve_ : ndarray of shape (`n_iter_` + 1,)
        The mean loss of the held-out rows, as in `GradientDescentRegressor`. Only with
        `early_stopping`.

    epsilon_ : float
        The learning rate used; with 'auto' not comparable with a numeric `epsilon`, as
        in `GradientDescentRegressor`.

    loss_ : object or list of n_classes objects
        The loss of the fit, where it is an object that has an inverse link or takes row
        data; `Multinomial` of several classes with the log loss. Of a loss with
        ``scale="mad"`` it has the scale that was found: one for each class where these
        are fitted against all others.

    scale_ : float or ndarray of shape (n_classes,)
        The standard deviation of the errors that was found, where `loss` has
        ``scale="mad"``: of the labels less the linear predictor.

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
        If `max_iter` steps did not reach `tol`, or the objective has no minimum: X
        separates the classes, and `alpha` is zero.

    See Also
    --------
    GradientDescentRegressor : The same with a target that is a number.
    sklearn.linear_model.LogisticRegression : The log loss, summed.
    sklearn.linear_model.SGDClassifier : Stochastic gradient descent.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_adreg import GradientDescentClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = GradientDescentClassifier().fit(X, y == 1)
    >>> model.predict(X[:3])
    array([False, False, False])
    >>> model.predict_proba(X[:1]).round(2)
    array([[0.91, 0.09]])
    >>> import sklearn_adreg.numpy as adnp
    >>> def missing_costs_five(y_true, y_pred):  # labels are -1 and 1
    ...     return (3 + 2 * y_true) * adnp.logaddexp(0, -y_true * y_pred)
    >>> careful = GradientDescentClassifier(missing_costs_five).fit(X, y == 1)
    >>> print(model.predict(X).sum(), careful.predict(X).sum())
    39 90
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **{
            name: GradientDescentRegressor._parameter_constraints[name]
            for name in _HANDED_ON
        },
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        loss: str | Loss = "log_loss",
        *,
        epsilon: float | Literal["auto"] = "auto",
        max_iter: int = 1000,
        tol: float = 1e-6,
        alpha: Any = 1e-4,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        class_weight: dict[Any, float] | str | None = None,
        backend: Literal["autograd", "jax"] | Backend = "autograd",
        device: str | None = None,
        warm_start: bool = False,
        verbose: int = 0,
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
        self.class_weight = class_weight
        self.backend = backend
        self.device = device
        self.warm_start = warm_start
        self.verbose = verbose
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
            Training data, as in `GradientDescentRegressor.fit`.

        y : array-like of shape (n_samples,)
            Labels, of any type that can be sorted.

        sample_weight : array-like of shape (n_samples,) or float, default=None
            Non-negative weights; a weight of two is a row that stands twice.

        offset : array-like, shape (n_samples,) or (n_samples, n_classes), default=None
            What is added to the linear predictor of each row: what is known of its log
            odds already. Of several classes one for each, as the probabilities of a
            softmax are the same where all are moved alike. None is zero.

        row_data : data frame, structured array or mapping of arrays, default=None
            What else the loss is to know of each row, such as what a mistake costs
            there: its keyword-only arguments, as in `GradientDescentRegressor.fit`.

        Returns
        -------
        GradientDescentClassifier
            The fitted estimator itself.
        """
        beside = {"sample_weight": sample_weight, "offset": offset}
        beside["row_data"] = row_data
        with self._followed(X, y, beside) as step, all_or_nothing(self):
            model, given, held = self._coded(X, y, sample_weight)
            # Here, so that its warnings point at the line that called fit.
            model._fit(*given, offset, row_data, step=step, held=held)
            return self._store(model)

    set_params = GradientDescentRegressor.set_params

    def decision_function(self, X: Any, offset: Any = None) -> np.ndarray:
        """Compute the linear predictor, above zero for the second of two classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        offset : array-like, shape (n_samples,) or (n_samples, n_classes), default=None
            The offsets of these rows, as in `fit`; None is zero.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            :math:`X w + b`, plus the offset: one value of two classes, else one for
            each.
        """
        linear = linear_predictor(self, X, offset)
        return linear[:, 0] if linear.shape[1] == 1 else linear

    def predict(self, X: Any, offset: Any = None) -> np.ndarray:
        """Predict labels: those of the largest value of `decision_function`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        offset : array-like, shape (n_samples,) or (n_samples, n_classes), default=None
            The offsets of these rows, as in `fit`; None is zero.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, as they are in `classes_`.
        """
        linear = self.decision_function(X, offset)
        chosen = linear > 0 if linear.ndim == 1 else linear.argmax(axis=1)
        return self.classes_[chosen.astype(int)]

    @available_if(_has_probability)
    def predict_proba(self, X: Any, offset: Any = None) -> np.ndarray:
        """Predict the probability of each class.

        There is this method for losses of the labels 0 and 1 with an inverse link. Of
        several classes, each fitted against all others, the probabilities are
        divided by their sum.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        offset : array-like, shape (n_samples,) or (n_samples, n_classes), default=None
            The offsets of these rows, as in `fit`; None is zero.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        found = predictions(loss_of_fit(self), self.decision_function(X, offset))
        if found.ndim == 1:
            return np.column_stack([1 - found, found])
        found = np.maximum(found, np.finfo(found.dtype).tiny)  # all may have vanished
        return found / found.sum(axis=1, keepdims=True)

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None
    ) -> float:
        """Return the accuracy, the share of labels that are predicted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        y : array-like of shape (n_samples,)
            Their labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        offset : array-like, shape (n_samples,) or (n_samples, n_classes), default=None
            The offsets of these rows, as in `fit`; None is zero.

        Returns
        -------
        float
            The accuracy.

        Warns
        -----
        UserWarning
            If `fit` had an offset and there is none here.
        """
        if offset is None and getattr(self, "_with_offset", False):
            warnings.warn(OFFSET_FORGOTTEN, UserWarning, stacklevel=2)
        predicted = self.predict(X, offset)
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.device is None
        return tags

    def _coded(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[GradientDescentRegressor, tuple[Any, Any, Any], HeldOut | None]:
        """Return the regressor, and what it is to be fitted to: labels as targets.

        The last are rows that are held out, the same part of each class.
        """
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=SPARSE,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,  # seen from the moments, without a pass over X
        )
        check_place(X, self.device, self)
        check_classification_targets(y)
        loss = get_loss(self.loss)
        first, second = labels_of(loss)
        self.classes_, index = np.unique(y, return_inverse=True)
        weights = self._weighted(y, index, checked_weights(sample_weight, X))
        n_classes, of_classes = len(self.classes_), getattr(loss, "of_classes", None)
        if n_classes > 2 and of_classes is not None:
            loss, target = of_classes(n_classes), index
        elif n_classes > 2:
            target = np.where(index[:, None] == np.arange(n_classes), second, first)
        else:
            target = np.where(index, second, first)
        parameters = {name: getattr(self, name) for name in _HANDED_ON}
        parameters |= {"loss": loss, "alpha": self._strengths(X.shape[1])}
        model = GradientDescentRegressor(**parameters)
        if hasattr(self, "coef_"):  # for a warm start
            model.coef_, model.intercept_ = self.coef_, self.intercept_
        held = None
        if self.early_stopping:
            weights, held = hold_out(self, X, weights, index)
        return model, (X, target.astype(X.dtype), weights), held

    def _strengths(self, n_features: int) -> float | np.ndarray:
        """Strengths of the penalty, for the coefficients of all classes."""
        n_classes = len(self.classes_)
        return checked_alpha(
            "'alpha' parameter of GradientDescentClassifier",
            self.alpha,
            1 if n_classes == 2 else n_classes,
            n_features,
        )

    def _weighted(
        self, y: np.ndarray, index: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray | None:
        """Weights of samples times those of their classes, all of which have some."""
        given, n_classes = self.class_weight, len(self.classes_)
        sums: np.ndarray = np.bincount(index, weights, n_classes)
        if given is not None:
            by_class = 1 / np.where(sums > 0, sums, 1)
            if given != "balanced":
                by_class = compute_class_weight(given, classes=self.classes_, y=y)
            weights = by_class[index] if weights is None else weights * by_class[index]
            sums = sums * by_class
        counted = self.classes_[sums > 0]
        if n_classes < 2 or len(counted) < n_classes:
            raise ValueError(
                "The target y must have two classes or more, each with rows of a "
                f"weight above 0. Got {n_classes} classes, and such rows of "
                f"{counted.tolist()} instead. Drop what has no weight, and if one "
                "class is left, there is nothing to tell it from."
            )
        return weights

    def _store(self, model: GradientDescentRegressor) -> Self:
        for name in "loss_", "scale_", "validation_loss_curve_":
            self.__dict__.pop(name, None)
        for name, value in vars(model).items():
            if name.endswith("_"):
                setattr(self, name, value)
        self._with_offset = model._with_offset
        self.coef_ = np.atleast_2d(model.coef_)
        self.intercept_ = np.atleast_1d(model.intercept_)
        return self
