"""Estimators whose loss pickle cannot write: an error that says what to do instead.

Pickle writes functions and classes by their names in a module; lambdas, and what is
defined inside a function, have none. Cloudpickle, and with it the worker processes of
joblib, writes them whole, and asks an object for its state by the same methods. What
tells the two apart is what they take for a function: cloudpickle all that is one by
`isinstance`, pickle only what is one by `type`.
"""

from __future__ import annotations

import io
import pickle
import sys
from copy import deepcopy
from types import FunctionType
from typing import Any

import numpy as np

from sklearn_adreg._habits import shown
from sklearn_adreg._loss.linear import named

# What is written by cloudpickle with a loss as an attribute. No module has its name, so
# that what writes all functions by their names, as skops, finds none when it loads.
_STAND_IN = FunctionType((lambda: None).__code__, {}, "a loss that pickle cannot write")
# Its attribute with the loss.
_HELD_LOSS = "_sklearn_adreg_loss"
# What joblib.dump and dill derive their picklers from.
_InPython: Any = pickle._Pickler


class Pickled:
    """An estimator whose losses are in its state as what pickle can, or refuses to."""

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())  # type: ignore[call-overload]
        for name in state.keys() & {"loss", "loss_"}:
            if _Trial(self).fails(state[name]):
                state[name] = _Refused(self, state[name])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        losses = {
            name: getattr(state[name], "__dict__", {}).get(_HELD_LOSS, state[name])
            for name in state.keys() & {"loss", "loss_"}
        }
        super().__setstate__({**state, **losses})  # type: ignore[misc]


class _Trial(pickle.Pickler):
    """Whether pickle can write a loss of an estimator, and what in it it cannot."""

    def __init__(self, estimator: Any) -> None:
        super().__init__(io.BytesIO(), pickle.HIGHEST_PROTOCOL)
        self.estimator, self.last = estimator, None

    def persistent_id(self, obj: Any) -> str | None:
        """Pass over arrays, which take long, and the estimator, which has no end."""
        self.last = obj
        return "known" if obj is self.estimator or type(obj) is np.ndarray else None

    def fails(self, loss: Any) -> Exception | None:
        """Return the error of pickle; None where it has none."""
        try:
            self.dump(loss)
        except Exception as error:
            return error
        return None


class _Refused:
    """A loss in the state of an estimator: a function to cloudpickle, not to pickle.

    `copy` leaves it there for `__setstate__`. Picklers in Python, such as dill's, that
    have a way of their own of writing functions get the loss.
    """

    def __init__(self, estimator: Any, loss: Any) -> None:
        # The attributes of the function that cloudpickle writes.
        self.__dict__ = {_HELD_LOSS: loss, "owner": type(estimator).__name__}

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return FunctionType

    def __getattr__(self, name: str) -> Any:
        return getattr(_STAND_IN, name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return deepcopy(vars(self)[_HELD_LOSS], memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        pickler = sys._getframe(1).f_locals.get("self")
        if isinstance(pickler, _InPython):
            write = pickler.dispatch.get(FunctionType)
            if write is not _InPython.save_global:
                return _same, (vars(self)[_HELD_LOSS],)
        loss, trial = vars(self)[_HELD_LOSS], _Trial(None)
        reason = trial.fails(loss)
        found = shown(trial.last)
        got = f"`{found if isinstance(found, str) else named(found)}`"
        where = "" if trial.last is loss else f" in {named(loss)}"
        raise pickle.PicklingError(
            f"The `loss` parameter of {vars(self)['owner']} must be something that "
            "pickle can write, and it writes functions and classes by their names in a "
            f"module. Got {got}{where}. Define it with `def` at the top of a module, "
            "or as a frozen dataclass with __call__ there; or write the model with "
            "cloudpickle, as the worker processes of joblib do: "
            "cloudpickle.dump(model, file)."
        ) from reason


def _same(loss: Any) -> Any:
    return loss
