"""The formats of days and months."""

from __future__ import annotations

import re
from datetime import date, datetime
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, cast

from babel.dates import get_date_format

from renderers.model.memo import Memo
from renderers.model.specs import Format, parse_locale, parse_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DateFormat", "MonthFormat"]

_MONTH = re.compile("[0-9]{4}-[0-9]{2}")


class DateFormat(Format):
    """Days, from ISO 8601 text, dates or datetimes (whose time of day is left out)."""

    def __init__(self, spec: str, locale: str, column: str) -> None:
        style = parse_spec(spec).argument
        super().__init__(spec, locale, column, width=2.0 if style == "long" else 1.2)
        self._babel = parse_locale(locale)
        self._pattern = get_date_format(cast("Literal['short', 'medium', 'long']", style), self._babel)
        self._shown = Memo(self._show)

    def _show(self, value: date | None) -> str:
        return "" if value is None else self._pattern.apply(value, self._babel)

    def values(self, raw: Sequence[Any]) -> list[date | None]:
        """As :meth:`Format.values`."""
        types = set(map(type, raw))
        try:
            if types == {str}:
                return list(map(date.fromisoformat, raw))
            if types <= {date, NoneType}:
                return list(raw)
        except ValueError:
            pass  # a time of day, or the value that the next line refuses
        return [None if value is None else self._read(value) for value in raw]

    def _read(self, value: object) -> date:
        try:
            return _day(value)
        except ValueError as error:
            raise self.refusal(value) from error

    def texts(self, values: Sequence[date | None]) -> list[str]:
        """As :meth:`Format.texts`."""
        return list(map(self._shown.__getitem__, values))

    def dump(self, value: date) -> str:
        """As :meth:`Format.dump`: ISO 8601."""
        return value.isoformat()

    def load(self, text: str) -> date:
        """As :meth:`Format.load`."""
        return date.fromisoformat(text)


class MonthFormat(Format):
    """Months, from text such as ``"2024-03"`` or from what is a date."""

    def __init__(self, spec: str, locale: str, column: str) -> None:
        super().__init__(spec, locale, column, width=1.5)
        self._babel = parse_locale(locale)
        self._pattern = self._babel.datetime_skeletons["yMMMM"]
        self._shown = Memo(self._show)
        self._known = Memo(self._read)

    def _show(self, value: str | None) -> str:
        return "" if value is None else self._pattern.apply(date.fromisoformat(f"{value}-01"), self._babel)

    def _read(self, value: object) -> str:
        is_month = isinstance(value, str) and _MONTH.fullmatch(value)
        try:
            return _day(f"{value}-01" if is_month else value).isoformat()[:7]
        except ValueError as error:
            raise self.refusal(value) from error

    def values(self, raw: Sequence[Any]) -> list[str | None]:
        """As :meth:`Format.values`."""
        if set(map(type, raw)) <= {str, date}:
            return list(map(self._known.__getitem__, raw))
        return [None if value is None else self._read(value) for value in raw]

    def texts(self, values: Sequence[str | None]) -> list[str]:
        """As :meth:`Format.texts`."""
        return list(map(self._shown.__getitem__, values))

    def dump(self, value: str) -> str:
        """As :meth:`Format.dump`."""
        return value

    def load(self, text: str) -> str:
        """As :meth:`Format.load`."""
        return text


def _day(value: object) -> date:
    match value:
        case datetime():
            return value.date()
        case date():
            return value
        case str():
            return datetime.fromisoformat(value).date()
    raise ValueError(value)
