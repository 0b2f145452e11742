"""The display of how the objective falls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sklearn_adreg._display._drawing import (
    attribute_of,
    axes,
    described,
    innermost,
    look,
    n_lines,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LossCurveDisplay:
    """The objective against the iteration, on a logarithmic axis.

    Use `from_estimator` to draw what a descent has kept, and dashed beside it, where
    rows were held out, their mean loss. Several estimators share one axes when the
    first one's `ax_` is passed to the next ones.

    Parameters
    ----------
    loss_curve : ndarray of shape (n_iter + 1,)
        The objective at the start and after each step.

    name : str, default=None
        What the legend calls it. None leaves it out of the legend.

    baseline : float, default=0.0
        What is subtracted from the objective, such as its optimum: a descent that
        converges linearly is then a straight line.

    validation_loss_curve : ndarray of shape (n_iter + 1,), default=None
        The mean loss of held-out rows at the start and after each step, drawn dashed.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure with the axes.

    line_ : matplotlib Line2D
        The curve.

    validation_line_ : matplotlib Line2D or None
        That of the held-out rows.

    See Also
    --------
    CoefficientPathDisplay : The coefficients against the iteration.
    EpsilonPathDisplay : Validation scores against the step length.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import GradientDescentRegressor, LossCurveDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 3))
    >>> y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(100)
    >>> models = [GradientDescentRegressor(epsilon=e).fit(X, y) for e in (0.1, 0.3)]
    >>> display = LossCurveDisplay.from_estimator(models[0])
    >>> other = LossCurveDisplay.from_estimator(models[1], ax=display.ax_)
    >>> [text.get_text() for text in other.ax_.get_legend().get_texts()]
    ['epsilon=0.1', 'epsilon=0.3']
    """

    ax_: Any
    figure_: Any
    line_: Any
    validation_line_: Any

    def __init__(
        self,
        loss_curve: np.ndarray,
        *,
        name: str | None = None,
        baseline: float = 0.0,
        validation_loss_curve: np.ndarray | None = None,
    ) -> None:
        self.loss_curve = loss_curve
        self.name = name
        self.baseline = baseline
        self.validation_loss_curve = validation_loss_curve

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        name: str | None = None,
        baseline: float = 0.0,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the objective that a fitted estimator has gone through.

        Parameters
        ----------
        estimator : estimator
            A fitted `GradientDescentRegressor` or `GradientDescentRegressorCV`, or a
            search or pipeline with one at its end.

        name : str, default=None
            What the legend calls it; None is its step length.

        baseline : float, default=0.0
            What is subtracted from the objective, such as its optimum.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs : dict
            Passed on to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        LossCurveDisplay
            The display, drawn.
        """
        descent, _ = innermost(estimator)
        curve = attribute_of(descent, "loss_curve_")
        name = described(descent) if name is None else name
        held = getattr(descent, "validation_loss_curve_", None)
        return cls(
            curve, name=name, baseline=baseline, validation_loss_curve=held
        ).plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs : dict
            Passed on to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        LossCurveDisplay
            The display itself.
        """
        self.ax_ = axes(ax)
        self.figure_ = self.ax_.figure
        number = n_lines(self.ax_)
        given = look(number, self.name) | kwargs
        self.line_, self.validation_line_ = self._drawn(self.loss_curve, given), None
        if self.validation_loss_curve is not None:
            if self.name is not None:
                given["label"] = f"{given['label']}, held-out rows"
            self.validation_line_ = self._drawn(self.validation_loss_curve, given)
            self.validation_line_.set_color(self.line_.get_color())
            self.validation_line_.set_linestyle("--")
        self.ax_.set_yscale("log")
        self.ax_.set_xlabel("iteration")
        self.ax_.set_ylabel(
            "objective" if self.baseline == 0 else f"objective less {self.baseline:.6g}"
        )
        if n_lines(self.ax_):
            self.ax_.legend(frameon=False)
        return self

    def _drawn(self, curve: np.ndarray, given: dict[str, Any]) -> Any:
        height = np.asarray(curve, dtype=np.float64) - self.baseline
        height = np.where(height > 0, height, np.nan)  # nothing to see on this axis
        (line,) = self.ax_.plot(height, **given)
        return line
