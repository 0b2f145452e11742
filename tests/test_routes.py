"""The table of routes: as it is printed, and as parameters and losses reach it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from pages import ROOT

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg._solve import routes
from sklearn_adreg._solve.routes import ROUTES, Route
from sklearn_adreg.losses import Huber

PAGE = "docs/user_guide/how_it_works.md"

HUBER = Huber(scale=1.0)

# Parameters that reach each row of the table, by its number.
REACHED: list[tuple[int, dict[str, Any]]] = [
    (0, {}),
    (0, {"alpha": 0.1}),
    (0, {"l1_ratio": 1.0}),
    (1, {"loss": HUBER}),
    (2, {"loss": "pinball", "alpha": 0.1}),
    (3, {"alpha": 0.1, "l1_ratio": 1.0}),
    (3, {"alpha": 0.1, "l1_ratio": 0.5, "tol": 0.0, "max_iter": 3}),
    (4, {"alpha": 0.1, "l1_ratio": 0.5, "loss": HUBER}),
    (5, {"alpha": 0.1, "l1_ratio": 1.0, "loss": "pinball"}),
    (6, {"epsilon": 0.1}),
    (6, {"epsilon": 0.1, "alpha": 0.1, "l1_ratio": 1.0}),
    (7, {"epsilon": 0.1, "loss": HUBER}),
    (7, {"epsilon": 0.1, "loss": "pinball", "alpha": 0.1, "l1_ratio": 1.0}),
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


@pytest.mark.parametrize(("number", "parameters"), REACHED, ids=str)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_parameters_reach_a_route(
    number: int, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def noted(at: int) -> Route:
        def solve(*arguments: Any) -> Any:
            taken.append(at)
            return ROUTES[at].solve(*arguments)

        return ROUTES[at]._replace(solve=solve)

    monkeypatch.setattr(routes, "ROUTES", tuple(map(noted, range(len(ROUTES)))))
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    model = GradientDescentRegressor(**parameters).fit(X, X[:, 0])
    assert taken == [number]
    assert np.isfinite(model.coef_).all()


def test_every_route_is_reached() -> None:
    assert {number for number, _ in REACHED} == set(range(len(ROUTES)))


def test_some_route_serves_whatever_is_asked() -> None:
    asked = product(
        ("auto", "number"), ("l1", "smooth"), ("squared", "smooth", "kinked")
    )
    for each in asked:
        assert any(route.serves(*each) for route in ROUTES), each
