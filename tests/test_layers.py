"""Imports point one way, from what a user calls down to what differentiates."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sklearn_adreg

ROOT = Path(sklearn_adreg.__file__).parent
# A module may import what stands to the left of it, and its own package.
LAYERS = [
    *("exceptions", "_tracing", "_habits", "backends", "numpy", "losses"),
    *(
        "_loss",
        "_validation",
        "_range",
        "_rows",
        "_objective",
        "_descent",
        "_report",
        "_solve",
    ),
    *("_pickled", "_regressor", "_classifier", "_cv", "_search", "_max_epsilon"),
    *("derivatives", "_display", "onnx"),
    *("__init__", "__main__"),
]
MODULES = sorted(ROOT.rglob("*.py"))


def layer(parts: tuple[str, ...]) -> int:
    return LAYERS.index(parts[0])


def imported(tree: ast.Module) -> Iterator[tuple[str, ...]]:
    """Modules of the package that are imported when a module is."""
    for node in tree.body:
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            first, *rest = name.split(".")
            if first == "sklearn_adreg" and rest:
                yield tuple(rest)


def test_every_module_has_a_place() -> None:
    found = {path.relative_to(ROOT).with_suffix("").parts[0] for path in MODULES}
    assert found == set(LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    for other in imported(ast.parse(path.read_text())):
        assert layer(other) <= layer(parts), f"{parts} imports {other}"
