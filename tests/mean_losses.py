"""Mean losses to test: of one predictor a row and of three, on any kind of rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from kinds_of_rows import Builder
from references import targets_for

import sklearn_adreg.numpy as adnp
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._rows.rows import Data
from sklearn_adreg.backends import AutogradBackend
from sklearn_adreg.losses import LOSSES, Huber, Pinball, SquaredError

N_ROWS, N_FEATURES = 60, 4


def location_scale_and_level(y: Any, z: Any) -> Any:
    """Convex in three predictors, which it couples."""
    location, scale, level = z[:, 0], z[:, 1], z[:, 2]
    together = adnp.log(adnp.exp(location) + adnp.exp(scale) + adnp.exp(level))
    return (y - location) ** 2 + adnp.exp(scale - location / 2) + together + level**2


def three_quantiles(y: Any, z: Any) -> Any:
    """Quantiles with a price on their crossing: kinks that couple predictors."""
    found = sum(
        adnp.maximum(level * (y - z[:, j]), (level - 1) * (y - z[:, j]))
        for j, level in enumerate((0.2, 0.5, 0.8))
    )
    crossed = adnp.maximum(z[:, 0] - z[:, 1], 0.0) + adnp.maximum(
        z[:, 1] - z[:, 2], 0.0
    )
    return found + 0.5 * crossed


def with_exposure(y: Any, z: Any, exposure: Any) -> Any:
    """A loss of one predictor and of data of the row."""
    return exposure * adnp.log(adnp.cosh(y - z)) + (z / exposure) ** 2


@dataclass(frozen=True)
class Setting:
    """A loss, and arrays that it is the mean loss of."""

    loss: LinearLoss
    X: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    offset: np.ndarray | None = None
    row_data: tuple[np.ndarray, ...] = ()
    n_predictors: int = 0

    @property
    def coupled(self) -> bool:
        """Whether one loss has several predictors, and theta is one vector."""
        return self.n_predictors > 0 and self.target.ndim == 1

    def on(self, build: Builder) -> MeanLoss:
        """Place everything on rows."""
        rows = build(self.X, self.weight, True)
        data = Data(
            rows,
            rows.vector(self.target),
            rows.vector(self.weight),
            None if self.offset is None else rows.vector(self.offset),
            tuple(map(rows.vector, self.row_data)),
        )
        units = (1.0,) * self.n_predictors if self.coupled else None
        return MeanLoss(data, self.loss, AutogradBackend(), units=units)

    @property
    def theta(self) -> np.ndarray:
        """Coefficients at which to look, and to go along."""
        trailing = (self.n_predictors,) if self.n_predictors else ()
        shape = (self.X.shape[1] + 1, *trailing)
        found = 0.3 * np.random.default_rng(5).standard_normal(shape)
        return found.ravel() if self.coupled else found

    @property
    def direction(self) -> np.ndarray:
        """Where to go along a ray."""
        return np.roll(self.theta, max(1, self.n_predictors) if self.coupled else 1, 0)


def setting(
    loss: Any,
    n_predictors: int = 0,
    *,
    n_targets: int = 0,
    offset: bool = False,
    row_data: bool = False,
) -> Setting:
    """Draw data for a loss; a third of the rows have no weight."""
    rng = np.random.default_rng(0)
    X = rng.normal([0.0, 5.0, -1.0, 1e3], size=(N_ROWS, N_FEATURES))
    y = 1.0 + X[:, 0] + rng.standard_normal(N_ROWS)
    if n_targets:
        y = np.stack([y, -2 * y, y**2], axis=1)[:, :n_targets]
    elif not n_predictors:
        y = targets_for(loss, y) if hasattr(loss, "convex") else y
    weight = 0.7 * rng.integers(0, 3, N_ROWS)
    linear_loss = LinearLoss.cheapest(loss, ("exposure",) if row_data else ())
    return Setting(
        linear_loss,
        X,
        y,
        weight / weight.sum(),
        0.5 * rng.standard_normal(N_ROWS) if offset else None,
        (rng.uniform(0.5, 2.0, N_ROWS),) if row_data else (),
        n_predictors,
    )


SETTINGS: dict[str, Setting] = {
    **{name: setting(loss) for name, loss in LOSSES.items()},
    "with an offset": setting(LOSSES["poisson_deviance"], offset=True),
    "with row data": setting(with_exposure, row_data=True),
    "with both": setting(with_exposure, row_data=True, offset=True),
    "location, scale, level": setting(location_scale_and_level, 3, offset=True),
    "three quantiles": setting(three_quantiles, 3),
    "three targets, squared": setting(SquaredError(), 3, n_targets=3),
    "three targets, pinball": setting(Pinball(0.3), 3, n_targets=3),
    "three targets, Huber": setting(Huber(0.5), 3, n_targets=3, offset=True),
}
# Several targets, each with a loss of its own, are looked at without a window.
SEPARATE = [name for name in SETTINGS if name.startswith("three targets")]
TOGETHER = [name for name in SETTINGS if name not in SEPARATE]


def many_rows(n_rows: int) -> Setting:
    """Draw so many rows of a smooth loss."""
    rng = np.random.default_rng(0)
    return replace(
        SETTINGS["log_cosh"],
        X=rng.standard_normal((n_rows, 3)),
        target=rng.standard_normal(n_rows),
        weight=np.full(n_rows, 1.0 / n_rows),
    )
