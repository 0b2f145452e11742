"""What `loss=` must be, seen on the first rows of the data before anything is fitted.

A mistake in a loss shows as a shape, a value or a derivative that cannot be right. The
message names the loss, what it must do, what it did and how to mend it.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np

from sklearn_adreg._loss.diagnosis import explained
from sklearn_adreg._loss.linear import LinearLoss, named
from sklearn_adreg._loss.lines import predictors_to_try
from sklearn_adreg._loss.traits import bulk_scale
from sklearn_adreg.backends.base import Backend
from sklearn_adreg.losses import LOSSES, Loss

# Rows that a loss is tried on, and to which part differences and derivatives agree that
# are those of one function.
_TRIED_ROWS, _AGREEMENT = 8, 0.1
# Distances of predictions from those that are tried, in units of the bulk.
_STEPS = np.array([0.02, 0.2, 2.0, 20.0], dtype=np.float32)
# Rows of those that it is tried on again, and what has then been done to them.
_REARRANGED: dict[tuple[int, ...], str] = {
    **{(row,): "the rest were left out" for row in range(_TRIED_ROWS)},
    (3, 0, 6, 1, 7, 4, 2, 5): "they came in another order",
}
# What Python and NumPy say where an array is given in place of a number.
_NEEDS_NUMBER = re.compile("converted to Python scalar|must be (a )?real number")
# Rows that tell whether y has two labels, and sizes of predictions that these are tried
# with.
_LABELLED_ROWS, _LABEL_GRID = 1 << 12, 46


def get_loss(loss: Any) -> Loss:
    """Return the loss of a name; a callable is returned as it is."""
    if isinstance(loss, str):
        return LOSSES[loss]
    if isinstance(loss, type):
        raise ValueError(
            f"The 'loss' parameter must be a loss, not a class of losses. Got "
            f"{loss.__name__} instead. Pass an instance: loss={loss.__name__}()."
        )
    return loss


def needs_positive(loss: Any) -> bool:
    """Whether targets must be positive, for scikit-learn's tags."""
    found = LOSSES.get(loss) if isinstance(loss, str) else loss
    check_target = getattr(found, "check_target", None)
    if check_target is None or isinstance(found, type):
        return False
    try:
        check_target(np.array([-1.0]))
    except ValueError:
        return True
    return False


def check_loss(
    loss: Loss, backend: Backend, target: np.ndarray, n_outputs: int = 1
) -> None:
    """Raise ValueError or TypeError where the loss cannot be descended on.

    `target` is (n_samples, n_targets).
    """
    check_target = getattr(loss, "check_target", None)
    if check_target is not None:
        check_target(target)
    index = ((np.arange(_TRIED_ROWS) + 0.5) * len(target) / _TRIED_ROWS).astype(int)
    y_true = target[index, 0]
    linked = getattr(loss, "inverse_link", None) is not None
    around = np.linspace(-0.71, 0.53, _TRIED_ROWS, dtype=target.dtype)
    # Predictions as far from the targets as the bulk of those are apart, on no kink.
    spread = target.dtype.type(1.0 if linked else bulk_scale(target[:, 0]))
    linear = around if linked else y_true + around * spread
    whole = LinearLoss.of(loss)
    units = np.full(n_outputs, spread)
    if n_outputs > 1:
        linear, units = predictors_to_try(whole, y_true, around, units)
    values = _tried(whole, backend, y_true, linear)
    _check_values(loss, values, y_true, linear)
    for rows, done in _REARRANGED.items():
        try:
            again = _tried(whole, backend, y_true[[*rows]], linear[[*rows]])
        except Exception as error:
            raise _coupled(loss, f"'{error}' from it when {done}") from error
        if not _agrees(np.asarray(again), np.asarray(values)[[*rows]]):
            raise _coupled(loss, f"other values for the same samples when {done}")
    _check_derivatives(whole, backend, y_true, linear, units)
    if n_outputs == 1:
        _check_labels(whole, backend, target[:, 0])


