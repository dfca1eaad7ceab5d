"""Reports from one pass over a source: HTML, JSON, HEEx and PDF."""

from genstage.streaming import Summary
from renderers.model import Column, Group, Labels, Report, average_of, count_of, max_of, min_of, sum_of
from renderers.sink import render

__all__ = [
    "Column",
    "Group",
    "Labels",
    "Report",
    "Summary",
    "average_of",
    "count_of",
    "max_of",
    "min_of",
    "render",
    "sum_of",
]
