"""SQLite databases as a source: any SELECT, read in the order of its key by one cursor, in one snapshot."""

# ruff: noqa: S608 - the query is what its author wants to run; names are quoted and values bound

from __future__ import annotations

import marshal
import os
import sqlite3
import stat
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import accumulate, islice, pairwise
from operator import eq, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genstage.errors import OptionError, SourceError
from genstage.sources.ordering import behind, order_by, parse_key, quoted
from genstage.sources.sqlite_errors import duplicate, explaining, one_line, unknown_parameter
from genstage.sources.sqlite_parameters import Asked, Bound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genstage.sources.ordering import KeyColumn

__all__ = ["SqliteCursor", "SqliteSource", "sqlite"]

_BUSY_S = 5.0  # how long to wait for another program's write to end
_COUNT_S = 0.5  # a count that takes longer is not cheap
_COUNT_STEPS = 10_000  # of SQLite's virtual machine, about 0.2 ms, between two looks at the clock
_PIECE = 16  # rows fetched before their size is looked at: the most that can be too many in memory


def sqlite(
    database: str | os.PathLike[str],
    query: str,
    *,
    key: Sequence[str],
    parameters: Mapping[str, Any] | Sequence[Any] | None = None,
) -> SqliteSource:
    """Read the result of a query from an SQLite database.

    The records come in the order of ``key``, whatever order the query itself has; an ``ORDER BY`` in it
    matters only together with a ``LIMIT``, to say which records there are. If an index of the database has
    the order of the key, SQLite reads along it; otherwise it sorts first, in temporary files.

    The database is opened for reading only, and never created. Each cursor sees the data as they were when it
    was opened. In SQLite's default journal mode other programs cannot write in the meantime; in WAL mode they
    can.

    Args:
        database: The file.
        query: One SELECT (also WITH or VALUES). Its columns need different names.
        key: Names of the columns that order the records and tell them apart. ``"month desc"`` puts the
            largest value first. NULL is the smallest value.
        parameters: A mapping for names such as ``:year`` in the query, each of which must be in it; a
            sequence for question marks.

    Returns:
        A recipe; nothing is read yet, and no file is looked at.

    Raises:
        OptionError: The key is no list of different column names.

    Example:
        >>> lines = sqlite("shop.sqlite", "SELECT * FROM lines WHERE year = :year", key=["day desc", "id"],
        ...                parameters={"year": 2024})
        >>> lines.key
        ('day', 'id')
    """
    bound = dict(parameters) if isinstance(parameters, Mapping) else tuple(parameters or ())
    return SqliteSource(os.fspath(database), query.strip().rstrip(";"), parse_key(key), bound)


