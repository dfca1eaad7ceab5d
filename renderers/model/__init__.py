"""The report model: definitions and what becomes of them before the first record. No I/O."""

from renderers.model.layout import Layout, LayoutColumn, LayoutGroup, lay_out
from renderers.model.report import (
    Column,
    Group,
    Labels,
    Report,
    Total,
    average_of,
    count_of,
    max_of,
    min_of,
    sum_of,
)

__all__ = [
    "Column",
    "Group",
    "Labels",
    "Layout",
    "LayoutColumn",
    "LayoutGroup",
    "Report",
    "Total",
    "average_of",
    "count_of",
    "lay_out",
    "max_of",
    "min_of",
    "sum_of",
]
