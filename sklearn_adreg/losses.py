"""Pointwise losses: small frozen dataclasses, callable on arrays.

A loss maps targets and predictions to one value per sample and target. It is written
once, in operations that every backend can differentiate; equal losses hash alike, so
that clones of an estimator share one compiled program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["SquaredError"]

Loss = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class SquaredError:
    r"""Squared error, the loss of least squares.

    .. math:: \ell(y, \hat y) = (y - \hat y)^2

    There is no factor one half: its second derivative is 2, and the mean of the loss
    is the mean squared error. The constant that minimises it is the weighted mean
    of `y`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import SquaredError
    >>> SquaredError()(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    array([0., 9.])
    """

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each sample.

        Parameters
        ----------
        y_true : array of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        y_pred : array of the same shape
            Predictions.

        Returns
        -------
        array of the same shape
            The squared errors.
        """
        return (y_true - y_pred) ** 2


LOSSES: dict[str, Loss] = {"squared_error": SquaredError()}
