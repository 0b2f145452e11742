"""Scores by a loss: minus the mean loss of what a model predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.metadata_routing import MetadataRequest

from sklearn_adreg.losses._base import columns_of, is_estimated


def check_known_scale(loss: Any) -> None:
    """Raise where a loss to score by leaves its scale to each fit."""
    if is_estimated(loss):
        raise ValueError(
            f"The loss {loss!r} must have a number as its scale to score by, the same "
            "for all models. Got 'mad', which each fit estimates anew. Pass "
            f"{type(loss).__name__}(scale=...), in units of y."
        )


class LossScorer:
    """The scorer that `loss_scorer` makes; it pickles if its loss does."""

    def __init__(self, loss: Any) -> None:
        check_known_scale(loss)
        self.loss = loss
        self._requests = MetadataRequest(owner=repr(self))
        self.set_score_request(sample_weight=None, offset=None, row_data=None)

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        offset: Any = None,
        row_data: Any = None,
    ) -> float:
        """Return minus the mean loss; that of several targets is their mean."""
        shift = {} if offset is None else {"offset": offset}
        prediction = np.asarray(estimator.predict(X, **shift), dtype=np.float64)
        target = np.asarray(y, dtype=np.float64)
        if target.size == prediction.size:  # else the loss has several outputs
            target = target.reshape(prediction.shape)
        known = {name: np.asarray(v) for name, v in columns_of(row_data).items()}
        values = np.asarray(self.loss(target, prediction, **known))
        return -float(np.mean(np.average(values, axis=0, weights=sample_weight)))

    def set_score_request(self, **requests: Any) -> LossScorer:
        """Say what of `sample_weight`, `offset` and `row_data` is to be passed."""
        for name, request in requests.items():
            self._requests.score.add_request(param=name, alias=request)
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Say what is requested."""
        return self._requests

    def _accept_sample_weight(self) -> bool:
        return True  # asked by searches over several scores

    def __repr__(self) -> str:
        return f"loss_scorer({self.loss!r})"
