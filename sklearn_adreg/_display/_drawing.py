"""What the displays share. Matplotlib is imported when something is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours without the yellow, which is too pale for a line: told apart
# with any kind of colour vision. Line styles say the same once more.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
STYLES = ("-", "--", "-.", ":")


def label(order: int) -> str:
    """Name a derivative in mathematical notation: f, f', f'', f''', f^(4), ..."""
    return f"$f{chr(39) * order}$" if order < 4 else f"$f^{{({order})}}$"


def axes(ax: Axes | None) -> Axes:
    """Return the axes to draw in: those given, or new ones."""
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "matplotlib":
            raise
        raise ImportError(
            "A display needs Matplotlib, which is not installed. Install it with "
            "`pip install 'sklearn-adreg[plot]'`."
        ) from error
    return plt.subplots(layout="constrained")[1] if ax is None else ax


def add_legend(ax: Axes) -> None:
    """Put the legend beside the axes: inside, it would cover some line."""
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def checked_line(x: Any) -> np.ndarray:
    """Points along the horizontal axis."""
    x = np.asarray(x)
    if x.ndim != 1 or x.size < 2:
        raise ValueError(
            "The `x` parameter must be an array of shape (n_points,) with 2 points or "
            f"more. Got shape {x.shape} instead."
        )
    return x
