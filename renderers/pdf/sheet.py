"""What the template has to know about a report, and texts made fit for its columns.

The fonts are those inside Typst, the same on every machine: Libertinus Serif, then DejaVu Sans Mono and New
Computer Modern for characters it has not. A character that none of them has is shown as an empty box.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unicodedata import bidirectional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from renderers.model import Layout
    from renderers.rows import Block

__all__ = ["LONGEST_LABEL", "LONGEST_TEXT", "PdfRow", "Sheet", "make_sheet", "shown_text"]

LONGEST_TEXT = 1_000_000
"""Characters of a cell that are shown; longer texts end in an ellipsis."""

LONGEST_LABEL = 300
"""The same for titles, column labels and the labels of group rows."""

PdfRow = list[Any]
"""What the template gets of a row: band, level, label, whether it may be longer than a page, texts."""

_A4 = (595.28, 841.89)
_MARGIN = 45.0
_GUTTER = 10.0
_UPRIGHT_COLUMNS = 8  # more than these: landscape
_SIZES = ((12, 9.0), (16, 8.0), (22, 7.0))  # up to so many columns: size of the text
_SMALLEST = 6.0
_SURE_LINES = 20  # a row estimated at so many lines surely fits on a page, even if words wrap badly

# What cannot be shown: controls except the line feed, halves of surrogate pairs, noncharacters.
_UNFIT = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")

# Widths in em, rounded up, of the widest of Libertinus Serif and its semibold.
_WIDTHS = dict.fromkeys("!',.:;ijl| \xa0\u202f", 0.3)
_WIDTHS |= dict.fromkeys('"()-/IJ[\\]`ft{}', 0.4)
_WIDTHS |= dict.fromkeys("#$*0123456789?S_acersz~€£", 0.5)
_WIDTHS |= dict.fromkeys("+<=>EFLPT^bdghknopquvxy", 0.6)
_WIDTHS |= dict.fromkeys("%ABCKRUVYZ", 0.7)
_WIDTHS |= dict.fromkeys("&DGHNOQXw", 0.8)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A report's pages, before any row is known.

    Attributes:
        settings: For the template, a JSON value.
        pages: Half of the page footer that tells the number of pages, ``{pages}`` in it; empty if none does.
        columns: Width of each column in em.
    """

    settings: dict[str, Any]
    pages: str
    columns: tuple[float, ...]

    def rows(self, block: Block) -> list[PdfRow]:
        """Make a block's rows ready for the template."""
        label = shown_text(block.label, LONGEST_LABEL)
        if not block.texts:
            return [[block.band, block.level, label, False, []] for _ in range(block.size)]
        fitted = [_fitted(texts, width) for texts, width in zip(block.texts, self.columns, strict=True)]
        long: set[int] = set().union(*(over for _, over in fitted))
        cells = zip(*(texts for texts, _ in fitted), strict=True)
        return [
            [block.band, block.level, label, place in long, list(texts)] for place, texts in enumerate(cells)
        ]


def make_sheet(layout: Layout) -> Sheet:
    """Choose paper, size of text and column widths for a report, and translate its fixed words."""
    columns = layout.columns
    width, height = _A4 if len(columns) <= _UPRIGHT_COLUMNS else _A4[::-1]
    size = next((size for most, size in _SIZES if len(columns) <= most), _SMALLEST)
    space = width - 2 * _MARGIN - _GUTTER * (len(columns) - 1)
    labels = [shown_text(column.label, LONGEST_LABEL) for column in columns]
    ends = [column.align == "end" for column in columns]
    # No column gets less than a figure or its own label needs, if there is room for that.
    least = [
        size * max(7.0 if at_end else 6.0, *(_ems(word) for word in label.split()), 0.0)
        for label, at_end in zip(labels, ends, strict=True)
    ]
    widths = _shared(max(space, size * len(columns)), [column.width for column in columns], least)
    ems = tuple(points / size for points in widths)
    title = shown_text(layout.title, LONGEST_LABEL)
    language, *subtags = layout.locale.split("-")
    first, second = _halves(layout.labels.page)
    pages_first = "{pages}" in first
    settings = {
        "title": _broken(title, (width - 2 * _MARGIN) / 21),
        "running-title": title.replace("\n", " "),
        "width": width,
        "height": height,
        "margin": _MARGIN,
        "size": size,
        "gutter": _GUTTER,
        "widths": widths,
        "ends": ends,
        "labels": [_broken(label, em) for label, em in zip(labels, ems, strict=True)],
        "span": layout.label_span,
        "rtl": layout.direction == "rtl",
        "lang": language.lower() if re.fullmatch("[A-Za-z]{2,3}", language) else "und",
        "region": next((tag.upper() for tag in subtags if re.fullmatch("[A-Za-z]{2}", tag)), None),
        "footer": second if pages_first else first,
        "footer-rtl": any(bidirectional(char) in {"R", "AL"} for char in first + second),
        "pages-first": pages_first,
        "empty": shown_text(layout.labels.empty, LONGEST_LABEL),
    }
    return Sheet(settings, first if pages_first else second, ems)


def shown_text(text: str, longest: int) -> str:
    """Replace what no page can show: tabs by spaces, other controls by U+FFFD; cut what is too long."""
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return _UNFIT.sub("\ufffd", _BREAKS.sub("\n", text).replace("\t", " "))


def _shared(space: float, weights: Sequence[float], least: Sequence[float]) -> list[float]:
    """Share out the line by weight, but give no column less than it needs, if there is room."""
    if sum(least) > space:
        return [round(space * each / sum(least), 2) for each in least]
    needy: set[int] = set()
    while True:
        rest = space - sum(least[place] for place in needy)
        weight = sum(each for place, each in enumerate(weights) if place not in needy)
        widths = [
            least[place] if place in needy else rest * each / weight for place, each in enumerate(weights)
        ]
        more = {place for place, each in enumerate(widths) if each < least[place]}
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


def _fitted(texts: Sequence[str], width: float) -> tuple[Sequence[str], set[int]]:
    """The texts of a column as they are shown, and the places of those that may be longer than a page."""
    longest = max(map(len, texts), default=0)
    shown = [shown_text(text, LONGEST_TEXT) for text in texts]
    if longest <= width:  # no character is wider than an em
        return shown, set()
    over = set()
    for place, text in enumerate(shown):
        if len(text) > width or "\n" in text:
            shown[place] = broken = _broken(text, width)
            if broken.count("\n") + 0.75 * len(broken) / width > _SURE_LINES:
                over.add(place)
    return shown, over


def _broken(text: str, width: float) -> str:
    """Break words that are wider than a column, ``width`` in em, by line feeds: there is no other way."""
    most = max(int(width), 1)
    if len(text) <= most:
        return text
    return re.sub(f"[^ \n\u200b]{{{most + 1},}}", lambda found: _cut(found[0], width), text)


def _cut(word: str, width: float) -> str:
    if _ems(word) <= width:
        return word
    pieces = []
    start, used = 0, 0.0
    for place, char in enumerate(word):
        wide = _em(char)
        if used + wide > width and place > start:
            pieces.append(word[start:place])
            start, used = place, 0.0
        used += wide
    return "\n".join((*pieces, word[start:]))


def _ems(text: str) -> float:
    return sum(map(_em, text))


def _em(char: str) -> float:
    known = _WIDTHS.get(char)
    if known is not None:
        return known
    return 0.65 if char.islower() else 1.0
