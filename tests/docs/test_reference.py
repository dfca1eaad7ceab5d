"""The reference lists every public name, with what it is: the first line of its documentation.

``python tests/docs/test_reference.py`` writes the tables of the page anew.
"""

import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "public-names.md"
PUBLIC = [
    "genstage",
    "genstage.dispatchers",
    "genstage.otel",
    "genstage.pipeline",
    "genstage.signals",
    "genstage.sources",
    "genstage.streaming",
    "genstage.telemetry",
    "genstage.testing",
    "renderers",
]


def about(module, name):
    """What a name is, in one line."""
    value = getattr(module, name)
    if isinstance(value, type) or inspect.isroutine(value) or inspect.ismodule(value):
        text = inspect.getdoc(value) or ""
    else:  # a constant: its text stands behind it
        source = inspect.getsource(sys.modules[origin(module, name)])
        found = re.search(rf'^{name}\b[^\n]*=.*?^"""(.*?)"""', source, re.MULTILINE | re.DOTALL)
        text = found[1] if found else ""
    return " ".join(text.split("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")


def origin(module, name):
    """The module a constant comes from."""
    found = re.search(rf"^from (\S+) import [^\n]*\b{name}\b", inspect.getsource(module), re.MULTILINE)
    return found[1] if found else module.__name__


def table(name):
    """The table of one module."""
    module = importlib.import_module(name)
    rows = [f"| `{public}` | {about(module, public)} |" for public in module.__all__]
    return "\n".join(["| name | what it is |", "|---|---|", *rows])


SECTION = re.compile(r"^(## `([a-z.]+)`\n.*?\n)(\| name \|.*?)(?=\n\n|\n\Z)", re.MULTILINE | re.DOTALL)


def tables_of(page):
    """The tables of the page, by the modules in their headings."""
    return {name: table for _, name, table in SECTION.findall(page)}


def test_the_page_has_a_table_for_each_public_module():
    assert list(tables_of(PAGE.read_text())) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_the_table_is_what_the_module_says(name):
    assert tables_of(PAGE.read_text())[name] == table(name)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_says_what_it_is(name):
    module = importlib.import_module(name)
    assert [public for public in module.__all__ if not about(module, public)] == []


def main():
    PAGE.write_text(SECTION.sub(lambda found: found[1] + table(found[2]), PAGE.read_text()))


if __name__ == "__main__":
    main()
