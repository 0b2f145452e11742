"""The table of routes: as it is printed, and as parameters and losses reach it."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from pages import ROOT

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._descent.coordinates import MAX_WHITENED
from sklearn_adreg._solve import routes
from sklearn_adreg._solve.prepare import SAMPLED_KINKED, way
from sklearn_adreg._solve.problem import descend
from sklearn_adreg._solve.routes import ROUTES, SHAPES, Route
from sklearn_adreg._solve.task import Task
from sklearn_adreg.losses import Huber, Quantiles

PAGE = "docs/user_guide/how_it_works.md"

HUBER = Huber(scale=1.0)


def two_medians(y_true: Any, y_pred: Any) -> Any:
    return abs(y_true - y_pred[:, 0]) + 2 * abs(y_true - y_pred[:, 1])


LASSO = {"alpha": 0.1, "l1_ratio": 1.0}
# Parameters, and numbers of rows and columns, that reach each row of the table, by its
# number.
REACHED: list[tuple[int, dict[str, Any], tuple[int, int]]] = [
    (0, {}, (40, 3)),
    (0, {"alpha": 0.1}, (3, 40)),
    (0, {"l1_ratio": 1.0}, (40, 3)),
    (1, {"loss": Quantiles()}, (40, 3)),
    (2, LASSO | {"loss": Quantiles()}, (40, 3)),
    (3, {"loss": two_medians, "n_outputs": 2}, (40, 3)),
    (3, LASSO | {"loss": two_medians, "n_outputs": 2}, (40, 3)),
    (4, {"loss": "pinball", "alpha": 0.1}, (40, 3)),
    (5, {"loss": HUBER}, (40, 3)),
    (6, LASSO, (40_000, 100)),
    (7, LASSO, (40, 3)),
    (8, LASSO | {"loss": "pinball"}, (40, 3)),
    (9, LASSO | {"loss": HUBER}, (40, 3)),
    (9, LASSO | {"tol": 0.0, "max_iter": 3}, (40, 3)),
    (9, LASSO, (3, 40)),
    (10, {"epsilon": 0.1}, (40, 3)),
    (10, {"epsilon": 0.01}, (3, 40)),
    (11, LASSO | {"epsilon": 0.1}, (40, 3)),
    (12, LASSO | {"epsilon": 0.01}, (3, 40)),
    (13, {"epsilon": 0.1, "loss": HUBER}, (40, 3)),
    (13, LASSO | {"epsilon": 0.1, "loss": "pinball"}, (40, 3)),
]


def printed() -> str:
    """The table, in Markdown."""
    header = [*Route._fields[:-1]]
    lines = [header, ["---"] * len(header), *(row[:-1] for row in ROUTES)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def test_the_page_shows_the_table() -> None:
    page, table = (ROOT / PAGE).read_text(), printed()
    assert table in page, f"Paste into {PAGE}, in place of its table:\n\n{table}"
    assert page.count("| epsilon |") == 1


@pytest.mark.parametrize(
    ("number", "parameters", "shape"),
    REACHED,
    ids=[f"route {row[0]}" for row in REACHED],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_parameters_reach_a_route(
    number: int,
    parameters: dict[str, Any],
    shape: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = []

    def noted(at: int) -> Route:
        def solve(*arguments: Any) -> Any:
            found = ROUTES[at].solve(*arguments)
            if found is not None:
                taken.append(at)
            return found

        return ROUTES[at]._replace(solve=solve)

    monkeypatch.setattr(routes, "ROUTES", tuple(map(noted, range(len(ROUTES)))))
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    model = GradientDescentRegressor(**parameters).fit(X, X[:, 0])
    assert taken == [number]
    assert np.isfinite(model.coef_).all()


def test_every_route_is_reached() -> None:
    assert {number for number, *_ in REACHED} == set(range(len(ROUTES)))


def test_some_route_serves_whatever_is_asked() -> None:
    asked = product(
        ("auto", "number"),
        ("l1", "smooth"),
        ("squared", "smooth", "kinked", "kinked sum over outputs", "quantiles"),
    )
    for each in asked:
        last = [route for route in ROUTES if route.serves(*each)][-1]
        assert last.X == "any", each


def test_words_name_what_is_called() -> None:
    for route in ROUTES:
        called: Any = route.solve
        kinked = isinstance(called, partial)
        if (called.func if kinked else called) is not descend:
            continue
        parameters: dict[str, Any] = LASSO if route.penalty == "l1" else {}
        _, method = way(Task.of(GradientDescentRegressor(**parameters), 1, 1))
        words = route.method.split(",")[0].lower()
        assert method.__name__ == words.replace("-", "_").replace(" ", "_")
        assert not kinked or called.keywords == {"windows": True}
        assert kinked is (route.loss == "kinked")
        assert ("in windows" in route.method) is kinked
        assert ("StraightLoss" in route.objective) is kinked


def test_shapes_say_what_they_are() -> None:
    assert {route.X for route in ROUTES} == set(SHAPES)
    few = f"min(n, d) <= min({MAX_WHITENED}, max(64, max_iter)), d <= n or cold"
    assert few in SHAPES
    assert f"n >= {SAMPLED_KINKED}, d >= 100, fresh" in SHAPES
    assert f"d <= min(n, {MAX_WHITENED}, 20 max_iter)" in SHAPES
