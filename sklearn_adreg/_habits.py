"""What scikit-learn's estimators do beyond fitting: callbacks, links, representations.

Callbacks came with scikit-learn 1.9; before, estimators do without them.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any, TypeVar

import numpy as np
from sklearn.base import _fit_context

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Supports nothing."""

    def with_callbacks(method: Any) -> Any:
        """Return a method as it is."""
        return method


# Address of the built documentation; while it is empty nothing links there.
SITE = ""

Report = Callable[[np.ndarray], None]
Method = TypeVar("Method", bound=Callable[..., Any])
Callback = Callable[[], None] | None


def in_fit_context(method: Method) -> Method:
    """Check the parameters before a method; type checkers see it as it is."""
    decorated: Method = _fit_context(prefer_skip_nested_validation=True)(method)
    return decorated


@contextmanager
def all_or_nothing(estimator: Any) -> Iterator[None]:
    """Leave an estimator as it was before, where an error ends its fit."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        estimator.__dict__ = before
        raise


class Shown:
    """An estimator that links to its page, and shows a loss that is a lambda."""

    _doc_link_module = "sklearn_adreg"
    _doc_link_template = (
        f"{SITE}/generated/{{estimator_module}}.{{estimator_name}}.html" if SITE else ""
    )

    def _get_params_html(self, *args: Any, **kwargs: Any) -> Any:
        params = super()._get_params_html(*args, **kwargs)  # type: ignore[misc]
        if "loss" in params:
            params["loss"] = shown(params["loss"])
        return params


class Followed(CallbackSupportMixin):
    """An estimator whose fit tells callbacks of its beginning, steps and end."""

    @contextmanager
    def _followed(self, X: Any, y: Any, beside: Any) -> Iterator[Callback]:
        """Yield a function that reports steps, as `with_steps` takes it.

        What is given beside each row is by name, and None where it is not given.
        """
        try:
            if not {"_skl_callbacks", "_parent_callback_ctx"} & vars(self).keys():
                yield None
                return
            context = self._init_callback_context(max_subtasks=None)
            metadata = {k: v for k, v in beside.items() if v is not None} or None
            given = {"estimator": self, "X": X, "y": y, "metadata": metadata}
            context.call_on_fit_task_begin(**given)

            def step() -> None:
                inner = context.subcontext(task_name="step")
                inner.call_on_fit_task_begin(**given)
                inner.call_on_fit_task_end(**given)

            yield step
            context.call_on_fit_task_end(**given, reconstruction_attributes={})
        finally:
            _tear_down(self)


@with_callbacks
def _tear_down(_estimator: Any) -> None:
    """Do nothing: at the end of it callbacks are torn down."""


def with_steps(step: Callback, report: Report) -> Report:
    """Tell callbacks of each step as well; they do not stop a fit."""
    if step is None:
        return report

    def report_steps(values: np.ndarray) -> None:
        report(values)
        for _ in values:
            step()

    return report_steps


def shown(loss: Any) -> Any:
    """Return the source of a lambda, where it is on a line; others as they are."""
    if not isinstance(loss, FunctionType) or loss.__name__ != "<lambda>":
        return loss
    code = loss.__code__
    # What the body says, from the first to the last of what it is compiled of.
    places = [
        (start, first, end, last)
        for start, end, first, last in code.co_positions()
        if start and end and first is not None and last and last > first
    ]
    if not places:
        return loss
    start, first, *_ = min(places)
    end, last = max((end, last) for _, _, end, last in places)
    lines = linecache.getlines(code.co_filename)[start - 1 : end]
    if not lines or start != end:
        return loss
    body = lines[0].encode()[first:last].decode()
    names = ", ".join(code.co_varnames[: code.co_argcount])
    return f"lambda {names}: {body}"
