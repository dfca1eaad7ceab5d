"""The rows of a report as lines of JSON, texts only: HEEx would show numbers in Elixir's notation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from renderers.heex.encode import showable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from renderers.model import Layout
    from renderers.rows import Block

__all__ = ["row_lines"]


def row_lines(block: Block, layout: Layout) -> bytes:
    """Write the rows of a block.

    ``span`` is the number of leading columns that the label takes; the cells are those of the other columns.

    Args:
        block: Rows of one band.
        layout: The report they are of.
    """
    span = _span(block, layout)
    label = orjson.dumps(showable(block.label) if span else "")
    same = b'"band":"%b","level":%d,"label":%b,"span":%d' % (block.band.encode(), block.level, label, span)
    columns = [_showable(column) for column in block.texts[span:]]
    cells = map(orjson.dumps, zip(*columns, strict=True)) if columns else [b"[]"]
    return b"".join(
        b'{"ordinal":%d,%b,"cells":%b}\n' % (ordinal, same, texts)
        for ordinal, texts in enumerate(cells, block.first)
    )


def _span(block: Block, layout: Layout) -> int:
    match block.band:
        case "detail":
            return 0
        case "header":
            return len(layout.columns)
    return layout.label_span


def _showable(texts: Sequence[str]) -> Sequence[str]:
    """The texts of a column; nearly always there is nothing to replace in any of them."""
    column = "".join(texts)
    try:
        column.encode()
    except UnicodeEncodeError:
        pass  # there is half of a surrogate pair in it
    else:
        if "\0" not in column:
            return texts
    return list(map(showable, texts))
