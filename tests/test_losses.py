"""Every loss, in every backend, against finite differences and its own contract."""

import copy
import pickle

import numpy as np
import pytest

from sklearn_adreg.backends import AutogradBackend, JaxBackend
from sklearn_adreg.losses import LOSSES

BACKENDS = [AutogradBackend(), JaxBackend()]


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
@pytest.mark.parametrize("name", sorted(LOSSES))
def test_derivative_equals_finite_differences(name, backend):
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.standard_normal((2, 40, 3))
    loss, step = LOSSES[name], 1e-6
    values, slopes = backend.value_and_derivative(loss)(y_true, y_pred)
    np.testing.assert_allclose(values, loss(y_true, y_pred), rtol=1e-15)
    rise = loss(y_true, y_pred + step) - loss(y_true, y_pred - step)
    # Central differences: truncation step^2, rounding eps / step.
    np.testing.assert_allclose(slopes, rise / (2 * step), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_equal_losses_hash_alike_and_pickle(name):
    loss = LOSSES[name]
    same = copy.deepcopy(loss)
    assert same is not loss
    assert same == loss
    assert hash(same) == hash(loss)
    assert pickle.loads(pickle.dumps(loss)) == loss


def test_squared_error_has_no_half():
    loss = LOSSES["squared_error"]
    np.testing.assert_array_equal(
        loss(np.array([1.0, 2.0]), np.array([4.0, 2.0])), [9.0, 0.0]
    )
