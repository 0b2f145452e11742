"""The code and the tables of pages, as they stand there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]


def python_of(page: str) -> str:
    """Return the Python of a page, all blocks of it, on the lines where it stands."""
    lines, inside = [], False
    for line in (ROOT / page).read_text().splitlines():
        fence = line.startswith("```")
        lines.append(line if inside and not fence else "")
        inside = line == "```python" or (inside and not fence)
    return "\n".join(lines)


@contextmanager
def module_of(page: str) -> Iterator[ModuleType]:
    """Run the Python of a page as a module, which can be looked up while it is used."""
    name = re.sub(r"\W", "_", page)
    module = ModuleType(name)
    sys.modules[name] = module
    try:
        exec(compile(python_of(page), str(ROOT / page), "exec"), vars(module))
        yield module
    finally:
        del sys.modules[name]
