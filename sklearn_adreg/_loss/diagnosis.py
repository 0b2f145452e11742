"""Why a backend could not differentiate a function: the operation, and the remedy."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import numpy as np

from sklearn_adreg._loss.linear import LinearLoss, named
from sklearn_adreg.backends._confused import ConfusedArrayError
from sklearn_adreg.backends.base import Backend

_USE_NAMESPACE = (
    "Use functions of sklearn_adreg.numpy, in place of those of math or of another "
    "backend's, and its `where` in place of a branch on a value of x or of entries "
    "that are assigned to."
)
# What Python and NumPy say where an array is given in place of a number.
_NEEDS_NUMBER = re.compile("converted to Python scalar|must be (a )?real number")
# What Python raises in a loss that is followed, where it cannot be; and the others are
# a backend's if they come from its own code.
_OF_BACKENDS = TypeError, ValueError, AttributeError
# Whose calls of NumPy, and errors, are no fault of the function's author.
_LIBRARIES = ("autograd.", "jax.", "numpy.", "scipy.", "sklearn_adreg.")


def explained(
    func: Callable[[Any], Any],
    x: np.ndarray,
    backend: str,
    error: Exception,
    *,
    name: str = "`func`",
) -> Exception:
    """Name the operation in an error; return it as it is where none is at fault."""
    try:
        calls = _numpy_calls(func, x, ufuncs=backend != "autograd")
    except TypeError as plain:
        reason = f"on an array of plain numbers it raises '{plain}'. {_USE_NAMESPACE}"
    except Exception:  # the function fails without any backend: that is the news
        return error
    else:
        reason = _reason(calls, backend, error)
    return TypeError(f"backend={backend!r} cannot differentiate {name}: {reason}")


def _reason(calls: list[str], backend: str, error: Exception) -> str:
    if calls:
        names = ", ".join(
            f"numpy.{name}" if hasattr(np, name) else name for name in calls
        )
        return (
            f"it calls {names}, which {backend} cannot follow. Use functions of "
            "sklearn_adreg.numpy."
        )
    ufunc = re.search(r"<ufunc '(\w+)'>|[VJ]VP of (\w+)", str(error))
    if ufunc:
        return (
            f"it calls {ufunc[1] or ufunc[2]}, of which {backend} has no derivative. "
            "Write it with other functions of sklearn_adreg.numpy, or use another "
            "backend."
        )
    said = str(error).strip() or repr(error)
    if "__array__()" in said and "shape int" in said:
        return (
            f"it indexes an array of NumPy's with traced integers, which {backend} "
            "cannot follow. Write take(array, index), of sklearn_adreg.numpy, in place "
            "of array[index]."
        )
    return f"{said.splitlines()[0].rstrip('.')}. {_USE_NAMESPACE}"


def _numpy_calls(
    func: Callable[[Any], Any], x: np.ndarray, *, ufuncs: bool
) -> list[str]:
    """Call func on plain numbers that write down which functions of NumPy it uses."""
    calls: list[str] = []

    def note(function: Any) -> None:
        frame = sys._getframe(2)
        module = str(frame.f_globals.get("__name__", ""))
        # Operators call ufuncs as well, but their names are not in the code.
        written = function.__name__ in frame.f_code.co_names
        if written and not f"{module}.".startswith(_LIBRARIES):
            calls.append(function.__name__)

    class Witness(np.ndarray):
        def __array_function__(
            self, func: Any, types: Any, args: Any, kwargs: Any
        ) -> Any:
            note(func)
            return super().__array_function__(func, types, args, kwargs)

        def __array_ufunc__(
            self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any
        ) -> Any:
            if ufuncs:
                note(ufunc)
            plain = [np.asarray(value) for value in inputs]
            if kwargs.get("out"):
                kwargs["out"] = tuple(np.asarray(value) for value in kwargs["out"])
            return np.asarray(getattr(ufunc, method)(*plain, **kwargs)).view(Witness)

    with np.errstate(all="ignore"):
        func(np.asarray(x).view(Witness))
    return list(dict.fromkeys(calls))


def loops_over_rows(func: Callable[..., Any], *arrays: np.ndarray) -> bool:
    """Whether a function of arrays takes their entries one by one, in Python."""
    taken: list[Any] = []

    class Counted(np.ndarray):
        def __getitem__(self, index: Any) -> Any:
            if isinstance(index, int | np.integer):
                taken.append(index)
            return super().__getitem__(index)

    func(*(each.view(Counted) for each in arrays))
    return len(set(taken)) >= len(arrays[0])


def explained_plain(
    whole: LinearLoss,
    backend: Backend,
    y_true: np.ndarray,
    linear: np.ndarray,
    row_data: Sequence[np.ndarray],
    error: Exception,
) -> Exception:
    """Compose an error where a loss is no function of arrays; return its own as it is.

    Where it may come from arrays of all rows, a note says so.
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
    if isinstance(error, ValueError) and "to a Python scalar" in said:
        return ValueError(
            f"The loss {name} must be a function of two arrays. Got '{said}' from it. "
            "Compute with whole arrays, without item() or float()."
        )
    if isinstance(error, TypeError) and _NEEDS_NUMBER.search(said):
        return explained_loss(whole, backend, y_true, linear, row_data, error)
    if isinstance(error, ValueError | IndexError):
        error.add_note(
            "A loss sees blocks of rows: an array that it refers to cannot have an "
            "entry for each row of X. Pass what belongs to a row as row_data: a "
            "keyword-only argument of the loss, loss(y_true, y_pred, *, cost), comes "
            "by fit(X, y, row_data={'cost': cost}). Weights of rows are the "
            "sample_weight of fit."
        )
    return error


def _inside(error: Exception) -> bool:
    """Whether the error comes from within the loss, and not from the call of it."""
    return _raised_in(error).f_code is not LinearLoss.__call__.__code__


def _of_library(error: Exception) -> bool:
    """Whether the error was raised in the code of a library."""
    module = str(_raised_in(error).f_globals.get("__name__", ""))
    return f"{module}.".startswith(_LIBRARIES)


def _raised_in(error: Exception) -> FrameType:
    """Frame in which an error was raised that has been caught."""
    last = error.__traceback__
    assert last is not None
    while last.tb_next is not None:
        last = last.tb_next
    return last.tb_frame


def explained_loss(
    whole: LinearLoss,
    backend: Backend,
    y_true: np.ndarray,
    linear: np.ndarray,
    row_data: Sequence[np.ndarray],
    error: Exception,
) -> Exception:
    """Name the operation that the backend could not follow."""
    known = isinstance(error, ConfusedArrayError)
    if known or not (isinstance(error, _OF_BACKENDS) or _of_library(error)):
        return error
    name = f"the loss {named(whole.loss)}"

    def of_linear(z: Any) -> Any:
        return whole(y_true, z, *row_data)

    return explained(of_linear, linear, backend.name, error, name=name)
