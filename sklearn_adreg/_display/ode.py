"""The display of a differential equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sklearn_adreg._display._drawing import add_legend, axes, checked_line, label
from sklearn_adreg.derivatives import nth_derivative, ode_residual

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sklearn_adreg.backends import Backend


class OdeDisplay:
    r"""The two sides of a differential equation, drawn on top of each other.

    The equation is solved for one derivative, :math:`f^{(k)} = g(x, f, f', \dots)`.
    The left-hand side is a wide pale line, and the right-hand side a dashed dark one
    on it: where the function solves the equation, both can be seen in one place.

    Use `from_function` to compute what is drawn.

    Parameters
    ----------
    x : ndarray of shape (n_points,)
        The points.

    left, right : ndarray of shape (n_points,)
        The sides of the equation.

    left_label, right_label : str
        Their names.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes. Their title is the largest absolute difference of the sides.

    figure_ : matplotlib Figure
        The figure with the axes.

    lines_ : list of matplotlib Line2D
        The left-hand side, and the right-hand side.

    max_residual_ : float
        The largest absolute difference of the sides.

    See Also
    --------
    sklearn_adreg.derivatives.ode_residual : The difference of the sides.

    Examples
    --------
    Sine and cosine are their second derivatives' negatives:

    >>> import numpy as np
    >>> from sklearn_adreg import OdeDisplay
    >>> x = np.linspace(-2 * np.pi, 2 * np.pi, 200)
    >>> display = OdeDisplay.from_function(
    ...     np.cos, lambda x, y: -y[2], x, order=2, right_label="$-f''$"
    ... )
    >>> display.max_residual_
    0.0
    """

    ax_: Any
    figure_: Any
    lines_: list[Any]

    def __init__(
        self,
        x: np.ndarray,
        left: np.ndarray,
        right: np.ndarray,
        *,
        left_label: str = "$f$",
        right_label: str = "other side",
    ) -> None:
        self.x = x
        self.left = left
        self.right = right
        self.left_label = left_label
        self.right_label = right_label

    @classmethod
    def from_function(
        cls,
        func: Callable[[Any], Any],
        other_side: Callable[[Any, Any], Any],
        x: Any,
        order: int,
        *,
        solved_for: int = 0,
        right_label: str = "other side",
        backend: str | Backend = "autograd",
        ax: Axes | None = None,
    ) -> Self:
        """Differentiate a function, and draw both sides of an equation.

        Parameters
        ----------
        func : callable
            The function that may solve the equation. See
            `sklearn_adreg.derivatives.nth_derivative`.

        other_side : callable
            ``other_side(x, y)``, the right-hand side, where ``y[k]`` is the derivative
            of order k at `x`.

        x : array-like of shape (n_points,)
            The points, in the order in which the lines join them.

        order : int
            The highest order of a derivative on either side.

        solved_for : int, default=0
            The order of the derivative on the left-hand side; 0 is the function.

        right_label : str, default='other side'
            The right-hand side in the legend, such as ``"$-f''$"``.

        backend : {'autograd', 'jax'} or Backend, default='autograd'
            The library that differentiates.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        OdeDisplay
            The display, drawn.
        """
        x = checked_line(x)
        left = nth_derivative(func, solved_for, backend=backend)(x)
        # Not a residual yet: an equation's value, checked in the same way.
        right = ode_residual(other_side, func, x, order, backend=backend)
        display = cls(
            x,
            left,
            right,
            left_label=label(solved_for),
            right_label=right_label,
        )
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw both sides of the equation.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        OdeDisplay
            The display itself.
        """
        self.ax_ = axes(ax)
        self.figure_ = self.ax_.figure
        self.max_residual_ = float(np.max(np.abs(self.left - self.right)))
        self.lines_ = self.ax_.plot(
            self.x, self.left, color="#56B4E9", linewidth=5, label=self.left_label
        ) + self.ax_.plot(
            self.x, self.right, color="#000000", linestyle="--", label=self.right_label
        )
        self.ax_.set_title(f"largest difference: {self.max_residual_:.1e}")
        self.ax_.set_xlabel("$x$")
        self.ax_.margins(x=0)
        add_legend(self.ax_)
        return self
