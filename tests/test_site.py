"""The built site: self-contained, and read in headless Chromium where there is one.

All pages are opened one after the other in a frame of the width of a phone. What the
frame shows is measured by a script in the page around it. Then it searches, moves what
the interactive page has to move, and reads the front page in two sizes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from html import escape, unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, ClassVar, NamedTuple
from urllib.parse import unquote

import numpy as np
import pytest

from sklearn_adreg import max_stable_epsilon

SITE = Path(__file__).parents[1] / "docs" / "_build" / "html"
BROWSERS = "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"
PHONE_WIDTH = 390
SCREENS = (1280, 720), (PHONE_WIDTH, 844)
# What newcomers look for, and a page that must be among the first ten that are found.
TERMS = {
    "learning_rate": "user_guide/choosing_epsilon.html",
    "step size": "user_guide/choosing_epsilon.html",
    "exposure": "user_guide/which_loss.html",
    "MAE": "user_guide/which_loss.html",
    "sparse": "user_guide/which_x.html",
    "standard error": "user_guide/limits.html",
}
PARTS = "h1, h2, h3, p, dt, li, img, svg, table"

# Where it is built before the tests are run, a site that is missing is an error.
pytestmark = pytest.mark.skipif(
    not (SITE / "index.html").exists() and not os.environ.get("CI"),
    reason="no site in docs/_build/html: `make docs` builds it",
)

VISITOR = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<iframe width="%(width)d" height="844"></iframe><script>
const frame = document.querySelector("iframe");
function isCutOff(element) {
  const box = element.getBoundingClientRect();
  const right = box.left + Math.max(box.width, element.scrollWidth);
  if (right <= %(width)d + 1) return false;
  for (let at = element; at && at.tagName !== "ARTICLE"; at = at.parentElement)
    if (/auto|scroll/.test(getComputedStyle(at).overflowX)) return false;
  return true;
}
async function open(page) {
  await new Promise(done => { frame.onload = done; frame.src = page; });
  return frame.contentDocument;
}
async function visit(page) {
  const inside = await open(page);
  await frame.contentWindow.MathJax?.startup?.promise;
  const images = [...inside.images];
  for (const image of images) image.loading = "eager";
  await Promise.allSettled(images.map(image => image.decode()));
  const count = selector => inside.querySelectorAll(selector).length;
  return {
    images: images.length,
    broken: images.filter(image => !image.naturalWidth).map(image => image.src),
    equations: count("span.math, div.math"),
    typeset: count(".math mjx-container"),
    refused: count("mjx-merror, [data-mjx-error]"),
    clipped: [...inside.querySelectorAll(".sphx-glr-script-out pre")]
      .filter(output => output.scrollWidth > output.clientWidth + 1).length,
    cut: [...inside.querySelectorAll("article :is(%(parts)s)")]
      .filter(isCutOff).map(element => `${element.tagName} ${element.textContent}`),
    elsewhere: frame.contentWindow.performance.getEntriesByType("resource")
      .map(entry => entry.name).filter(url => !url.startsWith(location.origin + "/")),
  };
}
async function endOf(selectors, [width, height]) {
  Object.assign(frame, { width, height });
  const inside = await open("index.html");
  await Promise.all([...inside.images].map(image => image.decode()));
  const box = selector => inside.querySelector(selector).getBoundingClientRect();
  return selectors.map(selector => box(selector).bottom);
}
async function search(term) {
  const inside = await open("search.html?q=" + encodeURIComponent(term));
  const summary = () => inside.querySelector(".search-summary")?.textContent ?? "";
  for (let i = 0; i < 100 && !/finished|did not match/.test(summary()); i++)
    await new Promise(done => setTimeout(done, 100));
  return [...inside.querySelectorAll("#search-results li > a")]
    .map(link => new URL(link.href).pathname.slice(1));
}
async function explore() {
  const inside = await open("explore.html");
  const part = id => inside.getElementById("explore-" + id);
  const [point] = part("data").querySelectorAll("circle");
  const box = part("data").querySelector("svg").getBoundingClientRect();
  const at = { clientX: box.left + box.width / 4, clientY: box.top + box.height / 4 };
  point.dispatchEvent(new PointerEvent("pointerdown", at));
  inside.dispatchEvent(new PointerEvent("pointermove", at));
  inside.dispatchEvent(new PointerEvent("pointerup", at));
  const verdicts = ["-0.9", "1"].map(value => {
    part("epsilon").value = value;
    part("epsilon").dispatchEvent(new Event("input"));
    return part("verdict").textContent;
  });
  const points = [...part("data").querySelectorAll("circle")]
    .map(({ cx, cy }) => [cx.baseVal.value / 300, cy.baseVal.value / 300]);
  return { points, verdicts };
}
(async () => {
  const report = { pages: {}, found: {}, ends: [] };
  for (const page of %(pages)s) report.pages[page] = await visit(page);
  for (const term of %(terms)s) report.found[term] = await search(term);
  report.explored = await explore();
  for (const size of %(screens)s)
    report.ends.push(await endOf(["h1 + p", "div.highlight"], size));
  await fetch("/visit", { method: "POST", body: JSON.stringify(report) });
})();
</script>"""


class Visit(NamedTuple):
    """What the browser saw, its console, and what it asked for in vain."""

    pages: dict[str, dict[str, Any]]
    found: dict[str, list[str]]  # addresses, by the term searched for
    explored: dict[str, Any]
    ends: list[list[float]]  # of what the front page opens with, by size of the screen
    console: list[str]
    missing: list[str]


