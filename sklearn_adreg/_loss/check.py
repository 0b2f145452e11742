"""What `loss=` must be, seen on the first rows of the data before anything is fitted.

A mistake in a loss shows as a shape, a value or a derivative that cannot be right. The
message names the loss, what it must do, what it did and how to mend it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg._loss.diagnosis import explained
from sklearn_adreg._loss.pointwise import LinearLoss, Pointwise
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import LOSSES, Loss

_ROWS = 8
# Differences and derivatives that agree to this part are those of one function.
_ROUGHLY = 0.1


def get_loss(loss: Any) -> Loss:
    """Return the loss of a name; a callable is returned as it is."""
    if isinstance(loss, str):
        return LOSSES[loss]
    if isinstance(loss, type):
        raise ValueError(
            f"The 'loss' parameter must be a loss, not a class of losses. Got "
            f"{loss.__name__} instead. Pass an instance: loss={loss.__name__}()."
        )
    return loss


def needs_positive(loss: Any) -> bool:
    """Whether targets must be positive, for scikit-learn's tags."""
    found = LOSSES.get(loss) if isinstance(loss, str) else loss
    check_target = getattr(found, "check_target", None)
    if check_target is None or isinstance(found, type):
        return False
    try:
        check_target(np.array([-1.0]))
    except ValueError:
        return True
    return False


def check_loss(loss: Loss, backend: Backend, target: np.ndarray) -> None:
    """Raise ValueError or TypeError where the loss cannot be descended on.

    `target` is (n_samples, n_targets).
    """
    check_target = getattr(loss, "check_target", None)
    if check_target is not None:
        check_target(target)
    y_true = np.resize(target[:_ROWS, 0], _ROWS)
    linked = getattr(loss, "inverse_link", None) is not None
    around = np.linspace(-0.71, 0.53, _ROWS, dtype=target.dtype)
    # Predictions as far from the targets as those are apart, and on no kink.
    spread = float(np.std(y_true.astype(np.float64))) or 1.0
    linear = around if linked else y_true + around * target.dtype.type(spread)
    _Trial(loss, backend, y_true, linear).check()


def not_finite(
    pointwise: Pointwise,
    y_true: np.ndarray,
    linear: np.ndarray,
    rows: np.ndarray | None = None,
) -> Exception:
    """Compose the error for a mean loss that is not finite where a descent starts.

    `rows` are the numbers of the rows, where they are not all rows.
    """
    loss: Any = pointwise.loss.loss
    values = pointwise.values(np.ascontiguousarray(y_true), linear)
    row = int(np.argmin(np.isfinite(values)))
    number = row if rows is None else rows[row]
    return ValueError(
        f"The loss {named(loss)} must be finite for every sample. Got {values[row]} in "
        f"row {number}, with y_true={y_true[row]} and a linear predictor of "
        f"{linear[row]:.6g}. Leave such rows out, or write the loss so that it is "
        "defined there."
    )


