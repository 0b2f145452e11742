"""The display of validation scores against the step length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_adreg._display._drawing import COLOURS, axes, n_lines
from sklearn_adreg._loss.linear import scored_by_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROLE = "epsilon"


class EpsilonPathDisplay:
    """Validation scores against epsilon, with their spread over the splits.

    Use `from_estimator` to draw what a search has found.

    Parameters
    ----------
    epsilons : ndarray of shape (n_epsilons,)
        The step lengths, in ascending order.

    scores : ndarray of shape (n_splits, n_epsilons)
        The scores; NaN where a descent diverged.

    max_epsilon : float, default=None
        The largest stable step length for all rows.

    score_name : str, default='score'
        What the scores are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure with the axes.

    line_ : matplotlib Line2D
        The mean over the splits.

    fill_between_ : matplotlib PolyCollection
        A standard deviation to both sides of it.

    best_ : matplotlib Line2D
        The point with the largest mean.

    max_epsilon_line_ : matplotlib Line2D or None
        The largest stable step length.

    See Also
    --------
    GradientDescentRegressorCV : The search.
    LossCurveDisplay : The objective against the iteration.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import EpsilonPathDisplay, GradientDescentRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 3))
    >>> y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(100)
    >>> search = GradientDescentRegressorCV(early_stopping=True).fit(X, y)
    >>> display = EpsilonPathDisplay.from_estimator(search)
    >>> display.scores.shape
    (5, 20)
    """

    ax_: Any
    figure_: Any
    line_: Any
    fill_between_: Any
    best_: Any
    max_epsilon_line_: Any

    def __init__(
        self,
        epsilons: np.ndarray,
        scores: np.ndarray,
        *,
        max_epsilon: float | None = None,
        score_name: str = "score",
    ) -> None:
        self.epsilons = epsilons
        self.scores = scores
        self.max_epsilon = max_epsilon
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        scoring: str = "score",
        score_name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the scores that a fitted search has found.

        Parameters
        ----------
        estimator : estimator
            A fitted `GradientDescentRegressorCV`, or another search over epsilon with
            `cv_results_`. Of candidates with other parameters, such as alpha, those
            are drawn that share the best one's.

        scoring : str, default='score'
            Which of several scorers, by the name that `cv_results_` has for it.

        score_name : str, default=None
            What the vertical axis calls the score; None is a name for `scoring`.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs : dict
            Passed on to `matplotlib.axes.Axes.plot`, for the mean.

        Returns
        -------
        EpsilonPathDisplay
            The display, drawn.
        """
        check_is_fitted(estimator)
        results = _checked_results(estimator, scoring)
        params, best = results["params"], results["params"][estimator.best_index_]
        # Numbers of steps that were chosen for each candidate are part of the path.
        others = [name for name in best if name.split("__")[-1] == "alpha"]
        chosen = [
            number
            for number, candidate in enumerate(params)
            if all(np.array_equal(candidate[name], best[name]) for name in others)
        ]
        name = next(name for name in best if name.split("__")[-1] == _ROLE)
        epsilons = np.array([params[number][name] for number in chosen], dtype=float)
        order = np.argsort(epsilons)
        splits = range(estimator.n_splits_)
        scores = np.array([results[f"split{i}_test_{scoring}"] for i in splits])
        return cls(
            epsilons[order],
            scores[:, np.array(chosen)[order]],
            max_epsilon=getattr(estimator, "max_epsilon_", None),
            score_name=score_name or _name_of(estimator, scoring),
        ).plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs : dict
            Passed on to `matplotlib.axes.Axes.plot`, for the mean.

        Returns
        -------
        EpsilonPathDisplay
            The display itself.
        """
        self.ax_ = axes(ax)
        self.figure_ = self.ax_.figure
        mean, spread = self.scores.mean(axis=0), self.scores.std(axis=0)
        colour = COLOURS[1 + n_lines(self.ax_) % (len(COLOURS) - 1)]
        label = f"mean and deviation of {len(self.scores)} splits"
        look = {"color": colour, "marker": ".", "label": label}
        (self.line_,) = self.ax_.plot(self.epsilons, mean, **(look | kwargs))
        colour = self.line_.get_color()
        self.fill_between_ = self.ax_.fill_between(
            self.epsilons, mean - spread, mean + spread, color=colour, alpha=0.2, lw=0
        )
        best = int(np.nanargmax(mean))
        (self.best_,) = self.ax_.plot(
            self.epsilons[best],
            mean[best],
            linestyle="",
            marker="o",
            markersize=9,
            markerfacecolor="white",
            markeredgecolor=colour,
            markeredgewidth=2,
            label=f"best: {self.epsilons[best]:.3g}",
        )
        self._mark_largest()
        self.ax_.set_xscale("log")
        self.ax_.set_xlabel("epsilon")
        self.ax_.set_ylabel(self.score_name)
        self.ax_.legend(frameon=False)
        return self

    def _mark_largest(self) -> None:
        self.max_epsilon_line_ = None
        if self.max_epsilon is not None and np.isfinite(self.max_epsilon):
            self.max_epsilon_line_ = self.ax_.axvline(
                self.max_epsilon,
                color="0.3",
                linestyle="--",
                label=f"largest stable: {self.max_epsilon:.3g}",
            )


def _checked_results(estimator: Any, scoring: str) -> dict[str, Any]:
    results: dict[str, Any] = getattr(estimator, "cv_results_", {})
    searched = {
        name.split("__")[-1] for params in results.get("params", []) for name in params
    }
    if _ROLE not in searched:
        raise TypeError(
            "The `estimator` parameter must be a fitted search over epsilon, with "
            f"cv_results_. Got {type(estimator).__name__} over {sorted(searched)} "
            "instead."
        )
    names = [name[10:] for name in results if name.startswith("mean_test_")]
    if scoring not in names:
        raise ValueError(
            f"The `scoring` parameter must be one of {names}. Got {scoring!r} instead."
        )
    return results


def _name_of(estimator: Any, scoring: str) -> str:
    """Name a score: by the scorer's name, where it has one."""
    if scoring != "score":
        return scoring
    if estimator.scoring is None:
        # What a regressor's own score is.
        loss = getattr(estimator.best_estimator_, "loss", None)
        return "d2" if scored_by_loss(loss, None) else "r2"
    return estimator.scoring if isinstance(estimator.scoring, str) else "score"
