"""The display of coefficients on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import clone

from sklearn_adreg._display._drawing import (
    add_legend,
    attribute_of,
    axes,
    innermost,
    look,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Where a path is long, so many of its points are drawn.
_N_POINTS = 60
# Beyond, a legend says less than it takes in space.
_MOST_NAMES = 12


class CoefficientPathDisplay:
    """Coefficients against the iteration.

    Use `from_estimator` to repeat the descent and draw it.

    Parameters
    ----------
    n_iter : ndarray of shape (n_points,)
        Numbers of steps, from zero.

    coefs : ndarray of shape (n_points, n_features)
        The coefficients after so many steps.

    feature_names : sequence of str, default=None
        Names of the features. None numbers them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure with the axes.

    lines_ : list of matplotlib Line2D
        One line for each feature.

    See Also
    --------
    LossCurveDisplay : The objective against the iteration.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import CoefficientPathDisplay, GradientDescentRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 3))
    >>> y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(100)
    >>> model = GradientDescentRegressor(epsilon=0.1).fit(X, y)
    >>> display = CoefficientPathDisplay.from_estimator(model, X, y)
    >>> display.coefs[0]
    array([0., 0., 0.])
    >>> np.allclose(display.coefs[-1], model.coef_)
    True
    """

    ax_: Any
    figure_: Any
    lines_: list[Any]

    def __init__(
        self,
        n_iter: np.ndarray,
        coefs: np.ndarray,
        *,
        feature_names: Any = None,
    ) -> None:
        self.n_iter = n_iter
        self.coefs = coefs
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        target: int = 0,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Repeat the descent, step by step, and draw the coefficients.

        Parameters
        ----------
        estimator : estimator
            A fitted `GradientDescentRegressor` or `GradientDescentRegressorCV`, or a
            search or pipeline with one at its end. It is left as it is. Where it stops
            early, it holds the same rows out again if its `random_state` is an int.

        X : array-like of shape (n_samples, n_features)
            The data that it was fitted to.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets that it was fitted to.

        sample_weight : array-like of shape (n_samples,), default=None
            The weights that it was fitted with.

        target : int, default=0
            Of several targets, the one whose coefficients are drawn.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs : dict
            Passed on to `matplotlib.axes.Axes.plot`, for all lines.

        Returns
        -------
        CoefficientPathDisplay
            The display, drawn.
        """
        descent, X = innermost(estimator, X)
        n_iter = _steps(int(attribute_of(descent, "n_iter_")))
        coefs = [np.zeros_like(np.atleast_2d(descent.coef_)[target])]
        for n_steps in n_iter[1:]:
            model = clone(descent).set_params(max_iter=int(n_steps), tol=0, verbose=0)
            model.fit(X, y, sample_weight)
            coefs.append(np.atleast_2d(model.coef_)[target])
        names = getattr(descent, "feature_names_in_", None)
        display = cls(n_iter, np.array(coefs), feature_names=names)
        return display.plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw the coefficients.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs : dict
            Passed on to `matplotlib.axes.Axes.plot`, for all lines.

        Returns
        -------
        CoefficientPathDisplay
            The display itself.
        """
        self.ax_ = axes(ax)
        self.figure_ = self.ax_.figure
        n_features = self.coefs.shape[1]
        names = self.feature_names
        if names is None:
            names = [f"feature {number}" for number in range(n_features)]
        self.lines_ = []
        for number, values in enumerate(self.coefs.T):
            options = look(number, names[number]) | kwargs
            self.lines_ += self.ax_.plot(self.n_iter, values, **options)
        self.ax_.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        if self.n_iter[-1] > 10:
            self.ax_.set_xscale("symlog", linthresh=1)  # zero is on it
        self.ax_.set_xlabel("iteration")
        self.ax_.set_ylabel("coefficient")
        self.ax_.margins(x=0)
        if n_features <= _MOST_NAMES:
            add_legend(self.ax_)
        return self


def _steps(last: int) -> np.ndarray:
    """Numbers of steps from zero to the last, closer together at the start."""
    if last <= _N_POINTS:
        return np.arange(last + 1)
    return np.unique(np.append(0, np.geomspace(1, last, _N_POINTS).round().astype(int)))
