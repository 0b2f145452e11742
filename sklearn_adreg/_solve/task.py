"""What is to be minimised, and how, as the parameters of an estimator say it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from sklearn_adreg._descent.coordinates import MAX_WHITENED, MAX_WHITENED_SPARSE
from sklearn_adreg._descent.loop import Report
from sklearn_adreg._loss.outputs import outputs_of
from sklearn_adreg._loss.traits import Traits
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._rows.place import kind_of
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._solve.held_out import HeldOut
from sklearn_adreg._validation import checked_alpha
from sklearn_adreg.backends import Backend, get_backend
from sklearn_adreg.losses import Loss, SquaredError, get_loss
from sklearn_adreg.losses._base import is_estimated

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
    The `offset` is (n_samples, n_targets), or None. `row_data` are the arrays that the
    loss is given beside each row, and `row_names` their names. A loss of one target may
    have `n_outputs` linear predictors: coefficients, intercepts and offsets have that
    many columns in place of `n_targets`. Rows that are `held` out have no weight.
    Where the step length was `chosen` by others, steps need not lead to the minimum.
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    start: Start | None
    report: Report
    traits: Traits = Traits(kinked=False, convex=True, linked=False)
    curvature: float = 0.0
    offset: np.ndarray | None = None
    row_data: tuple[np.ndarray, ...] = ()
    row_names: tuple[str, ...] = ()
    n_outputs: int = 1
    held: HeldOut | None = None
    chosen: bool = False

    @property
    def most_whitened(self) -> int:
        """How many columns, or rows, may be whitened by their second moments.

        With several outputs it is their coefficients that are so many.
        """
        most = MAX_WHITENED if self.dense else MAX_WHITENED_SPARSE
        return most // self.n_outputs

    @property
    def dense(self) -> bool:
        """Whether X is stored in full."""
        return kind_of(self.X, None).dense

    @property
    def squared(self) -> bool:
        """Whether the loss is squared error, whose targets are centred."""
        return self.curvature > 0

    @property
    def beside(self) -> dict[str, Any]:
        """What belongs to the rows beside X, y and weight, for `place`."""
        return {"offset": self.offset, "row_data": self.row_data}

    def knowing(
        self, offset: np.ndarray | None, row_data: dict[str, np.ndarray]
    ) -> Fit:
        """Return the same with an offset, and with row data by their names."""
        return self._replace(
            offset=offset,
            row_data=tuple(row_data.values()),
            row_names=tuple(row_data),
        )

    def of_target(self, data: Data, column: int) -> Data:
        """Return data with one target and its offset, or those of several outputs."""
        rows, offset = data.rows, self.offset
        if offset is not None:
            chosen = slice(None) if self.n_outputs > 1 else column
            offset = rows.vector(offset[:, chosen])
        return data._replace(target=rows.vector(self.y[:, column]), offset=offset)

    @property
    def counted(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Targets and, by their names, row data of the rows that count.

        Those that are held out are to count for the loss as well.
        """
        rows: Any = slice(None) if self.weight is None else self.weight > 0
        if self.held is not None:
            rows = rows | (self.held.weight > 0)
        beside = (each[rows] for each in self.row_data)
        return self.y[rows], dict(zip(self.row_names, beside, strict=True))

    def of_column(self, number: int) -> Fit:
        """Return the same with the start and the offset of one target or output."""
        start, offset = self.start, self.offset
        if start is not None:
            start = start[0][:, [number]], start[1][[number]]
        if offset is not None:
            offset = offset[:, [number]]
        return self._replace(start=start, offset=offset, n_outputs=1)

    def fresh(self, task: Task) -> bool:
        """Whether the descent may start, and stop, where it likes."""
        return self.start is None and task.tol > 0


@dataclass(frozen=True)
class Task:
    """Parameters; `epsilon` is None where the descent chooses its own steps.

    The loss has `n_outputs` linear predictors a row. `alpha` is a number, or
    (n_features,), or where it is not the same for all targets or outputs, one a row of
    (n_targets, n_features): `of_part` looks at one of these.
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
    n_outputs: int = 1

    @classmethod
    def of(cls, estimator: Any, n_targets: int, n_features: int) -> Task:
        """Read the parameters of an estimator, for so many targets and columns."""
        epsilon = estimator.epsilon
        if isinstance(epsilon, bool | np.bool_):
            raise ValueError(
                f"The 'epsilon' parameter of {type(estimator).__name__} must be a "
                f"positive float or 'auto'. Got {epsilon!r} instead."
            )
        n_outputs = outputs_of(estimator)
        return cls(
            loss=get_loss(estimator.loss),
            epsilon=None if epsilon == "auto" else float(epsilon),
            max_iter=estimator.max_iter,
            tol=estimator.tol,
            alpha=checked_alpha(
                f"'alpha' parameter of {type(estimator).__name__}",
                estimator.alpha,
                n_targets * n_outputs,
                n_features,
            ),
            l1_ratio=estimator.l1_ratio,
            intercept=estimator.fit_intercept,
            backend=get_backend(estimator.backend),
            device=estimator.device,
            n_outputs=n_outputs,
        )

    @property
    def units(self) -> tuple[float, ...] | None:
        """Units of several predictors a row, before they are known."""
        return None if self.n_outputs == 1 else (1.0,) * self.n_outputs

    @property
    def smooth(self) -> bool:
        """Whether the penalty is differentiable."""
        return self.l1_ratio == 0 or not np.any(self.alpha)

    @property
    def even(self) -> bool:
        """Whether the coefficients of an output are penalised alike: a round ridge."""
        if isinstance(self.alpha, float):
            return True
        alpha = np.atleast_2d(self.alpha)
        return bool((alpha == alpha[:, :1]).all())

    def of_part(self, number: int) -> Task:
        """Return the task of one of the targets, or of the outputs."""
        if np.ndim(self.alpha) < 2:
            return self
        alpha = np.asarray(self.alpha)[number]
        even = (alpha == alpha[0]).all()
        return replace(self, alpha=float(alpha[0]) if even else alpha)

    @property
    def place(self) -> dict[str, Any]:
        """Where rows are computed with, for `place`."""
        return {
            "backend": self.backend,
            "device": self.device,
            "intercept": self.intercept,
        }

    def penalty(self, n_features: int) -> Penalty:
        """Return the penalty of so many features' coefficients, and of intercepts."""
        alpha = np.atleast_2d(self.alpha)
        return Penalty.elastic_net(
            alpha[:, :1] if self.even else alpha,  # columns may be those of a span
            self.l1_ratio,
            n_features,
            intercept=self.intercept,
            n_outputs=self.n_outputs,
        )


def without_offset(
    loss: Loss, y: np.ndarray, offset: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Subtract the offset from targets, where the loss knows their difference alone.

    So do squared error, and losses whose scale is estimated. Returns the targets, and
    the offset that is left.
    """
    if offset is None or not (loss == SquaredError() or is_estimated(loss)):
        return y, offset
    return y - offset, None
