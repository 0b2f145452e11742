"""Rows on a straight piece of their loss count as if they had been differentiated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rows import KINKED, N_COLUMNS, N_ROWS, known, samples

from sklearn_adreg._rows.settling import settled
from sklearn_adreg.losses import Huber, Pinball

LOSS = pytest.mark.parametrize("loss", KINKED, ids=lambda loss: type(loss).__name__)


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("far", [0.0, 1e4], ids=["near zero", "far from zero"])
@pytest.mark.parametrize("shift", [0.0, 0.01, 0.3, 50.0])
@LOSS
def test_as_if_differentiated(
    loss: Any, shift: float, far: float, weighted: bool
) -> None:
    everyone, coef = samples(loss, weighted=weighted, far=far)
    few = known(everyone, coef, 1.0, 0.2)
    # From rows that stay on their pieces to rows that have all left them.
    coef = coef + shift * np.array([1.0, -1.0, 1.0, 0.0, 2.0])
    linear, ray = everyone.locate(coef), everyone.locate(np.ones(N_COLUMNS + 1))
    # Sums of n terms.
    exact: dict[str, Any] = {"rtol": 1e-11, "atol": 1e-12}
    assert_allclose(few.value(linear), everyone.value(linear), rtol=1e-12)
    for width in (0.05, 0.0):
        found, expected = (
            rows.along(linear, ray, 0.03, width) for rows in (few, everyone)
        )
        assert_array_equal(found.linear, expected.linear)
        assert_allclose(found.slopes, expected.slopes, rtol=1e-9, atol=1e-15)
        assert_allclose(found.rise, expected.rise, **exact)
        assert_allclose(found.bend, expected.bend, rtol=1e-9)
        if width == 0:
            assert found.value == pytest.approx(expected.value, rel=1e-12)
        size = np.abs(everyone.gradient(expected)).max()
        assert_allclose(
            few.gradient(found), everyone.gradient(expected), atol=1e-9 * size
        )
        if width > 0:
            assert_allclose(
                few.hessian(found.curvature), everyone.hessian(expected.curvature)
            )


def test_few_rows_are_differentiated(monkeypatch: pytest.MonkeyPatch) -> None:
    everyone, coef = samples(Pinball(0.5))
    few = known(everyone, coef, 1.0)
    counted = []
    original = type(everyone.losses).along

    def along(self: Any, linear: np.ndarray, *rest: Any) -> Any:
        counted.append(len(linear))
        return original(self, linear, *rest)

    monkeypatch.setattr(type(everyone.losses), "along", along)
    few.point(few.locate(coef), 0.01)
    # A quarter of normal errors are within a third of their deviation.
    assert 0 < sum(counted) < 0.3 * N_ROWS


def test_bent_losses_have_no_pieces() -> None:
    # Squares in the middle, but linear in the tails: those do settle.
    everyone, coef = samples(Huber(1.0))
    few = known(everyone, coef, 0.5)
    bent = np.abs(everyone.losses.target - everyone.locate(coef)) < 1.0
    assert (few.pieces.reach[bent] < 0).all()


def test_not_worth_it() -> None:
    everyone, coef = samples(Pinball(0.5))
    # A window in which most rows bend.
    point = everyone.point(everyone.locate(coef), 100.0)
    assert settled(everyone, point, 100.0) is everyone
