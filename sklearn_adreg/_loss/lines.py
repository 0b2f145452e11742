"""Losses of several outputs along lines, and what kinks they may have.

On a random line a loss of k predictors is one of a single number, which is looked at
like any other. Where it has a kink, the gradients on both sides differ by a normal of
the surface that was crossed. Windows are exact for kinks where one predictor passes a
level, or the difference of two: a normal has then one component, or two that cancel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg._loss.linear import LinearLoss, named
from sklearn_adreg._loss.slopes import Differentiate
from sklearn_adreg.losses import Loss

# Lines that are looked at, and how oblique they are: no predictor moves much faster
# than another, and none misses what it passes on the way.
_LINES, _SLOWEST = 3, 0.5
# Components of a normal, relative to its largest, that are rounding of differences.
_NORMAL_NOISE = 1e-3


@dataclass(frozen=True)
class Line:
    """A loss along a line, t -> c + t * direction + offset with t from c = `y_true`.

    Without `at_target` c is zero.
    """

    differentiate: Differentiate
    direction: np.ndarray
    offset: np.ndarray
    at_target: bool

    def __call__(
        self, y_true: np.ndarray, t: np.ndarray, *row_data: np.ndarray
    ) -> tuple[Any, Any]:
        """Values, and derivatives by t."""
        values, slopes = self.both(y_true, t, *row_data)
        return values, slopes @ self.direction

    def both(
        self, y_true: np.ndarray, t: np.ndarray, *row_data: np.ndarray
    ) -> tuple[Any, Any]:
        """Values and gradients by the predictors, (n,) and (n, k)."""
        start = y_true if self.at_target else np.zeros_like(y_true)
        moved = np.multiply.outer(t - start, self.direction)
        linear = start[:, None] + moved + self.offset
        return self.differentiate(y_true, linear, *row_data)


def lines(
    differentiate: Differentiate, n_outputs: int, scale: float, *, at_target: bool
) -> Iterator[Line]:
    """Yield lines that pass the targets, or zero, at a distance of the scale."""
    rng = np.random.default_rng(0)
    for _ in range(_LINES):
        signs = rng.choice([-1.0, 1.0], n_outputs)
        direction = signs * rng.uniform(_SLOWEST, 1.0, n_outputs)
        offset = scale * rng.uniform(-1.0, 1.0, n_outputs)
        yield Line(differentiate, direction, offset, at_target)


def check_kinks(
    loss: Loss, line: Line, known: list[np.ndarray], low: np.ndarray, high: np.ndarray
) -> None:
    """Refuse kinks, between two points on a line, that windows are not exact for.

    `known` are the targets, and the data of their rows.
    """
    y_true, *row_data = known
    ends = (line.both(y_true, end, *row_data)[1] for end in (high, low))
    jumps = next(ends) - next(ends)
    size = np.abs(jumps).max(axis=1, keepdims=True)
    for normal in jumps / size:
        parts = np.flatnonzero(np.abs(normal) > _NORMAL_NOISE)
        balanced = len(parts) == 2 and abs(normal[parts].sum()) <= _NORMAL_NOISE
        if len(parts) > 1 and not balanced:
            raise ValueError(
                f"The loss {named(loss)} of {len(normal)} outputs may have kinks only "
                "where one output, or the difference of two, passes a level. Got one "
                f"where {_in_words(normal, parts)} does. Write a smooth maximum: "
                "logaddexp(s * a, s * b) / s in place of maximum(a, b), with s as "
                "large as it is to be sharp."
            )


def _in_words(normal: np.ndarray, parts: np.ndarray) -> str:
    terms = (f"{normal[part]:+.3g} * y_pred[:, {part}]" for part in parts)
    return " ".join(terms).lstrip("+")


def predictors_to_try(
    whole: LinearLoss,
    known: tuple[np.ndarray, ...],
    around: np.ndarray,
    units: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return linear predictors (n, k) to try a loss with, and their units (k,).

    They are near zero, or near the targets, in the units given: one of several may be
    the logarithm of a scale, which no level of the targets is. `known` are the targets,
    and the data of their rows.
    """
    y_true, *row_data = known
    turned = [np.roll(around, 3 * number) for number in range(len(units))]
    small, ones = np.stack(turned, axis=1), np.ones_like(units)
    levels = small * units + y_true[:, None]
    first = np.arange(len(units)) == 0
    for linear, unit in (
        (small, ones),
        (np.where(first, levels, small), np.where(first, units, ones)),
        (levels, units),
    ):
        with np.errstate(all="ignore"):
            try:
                copies = (each.copy() for each in (y_true, linear, *row_data))
                values = np.asarray(whole(*copies))
            except Exception:
                break  # what is wrong with it is said where it is called again
        if values.dtype.kind == "f" and np.isfinite(values).all():
            return linear, unit
    return small, ones
