"""What the template has to know about a report, and the rows as it takes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from unicodedata import bidirectional

from renderers.model.specs import parse_spec
from renderers.model.totals import tally
from renderers.pdf.cells import CellColumn, broken, ems, isolated, own_direction, shown_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from renderers.model import Layout, LayoutColumn
    from renderers.pdf.cells import Cell
    from renderers.rows import Block

__all__ = ["LONGEST_LABEL", "PdfRow", "Sheet", "make_sheet"]

LONGEST_LABEL = 300
"""Characters that are shown of titles, column labels and the labels of group rows."""

PdfRow = list[Any]
"""What the template gets of a row: band, level, label, whether it may be longer than a page, cells."""

_A4 = (595.28, 841.89)
_ACROSS = (841.89, 595.28)
_MARGIN = 45.0
_GUTTER = 10.0
# The most columns, paper and size of the text. The first one is taken on which all columns have the room they
# need, otherwise the last.
_PAPERS = (
    (8, _A4, 9.0),
    (8, _A4, 8.0),
    (12, _ACROSS, 9.0),
    (16, _ACROSS, 8.0),
    (22, _ACROSS, 7.0),
)
_LAST_PAPER = (_ACROSS, 6.0)
_LEGIBLE = 3.5  # no figure is made smaller, in points
_TEXT = 6.0  # em for a column of text
_ROUNDING = 0.01
_LEAST_TEXT = 3.0  # if there is not so much room
# A figure, and a sum, that a column has room for; percentages are shown a hundred times as large.
_USUAL_FIGURES = (Decimal("-888888.888888"), Decimal("-888888888.888888"))
_USUAL = {"percent": (Decimal("-8.888888"), Decimal("-88.888888"))}
_LEAP_YEAR = 2028


@dataclass(frozen=True, slots=True)
class Sheet:
    """A report's pages, before any row is known.

    Attributes:
        settings: For the template, a JSON value.
        title: In one line.
        pages: Half of the page footer that tells the number of pages, ``{pages}`` in it; empty if none does.
        columns: What makes the cells of each column.
        layout: The report.
    """

    settings: dict[str, Any]
    title: str
    pages: str
    columns: tuple[CellColumn, ...]
    layout: Layout

    def rows(self, block: Block) -> list[PdfRow]:
        """Make a block's rows ready for the template."""
        label = self._label(block)
        if not block.texts:
            return [[block.band, block.level, label, False, []] for _ in range(block.size)]
        made = [column.cells(texts) for texts, column in zip(block.texts, self.columns, strict=True)]
        if block.band != "detail" and not self.layout.label_span:
            made[0] = self.columns[0].labelled(block.label, block.texts[0][0])
        long: set[int] = set().union(*(over for _, over in made))
        cells: zip[tuple[Cell, ...]] = zip(*(cells for cells, _ in made), strict=True)
        return [[block.band, block.level, label, place in long, list(row)] for place, row in enumerate(cells)]

    def _label(self, block: Block) -> str:
        """The label of a row; the group's value in it is kept apart from the words around it."""
        before = after = ""
        if block.band == "header":
            before = f"{self.layout.groups[block.level].label}: "
        elif block.band == "footer" and self.layout.labels.total.count("{key}") == 1:
            before, after = self.layout.labels.total.split("{key}")
        label, page = block.label, self.layout.direction
        stop = len(label) - len(after)
        if not (label.startswith(before) and label.endswith(after) and len(before) <= stop):
            return isolated(shown_text(label, LONGEST_LABEL), page)
        # The words have the direction of their language, which need not be the page's.
        direction = own_direction(before + after, page) or page
        value = isolated(shown_text(label[len(before) : stop], LONGEST_LABEL), direction)
        return isolated(shown_text(before, LONGEST_LABEL) + value + shown_text(after, LONGEST_LABEL), page)


