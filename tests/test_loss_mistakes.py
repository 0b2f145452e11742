"""What is wrong with a loss is said before anything is fitted, with the remedy."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

import sklearn_adreg.numpy as adnp
from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._loss.continuity import find_jump
from sklearn_adreg._loss.traits import looked_at
from sklearn_adreg.backends import AutogradBackend
from sklearn_adreg.losses import Huber

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 3))
Y = 5.0 + X @ [1.0, 2.0, 3.0] + rng.standard_normal(60)

NAN_SLOPE = "Beware of sqrt and log at zero"
PER_SAMPLE = "the mean, and the sample weights, are the estimator's"


def jump(y: Any, z: Any) -> Any:
    return adnp.round(y - z) ** 2 * 1.0


def branch(y: Any, z: Any) -> Any:
    return (y - z) ** 2 if (y > z) else abs(y - z)


def no_array(y: Any, z: Any) -> Any:
    return [float(one) for one in adnp.asarray((y - z) ** 2).ravel()]


def of_the_mean(y: Any, z: Any) -> Any:
    return (y - adnp.mean(z)) ** 2 + 0.0 * z


def standardised(y: Any, z: Any) -> Any:
    return ((y - z) / adnp.std(y)) ** 2


def looped(y: Any, z: Any) -> Any:
    return adnp.stack([(a - b) ** 2 for a, b in zip(y, z, strict=True)])


def indexed(y: Any, z: Any) -> Any:
    error = y - z
    return adnp.array([abs(error[i]) for i in range(len(y))])


def infinite(y: Any, z: Any) -> Any:
    return (y - z) ** 2 / (y < -1e9)


def nothing(y: Any, z: Any) -> Any:
    del y, z


def no_prediction(y: Any, z: Any) -> Any:
    del z
    return y**2


def in_place(y: Any, z: Any) -> Any:
    y -= z
    return y**2


def assigned(y: Any, z: Any) -> Any:
    error = y - z
    error[error < 0] *= 2.0
    return error**2


def steep(y: Any, z: Any) -> Any:
    return adnp.sqrt(0.0 * z) + (y - z) ** 2


# The loss, what the message says of it, and the remedy.
MISTAKES: dict[str, tuple[Any, str, str]] = {
    "mean": (
        lambda y, z: adnp.mean((y - z) ** 2),
        "must return one value per sample",
        f"Return one loss per sample, do not average: {PER_SAMPLE}",
    ),
    "pairs": (
        lambda y, z: (y[:, None] - z[None, :]) ** 2,
        "must return one value per sample",
        "Compute it element by element",
    ),
    "nothing": (nothing, "Got None", "return the result"),
    "list": (no_array, "must return an array", "Write it with array operations"),
    "comparison": (lambda y, z: y > z, "dtype bool", "multiply it by a cost"),
    "complex": (lambda y, z: (y - z) * 1j, "dtype complex128", "absolute value"),
    "item": (lambda y, z: (y.item() - z) ** 2, "two arrays", "without item()"),
    "one of two": (
        no_prediction,
        "must depend",
        "both arguments, (y_true, y_pred)",
    ),
    "infinite": (infinite, "must be finite", "Leave such rows out"),
    "logarithm": (
        lambda y, z: adnp.log(y - 1e6) + 0 * z,
        "must be finite",
        "defined there. A method inverse_link",
    ),
    "of the mean": (
        of_the_mean,
        "must treat each sample by itself",
        "Do not use means",
    ),
    "standardised": (standardised, "must treat each sample", "Do not use means"),
    "rounding": (jump, "must be differentiable", "Rounding, sorting and comparisons"),
    "loop": (looped, "must be written with array operations", "whole arrays"),
    "index": (indexed, "Got a loop over the samples", "whole arrays"),
    "floor": (
        lambda y, z: adnp.floor(abs(y - z)) + 0.1 * (y - z) ** 2,
        "must be continuous",
        "Put a slope in place of the step",
    ),
    "step": (
        lambda y, z: (z > y) * 3.0 + (y - z) ** 2,
        "Got a jump from",
        "A descent sees slopes alone",
    ),
    "infinite slope": (steep, "must have finite derivatives", NAN_SLOPE),
    "in place": (in_place, "must leave its arguments", "Write y = y - z"),
    "assigned": (assigned, "cannot differentiate", "entries that are assigned to"),
    "one argument": (lambda y: y**2, "function of two arrays", "Define it with these"),
    "branch": (branch, "", "`where`"),
}


@pytest.mark.filterwarnings("ignore:invalid value|divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:Output seems independent:UserWarning")
@pytest.mark.parametrize("epsilon", ["auto", 0.01])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: str, epsilon: Any, backend: Any) -> None:
    loss, rule, remedy = MISTAKES[mistake]
    model = GradientDescentRegressor(loss, backend=backend, epsilon=epsilon)
    with pytest.raises((TypeError, ValueError)) as caught:
        model.fit(X, Y)
    message = str(caught.value)
    assert "loss" in message
    assert loss.__qualname__ in message
    assert rule in message
    assert remedy in message
    assert not hasattr(model, "coef_")


def logistic(y: Any, z: Any) -> Any:
    return adnp.logaddexp(0, -y * z)


def hinge(y: Any, z: Any) -> Any:
    return adnp.maximum(0, 1 - y * z)


@pytest.mark.parametrize("loss", [logistic, hinge])
def test_labels_of_another_kind(loss: Any, backend: Any) -> None:
    labels = (Y > 5) * 1.0
    labels[::7] = 0.0  # no plane separates them
    model = GradientDescentRegressor(loss, backend=backend)
    message = r"where y is 0.0, of the labels 0.0 and 1.0. Use the labels"
    with pytest.raises(ValueError, match=message):
        model.fit(X, labels)
    model.fit(X, 2 * labels - 1)


def test_a_loss_that_changes_far_away_alone() -> None:
    # Wider than all that is looked at near the targets.
    def tube(y: Any, z: Any) -> Any:
        return adnp.maximum(abs(y - z) - 1e6, 0.0)

    model = GradientDescentRegressor(tube).fit(X, Y)
    assert model.loss_curve_[-1] == 0.0


def test_losses_that_are_flat_in_places(backend: Any) -> None:
    # Rows that do not count, beside others that do, are no labels.
    def masked(y: Any, z: Any) -> Any:
        return adnp.where(y > 0, adnp.maximum(0, 5 * y - z) ** 2, abs(y))

    y = np.where(Y > 3, Y, -1.0 - np.arange(60))
    model = GradientDescentRegressor(masked, backend=backend).fit(X, y)
    residuals = 5 * y - model.predict(X)
    assert (residuals[y > 0] < 1e-3).all()


CONTINUOUS: dict[str, Any] = {
    "root": lambda y, z: adnp.sqrt(abs(y - z)),
    "cusp": lambda y, z: abs(y - z) ** 0.1,
    "ramp": lambda y, z: adnp.clip(1e6 * (z - y), 0, 1) + (y - z) ** 2,
    "exponential": lambda y, z: adnp.exp(20 * (y - z)) - 20 * (y - z),
    "truncated": lambda y, z: adnp.minimum((y - z) ** 2, 1.0),
    "cancelling": lambda y, z: y * y - 2 * y * z + z * z,
    # Far away the difference is that of a few roundings.
    "vanishing": lambda y, z: (
        -adnp.log(adnp.tanh((y + 1 - z) / 0.26) - adnp.tanh((y - z) / 0.26))
    ),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_what_does_not_jump(name: str) -> None:
    for y in (Y, Y.astype(np.float32), 1e6 + Y, 1e-9 * Y, 1e9 * Y):
        (look,) = looked_at(CONTINUOUS[name], AutogradBackend(), y[:, None])
        assert find_jump(look) is None


def test_where_a_loss_jumps(backend: Any) -> None:
    def loss(y: Any, z: Any) -> Any:
        return adnp.where(z > 4.5, 2.0, 0.0) + (y - z) ** 2

    for y in (Y, Y.astype(np.float32)):
        (look,) = looked_at(loss, backend, y[:, None])
        found = find_jump(look)
        assert found is not None
        assert found.linear == pytest.approx(4.5)
        assert found.after - found.before == pytest.approx(2.0)


# A row sees its neighbour, those before it, or its rank.
COUPLED: dict[str, Any] = {
    "difference": lambda y, z: (
        (y - z) ** 2 + adnp.concatenate([0 * z[:1], (z[1:] - z[:-1]) ** 2])
    ),
    "moving average": lambda y, z: (
        (y - (adnp.roll(z, 1) + z + adnp.roll(z, -1)) / 3) ** 2
    ),
    "running sum": lambda y, z: adnp.cumsum(y - z) ** 2,
    "ranks": lambda y, z: (adnp.sort(y) - adnp.sort(z)) ** 2,
    "the second row": lambda y, z: (y - z) ** 2 + y[1],
    "row numbers": lambda y, z: adnp.arange(len(y)) * (y - z) ** 2,
    "a branch": lambda y, z: (y - z) ** 2 if adnp.mean(y) > adnp.min(y) else abs(y - z),
    "a little": lambda y, z: (y - z) ** 2 + 1e-6 * adnp.mean(z) ** 2,
}


@pytest.mark.parametrize("name", COUPLED)
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_rows_that_see_others(name: str, unit: float) -> None:
    y = unit * Y
    y[7] = 1e5 * unit  # where the bulk is tells how far predictions are tried
    with pytest.raises(ValueError, match="must treat each sample by itself"):
        GradientDescentRegressor(COUPLED[name]).fit(X, y)


def undefined(y: Any, z: Any) -> Any:
    return no_such_name * (y - z)  # type: ignore[name-defined]  # noqa: F821


def attribute(y: Any, z: Any) -> Any:
    return (y - z).no_such_thing


def table(y: Any, z: Any) -> Any:
    return {"a": 1.0}["b"] * (y - z)


def helper(y: Any, z: Any) -> Any:
    return absolute(y, z)  # type: ignore[call-arg]


def absolute(error: Any) -> Any:
    return abs(error)


def when_followed(y: Any, z: Any) -> Any:
    return (y - z) ** 2 if isinstance(z, np.ndarray) else no_such_name  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (undefined, NameError),
        (attribute, AttributeError),
        (table, KeyError),
        (helper, TypeError),
        (lambda y, z: np.log([1.0, 2.0, 3.0]) * (y - z) ** 2, ValueError),
        (when_followed, NameError),
    ],
)
def test_errors_of_its_own_are_raised_as_they_are(
    loss: Any, kind: Any, backend: Any
) -> None:
    with pytest.raises(kind) as caught:
        GradientDescentRegressor(loss, backend=backend).fit(X, Y)
    assert type(caught.value) is kind
    # Where it happened comes last in the traceback.
    assert "tests" in str(caught.traceback[-1].path)
    note, *further = caught.value.__notes__
    assert loss.__qualname__ in note
    assert re.search(r"a block of \d+ rows", note)
    if loss is not when_followed:
        *hints, probed = further
        assert "made up" in probed
        assert [("row_data={" in each) for each in hints] == [True] * (
            kind is ValueError
        )


@pytest.mark.parametrize("epsilon", ["auto", 0.1])
def test_errors_of_its_own_in_the_midst_of_a_fit(epsilon: Any, backend: Any) -> None:
    def late(y_true: Any, y_pred: Any) -> Any:
        if len(y_true) > 8:
            raise LookupError("too many")
        return adnp.logaddexp(y_true - y_pred, y_pred - y_true)

    model = GradientDescentRegressor(late, epsilon=epsilon, backend=backend)
    with pytest.raises(LookupError, match="too many") as caught:
        model.fit(X, Y)
    assert any("late raised it, called with" in each for each in caught.value.__notes__)


@pytest.mark.parametrize("sparse", [False, True])
def test_errors_of_its_own_name_the_rows(sparse: bool) -> None:
    def late(y_true: Any, y_pred: Any) -> Any:
        if len(y_true) == 50_000 - (1 << 15):  # the second block of two
            raise LookupError("these")
        return (y_true - y_pred) ** 2

    y = np.arange(50_000.0)
    given: Any = csr_array(y[:, None]) if sparse else y[:, None]
    with pytest.raises(LookupError, match="these") as caught:
        GradientDescentRegressor(late, epsilon=1e-9).fit(given, y)
    *_, block, rows = caught.value.__notes__
    assert block.endswith("called with a block of 17232 rows.")
    assert "in rows 32768 to 49999 of the 50000 fitted, counted from 0" in rows


FOREIGN: dict[str, tuple[Any, Any, str]] = {
    "numpy in autograd": (
        lambda y, z: np.where(y > z, y - z, z - y),
        "autograd",
        "calls numpy.where",
    ),
    "numpy in jax": (
        lambda y, z: np.where(y > z, y - z, z - y),
        "jax",
        "calls numpy.where",
    ),
    "math": (lambda y, z: math.sqrt(y - z), "autograd", "sklearn_adreg.numpy"),
    "autograd in jax": (lambda y, z: anp.tanh(y - z), "jax", "sklearn_adreg.numpy"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_functions_that_a_backend_cannot_follow(name: str) -> None:
    loss, backend, said = FOREIGN[name]
    with pytest.raises(TypeError) as caught:
        GradientDescentRegressor(loss, backend=backend).fit(X, Y)
    message = str(caught.value)
    assert f"backend='{backend}' cannot differentiate the loss" in message
    assert loss.__qualname__ in message
    assert said in message


def test_a_class_is_no_loss() -> None:
    with pytest.raises(ValueError, match=r"Pass an instance: loss=Huber\(\)"):
        GradientDescentRegressor(Huber).fit(X, Y)


def test_not_finite_at_the_start() -> None:
    # The first rows are fine; a later one is not.
    y = Y.copy()
    y[40] = -3.0

    def loss(y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred) ** 2 + adnp.log(y_true + 2.5)

    with pytest.raises(
        ValueError, match=r"finite for every sample.* row 40, with y_true=-3"
    ):
        GradientDescentRegressor(loss).fit(X, y)


@pytest.mark.parametrize(
    "parameters",
    [{}, {"alpha": 0.1, "l1_ratio": 1.0}, {"epsilon": 0.01}],
    ids=str,
)
def test_no_derivative_in_one_row(parameters: dict[str, Any]) -> None:
    y = Y.copy()
    y[40] = 900.0

    def smooth(y_true: Any, y_pred: Any) -> Any:
        root = adnp.sqrt(adnp.where(y_true > 800, 0 * y_pred, 1 + 0 * y_pred))
        return adnp.sqrt(1 + (y_true - y_pred) ** 2) + root

    with pytest.raises(ValueError, match=r"a finite derivative .* Got nan .* row 40"):
        GradientDescentRegressor(smooth, **parameters).fit(X, y)


@pytest.mark.parametrize("parameters", [{}, {"alpha": 0.1, "l1_ratio": 1.0}], ids=str)
def test_secants_where_a_kinked_loss_has_no_derivative(
    parameters: dict[str, Any],
) -> None:
    y = Y.copy()
    y[40] = 900.0

    def plain(y_true: Any, y_pred: Any) -> Any:
        error = adnp.abs(y_true - y_pred)
        return adnp.sqrt(1 + error**2) + error

    def broken(y_true: Any, y_pred: Any) -> Any:
        root = adnp.sqrt(adnp.where(y_true > 800, 0 * y_pred, 1 + 0 * y_pred))
        return plain(y_true, y_pred) + root

    whole, model = (
        GradientDescentRegressor(loss, tol=1e-9, **parameters).fit(X, y)
        for loss in (plain, broken)
    )
    penalty = model.alpha * (np.abs(model.coef_).sum() - np.abs(whole.coef_).sum())
    found, best = (float(np.mean(plain(y, each.predict(X)))) for each in (model, whole))
    assert found + penalty <= best * (1 + 1e-8)


def test_not_bounded_below() -> None:
    def reward(y_true: Any, y_pred: Any) -> Any:
        return -((y_true - y_pred) ** 2)

    with pytest.raises(ValueError, match=r"must be bounded below.*Check its sign"):
        GradientDescentRegressor(reward).fit(X, Y)


@dataclass
class Mutable:
    """Compares by value, and so has no hash."""

    power: float = 2.0

    def __call__(self, y: Any, z: Any) -> Any:
        return abs(y - z) ** self.power


@dataclass
class MutableLink(Mutable):
    def inverse_link(self, linear: Any) -> Any:
        return adnp.exp(linear)


def test_losses_without_a_hash(backend: Any) -> None:
    found = GradientDescentRegressor(Mutable(), backend=backend).fit(X, Y)
    expected = GradientDescentRegressor(backend=backend).fit(X, Y)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-6)
    found = GradientDescentRegressor(MutableLink(), backend=backend).fit(X, np.exp(Y))
    assert (found.predict(X) > 0).all()
    assert found.score(X, np.exp(Y)) > expected.fit(X, np.exp(Y)).score(X, np.exp(Y))


@pytest.mark.skipif(jax.__version_info__ < (0, 10), reason="it may not confuse")
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arrays_that_jax_confuses_are_told_of(dtype: Any) -> None:
    knots = np.array([0.0, 1.0, 2.0])

    def of(convert: Any) -> Any:
        def loss(y_true: Any, y_pred: Any) -> Any:
            error, known = y_true - y_pred, convert(knots)
            return jnp.interp(error, known, known**2) + error**2

        return loss

    rng, short = np.random.default_rng(0), knots.astype("float32")
    X, y = (rng.standard_normal(shape).astype(dtype) for shape in ((20, 1), 20))
    own = GradientDescentRegressor(of(np.asarray), backend="jax")
    with pytest.raises(TypeError, match=r"Got float64 arrays.*astype\('float32'\)"):
        own.fit(X, y)
    told = GradientDescentRegressor(of(lambda _: short), backend="jax").fit(X, y)
    on_device = told.coef_, told.set_params(device="cpu").fit(X, y).coef_
    assert_allclose(*on_device, rtol=1e-2)


def test_values_that_are_rounding_near_the_targets() -> None:
    def entropy(y_true: Any, y_pred: Any) -> Any:
        size = abs(y_true - y_pred)
        return (1 + size) * adnp.log(1 + size) - size

    X = np.array([[124643.695], [-866699.06]], dtype="float32")
    y = np.array([3.7616e-4, 7.4422e-4], dtype="float32")
    model = GradientDescentRegressor(entropy, fit_intercept=False, tol=0.1).fit(X, y)
    # So near zero it is half of the squared error, and its values tell no more digits.
    expected = np.linalg.lstsq(X.astype(float), y.astype(float))[0]
    assert_allclose(model.coef_, expected, rtol=1e-3)
