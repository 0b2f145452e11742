"""What the built-in losses share: their interface, and the checks of parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np

import sklearn_adreg.numpy as adnp


class PointwiseLoss(ABC):
    """Base class of the built-in losses; a callable need not derive from it.

    A loss maps targets and predictions to one value for each element. It is written
    once, with `sklearn_adreg.numpy`, in operations that every backend can
    differentiate; the derivative is the backend's.

    Make a subclass a frozen dataclass: equal losses then hash alike, so that clones
    of an estimator share one compiled program, and they pickle. Beside `__call__`, a
    subclass sets `kinked` and `convex` where they differ from the defaults, and
    overrides `check_target` where the loss is not defined for every target. One whose
    predictions are not the linear predictor itself has a method
    ``inverse_link(linear)``, elementwise, which returns them. If the loss of those is
    cheaper, or more exact, as a function of the linear predictor, it may have a method
    ``of_linear(y_true, linear)`` as well, which descents use. It may leave out what the
    targets alone decide, if a method ``of_target(y_true)`` returns that. Keyword-only
    arguments of `__call__` are the `row_data` of ``fit``; the last two methods get them
    as well.

    Attributes
    ----------
    kinked : bool, default=False
        Whether the derivative jumps somewhere, so that a descent has to smooth it.

    convex : bool, default=True
        Whether the loss is convex in the linear predictor, after the inverse link
        where there is one.

    labels : tuple of two floats, default=(-1.0, 1.0)
        The targets that two classes are, where a classifier is fitted. For several it
        may have a method ``of_classes(n_classes)``, which returns a loss with as many
        outputs, whose targets are the numbers of the classes.

    n_outputs : int, default=1
        Linear predictors a row. With several, a loss is called with targets
        (n_samples,) and predictions (n_samples, `n_outputs`), or what `inverse_link`
        makes of them, and returns one value per sample.

    Examples
    --------
    A stock-out that costs four times what a leftover does:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import sklearn_adreg.numpy as adnp
    >>> from sklearn_adreg.losses import PointwiseLoss
    >>> @dataclass(frozen=True)
    ... class StockOut(PointwiseLoss):
    ...     factor: float = 4.0
    ...     kinked = True
    ...
    ...     def __call__(self, y_true, y_pred):
    ...         missing = y_true - y_pred
    ...         return adnp.maximum(self.factor * missing, -missing)
    >>> StockOut()(np.array([10.0, 10.0]), np.array([8.0, 12.0]))
    array([8., 2.])
    >>> StockOut() == StockOut(factor=4.0)
    True
    """

    kinked: ClassVar[bool] = False
    convex: ClassVar[bool] = True
    labels: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    n_outputs: ClassVar[int] = 1

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name: the fields of a dataclass, so that searches set them.

        Parameters
        ----------
        deep : bool, default=True
            As in scikit-learn; without effect.

        Returns
        -------
        dict
            The parameters, to be set in an estimator as ``loss__delta`` and so on.
        """
        del deep  # a loss has no parameters that have parameters
        if not is_dataclass(self):
            return {}
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __sklearn_clone__(self) -> PointwiseLoss:
        return deepcopy(self)

    @abstractmethod
    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each element.

        Parameters
        ----------
        y_true : array of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        y_pred : array of the same shape
            Predictions.

        Returns
        -------
        array of the same shape and dtype
            The losses.
        """

    def check_target(self, y: np.ndarray) -> None:
        """Refuse targets for which the loss is not defined; accepts all by default.

        Parameters
        ----------
        y : ndarray of float
            Targets, of any shape.

        Raises
        ------
        ValueError
            If a target is outside the domain. The message names the loss, the rule,
            a value that breaks it and what to do.
        """
        del y  # every number is allowed


def absolute(error: Any) -> Any:
    """Size of an error, with a derivative of 0 at 0, the same in every backend.

    JAX's own has 1 there, which costs digits where two branches are added.
    """
    return error * adnp.sign(error)


def softplus(linear: Any, part: Any = 0.0) -> Any:
    """log(1 + e^z), less `part` of z; it does not overflow.

    Nor do it or its derivative lose digits in a tail where they vanish.
    """
    side = adnp.sign(linear)  # a constant to every backend
    straight = ((1 + side) / 2 - part) * linear
    return straight + adnp.log1p(adnp.exp(-side * linear))


def refuse_targets(
    loss: PointwiseLoss, y: np.ndarray, allowed: np.ndarray, rule: str, remedy: str
) -> None:
    """Raise where a target is not allowed, with the first such value."""
    if not allowed.all():
        raise ValueError(
            f"The target y must be {rule} for the loss {loss!r}. Got "
            f"{y[~allowed][0].item()!r} instead. {remedy}"
        )


def check_parameter(
    loss: PointwiseLoss, name: str, rule: str, accepts: Callable[[float], bool]
) -> None:
    """Raise where a parameter is not a number of the kind that is asked for.

    What passes becomes a Python float: a NumPy scalar would turn float32 arrays into
    float64 ones.
    """
    given = getattr(loss, name)
    number = _as_float(given)
    if not (np.isfinite(number) and accepts(number)):
        raise ValueError(
            f"The `{name}` parameter of {type(loss).__name__} must be {rule}. "
            f"Got {given!r} instead."
        )
    object.__setattr__(loss, name, number)  # the dataclass is frozen


def check_positive(loss: PointwiseLoss, name: str) -> None:
    """Raise where a parameter is not a finite number above zero."""
    check_parameter(loss, name, "a finite number above 0", lambda value: value > 0)


def check_fraction(loss: PointwiseLoss, name: str) -> None:
    """Raise where a parameter is not between 0 and 1."""
    rule = "between 0 and 1, both excluded"
    check_parameter(loss, name, rule, lambda value: 0 < value < 1)


def check_scale(loss: PointwiseLoss) -> None:
    """Raise where the scale is neither a finite number above zero nor 'mad'."""
    if not is_estimated(loss):
        rule = "a finite number above 0, or 'mad'"
        check_parameter(loss, "scale", rule, lambda value: value > 0)


def columns_of(row_data: Any) -> dict[str, Any]:
    """Return columns of a data frame, a structured array or a mapping, by their names.

    None has none.
    """
    if row_data is None:
        return {}
    names = getattr(row_data, "columns", None)
    if isinstance(row_data, Mapping):
        names = row_data
    elif isinstance(row_data, np.ndarray):
        names = row_data.dtype.names
    if names is None:
        raise ValueError(
            "The row_data must be a data frame, a structured array or a mapping of "
            f"arrays, which say what each is. Got {type(row_data).__name__} instead. "
            "Pass row_data={'name': array}, with the name that the loss has for it."
        )
    return {name: row_data[name] for name in names}


def is_estimated(loss: Any) -> bool:
    """Whether `fit` is to estimate the scale of a loss."""
    scale = getattr(loss, "scale", None)
    return isinstance(loss, PointwiseLoss) and isinstance(scale, str) and scale == "mad"


def unit_of(loss: Any) -> float:
    """Scale of a loss; one where it is to be estimated."""
    return 1.0 if is_estimated(loss) else loss.scale


def _as_float(given: Any) -> float:
    """Convert a real number; NaN where there is none, or none that fits."""
    if isinstance(given, bool) or not isinstance(given, Real):
        return np.nan
    try:
        return float(given)
    except OverflowError:  # an integer beyond the largest float
        return np.nan
