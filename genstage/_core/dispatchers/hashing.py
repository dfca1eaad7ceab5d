"""A hash that is the same in every process."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Number
from typing import TYPE_CHECKING
from zlib import crc32

from genstage.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["stable_hash"]


def stable_hash(value: object) -> int:
    """A hash that depends on the value only, not on the process as ``hash`` of a text does.

    Equal values have equal hashes: ``1``, ``1.0`` and ``True`` for instance, a list and a tuple of the same
    items, and mappings whatever the order of their keys.

    Args:
        value: ``None``, a number, text, bytes, or a list, tuple or mapping of such.

    Returns:
        A number from 0 to 2³² - 1.

    Raises:
        OptionError: It is, or holds, something else.

    Example:
        >>> stable_hash("Ada") % 4, stable_hash(("Ada", 1815)) % 4
        (0, 0)
    """
    if type(value) is int:  # the common case, before slower questions
        return crc32(b"%d" % hash(value))
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes | bytearray):
        return crc32(value)
    if isinstance(value, list | tuple):
        return _mixed(stable_hash(item) for item in value)
    if isinstance(value, Mapping):
        return _mixed(sorted(stable_hash(item) for item in value.items()))
    if value is None or value != value:  # noqa: PLR0124 - not a number, whose hash differs from object to object
        return 0
    if isinstance(value, Number):
        return crc32(b"%d" % hash(value))  # Python does not salt the hashes of numbers
    raise OptionError("hash", value, "given as a function: only simple values have a hash of their own")


def _mixed(hashes: Iterable[int]) -> int:
    return crc32(b",".join(b"%d" % each for each in hashes))