class Handler(SimpleHTTPRequestHandler):
    """Serve the site, and the page that visits all of its pages."""

    missing: ClassVar[list[str]] = []
    reports: ClassVar[Queue[dict[str, Any]]] = Queue()

    def do_POST(self) -> None:
        """Take what the page has seen."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.reports.put(json.loads(body))
        self.send_response(204)
        self.end_headers()

    def do_GET(self) -> None:
        if self.path != "/visit":
            return super().do_GET()
        fields = {
            "width": PHONE_WIDTH,
            "parts": PARTS,
            "pages": json.dumps(pages()),
            "terms": json.dumps(list(TERMS)),
            "screens": json.dumps(SCREENS),
        }
        body = (VISITOR % fields).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def send_error(self, *args: Any, **kwargs: Any) -> None:
        """Note what is not there."""
        self.missing.append(self.path)
        super().send_error(*args, **kwargs)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


def pages() -> list[str]:
    """Pages that readers come to, by their address."""
    found = (page.relative_to(SITE).as_posix() for page in SITE.rglob("*.html"))
    return sorted(page for page in found if not page.startswith("_"))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    handler = partial(Handler, directory=str(SITE))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def visit(address: str, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # offline
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
        "--enable-logging=stderr",
    ]
    log = tmp_path_factory.mktemp("log") / "chromium.log"
    with log.open("w") as stderr:
        running = subprocess.Popen(
            [browser, *options, f"{address}/visit"],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        try:
            report = Handler.reports.get(timeout=300)
        except Empty:
            pytest.fail(f"the visit did not end: {log.read_text(errors='replace')}")
        finally:
            running.terminate()
            running.wait(timeout=30)
    console = [
        line
        for line in log.read_text(errors="replace").splitlines()
        # Chromium logs remarks as it logs errors. Those marked PST are the theme's.
        if ":CONSOLE" in line and '"[PST]: ' not in line
    ]
    return Visit(**report, console=console, missing=Handler.missing)


def test_console_is_silent(visit: Visit) -> None:
    assert visit.console == []


def test_images_load(visit: Visit) -> None:
    assert {page: seen["broken"] for page, seen in visit.pages.items()} == {
        page: [] for page in pages()
    }
    gallery = visit.pages["auto_examples/index.html"]
    examples = SITE.glob("auto_examples/plot_*.html")
    assert gallery["images"] >= len(list(examples)) > 0


def test_equations_render(visit: Visit) -> None:
    for page, seen in visit.pages.items():
        assert seen["typeset"] == seen["equations"], page
        assert seen["refused"] == 0, page
    assert visit.pages["user_guide/how_it_works.html"]["typeset"] > 10


def test_pages_fit_a_phone(visit: Visit) -> None:
    for page, seen in visit.pages.items():
        assert seen["cut"] == [], page
        assert seen["clipped"] == 0, page


def test_nothing_is_missing(visit: Visit) -> None:
    assert visit.missing == []
    for page, seen in visit.pages.items():
        assert seen["elsewhere"] == [], page


def test_front_page_opens_with_what_it_is_for(visit: Visit) -> None:
    for (_, height), (install, code) in zip(SCREENS, visit.ends, strict=True):
        assert install < code < height


def test_search_finds_what_newcomers_look_for(visit: Visit) -> None:
    for term, page in TERMS.items():
        assert page in visit.found[term][:10], (term, visit.found[term])


def test_points_are_dragged_and_the_limit_is_the_package_s(visit: Visit) -> None:
    places = np.array(visit.explored["points"])
    np.testing.assert_allclose(places[0], [0.25, 0.25], atol=0.01)
    x = -2.5 + 5.0 * places[:, 0]  # the panel goes from -2.5 to 2.5
    limit = max_stable_epsilon(np.column_stack([x, np.ones(8)]), fit_intercept=False)
    short, long = visit.explored["verdicts"]
    assert short.startswith(f"Stable: 0.126 is below {limit:.3g},")
    assert long.startswith(f"Divergent: 10 is not below {limit:.3g},")


# What a browser fetches by itself, unlike the target of a link that a reader follows.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|embed)\b[^>]*?\ssrc\s*=\s*["']([^"']+)"""
    r"""|<link\b(?=[^>]*rel=["'](?:stylesheet|icon|preload|modulepreload|preconnect))"""
    r"""[^>]*?\shref\s*=\s*["']([^"']+)"""
)
IN_STYLE = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")


def test_nothing_comes_from_elsewhere() -> None:
    for page in SITE.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        found = [unescape(a or b) for a, b in LOADED.findall(text)]
        assert found, page
        for url in found:
            assert not re.match(r"(https?:)?//", url), f"{page} loads {url}"
    for style in SITE.rglob("*.css"):
        assert not IN_STYLE.findall(style.read_text(encoding="utf-8")), style


def test_internal_links_hold() -> None:
    texts = {SITE / name: (SITE / name).read_text(encoding="utf-8") for name in pages()}
    places = {
        page: set(re.findall(r'\bid="([^"]+)"', text)) for page, text in texts.items()
    }
    for page, text in texts.items():
        for link in re.findall(r"""<a\b[^>]*?\shref=["']([^"'?]+)""", text):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, place = unquote(unescape(link)).partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), f"{page} links to {link}"
            if place and target in places:
                assert place in places[target], f"{page} links to {link}"


def test_authors_are_not_taken_for_lists() -> None:
    for page in SITE.glob("generated/*.html"):  # "R. Koenker" alone on a line is item R
        assert not re.search(r'<ol class="(upper|lower)', page.read_text("utf-8")), page


def test_examples_download_as_notebooks() -> None:
    for page in SITE.glob("auto_examples/plot_*.html"):
        notebook = escape(f"{page.stem}.ipynb")
        assert notebook in page.read_text(encoding="utf-8")
        assert list(SITE.glob(f"_downloads/*/{notebook}"))
