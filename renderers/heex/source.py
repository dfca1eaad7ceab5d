"""The template of a report and the Elixir modules that use it: sources that depend on no row.

The template takes its rows by ``:for``, because the compiler is slow on many literal rows and fails on many
expressions. It is for LiveView 0.20 to 1.2: ``<%= %>`` between tags, ``{}`` in attributes, no ``:key``.
"""

from __future__ import annotations

import re
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from renderers.heex.encode import attribute, element_text, elixir_string, showable

if TYPE_CHECKING:
    from renderers.model import Layout

__all__ = ["elixir_module", "make_modules", "make_template"]

_TEMPLATES = Path(__file__).with_name("templates")
_MODULES = {"{}.ex": "data.ex", "{}.components.ex": "components.ex", "{}.live.ex": "live.ex"}


def make_template(layout: Layout) -> str:
    """Make the HEEx template, whose texts are literals."""
    headings = (
        f'<th scope="col" class="{column.align}">{element_text(column.label)}</th>'
        for column in layout.columns
    )
    return _filled(
        "report.heex",
        name=layout.name,
        locale=attribute(layout.locale),
        direction=attribute(layout.direction),
        title=element_text(layout.title),
        headings="".join(headings),
        empty=element_text(layout.labels.empty),
    )


def make_modules(layout: Layout) -> dict[str, str]:
    """Make the Elixir modules, by the names of their files."""
    return {
        file.format(layout.name): _filled(
            template,
            module=elixir_module(layout.name),
            name=layout.name,
            title=elixir_string(showable(layout.title)),
        )
        for file, template in _MODULES.items()
    }


def elixir_module(name: str) -> str:
    """The name of a report's Elixir module.

    Args:
        name: The report's, of ASCII letters, digits, hyphens and underscores.

    Example:
        >>> elixir_module("open_invoices"), elixir_module("2024-report")
        ('OpenInvoicesReport', 'R2024Report')
    """
    words = "".join(word[0].upper() + word[1:] for word in re.findall("[A-Za-z0-9]+", name))
    module = words if words.endswith("Report") else words + "Report"
    return f"R{module}" if module[0].isdigit() else module


def _filled(template: str, **values: str) -> str:
    return Template((_TEMPLATES / template).read_text("utf-8")).substitute(values)
