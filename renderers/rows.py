"""The one shared stage: records in, rows out.

Groups and totals are evaluated here, once; the renderers only put rows into their format.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

__all__ = ["Band", "Block", "Row", "Rows"]

Band = Literal["header", "detail", "footer", "total"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report.

    Attributes:
        ordinal: Number of the row among all rows of the report, from 0: unique and stable.
        band: ``"header"`` and ``"footer"`` of a group, ``"detail"`` for a record, ``"total"`` for the last line.
        level: Place of the group, 0 for the outermost; number of groups for a detail row; 0 for the total.
        key: Raw values of the groups around it, outermost first (``level + 1`` of them for header and footer).
        label: Text of a header, footer or total; empty for a detail row.
        values: Raw value per report column; empty for a header, ``None`` where a footer has no total.
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
        band, level, key, label: As in :class:`Row`, the same for all rows of the block.
        first: Ordinal of its first row.
        size: Number of rows: 1 or more for details, 1 otherwise.
        values: Per report column the raw values, one per row; empty for a header.
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

    __slots__ = ("_length", "blocks")

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)
        self._length = sum(block.size for block in self.blocks)

    def __iter__(self) -> Iterator[Row]:
        for block in self.blocks:
            yield from block.rows()

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        return list(self)[index]

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<{len(self)}>"
