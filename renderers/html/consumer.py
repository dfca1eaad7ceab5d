"""The sink that makes an HTML page of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from renderers.html.page import Page
from renderers.html.writer import RowWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genstage.streaming import Chunk, Output
    from renderers.model import Layout
    from renderers.rows import Block, Row

__all__ = ["HtmlConsumer"]

_BODY_ROWS = 100  # the browser lays out a table body only when it comes near the screen
_OPEN = "<tbody role=rowgroup>\n"
_CLOSE = "</tbody>\n"


class HtmlConsumer:
    """Writes a report as one HTML page, chunk by chunk.

    The rows are cut into table bodies by count, so the bytes do not depend on chunks. The state is the
    number of rows written, which also tells whether a table body is open.

    Args:
        layout: The report, ready for its data.
    """

    def __init__(self, layout: Layout) -> None:
        self._page = Page(layout, body_rows=_BODY_ROWS)
        self._writer = RowWriter(layout)

    def begin(self, output: Output) -> int:
        """Write the head of the page, up to the column labels.

        Raises:
            OutputError: It could not be written.
        """
        output.write(self._page.head())
        return 0

    def consume_chunk(self, chunk: Chunk[Row], state: int, output: Output) -> int:
        """Write the rows of a chunk.

        Raises:
            OutputError: They could not be written.
        """
        blocks: Sequence[Block] = chunk.records.blocks  # type: ignore[attr-defined]  # Rows is what a report's chunks hold
        rows = self._writer.rows(blocks)
        if rows:
            output.write("".join(_in_bodies(rows, state)).encode())
        return state + len(rows)

    def finalize(self, state: int, output: Output) -> int:
        """Write the end of the page.

        Returns:
            The number of rows.

        Raises:
            OutputError: It could not be written.
        """
        end = _CLOSE.encode() if state else self._page.nothing()
        output.write(end + self._page.tail())
        return state


def _in_bodies(rows: list[str], before: int) -> list[str]:
    """The rows with the tags between table bodies; ``before`` tells how many rows were written already."""
    pieces = []
    start = 0
    while start < len(rows):
        used = (before + start) % _BODY_ROWS
        if not used:
            pieces.append(_CLOSE + _OPEN if before + start else _OPEN)
        stop = start + _BODY_ROWS - used
        pieces += rows[start:stop]
        start = stop
    return pieces
