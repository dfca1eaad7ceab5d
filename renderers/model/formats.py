"""Compiled formats: what a column's values are, and how they read in the report's locale.

A format is compiled once from Babel's patterns and then works by column, never by cell, which is an
order of magnitude faster than Babel's own functions and gives the same texts. Reading is strict: a
value that does not fit its column is refused, never shown as something else.
"""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any

from renderers.model.dates import DateFormat, MonthFormat
from renderers.model.figures import FigureFormat, IntegerFormat
from renderers.model.specs import Format, parse_locale, parse_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from renderers.model.specs import Kind

__all__ = ["Format", "TextFormat", "compile_format"]


class TextFormat(Format):
    """Any value, as it is: no character is taken out or replaced."""

    def __init__(self, spec: str, locale: str, column: str) -> None:
        super().__init__(spec, locale, column, width=3.0)

    def values(self, raw: Sequence[Any]) -> list[str | None]:
        """As :meth:`Format.values`; binary values become hexadecimal digits."""
        if set(map(type, raw)) <= {str, NoneType}:
            return list(raw)
        return [None if value is None else self._read(value) for value in raw]

    def _read(self, value: object) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, bytes | bytearray | memoryview):
            return value.hex()
        try:
            # A subclass of str may claim to be safe markup; a value is plain text, whatever its type.
            return str.__str__(str(value))
        except ValueError as error:
            raise self.refusal(value) from error

    def texts(self, values: Sequence[str | None]) -> list[str]:
        """As :meth:`Format.texts`."""
        return ["" if value is None else value for value in values]

    def dump(self, value: str) -> str:
        """As :meth:`Format.dump`: escaped, because a lone surrogate has no place in UTF-8 or JSON."""
        return value.encode("unicode_escape").decode("ascii")

    def load(self, text: str) -> str:
        """As :meth:`Format.load`."""
        return text.encode("ascii").decode("unicode_escape")


_FORMATS: Mapping[Kind, Callable[[str, str, str], Format]] = {
    "text": TextFormat,
    "integer": IntegerFormat,
    "decimal": FigureFormat,
    "percent": FigureFormat,
    "currency": FigureFormat,
    "date": DateFormat,
    "month": MonthFormat,
}


def compile_format(spec: str, locale: str, column: str) -> Format:
    """Compile the format of a column.

    Args:
        spec: As in a report definition, see :class:`renderers.model.report.Column`.
        locale: Locale of numbers and dates, such as ``"en_US"`` or ``"en-US"``.
        column: Name of the column, for error messages.

    Raises:
        ValueError: The format or the locale is unknown.

    Example:
        >>> amounts = compile_format("currency:EUR", "en_US", "amount")
        >>> amounts.texts(amounts.values(["1234.5", None, -3]))
        ['€1,234.50', '', '-€3.00']
    """
    parse_locale(locale)
    return _FORMATS[parse_spec(spec).kind](spec, locale, column)
