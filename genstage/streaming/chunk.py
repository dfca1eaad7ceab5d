"""The unit of streaming: an immutable run of records with its place in the data."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from genstage.logger import log_chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Chunk", "at_chunk"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, repr=False)  # with slots, Chunk[int](...) raises before Python 3.13
class Chunk(Generic[T_co]):
    """Records of the interval ``(first, last]``, counted by source record.

    A stage that makes more or fewer items out of records keeps the interval: positions always count
    source records, never items and never chunks, because chunk sizes adapt.

    Attributes:
        index: Number of the chunk in its run, from 0; for people only.
        records: The items.
        first: Source records before this chunk, 0 or more.
        last: Source records up to and with this chunk: the running total.
        end: Whether the data ends with this chunk.
        epoch: Number of the attempt, from 0: grows with each recovery.

    Example:
        >>> Chunk(index=7, records=range(500), first=3500, last=4000)
        Chunk(index=7, records=<500>, total=4000)
    """

    index: int
    records: Sequence[T_co]
    first: int
    last: int
    end: bool = False
    epoch: int = 0

    @property
    def total(self) -> int:
        """Source records up to and with this chunk."""
        return self.last

    def __repr__(self) -> str:
        end = ", end" if self.end else ""
        return f"Chunk(index={self.index}, records=<{len(self.records)}>, total={self.last}{end})"


@contextmanager
def at_chunk(chunk: Chunk[Any]) -> Iterator[None]:
    """What is logged or raised in the block names the chunk, and so does the end of a stage by it."""
    log_chunk(chunk.index)
    try:
        yield
    except Exception as error:
        with suppress(Exception):  # one that takes no notes, such as a frozen dataclass
            records = f"records {chunk.first + 1} to {chunk.last}" if chunk.records else "no records"
            error.add_note(f"at chunk {chunk.index}: {records}")
        raise
    log_chunk(None)
