"""Why a backend could not differentiate a function: the operation, and the remedy."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

_USE_NAMESPACE = (
    "Use functions of sklearn_adreg.numpy, in place of those of math or of another "
    "backend's, and its `where` in place of a branch on a value of x or of entries "
    "that are assigned to."
)
# Whose calls of NumPy are no fault of the function's author.
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
    return f"{said.splitlines()[0]} {_USE_NAMESPACE}"


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
