"""Errors that only gradient descent can raise."""

__all__ = ["DivergenceError"]


class DivergenceError(ValueError):
    """Gradient descent diverged: `epsilon` was too large for this design matrix.

    Raised by ``GradientDescentRegressor.fit`` when a numeric ``epsilon`` leaves the
    objective above its starting value, or not finite. The message names the largest
    stable step; `max_epsilon` carries it.

    It is a `ValueError`, so that ``GridSearchCV`` with ``error_score=np.nan`` scores
    the candidate ``nan`` and goes on.

    Parameters
    ----------
    message : str
        What happened, and the remedies.

    max_epsilon : float
        The largest stable step. On the squared error the descent converges below it and
        diverges above it. For other losses, whose curvature changes during the descent,
        it is an estimate from the curvature at the start, and the message says so.

    Attributes
    ----------
    max_epsilon : float
        The largest stable step.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import GradientDescentRegressor
    >>> from sklearn_adreg.exceptions import DivergenceError
    >>> X, y = np.array([[-2.0], [0.0], [2.0]]), np.array([-1.0, 0.0, 1.0])
    >>> try:
    ...     GradientDescentRegressor(epsilon=1.0).fit(X, y)
    ... except DivergenceError as error:
    ...     print(round(error.max_epsilon, 3))
    0.375
    """

    def __init__(self, message: str, max_epsilon: float) -> None:
        super().__init__(message, max_epsilon)
        self.max_epsilon = max_epsilon

    def __str__(self) -> str:
        return str(self.args[0])
