"""What a data source is: records with a position, read by one ordered cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, overload

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Cursor", "Record", "Records", "Source"]


class Record(Mapping[str, Any]):
    """One record: a read-only mapping from column name to value, over a shared set of names.

    Args:
        names: Column name → place in ``values``; shared by all records of a batch.
        values: The values, in column order.

    Example:
        >>> Record({"city": 0}, ("Ulm",))["city"]
        'Ulm'
    """

    __slots__ = ("_names", "_values")

    def __init__(self, names: Mapping[str, int], values: Sequence[Any]) -> None:
        self._names = names
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[self._names[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"Record({dict(self)!r})"


class Records(Sequence[Record]):
    """An immutable batch of records that can be read by row or, faster, by column.

    Args:
        names: Column names, in order, without duplicates.
        rows: One sequence of values per record, in column order.

    Example:
        >>> batch = Records(("city", "sum"), [("Ulm", 3), ("Bonn", 4)])
        >>> batch[1]["city"], batch.column("sum")
        ('Bonn', (3, 4))
    """

    __slots__ = ("_columns", "_index", "names", "rows")

    def __init__(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.names = tuple(names)
        self.rows = rows
        self._index = {name: place for place, name in enumerate(self.names)}
        self._columns: list[tuple[Any, ...]] | None = None

    def column(self, name: str) -> tuple[Any, ...]:
        """All values of one column, in record order.

        Raises:
            KeyError: No column has this name.
        """
        place = self._index[name]
        if self._columns is None:
            self._columns = list(zip(*self.rows, strict=True)) if self.rows else [()] * len(self.names)
        return self._columns[place]

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Records: ...
    def __getitem__(self, index: int | slice) -> Record | Records:
        if isinstance(index, slice):
            return Records(self.names, self.rows[index])
        return Record(self._index, self.rows[index])

    def __iter__(self) -> Iterator[Record]:
        index = self._index
        return (Record(index, row) for row in self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<{len(self)}>"


class Cursor(Protocol):
    """An open, ordered read in one snapshot; used by one thread from ``open`` to ``close``."""

    @property
    def names(self) -> Sequence[str]:
        """Column names of the rows that ``fetch`` returns."""

    def fetch(self, count: int, size_bytes: int) -> Sequence[Sequence[Any]]:
        """Read on.

        Args:
            count: At most this many rows, at least 1.
            size_bytes: Stop after the row with which the batch reaches this size, roughly.

        Returns:
            The next rows, in order; empty only at the end of the data.

        Raises:
            SourceError: The data cannot be read.
        """

    def close(self) -> None:
        """Let go of the connection; allowed more than once."""


class Source(Protocol):
    """Where records come from. A source is a recipe: it is opened anew for each run."""

    @property
    def key(self) -> Sequence[str]:
        """Names of the columns that order the records and tell them apart."""

    def open(self, after: Sequence[Any] | None = None) -> Cursor:
        """Open a cursor in the calling thread.

        Args:
            after: Key of the last record already read; the cursor starts behind it.

        Raises:
            SourceError: The source cannot be opened, or its query is wrong.
        """

    def columns(self) -> Sequence[str]:
        """Column names of the records, found without reading the data.

        Returns:
            The names, in order; the columns of ``key`` are among them.

        Raises:
            SourceError: The source cannot be opened, its query is wrong, or a key column is missing.
        """

    def count(self) -> int | None:
        """Number of records if it is cheap to know, for progress; otherwise ``None``."""
