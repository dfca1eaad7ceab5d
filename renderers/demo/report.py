"""The demonstration's report: invoice lines by region and month."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genstage import sources
from renderers.model import Column, Group, Report, sum_of

if TYPE_CHECKING:
    import os

    from genstage.sources import Source

__all__ = ["KEY", "QUERY", "REPORT", "demo_source"]

QUERY = "SELECT * FROM report_lines"
"""The records of the report; the view is explained in the sample's schema."""

KEY = ("region", "month", "line_id")
"""Their order: that of the groups, then of the lines."""

REPORT = Report(
    "report",
    title="Invoice lines by region and month",
    columns=[
        # Widths for A4, where a row of six such columns stays on one line.
        Column("invoice", width=1.6),
        Column("date", format="date", width=1.6),
        Column("customer", width=3.0),
        Column("product", width=2.8),
        Column("quantity", format="integer", width=1.6),
        Column("amount", format="currency:USD", width=2.0),
    ],
    groups=[Group("region"), Group("month", format="month")],
    totals=[sum_of("quantity"), sum_of("amount")],
)
"""The one definition, used by all renderers."""


def demo_source(database: str | os.PathLike[str]) -> Source:
    """The records of the report.

    Args:
        database: Made by :func:`renderers.demo.sample.create_sample`.
    """
    return sources.sqlite(database, QUERY, key=KEY)
