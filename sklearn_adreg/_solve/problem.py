"""One target and one loss, descended on with steps that the descent chooses itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_adreg._descent.continuation import narrow
from sklearn_adreg._descent.loop import (
    SIZE_SHARE,
    Goal,
    Method,
    Report,
    Solution,
    State,
    at,
    begin,
    minimise,
)
from sklearn_adreg._descent.quasi_newton import QuasiNewton
from sklearn_adreg._descent.recession import check_bounded
from sklearn_adreg._loss.linear import LinearLoss
from sklearn_adreg._loss.traits import Traits
from sklearn_adreg._objective.mean_loss import MeanLoss, Point
from sklearn_adreg._objective.penalty import Penalty
from sklearn_adreg._rows.place import check_unseen
from sklearn_adreg._solve.endless import End
from sklearn_adreg._solve.outputs import outputs_of_rows
from sklearn_adreg._solve.prepare import Prepared, way
from sklearn_adreg._solve.start import above_exact, best_start, refusal, rough, units
from sklearn_adreg._solve.targets import of_targets
from sklearn_adreg._solve.task import Fit, Task
from sklearn_adreg.losses import AbsoluteError

# What is known of absolute error.
ABSOLUTE = Traits(kinked=True, convex=True, linked=False)
# How closely a robust convex fit is found where a descent only starts from it, and the
# optimum of a sample of the rows: less than either differs from what comes after (half
# and double: 2 % more and 1 % less steps of 99 fits of twelve losses; the same).
_ROBUST_TOL, _SAMPLE_TOL = 1e-3, 1e-4
# A smooth loss may have no minimum on a sample: that of counts without any event in one
# category leads ever further away. On all rows it has one, near where few steps end.
# A sample takes 2 to 45 steps where there are kinks (eight losses on 100,000 x 20); of
# classes that are nearly apart it took 1,000 and more, to no end: hinges of 60,000 x 10
# take 0.08 to 0.4 of the time without those, and end at the same objective.
_SAMPLE_STEPS, _SAMPLE_STEPS_KINKED = 30, 100
# By how many standard errors of the sample's optimum the predictors of few rows change:
# windows begin there (half and double: the same).
_DEVIATIONS = 6.0
# Differences of objectives of so many units in the last place of the loss of a standard
# deviation are rounding of a sum over rows, as in the loop's slack.
_LOST_DIGITS = 64.0
# Condition numbers up to this part of tol / eps leave predictors the digits that tol
# asks for. Steps of a standard deviation round them by eps times the condition number,
# or less; the objective changes as much in units of its size, and SIZE_SHARE of that
# may be all that tol is relative to. Of 800 fits of seven losses with nearly dependent
# columns 117 had more: 9 of them moved by more than is tolerated, and none of the rest.
_FEWEST_DIGITS = SIZE_SHARE
# Fewer rows are not worth telling apart by whether they are straight: at half of them
# the steps of 3,000 rows are 5 % more and the rows that are read 3 % less.
_FEWEST_STRAIGHT = 1 << 12


@dataclass(frozen=True)
class Problem:
    """What is minimised for one target, and how.

    With `windows` the loss, which has kinks, is seen through windows that narrow.
    `least_squares` is theta where it came with the second moments, and `sample` are
    the numbers of rows that stand for all, where there are many. The rows are `unseen`
    where it is not checked yet that all of X is finite, and `constant` is theta of the
    best constant where it is known. `rough` is as in `Goal`. It may be solved
    `again` from where it has ended.
    """

    objective: MeanLoss
    traits: Traits
    penalty: Penalty
    method: Method
    windows: bool
    tol: float
    max_iter: int
    report: Report
    least_squares: np.ndarray | None = None
    sample: np.ndarray | None = None
    unseen: bool = False
    constant: np.ndarray | None = None
    rough: bool = False
    again: bool = True

    def judged(self, state: State) -> State:
        """See whether there is a minimum where a descent has ended."""
        if state.endless:
            return state
        return state._replace(endless=self._end(state).of_one())

    def _end(self, state: State) -> End:
        stuck = self.tol < state.error and len(state.curve) <= self.max_iter
        known = self.objective, self.penalty, self.method, state
        return End(*known, self.traits, stuck)

    def descend(self, given: np.ndarray | None = None) -> State:
        """Descend from the least of what is given, a constant and least squares."""
        theta, point, near = self._start(given)
        if self.objective.n_outputs > 1:
            return self._with_outputs_alike(theta, point, near)
        return self._towards(*self.goal(point, near), theta, point, near)

    def descend_from(
        self, theta: np.ndarray, point: Point, near: float | None = None
    ) -> State:
        """Descend from theta and its point; how near the end is may be known."""
        return self._towards(*self.goal(point, near), theta, point, near)

    def _with_outputs_alike(
        self, theta: np.ndarray, point: Point, near: float | None
    ) -> State:
        """Descend with several predictors a row, in units that make them alike."""
        some, n_outputs = rough(self.objective), self.objective.n_outputs
        alike = self.penalty.alike(n_outputs)
        outputs = outputs_of_rows(
            some, theta, kinked=self.windows, convex=self.traits.convex, alike=alike
        )
        measured = replace(
            self,
            objective=self.objective.at_units(outputs.units),
            method=self.method.for_outputs(outputs.factor, outputs.units),
        )
        # Columns that no output is penalised for: no row sees how they are shifted.
        free = self.penalty.free.reshape(-1, n_outputs).all(axis=1).repeat(n_outputs)
        if outputs.basis is not None:
            theta = np.where(free | alike, outputs.spanned(theta), theta)
            point = self.objective.point(self.objective.linear_predictor(theta))
        # Behind a link a loss of one is large, wherever the start may be: next to a
        # row that is predicted exactly, with a scale near zero, a unit is anything.
        size = min(outputs.size, 1.0) if self.traits.linked else outputs.size
        goal = self._goal(1.0, size, 1.0, near)
        state = measured._towards(goal, 1.0, theta, point, near)
        end = replace(measured._end(state), basis=outputs.basis)
        state = state._replace(endless=end.of_outputs(size))
        if outputs.basis is None:
            return state
        theta = np.where(free, outputs.spanned(state.theta), state.theta)
        return state._replace(theta=theta)

    def _towards(
        self,
        goal: Goal,
        spread: float,
        theta: np.ndarray,
        point: Point,
        near: float | None,
    ) -> State:
        """Descend from theta and its point, towards a goal."""
        problem = self.method, self.objective, self.penalty, goal
        start, certain = begin(self.penalty, theta, point), np.inf
        state = start
        windows = self.windows or self._sharp(theta, goal)
        if windows:
            state = narrow(
                *problem,
                state,
                spread=spread,
                near=None if near is None else near * spread,
                straight=self._may_be_straight,
                corners=self._may_have_corners,
            )
            least = self.traits.convex and not self.traits.linked
            if self.tol < state.error and least and self.objective.n_outputs == 1:
                left = above_exact(self.objective, state.curve[-1])
                error = max(goal.relative(left, state.curve[-1]), 0.0)
                state = state._replace(error=min(state.error, error))
            certain = state.error
        if not windows or not (self.windows or self._sharp(state.theta, goal)):
            # Of a smooth loss distances tell more than values where its rows bend.
            state = minimise(*problem, self._without_window(state, at_end=windows))
            state = state._replace(error=float(np.minimum(state.error, certain)))
        check_bounded(self.objective.loss.loss, state.curve, goal.size)
        return self._seen_anew(goal, spread, start, state)

    def _seen_anew(
        self, goal: Goal, spread: float, start: State, state: State
    ) -> State:
        """Descend again from an end that is not what its predictors say.

        Steps add to the predictors, whose rounding is that of the largest on the way.
        """
        if self._holds_digits or not np.isfinite(state.curve[-1]):
            return state
        linear = self.objective.linear_predictor(state.theta)
        value = self.objective.value(linear) + self.penalty.value(state.theta)
        size, lost = goal.size / SIZE_SHARE, value - state.curve[-1]
        if not abs(lost) > goal.enough(value) + _LOST_DIGITS * goal.eps * size:
            return state
        point = self.objective.point(linear)
        if not (self.again and np.isfinite(self.objective.gradient(point)).all()):
            # Theta and predictors do not hold what tol asks for.
            half = np.sqrt(goal.eps) * size
            left = goal.relative(lost, value) if lost > half else 0.0
            curve, error = (*state.curve[:-1], value), max(state.error, left)
            end = state._replace(curve=curve, error=error)
        else:
            again = replace(self, again=False)
            end = again._towards(goal, spread, state.theta, point, None)
            end = end._replace(curve=(*state.curve, *end.curve))
        # By rounding it may be no better than the first end, nor that than the start.
        for least, known in ((value, state.theta), (start.curve[0], start.theta)):
            if end.curve[-1] > least:
                end = end._replace(theta=known, curve=(*end.curve[:-1], least))
        return end

    @property
    def _holds_digits(self) -> bool:
        """Whether predictors are what theta says, as far as tol asks for it.

        Of columns that are not whitened it is not known; but descents on squared error
        lead no predictor further than the residuals of the start.
        """
        dtype, method = self.objective.data.rows.dtype, self.method
        if not isinstance(method, QuasiNewton):
            return self.constant is not None and dtype == np.float64
        most = _FEWEST_DIGITS * self.tol / float(np.finfo(dtype).eps)
        held = method.coordinates.dense and method.coordinates.condition < most
        return held and self.objective.n_outputs == 1

    @property
    def _may_be_straight(self) -> bool:
        """Whether rows are worth summing up where they are straight."""
        rows = self.objective.data.rows
        return rows.eager and rows.shape[0] >= _FEWEST_STRAIGHT and self.traits.convex

    @property
    def _may_have_corners(self) -> bool:
        """Whether corners are looked for: in host memory few rows cost little."""
        objective = self.objective
        eager = objective.data.rows.eager and objective.n_outputs == 1
        return eager and self.windows and not self.rough

    def _without_window(self, state: State, *, at_end: bool) -> State:
        """Return a state without a window; `at_end` of a descent through windows."""
        point = state.point
        if at_end:
            point = self.objective.point(self.objective.linear_predictor(state.theta))
        state = at(self.objective, self.penalty, state, point)
        if self.unseen:
            check_unseen(self.objective.data, state.gradient)
        if not np.isfinite(state.gradient).all():
            raise refusal(self.objective, state.theta)
        return state

    def _sharp(self, theta: np.ndarray, goal: Goal) -> bool:
        """Whether a smooth loss bends so sharply that few rows tell of its curvature.

        Proximal Newton steps would be as long as its bends are wide.
        """
        steady = self.constant is not None or self.traits.linked
        if self.penalty.smooth or steady or not self.traits.convex:
            return False
        return rough(self.objective).few_bend(theta, goal.curvature_bandwidth)

    def _start(
        self, given: np.ndarray | None
    ) -> tuple[np.ndarray, Point, float | None]:
        """Theta, its point, and how near the optimum is, in median residuals."""
        near, candidates = None, []
        if given is not None:
            candidates.append(given)
        elif self._starts_robustly:
            candidates.append(self.robust().descend().theta)
        else:
            if self.sample is not None:
                candidates.append(self.of_sample().descend().theta)
                n_columns = self.objective.data.rows.shape[1]
                near = _DEVIATIONS * np.sqrt(n_columns / len(self.sample))
            if self.least_squares is not None and not self.traits.linked:
                candidates.append(self.least_squares)
        number, theta, point = best_start(
            self.objective,
            self.penalty,
            candidates,
            linked=self.traits.linked,
            kinked=self.windows,
            known_constant=self.constant,
        )
        return theta, point, None if number > 0 or near is None else float(near)

    @property
    def _starts_robustly(self) -> bool:
        """Whether the descent starts from a robust convex fit."""
        known = self.traits.convex or self.traits.linked
        return not known and self.objective.n_outputs == 1

    def robust(self) -> Problem:
        """Least absolute deviations, roughly."""
        loss, data = LinearLoss.of(AbsoluteError()), self.objective.data
        return replace(
            self,
            objective=replace(
                self.objective, loss=loss, data=data._replace(row_data=())
            ),
            traits=ABSOLUTE,
            windows=True,
            tol=_ROBUST_TOL,
            report=silent,
        )

    def of_sample(self) -> Problem:
        """Return the problem of a sample of the rows, to be solved roughly."""
        if self.sample is None:
            return self
        data, method = self.objective.data.part(self.sample), self.method
        if isinstance(method, QuasiNewton):
            # Others may be whitened by these: they need no Hessian to begin with.
            method = replace(method, of_all=True)
        kinked = self.traits.kinked
        steps = min(self.max_iter, _SAMPLE_STEPS_KINKED) if kinked else _SAMPLE_STEPS
        return replace(
            self,
            objective=replace(self.objective, data=data),
            method=method,
            sample=None,
            tol=max(self.tol, _SAMPLE_TOL),
            max_iter=steps,
            report=silent,
            rough=True,
        )

    def goal(self, point: Point, near: float | None = None) -> tuple[Goal, float]:
        """When to stop, and the median residual at the start."""
        scale, size, spread = units(self.objective, point, linked=self.traits.linked)
        return self._goal(scale, size, spread, near), spread

    def _goal(
        self, scale: float, size: float, spread: float, near: float | None
    ) -> Goal:
        """When to stop, in these units."""
        reach = scale if near is None else min(near * spread, scale)
        eps = float(np.finfo(self.objective.data.rows.dtype).eps)
        beside = eps, self.report, self.rough
        return Goal(self.tol, self.max_iter, scale, SIZE_SHARE * size, reach, *beside)


def descend(
    task: Task, fit: Fit, prepared: Prepared | None = None, *, windows: bool = False
) -> Solution:
    """Descend for each target, with all rows measured where a sample misleads.

    `prepared` are the rows where they are in their place already.
    """
    prepare, _ = way(task)
    prepared = prepared or prepare(task, fit, by_sample=True)
    states: list[State] = []
    while len(states) < fit.y.shape[1]:
        column = len(states)
        problem, given = problem_of(task, fit, prepared, column, windows=windows)
        state = problem.judged(problem.descend(given))
        spent = len(state.curve) > task.max_iter
        if state.error <= task.tol or spent or prepared.sample is None:
            states.append(state)
        else:
            prepared, states = prepare(task, fit, by_sample=False), []
    return of_targets(task, prepared.data.rows, states)


def problem_of(
    task: Task, fit: Fit, prepared: Prepared, column: int, *, windows: bool
) -> tuple[Problem, np.ndarray | None]:
    """Return the problem of one target, and theta where a start is given.

    It is solved through windows or not.
    """
    rows = prepared.data.rows
    data = fit.of_target(prepared.data, column)
    loss = LinearLoss.cheapest(task.loss, fit.row_names)
    objective = MeanLoss(data, loss, task.backend, units=task.units)
    penalty = task.penalty(rows.shape[1] - task.intercept)
    # Least squares, where it is known, is that of one predictor.
    start = prepared.theta if task.n_outputs == 1 else None
    _, method = way(task)
    problem = Problem(
        objective,
        fit.traits,
        penalty,
        method(fit, prepared, objective),
        windows,
        task.tol,
        task.max_iter,
        fit.report,
        None if start is None else start[:, column],
        prepared.sample,
        prepared.unseen,
        np.zeros(rows.shape[1]) if fit.squared else None,
    )
    if fit.start is None:
        return problem, None
    coef, intercept = fit.start
    if task.n_outputs > 1:
        return problem, rows.inner(coef, intercept).reshape(-1)
    return problem, rows.inner(coef[:, column], intercept[column])


def silent(_values: Any) -> None:
    """Report nothing: a descent that another one starts from."""
