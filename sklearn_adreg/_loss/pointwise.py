"""A loss as a function of the linear predictor, one sample at a time.

Where the loss has a kink, descent sees it through a window: the average of the loss
over predictions within `width` of z,

    (1 / (2 width)) * integral of loss(y, t) for t from z - width to z + width,

convolution with a uniform kernel. Its derivative, (loss(y, z + width) -
loss(y, z - width)) / (2 width), and its curvature, the same difference of the
derivative, need nothing but the loss and its first derivative at two points: they are
right for any loss, whether its kinks are known or not.

References
----------
.. [1] X. He, X. Pan, K. M. Tan, W.-X. Zhou, "Smoothed quantile regression with
   large-scale inference", Journal of Econometrics, 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss

# Derivatives that differ by less, at both ends of a window, are those of one piece.
_SAME_PIECE = 1e-12


def predicted(loss: Loss, linear: Any) -> Any:
    """Predictions for values of the linear predictor."""
    inverse_link = getattr(loss, "inverse_link", None)
    return linear if inverse_link is None else inverse_link(linear)


@dataclass(frozen=True)
class LinearLoss:
    """The loss after the inverse link: a function of the linear predictor.

    Without `whole` it may lack what the targets alone decide.
    """

    loss: Loss
    whole: bool = True

    @classmethod
    def cheapest(cls, loss: Loss) -> LinearLoss:
        """Leave out what can be; where nothing can, it equals the whole loss."""
        return cls(loss, whole=getattr(loss, "of_target", None) is None)

    def __call__(self, y_true: Any, linear: Any) -> Any:
        """Loss of each sample."""
        of_linear = getattr(self.loss, "of_linear", None)
        if of_linear is None:
            return self.loss(y_true, predicted(self.loss, linear))
        found = of_linear(y_true, linear)
        of_target = getattr(self.loss, "of_target", None)
        return found + of_target(y_true) if self.whole and of_target else found

    def left_out(self, y_true: Any) -> Any:
        """Return what a call lacks of each loss."""
        return 0.0 if self.whole else self.loss.of_target(y_true)  # type: ignore[attr-defined]


class Slopes(NamedTuple):
    """Derivatives by the linear predictor, sample by sample.

    `value` is None, and `curvature` is not, where they come from a window.
    """

    value: Any
    slope: Any
    curvature: Any

    def where(self, xp: Any, counts: Any) -> Slopes:
        """Replace what does not count, and need not be finite, by zeros."""
        return Slopes(
            *(None if part is None else xp.where(counts, part, 0.0) for part in self)
        )


@dataclass(frozen=True)
class Pointwise:
    """A loss in host memory, differentiated by a backend."""

    loss: LinearLoss
    backend: Backend

    def values(self, y_true: np.ndarray, linear: np.ndarray) -> np.ndarray:
        """Losses."""
        return self._differentiate(y_true, linear)[0]

    def slopes(self, y_true: np.ndarray, linear: np.ndarray, width: float) -> Slopes:
        """Losses and derivatives; through a window where `width` is above zero."""
        if width == 0:
            return Slopes(*self._differentiate(y_true, linear), None)
        step = linear.dtype.type(width)
        above, below = linear + step, linear - step
        ends = (self._differentiate(y_true, end) for end in (above, below))
        values, slopes = zip(*ends, strict=True)
        return windowed(np, values, slopes, above - below)

    def _differentiate(
        self, y_true: np.ndarray, linear: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return self.backend.value_and_derivative(self.loss)(y_true, linear)


def windowed(
    xp: Any, values: tuple[Any, Any], slopes: tuple[Any, Any], length: Any
) -> Slopes:
    """Differentiate the average over a window, from the loss at both ends of it.

    `length` is that of the window as rounding has left it.
    """
    rise = slopes[0] - slopes[1]
    size = abs(slopes[0]) + abs(slopes[1])
    # Away from kinks the mean of the ends' is as good, and loses no digits of outliers.
    smooth = abs(rise) <= _SAME_PIECE * size
    length = xp.where(length > 0, length, 1.0)
    secant = (values[0] - values[1]) / length
    slope = xp.where(smooth, (slopes[0] + slopes[1]) / 2, secant)
    return Slopes(None, slope, xp.where(smooth, 0.0, rise) / length)
