"""A loss after its inverse link: a function of the linear predictor, row by row."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any

import numpy as np

from sklearn_adreg._loss.key import loss_key
from sklearn_adreg.backends._confused import ConfusedArrayError, is_confused
from sklearn_adreg.losses import NAMED, Loss


def named(loss: Any) -> str:
    """Return the name of a loss for a message."""
    return str(getattr(loss, "__qualname__", None) or repr(loss))


def row_arguments(loss: Any) -> dict[str, bool]:
    """Names of the keyword-only arguments of a loss, and whether each is needed.

    A callable whose signature nobody knows, as one written in C, has none.
    """
    code = getattr(loss, "__code__", getattr(type(loss).__call__, "__code__", None))
    keywords = inspect.CO_VARKEYWORDS
    if code and not (code.co_kwonlyargcount or code.co_flags & keywords):
        return {}  # a signature takes 24 us, of the 1,300 of a fit of 200 x 10
    try:
        parameters = inspect.signature(loss).parameters.values()
    except (TypeError, ValueError):
        return {}
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        raise ValueError(
            f"The loss {named(loss)} must name its arguments, which say what row_data "
            "it takes. Got ** in its signature. Write each as a keyword-only argument: "
            "loss(y_true, y_pred, *, cost)."
        )
    return {
        each.name: each.default is each.empty
        for each in parameters
        if each.kind is each.KEYWORD_ONLY
    }


def scored_by_loss(loss: Any, row_data: Any) -> bool:
    """Whether `score` is D^2, as the loss needs row data or is given some."""
    return row_data is not None or any(row_arguments(loss).values())


def predicted(loss: Loss | None, linear: Any) -> Any:
    """Predictions for values of the linear predictor."""
    inverse_link = getattr(loss, "inverse_link", None)
    return linear if inverse_link is None else inverse_link(linear)


def predictions(loss: Loss | None, linear: np.ndarray) -> np.ndarray:
    """Predictions for a linear predictor, of its dtype."""
    return np.asarray(predicted(loss, linear)).astype(linear.dtype, copy=False)


def fitted_loss(loss: Loss, scale: np.ndarray | None) -> Any:
    """Return what a fitted model must keep of its loss: None where that is nothing.

    It is the loss at the scale that was found, a list of several where there are
    several targets, or a loss that has a link, or that scores are computed with as it
    takes row data. Functions are not kept, as they may not pickle.
    """
    if scale is not None:
        found = [replace(loss, scale=float(each)) for each in scale]  # type: ignore[type-var]
        return found if len(found) > 1 else found[0]
    kept = getattr(loss, "inverse_link", None) is not None or row_arguments(loss)
    return loss if kept and not isinstance(loss, FunctionType) else None


def loss_of_fit(estimator: Any) -> Loss | None:
    """Return the loss of a fit, whatever `loss` is by now; None if it has no link.

    Functions alone are not kept.
    """
    given = estimator.loss if isinstance(estimator.loss, FunctionType) else None
    return getattr(estimator, "loss_", given)


def labels_of(loss: Loss) -> tuple[float, float]:
    """Return the targets that two classes are for a loss of one output."""
    n_outputs = getattr(loss, "n_outputs", 1)
    if n_outputs != 1:
        raise ValueError(
            f"The loss {named(loss)} of a classifier must have one output. Got "
            f"n_outputs={n_outputs!r} instead. The number of outputs follows from that "
            "of the classes: use 'log_loss', or a loss with a method "
            "of_classes(n_classes), which returns a loss of several."
        )
    labels = tuple(getattr(loss, "labels", (-1.0, 1.0)))
    if labels not in ((-1, 1), (0, 1)):
        raise ValueError(
            f"The attribute `labels` of the loss {named(loss)} must be (-1, 1) or "
            f"(0, 1). Got {labels!r} instead."
        )
    return labels


def needs_positive(loss: Any) -> bool:
    """Whether targets must be positive, for scikit-learn's tags."""
    found = NAMED.get(loss) if isinstance(loss, str) else loss
    check_target = getattr(found, "check_target", None)
    if check_target is None or isinstance(found, type):
        return False
    try:
        check_target(np.array([-1.0]))
    except ValueError:
        return True
    return False


@dataclass(frozen=True)
class LinearLoss:
    """The loss of rows as a function of their linear predictors.

    Equal where the losses compute the same: what a backend compiles for one serves all
    that are equal. `row_names` are the names of the further arguments of the loss,
    which a call takes by position after the linear predictor. Without `whole` a call
    may leave out the terms that the targets alone decide.
    """

    loss: Loss = field(compare=False)
    key: Any
    whole: bool = True
    row_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, loss: Loss, row_names: tuple[str, ...] = ()) -> LinearLoss:
        """Return the whole loss."""
        return cls(loss, loss_key(loss), True, row_names)

    @classmethod
    def cheapest(cls, loss: Loss, row_names: tuple[str, ...] = ()) -> LinearLoss:
        """Leave out what can be; where nothing can, it equals the whole loss."""
        whole = getattr(loss, "of_target", None) is None
        return cls(loss, loss_key(loss), whole, row_names)

    def __call__(self, y_true: Any, linear: Any, *row_data: Any) -> Any:
        """Loss of each row; of several targets, of each row and target."""
        if row_data and y_true.ndim == 2:  # each target with the data of its row
            longer = (each.repeat(y_true.shape[1], axis=0) for each in row_data)
            found = self(y_true.reshape(-1), linear.reshape(-1), *longer)
            return found.reshape(y_true.shape)
        given = self._given(row_data)
        of_linear = getattr(self.loss, "of_linear", None)
        of_target = getattr(self.loss, "of_target", None)
        try:
            if of_linear is None:
                return self.loss(y_true, predicted(self.loss, linear), **given)
            found = of_linear(y_true, linear, **given)
            if self.whole and of_target is not None:
                found = found + of_target(y_true, **given)
        except Exception as error:  # it is the loss's own, wherever it was called from
            if is_confused(error):
                raise ConfusedArrayError from error
            name, rows = named(self.loss), len(y_true)
            error.add_note(
                f"The loss {name} raised it, called with a block of {rows} rows."
            )
            raise
        return found

    def constant(self, y_true: Any, *row_data: Any) -> Any:
        """Return the terms of each loss that a call leaves out."""
        given = self._given(row_data)
        return 0.0 if self.whole else self.loss.of_target(y_true, **given)  # type: ignore[attr-defined]

    def _given(self, row_data: tuple[Any, ...]) -> dict[str, Any]:
        """Row data by their names."""
        return dict(zip(self.row_names, row_data, strict=True))
