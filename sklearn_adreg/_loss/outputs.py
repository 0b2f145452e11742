"""How many linear predictors a row a loss has: one, unless it or its user says so."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from sklearn_adreg._loss.linear import named
from sklearn_adreg.losses import get_loss


def outputs_of(estimator: Any) -> int:
    """Return the number of outputs: the parameter of an estimator, or of its loss."""
    given, loss = estimator.n_outputs, get_loss(estimator.loss)
    own = getattr(loss, "n_outputs", None)
    if own is not None and not _is_count(own):
        raise ValueError(
            f"The attribute n_outputs of the loss {named(loss)} must be an integer, 1 "
            f"or more. Got {own!r} instead."
        )
    if given is not None and not _is_count(given):
        raise ValueError(
            f"The 'n_outputs' parameter of {type(estimator).__name__} must be an "
            f"integer, 1 or more, or None. Got {given!r} instead."
        )
    if given is None:
        return 1 if own is None else int(own)
    if own is not None and own != given:
        raise ValueError(
            f"The 'n_outputs' parameter of {type(estimator).__name__} must be None, or "
            f"what the loss {named(loss)} has itself, {own}. Got {given!r} instead. "
            "Leave it out, or set the attribute n_outputs of the loss."
        )
    return int(given)


def _is_count(number: Any) -> bool:
    is_bool = isinstance(number, bool)
    return isinstance(number, Integral) and not is_bool and int(number) >= 1
