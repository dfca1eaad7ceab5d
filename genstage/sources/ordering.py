"""The order of records: key columns with directions, and the predicate that starts behind a position.

Pure text: the values themselves are compared by the database only, which knows their collations.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genstage.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["KeyColumn", "behind", "order_by", "parse_key", "quoted"]


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """One column of a key.

    Attributes:
        name: As in the records.
        descending: Whether its largest value comes first.
    """

    name: str
    descending: bool = False


def parse_key(key: Sequence[str]) -> tuple[KeyColumn, ...]:
    """Read a key as users write it.

    Args:
        key: Column names; ``" desc"`` or ``" asc"`` behind a name gives its direction.

    Raises:
        OptionError: There is no column, one occurs twice, or the key is no list of names.

    Example:
        >>> parse_key(["region", "month desc"])[1]
        KeyColumn(name='month', descending=True)
    """
    names: Any = key
    if (
        isinstance(names, str)
        or not names
        or not all(isinstance(name, str) and name.strip() for name in names)
    ):
        raise OptionError("key", key, "a list of column names, such as ['region', 'date desc', 'line_id']")
    columns = tuple(map(_parse, key))
    name, times = Counter(column.name for column in columns).most_common(1)[0]
    if times > 1:
        raise OptionError("key", key, f"a list of different columns ({name!r} occurs {times} times)")
    return columns


def _parse(entry: str) -> KeyColumn:
    name, _, direction = entry.rpartition(" ")
    if name.strip() and direction.lower() in {"asc", "desc"}:
        return KeyColumn(name.strip(), descending=direction.lower() == "desc")
    return KeyColumn(entry)


def quoted(name: str) -> str:
    """A column name as SQL, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def order_by(key: Sequence[KeyColumn]) -> str:
    """The key as the list of an ORDER BY clause.

    Example:
        >>> order_by(parse_key(["region", "month desc"]))
        '"region", "month" DESC'
    """
    return ", ".join(quoted(column.name) + " DESC" * column.descending for column in key)


def behind(key: Sequence[KeyColumn], values: Sequence[Any], bind: Callable[[Any], str]) -> str:
    """The predicate of the records that come after a position, where NULL is smaller than any value.

    It is written out level by level: ``(a, b) > (?, ?)`` is never true for a position with a NULL in it, so
    it would lose every record after one, and knows no mixed directions.

    Args:
        key: The columns.
        values: Of the record at the position, one per column.
        bind: Keeps a value and returns the placeholder for it; called in the order of the text.

    Example:
        >>> behind(parse_key(["region", "id"]), ["West", 7], lambda value: "?")
        '"region" >= ? AND ("region" > ? OR "region" = ? AND ("id" > ?))'
    """
    first, value = key[0], values[0]
    # What the rest says anyway, in a form that lets an index begin near the position.
    bound = "" if first.descending or value is None else f"{quoted(first.name)} >= {bind(value)} AND "
    return f"{bound}({_behind(key, values, bind)})"


def _behind(key: Sequence[KeyColumn], values: Sequence[Any], bind: Callable[[Any], str]) -> str:
    name, value = quoted(key[0].name), values[0]
    ways = []
    if not key[0].descending:
        ways.append(f"{name} IS NOT NULL" if value is None else f"{name} > {bind(value)}")
    elif value is not None:
        ways += [f"{name} < {bind(value)}", f"{name} IS NULL"]
    if len(key) > 1:
        same = f"{name} IS NULL" if value is None else f"{name} = {bind(value)}"
        ways.append(f"{same} AND ({_behind(key[1:], values[1:], bind)})")
    return " OR ".join(ways) or "0"
