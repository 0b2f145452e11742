"""Steps that keep planes in order, beside a general solver of constrained problems."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from sklearn_adreg._descent.cone import Cone
from sklearn_adreg._descent.coordinates import Coordinates
from sklearn_adreg._rows.host import HostRows

K = 3


def cone_and_rows(n_rows: int = 30) -> tuple[Cone, np.ndarray, Coordinates]:
    """Some differences of three planes, and the rows with ones."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 2))
    rows = HostRows(X, None, np.zeros(2), intercept=True)
    factor = np.eye(3) + 0.3 * np.triu(rng.standard_normal((3, 3)), 1)
    coordinates = Coordinates(factor).for_outputs(np.eye(K), np.ones(K))
    held = rng.random((n_rows, K - 1)) < 0.7
    return Cone(rows, held, factor), np.c_[X, np.ones(n_rows)], coordinates


def test_nearest_planes_in_order() -> None:
    cone, dense, coordinates = cone_and_rows()
    theta = np.random.default_rng(1).standard_normal(3 * K)
    found, way = cone.nearest(theta, coordinates)
    inverse = np.linalg.inv(cone.factor)

    def gaps(planes: np.ndarray) -> np.ndarray:
        return np.diff(dense @ planes.reshape(3, K), axis=1)[cone.held]

    def square(planes: np.ndarray) -> float:
        return float(np.square(inverse @ (planes - theta).reshape(3, K)).sum())

    expected = minimize(
        square,
        np.tile(np.arange(K) * 10.0, 3) * np.repeat([0, 0, 1], K),
        method="SLSQP",
        constraints={"type": "ineq", "fun": gaps},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert gaps(theta).min() < -0.1
    assert gaps(found).min() > -1e-8
    assert_allclose(found, expected.x, atol=1e-5)
    assert way**2 == pytest.approx(square(found), rel=1e-9)


def test_planes_in_order_stay() -> None:
    cone, _, coordinates = cone_and_rows()
    theta = np.concatenate([np.zeros(2 * K), np.arange(K)])
    found, way = cone.nearest(theta, coordinates)
    assert_allclose(found, theta, rtol=0)
    assert way == 0


def test_hessian_of_several_planes_in_white_coordinates() -> None:
    rng = np.random.default_rng(2)
    root, outputs = rng.standard_normal((5, 4 * K)), rng.standard_normal((K, 2))
    factor = rng.standard_normal((4, 3))
    coordinates = Coordinates(factor).for_outputs(outputs, np.ones(K))
    both, image = np.kron(factor, outputs), root[:, : 3 * K]
    expected = both.T @ root.T @ root @ both
    assert_allclose(coordinates.hessian(root.T @ root), expected, rtol=1e-12)
    both = np.kron(np.eye(3), outputs)
    found = coordinates.hessian_of_image(image.T @ image)
    assert_allclose(found, both.T @ image.T @ image @ both, rtol=1e-12)


def test_planes_stay_where_least_squares_go_in_circles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are lifted then, which is told by what order costs."""

    def in_circles(*_args: object, **_more: object) -> None:
        raise RuntimeError("Maximum number of iterations reached.")

    monkeypatch.setattr("sklearn_adreg._descent.cone.nnls", in_circles)
    cone, _, coordinates = cone_and_rows()
    theta = np.random.default_rng(1).standard_normal(3 * K)
    found, way = cone.nearest(theta, coordinates)
    assert_allclose(found, theta, rtol=0)
    assert way == 0
