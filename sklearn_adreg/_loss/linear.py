"""A loss after its inverse link: a function of the linear predictor, row by row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any

import numpy as np

from sklearn_adreg._loss.key import loss_key
from sklearn_adreg.losses import Loss


def named(loss: Loss) -> str:
    """Return the name of a loss for a message."""
    return str(getattr(loss, "__qualname__", None) or repr(loss))


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
    several targets, or a loss that has a link. Functions are not kept, as they may not
    pickle.
    """
    if scale is not None:
        found = [replace(loss, scale=float(each)) for each in scale]  # type: ignore[type-var]
        return found if len(found) > 1 else found[0]
    linked = getattr(loss, "inverse_link", None) is not None
    return loss if linked and not isinstance(loss, FunctionType) else None


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
        """Loss of each row."""
        named = dict(zip(self.row_names, row_data, strict=True))
        of_linear = getattr(self.loss, "of_linear", None)
        if of_linear is None:
            return self.loss(y_true, predicted(self.loss, linear), **named)
        found = of_linear(y_true, linear, **named)
        of_target = getattr(self.loss, "of_target", None)
        return found + of_target(y_true) if self.whole and of_target else found

    def constant(self, y_true: Any) -> Any:
        """Return the terms of each loss that a call leaves out."""
        return 0.0 if self.whole else self.loss.of_target(y_true)  # type: ignore[attr-defined]
