"""The gallery: sections in order of use, thumbnails of one panel, the picture first."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
from docutils import nodes
from sphinx_gallery.backreferences import (
    THUMBNAIL_PARENT_DIV,
    THUMBNAIL_PARENT_DIV_CLOSE,
)
from sphinx_gallery.directives import imgsgnode
from sphinx_gallery.scrapers import matplotlib_scraper

SECTIONS = {
    "What an error costs you": (
        *("flights_cost", "own_loss", "costs_of_rows", "intervals"),
        *("classifier", "tobit", "location_scale", "zero_inflated"),
    ),
    "Losses that are built in": (
        *("losses", "quantile_fan", "many_quantiles", "flights", "robust"),
        *("poisson", "softmax", "lasso", "sparse"),
    ),
    "Gradient descent at work": (
        *("linear_regression", "epsilon", "loss_curves", "coefficient_paths"),
        *("choosing_epsilon", "early_stopping", "grid_search"),
    ),
    "Derivatives and backends": ("tanh", "sine_cosine", "backends"),
}
ORDER = [name for names in SECTIONS.values() for name in names]
# The axes of an example's first figure that its thumbnail shows, where not the first.
PANELS = {"flights_cost": 1, "location_scale": 1, "epsilon": 1, "sparse": 1}
OPENING = """<details class="picture-code"><summary>The code of the picture</summary>"""
PAGE = re.compile(r"auto_examples/plot_(\w+)")


def by_use(filename):
    """Sort key of a file: its place in `SECTIONS`, where it must stand."""
    return ORDER.index(Path(filename).stem.removeprefix("plot_"))


def scrape(block, block_vars, gallery_conf):
    """Save the figures of a block, and a thumbnail of the first figure of a script."""
    figures = [plt.figure(number) for number in plt.get_fignums()]
    rst = matplotlib_scraper(block, block_vars, gallery_conf)
    settings = block_vars["file_conf"]
    if figures and "thumbnail_path" not in settings:
        script = Path(block_vars["src_file"]).stem
        images = Path(block_vars["image_path_iterator"].image_path).parent
        path = images / f"panel_{script}.png"
        save_panel(figures[0], PANELS.get(script.removeprefix("plot_"), 0), path)
        settings["thumbnail_path"] = str(path.relative_to(gallery_conf["src_dir"]))
    return rst


def save_panel(figure, place, path):
    """Save one of the axes alone, small, without words that would be unreadable."""
    shown = figure.axes[place]
    for axes in figure.axes:
        axes.set_visible(axes is shown)
    words = (*figure.texts, *figure.legends, *shown.texts, shown.get_legend())
    for artist in (*words, *shown.child_axes):
        if artist is not None:
            artist.set_visible(False)
    figure.set_layout_engine("none")
    figure.set_size_inches(3.2, 2.24)
    shown.set(position=(0.03, 0.03, 0.94, 0.94), title="", xlabel="", ylabel="")
    sides = ("bottom", "left", "top", "right")
    shown.tick_params(
        which="both", length=0, **{f"label{side}": False for side in sides}
    )
    figure.savefig(path, dpi=125)


def group(app, docname, source):  # noqa: ARG001
    """Divide the thumbnails of the gallery into sections."""
    if docname != "auto_examples/index":
        return
    text = source[0].replace(THUMBNAIL_PARENT_DIV, "", 1)
    for title, names in SECTIONS.items():
        opening = f"\n{title}\n{'-' * len(title)}\n{THUMBNAIL_PARENT_DIV}"
        if title != next(iter(SECTIONS)):
            opening = THUMBNAIL_PARENT_DIV_CLOSE + opening
        place = text.index(f"plot_{names[0]}_thumb")
        start = text.rindex(".. raw:: html", 0, place)
        text = text[:start] + opening + "\n" + text[start:]
    source[0] = text


def picture_first(app, doctree):
    """Show an example's picture first, and what is said of it before all code.

    The code that draws it stays in its place, and is opened by who wants to see it.
    """
    picture = next(doctree.findall(imgsgnode), None)
    if picture is None or not PAGE.fullmatch(app.env.docname):
        return
    page, section = next(doctree.findall(nodes.section)), picture.parent
    before = section[: section.index(picture)]
    code = [node for node in before if isinstance(node, nodes.literal_block)][-1]
    words = []
    if section is not page:
        for node in reversed(before[: before.index(code)]):
            if isinstance(node, (nodes.literal_block, nodes.title, nodes.container)):
                break
            words.insert(0, node)
    for node in (picture, *words):
        section.remove(node)
    page.insert(page.first_child_matching_class(nodes.title) + 1, picture)
    first = page.first_child_matching_class(nodes.literal_block)
    page[first:first] = words
    place = section.index(code)
    closing = nodes.raw("", "</details>", format="html")
    section[place : place + 1] = [nodes.raw("", OPENING, format="html"), code, closing]


def setup(app):
    """Connect the hooks of this file."""
    app.connect("source-read", group)
    app.connect("doctree-read", picture_first)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