@dataclass(frozen=True)
class _Trial:
    loss: Loss
    backend: Backend
    y_true: np.ndarray
    linear: np.ndarray

    def check(self) -> None:
        """Check values, and then derivatives."""
        values = self._called(slice(None))
        self._check_values(values)
        self._check_separate(values)
        self._check_derivatives()

    def _called(self, rows: slice) -> Any:
        """Values that the loss returns for plain arrays."""
        try:
            return LinearLoss(self.loss)(self.y_true[rows], self.linear[rows])
        except Exception as error:
            raise self._explained(error) from error

    def _check_values(self, values: Any) -> None:
        if not hasattr(values, "shape"):
            self._refuse(
                "must return an array, one value per sample",
                f"{'None' if values is None else type(values).__name__}",
                "Write it with array operations, and return the result.",
            )
        shape = np.shape(values)
        if shape != self.y_true.shape:
            remedy = (
                "Return one loss per sample, do not average"
                if shape == ()
                else "Compute it element by element"
            )
            self._refuse(
                f"must return one value per sample, shape {self.y_true.shape} here",
                f"shape {shape}",
                f"{remedy}: the mean, and the sample weights, are the estimator's.",
            )
        values = np.asarray(values)
        if values.dtype.kind != "f":
            self._refuse(
                "must return real floating point numbers",
                f"dtype {values.dtype}",
                "A comparison alone has no derivative: multiply it by a cost.",
            )
        if not np.isfinite(values).all():
            at = int(np.argmin(np.isfinite(values)))
            self._refuse(
                "must be finite",
                f"{values[at]} at y_true={self.y_true[at]}, "
                f"y_pred={self._prediction(at)}",
                "Leave such rows out, or write the loss so that it is defined there.",
            )

    def _check_separate(self, values: Any) -> None:
        half = np.asarray(self._called(slice(_ROWS // 2)))
        whole = np.asarray(values)[: _ROWS // 2]
        if half.shape != whole.shape or not np.allclose(half, whole, rtol=1e-4):
            self._refuse(
                "must treat each sample by itself",
                "other values for the first samples when the rest were left out",
                "Do not use means, sums or sizes of y_true or y_pred in it.",
            )

    def _check_derivatives(self) -> None:
        linear_loss = LinearLoss(self.loss)
        differentiate = self.backend.value_and_derivative(linear_loss)
        try:
            values, slopes = map(np.asarray, differentiate(self.y_true, self.linear))
            if values.dtype.kind == "O":
                raise TypeError("values that are followed got lost in an array")
        except Exception as error:
            raise self._explained(error) from error
        if slopes.shape != self.y_true.shape or not np.isfinite(slopes).all():
            found = slopes[~np.isfinite(slopes)]
            self._refuse(
                "must have finite derivatives",
                f"{found[0] if found.size else slopes.shape} as a derivative",
                "Beware of sqrt and log at zero, and of `where`, which differentiates "
                "both of its branches.",
            )
        self._check_secants(differentiate, slopes)

    def _check_secants(self, differentiate: Any, slopes: np.ndarray) -> None:
        """Refuse derivatives that have nothing to do with differences of the loss."""
        step = self.linear.dtype.type(1e-2) * (np.ptp(self.linear) or 1)
        above, below = (
            differentiate(self.y_true, self.linear + s)[0] for s in (step, -step)
        )
        secants = (above - below) / (2 * step)
        noise = 8 * np.finfo(above.dtype).eps * np.abs(above + below) / step
        agreed = _ROUGHLY * (np.abs(secants) + np.abs(slopes)) + noise
        wrong = np.abs(secants - slopes) > agreed + np.finfo(above.dtype).tiny
        flat = not slopes.any() and np.ptp(above) > 0
        if wrong.all() or flat:
            self._refuse(
                "must be differentiable",
                f"a derivative of {slopes[0]:.6g} where the loss changes by "
                f"{secants[0]:.6g} per unit of the prediction",
                "Rounding, sorting and comparisons have no derivative.",
            )

    def _prediction(self, at: int) -> Any:
        return self.linear[at]

    def _explained(self, error: Exception) -> Exception:
        """Name the operation that the backend could not follow."""

        def by_prediction(linear: Any) -> Any:
            return LinearLoss(self.loss)(self.y_true, linear)

        if type(error) is TypeError and "positional argument" in str(error):
            return ValueError(
                f"The loss {named(self.loss)} must be a function of two arrays, "
                f"(y_true, y_pred). Got '{error}' from it. Define it with these two."
            )
        name = f"the loss {named(self.loss)}"
        found = explained(
            by_prediction, self.linear, self.backend.name, error, name=name
        )
        if found is not error:
            return found
        return ValueError(
            f"The loss {named(self.loss)} must be a function of two arrays. Got "
            f"'{error}' from it. Use `where` of sklearn_adreg.numpy in place of a "
            "branch on a value."
        )

    def _refuse(self, rule: str, got: str, remedy: str) -> None:
        raise ValueError(f"The loss {named(self.loss)} {rule}. Got {got}. {remedy}")


def named(loss: Loss) -> str:
    """Return the name of a loss for a message."""
    function = getattr(loss, "function", loss)
    return str(getattr(function, "__qualname__", None) or repr(function))
