"""The interface of the libraries for automatic differentiation.

A backend differentiates the loss of every row with respect to its prediction. It may
also run the loop of an iteration itself, to compile it, and, where it has devices,
place arrays on them. All functions that it is given are pure: they depend on their
arguments alone, so that they may be traced, compiled and cached.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from sklearn_adreg.backends._elementwise import MissingRuleError

__all__ = ["Backend", "iterate_in_python"]

State = TypeVar("State")


class Backend(ABC):
    """Abstract base class of the libraries for automatic differentiation.

    Subclass it to add another library, and pass an instance as ``backend=``. Make the
    subclass a frozen dataclass, or define equality and a hash: equal backends then
    share their compiled functions, and estimators that hold one can be cloned and
    pickled.

    A backend that computes in host memory implements `name` and
    `value_and_derivative`. One that has devices overrides `array_namespace`, `iterate`,
    `devices`, `place` and `evaluate` as well.

    See Also
    --------
    AutogradBackend : Tape-based differentiation of NumPy code.
    JaxBackend : Traced, compiled differentiation on CPU, GPU and TPU.

    Examples
    --------
    >>> from sklearn_adreg.backends import AutogradBackend, Backend
    >>> isinstance(AutogradBackend(), Backend)
    True
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the backend, for ``backend=`` and in error messages."""

    @abstractmethod
    def value_and_derivative(
        self, loss: Callable[..., Any]
    ) -> Callable[..., tuple[Any, Any]]:
        """Differentiate the loss of each row with respect to its predictions.

        Parameters
        ----------
        loss : callable
            ``loss(y_true, y_pred, *row_data)``, hashable. It returns one value for each
            row, or for each entry of `y_pred`, which depends on that row alone.

        Returns
        -------
        callable
            Takes NumPy arrays `y_true`, `y_pred`, (n,) or (n, k), and further arrays
            with n rows. Returns NumPy arrays: the losses, (n,) or (n, k), and the
            derivatives of each row's loss, or of the sum of its losses, with respect to
            `y_pred`, of the shape and dtype of `y_pred`. Inside `evaluate` and
            `iterate` of a backend that compiles, it takes and returns traced arrays.
        """

    @property
    def array_namespace(self) -> Any:
        """The module of array functions (``where``, ``sqrt``, ...) of the backend.

        Returns
        -------
        module
            NumPy, unless a backend overrides it.
        """
        return np

    def value_and_gradient(
        self, function: Callable[..., Any]
    ) -> Callable[..., tuple[Any, Any]]:
        """Differentiate a scalar function with respect to its first argument.

        Optional: the estimators do not use it. Without an override it raises
        `NotImplementedError`.

        Parameters
        ----------
        function : callable
            ``function(params, *constants)`` with an array `params` of any shape and
            a real scalar as its value.

        Returns
        -------
        callable
            Takes the same arguments; returns the value and the gradient, which has
            the shape of `params`. Inside `iterate` of a backend that compiles, the
            arguments may be traced arrays.
        """
        del function  # there is nothing that could use it
        raise MissingRuleError(
            f"backend={self.name!r} has no gradients of functions: its class does not "
            "override Backend.value_and_gradient. Use backend='autograd' or 'jax'."
        )

    def iterate(
        self,
        step: Callable[[Any, State], State],
        proceed: Callable[[Any, State], Any],
        problem: Any,
        state: State,
        max_iter: int,
        report: Callable[[np.ndarray], None],
    ) -> tuple[State, np.ndarray]:
        """Apply `step` while `proceed` is true, at most `max_iter` times.

        The default is the loop of `iterate_in_python`. A backend that compiles
        overrides it.

        Parameters
        ----------
        step : callable
            ``step(problem, state)`` returns the next state. Hashable.

        proceed : callable
            ``proceed(problem, state)`` is true while another step is wanted.
            Hashable.

        problem, state : NamedTuple of arrays
            The constant data of the iteration, and its first state. ``state.value`` is
            the objective at a state.

        max_iter : int
            The largest number of steps.

        report : callable
            Called from time to time with the values since its last call.

        Returns
        -------
        state : NamedTuple of numpy.ndarray
            The last state.

        values : ndarray of shape (n_iter,)
            ``state.value`` after each step.
        """
        return iterate_in_python(step, proceed, problem, state, max_iter, report)

    def derivatives(
        self, func: Callable[[Any], Any], x: Any, order: int
    ) -> Sequence[Any]:
        """Compute an elementwise function and its derivatives up to an order.

        Optional: `sklearn_adreg.derivatives` uses it, the estimators do not. Without an
        override it raises `NotImplementedError`.

        Parameters
        ----------
        func : callable
            ``func(x)``, of the shape of `x`.

        x : ndarray or traced array of the backend
            The points at which to differentiate.

        order : int
            The highest order.

        Returns
        -------
        sequence of order + 1 arrays of the shape of x
            The function, and its derivatives of order 1, 2, ...
        """
        del func, x, order  # there is nothing that could use them
        raise MissingRuleError(
            f"backend={self.name!r} has no derivatives of higher order: its class "
            "does not override Backend.derivatives. Use backend='autograd' or 'jax'."
        )

    def devices(self) -> Sequence[str]:
        """Names of the devices that `place` accepts on this machine.

        Returns
        -------
        sequence of str
            Empty where the backend computes in host memory alone.
        """
        return ()

    def place(self, arrays: Sequence[np.ndarray], device: str) -> tuple[Any, ...]:
        """Put host arrays on a device.

        Parameters
        ----------
        arrays : sequence of ndarray
            Arrays in host memory; their dtype is kept.

        device : str
            A platform, or a platform and a number: ``"gpu"``, ``"cuda:1"``.

        Returns
        -------
        tuple
            The arrays on the device.

        Raises
        ------
        ValueError
            If there is no such device. The message lists the available ones.
        """
        del arrays  # there is nowhere to put them
        raise ValueError(_unknown_device(self, device))

    def evaluate(self, function: Callable[..., Any], *arrays: Any) -> Any:
        """Call ``function(array_namespace, *arrays)`` on the arrays' device.

        Parameters
        ----------
        function : callable
            A pure function of an array namespace and arrays. Hashable.

        *arrays : array
            Arrays that `place` or an earlier `evaluate` returned, or host arrays.

        Returns
        -------
        array or tuple of arrays
            The return value of the function, left on the device.
        """
        return function(self.array_namespace, *arrays)


def _unknown_device(backend: Backend, device: str) -> str:
    """Message for a device that is not there, with the ones that are."""
    known = ", ".join(repr(name) for name in backend.devices())
    return (
        f"The 'device' parameter must be None (host memory) or one of the devices of "
        f"backend={backend.name!r} on this machine: {known or 'it has none'}. Got "
        f"{device!r} instead."
        + ("" if known else " Use backend='jax' to compute on a device.")
    )


def iterate_in_python(
    step: Callable[[Any, State], State],
    proceed: Callable[[Any, State], Any],
    problem: Any,
    state: State,
    max_iter: int,
    report: Callable[[np.ndarray], None],
) -> tuple[State, np.ndarray]:
    """Run `Backend.iterate` as a plain loop.

    Parameters
    ----------
    step, proceed : callable
        See `Backend.iterate`.

    problem, state : NamedTuple of arrays
        See `Backend.iterate`.

    max_iter : int
        The largest number of steps.

    report : callable
        Called with each new value of the objective.

    Returns
    -------
    state : NamedTuple of arrays
        The last state.

    values : ndarray of shape (n_iter,)
        ``state.value`` after each step.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> from sklearn_adreg.backends import iterate_in_python
    >>> class State(NamedTuple):
    ...     value: float
    >>> state, values = iterate_in_python(
    ...     step=lambda problem, state: State(state.value / 2),
    ...     proceed=lambda problem, state: state.value > problem,
    ...     problem=1.0,
    ...     state=State(8.0),
    ...     max_iter=100,
    ...     report=lambda values: None,
    ... )
    >>> values
    array([4., 2., 1.])
    """
    values: list[float] = []
    # A diverging descent overflows on its way to the error that explains it.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        while len(values) < max_iter and proceed(problem, state):
            state = step(problem, state)
            values.append(float(state.value))  # type: ignore[attr-defined]
            report(np.array(values[-1:]))
    return state, np.array(values)