@dataclass(frozen=True, slots=True, repr=False)
class SqliteSource:
    """What :func:`sqlite` returns.

    Attributes:
        database: The file.
        query: Without a semicolon at its end.
        order: The key columns with their directions.
        parameters: By name or by place.
    """

    database: str
    query: str
    order: tuple[KeyColumn, ...]
    parameters: Mapping[str, Any] | tuple[Any, ...] = field(default=(), hash=False)

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key columns."""
        return tuple(column.name for column in self.order)

    def open(self, after: Sequence[Any] | None = None) -> SqliteCursor:
        """Open a cursor in the calling thread; close it there too.

        Args:
            after: Key of the last record already read; the cursor starts behind it.

        Raises:
            SourceError: The database cannot be read, the query or its parameters are wrong, a key column is
                missing, or several records have the key ``after``.
            OptionError: ``after`` has not one value per key column.
        """
        if after is not None and len(after) != len(self.key):
            raise OptionError("after", after, f"one value for each of {', '.join(self.key)}")
        connection = self._connect()
        try:
            with explaining(self.database, connection):
                connection.execute("BEGIN")
                names = self._names(connection)
                keys = self._keys(connection, names)
                if after is not None:
                    self._check_position(connection, after)
                rows = self._select(connection, after)
                return SqliteCursor(self, connection, rows, names, keys)
        except BaseException:
            connection.close()
            raise

    def columns(self) -> tuple[str, ...]:
        """Column names of the records, found without reading the data.

        Raises:
            SourceError: As for :meth:`open`.
        """
        with closing(self._connect()) as connection, explaining(self.database, connection):
            return self._names(connection)

    def count(self) -> int | None:
        """Number of records, or ``None`` if counting takes longer than half a second.

        Raises:
            SourceError: As for :meth:`open`.
        """
        with closing(self._connect()) as connection, explaining(self.database, connection):
            self._names(connection)
            deadline = time.monotonic() + _COUNT_S
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _COUNT_STEPS)
            try:
                (count,) = connection.execute(
                    f"SELECT count(*) FROM {self._table}", self.parameters
                ).fetchone()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    return None
                raise
            return int(count)

    @property
    def _table(self) -> str:
        return f"({self.query}\n)"  # the query may end in a comment

    def _connect(self) -> sqlite3.Connection:
        with explaining(self.database):
            # Looked at first, because SQLite says "unable to open database file" to all of these.
            path = Path(self.database)
            if not stat.S_ISREG(path.stat().st_mode):
                raise SourceError(self.database, "is not a file: give the path of an SQLite database")
            path.open("rb").close()
            uri = f"{path.absolute().as_uri()}?mode=ro"
            return sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)

    def _names(self, connection: sqlite3.Connection) -> tuple[str, ...]:
        """Check the query and find the names of its columns, without running it."""
        # On its own first: as a subquery it could be wrong in ways that its author would not understand.
        self._check_parameters(connection, f"EXPLAIN {self.query}")
        try:
            found = connection.execute(f"SELECT * FROM {self._nothing}", self.parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            raise SourceError(
                self.database, f"the query must be one SELECT and nothing else ({error})"
            ) from error
        names = tuple(column[0] for column in found.description)
        known = {name.lower() for name in names}
        for name in names:
            # SQLite calls a second column "city" of a subquery "city:1".
            first, colon, number = name.rpartition(":")
            if colon and number.isdecimal() and first.lower() in known:
                raise SourceError(
                    self.database, f"the query has two columns {first!r}: give one another name with AS"
                )
        for name in self.key:
            if name not in names:
                there = ", ".join(map(repr, names))
                raise SourceError(
                    self.database, f"key column {name!r}: the query has no such column; it has {there}"
                )
        return names

    def _check_parameters(self, connection: sqlite3.Connection, statement: str) -> None:
        """Refuse values for names that a statement does not have: SQLite would take no notice of them."""
        if not isinstance(self.parameters, Mapping):
            connection.execute(statement, self.parameters).close()
            return
        asked = Asked(self.parameters)
        connection.execute(statement, asked).close()
        unknown = next((name for name in self.parameters if name not in asked.names), None)
        if unknown is not None:
            raise unknown_parameter(self.database, unknown, asked.names)

    @property
    def _nothing(self) -> str:
        """The query's columns without its rows: the inner limit keeps SQLite from preparing any of them."""
        return f"(SELECT * FROM (SELECT * FROM {self._table} LIMIT -1) LIMIT 0)"

    def _keys(self, connection: sqlite3.Connection, names: Sequence[str]) -> _Keys:
        """Ask the database how it compares the key columns."""
        columns = ", ".join(map(quoted, self.key))
        questions = ", ".join(f"{quoted(name)} = 'A', {quoted(name)} = 'a '" for name in self.key)
        letters = ", ".join(["'a'"] * len(self.key))
        answers = connection.execute(
            f"SELECT {questions} FROM (SELECT {columns} FROM {self._nothing}"
            f" UNION ALL SELECT {letters} LIMIT 1)",
            self.parameters,
        ).fetchone()
        places = [names.index(name) for name in self.key]
        return _Keys(places, [_COLLATIONS[answers[at : at + 2]] for at in range(0, len(answers), 2)])

    def _check_position(self, connection: sqlite3.Connection, after: Sequence[Any]) -> None:
        """Refuse a position that is not one record: the others would be lost."""
        bound = Bound(self.parameters)
        same = " AND ".join(
            f"{quoted(name)} IS {bound.bind(value)}" for name, value in zip(self.key, after, strict=True)
        )
        there = f"SELECT 1 FROM {self._table} WHERE {same} LIMIT 2"
        if len(connection.execute(there, bound.parameters).fetchall()) > 1:
            raise duplicate(self.database, self.key, after)

    def _select(self, connection: sqlite3.Connection, after: Sequence[Any] | None) -> sqlite3.Cursor:
        bound = Bound(self.parameters)
        where = "" if after is None else f" WHERE {behind(self.order, after, bound.bind)}"
        return connection.execute(
            f"SELECT * FROM {self._table}{where} ORDER BY {order_by(self.order)}", bound.parameters
        )

    def __repr__(self) -> str:
        key = ", ".join(f"{column.name} desc" if column.descending else column.name for column in self.order)
        return f"<SqliteSource {self.database!r} {one_line(self.query)!r} key={key}>"


