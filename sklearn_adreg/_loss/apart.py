"""Losses that are sums over their outputs, and what one output alone decides of them.

Where loss(y, z) = f_1(y, z_1) + ... + f_k(y, z_k), a loss of which nothing but values
is known tells its parts: with the other outputs at any fixed levels c it is f_j, but
for a constant. That it is such a sum is one equation,

    loss(y, z) = sum_j loss(y, c with z_j) - (k - 1) loss(y, c),

which holds at random z for no other loss, but for terms that are zero wherever it was
looked at. Who goes by it has to look at the whole again where the parts have led.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import sklearn_adreg.numpy as adnp
from sklearn_adreg._loss.linear import LinearLoss, named

# Outputs are looked at random multiples of these units away from a centre.
_DISTANCES = 0.01, 0.1, 1.0, 10.0
# Both sides agree where they do but for so many units of rounding of their terms.
_ROUNDING = 64.0
# What tells the number of an output among the data of a row: no name of an argument.
OUTPUT = "number of the output"


@dataclass(frozen=True, repr=False)
class OneOutput:
    """The part of a loss that one output decides, and a share of the levels' loss.

    The others are at the target or, without `at_target`, zero. The number of the output
    comes with each row, the last of its data: all outputs are one compiled program. The
    parts of all outputs sum up to the loss.
    """

    whole: LinearLoss
    n_outputs: int
    at_target: bool

    def __repr__(self) -> str:
        return named(self.whole.loss)

    def __call__(self, y_true: Any, y_pred: Any, **given: Any) -> Any:
        """Part of the loss of each row."""
        return self.of_linear(y_true, y_pred, **given) + self.of_target(y_true, **given)

    def of_linear(self, y_true: Any, linear: Any, **given: Any) -> Any:
        """Loss with the other outputs at their levels."""
        *row_data, output = given.values()
        chosen = output[:, None] == np.arange(self.n_outputs)
        others = self._level(y_true)[:, None] * ~chosen
        moved = adnp.reshape(linear, (-1, 1)) * chosen + others
        return self.whole(y_true, moved, *row_data)

    def of_target(self, y_true: Any, **given: Any) -> Any:
        """Return what that is too much by: a loss with all outputs at their levels."""
        *row_data, _ = given.values()
        levels = adnp.stack([self._level(y_true)] * self.n_outputs, axis=1)
        return (1 / self.n_outputs - 1) * self.whole(y_true, levels, *row_data)

    def _level(self, y_true: Any) -> Any:
        return y_true if self.at_target else 0.0 * y_true


def is_sum_around(
    part: OneOutput,
    centre: np.ndarray,
    unit: float,
    y_true: np.ndarray,
    *row_data: np.ndarray,
) -> bool:
    """Whether the loss is the sum of its parts, at random outputs around a centre.

    The centre is (n, k), or (n, 1), the same for all.
    """
    rng = np.random.default_rng(0)
    shape = len(y_true), part.n_outputs
    with np.errstate(all="ignore"):
        return all(
            _is_sum(part, y_true, linear.astype(y_true.dtype), *row_data)
            for distance in _DISTANCES
            for linear in (centre + distance * unit * rng.standard_normal(shape),)
        )


def _is_sum(
    part: OneOutput, y_true: np.ndarray, linear: np.ndarray, *row_data: np.ndarray
) -> bool:
    """Whether the loss of some rows is the sum of its parts, but for rounding."""
    found = np.asarray(part.whole(y_true, linear, *row_data))
    size, names = np.abs(found), (*part.whole.row_names, OUTPUT)
    eps = float(np.finfo(found.dtype).eps)
    for output in range(part.n_outputs):
        beside = *row_data, np.full(len(y_true), output)
        given = dict(zip(names, beside, strict=True))
        for term in (
            part.of_linear(y_true, linear[:, output], **given),
            part.of_target(y_true, **given),
        ):
            found, size = found - np.asarray(term), size + np.abs(term)
    return bool((np.abs(found) <= _ROUNDING * eps * size).all())
