"""Whether a descent has ended at a minimum, or the objective falls for ever.

What decides it is whether some unknowns have run off: all of them along the way that
the descent took, or some where the loss hardly bends any more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_adreg._descent.loop import Endless, Method, State
from sklearn_adreg._descent.quasi_newton import QuasiNewton
from sklearn_adreg._descent.recession import (
    falls_forever,
    falls_to_an_edge,
    falls_with_a_scale,
    intercepts_alone,
    partly_falls_forever,
)
from sklearn_adreg._loss.traits import Traits
from sklearn_adreg._objective.mean_loss import MeanLoss
from sklearn_adreg._objective.penalty import Penalty

# Where all predictors are nearer to zero none has run off: those of classes without
# rows, or that a plane separates, are 13 units off or more, in float32 as well. (On a
# GPU 8 of 25 Poisson fits with a level without events end within their tolerance.) A
# softmax of 20,000 x 20 takes 1.3 times as long where its Hessian is asked for.
_MANY_UNITS = 8.0


@dataclass(frozen=True)
class End:
    """Where a descent has ended.

    It is `stuck` where the descent could not go on, short of its tolerance. Several
    predictors that rows have slopes along are in the span of the `basis`, if there is
    one.
    """

    objective: MeanLoss
    penalty: Penalty
    method: Method
    state: State
    traits: Traits
    stuck: bool
    basis: np.ndarray | None = None

    def of_one(self) -> Endless:
        """Why there is no minimum, if there is none, whatever the units."""
        objective, penalty, theta = self.objective, self.penalty, self.state.theta
        far = falls_forever(objective, penalty, theta)
        if not far and objective.n_outputs == 1 and self._off:
            far = self._partly_endless
        if not far and self.stuck:
            far = falls_to_an_edge(objective, penalty, theta)
        return "far" if far else ""

    def of_outputs(self, size: float) -> Endless:
        """Why there is no minimum for all of the predictors, if there is none.

        The `size` is the loss of a unit. Classes run off while steps are short: it is
        asked of any end where some predictor is many units off.
        """
        objective, linear = self.objective, self.state.point.linear
        # A convex loss that falls with a scale falls along the ray as well.
        exact = not self.traits.convex and falls_with_a_scale(
            objective, self.penalty, linear, size, converged=not self.stuck
        )
        if exact:
            return "exact"
        if not (self._off or intercepts_alone(self.penalty, self.objective)):
            return ""
        far = falls_forever(self.objective, self.penalty, self.state.theta)
        return "far" if far or self._partly_endless else ""

    @property
    def _partly_endless(self) -> bool:
        """Whether some unknowns of a convex loss run off."""
        method, objective = self.method, self.objective
        if self.penalty.free.sum() <= 1 or not self.traits.convex:
            return False
        coordinates = method.coordinates if isinstance(method, QuasiNewton) else None
        bandwidth = float(np.cbrt(np.finfo(objective.data.rows.dtype).eps))
        return partly_falls_forever(
            objective, self.penalty, coordinates, self.state, bandwidth, self.basis
        )

    @property
    def _off(self) -> bool:
        """Whether some predictor may have run off.

        One alone that is not behind a link has no unit that is known here.
        """
        rows, units = self.objective.data.rows, self.objective.units
        if self.state.distant or (units is None and not self.traits.linked):
            return self.state.distant
        unit = 1.0 if units is None else np.asarray(units)
        sizes = np.abs(rows.numpy(self.state.point.linear)) / unit
        return not sizes.max() < _MANY_UNITS
