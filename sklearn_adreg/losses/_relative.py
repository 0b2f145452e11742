"""The loss of an error relative to its target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sklearn_adreg.losses._base import PointwiseLoss, absolute, refuse_targets


@dataclass(frozen=True)
class AbsolutePercentageError(PointwiseLoss):
    r"""Absolute error relative to the target; its mean is the MAPE.

    .. math:: \ell(y, \hat y) = \frac{|y - \hat y|}{|y|}

    A fraction: 0.05 is five per cent. `y` must not be 0. The constant that minimises
    it is the median of `y` weighted with :math:`1 / |y|`, which is below the median
    where `y` is positive. The derivative jumps where prediction and target are equal.

    Use it for targets of very different sizes, such as sales or prices. A row weighs
    :math:`1 / |y|`: the smallest targets govern the fit, and one that is almost 0 can
    take it over. Drop such rows, or give them less weight.

    References
    ----------
    .. [1] A. de Myttenaere, B. Golden, B. Le Grand, F. Rossi, "Mean absolute
       percentage error for regression models", Neurocomputing 192, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg.losses import AbsolutePercentageError
    >>> loss = AbsolutePercentageError()
    >>> loss(np.array([10.0, 1000.0, -2.0]), np.array([9.0, 900.0, -2.5]))
    array([0.1 , 0.1 , 0.25])
    >>> loss.check_target(np.array([10.0, 0.0]))
    Traceback (most recent call last):
        ...
    ValueError: The target y must be different from 0 for the loss
    AbsolutePercentageError(). Got 0.0 instead. Drop those rows, or use another loss,
    such as 'absolute_error'.
    """

    kinked: ClassVar[bool] = True

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return absolute((y_true - y_pred) / y_true)

    def check_target(self, y: np.ndarray) -> None:
        """See `PointwiseLoss.check_target`."""
        # What is not zero, but smaller than that, overflows in 1 / y.
        allowed = np.abs(y) >= np.finfo(y.dtype).tiny
        rule = "different from 0"
        remedy = "Drop those rows, or use another loss, such as 'absolute_error'."
        refuse_targets(self, y, allowed, rule, remedy)
