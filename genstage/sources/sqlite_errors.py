"""What goes wrong with an SQLite database or a query, in words."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from genstage.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["duplicate", "explaining", "one_line", "unknown_parameter"]

_LONGEST = 300  # characters of a line


def duplicate(database: str, key: Sequence[str], values: Sequence[Any]) -> SourceError:
    """The error that says that several records have the same key.

    Args:
        database: The file.
        key: Names of the key columns.
        values: What the records have in them.
    """
    same = ", ".join(f"{name} {value!r}" for name, value in zip(key, values, strict=True))
    return SourceError(
        database,
        f"the key does not tell records apart: two have {one_line(same)};"
        " add a column to it that differs, such as the primary key",
    )


def unknown_parameter(database: str, name: str, known: Sequence[str]) -> SourceError:
    """The error that says that there is a value for a name which the query does not have.

    Args:
        database: The file.
        name: The name.
        known: Those that the query has.
    """
    others = f"only {', '.join(f':{each}' for each in known)}" if known else "nor any other"
    return SourceError(database, one_line(f"{_NO_FIT}: it has no :{name}, {others}"))


@contextmanager
def explaining(database: str, connection: sqlite3.Connection | None = None) -> Iterator[None]:
    """The boundary: errors of SQLite, of the file and of the parameters leave it as ``SourceError``.

    Args:
        database: The file.
        connection: To it, once there is one.

    Raises:
        SourceError: Any of these was raised; the message is one line and says what would be right.
    """
    try:
        yield
    except OSError as error:
        raise SourceError(database, f"cannot be read: {error.strerror}") from error
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise SourceError(database, one_line(_explained(error, connection))) from error
    except (OverflowError, ValueError) as error:  # a path or a parameter that SQLite cannot take
        raise SourceError(database, one_line(str(error))) from error


_NO_FIT = "the parameters do not fit the query"
_NAMELESS = "they have names, but it has a question mark: write :NAME instead"
_WAL = "cannot be opened: in WAL mode its folder must be writable"
_ANSWERS = {
    sqlite3.SQLITE_BUSY: "is locked: another program is writing to it; try again when that has ended",
    sqlite3.SQLITE_CANTOPEN: _WAL,
    sqlite3.SQLITE_NOTADB: "is not an SQLite database",
    sqlite3.SQLITE_READONLY: _WAL,
    sqlite3.SQLITE_READONLY_ROLLBACK: (
        "was left in the middle of a change: open it once for writing to repair it"
    ),
}


def _explained(error: Exception, connection: sqlite3.Connection | None) -> str:
    detailed: int = getattr(error, "sqlite_errorcode", 0)
    code = detailed & 0xFF
    text = str(error)
    answer = _ANSWERS.get(detailed, _ANSWERS.get(code))
    if answer:
        return answer
    if connection is not None and text.startswith("no such table"):
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
            " ORDER BY name"
        )
        there = ", ".join(name for (name,) in found) or "none"
        return f"the query fails: {text}; there are {there}"
    if code == sqlite3.SQLITE_ERROR:
        return f"the query fails: {text}"
    if "bind" in text.lower():
        return f"{_NO_FIT}: {_NAMELESS if 'has no name' in text else text}"
    if "one statement" in text:
        return "the query must be one SELECT and nothing else"
    return f"cannot be read: {text}"


def one_line(text: str) -> str:
    """A text on one line, cut if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
