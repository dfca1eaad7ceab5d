"""A report definition: an immutable recipe, without data and without I/O."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import astuple, dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from renderers.errors import ReportError
from renderers.model.specs import parse_locale, parse_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Column",
    "Function",
    "Group",
    "Labels",
    "Report",
    "Total",
    "average_of",
    "count_of",
    "max_of",
    "min_of",
    "sum_of",
]

T = TypeVar("T")

Function = Literal["sum", "count", "average", "min", "max"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the report.

    Args:
        name: Name of the source column it shows.
        label: Header text; by default the name, spaced and capitalised.
        format: ``"text"``, ``"integer"``, ``"decimal"`` (``"decimal:3"`` for three places), ``"percent"``
            (``"percent:1"``), ``"currency:EUR"``, ``"date"`` (``"date:short"``, ``"date:long"``) or
            ``"month"``.
        width: Share of the line, relative to the other columns, over 0; by default what suits the format.

    Example:
        >>> Column("unit_price").label
        'Unit price'
    """

    name: str
    label: str = ""
    format: str = "text"
    width: float | None = None

    def __post_init__(self) -> None:
        if not self.label:
            object.__setattr__(self, "label", _spaced(self.name))


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive records with the same value of a column: a header before, a footer with totals after.

    Args:
        name: Name of the source column.
        label: Text before the value in the group's header; by default the name, spaced and capitalised.
        format: As for :class:`Column`.
    """

    name: str
    label: str = ""
    format: str = "text"

    def __post_init__(self) -> None:
        if not self.label:
            object.__setattr__(self, "label", _spaced(self.name))


@dataclass(frozen=True, slots=True)
class Total:
    """A figure at the end of each group and of the report. Missing values are left out of it.

    Args:
        column: Name of the report column it stands in.
        function: How it is computed.
    """

    column: str
    function: Function


@dataclass(frozen=True, slots=True)
class Labels:
    """The fixed words of a report, for translation.

    Args:
        total: Footer of a group; ``{key}`` is the group's value.
        grand_total: Last line of the report.
        page: Page number; ``{page}`` and ``{pages}``.
        empty: Shown instead of rows when there is no record.
        missing: Shown as the value of a group whose records have none.
    """

    total: str = "Total {key}"
    grand_total: str = "Grand total"
    page: str = "Page {page} of {pages}"
    empty: str = "No records"
    missing: str = "(none)"


@dataclass(frozen=True, slots=True)
class Report:
    """A report definition, used by all renderers.

    Args:
        name: Names the run and its log lines, and the files by default: 1 to 100 letters a to z or A to Z,
            digits, hyphens and underscores.
        title: Heading; by default the name, spaced and capitalised.
        columns: The columns; empty means all columns of the source, as text.
        groups: Outermost first. The source must order its records by them.
        totals: Computed for each group and for the whole report.
        locale: Locale of numbers and dates, such as ``"en_US"``, ``"de"``.
        labels: The fixed words.

    Raises:
        ReportError: A name occurs twice, a total names no column or is asked of a column that cannot be added
            up, a format or locale is unknown, or a field has the wrong type; the first mistake found.

    Example:
        >>> Report("sales", columns=[Column("city"), Column("sum", format="integer")],
        ...        totals=[sum_of("sum")]).title
        'Sales'
    """

    name: str
    title: str = ""
    columns: Sequence[Column] = ()
    groups: Sequence[Group] = ()
    totals: Sequence[Total] = ()
    locale: str = "en_US"
    labels: Labels = field(default_factory=Labels)

    def __post_init__(self) -> None:
        _check_name(self.name)
        object.__setattr__(self, "columns", _items(self.name, "columns", self.columns, Column))
        object.__setattr__(self, "groups", _items(self.name, "groups", self.groups, Group))
        object.__setattr__(self, "totals", _items(self.name, "totals", self.totals, Total))
        if not self.title:
            object.__setattr__(self, "title", _spaced(self.name))
        _check_words(self)
        _check_fields(self)
        _check_totals(self)


def sum_of(column: str) -> Total:
    """The exact sum of a column: 0 if no record has a value."""
    return Total(column, "sum")


def count_of(column: str) -> Total:
    """How many records have a value in a column."""
    return Total(column, "count")


def average_of(column: str) -> Total:
    """The mean of the values a column has, rounded only when it is shown; empty if there is none."""
    return Total(column, "average")


def min_of(column: str) -> Total:
    """The smallest value of a column; empty if there is none. Texts compare by code point."""
    return Total(column, "min")


def max_of(column: str) -> Total:
    """The largest value of a column; empty if there is none. Texts compare by code point."""
    return Total(column, "max")


def _spaced(name: object) -> str:
    """The default label of a name; empty for what is no name, which the report then refuses."""
    words = name.replace("_", " ").strip() if isinstance(name, str) else ""
    return words[:1].upper() + words[1:]


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not re.fullmatch("[A-Za-z0-9_-]{1,100}", name):
        raise ReportError(
            str(name), "the name also names files: use 1 to 100 letters a-z or A-Z, digits, '-' and '_'"
        )


def _items(report: str, field_name: str, items: object, kind: type[T]) -> tuple[T, ...]:
    """The items of a field, if they are a collection in order and all of the right type."""
    example = f"{field_name}=[{kind.__name__}(...)]"
    if not isinstance(items, Iterable) or isinstance(items, str | bytes | Mapping | AbstractSet):
        raise ReportError(report, f"{field_name} must be a list, such as {example}, got {items!r}")
    found = tuple(items)
    for item in found:
        if not isinstance(item, kind):
            raise ReportError(
                report, f"{field_name} must hold {kind.__name__} objects ({example}), got {item!r}"
            )
    return found


def _check_words(report: Report) -> None:
    labels: object = report.labels
    if not isinstance(labels, Labels):
        raise ReportError(report.name, f"labels must be a Labels object, got {labels!r}")
    words: list[Any] = [report.title, *astuple(labels)]
    for word in words:
        if not isinstance(word, str):
            raise ReportError(report.name, f"title and labels must be text, got {word!r}")
    try:
        parse_locale(report.locale)
    except ValueError as error:
        raise ReportError(report.name, str(error)) from error


def _check_fields(report: Report) -> None:
    """Names, labels, formats and widths of the columns and groups."""
    for what, fields in (("column", report.columns), ("group", report.groups)):
        for one in fields:
            _check_field(report.name, what, one)
        for name, times in Counter(one.name for one in fields).items():
            if times > 1:
                raise ReportError(report.name, f"{what} {name!r} occurs {times} times: name it once")


def _check_field(report: str, what: str, one: Column | Group) -> None:
    name: Any = one.name
    if not isinstance(name, str) or not name:
        raise ReportError(report, f"the name of a {what} must be the name of a source column, got {name!r}")
    for part, text in (("label", one.label), ("format", one.format)):
        given: Any = text
        if not isinstance(given, str):
            raise ReportError(report, f"{what} {name!r}: its {part} must be text, got {given!r}")
    try:
        parse_spec(one.format)
    except ValueError as error:
        raise ReportError(report, f"{what} {name!r}: {error}") from error
    width: Any = one.width if isinstance(one, Column) else None
    if width is None:
        return
    if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width < inf:
        raise ReportError(report, f"column {name!r}: its width must be a number over 0, got {width!r}")


def _check_totals(report: Report) -> None:
    """Each total stands in a column of its own, which can be added up if it has to be."""
    columns = {column.name: column for column in report.columns}
    seen: set[str] = set()
    for total in report.totals:
        name: Any = total.column
        if total.function not in get_args(Function):
            functions = ", ".join(get_args(Function))
            raise ReportError(report.name, f"total of {name!r}: {total.function!r} is none of {functions}")
        if not isinstance(name, str) or (columns and name not in columns):
            raise ReportError(
                report.name, f"total of {name!r}: no such report column; there are {_list(columns)}"
            )
        if name in seen:
            raise ReportError(report.name, f"total of {name!r}: a column shows one total, give it one only")
        seen.add(name)
        # Without columns, all columns of the source are shown, as text.
        shown = columns[name].format if columns else "text"
        if total.function in {"sum", "average"} and not parse_spec(shown).is_figure:
            raise ReportError(
                report.name,
                f"total of {name!r}: no {total.function} of a column shown as {shown!r};"
                " give it a format such as 'decimal', or use count, min or max",
            )


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