def _agrees(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether values of a loss are the same but for rounding."""
    tolerance = float(np.finfo(expected.dtype).eps) ** 0.5
    size = tolerance * float(np.abs(expected).max())
    same = found.shape == expected.shape
    return same and np.allclose(found, expected, rtol=tolerance, atol=size)


def _coupled(loss: Loss, got: str) -> Exception:
    """Compose the error for a loss in which a row sees others."""
    return _refused(
        loss,
        "must treat each sample by itself",
        got,
        "Do not use means, sums, sizes, orders or neighbours of its arguments.",
    )


def not_finite(
    loss: LinearLoss,
    backend: Backend,
    y_true: np.ndarray,
    linear: np.ndarray,
    weight: np.ndarray,
    *row_data: np.ndarray,
) -> Exception:
    """Compose the error for a loss that is not finite where a descent starts.

    Or its derivative is not. Targets and linear predictors are (n,) or (n, k).
    """
    differentiate = backend.value_and_derivative(loss)
    values, slopes = differentiate(np.ascontiguousarray(y_true), linear, *row_data)
    rule, got, counted = "be finite", "", (weight > 0)
    if np.isfinite(values.T[..., counted]).all():
        rule, got, values = "have a finite derivative", " as a derivative", slopes
    fine = np.isfinite(values).T | ~counted
    at = np.unravel_index(np.argmin(fine), fine.shape)[::-1]
    row = at[: y_true.ndim]
    return ValueError(
        f"The loss {named(loss.loss)} must {rule} for every sample. Got "
        f"{values[at]}{got} in row {at[0]}, with y_true={y_true[row]} and a linear "
        f"predictor of {np.array2string(linear[row], precision=6)}. Leave such rows "
        "out, or write the loss so that it is defined there."
    )


def unbounded(loss: Loss, value: float, n_iter: int) -> Exception:
    """Compose the error for a mean loss that has fallen without end."""
    return ValueError(
        f"The loss {named(loss)} must be bounded below. Got a mean of {value:.3g} "
        f"after {n_iter} steps, which still falls. Check its sign, and "
        "that labels in y are those that it is written for."
    )


def _check_values(
    loss: Loss, values: Any, y_true: np.ndarray, linear: np.ndarray
) -> None:
    if not hasattr(values, "shape"):
        raise _refused(
            loss,
            "must return an array, one value per sample",
            f"{'None' if values is None else type(values).__name__}",
            "Write it with array operations, and return the result.",
        )
    shape = np.shape(values)
    if shape != y_true.shape:
        remedy = "Compute it element by element"
        if shape == ():
            remedy = "Return one loss per sample, do not average"
        elif shape == linear.shape:
            remedy = "Sum it over the outputs, with axis=1"
        raise _refused(
            loss,
            f"must return one value per sample, shape {y_true.shape} here",
            f"shape {shape}",
            f"{remedy}: the mean, and the sample weights, are the estimator's.",
        )
    values = np.asarray(values)
    if values.dtype.kind != "f":
        raise _refused(
            loss,
            "must return real floating point numbers",
            f"dtype {values.dtype}",
            "A comparison alone has no derivative: multiply it by a cost.",
        )
    if not np.isfinite(values).all():
        at = int(np.argmin(np.isfinite(values)))
        raise _refused(
            loss,
            "must be finite",
            f"{values[at]} at y_true={y_true[at]}, a linear predictor of {linear[at]}",
            "Leave such rows out, or write the loss so that it is defined there.",
        )


def _check_derivatives(
    whole: LinearLoss,
    backend: Backend,
    y_true: np.ndarray,
    linear: np.ndarray,
    units: np.ndarray,
) -> None:
    differentiate = backend.value_and_derivative(whole)
    try:
        values, slopes = map(np.asarray, differentiate(y_true, linear))
        if values.dtype.kind == "O":
            raise TypeError("values that are followed got lost in an array")
    except Exception as error:
        found = _explained(whole, backend, y_true, linear, error)
        if found is error:
            raise
        raise found from error
    if slopes.shape != linear.shape or not np.isfinite(slopes).all():
        wrong = slopes[~np.isfinite(slopes)]
        raise _refused(
            whole.loss,
            "must have finite derivatives",
            f"{wrong[0] if wrong.size else slopes.shape} as a derivative",
            "Beware of sqrt and log at zero, and of `where`, which differentiates "
            "both of its branches.",
        )
    for output, unit in enumerate(units):
        axis = (np.arange(len(units)) == output).astype(linear.dtype)
        along = slopes.reshape(len(y_true), -1) @ axis
        moves = [
            step * unit * (axis if linear.ndim == 2 else axis[0]) for step in _STEPS
        ]
        _check_secants(whole.loss, differentiate, y_true, linear, along, moves)


def _check_secants(
    loss: Loss,
    differentiate: Any,
    y_true: np.ndarray,
    linear: np.ndarray,
    slopes: np.ndarray,
    steps: list[np.ndarray],
) -> None:
    """Refuse derivatives that have nothing to do with differences of the loss.

    Steps and slopes are those along one axis.
    """
    every = [*steps, *(-step for step in steps)]
    values = [differentiate(y_true, linear + step) for step in every]
    above, below, length = values[0][0], values[len(steps)][0], steps[0].max()
    secants = (above - below) / (2 * length)
    noise = 8 * np.finfo(above.dtype).eps * np.abs(above + below) / length
    agreed = _AGREEMENT * (np.abs(secants) + np.abs(slopes)) + noise
    wrong = np.abs(secants - slopes) > agreed + np.finfo(above.dtype).tiny
    # A loss may be flat here, or everywhere; not so if it changes in between.
    moves = any((value != above).any() for value, _ in values)
    flat = moves and not any(each.any() for each in (slopes, *(s for _, s in values)))
    if wrong.all() or flat:
        raise _refused(
            loss,
            "must be differentiable",
            f"a derivative of {slopes[0]:.6g} where the loss changes by "
            f"{secants[0]:.6g} per unit of the prediction",
            "Rounding, sorting and comparisons have no derivative.",
        )


def _check_labels(whole: LinearLoss, backend: Backend, target: np.ndarray) -> None:
    """Refuse two labels, one of which has the same loss whatever is predicted."""
    labels = np.unique(target[:: max(1, len(target) // _LABELLED_ROWS)])
    if len(labels) != 2:
        return
    sizes = np.logspace(-3, 12, _LABEL_GRID, dtype=target.dtype)
    linear = np.concatenate([-sizes, sizes])
    y_true = np.repeat(labels, len(linear))
    with np.errstate(all="ignore"):
        slopes = backend.value_and_derivative(whole)(y_true, np.tile(linear, 2))[1]
    flat = ~np.asarray(slopes != 0).reshape(2, -1).any(axis=1)
    if flat.sum() == 1 and len(np.unique(target)) == 2:
        raise _refused(
            whole.loss,
            "must depend on the prediction, whichever label y has",
            f"the same loss for all predictions where y is {labels[flat][0]}, of the "
            f"labels {labels[0]} and {labels[1]}",
            "Use the labels that it is written for (-1 and 1, or 0 and 1), or leave "
            "out rows that do not count.",
        )


def _tried(
    whole: LinearLoss, backend: Backend, y_true: np.ndarray, linear: np.ndarray
) -> Any:
    """Call the loss on plain numbers; explain what is wrong with it if it fails."""
    given = y_true.copy(), linear.copy()
    try:
        values = whole(*given)
    except Exception as error:
        found = _explained_plain(whole, backend, y_true, linear, error)
        if found is error:
            raise
        raise found from error
    for name, kept, now in zip(
        ("y_true", "y_pred"), (y_true, linear), given, strict=True
    ):
        if not np.array_equal(kept, now, equal_nan=True):
            raise _refused(
                whole.loss,
                "must leave its arguments as they are",
                f"another {name} after a call",
                "Write y = y - z in place of y -= z.",
            )
    return values


def _explained_plain(
    whole: LinearLoss,
    backend: Backend,
    y_true: np.ndarray,
    linear: np.ndarray,
    error: Exception,
) -> Exception:
    """Compose an error where a loss is no function of arrays; return its own as it is.

    Its own is given a note.
    """
    name, said = named(whole.loss), str(error)
    if isinstance(error, TypeError) and "argument" in said and not _inside(error):
        return ValueError(
            f"The loss {name} must be a function of two arrays, (y_true, y_pred). Got "
            f"'{said}' from it. Define it with these two."
        )
    if isinstance(error, ValueError) and "truth value of an array" in said:
        return ValueError(
            f"The loss {name} must be a function of two arrays. Got '{said}' from it. "
            "Use `where` of sklearn_adreg.numpy in place of a branch on a value."
        )
    if isinstance(error, TypeError) and _NEEDS_NUMBER.search(said):
        return _explained(whole, backend, y_true, linear, error)
    note = f"It was raised by the loss {name}"
    if isinstance(error, ValueError | IndexError):
        note += (
            f", called with {len(y_true)} rows. A loss is called with some of the rows "
            "at a time: an array that it refers to cannot have an entry for each row "
            "of X. Weights of rows are the sample_weight of fit; other row_data are "
            "not taken yet"
        )
    error.add_note(f"{note}.")
    return error


def _inside(error: Exception) -> bool:
    """Whether the error comes from within the loss, and not from the call of it."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    code = LinearLoss.__call__.__code__
    return last is not None and last.tb_frame.f_code is not code


def _explained(
    whole: LinearLoss,
    backend: Backend,
    y_true: np.ndarray,
    linear: np.ndarray,
    error: Exception,
) -> Exception:
    """Name the operation that the backend could not follow."""
    if isinstance(error, NameError | ImportError):  # no backend raises these
        return error
    name = f"the loss {named(whole.loss)}"
    return explained(partial(whole, y_true), linear, backend.name, error, name=name)


def _refused(loss: Loss, rule: str, got: str, remedy: str) -> Exception:
    """Compose the error for a loss that breaks a rule."""
    return ValueError(f"The loss {named(loss)} {rule}. Got {got}. {remedy}")
