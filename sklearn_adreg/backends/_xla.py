"""What JAX compiles: every jitted function of the package, at module level.

A program is keyed by the pure functions that it is given and the shapes of its
arrays, so that it is compiled once, whichever estimator asks for it. It is forgotten
when an object ends that its functions are told apart by, such as an array that a loss
refers to: JAX would keep what its static arguments hold until the process ends.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sklearn_adreg.backends._confused import ConfusedArrayError, is_confused
from sklearn_adreg.backends._equality import comparable, mortals

# Steps that one compiled call takes before it hands its values to Python.
STEPS_PER_CALL = 128
# Fewer rows cost as much to differentiate, and one more program to compile.
FEWEST_ROWS = 256
# Programs that are kept: a fit has ten or so, and a search those of each of its losses.
MOST_PROGRAMS = 256


def devices() -> dict[str, jax.Device]:
    """Every name that ``device=`` may have here, with the device that it means."""
    names: dict[str, jax.Device] = {}
    for platform in ("gpu", "cuda", "rocm", "tpu", "cpu"):
        try:
            found = jax.local_devices(backend=platform)
        except RuntimeError:  # JAX's way to say that there is no such platform
            continue
        names[platform] = found[0]
        names |= {f"{platform}:{i}": device for i, device in enumerate(found)}
    return names


@contextmanager
def exact(*arrays: Any) -> Iterator[None]:
    """Compute in the arrays' own dtype, with products at full precision.

    Arrays that are on a device stay there; host arrays are computed with on the CPU,
    never on an accelerator that nobody asked for.
    """
    with (
        jax.enable_x64(any(array.dtype == np.float64 for array in arrays)),
        jax.default_matmul_precision("highest"),
        jax.default_device(jax.local_devices(backend="cpu")[0]),
    ):
        yield


def padded(array: np.ndarray) -> np.ndarray:
    """Repeat the last row up to a power of two, so that few shapes are compiled."""
    n_rows = max(FEWEST_ROWS, 1 << (len(array) - 1).bit_length())
    n_missing = n_rows - len(array)
    if n_missing == 0:
        return array
    return np.concatenate([array, np.repeat(array[-1:], n_missing, axis=0)])


class Program:
    """``make(*functions, *arrays)``, compiled for functions that are all equal.

    It does not hold the functions: those of the call are traced.
    """

    def __init__(self, make: Callable[..., Any], key: Any) -> None:
        given = threading.local()
        self.given = given

        def traced(*arrays: Any) -> Any:
            return make(*given.functions, *arrays)

        traced.__name__ = make.__name__  # what a profile of JAX shows
        self.jitted = jax.jit(traced)
        self.ends = [weakref.finalize(each, _forget, key) for each in mortals(key)]

    @contextmanager
    def of(self, functions: tuple[Any, ...]) -> Iterator[Callable[..., Any]]:
        """Yield the program for some functions; new shapes of arrays are compiled."""
        before = getattr(self.given, "functions", None)
        self.given.functions = functions
        try:
            yield self.jitted
        except Exception as error:
            if not is_confused(error):
                raise
            raise ConfusedArrayError from error
        finally:
            self.given.functions = before


programs: OrderedDict[Any, Program] = OrderedDict()
_lock = threading.RLock()  # a thread that holds it may be the one to collect garbage


def compiled(
    make: Callable[..., Any], *functions: Any
) -> Callable[[], AbstractContextManager[Callable[..., Any]]]:
    """Return what opens ``make(*functions, *arrays)``, as a function of arrays.

    It is compiled once for functions that are equal.
    """
    key = (make, *map(comparable, functions))
    with _lock:
        program = programs.get(key)
        if program is None:
            program = programs[key] = Program(make, key)
        programs.move_to_end(key)
        if len(programs) > MOST_PROGRAMS:
            _forget(next(iter(programs)))
    return partial(program.of, functions)


def _forget(key: Any) -> None:
    with _lock:
        program = programs.pop(key, None)
    for end in program.ends if program else ():
        end.detach()


def row_by_row(
    loss: Callable[..., Any], y_true: jax.Array, y_pred: jax.Array, *row_data: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Losses of rows, and their derivatives by `y_pred`."""
    values, pullback, *_ = jax.vjp(loss, y_true, y_pred, *row_data)
    return values, pullback(jnp.ones_like(values))[1]


def run_steps(
    step: Callable[[Any, Any], Any],
    proceed: Callable[[Any, Any], Any],
    problem: Any,
    state: Any,
    limit: Any,
) -> tuple[jax.Array, Any, jax.Array]:
    """At most `limit` steps; how many were taken, the last state, the values."""

    def unfinished(carry: Any) -> Any:
        n_steps, state, _ = carry
        return (n_steps < limit) & proceed(problem, state)

    def advance(carry: Any) -> Any:
        n_steps, state, values = carry
        state = step(problem, state)
        return n_steps + 1, state, values.at[n_steps].set(state.value)

    values = jnp.zeros(STEPS_PER_CALL, dtype=state.value.dtype)
    start = (jnp.zeros((), dtype=jnp.int32), state, values)
    return lax.while_loop(unfinished, advance, start)
