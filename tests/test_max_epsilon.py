"""The largest stable step length, beside eigenvalues and what descents do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_adreg import GradientDescentRegressor, max_stable_epsilon
from sklearn_adreg.exceptions import DivergenceError


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4)) * [1.0, 0.5, 2.0, 1.0] + [3.0, 0.0, 2.0, 0.0]
    return X, 1.0 + rng.poisson(np.exp(0.1 * X[:, 0]))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_of_squared_error(fit_intercept: bool, alpha: float) -> None:
    X, _ = data()
    weight = np.arange(60) % 3 + 0.5
    mean = np.average(X, axis=0, weights=weight) if fit_intercept else 0.0
    moments = np.cov(X - mean, rowvar=False, aweights=weight, ddof=0)
    if not fit_intercept:
        moments = X.T @ (weight[:, None] * X) / weight.sum()
    expected = 2 / (2 * np.linalg.eigvalsh(moments)[-1] + alpha)
    settings: dict[str, Any] = {"alpha": alpha, "fit_intercept": fit_intercept}
    for rows in (X, sparse.csr_array(X), X.tolist()):
        found = max_stable_epsilon(rows, sample_weight=weight, **settings)
        assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson"])
def test_it_is_what_the_message_names(loss: str) -> None:
    X, y = data()
    limit = max_stable_epsilon(X, y, loss=loss)
    settings: dict[str, Any] = {"max_iter": 100, "tol": 0}
    fitted = GradientDescentRegressor(loss, epsilon=0.5 * limit, **settings).fit(X, y)
    assert np.isfinite(fitted.coef_).all()
    with pytest.raises(DivergenceError) as caught:
        GradientDescentRegressor(loss, epsilon=1e3 * limit, **settings).fit(X, y)
    assert_allclose(caught.value.max_epsilon, limit, rtol=1e-6)


def priced(y: Any, z: Any, *, cost: Any) -> Any:
    return cost * (y - z) ** 2


def both(y: Any, z: Any) -> Any:
    return (y - z[:, 0]) ** 2 + 2 * (y - z[:, 0] - z[:, 1]) ** 2


def test_what_a_loss_sees_of_its_row() -> None:
    """Quadratic losses: the limit is exact, and steps beyond diverge."""
    X, y = data()
    cost = {"cost": np.full(60, 3.0)}
    ways: list[tuple[Any, dict[str, Any]]] = [
        (priced, {"row_data": cost}),
        (both, {"offset": X[:, 0]}),
        ("squared_error", {"offset": X[:, 0]}),
    ]
    for loss, beside in ways:
        n_outputs = 2 if loss is both else None
        limit = max_stable_epsilon(X, y, loss=loss, n_outputs=n_outputs, **beside)
        model = GradientDescentRegressor(
            loss, n_outputs=n_outputs, max_iter=1000, tol=0, epsilon=0.99 * limit
        )
        assert np.isfinite(model.fit(X, y, **beside).coef_).all()
        with pytest.raises(DivergenceError) as caught:
            model.set_params(epsilon=1.01 * limit).fit(X, y, **beside)
        assert_allclose(caught.value.max_epsilon, limit, rtol=1e-6)


def test_exposures() -> None:
    X, y = data()
    exposure = np.log1p(np.arange(60.0))
    limit = max_stable_epsilon(X, y, loss="poisson", offset=exposure)
    assert limit < 0.6 * max_stable_epsilon(X, y, loss="poisson")
    model = GradientDescentRegressor("poisson", epsilon=1e3 * limit)
    with pytest.raises(DivergenceError) as caught:
        model.fit(X, y, offset=exposure)
    assert_allclose(caught.value.max_epsilon, limit, rtol=1e-6)


def test_what_it_needs() -> None:
    X, y = data()
    with pytest.raises(ValueError, match=r"y must be given.*'huber'"):
        max_stable_epsilon(X, loss="huber")
    with pytest.raises(ValueError, match="'alpha' parameter"):
        max_stable_epsilon(X, y, alpha=-1.0)
    with pytest.raises(ValueError, match="priced needs row_data with 'cost'"):
        max_stable_epsilon(X, y, loss=priced)
    with pytest.raises(ValueError, match=r"offset must have shape \(60,\)"):
        max_stable_epsilon(X, y, offset=[1.0])
    with pytest.raises(ValueError, match="NaN"):
        max_stable_epsilon(np.full_like(X, np.nan), y)
    assert max_stable_epsilon(np.ones((5, 2))) == np.inf
