"""The loader: the producer that reads a source by one ordered cursor and emits chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage._core.results import Finish
from genstage.errors import SourceError
from genstage.logger import log_chunk
from genstage.sources import Record, Records
from genstage.stage import Producer
from genstage.streaming.chunk import Chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genstage._core.reasons import Reason
    from genstage._core.results import Stop
    from genstage.sources import Cursor, Source

__all__ = ["START", "Loader", "Position"]

_FIRST_CHUNK_RECORDS = 100


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the data: behind so many records, the last of which has this key.

    Attributes:
        ordinal: Records before this place, 0 or more.
        key: Key of the last of them; ``None`` at the beginning.
    """

    ordinal: int = 0
    key: Sequence[Any] | None = None


START = Position()
"""Before the first record."""


class _More:
    """The loader's note to itself that demand is left."""


class _Count:
    """The loader's note to itself to count the records, once the first of them are on their way."""


class Loader(Producer[Chunk[Record]]):
    """Reads on when chunks are asked for, one chunk a turn, so that the first one is soon on its way.

    The connection is opened, used and closed in the stage's own thread. The end of the data comes as an
    empty last chunk with ``end`` set, and ends the stage.

    Args:
        source: Where the records come from.
        start: Where to begin.
        epoch: Number of the attempt.
        chunk_records: Most records in a chunk, 1 or more. The first chunk is smaller.
        chunk_bytes: A chunk ends with the record that brings it to this size, roughly.
        counted: Told the number of records in all, if the source knows it; ``None`` not to count them.
        cut_off: Told that there will be no more chunks, though the data has not ended.
    """

    def __init__(
        self,
        source: Source,
        *,
        start: Position = START,
        epoch: int = 0,
        chunk_records: int = 1_000,
        chunk_bytes: int = 4 << 20,
        counted: Callable[[int | None], None] | None = None,
        cut_off: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._start = start
        self._epoch = epoch
        self._chunk_records = chunk_records
        self._chunk_bytes = chunk_bytes
        self._counted = counted
        self._cut_off = cut_off
        self._cursor: Cursor | None = None
        self._index = 0
        self._read = start.ordinal
        self._owed = 0

    def init(self) -> Mapping[str, Any]:
        """Open the cursor."""
        self._cursor = self._source.open(self._start.key)
        return {"dispatcher": BroadcastDispatcher()}

    def handle_demand(self, demand: int) -> Sequence[Chunk[Record]] | Finish[Chunk[Record]]:
        """Owe ``demand`` more chunks; the first is made at once if none was owed."""
        self._owed += demand
        return self._next() if self._owed == demand else ()

    def handle_drain(self) -> None:
        """Make no more chunks."""
        self._owed = 0
        self._cut_off()

    def handle_info(self, message: Any) -> Sequence[Any] | Finish[Any] | Stop | None:
        """Go on."""
        if isinstance(message, _Count):
            self._count()
            return None
        if isinstance(message, _More):
            return self._next() if self._owed else None
        return super().handle_info(message)

    def terminate(self, reason: Reason) -> None:  # noqa: ARG002 - whatever it is
        """Close the cursor."""
        if self._cursor is not None:
            self._cursor.close()

    def _count(self) -> None:
        assert self._counted is not None  # noqa: S101 - or nobody would have asked
        try:
            self._counted(self._source.count())
        except SourceError as error:  # it is for the progress only
            self.stage.log.warning("records cannot be counted", reason=str(error))

    def _next(self) -> Sequence[Chunk[Record]] | Finish[Chunk[Record]]:
        assert self._cursor is not None  # noqa: S101 - opened in init
        log_chunk(self._index)
        most = min(self._chunk_records, _FIRST_CHUNK_RECORDS) if not self._index else self._chunk_records
        rows = self._cursor.fetch(most, self._chunk_bytes)
        chunk = Chunk[Record](
            index=self._index,
            records=Records(self._cursor.names, rows),
            first=self._read,
            last=self._read + len(rows),
            end=not rows,
            epoch=self._epoch,
        )
        self._index += 1
        self._read = chunk.last
        self._owed -= 1
        log_chunk(None)
        if not rows:
            return Finish([chunk])
        if self._index == 1 and self._counted is not None:
            self.stage.send(_Count())
        if self._owed:
            self.stage.send(_More())
        return [chunk]
