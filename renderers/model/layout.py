"""A report made ready for its data: labels, alignments and compiled formats, what every renderer needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

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
        ReportError: A column or group of the report is not among ``names``.
    """
    ...
