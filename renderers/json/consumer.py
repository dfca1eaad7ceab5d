"""The sink that makes a JSON document of rows.

The document, one record a line::

    {
    "report": "sales",
    "title": "Sales",
    "locale": "en-US",
    "columns": [
    {"name":"city","label":"City","format":"text","align":"start","total":null},
    {"name":"amount","label":"Amount","format":"currency:EUR","align":"end","total":"sum"}
    ],
    "groups": [
    {"name":"region","label":"Region","format":"text"}
    ],
    "records": [
    {"region":"West","city":"Bonn","amount":3.20},
    {"region":"West","city":"Ulm","amount":null}
    ],
    "subtotals": [
    {"level":0,"key":{"region":"West"},"totals":{"amount":3.20}}
    ],
    "totals": {"amount":3.20},
    "record_count": 2
    }

A record has the values of the report's columns; before them, those of the groups that are no columns. The
subtotals are in the order in which the groups end, inner before outer; ``level`` is the group's place, 0 for
the outermost. A report without totals has no subtotals and ``"totals": {}``, as has one without records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from renderers.json.texts import json_object, json_texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from genstage.streaming import Chunk, Output, Part
    from renderers.model import Layout
    from renderers.rows import Block, Row

__all__ = ["JsonConsumer"]

# What follows the records waits in scratch files: there may be as many groups as records.
_SUBTOTALS = "subtotals"
_TOTALS = "totals"


class JsonConsumer:
    """Writes the records of a report as they come, and its totals at the end.

    Args:
        layout: The report, ready for its data.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        columns = {column.name for column in layout.columns}
        self._keys = {
            place: group.name for place, group in enumerate(layout.groups) if group.name not in columns
        }
        self._key_names = json_texts(list(self._keys.values()))
        self._totals = {place: column.name for place, column in enumerate(layout.columns) if column.total}
        names = json_texts([column.name for column in layout.columns])
        self._columns = ",".join(_literal(name) + ":%s" for name in names) + "}"

    def begin(self, output: Output) -> dict[str, Any]:
        """Write what is known before the first record.

        Raises:
            OutputError: The bytes could not be written.
        """
        output.scratch(_SUBTOTALS)
        output.scratch(_TOTALS)
        output.write(self._head().encode())
        return {"records": 0}

    def consume_chunk(self, chunk: Chunk[Row], state: dict[str, Any], output: Output) -> dict[str, Any]:
        """Write the records of a chunk; put its totals aside.

        Raises:
            OutputError: The bytes could not be written.
        """
        blocks: Sequence[Block] = chunk.records.blocks  # type: ignore[attr-defined]  # Rows is what a report's chunks hold
        records: list[str] = []
        subtotals: list[str] = []
        for block in blocks:
            match block.band:
                case "detail":
                    records.extend(self._records(block))
                case "footer":
                    subtotals.append(self._subtotal(block))
                case "total":
                    output.scratch(_TOTALS).write(self._sums(block).encode())
        _write_lines(output, records, first=not state["records"])
        aside = output.scratch(_SUBTOTALS)
        _write_lines(aside, subtotals, first=not aside.size)
        return {"records": state["records"] + len(records)}

    def finalize(self, state: dict[str, Any], output: Output) -> int:
        """End the records and write the totals.

        Returns:
            The number of records.

        Raises:
            OutputError: The bytes could not be written.
        """
        records: int = state["records"]
        output.write(b'\n],\n"subtotals": [')
        for piece in output.scratch(_SUBTOTALS).read():
            output.write(piece)
        output.write(b'\n],\n"totals": ')
        totals = output.scratch(_TOTALS)
        for piece in totals.read() if totals.size else [b"{}"]:
            output.write(piece)
        output.write(b',\n"record_count": %d\n}\n' % records)
        return records

    def _head(self) -> str:
        layout = self._layout
        report, title, locale = json_texts([layout.name, layout.title, layout.locale])
        columns = [
            _object(
                name=column.name,
                label=column.label,
                format=column.format.spec,
                align=column.align,
                total=column.total.function if column.total else None,
            )
            for column in layout.columns
        ]
        groups = [
            _object(name=group.name, label=group.label, format=group.format.spec) for group in layout.groups
        ]
        return (
            f'{{\n"report": {report},\n"title": {title},\n"locale": {locale},\n'
            f'"columns": {_array(columns)},\n"groups": {_array(groups)},\n"records": ['
        )

    def _records(self, block: Block) -> Iterator[str]:
        """The records of a block, filled into one pattern, for the key is the same for all of them."""
        key = json_texts([block.key[place] for place in self._keys])
        pairs = zip(self._key_names, key, strict=True)
        pattern = "{" + _literal("".join(f"{name}:{text}," for name, text in pairs)) + self._columns
        return map(pattern.__mod__, zip(*map(json_texts, block.values), strict=True))

    def _subtotal(self, block: Block) -> str:
        names = [group.name for group in self._layout.groups]
        key = json_object(dict(zip(names, json_texts(block.key), strict=False)))
        return json_object({"level": str(block.level), "key": key, "totals": self._sums(block)})

    def _sums(self, block: Block) -> str:
        """The totals of a group or of the report, by the names of their columns."""
        values = [block.values[place][0] for place in self._totals]
        return json_object(dict(zip(self._totals.values(), json_texts(values), strict=True)))


def _literal(text: str) -> str:
    """A text for a pattern, in which a percent sign stands for itself."""
    return text.replace("%", "%%")


def _object(**fields: str | None) -> str:
    return json_object(dict(zip(fields, json_texts(list(fields.values())), strict=True)))


def _array(lines: list[str]) -> str:
    return "[\n" + ",\n".join(lines) + "\n]" if lines else "[]"


def _write_lines(part: Part, lines: list[str], *, first: bool) -> None:
    """Add lines to an array, with a comma after each but the last."""
    if lines:
        part.write((("\n" if first else ",\n") + ",\n".join(lines)).encode())
