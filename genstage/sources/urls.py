"""Sources by URL, as on the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from genstage.errors import OptionError
from genstage.sources.sqlite import sqlite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genstage.sources.base import Source

__all__ = ["from_url"]

_SQLITE = "sqlite:///"


def from_url(
    url: str,
    query: str,
    *,
    key: Sequence[str],
    parameters: Mapping[str, Any] | Sequence[Any] | None = None,
) -> Source:
    """Make the source that a URL names.

    Args:
        url: ``sqlite:///FILE``; the file is taken as it is written, relative to the current folder, or
            absolute with one more slash, as in ``sqlite:////tmp/shop.sqlite``.
        query: As for the kind of source, see :func:`genstage.sources.sqlite`.
        key: The same.
        parameters: The same.

    Raises:
        OptionError: The URL is of no known kind or names no file, or the key is wrong.

    Example:
        >>> from_url("sqlite:///out/shop.sqlite", "SELECT * FROM lines", key=["id"])
        <SqliteSource 'out/shop.sqlite' 'SELECT * FROM lines' key=id>
    """
    database = url.removeprefix(_SQLITE)
    if database == url or not database:
        # A password has no place in a message.
        masked = re.sub("(//[^/@:]*):[^/@]*@", r"\1:***@", url)
        raise OptionError("source", masked, "a URL such as sqlite:///FILE")
    return sqlite(database, query, key=key, parameters=parameters)
