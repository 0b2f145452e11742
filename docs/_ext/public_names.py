"""Fail the build when a public name is not documented.

A public name is one that stands in the ``__all__`` of the package or of one of its
public modules. Each must be listed in ``api.md`` and show how it is used in an
Examples section. Each loss must stand in the table of ``which_loss.md``, too.
"""

import importlib
import inspect
import pkgutil
from pathlib import Path

from sphinx.errors import ExtensionError
from sphinx.ext.autosummary import import_by_name
from sphinx.ext.autosummary.generate import find_autosummary_in_lines

from sklearn_adreg.losses import LOSSES

PACKAGE = "sklearn_adreg"


def public_modules():
    """Yield the package and its modules whose path has no leading underscore."""
    package = importlib.import_module(PACKAGE)
    yield package
    for module in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            yield importlib.import_module(module.name)


def public_objects():
    """Return the public classes and functions, by their shortest full name."""
    names = {}
    for module in public_modules():
        for name in getattr(module, "__all__", ()):
            obj = getattr(module, name)
            if inspect.isclass(obj) or inspect.isroutine(obj):
                full_name = f"{module.__name__}.{name}"
                names[obj] = min(names.get(obj, full_name), full_name, key=len)
    return {name: obj for obj, name in names.items()}


def check_public_names(app):
    """Compare the public names with those of the page, and look for examples."""
    lines = Path(app.srcdir, "api.md").read_text(encoding="utf-8").splitlines()
    entries = find_autosummary_in_lines(lines)
    documented = [import_by_name(entry.name)[1] for entry in entries]
    problems = []
    for name, obj in sorted(public_objects().items()):
        if obj not in documented:
            problems.append(f"{name} is public, but not listed in api.md")
        if "\nExamples\n" not in (inspect.getdoc(obj) or ""):
            problems.append(f"{name} is public, but its docstring has no Examples")
    table = Path(app.srcdir, "user_guide", "which_loss.md").read_text(encoding="utf-8")
    problems += [
        f"The loss {name!r} has no row in which_loss.md"
        for name in LOSSES
        if f'| `"{name}"` |' not in table
    ]
    if problems:
        raise ExtensionError("\n".join(problems))


def setup(app):
    """Register the check with Sphinx."""
    app.connect("builder-inited", check_public_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
