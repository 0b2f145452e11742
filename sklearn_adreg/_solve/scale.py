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

Of many rows all of X is read for each step. There s is that of the residuals after each
one, of one descent that begins at least squares or where a sample has the least
absolute deviations; the alternation has then little more to do than to confirm its end.

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

from sklearn_adreg._descent.loop import Solution, at, begin
from sklearn_adreg._rows.moments import mean_square, weighted_mean, weighted_median
from sklearn_adreg._solve.numeric import solve_any_loss_step_by_step
from sklearn_adreg._solve.prepare import sampled_rows, way
from sklearn_adreg._solve.problem import (
    ABSOLUTE,
    Problem,
    problem_of,
    silent,
)
from sklearn_adreg._solve.start import rough
from sklearn_adreg._solve.targets import of_targets, side_by_side
from sklearn_adreg._solve.task import Fit, Task

# The median of the absolute value of a standard normal variable.
_NORMAL_MEDIAN = 0.6744897501960817
# How closely least absolute deviations are found to tell which rows they fit exactly.
# These have residuals below so small a part of the mean one, or so many units of
# rounding of the target.
_EXACT, _ZERO_SHARE, _ZERO = 1e-12, 1e-9, 256.0
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
# Steps with a scale that is estimated after each, as long as these become as much
# shorter: others are for the alternation, which searches along them.
_MOST_TOGETHER, _SHORTER = 20, 0.5
# They end where the last one was so many tolerances: what is left is a part of it.
_NEARLY = 10.0
# Rounding of a scale, in units of that of the target's float type.
_SCALE_NOISE = 8.0
# How exactly the next scale is found, in parts of the alternation's step.
_PRECISION = 0.01


class _Fitted(NamedTuple):
    """Theta, linear predictors and the scale of their residuals, in units of a target.

    `state` is that of the last descent, in units of the scale.
    """

    theta: np.ndarray
    linear: Any
    scale: float
    state: Any = None
    settled: bool = True


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
        _Target.of(own.of_part(number), *one).solved()
        for number, one in enumerate(_targets(own, alone))
    ]
    return np.ravel([each.scale for each in found])


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
        held = fit.held and fit.held.of_target(j)
        yield fit._replace(y=y[:, None], start=start, held=held), level


def _solved(task: Task, fit: Fit, level: float) -> Solution:
    """Fit one target; a numeric epsilon holds the scale that it finds first."""
    if task.epsilon is None:
        return _Target.of(task, fit, level).solved()
    scale = float(estimated_scale(task, fit)[0])
    if not task.smooth:
        l1, l2 = task.l1_ratio / scale, 1 - task.l1_ratio
        task = replace(task, alpha=task.alpha * (l1 + l2), l1_ratio=l1 / (l1 + l2))
    found = solve_any_loss_step_by_step(task, _in_units(fit, scale), unit=scale**2)
    return _in_units_of_y(found, scale, scale)


def _in_units(fit: Fit, unit: float) -> Fit:
    start = fit.start and (fit.start[0] / unit, fit.start[1] / unit)
    held, y = fit.held and fit.held.of_target(0, unit), fit.y / unit
    return fit._replace(y=y.astype(fit.y.dtype), start=start, held=held)


def _in_units_of_y(found: Solution, unit: float, scale: float) -> Solution:
    """Return what was found in a unit, where that is not the scale, with the scale."""
    held = found.validation
    return found._replace(
        coef=found.coef * unit,
        intercept=found.intercept * unit,
        loss_curve=found.loss_curve * unit**2,
        scale=np.array([scale]),
        validation=None if held is None else held * unit**2,
    )


def _scale_of(sizes: np.ndarray, weight: np.ndarray | None, rows: Any) -> float:
    """Estimate the standard deviation of normal errors from sizes of some."""
    shares = None if weight is None else weight[rows]
    return weighted_median(sizes[rows], shares) / _NORMAL_MEDIAN


def _root_mean_square(values: np.ndarray, weight: np.ndarray | None) -> float:
    return float(np.sqrt(mean_square(values, weight)))


def _divided(_xp: Any, vector: Any, by: Any) -> Any:
    """Visitor: a row vector in another unit."""
    return (vector / by,), ()


