"""A report definition: an immutable recipe, without data and without I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Column", "Function", "Group", "Labels", "Report", "Total", "average_of", "count_of", "max_of", "min_of", "sum_of"]

Function = Literal["sum", "count", "average", "min", "max"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the report.

    Args:
        name: Name of the source column it shows.
        label: Header text; by default the name, spaced and capitalised.
        format: ``"text"``, ``"integer"``, ``"decimal"`` (``"decimal:3"`` for three places), ``"percent"``,
            ``"currency:EUR"``, ``"date"`` (``"date:short"``, ``"date:long"``) or ``"month"``.
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
        name: Names the run and its log lines, and the files by default.
        title: Heading; by default the name, spaced and capitalised.
        columns: The columns; empty means all columns of the source, as text.
        groups: Outermost first. The source must order its records by them.
        totals: Computed for each group and for the whole report.
        locale: Locale of numbers and dates, such as ``"en_US"``, ``"de"``.
        labels: The fixed words.

    Raises:
        ReportError: A name occurs twice, a total names no column, a format or locale is unknown.

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
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "groups", tuple(self.groups))
        object.__setattr__(self, "totals", tuple(self.totals))
        if not self.title:
            object.__setattr__(self, "title", _spaced(self.name))


def sum_of(column: str) -> Total:
    """The exact sum of a column."""
    return Total(column, "sum")


def count_of(column: str) -> Total:
    """How many records have a value in a column."""
    return Total(column, "count")


def average_of(column: str) -> Total:
    """The mean of the values a column has."""
    return Total(column, "average")


def min_of(column: str) -> Total:
    """The smallest value of a column."""
    return Total(column, "min")


def max_of(column: str) -> Total:
    """The largest value of a column."""
    return Total(column, "max")


def _spaced(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
