"""Kinked losses that are sums over their outputs: each output by itself.

One window and one line search for all outputs fit none of them, and rows are summed up
where they are straight in one output alone. That the loss is a sum is seen again where
that has led, on all rows: where it is none after all, all outputs descend together from
there, and no more than time is lost.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sklearn_adreg._descent.loop import Solution
from sklearn_adreg._loss.apart import OUTPUT, is_sum_around
from sklearn_adreg._loss.traits import bulk_scale
from sklearn_adreg._rows.rows import Rows
from sklearn_adreg._solve.prepare import Prepared, way
from sklearn_adreg._solve.problem import descend
from sklearn_adreg._solve.targets import side_by_side
from sklearn_adreg._solve.task import Fit, Task


def solve_outputs_apart(task: Task, fit: Fit) -> Solution:
    """Descend for each output, and from there for all together."""
    prepare, _ = way(task)
    prepared = prepare(task, fit, by_sample=True)
    # The ridge is in the coordinates: outputs that differ by it have their own.
    shared = prepared if np.ndim(task.alpha) < 2 else None
    found = side_by_side(
        [_of_output(task, fit, number, shared) for number in range(fit.n_outputs)]
    )
    if _is_sum_at(task, fit, prepared.data.rows, found):
        return found
    start = fit._replace(start=(found.coef, found.intercept))
    return descend(task, start, prepared, windows=True)


def _is_sum_at(task: Task, fit: Fit, rows: Rows, found: Solution) -> bool:
    """Whether the loss is the sum of its parts around a solution, in rows that count.

    What is the minimum of a convex function there is so everywhere.
    """
    part, counts = fit.traits.part, np.full(len(fit.y), True)
    assert part is not None
    if fit.weight is not None:
        counts = fit.weight > 0
    linear = rows.numpy(rows.matvec(rows.inner(found.coef, found.intercept)))
    linear = linear if fit.offset is None else linear + fit.offset
    unit = bulk_scale(fit.y[counts]) if part.at_target else 1.0
    # Where a parabola is above its minimum by what is tolerated.
    unit *= float(np.sqrt(max(task.tol, np.finfo(linear.dtype).eps)))
    known = (each[counts] for each in (fit.y[:, 0], *fit.row_data))
    return is_sum_around(part, linear[counts], unit, *known)


def _of_output(task: Task, fit: Fit, number: int, shared: Prepared | None) -> Solution:
    """Descend for one output, the number of which is among the data of each row."""
    part = fit.traits.part
    assert part is not None
    numbers = np.full(len(fit.y), number)
    alone = fit.of_column(number)._replace(
        traits=fit.traits._replace(part=None),
        row_data=(*fit.row_data, numbers),
        row_names=(*fit.row_names, OUTPUT),
    )
    if shared is not None:
        data = shared.data
        row_data = (*data.row_data, data.rows.vector(numbers))
        shared = shared._replace(data=data._replace(row_data=row_data))
    task = replace(task.of_part(number), loss=part, n_outputs=1)
    return descend(task, alone, shared, windows=True)