@dataclass(frozen=True)
class _Target:
    """One target, less a level, in units of its own scale.

    `problem` is that of its fit at a scale of one. `unit` is the scale of the target,
    and all else is in units of it: `deviation` is its standard deviation; residuals
    below `zero` cannot be told from zero, and differences of the scale below `noise`
    not from rounding.
    """

    task: Task
    fit: Fit
    problem: Problem
    given: np.ndarray | None
    unit: float
    deviation: float
    zero: float
    noise: float

    @classmethod
    def of(cls, task: Task, fit: Fit, level: float) -> _Target:
        """Place the rows, and measure the target."""
        y, weight = fit.y[:, 0].astype(np.float64), fit.weight
        sizes = np.abs(y)
        counted = sizes > 0 if weight is None else (sizes > 0) & (weight > 0)
        unit = 1.0
        if counted.any():
            every = _scale_of(sizes, weight, slice(None))
            unit = every or _scale_of(sizes, weight, counted)
        inner = _in_units(fit, unit)
        prepare, _ = way(task)
        prepared = prepare(task, inner, by_sample=False)
        sample = sampled_rows(task, fit._replace(traits=ABSOLUTE))
        problem, given = problem_of(
            task, inner, prepared._replace(sample=sample), 0, windows=False
        )
        mean = weighted_mean(y, weight) if task.intercept else np.zeros(())
        eps = float(np.finfo(fit.y.dtype).eps)
        return cls(
            task,
            inner,
            replace(problem, penalty=problem.penalty.strengthened(1 / unit)),
            given,
            unit,
            deviation=_root_mean_square((y - mean) / unit, weight) or 1.0,
            zero=_ZERO * eps * _root_mean_square((y + level) / unit, weight),
            noise=_SCALE_NOISE * eps * _root_mean_square(y / unit, weight),
        )

    def solved(self) -> Solution:
        """Alternate, from a start that is given, or from absolute deviations."""
        theta = self._start()
        found = self._begun(theta, self._seen(theta))
        if found is not None and self._at_once:
            found = self._together(found)
        found = (found and self._alternated(found, None)) or self._exact()
        one = self._at(found.scale)
        state = one.judged(found.state)
        inner = of_targets(self.task, one.objective.data.rows, [state])
        unit = self.unit * found.scale
        return _in_units_of_y(inner, unit, unit)._replace(settled=found.settled)

    @property
    def _at_once(self) -> bool:
        """Whether steps are so dear that the scale is estimated after each."""
        smooth, rows = self.task.smooth, self.problem.objective.data.rows
        return smooth and self.fit.traits.convex and not self._cheap and rows.eager

    @property
    def _cheap(self) -> bool:
        """Whether a fit takes some milliseconds."""
        return self.fit.X.size < _CHEAP

    def _at(self, scale: float) -> Problem:
        """Return the fit at a scale, with predictions to a part of it."""
        problem, tol = self.problem, self._tol
        rows, target, *_ = data = problem.objective.data
        (target,), _ = rows.apply(_divided, target, by=scale)
        eps = float(np.finfo(rows.dtype).eps)
        return replace(
            problem,
            objective=replace(problem.objective, data=data._replace(target=target)),
            penalty=problem.penalty.strengthened(1 / scale),
            tol=max(tol * min(1.0, scale / self.deviation), eps) if tol else 0.0,
        )

    def _start(self) -> np.ndarray:
        """Theta to begin at: what is given, if that is better than none, or robust."""
        absolute = self._absolute()
        few = rough(absolute.objective)

        def size(theta: np.ndarray) -> float:
            return few.value(few.linear_predictor(theta))

        if self.given is not None and size(self.given) < size(0.0 * self.given):
            return self.given
        if not self._at_once:
            return absolute.descend().theta
        starts = [absolute.of_sample().descend().theta]
        if self.problem.least_squares is not None:
            starts.append(self.problem.least_squares)
        return min(starts, key=size)

    def _absolute(self) -> Problem:
        """Least absolute deviations, roughly."""
        return replace(self.problem.robust(), max_iter=_MAX_ITER)

    def _begun(self, theta: np.ndarray, linear: Any) -> _Fitted | None:
        """Begin at theta; None where half of the rows may be exact."""
        scale = self._estimate(np.abs(self._residuals(linear)), None)
        return None if scale is None else _Fitted(theta, linear, scale)

    def _exact(self) -> _Fitted:
        """Begin where absolute deviations are least, and tell the rows they fit."""
        absolute = replace(self._absolute(), tol=_EXACT)
        state, weight = absolute.descend(), self.fit.weight
        linear = self._seen(state.theta)
        sizes = np.abs(self._residuals(linear))
        zero = max(_ZERO_SHARE * self._mean(sizes), self.zero)
        rows = np.full(len(sizes), True) if weight is None else weight > 0
        if weighted_median(sizes, weight) <= zero:
            rows &= sizes > zero
        if rows.any():
            scale = self._estimate(sizes, rows)
            assert scale is not None
            found = self._alternated(_Fitted(state.theta, linear, scale), rows)
            assert found is not None
            return found
        begun = _Fitted(state.theta, linear, zero or 1.0)
        theta, linear = self._in_units(begun, begun.scale)
        one = self._at(begun.scale)
        end = begin(one.penalty, theta, one.objective.point(linear))
        return begun._replace(state=end._replace(error=state.error))

    def _together(self, begun: _Fitted) -> _Fitted:
        """Step once at each scale, which is that of the residuals, with one metric.

        Gradients are those at the scale before, so that X is read once a step.
        """
        found, memory, last, one = begun, None, np.inf, self._at(begun.scale)
        method, penalty = one.method, one.penalty
        theta, linear = self._in_units(found, found.scale)
        point = one.objective.point(linear)
        state = at(one.objective, penalty, begin(penalty, theta, point), point)
        goal, _ = one.goal(point)
        for _ in range(_MOST_TOGETHER):
            step, memory = method.step(one.objective, penalty, goal, state, memory)
            if found.scale * step.change > _SHORTER * last:
                break
            last = found.scale * step.change
            there = one.objective.after(state.point.linear, step.direction)
            assert there is not None
            point = there
            stepped = _Fitted(state.theta + step.direction, point.linear, found.scale)
            after = self._begun(*self._in_units(stepped, 1 / found.scale))
            if after is None:
                break
            gone = abs(np.log(after.scale / found.scale))
            found, one = after, self._at(after.scale)
            if step.change <= _NEARLY * goal.tol * goal.scale and gone <= self._tol:
                break
            theta, linear = self._in_units(found, found.scale)
            gradient = one.objective.gradient(point) + penalty.gradient(theta)
            memory = method.learn(memory, 1.0, gradient - state.gradient)
            state = state._replace(
                theta=theta, point=point._replace(linear=linear), gradient=gradient
            )
        return found

    def _alternated(self, begun: _Fitted, rows: np.ndarray | None) -> _Fitted | None:
        """Fit and estimate in turn until the scale is that of its own fit, to `tol`.

        The median is of some `rows`, where it is not of all: those that least absolute
        deviations do not fit exactly. None where half of the rows may be exact, and it
        is not known which.
        """
        found, scale, change, gone = begun, begun.scale, 0.0, 0.0
        residuals = self._residuals(found.linear)
        for _ in range(_MOST_FITS):
            enough = max(self._tol, self.noise / scale)
            found = self._fitted(found._replace(scale=scale))
            before, residuals = residuals, self._residuals(found.linear)
            after = self._estimate(np.abs(residuals), rows)
            if after is None:
                return None
            change = float(np.log(after / scale))
            if abs(change) <= enough:
                return found
            if abs(gone) > enough:
                drift = (residuals - before) / gone
                gone = self._root(scale, change, residuals, drift, rows)
            else:
                gone = change
            scale *= float(np.exp(gone))
        error = max(found.state.error, abs(change))
        return found._replace(state=found.state._replace(error=error), settled=False)

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

    def _fitted(self, before: _Fitted) -> _Fitted:
        """Fit at a scale, from what was found before."""
        one, scale = self._at(before.scale), before.scale
        theta, linear = self._in_units(before, scale)
        state = one.descend_from(theta, one.objective.point(linear))
        found = before._replace(theta=state.theta, linear=state.point.linear)
        theta, linear = self._in_units(found, 1 / scale)
        return before._replace(theta=theta, linear=linear, state=state)

    def _in_units(self, found: _Fitted, unit: float) -> tuple[np.ndarray, Any]:
        """Theta and linear predictors in another unit."""
        rows = self.problem.objective.data.rows
        (linear,), _ = rows.apply(_divided, found.linear, by=unit)
        return found.theta / unit, linear

    @property
    def _tol(self) -> float:
        """How exactly the scale and the fit are found."""
        return self.task.tol * (_FINER if self._cheap else 1.0)

    def _seen(self, theta: np.ndarray) -> Any:
        """Linear predictors."""
        return self.problem.objective.linear_predictor(theta)

    def _residuals(self, linear: Any) -> np.ndarray:
        """Residuals, (n_samples,), in float64."""
        rows, target, *_ = self.problem.objective.data
        target, linear = (np.asarray(rows.numpy(v), float) for v in (target, linear))
        return np.asarray(target - linear)

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
        known = scale > max(share, _SUSPECT_SPREAD, self.zero)
        return scale if known else None
