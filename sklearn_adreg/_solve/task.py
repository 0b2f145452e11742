"""From parameters and checked data to a solution: which descent is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_adreg._descent.solution import Report, Solution
from sklearn_adreg._loss.check import check_loss, get_loss
from sklearn_adreg._loss.key import keyed
from sklearn_adreg._loss.traits import Traits, traits_of
from sklearn_adreg._solve.lasso import ElasticNetPenalty, lasso_of_moments
from sklearn_adreg._solve.least_squares import prepare
from sklearn_adreg._solve.loss import LossProblem
from sklearn_adreg._solve.loss_data import LossData, prepare_loss
from sklearn_adreg._solve.screened_lasso import screened_lasso
from sklearn_adreg._solve.textbook import (
    Steps,
    descend_textbook,
    place_loss_rows,
)
from sklearn_adreg._solve.whitened import descend_whitened
from sklearn_adreg.backends import Backend, get_backend
from sklearn_adreg.losses import Loss, SquaredError

Start = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Task:
    """What is to be minimised, and how, as the parameters of an estimator say it.

    `epsilon` is None where the descent chooses its own steps.
    """

    loss: Loss
    epsilon: float | None
    max_iter: int
    tol: float
    ridge: float
    lasso: float
    centred: bool
    backend: Backend
    device: str | None

    @classmethod
    def of(cls, estimator: Any) -> Task:
        """Read the parameters of an estimator."""
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
            ridge=estimator.alpha * (1 - estimator.l1_ratio),
            lasso=estimator.alpha * estimator.l1_ratio,
            centred=estimator.fit_intercept,
            backend=get_backend(estimator.backend),
            device=estimator.device,
        )

    def solve(
        self,
        X: np.ndarray,
        y: np.ndarray,
        weights: np.ndarray | None,
        start: Start | None,
        report: Report,
    ) -> Solution:
        """Descend; `y` is (n_samples, n_targets) and `weights` sum to one."""
        penalised = self.ridge > 0 or self.lasso > 0
        if self._squared and not (penalised and self.epsilon is None):
            return self._least_squares(X, y, weights, start, report)
        # Moments say where the minimum is, but not what is on the way.
        at_once = self._squared and self.lasso > 0 and start is None and self.tol > 0
        found = self._screened_lasso(X, y, weights) if at_once else None
        if found is not None:
            report(found.loss_curve[1:])
            return found
        loss, traits = self._checked_loss(y, weights)
        if self.epsilon is not None:
            rows = place_loss_rows(
                X, y, weights, loss=loss, linked=traits.linked, **self._place
            )
            return rows.descend(start, self._steps(report))
        data = self._data(X, y, weights, traits)
        found = lasso_of_moments(data, self.lasso) if at_once else None
        if found is not None:
            report(found.loss_curve[1:])
            return found
        problem = LossProblem(
            data, loss, traits, self.tol, self.max_iter, self.lasso, report
        )
        return problem.solve(start)

    def _data(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None, traits: Traits
    ) -> LossData:
        # Second moments are the curvature of squared error, and nearly that of smooth
        # losses without a link: one reading of all rows spares steps.
        several = traits.kinked or traits.linked or not traits.convex
        return prepare_loss(
            X,
            y,
            weights,
            ridge=self.ridge,
            whitened=self.lasso == 0,
            sketched=several or (self.lasso > 0 and not self._squared),
            **self._place,
        )

    def _checked_loss(
        self, y: np.ndarray, weights: np.ndarray | None
    ) -> tuple[Loss, Traits]:
        counted = y if weights is None else y[weights > 0]
        loss = keyed(self.loss)
        check_loss(loss, self.backend, counted)
        return loss, traits_of(loss, self.backend, counted)

    def _screened_lasso(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> Solution | None:
        if self.device is not None:
            return None
        penalty = ElasticNetPenalty(self.lasso, self.ridge)
        return screened_lasso(X, y, weights, penalty, centred=self.centred)

    def _least_squares(
        self,
        X: np.ndarray,
        y: np.ndarray,
        weights: np.ndarray | None,
        start: Start | None,
        report: Report,
    ) -> Solution:
        n_passes = np.inf if self.epsilon is None else self.max_iter
        data = prepare(X, y, weights, loss=self.loss, n_passes=n_passes, **self._place)
        coef = None if start is None else start[0].astype(X.dtype)
        if self.epsilon is not None:
            return descend_textbook(data, coef, self._steps(report))
        return descend_whitened(
            data, coef, max_iter=self.max_iter, tol=self.tol, report=report
        )

    def _steps(self, report: Report) -> Steps:
        assert self.epsilon is not None
        return Steps(
            self.epsilon, self.max_iter, self.tol, report, self.ridge, self.lasso
        )

    @property
    def _squared(self) -> bool:
        return bool(self.loss == SquaredError())

    @property
    def _place(self) -> dict[str, Any]:
        return {
            "backend": self.backend,
            "device": self.device,
            "centred": self.centred,
        }
