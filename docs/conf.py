"""Configuration of the documentation, for Sphinx."""

import os
import sys
from pathlib import Path

import matplotlib as mpl
from docutils import nodes

import sklearn_adreg

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # the pages are the same on any machine
mpl.use("agg")

project = "sklearn-adreg"
author = "The sklearn-adreg developers"
copyright = f"2026, {author}"
release = version = sklearn_adreg.__version__

extensions = [
    "gallery",
    "myst_parser",
    "numpydoc",
    "public_names",
    "sphinx-mathjax-offline",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/**/*.ipynb"]
templates_path = ["_templates"]
default_role = "py:obj"  # `name` in a docstring links to what it names

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the types are in the docstrings, in words
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
# The docstrings' examples run under pytest; here run those of the pages.
doctest_test_doctest_blocks = ""

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"^(?!plot_)",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "min_reported_time": 1,
    "remove_config_comments": True,
    "image_scrapers": "gallery.scrape",
    "within_subsection_order": "gallery.by_use",
    "write_computation_times": False,  # its table comes from another server
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = "sklearn-adreg"
html_favicon = "images/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
# Pages that stand alone have no section to navigate in; code needs the width.
html_sidebars = {
    page: []
    for page in (
        "auto_examples/*",
        "coming_from",
        "explore",
        "getting_started",
        "the_note_alive",
        "contributing",
        "changelog",
    )
}
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_theme_options = {
    "navbar_persistent": ["search-button"],
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
}


def skip_inherited(app, what, name, obj, skip, options):  # noqa: ARG001
    """Leave out what comes from scikit-learn, and refers to pages that are there."""
    routing = name.startswith("set_") and name.endswith("_request")
    inherited = str(getattr(obj, "__module__", "")).startswith("sklearn.")
    return True if routing or inherited else None


# Builds are offline: there is no inventory of scikit-learn's names to be fetched.
SCIKIT_LEARN = "https://scikit-learn.org/stable/modules/generated/{}.html"
MODULES = {
    "calibration": "CalibratedClassifierCV",
    "linear_model": "ElasticNet GammaRegressor HuberRegressor Lasso LinearRegression "
    "LogisticRegression PoissonRegressor QuantileRegressor Ridge SGDClassifier "
    "SGDRegressor TweedieRegressor",
    "model_selection": "GridSearchCV HalvingGridSearchCV RandomizedSearchCV",
    "multiclass": "OneVsRestClassifier",
    "neural_network": "MLPRegressor",
    "preprocessing": "OneHotEncoder StandardScaler",
    "svm": "LinearSVC",
}
FULL_NAMES = {
    name: f"sklearn.{module}.{name}"
    for module, names in MODULES.items()
    for name in names.split()
}


def link_to_scikit_learn(app, env, node, contnode):  # noqa: ARG001
    """Link names of scikit-learn's classes and functions to their pages."""
    target = node.get("reftarget", "")
    target = FULL_NAMES.get(target, target)
    if not target.startswith("sklearn.") or "._" in target:
        return None
    return nodes.reference("", "", contnode, refuri=SCIKIT_LEARN.format(target))


def link_literals(app, doctree):  # noqa: ARG001
    """Link scikit-learn's classes where a page names them as code."""
    for node in list(doctree.findall(nodes.literal)):
        text = isinstance(node.parent, (nodes.paragraph, nodes.entry))
        if text and node.astext() in FULL_NAMES:
            page = SCIKIT_LEARN.format(FULL_NAMES[node.astext()])
            node.replace_self(nodes.reference("", "", node.deepcopy(), refuri=page))


def setup(app):
    """Connect the hooks of this file."""
    app.connect("autodoc-skip-member", skip_inherited)
    app.connect("doctree-read", link_literals)
    app.connect("missing-reference", link_to_scikit_learn)
