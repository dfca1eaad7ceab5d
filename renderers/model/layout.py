"""A report made ready for its data: labels, alignments and compiled formats, what every renderer needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from renderers.errors import ReportError
from renderers.model.formats import compile_format
from renderers.model.report import Column
from renderers.model.specs import parse_locale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from renderers.model.formats import Format
    from renderers.model.report import Labels, Report, Total

__all__ = ["Layout", "LayoutColumn", "LayoutGroup", "lay_out"]


@dataclass(frozen=True, slots=True)
class LayoutColumn:
    """A column, ready to render.

    Attributes:
        name: Name of the source column.
        label: Header text.
        align: ``"start"`` for text, ``"end"`` for figures; dates are ``"start"``.
        width: Share of the line, relative to the other columns.
        format: The compiled format of its values.
        total: The total that stands in this column, if any.
    """

    name: str
    label: str
    align: Literal["start", "end"]
    width: float
    format: Format
    total: Total | None


@dataclass(frozen=True, slots=True)
class LayoutGroup:
    """A group, ready to render: the column's name, the label and the compiled format of its values."""

    name: str
    label: str
    format: Format


@dataclass(frozen=True, slots=True)
class Layout:
    """A report, ready to render.

    Attributes:
        name: Name of the report.
        title: Heading.
        locale: As a language tag for documents, such as ``"en-US"``.
        direction: Writing direction of the locale.
        columns: At least one.
        groups: Outermost first, possibly none.
        label_span: How many leading columns the label of a footer row spans, 0 if the first column has a
            total of its own (its text then carries the label too).
        labels: The fixed words.
    """

    name: str
    title: str
    locale: str
    direction: Literal["ltr", "rtl"]
    columns: tuple[LayoutColumn, ...]
    groups: tuple[LayoutGroup, ...]
    label_span: int
    labels: Labels


def lay_out(report: Report, names: Sequence[str]) -> Layout:
    """Make a report ready for records with these columns.

    Args:
        report: The definition.
        names: Column names of the source.

    Raises:
        ReportError: A column, group or total of the report is not among ``names``.

    Example:
        >>> from renderers.model.report import Report
        >>> [column.label for column in lay_out(Report("sales"), ["city", "net_sum"]).columns]
        ['City', 'Net sum']
    """
    shown = report.columns or [Column(name) for name in names]
    if not shown:
        raise ReportError(report.name, "there is nothing to show: the query has no columns")
    known = frozenset(names)
    wanted = (
        *(("column", column.name) for column in shown),
        *(("group", group.name) for group in report.groups),
        *(("total of", total.column) for total in report.totals),
    )
    for what, name in wanted:
        if name not in known:
            there = ", ".join(map(repr, names)) or "none"
            raise ReportError(report.name, f"{what} {name!r}: the query has no such column; it has {there}")
    totals = {total.column: total for total in report.totals}
    columns = tuple(_column(column, report.locale, totals.get(column.name)) for column in shown)
    locale = parse_locale(report.locale)
    return Layout(
        name=report.name,
        title=report.title,
        locale=_tag(str(locale)),
        direction=cast("Literal['ltr', 'rtl']", locale.text_direction),
        columns=columns,
        groups=tuple(
            LayoutGroup(group.name, group.label, compile_format(group.format, report.locale, group.name))
            for group in report.groups
        ),
        label_span=next((place for place, column in enumerate(columns) if column.total), len(columns)),
        labels=report.labels,
    )


def _column(column: Column, locale: str, total: Total | None) -> LayoutColumn:
    compiled = compile_format(column.format, locale, column.name)
    width = compiled.width if column.width is None else float(column.width)
    return LayoutColumn(column.name, column.label, compiled.align, width, compiled, total)


def _tag(identifier: str) -> str:
    """The language tag of a locale: ``"de-CH"`` for ``"de_CH"``, ``"und"`` for the root of all locales."""
    return "und" if identifier == "root" else identifier.replace("_", "-")
