"""The sink that makes a PDF file of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from renderers.pdf.cells import texts_of
from renderers.pdf.compiler import Compiler
from renderers.pdf.joining import join, put_pages
from renderers.pdf.sheet import make_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genstage.streaming import Chunk, Output
    from renderers.model import Layout
    from renderers.pdf.sheet import PdfRow
    from renderers.rows import Block, Row

__all__ = ["PdfConsumer"]

_FIRST_BATCH = 64  # a page and a bit, so that the first page is soon set
_BATCH = 400  # about so many, some seven pages: set at once in about 80 ms and 25 MB
_SPARE = 6  # rows that make it likely that the last page which was counted on is full
_MOST_SEEN = 2000
_SPOOL = "pages"
_LONG = 3  # place in a PdfRow


class PdfConsumer:
    """Sets the pages of a report in batches and joins them at the end.

    A batch is a count of rows, so page breaks and bytes do not depend on chunks. The rows of its last,
    unfilled page are carried into the next batch. The pages that are set wait in a scratch file. What is held
    on the object is a process, not a state.

    Args:
        layout: The report, ready for its data.
    """

    def __init__(self, layout: Layout) -> None:
        self._sheet = make_sheet(layout)
        self._language = layout.locale
        self._compiler = Compiler()

    def begin(self, output: Output) -> dict[str, Any]:
        """Start the typesetting process; it gets ready while the first rows are read.

        Raises:
            CompileError: The process does not start.
        """
        self._compiler.start()
        output.scratch(_SPOOL)
        return {"page": 1, "limit": _FIRST_BATCH, "seen": "", "rows": []}

    def consume_chunk(self, chunk: Chunk[Row], state: dict[str, Any], output: Output) -> dict[str, Any]:
        """Take the rows of a chunk and set the batches that are full.

        Raises:
            CompileError: The typesetter refused a batch, or its process died twice.
            OutputError: The pages could not be written.
        """
        blocks: Sequence[Block] = chunk.records.blocks  # type: ignore[attr-defined]  # Rows is what a report's chunks hold
        state = {
            **state,
            "rows": [*state["rows"], *(row for block in blocks for row in self._sheet.rows(block))],
        }
        while (batch := _next_batch(state["rows"], state["limit"])) is not None:
            size, whole = batch
            state = self._set(size, state, output, whole=whole)
        return state

    def finalize(self, state: dict[str, Any], output: Output) -> int:
        """Set the last pages and write the file.

        Returns:
            The number of pages.

        Raises:
            CompileError: The typesetter refused a batch, or its process died twice.
            OutputError: The file could not be written.
        """
        if state["rows"] or state["page"] == 1:
            state = self._set(len(state["rows"]), state, output, whole=True, last=True)
        pages: int = state["page"] - 1
        join(
            output.scratch(_SPOOL),
            output,
            title=self._sheet.title,
            language=self._language,
            overlay=self._overlay(pages),
        )
        return pages

    def close(self) -> None:
        """End the typesetting process; allowed more than once."""
        self._compiler.close()

    def _set(
        self, size: int, state: dict[str, Any], output: Output, *, whole: bool, last: bool = False
    ) -> dict[str, Any]:
        """Set the next ``size`` rows and put the pages that are done aside: all of them if ``whole``."""
        page, rows = state["page"], state["rows"][:size]
        seen = _joined(state["seen"], rows)
        sample = "" if last and page == 1 else _ASCII + seen
        compiled = self._compiler.compile(
            {"sheet": self._sheet.settings, "page": page, "rows": rows, "sample": sample}
        )
        *places, end = compiled.places
        skip = 1 if sample else 0
        done, take = (size, end - skip) if whole else _full_pages(rows, places, skip)
        if take:
            put_pages(output.scratch(_SPOOL), skip, take, compiled.pdf)
        limit = _next_limit(done / take) if done else size + _BATCH
        return {"page": page + take, "limit": limit, "seen": seen, "rows": state["rows"][done:]}

    def _overlay(self, pages: int) -> bytes | None:
        """A page with nothing on it but the half of the page footer that tells the number of pages."""
        if not self._sheet.pages:
            return None
        text = self._sheet.pages.replace("{pages}", str(pages))
        return self._compiler.compile(
            {"sheet": self._sheet.settings, "page": 1, "rows": [], "sample": "", "pages": text}
        ).pdf


_ASCII = "".join(map(chr, range(0x20, 0x7F)))


def _joined(seen: str, rows: list[PdfRow]) -> str:
    """The characters outside ASCII that occurred so far; as long as no new one comes, the fonts are equal."""
    chars = {*seen}.union(*(text for *_, label, _, cells in rows for text in (label, *texts_of(cells))))
    return "".join(sorted(char for char in chars if not char.isascii()))[:_MOST_SEEN]


def _next_batch(rows: list[PdfRow], limit: int) -> tuple[int, bool] | None:
    """How many rows make the next batch and whether its last page ends with them; ``None`` if too few came.

    A row that may be longer than a page begins a batch and thereby a page, together with the headers
    directly before it: so no page begins in its middle but its own.
    """
    start = 0
    while start < len(rows) and rows[start][0] == "header":
        start += 1
    for place in range(start + 1, min(len(rows), limit)):
        if rows[place][_LONG]:
            while rows[place - 1][0] == "header":
                place -= 1  # noqa: PLW2901 - the loop ends here
            return place, True
    return (limit, False) if len(rows) >= limit else None


def _next_limit(rows_per_page: float) -> int:
    """How many rows to set at once: whole pages and little more, for the last page is set again."""
    pages = max(round(_BATCH / rows_per_page), 1)
    return int(pages * rows_per_page) + _SPARE


def _full_pages(rows: list[PdfRow], places: list[int], skip: int) -> tuple[int, int]:
    """How many rows stand on pages that no further row can change, and the number of these pages."""
    last = places[-1]
    done = places.index(last)
    if any(row[_LONG] for row in rows[max(done - 1, 0) :]):  # the last page may begin within a row
        return 0, 0
    return done, last - skip - 1
