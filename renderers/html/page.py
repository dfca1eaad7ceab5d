"""What surrounds the rows of a report in its HTML page: the head with all style, and the tail."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from renderers.html.text import css_string, fit
from renderers.model.specs import parse_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

    from renderers.model import Layout, LayoutColumn
    from renderers.model.specs import Kind

__all__ = ["Page", "template"]

# Widths in rem. The least ones keep a table readable where the screen is narrow.
_WIDEST = 76
_FLOORS: Mapping[Kind, float] = {
    "text": 9,
    "integer": 6,
    "decimal": 8,
    "percent": 6,
    "currency": 8.5,
    "date": 8,
    "month": 9,
}
_TOTAL = 2.0  # totals are longer than what they add up, and bold
_WIDEST_FLOOR = 14.0  # for the sake of a label
_PAPER = {False: 46.0, True: 68.0}  # a printed page: A4 upright, across
_UPRIGHT_COLUMNS = 8  # more than these: across
_PRINT_SIZES = ((8, 9), (12, 8), (20, 7))  # up to so many columns: size of the printed text in points
_SMALLEST = 6


class Page:
    """The head and the tail of the page of one report.

    Args:
        layout: The report, ready for its data.
        body_rows: Number of rows in a table body.
    """

    def __init__(self, layout: Layout, *, body_rows: int) -> None:
        columns = layout.columns
        floors = [_floor(column) for column in columns]
        least = sum(floors)
        across = len(columns) > _UPRIGHT_COLUMNS
        shares = _percent([column.width for column in columns])
        printed = _percent(
            [max(floor, _PAPER[across] * share / 100) for floor, share in zip(floors, shares, strict=True)]
        )
        print_size = next((size for most, size in _PRINT_SIZES if len(columns) <= most), _SMALLEST)
        self._context: dict[str, Any] = {
            "language": layout.locale,
            "direction": layout.direction,
            "start": "left" if layout.direction == "ltr" else "right",
            "end": "right" if layout.direction == "ltr" else "left",
            "title": fit(layout.title),
            "columns": [
                {
                    "label": fit(column.label),
                    "floor": f"{floor:g}",
                    "share": f"{share:g}",
                    "printed": f"{part:g}",
                }
                for column, floor, share, part in zip(columns, floors, shares, printed, strict=True)
            ],
            "ends": [len(columns) - place for place, column in enumerate(columns) if column.align == "end"],
            "levels": len(layout.groups),
            "span": layout.label_span,
            "least": f"{least:g}",
            "screen": f"{least + 4:g}",
            "widest": f"{max(_WIDEST, least + 4):g}",
            "body_rows": body_rows,
            "across": across,
            "print_size": print_size,
            "print_pad": max(print_size - 5, 2),
            "page_number": _page_number(layout.labels.page),
            "empty": fit(layout.labels.empty),
        }

    def head(self) -> bytes:
        """The page up to the column labels."""
        return self._render("head.html")

    def nothing(self) -> bytes:
        """What stands in the place of rows if there is none."""
        return self._render("nothing.html")

    def tail(self) -> bytes:
        """The page after the last table body."""
        return self._render("tail.html")

    def _render(self, name: str) -> bytes:
        return template(name).render(self._context).encode()


@cache
def template(name: str) -> Template:
    """A template of this package, compiled once. Whatever is put into it is escaped."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("renderers.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _floor(column: LayoutColumn) -> float:
    """The least width of a column in rem: room for usual values, their total and the words of its label."""
    usual = _FLOORS[parse_spec(column.format.spec).kind] + (_TOTAL if column.total else 0)
    word = max(map(len, column.label.split()), default=0)
    return max(usual, min(0.5 * word + 1.5, _WIDEST_FLOOR))


def _percent(widths: list[float]) -> list[float]:
    """Shares of the whole, to two places; the least is not nothing."""
    most = max(widths)  # the sum of wide columns may be too large for a float
    parts = [width / most for width in widths]
    return [max(round(100 * part / sum(parts), 2), 0.01) for part in parts]


def _page_number(label: str) -> Markup:
    """The number of a printed page, as the value of a CSS property."""
    counters = {"{page}": "counter(page)", "{pages}": "counter(pages)"}
    parts = filter(None, re.split(r"(\{pages?\})", label))
    content = " ".join(counters.get(part, f'"{css_string(part)}"') for part in parts) or '""'
    return Markup(content)  # noqa: S704 - css_string leaves no markup
