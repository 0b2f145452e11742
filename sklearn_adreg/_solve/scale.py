"""The scale of the errors, where a loss leaves it to the data: found with the fit.

A loss rho at the scale s is s^2 rho(r / s). Its fit of y is s times the fit of y / s at
a scale of one, with the same ridge and one part in s of an l1 penalty: one program
serves all scales, and the units of y are of no account.

From least absolute deviations on, the fit at a scale and the scale of its residuals,

    T(s) = weighted median of |r| / 0.6745,

which of normal errors is their standard deviation, alternate until s is that of its own
fit [1]_. That is the root of log T(s) - log s. The alternation approaches it linearly;
from two fits on, the root is that for residuals which go on as they went from one to
the other, evenly by log s: these are smooth, where their median is not. Each fit starts
from the coefficients of the last.

Where least absolute deviations fit half of the rows exactly, T would lead to zero: then
it is the median of the others', and where there are no others, that fit is the end.

References
----------
.. [1] P. J. Huber, E. M. Ronchetti, "Robust Statistics", second edition, Wiley, 2009,
   chapter 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq

from sklearn_adreg._descent.loop import Solution
from sklearn_adreg._loss.traits import Traits
from sklearn_adreg._rows.moments import mean_square, weighted_mean, weighted_median
from sklearn_adreg._rows.place import sampled
from sklearn_adreg._solve.numeric import solve_any_loss_step_by_step
from sklearn_adreg._solve.prepare import Prepared, in_place, in_white_coordinates
from sklearn_adreg._solve.problem import (
    descend,
    proximal_newton,
    quasi_newton,
    side_by_side,
    silent,
)
from sklearn_adreg._solve.task import Fit, Task
from sklearn_adreg.losses import AbsoluteError

# The median of the absolute value of a standard normal variable.
_NORMAL_MEDIAN = 0.6744897501960817
_ABSOLUTE = Traits(kinked=True, convex=True, linked=False)
# How closely least absolute deviations are found: to start from, and to tell which rows
# they fit exactly. These have residuals below so small a part of the mean one, or so
# many units of rounding of the target.
_ROUGH, _EXACT, _ZERO_SHARE, _ZERO = 1e-3, 1e-12, 1e-9, 256.0
# Half of the rows may be fitted exactly where the scale is so small a part of the mean
# (1.3 of normal errors, 0.2 of 1e5 Cauchy errors), or of the spread of the target.
_SUSPECT_SHARE, _SUSPECT_SPREAD = 0.02, 1e-4
# Steps of descents that only lead to a scale, and its tolerance where `tol` is zero.
_MAX_ITER, _TOL = 1000, 1e-6
# Fits that may find a scale, and how far beyond the alternation's step the next may be.
_MOST_FITS, _BEYOND = 60, 10.0
# Rounding decides by which steps absolute deviations are found, and where in the
# tolerance their fit ends. Where X has few entries, and a fit takes some milliseconds,
# the scale is found to a part of `tol`, so that this is not seen.
_FINER, _CHEAP = 1e-3, 1 << 21
# Rounding of a scale, in units of that of the target's float type.
_NOISE = 8.0
# How exactly the next scale is found, in parts of the alternation's step.
_PRECISION = 0.01


class _Found(NamedTuple):
    """A fit and its scale, of y as it came.

    `rows` tells which the median is of, where it is not all: those that least absolute
    deviations do not fit exactly.
    """

    solution: Solution
    rows: np.ndarray | None = None


def solve_with_scale(task: Task, fit: Fit) -> Solution:
    """Fit each target at the scale that is found for it."""
    targets = list(_targets(task, fit))
    found = side_by_side([_solved(task, one, level) for one, level in targets])
    levels = np.array([level for _, level in targets])
    return found._replace(intercept=found.intercept + levels)


def estimated_scale(task: Task, fit: Fit) -> np.ndarray:
    """Return the scale of each target, (n_targets,), alike for whatever start."""
    own = replace(task, epsilon=None, max_iter=_MAX_ITER, tol=task.tol or _TOL)
    alone = fit._replace(start=None, report=silent)
    found = [
        _Target.of(own.of_target(number), *one).found()
        for number, one in enumerate(_targets(own, alone))
    ]
    return np.array([_scale(each.solution) for each in found])


def _targets(task: Task, fit: Fit) -> Iterator[tuple[Fit, float]]:
    """Yield one target at a time, less its median, and that; zero without intercept.

    Far from zero, y in other units were other numbers by their rounding.
    """
    for j in range(fit.y.shape[1]):
        y, level, start = fit.y[:, j], 0.0, None
        if task.intercept:
            level = weighted_median(y, fit.weight)
        if fit.start is not None:
            start = fit.start[0][:, [j]], fit.start[1][[j]] - level
        y = (y.astype(np.float64) - level).astype(y.dtype)
        yield fit._replace(y=y[:, None], start=start), level


def _solved(task: Task, fit: Fit, level: float) -> Solution:
    """Fit one target; a numeric epsilon holds the scale that it finds first."""
    if task.epsilon is None:
        return _Target.of(task, fit, level).found().solution
    return _at_scale(task, fit, float(estimated_scale(task, fit)[0]))


def _at_scale(
    task: Task, fit: Fit, scale: float, prepared: Prepared | None = None
) -> Solution:
    """Fit in units of a scale, and return to those of y.

    `prepared` are the rows where they are in their place already.
    """
    if not task.smooth:
        l1, l2 = task.l1_ratio / scale, 1 - task.l1_ratio
        task = replace(task, alpha=task.alpha * (l1 + l2), l1_ratio=l1 / (l1 + l2))
    start = fit.start and (fit.start[0] / scale, fit.start[1] / scale)
    fit = _in_units(fit, scale)._replace(start=start)
    if task.epsilon is None:
        prepare, method = _how(task)
        windows = fit.traits.kinked
        found = descend(
            task, fit, prepared, prepare=prepare, method=method, windows=windows
        )
    else:
        found = solve_any_loss_step_by_step(task, fit, unit=scale**2)
    return found._replace(
        coef=found.coef * scale,
        intercept=found.intercept * scale,
        loss_curve=found.loss_curve * scale**2,
        scale=np.array([scale]),
    )


def _how(task: Task) -> tuple[Any, Any]:
    """How rows are prepared, and the method, as in the table of routes."""
    if task.smooth:
        return in_white_coordinates, quasi_newton
    return in_place, proximal_newton


def _in_units(fit: Fit, scale: float) -> Fit:
    return fit._replace(y=(fit.y / scale).astype(fit.y.dtype))


def _scale_of(sizes: np.ndarray, weight: np.ndarray | None, rows: Any) -> float:
    """Estimate the standard deviation of normal errors from sizes of some."""
    shares = None if weight is None else weight[rows]
    return weighted_median(sizes[rows], shares) / _NORMAL_MEDIAN


def _root_mean_square(values: np.ndarray, weight: np.ndarray | None) -> float:
    return float(np.sqrt(mean_square(values, weight)))


def _scale(found: Solution) -> float:
    assert found.scale is not None
    return float(found.scale[0])


@dataclass(frozen=True)
class _Target:
    """One target, less a level, and rows that are in their place for all of its fits.

    `spread` is the scale of the target, and `deviation` its standard deviation;
    residuals below `zero` cannot be told from zero, and differences of the scale below
    `noise` not from rounding.
    """

    task: Task
    fit: Fit
    prepared: Prepared
    level: float
    spread: float
    deviation: float
    zero: float
    noise: float

    @classmethod
    def of(cls, task: Task, fit: Fit, level: float) -> _Target:
        """Place the rows, and measure the target."""
        y, mean = fit.y[:, 0].astype(np.float64), np.zeros(())
        if task.intercept:
            mean = weighted_mean(y, fit.weight)
        sizes = np.abs(y)
        counted = sizes > 0 if fit.weight is None else (sizes > 0) & (fit.weight > 0)
        spread = 1.0
        if counted.any():
            every = _scale_of(sizes, fit.weight, slice(None))
            spread = every or _scale_of(sizes, fit.weight, counted)
        alone = _in_units(fit, spread)._replace(traits=_ABSOLUTE)
        eps = float(np.finfo(fit.y.dtype).eps)
        return cls(
            task,
            fit,
            _how(task)[0](task, alone, by_sample=True),
            level,
            spread,
            deviation=_root_mean_square(y - mean, fit.weight) or spread,
            zero=_ZERO * eps * _root_mean_square(y + level, fit.weight),
            noise=_NOISE * eps * _root_mean_square(y, fit.weight),
        )

    def found(self) -> _Found:
        """Alternate, from a start that is given, a sample or absolute deviations."""
        begun = self._of_given() or self._of_sample()
        begun = begun or self._begun(self._absolute(_ROUGH))
        return (begun and self._alternated(begun)) or self._exact()

    def _of_given(self) -> _Found | None:
        """Begin where a start is given that is better than none."""
        if self.fit.start is None:
            return None
        given = Solution(*self.fit.start, np.zeros(2), epsilon=1.0, error=0.0)
        better = self._mean(self._sizes(given)) < self._mean(np.abs(self.fit.y[:, 0]))
        return self._begun(given) if better else None

    def _of_sample(self) -> _Found | None:
        """Begin where a sample of many rows ends."""
        X, y, weight = self.fit[:3]
        index = sampled(X.shape, weight)
        if index is None or self.task.device or not self.fit.traits.convex:
            return None
        shares = None if weight is None else weight[index] / weight[index].sum()
        part = Fit(X[index], y[index], shares, None, silent, self.fit.traits)
        task = replace(self.task, tol=_ROUGH, max_iter=_MAX_ITER)
        found = _Target.of(task, part, self.level).found()
        return found if found.rows is None else None

    def _absolute(self, tol: float) -> Solution:
        """Least absolute deviations, in units of the target's spread."""
        task = replace(self.task, loss=AbsoluteError(), tol=tol, max_iter=_MAX_ITER)
        fit = self.fit._replace(start=None, report=silent, traits=_ABSOLUTE)
        return _at_scale(task, fit, self.spread, self.prepared)

    def _begun(self, solution: Solution) -> _Found | None:
        """Begin at a fit; None where half of the rows may be exact."""
        scale = self._estimate(self._sizes(solution), None)
        if scale is None:
            return None
        return _Found(solution._replace(scale=np.array([scale])))

    def _exact(self) -> _Found:
        """Begin where absolute deviations are least, and tell the rows they fit."""
        solution, weight = self._absolute(_EXACT), self.fit.weight
        sizes = self._sizes(solution)
        zero = max(_ZERO_SHARE * self._mean(sizes), self.zero)
        rows = np.full(len(sizes), True) if weight is None else weight > 0
        if weighted_median(sizes, weight) <= zero:
            rows &= sizes > zero
        if not rows.any():
            return _Found(solution._replace(scale=np.array([zero or 1.0])), rows)
        scale = np.array([self._estimate(sizes, rows)])
        found = self._alternated(_Found(solution._replace(scale=scale), rows))
        assert found is not None
        return found

    def _alternated(self, begun: _Found) -> _Found | None:
        """Fit and estimate in turn until the scale is that of its own fit, to `tol`.

        None where half of the rows may be exact, and it is not known which.
        """
        found, rows = begun
        scale, change, gone = _scale(found), 0.0, 0.0
        residuals = self._residuals(found)
        for _ in range(_MOST_FITS):
            enough = max(self._tol, self.noise / scale)
            found = self._fitted(found, scale, self._tol)
            before, residuals = residuals, self._residuals(found)
            after = self._estimate(np.abs(residuals), rows)
            if after is None:
                return None
            change = float(np.log(after / scale))
            if abs(change) <= enough:
                return _Found(found, rows)
            if abs(gone) > enough:
                drift = (residuals - before) / gone
                gone = self._root(scale, change, residuals, drift, rows)
            else:
                gone = change
            scale *= float(np.exp(gone))
        error = max(found.error, abs(change))
        found = found._replace(error=error, settled=False)
        return _Found(found, rows)

    def _root(
        self,
        scale: float,
        change: float,
        residuals: np.ndarray,
        drift: np.ndarray,
        rows: np.ndarray | None,
    ) -> float:
        """Change of log s to where residuals that drift evenly with it have that scale.

        `change` is that to the scale of the residuals as they are.
        """
        counted = slice(None) if rows is None else rows

        @cache
        def left(gone: float) -> float:
            sizes = np.abs(residuals + gone * drift)
            there = _scale_of(sizes, self.fit.weight, counted)
            return float(np.log(there / scale)) - gone if there else -np.inf

        end = change
        while left(end) * change > 0:
            if abs(end) >= _BEYOND * abs(change):
                return end
            end *= 2
        if not left(0.0) * change > 0:  # residuals of less than rounding
            return change
        return float(brentq(left, 0.0, end, xtol=_PRECISION * abs(change)))

    def _fitted(self, before: Solution, scale: float, tol: float) -> Solution:
        """Fit at a scale, with predictions to a part of it and not of y's deviation."""
        eps = float(np.finfo(self.fit.y.dtype).eps)
        tol = max(tol * min(1.0, scale / self.deviation), eps) if tol else 0.0
        fit = self.fit._replace(start=(before.coef, before.intercept))
        return _at_scale(replace(self.task, tol=tol), fit, scale, self.prepared)

    @property
    def _tol(self) -> float:
        """How exactly the scale and the fit are found."""
        return self.task.tol * (_FINER if self.fit.X.size < _CHEAP else 1.0)

    def _residuals(self, solution: Solution) -> np.ndarray:
        """Residuals, (n_samples,), in float64."""
        coef, intercept = solution.coef[:, 0], solution.intercept
        return np.asarray(self.fit.y[:, 0] - self.fit.X @ coef - intercept)

    def _sizes(self, solution: Solution) -> np.ndarray:
        return np.abs(self._residuals(solution))

    def _mean(self, sizes: np.ndarray) -> float:
        return float(weighted_mean(sizes, self.fit.weight))

    def _estimate(self, sizes: np.ndarray, rows: np.ndarray | None) -> float | None:
        """Scale of the residuals of rows, no less than their rounding.

        None where half of all rows may be fitted exactly, or more.
        """
        if rows is not None:
            return max(_scale_of(sizes, self.fit.weight, rows), self.zero)
        scale = _scale_of(sizes, self.fit.weight, slice(None))
        share = _SUSPECT_SHARE * self._mean(sizes)
        known = scale > max(share, _SUSPECT_SPREAD * self.spread, self.zero)
        return scale if known else None