class SqliteCursor:
    """An open read of a :class:`SqliteSource`.

    Attributes:
        names: Column names of the rows.
    """

    def __init__(
        self,
        source: SqliteSource,
        connection: sqlite3.Connection,
        rows: sqlite3.Cursor,
        names: tuple[str, ...],
        keys: _Keys,
    ) -> None:
        self.names = names
        self._source = source
        self._connection = connection
        self._keys = keys
        self._rows = rows
        self._ahead: list[tuple[Any, ...]] = []  # fetched, but beyond the size of the batch before
        self._mean_bytes = 0  # of the rows of the last piece; 0 before the first
        self._last: list[tuple[Any, ...]] = []  # the row before, if there is one

    def fetch(self, count: int, size_bytes: int) -> list[tuple[Any, ...]]:
        """Read on.

        Args:
            count: At most this many rows, at least 1.
            size_bytes: Stop after the row with which the values of the batch reach this size.

        Returns:
            The next rows; empty only at the end.

        Raises:
            SourceError: The data cannot be read, or two rows have the same key.
        """
        rows: list[tuple[Any, ...]] = []
        left = size_bytes
        with explaining(self._source.database, self._connection):
            while len(rows) < count and (left > 0 or not rows):
                piece = self._piece(count - len(rows), left)
                if not piece:
                    break
                size = _size(piece)
                self._mean_bytes = size // len(piece)
                if size >= left and len(piece) > 1:
                    fit = _fit(piece, left)
                    self._ahead = [*piece[fit:], *self._ahead]
                    piece = piece[:fit]
                left -= size
                rows += piece
        repeated = self._keys.repeated([*self._last, *rows])
        if repeated:
            raise duplicate(self._source.database, self._source.key, repeated)
        self._last = rows[-1:]
        return rows

    def close(self) -> None:
        """Let go of the database; allowed more than once."""
        with suppress(sqlite3.ProgrammingError):  # it was closed before
            self._rows.close()  # an open statement would keep the file open and the snapshot locked
        self._connection.close()

    def _piece(self, most: int, left: int) -> list[tuple[Any, ...]]:
        """The next few rows, as many as will fit if they are like those before."""
        likely = left // self._mean_bytes + 1 if self._mean_bytes else 1
        size = min(_PIECE, most, max(likely, 1))
        if self._ahead:
            piece, self._ahead = self._ahead[:size], self._ahead[size:]
            return piece
        return self._rows.fetchmany(size)


class _Keys:
    """The keys of rows: equal if the database says so, not only if Python does.

    Args:
        places: Of the key columns in a row.
        folds: What makes texts of the column that are equal in the database equal in Python; ``None`` if they
            are anyway.
    """

    def __init__(self, places: Sequence[int], folds: Sequence[Callable[[Any], Any] | None]) -> None:
        self._columns = list(zip(places, folds, strict=True))

    def repeated(self, rows: Sequence[Sequence[Any]]) -> tuple[Any, ...] | None:
        """The key of a row that is that of the row before, too; the first such."""
        # One column is enough to see that most keys differ; the last is the most likely one.
        place, fold = self._columns[-1]
        last = list(map(itemgetter(place), rows))
        if fold:
            last = list(map(fold, last))
        if not any(map(eq, last, islice(last, 1, None))):
            return None
        keys = [self._of(row) for row in rows]
        same = (after for before, after in pairwise(zip(keys, rows, strict=True)) if before[0] == after[0])
        return next((tuple(row[place] for place, _ in self._columns) for _, row in same), None)

    def _of(self, row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(fold(row[place]) if fold else row[place] for place, fold in self._columns)


def _size(rows: list[tuple[Any, ...]]) -> int:
    """Bytes that the values take, roughly: marshal is by far the quickest way to ask."""
    return len(marshal.dumps(rows, 2))  # version 2 does not look for values that occur twice


def _fit(rows: list[tuple[Any, ...]], size_bytes: int) -> int:
    """How many of some rows it takes to reach a size; all of them if they do not."""
    sizes = accumulate(_size([row]) for row in rows)
    return next((count for count, size in enumerate(sizes, 1) if size >= size_bytes), len(rows))


def _lower(value: Any) -> Any:
    # Through bytes, because NOCASE knows the letters of ASCII only.
    return value.encode().lower().decode() if isinstance(value, str) else value


def _stripped(value: Any) -> Any:
    return value.rstrip(" ") if isinstance(value, str) else value


# Whether 'a' = 'A' and 'a' = 'a ' in a column → what makes texts that are equal there equal in Python.
_COLLATIONS: dict[tuple[int, int], Callable[[Any], Any] | None] = {
    (0, 0): None,
    (1, 0): _lower,
    (0, 1): _stripped,
}
