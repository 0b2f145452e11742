"""The share of the loss of a constant that predictions spare, by any loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_adreg.losses._scorer import check_known_scale


def d2_score(
    y_true: Any,
    y_pred: Any,
    *,
    loss: Any,
    sample_weight: Any = None,
    row_data: Any = None,
) -> float:
    r"""Return D^2, the share explained by predictions against the best constant.

    .. math:: D^2 = 1 - \frac{\sum_i s_i \ell(y_i, \hat y_i)}
        {\min_c \sum_i s_i \ell(y_i, c)}

    It is R^2 for squared error, `sklearn.metrics.d2_tweedie_score` for the deviances
    and `sklearn.metrics.d2_pinball_score` for the pinball loss, but that this
    interpolates the quantile, which in small samples is not the best constant.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.

    y_pred : array-like of the same shape, or of shape (n_samples, n_outputs)
        Predictions; several a row where the loss takes several.

    loss : str or callable
        The name of a loss, a loss object or a function ``loss(y_true, y_pred)`` that
        returns one value per sample. Losses with ``scale="mad"`` are refused: set it.

    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    row_data : data frame, structured array or mapping of arrays, default=None
        What else the loss is to know of each row: its keyword-only arguments.

    Returns
    -------
    float
        1 where predictions have no loss, 0 of the best constant, negative of worse
        ones; the mean over targets.

    Raises
    ------
    ValueError
        If there is no loss of that name, or its scale is to be estimated.

    Examples
    --------
    >>> from sklearn_adreg.losses import Pinball, d2_score
    >>> y_true, y_pred = [1.0, 2.0, 3.0, 6.0], [1.5, 2.5, 3.0, 5.0]
    >>> round(d2_score(y_true, y_pred, loss=Pinball(quantile=0.8)), 3)
    0.583
    """
    # What finds the best constant stands on losses: it is imported when it is needed.
    from sklearn_adreg._solve.score import d2
    from sklearn_adreg._validation import (
        checked_row_data,
        checked_target,
        checked_weights,
    )
    from sklearn_adreg.backends import AutogradBackend
    from sklearn_adreg.losses import get_loss

    found = get_loss(loss)
    check_known_scale(found)
    target, predicted = (np.asarray(y, dtype=np.float64) for y in (y_true, y_pred))
    several = target.ndim == 1 and predicted.ndim == 2 and predicted.shape[1] > 1
    if len(target) != len(predicted) or not (several or target.size == predicted.size):
        raise ValueError(
            "The predictions y_pred must be as many as the targets y_true. Got shapes "
            f"{predicted.shape} and {target.shape} instead."
        )
    return d2(
        found,
        AutogradBackend(),
        checked_target(target, target.dtype),
        predicted,
        checked_weights(sample_weight, predicted),
        checked_row_data(row_data, found, len(target), target.dtype),
        predicted.shape[1] if several else 1,
    )
