"""What the displays of fitted estimators share: finding the descent in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
