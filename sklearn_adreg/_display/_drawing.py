"""What the displays share: axes and their looks, and the descent in an estimator.

Matplotlib is imported when something is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours without the yellow, which is too pale for a line: told apart
# with any kind of colour vision. Line styles say the same once more.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_STYLES = ("-", "--", "-.", ":")


def look(number: int, label: Any) -> dict[str, Any]:
    """How the line of a number is drawn."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": _STYLES[number % len(_STYLES)],
        "label": label,
    }


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


def innermost(estimator: Any, X: Any = None) -> tuple[Any, Any]:
    """Find the fitted descent in searches and pipelines, and the X that it sees."""
    check_is_fitted(estimator)
    if hasattr(estimator, "best_estimator_"):
        return innermost(estimator.best_estimator_, X)
    if hasattr(estimator, "steps"):
        seen = X if X is None else estimator[:-1].transform(X)
        return innermost(estimator[-1], seen)
    return estimator, X


def attribute_of(estimator: Any, name: str) -> Any:
    """Get a fitted attribute, or say which estimators have it."""
    found = getattr(estimator, name, None)
    if found is None:
        raise TypeError(
            "The `estimator` parameter must be a fitted GradientDescentRegressor, or a "
            f"search or pipeline with one at its end. Got {type(estimator).__name__}, "
            f"which has no {name}, instead."
        )
    return found


def described(estimator: Any) -> str:
    """Name a descent by its step length."""
    if isinstance(estimator.epsilon, str):
        return f"epsilon={estimator.epsilon!r}"
    return f"epsilon={estimator.epsilon:.3g}"


def n_lines(ax: Axes) -> int:
    """Count the lines that stand in the legend: the next one's look follows."""
    return sum(not str(line.get_label()).startswith("_") for line in ax.lines)
