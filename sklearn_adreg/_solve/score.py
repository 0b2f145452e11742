"""D2: the share of the mean loss of the best constant that predictions spare.

R^2 is that of squared error. The best constant is that of the rows that are scored,
without an offset, as the mean of their targets is that R^2 compares with.
"""

from __future__ import annotations

import numpy as np

from sklearn_adreg._descent.constant import best_constant
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._rows.host import HostRows
from sklearn_adreg._rows.moments import weighted_mean
from sklearn_adreg._rows.place import data_on
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import Loss


def d2(
    loss: Loss,
    backend: Backend,
    target: np.ndarray,
    predicted: np.ndarray,
    weight: np.ndarray | None,
    row_data: dict[str, np.ndarray],
    n_outputs: int = 1,
) -> float:
    """Return one less the mean loss over that of the best constant.

    `target` is (n, n_targets), and `weight` sums to one; several targets have the mean
    of what each has. With several outputs a row there is one target.
    """
    columns = [predicted]
    if n_outputs == 1:
        columns = list(predicted.reshape(target.shape).T)
    losses = [loss(y, z, **row_data) for y, z in zip(target.T, columns, strict=True)]
    found = mean_losses(np.stack(losses, axis=1), weight)
    whole, rows = LinearLoss.of(loss, tuple(row_data)), tuple(row_data.values())
    constants = least_of_constants(whole, backend, target, weight, rows, n_outputs)
    return float(spared(found[None], constants)[0])


def spared(losses: np.ndarray, constants: np.ndarray) -> np.ndarray:
    """Compare mean losses (n_models, n_targets) with those of constants.

    Those that may be negative, as of a likelihood, are compared in units of the
    constant's size: more is better.
    """
    nothing = constants == 0
    size = np.where(nothing, 1.0, np.abs(constants))
    none = np.where(losses == 0, 1.0, 0.0)
    return np.where(nothing, none, (constants - losses) / size).mean(axis=1)


def mean_losses(losses: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Mean losses of columns, to which rows of weight zero add nothing."""
    losses = np.asarray(losses, dtype=np.float64)
    if weight is not None:
        losses = np.where(weight[:, None] > 0, losses, 0.0)
    return weighted_mean(losses, weight)


def least_of_constants(
    loss: LinearLoss,
    backend: Backend,
    target: np.ndarray,
    weight: np.ndarray | None,
    row_data: tuple[np.ndarray, ...],
    n_outputs: int = 1,
) -> np.ndarray:
    """Mean losses of the best constants for each target, of so many outputs."""
    nothing = np.empty((len(target), 0), dtype=target.dtype)
    rows = HostRows(nothing, None, np.zeros(0), intercept=True)
    data = data_on(rows, target, weight, row_data=row_data)
    linked, found = getattr(loss.loss, "inverse_link", None) is not None, []
    units = (1.0,) * n_outputs if n_outputs > 1 else None
    for objective in MeanLoss(data, loss, backend, units=units).of_constants():
        theta = best_constant(objective, linked=linked)
        found.append(objective.value(objective.linear_predictor(theta)))
    return np.array(found)