def make_sheet(layout: Layout) -> Sheet:
    """Choose paper, size of text and column widths for a report, and translate its fixed words."""
    columns = layout.columns
    labels = [shown_text(column.label, LONGEST_LABEL) for column in columns]
    kinds = [parse_spec(column.format.spec) for column in columns]
    samples = [_samples(column) for column in columns]
    needs = [max(map(ems, texts), default=_LEAST_TEXT) + _ROUNDING for texts in samples]
    # No column gets less than a figure or its own label needs, if there is room for that.
    wishes = [
        max(need, 0.0 if texts else _TEXT, *map(ems, label.split()))
        for need, texts, label in zip(needs, samples, labels, strict=True)
    ]
    (width, height), size = _paper(len(columns), sum(wishes))
    widths = _shared(
        max(_space(width, len(columns)), size * len(columns)),
        [column.width for column in columns],
        wishes=[size * each for each in wishes],
        needs=[size * each for each in needs],
    )
    cells = tuple(
        CellColumn.of(
            points / size,
            layout.direction,
            samples=texts,
            figure=kind.is_figure,
            smallest=_LEGIBLE / size,
        )
        for points, texts, kind in zip(widths, samples, kinds, strict=True)
    )
    title = shown_text(layout.title, LONGEST_LABEL)
    running_title = title.replace("\n", " ")
    language, *subtags = layout.locale.split("-")
    first, second = _halves(layout.labels.page)
    pages_first = "{pages}" in first
    settings = {
        "title": isolated(broken(title, (width - 2 * _MARGIN) / 21), layout.direction),
        "running-title": isolated(running_title, layout.direction),
        "width": width,
        "height": height,
        "margin": _MARGIN,
        "size": size,
        "gutter": _GUTTER,
        "widths": widths,
        "ends": [column.align == "end" for column in columns],
        "labels": [
            isolated(broken(label, cell.width), layout.direction)
            for label, cell in zip(labels, cells, strict=True)
        ],
        "span": layout.label_span,
        "rtl": layout.direction == "rtl",
        "lang": language.lower() if re.fullmatch("[A-Za-z]{2,3}", language) else "und",
        "region": next((tag.upper() for tag in subtags if re.fullmatch("[A-Za-z]{2}", tag)), None),
        "footer": second if pages_first else first,
        "footer-rtl": any(bidirectional(char) in {"R", "AL"} for char in first + second),
        "pages-first": pages_first,
        "empty": shown_text(layout.labels.empty, LONGEST_LABEL),
    }
    return Sheet(settings, running_title, first if pages_first else second, cells, layout)


def _samples(column: LayoutColumn) -> list[str]:
    """Texts as wide as a column has room for, in its locale; none if its texts may be broken."""
    made = column.format
    kind = parse_spec(made.spec).kind
    if kind == "text":
        return []
    if kind in {"date", "month"}:
        values = made.values([date(_LEAP_YEAR, month, 28) for month in range(1, 13)])
        usual, usual_sum = Decimal(), Decimal()
    else:
        usual, usual_sum = _USUAL.get(kind, _USUAL_FIGURES)
        values = [int(usual) if kind == "integer" else usual]
    texts = made.texts(values)
    match None if column.total is None else column.total.function:
        case "sum":
            texts += made.texts([int(usual_sum) if kind == "integer" else usual_sum])
        case "average" as function:
            texts += tally(function, made).format.texts([usual])
        case "count" as function:
            texts += tally(function, made).format.texts([abs(int(_USUAL_FIGURES[1]))])
    return texts


def _paper(count: int, wish: float) -> tuple[tuple[float, float], float]:
    """Paper and size of the text for so many columns that wish for so many em."""
    for most, paper, size in _PAPERS:
        if count <= most and size * wish <= _space(paper[0], count):
            return paper, size
    return _LAST_PAPER


def _space(width: float, count: int) -> float:
    """What paper of a width leaves for so many columns."""
    return width - 2 * _MARGIN - _GUTTER * (count - 1)


def _shared(
    space: float, weights: Sequence[float], *, wishes: Sequence[float], needs: Sequence[float]
) -> list[float]:
    """Share out the line by weight, but give each column what it wishes for, or at least needs."""
    if sum(needs) >= space:
        return [round(space * each / sum(needs), 2) for each in needs]
    if sum(wishes) > space:
        part = (space - sum(needs)) / (sum(wishes) - sum(needs))
        return [round(need + part * (wish - need), 2) for need, wish in zip(needs, wishes, strict=True)]
    needy: set[int] = set()
    while True:
        rest = space - sum(wishes[place] for place in needy)
        weight = sum(each for place, each in enumerate(weights) if place not in needy)
        widths = [
            wishes[place] if place in needy else rest * each / weight for place, each in enumerate(weights)
        ]
        more = {place for place, each in enumerate(widths) if each < wishes[place]}
        if not more:
            return [round(each, 2) for each in widths]
        needy |= more


def _halves(template: str) -> tuple[str, str]:
    """Cut a page number's template after its first placeholder, so that each half has one of them."""
    text = shown_text(template, LONGEST_LABEL).replace("\n", " ")
    found = re.search(r"\{pages?\}", text)
    cut = found.end() if found else len(text)
    first, second = text[:cut], text[cut:]
    kept = second.lstrip(" ")  # spaces at the edge of a line would vanish
    return first, "\xa0" * (len(second) - len(kept)) + kept
