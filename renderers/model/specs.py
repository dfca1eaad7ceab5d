"""What a format is: its specification as users write it, and what its compiled form has to do."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from babel import Locale, UnknownLocaleError
from babel.numbers import is_currency

from renderers.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Format", "Kind", "Spec", "parse_locale", "parse_spec"]

Kind = Literal["text", "integer", "decimal", "percent", "currency", "date", "month"]

_KNOWN = (
    "text, integer, decimal (or decimal:PLACES), percent (or percent:PLACES), currency:CODE, "
    "date (or date:short, date:medium, date:long) or month"
)
_MOST_PLACES = 20
# Python refuses to print longer integers, in an error message too.
_LONGEST_BITS = 10_000


@dataclass(frozen=True, slots=True)
class Spec:
    """A format as written in a report definition, taken apart.

    Attributes:
        kind: The word before the colon.
        argument: What stands behind it, with the default filled in; empty if there is none.
    """

    kind: Kind
    argument: str = ""

    @property
    def is_figure(self) -> bool:
        """Whether its values can be added up."""
        return self.kind in {"integer", "decimal", "percent", "currency"}


def parse_spec(spec: str) -> Spec:
    """Take a format specification apart.

    Args:
        spec: As in a report definition, see :class:`renderers.model.report.Column`.

    Raises:
        ValueError: It is none; the text says what is wrong and what would be right.

    Example:
        >>> parse_spec("date")
        Spec(kind='date', argument='medium')
    """
    kind, colon, argument = spec.partition(":")
    match kind:
        case "text" | "integer" | "month" if not colon:
            return Spec(kind)
        case "decimal" | "percent" if not colon:
            return Spec(kind)
        case "decimal" | "percent":
            if re.fullmatch("[0-9]{1,2}", argument) and int(argument) <= _MOST_PLACES:
                return Spec(kind, str(int(argument)))
            raise ValueError(f"format {spec!r}: the places must be a number from 0 to {_MOST_PLACES}")
        case "currency":
            if is_currency(argument):
                return Spec(kind, argument)
            raise ValueError(f"format {spec!r}: {argument!r} is no ISO 4217 currency; write currency:EUR")
        case "date" if argument in {"short", "medium", "long"} or not colon:
            return Spec(kind, argument or "medium")
    raise ValueError(f"format {spec!r} is unknown: use {_KNOWN}")


def parse_locale(locale: object) -> Locale:
    """Find a locale.

    Args:
        locale: With underscores or hyphens: ``"de_CH"`` or ``"de-CH"``.

    Raises:
        ValueError: There is none of this name.
    """
    if isinstance(locale, str) and re.fullmatch("[A-Za-z0-9_-]+", locale):
        try:
            return Locale.parse(locale.replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            pass  # the same refusal as for what is not even a name
    raise ValueError(f"locale {locale!r} is unknown: use one such as 'en_US' or 'de'")


class Format(ABC):
    """The compiled format of one column. Equal when made from the same three arguments; it pickles.

    Attributes:
        spec: As in the report definition.
        locale: With underscores or hyphens.
        column: Name of the column, for error messages.
        align: ``"end"`` for figures, otherwise ``"start"``.
        width: Default share of the line, relative to other columns.
    """

    align: ClassVar[Literal["start", "end"]] = "start"

    def __init__(self, spec: str, locale: str, column: str, width: float) -> None:
        self.spec = spec
        self.locale = locale
        self.column = column
        self.width = width

    @abstractmethod
    def values(self, raw: Sequence[Any]) -> list[Any]:
        """Turn what a source delivers into values of the column's type; ``None`` stays ``None``.

        Text becomes ``str``; integers ``int``; other figures ``Decimal``; dates ``date``; months text such
        as ``"2024-03"``. A float means the shortest decimal that reads back as the same float.

        Raises:
            FormatError: A value does not fit the column.
        """

    @abstractmethod
    def texts(self, values: Sequence[Any]) -> list[str]:
        """Format values that :meth:`values` returned; ``None`` becomes an empty text."""

    @abstractmethod
    def dump(self, value: Any) -> str:
        """Write a value, not ``None``, as ASCII text, so that :meth:`load` gives back the same value."""

    @abstractmethod
    def load(self, text: str) -> Any:
        """Read what :meth:`dump` has written."""

    def refusal(self, value: object) -> FormatError:
        """The error that says that a value does not fit the column."""
        if isinstance(value, int) and value.bit_length() > _LONGEST_BITS:
            value = f"integer of {value.bit_length()} bits"
        return FormatError(self.column, value, self.spec)

    def _identity(self) -> tuple[str, str, str]:
        return self.spec, self.locale, self.column

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, Format) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._identity()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.spec!r} {self.locale!r} {self.column!r}>"
