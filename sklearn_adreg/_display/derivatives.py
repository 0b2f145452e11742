"""Displays, after scikit-learn's convention: compute in from_function, draw in plot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sklearn_adreg._display._drawing import (
    add_legend,
    axes,
    checked_line,
    label,
    look,
)
from sklearn_adreg.derivatives import derivatives

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sklearn_adreg.backends import Backend


class DerivativesDisplay:
    """A function and its derivatives, drawn into one picture.

    Use `from_function` to compute what is drawn.

    Parameters
    ----------
    x : ndarray of shape (n_points,)
        The points.

    values : ndarray of shape (order + 1, n_points)
        The function there, and its derivatives of order 1, 2, ...

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure with the axes.

    lines_ : list of matplotlib Line2D
        One line for each order.

    See Also
    --------
    OdeDisplay : The two sides of a differential equation.
    sklearn_adreg.derivatives.derivatives : The numbers that are drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import DerivativesDisplay
    >>> display = DerivativesDisplay.from_function(np.tanh, np.linspace(-4, 4, 200))
    >>> [line.get_label() for line in display.lines_]
    ['$f$', "$f'$", "$f''$", "$f'''$", '$f^{(4)}$']
    """

    ax_: Any
    figure_: Any
    lines_: list[Any]

    def __init__(self, x: np.ndarray, values: np.ndarray) -> None:
        self.x = x
        self.values = values

    @classmethod
    def from_function(
        cls,
        func: Callable[[Any], Any],
        x: Any,
        order: int = 4,
        *,
        backend: str | Backend = "autograd",
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Differentiate a function, and draw it with its derivatives.

        Parameters
        ----------
        func : callable
            A real, elementwise function. See
            `sklearn_adreg.derivatives.nth_derivative`.

        x : array-like of shape (n_points,)
            The points, in the order in which the line joins them.

        order : int, default=4
            The highest order.

        backend : {'autograd', 'jax'} or Backend, default='autograd'
            The library that differentiates.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs : dict
            Passed on to `matplotlib.axes.Axes.plot`, for all lines.

        Returns
        -------
        DerivativesDisplay
            The display, drawn.
        """
        x = checked_line(x)
        values = derivatives(func, x, order, backend=backend)
        return cls(x, values).plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw the function and its derivatives.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs : dict
            Passed on to `matplotlib.axes.Axes.plot`, for all lines.

        Returns
        -------
        DerivativesDisplay
            The display itself.
        """
        self.ax_ = axes(ax)
        self.figure_ = self.ax_.figure
        self.lines_ = []
        for order, values in enumerate(self.values):
            options = look(order, label(order)) | kwargs
            self.lines_ += self.ax_.plot(self.x, values, **options)
        self.ax_.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        self.ax_.set_xlabel("$x$")
        self.ax_.margins(x=0)
        add_legend(self.ax_)
        return self
