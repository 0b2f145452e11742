"""The arithmetic of the page to move, in JavaScript, beside the package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_adreg import GradientDescentRegressor, max_stable_epsilon
from sklearn_adreg.losses import Huber, Pinball

DOCS = Path(__file__).parents[1] / "docs"
PAGES = "explore_descent.html", "explore.md"
NODE = shutil.which("node")
POINTS = np.column_stack(
    [np.linspace(-2, 1.5, 8), np.array([0.3, -1.0, 2.0, 0.5, 0.0, 3.0, -2.0, 1.0])]
)
COMPUTE = """
const page = require(process.argv[1]);
const points = JSON.parse(process.argv[2]);
const m = page.moments(points, 1.7);
console.log(JSON.stringify({
  ...m, ...page.descend(m, 0.2, 40),
  quantile: page.quantileLine(points, 0.8), huber: page.huberLine(points, 0.5),
}));
"""
# A document that takes whatever is drawn, and lets sliders and points be moved.
DRAW = """
const page = process.argv[1];
const listeners = {}, elements = {}, values = JSON.parse(process.argv[2]);
let drawn = 0, wrong = 0;
function element() {
  const children = [];
  return {
    children, textContent: "", ownerSVGElement: {
      appendChild() {},
      getBoundingClientRect: () => ({ left: 0, top: 0, width: 300, height: 300 }),
    },
    setAttribute(name, value) { drawn++; if (/NaN|undefined/.test(value)) wrong++; },
    appendChild(child) { children.push(child); },
    removeChild() { children.pop(); },
    get firstChild() { return children[children.length - 1]; },
    addEventListener(name, call) { listeners[name] = call; },
  };
}
global.document = {
  getElementById(id) {
    elements[id] ??= Object.assign(element(), { value: values[id] });
    return elements[id];
  },
  createElementNS: () => element(),
  querySelectorAll: () => [document.getElementById("explore-epsilon")],
  addEventListener(name, call) { listeners[name] = call; },
};
delete require.cache[page];
require(page);
const first = elements["explore-verdict"].textContent;
elements["explore-epsilon"].value = 1;
listeners.input();
listeners.pointerdown({ preventDefault() {} });
listeners.pointermove({ clientX: 10, clientY: 290 });
listeners.pointerup();
const last = elements["explore-verdict"].textContent;
console.log(JSON.stringify({ drawn, wrong, first, last }));
"""

pytestmark = pytest.mark.skipif(NODE is None, reason="no Node.js is installed")


def run(code: str, given: Any) -> dict[str, Any]:
    command = [NODE or "", "-e", code, str(DOCS / "_static" / "explore.js")]
    done = subprocess.run(
        [*command, json.dumps(given)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_arithmetic_is_that_of_the_package() -> None:
    found = run(COMPUTE, POINTS.tolist())
    x, y = POINTS.T
    X = np.column_stack([1.7 * x, np.ones(8)])
    limit = max_stable_epsilon(X, fit_intercept=False)
    assert_allclose(found["limit"], limit, rtol=1e-10)
    assert_allclose(found["condition"], np.linalg.cond(X) ** 2, rtol=1e-10)
    settings: dict[str, Any] = {"max_iter": 40, "tol": 0, "fit_intercept": False}
    model = GradientDescentRegressor(epsilon=0.2, **settings).fit(X, y)
    assert_allclose(found["curve"], model.loss_curve_, rtol=1e-10)
    assert_allclose(found["path"][-1], model.coef_, rtol=1e-10)
    best = GradientDescentRegressor(fit_intercept=False).fit(X, y)
    assert_allclose(found["best"], best.coef_, rtol=1e-8)
    for name, loss in (("quantile", Pinball(0.8)), ("huber", Huber(0.5, scale=1.0))):
        line = GradientDescentRegressor(loss, tol=1e-10).fit(x[:, None], y)
        assert_allclose(found[name], [*line.coef_, line.intercept_], atol=1e-5)


def test_the_page_draws_and_follows() -> None:
    text = "".join((DOCS / page).read_text() for page in PAGES)
    sliders = re.findall(r'<input id="([^"]+)"[^>]* value="([^"]+)"', text)
    assert len(sliders) == 4
    found = run(DRAW, dict(sliders))
    assert found["drawn"] > 500
    assert found["wrong"] == 0
    assert found["first"].startswith("Stable: 0.126 is below 0.558")
    assert found["last"].startswith("Divergent: 10 is not below")
