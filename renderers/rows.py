"""The one shared stage: records in, rows out.

Groups and totals are evaluated here, once; the renderers only put rows into their format.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, overload

from genstage.sources import Records
from genstage.streaming import Chunk
from renderers.errors import FormatError
from renderers.model.totals import tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genstage.sources import Record
    from renderers.model import Layout
    from renderers.model.formats import Format
    from renderers.model.totals import Tally

__all__ = ["Band", "Block", "Row", "RowMaker", "Rows", "to_rows"]

Band = Literal["header", "detail", "footer", "total"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report.

    Attributes:
        ordinal: Number of the row among all rows of the report, from 0: unique and stable.
        band: ``"header"`` and ``"footer"`` of a group, ``"detail"`` for a record, ``"total"`` for the last
            line.
        level: Place of the group, 0 for the outermost; number of groups for a detail row; 0 for the total.
        key: Typed values of the groups around it, outermost first: ``level + 1`` of them for header and
            footer, one per group for a detail row, none for the total.
        label: Text of a header, footer or total; empty for a detail row.
        values: Typed value per report column (as :class:`renderers.model.formats.Format` tells); empty for a
            header, ``None`` where a footer has no total.
        texts: Formatted text per report column, as ``values``; missing values are empty texts.
    """

    ordinal: int
    band: Band
    level: int
    key: tuple[Any, ...]
    label: str
    values: tuple[Any, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows of one band and one group, by column: what a renderer works on.

    Attributes:
        band: As in :class:`Row`, the same for all rows of the block, as are the next three.
        level: As in :class:`Row`.
        key: As in :class:`Row`.
        label: As in :class:`Row`.
        first: Ordinal of its first row.
        size: Number of rows: 1 or more for details, 1 otherwise.
        values: Per report column the typed values, one per row; empty for a header.
        texts: Per report column the formatted texts, one per row; empty for a header.
    """

    band: Band
    level: int
    key: tuple[Any, ...]
    label: str
    first: int
    size: int
    values: tuple[Sequence[Any], ...]
    texts: tuple[Sequence[str], ...]

    def row(self, place: int) -> Row:
        """One row, by its place in the block, from 0."""
        values = tuple(column[place] for column in self.values)
        texts = tuple(column[place] for column in self.texts)
        return Row(self.first + place, self.band, self.level, self.key, self.label, values, texts)

    def rows(self) -> Iterator[Row]:
        """The rows of the block, one by one."""
        values = zip(*self.values, strict=True) if self.values else iter([()] * self.size)
        texts = zip(*self.texts, strict=True) if self.texts else iter([()] * self.size)
        for place, (value, text) in enumerate(zip(values, texts, strict=True)):
            yield Row(self.first + place, self.band, self.level, self.key, self.label, value, text)


class Rows(Sequence[Row]):
    """The rows of a chunk: a sequence of :class:`Row`, and faster, of blocks.

    Args:
        blocks: In report order, their ordinals without a gap.
    """

    __slots__ = ("_length", "_starts", "blocks")

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)
        self._length = 0
        self._starts: list[int] = []
        for block in self.blocks:
            self._starts.append(self._length)
            self._length += block.size

    def __iter__(self) -> Iterator[Row]:
        for block in self.blocks:
            yield from block.rows()

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return list(self)[index]
        place = range(self._length)[index]
        number = bisect_right(self._starts, place) - 1
        return self.blocks[number].row(place - self._starts[number])

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<{len(self)}>"


class RowMaker:
    """Turns records into rows: finds the groups, formats the values, computes the totals.

    It holds no data: what has to be kept from chunk to chunk is the state, a JSON value. So the rows do
    not depend on where the records are cut into chunks.

    A group's header comes before its first record. Its footer, and the line of totals at the end, come
    when a following record or the end shows that it is complete; a report without totals has neither.
    Without records there are no rows at all. Groups are runs of consecutive records: a value that comes
    back later makes a new group.

    Args:
        layout: The report, ready for the columns of the records.

    Example:
        >>> from renderers.model import Column, Group, Report, lay_out, sum_of
        >>> report = Report("sales", columns=[Column("city"), Column("sum", format="integer")],
        ...                 groups=[Group("region")], totals=[sum_of("sum")])
        >>> records = Records(("region", "city", "sum"), [("West", "Bonn", 3), ("West", "Ulm", 4)])
        >>> maker = RowMaker(lay_out(report, records.names))
        >>> rows, state = maker.rows(records, maker.begin(), end=True)
        >>> for row in rows:
        ...     print(row.label, *row.texts)
        Region: West
         Bonn 3
         Ulm 4
        Total West  7
        Grand total  7
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        compiled = [one.format for one in layout.groups] + [one.format for one in layout.columns]
        self.formats = {(one.column, one.spec): one for one in compiled}
        self._tallies = {
            place: tally(column.total.function, column.format)
            for place, column in enumerate(layout.columns)
            if column.total
        }

    def begin(self) -> dict[str, Any]:
        """The state before the first record."""
        return _Work(self._layout, self._tallies).state()

    def rows(self, records: Records, state: dict[str, Any], end: bool) -> tuple[Rows, dict[str, Any]]:  # noqa: FBT001 - mirrors Chunk.end
        """Make the rows of some records.

        Args:
            records: The next records, possibly none; their columns include those of the layout.
            state: From :meth:`begin` or from the call before; it is not changed.
            end: Whether these are the last records.

        Returns:
            The rows, and the state for the next call.

        Raises:
            FormatError: A value does not fit its column.
        """
        work = _Work(self._layout, self._tallies)
        work.resume(state)
        if len(records):
            work.add(records)
        if end:
            work.end()
        return Rows(work.blocks), work.state()


def to_rows(
    maker: RowMaker, chunk: Chunk[Record], state: dict[str, Any], *, key: Sequence[str] = ()
) -> tuple[Chunk[Row], dict[str, Any]]:
    """Make a chunk of rows from a chunk of records; its place in the data stays the same.

    Args:
        maker: Made for the report.
        chunk: The next chunk. Its records are best :class:`genstage.sources.Records`; other sequences of
            mappings with the same names are taken too, more slowly.
        state: From :meth:`RowMaker.begin` or from the call before.
        key: Columns that tell records apart, for the error.

    Returns:
        The chunk, with :class:`Rows` in it, and the state for the next call.

    Raises:
        FormatError: A value does not fit its column; it tells which record has it.
    """
    records = chunk.records
    if not isinstance(records, Records):
        names = tuple(records[0]) if records else ()
        records = Records(names, [tuple(record[name] for name in names) for record in records])
    try:
        rows, state = maker.rows(records, state, chunk.end)
    except FormatError as error:
        raise _located(error, maker.formats[error.column, error.format], records, key, chunk.first) from error
    return Chunk(chunk.index, rows, chunk.first, chunk.last, chunk.end, chunk.epoch), state


def _located(
    error: FormatError, compiled: Format, records: Records, key: Sequence[str], before: int
) -> FormatError:
    """The same error, with the record that has the value: columns are read as a whole."""
    for place, value in enumerate(records.column(error.column)):
        try:
            compiled.values([value])
        except FormatError as found:
            found_key = {name: records.column(name)[place] for name in key}
            return FormatError(
                found.column, found.value, found.format, record=before + place + 1, key=found_key
            )
    return error


class _Work:
    """The state in its working form, and the blocks made while one chunk is handled.

    ``totals[0]`` are the tallies of the whole report, ``totals[level + 1]`` those of the open group of a
    level. Records are added to the innermost only; a group that ends is joined to the one around it.
    """

    def __init__(self, layout: Layout, tallies: dict[int, Tally]) -> None:
        self.layout = layout
        self.tallies = tallies
        self.depth = len(layout.groups)
        self.blocks: list[Block] = []
        self.ordinal = 0
        self.records = 0
        self.key: tuple[Any, ...] = ()  # of the open groups: all of them after the first record
        self.totals = [self.nothing() for _ in range(self.depth + 1)]

    def nothing(self) -> list[Any]:
        return [each.empty for each in self.tallies.values()]

    def resume(self, state: dict[str, Any]) -> None:
        self.ordinal = state["ordinal"]
        self.records = state["records"]
        self.key = tuple(
            None if text is None else group.format.load(text)
            for group, text in zip(self.layout.groups, state["key"], strict=False)
        )
        self.totals = [
            [each.load(text) for each, text in zip(self.tallies.values(), level, strict=True)]
            for level in state["totals"]
        ]

    def state(self) -> dict[str, Any]:
        """A JSON value: figures and dates as texts, all texts in ASCII, so that any JSON library will do."""
        return {
            "ordinal": self.ordinal,
            "records": self.records,
            "key": [
                None if value is None else group.format.dump(value)
                for group, value in zip(self.layout.groups, self.key, strict=False)
            ],
            "totals": [
                [each.dump(total) for each, total in zip(self.tallies.values(), level, strict=True)]
                for level in self.totals
            ],
        }

    def add(self, records: Records) -> None:
        layout = self.layout
        columns = [column.format.values(records.column(column.name)) for column in layout.columns]
        texts = [column.format.texts(values) for column, values in zip(layout.columns, columns, strict=True)]
        start = 0
        keys = [group.format.values(records.column(group.name)) for group in layout.groups]
        for key, size in _runs(keys, len(records)):
            end = start + size
            self.turn_to(key)
            values = tuple(column[start:end] for column in columns)
            self.put("detail", self.depth, "", values, tuple(column[start:end] for column in texts))
            self.count(values)
            start = end
        self.records += len(records)

    def count(self, values: tuple[Sequence[Any], ...]) -> None:
        """Add the values of a run of records to the totals of the innermost group."""
        totals = self.totals[-1]
        for number, (place, each) in enumerate(self.tallies.items()):
            known = [value for value in values[place] if value is not None]
            if known:
                totals[number] = each.joined(totals[number], each.of(known))

    def turn_to(self, key: tuple[Any, ...]) -> None:
        """End the groups that the next record is not in, and begin its own."""
        pairs = enumerate(zip(self.key, key, strict=False))
        kept = next((level for level, (old, new) in pairs if old != new), len(self.key))
        self.close(kept)
        for level in range(kept, self.depth):
            self.key = (*self.key, key[level])
            self.put("header", level, f"{self.layout.groups[level].label}: {self.shown(level)}")

    def close(self, level: int) -> None:
        """End the open groups from the innermost to that of ``level``."""
        while len(self.key) > level:
            last = len(self.key) - 1
            label = self.layout.labels.total.replace("{key}", self.shown(last))
            self.conclude("footer", last, label, self.totals[last + 1])
            self.totals[last] = [
                each.joined(around, ended)
                for each, around, ended in zip(
                    self.tallies.values(), self.totals[last], self.totals[last + 1], strict=True
                )
            ]
            self.totals[last + 1] = self.nothing()
            self.key = self.key[:-1]

    def end(self) -> None:
        if self.records:
            self.close(0)
            self.conclude("total", 0, self.layout.labels.grand_total, self.totals[0])

    def shown(self, level: int) -> str:
        """The text of the open group's value."""
        value = self.key[level]
        if value is None:
            return self.layout.labels.missing
        return self.layout.groups[level].format.texts([value])[0]

    def conclude(self, band: Band, level: int, label: str, totals: list[Any]) -> None:
        """Put a row of totals, if the report has any."""
        if not totals:
            return
        values: list[list[Any]] = [[None] for _ in self.layout.columns]
        texts = [[""] for _ in self.layout.columns]
        for (place, each), total in zip(self.tallies.items(), totals, strict=True):
            values[place] = [each.result(total)]
            texts[place] = each.format.texts(values[place])
        if not self.layout.label_span:
            texts[0] = [f"{label}: {texts[0][0]}" if texts[0][0] else label]
        self.put(band, level, label, tuple(values), tuple(texts))

    def put(
        self,
        band: Band,
        level: int,
        label: str,
        values: tuple[Sequence[Any], ...] = (),
        texts: tuple[Sequence[str], ...] = (),
    ) -> None:
        size = len(values[0]) if values else 1
        self.blocks.append(Block(band, level, self.key, label, self.ordinal, size, values, texts))
        self.ordinal += size


def _runs(columns: list[list[Any]], size: int) -> Iterator[tuple[tuple[Any, ...], int]]:
    """The runs of equal keys, with their lengths."""
    if not columns:
        yield (), size
        return
    for key, run in groupby(zip(*columns, strict=True)):
        yield key, len(list(run))
