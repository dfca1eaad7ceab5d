"""The cells of a column: texts made fit for its width, and for the writing direction of the page.

What a person wrote may be broken over lines. A figure, a day or a month may not: a part of it reads as
another one. It is made smaller where it is too wide, and only what would then be too small to read is
continued on a further line, with a mark.

The fonts are those inside Typst, the same on every machine: Libertinus Serif, then DejaVu Sans Mono and New
Computer Modern for characters it has not. A character that none of them has is shown as an empty box.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from unicodedata import bidirectional, category

from renderers.model.direction import marked_figures

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "LONGEST_TEXT",
    "Cell",
    "CellColumn",
    "broken",
    "ems",
    "isolated",
    "own_direction",
    "shown_text",
    "texts_of",
]

LONGEST_TEXT = 1_000_000
"""Characters of a cell that are shown; longer texts end in an ellipsis."""

Cell = str | dict[str, Any]
"""What the template gets of a cell: a text, or a dictionary if it has to do more than to set it.

``text`` is the text; ``dir``, if there, its writing direction; ``fit``, if there, says that it is made as
small as the column needs; ``label``, if there, is text that stands on lines of its own before it.
"""

_SURE_LINES = 20  # a row estimated at so many lines surely fits on a page, even if words wrap badly
_CONTINUED = "↩"

# What cannot be shown: controls except the line feed, halves of surrogate pairs, noncharacters.
_UNFIT = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")

# Widths in em, rounded up, of the widest of Libertinus Serif and its semibold.
_WIDTHS = dict.fromkeys("!',.:;ijl| \xa0\u202f", 0.3)
_WIDTHS |= dict.fromkeys('"()-/IJ[\\]`ft{}\xad', 0.4)
_WIDTHS |= dict.fromkeys("#$*0123456789?S_acersz~€£", 0.5)
_WIDTHS |= dict.fromkeys("+<=>EFLP^bdghknopquvxy", 0.6)
_WIDTHS |= dict.fromkeys("%ABCKRTUVYZ", 0.7)
_WIDTHS |= dict.fromkeys("&DGHNOQXw", 0.8)
_WIDTHS |= dict.fromkeys("mæœŵƕƣǌǣǽȡȵȸȹ", 0.85)
_WIDTHS |= dict.fromkeys("ǆǳ", 0.95)
_WIDTHS |= dict.fromkeys("WŴ", 1.05)
_WIDTHS |= dict.fromkeys("ǄǅǊǱǲ", 1.35)
_WIDTHS[_CONTINUED] = 0.65
_DIGIT = 0.5
_PARTS = re.compile(r"\w*\W*", re.DOTALL)

_FROM_RIGHT = frozenset({"R", "AL", "AN", "RLE", "RLO", "RLI"})


@dataclass(frozen=True, slots=True)
class CellColumn:
    """A column of a report, as wide as it is on the page.

    Attributes:
        width: In em.
        direction: Of the page.
        whole: Whether a part of a text would be misread: true of figures, days and months.
        figure: Whether the texts may begin with a sign.
        smallest: How small a text may be made, as a share of its size.
        sure: No whole text of so many characters is too wide.
    """

    width: float
    direction: Literal["ltr", "rtl"]
    whole: bool
    figure: bool
    smallest: float
    sure: int

    @classmethod
    def of(
        cls,
        width: float,
        direction: Literal["ltr", "rtl"],
        *,
        samples: Sequence[str],
        figure: bool,
        smallest: float,
    ) -> CellColumn:
        """Get ready for the texts of a column.

        Args:
            width: In em.
            direction: Of the page.
            samples: Texts with every character of a whole text that is wider than a digit; empty if texts may
                be broken.
            figure: Whether the texts may begin with a sign.
            smallest: How small a text may be made, as a share of its size.
        """
        excess = max((sum(max(_em(char) - _DIGIT, 0) for char in text) for text in samples), default=0)
        sure = max(int((width - excess) / _DIGIT), 0)
        return cls(width, direction, bool(samples), figure, smallest, sure)

    def cells(self, texts: Sequence[str]) -> tuple[Sequence[Cell], set[int]]:
        """Make cells of texts.

        Returns:
            The cells, and the places of those that may be longer than a page.
        """
        # The longest figure there is takes less than a page.
        return (self._kept_whole(texts), set()) if self.whole else self._wrapped(texts)

    def labelled(self, label: str, text: str) -> tuple[Sequence[Cell], set[int]]:
        """Make a cell of a text that begins with the label of its row and a colon, or is that label.

        Returns:
            As :meth:`cells`, of the one cell.
        """
        if not self.whole or text == label:
            return self._wrapped([text])
        before = isolated(
            broken(shown_text(text[: len(label) + 1], LONGEST_TEXT), self.width), self.direction
        )
        (cell,) = self._kept_whole([text[len(label) + 1 :].lstrip(" ")])
        rest = {"text": cell} if isinstance(cell, str) else cell
        if "fit" not in rest and ems(f"{before} {rest['text']}") <= self.width:
            return [f"{before} {rest['text']}"], set()
        return [{**rest, "label": before}], set()

    def _kept_whole(self, texts: Sequence[str]) -> Sequence[Cell]:
        if self.figure and self.direction == "rtl":
            texts = marked_figures(texts)
        if max(map(len, texts), default=0) <= self.sure:
            return texts
        cells: list[Cell] = [*texts]
        for place, text in enumerate(texts):
            if len(text) > self.sure and ems(text) > self.width:
                lines = _whole_lines(text, self.width / self.smallest)
                cells[place] = cell = {"text": f"{_CONTINUED}\n".join(lines), "fit": True}
                if len(lines) > 1:
                    cell["dir"] = "ltr"  # the mark stands where a figure goes on
        return cells

    def _wrapped(self, texts: Sequence[str]) -> tuple[Sequence[Cell], set[int]]:
        shown = [shown_text(text, LONGEST_TEXT) for text in texts]
        over = set()
        if max(map(len, texts), default=0) > self.width:  # hardly a character is wider than an em
            for place, text in enumerate(shown):
                if len(text) > self.width or "\n" in text:
                    shown[place] = lines = broken(text, self.width)
                    if lines.count("\n") + 0.75 * len(lines) / self.width > _SURE_LINES:
                        over.add(place)
        return [self._directed(text) for text in shown], over

    def _directed(self, text: str) -> Cell:
        direction = own_direction(text, self.direction)
        return text if direction is None else {"text": text, "dir": direction}


def shown_text(text: str, longest: int) -> str:
    """Replace what no page can show: tabs by spaces, other controls by U+FFFD; cut what is too long."""
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return _UNFIT.sub("\ufffd", _BREAKS.sub("\n", text).replace("\t", " "))


def texts_of(cells: Sequence[Cell]) -> list[str]:
    """The texts that are shown in some cells."""
    texts = []
    for cell in cells:
        if isinstance(cell, str):
            texts.append(cell)
        else:
            texts += [cell["text"], cell.get("label", "")]
    return texts


def isolated(text: str, page: Literal["ltr", "rtl"]) -> str:
    r"""Let a text that stands among others keep its own direction, if that is not the page's.

    Args:
        text: May have several lines.
        page: The direction of what surrounds it.

    Example:
        >>> isolated("{West}", "ltr"), isolated("{West}", "rtl")
        ('{West}', '\u2066{West}\u2069')
    """
    own = own_direction(text, page)
    if own is None:
        return text
    start = "\u2066" if own == "ltr" else "\u2067"
    return "\n".join(f"{start}{line}\u2069" for line in text.split("\n"))


def broken(text: str, width: float) -> str:
    """Break words that are wider than a column, ``width`` in em, by line feeds: there is no other way."""
    most = max(int(width), 1)
    if len(text) <= most:
        return text
    return re.sub(f"[^ \n\u200b]{{{most + 1},}}", lambda found: "\n".join(_pieces(found[0], width)), text)


def ems(text: str) -> float:
    """An estimate of the width of a text in em, never too small."""
    return sum(map(_em, text))


def _whole_lines(text: str, width: float) -> list[str]:
    """Cut what should stay whole, between words or groups of digits if possible, with room for a mark."""
    room = max(width - _em(_CONTINUED), 1.0)
    lines = [""]
    for part in _PARTS.findall(text):
        for piece in _pieces(part, room):
            if lines[-1] and ems(lines[-1] + piece) > room:
                lines.append("")
            lines[-1] += piece
    return lines


def _pieces(word: str, width: float) -> list[str]:
    """Cut a word into pieces that are not wider than ``width`` in em."""
    if ems(word) <= width:
        return [word]
    pieces = []
    start, used = 0, 0.0
    for place, char in enumerate(word):
        wide = _em(char)
        if used + wide > width and place > start:
            pieces.append(word[start:place])
            start, used = place, 0.0
        used += wide
    return [*pieces, word[start:]]


@lru_cache(maxsize=4096)
def _em(char: str) -> float:
    known = _WIDTHS.get(char)
    if known is not None:
        return known
    if category(char) in {"Mn", "Cf"}:  # accents, marks of direction
        return 0.0
    return 0.65 if char.islower() or bidirectional(char) == "AL" else 1.0


def own_direction(text: str, page: Literal["ltr", "rtl"]) -> Literal["ltr", "rtl"] | None:
    """The direction of a text that would read wrong in that of the page; ``None`` if it would not."""
    if page == "ltr":
        return "rtl" if not text.isascii() and _first_strong(text) == "rtl" else None
    if not text or text.isspace() or _first_strong(text) == "rtl":
        return None
    # A line that is all from left to right is one run, unless it begins or ends with what has no direction.
    edges = bidirectional(text[0]) == "L" and bidirectional(text[-1]) in {"L", "EN"} and "\n" not in text
    if edges and (text.isascii() or _FROM_RIGHT.isdisjoint(map(bidirectional, text))):
        return None
    return "ltr"


def _first_strong(text: str) -> Literal["ltr", "rtl"] | None:
    for char in text:
        kind = bidirectional(char)
        if kind == "L":
            return "ltr"
        if kind in {"R", "AL"}:
            return "rtl"
    return None
