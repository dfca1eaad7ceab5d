"""The sink that makes a HEEx template and its data of rows.

The main file is the template. Beside it stand, for a report named ``sales``:

- ``sales.rows.ndjson``: one row a line, with headers, footers and the line of totals;
- ``sales.assigns.json``: title, locale, columns, labels and the number of rows;
- ``sales.ex``: the module ``SalesReport``, which reads both;
- ``sales.components.ex``: the template as a function component;
- ``sales.live.ex``: a LiveView that sends the rows as the reader reaches them.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from renderers.heex.encode import showable
from renderers.heex.rows import row_lines
from renderers.heex.source import make_modules, make_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genstage.streaming import Chunk, Output
    from renderers.model import Layout
    from renderers.rows import Block, Row

__all__ = ["HeexConsumer"]


class HeexConsumer:
    """Writes the template at once, the rows of a report as they come, and what is said of it at the end.

    Args:
        layout: The report, ready for its data.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._rows = f"{layout.name}.rows.ndjson"

    def begin(self, output: Output) -> dict[str, Any]:
        """Write the template and the Elixir modules.

        Raises:
            OutputError: The bytes could not be written.
        """
        output.write(make_template(self._layout).encode())
        for name, source in make_modules(self._layout).items():
            output.part(name).write(source.encode())
        output.part(self._rows)
        return {"rows": 0, "records": 0}

    def consume_chunk(self, chunk: Chunk[Row], state: dict[str, Any], output: Output) -> dict[str, Any]:
        """Write the rows of a chunk.

        Raises:
            OutputError: The bytes could not be written.
        """
        blocks: Sequence[Block] = chunk.records.blocks  # type: ignore[attr-defined]  # Rows is what a report's chunks hold
        if blocks:
            output.part(self._rows).write(b"".join(row_lines(block, self._layout) for block in blocks))
        return {
            "rows": state["rows"] + sum(block.size for block in blocks),
            "records": state["records"] + sum(block.size for block in blocks if block.band == "detail"),
        }

    def finalize(self, state: dict[str, Any], output: Output) -> int:
        """Write what the template needs besides the rows.

        Returns:
            The number of rows.

        Raises:
            OutputError: The bytes could not be written.
        """
        rows: int = state["rows"]
        assigns = self._assigns() | {"row_count": rows, "record_count": state["records"]}
        written = orjson.dumps(assigns, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        output.part(f"{self._layout.name}.assigns.json").write(written)
        return rows

    def _assigns(self) -> dict[str, Any]:
        layout = self._layout
        columns = [
            {"name": column.name, "label": column.label, "align": column.align} for column in layout.columns
        ]
        groups = [{"name": group.name, "label": group.label} for group in layout.groups]
        return {
            "name": layout.name,
            "title": showable(layout.title),
            "locale": layout.locale,
            "dir": layout.direction,
            "columns": [_showable(column) for column in columns],
            "groups": [_showable(group) for group in groups],
            "labels": _showable(asdict(layout.labels)),
        }


def _showable(texts: dict[str, str]) -> dict[str, str]:
    return {name: showable(text) for name, text in texts.items()}
