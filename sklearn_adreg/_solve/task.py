"""What is to be minimised, and how, as the parameters of an estimator say it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._descent.coordinates import MAX_WHITENED, MAX_WHITENED_SPARSE
from sklearn_adreg._descent.loop import Report
from sklearn_adreg._loss.check import get_loss
from sklearn_adreg._loss.traits import Traits
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._rows.place import kind_of
from sklearn_adreg._validation import checked_alpha
from sklearn_adreg.backends import Backend, get_backend
from sklearn_adreg.losses import Loss

Start = tuple[np.ndarray, np.ndarray]


def may_be_dense(X: Any) -> bool:
    """Whether there may be a dense matrix with a row or two for each column of X.

    Beside a sparse X of many columns it may be many times as large.
    """
    return kind_of(X, None).dense or X.shape[1] <= MAX_WHITENED_SPARSE


class Fit(NamedTuple):
    """Checked data of one call of `fit`, and the traits of the loss on them.

    `y` is (n_samples, n_targets), and `weight` sums to one (None: all the same).
    `start` are coefficients (n_features, n_targets) and intercepts, or None. The
    `curvature` is the constant second derivative of squared error, 0 for other losses.
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    start: Start | None
    report: Report
    traits: Traits
    curvature: float = 0.0

    @property
    def most_whitened(self) -> int:
        """How many columns, or rows, may be whitened by their second moments."""
        return MAX_WHITENED if self.dense else MAX_WHITENED_SPARSE

    @property
    def dense(self) -> bool:
        """Whether X is stored in full."""
        return kind_of(self.X, None).dense

    @property
    def squared(self) -> bool:
        """Whether the loss is squared error, whose targets are centred."""
        return self.curvature > 0

    def fresh(self, task: Task) -> bool:
        """Whether the descent may start, and stop, where it likes."""
        return self.start is None and task.tol > 0


@dataclass(frozen=True)
class Task:
    """Parameters; `epsilon` is None where the descent chooses its own steps.

    `alpha` is a number, or (n_features,), or (n_targets, n_features) where it is not
    the same for all targets, which `of_target` looks at one at a time.
    """

    loss: Loss
    epsilon: float | None
    max_iter: int
    tol: float
    alpha: float | np.ndarray
    l1_ratio: float
    intercept: bool
    backend: Backend
    device: str | None

    @classmethod
    def of(cls, estimator: Any, n_targets: int, n_features: int) -> Task:
        """Read the parameters of an estimator, for so many targets and columns."""
        epsilon = estimator.epsilon
        if isinstance(epsilon, bool | np.bool_):
            raise ValueError(
                f"The 'epsilon' parameter of {type(estimator).__name__} must be a "
                f"positive float or 'auto'. Got {epsilon!r} instead."
            )
        return cls(
            loss=get_loss(estimator.loss),
            epsilon=None if epsilon == "auto" else float(epsilon),
            max_iter=estimator.max_iter,
            tol=estimator.tol,
            alpha=checked_alpha(
                f"'alpha' parameter of {type(estimator).__name__}",
                estimator.alpha,
                n_targets,
                n_features,
            ),
            l1_ratio=estimator.l1_ratio,
            intercept=estimator.fit_intercept,
            backend=get_backend(estimator.backend),
            device=estimator.device,
        )

    @property
    def smooth(self) -> bool:
        """Whether the penalty is differentiable."""
        return self.l1_ratio == 0 or not np.any(self.alpha)

    @property
    def even(self) -> bool:
        """Whether all coefficients are penalised alike: a ridge is round then."""
        return np.ndim(self.alpha) == 0

    def of_target(self, number: int) -> Task:
        """Return the task of one of the targets."""
        alpha = np.asarray(self.alpha)
        return self if alpha.ndim < 2 else replace(self, alpha=alpha[number])

    @property
    def place(self) -> dict[str, Any]:
        """Where rows are computed with, for `place`."""
        return {
            "backend": self.backend,
            "device": self.device,
            "intercept": self.intercept,
        }

    def penalty(self, n_features: int) -> Penalty:
        """Return the penalty of so many coefficients, and of the intercept."""
        return Penalty.elastic_net(
            self.alpha, self.l1_ratio, n_features, intercept=self.intercept
        )
