"""What a finished run tells: the table on standard output."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from renderers import Summary

__all__ = ["Baseline", "memory_text", "parse_baseline", "read_baseline", "size_text", "summary_table"]

_IN_WHEEL = "baseline.json"
_IN_CHECKOUT = "benchmarks/results/demo_baseline.json"
_CHECKOUT = Path(__file__).resolve().parents[2]
_STEP = 1000


@dataclass(frozen=True, slots=True)
class Baseline:
    """The peak memory of the demo on few rows, measured once.

    Attributes:
        rows: How many.
        peak_memory_bytes: The peak.
    """

    rows: int
    peak_memory_bytes: int


def read_baseline() -> Baseline | None:
    """The baseline of the demo, of the installed package or of the checkout; ``None`` if there is none."""
    for file in (resources.files("renderers.demo") / _IN_WHEEL, _CHECKOUT / _IN_CHECKOUT):
        if file.is_file():
            return parse_baseline(file.read_text(encoding="utf-8"))
    return None


def parse_baseline(text: str) -> Baseline | None:
    """Read a baseline.

    Example:
        >>> parse_baseline('{"rows": 1000, "peak_memory_bytes": 300000000, "machine": "two cores"}')
        Baseline(rows=1000, peak_memory_bytes=300000000)
        >>> parse_baseline("{}") is None  # not measured yet
        True
    """
    try:
        facts = json.loads(text)
        baseline = Baseline(int(facts["rows"]), int(facts["peak_memory_bytes"]))
    except (ValueError, KeyError, TypeError):
        return None
    return baseline if baseline.peak_memory_bytes > 0 else None


def summary_table(title: str, summary: Summary, *, memory: str) -> RenderableType:
    """Lay the summary out for a person.

    Args:
        title: Of the report.
        summary: Of the run.
        memory: The peak memory and what it compares with, from :func:`memory_text`.
    """
    figures = Table.grid(padding=(0, 2))
    for name, value in (
        ("Records", f"{summary.records:,}"),
        ("Records failed", f"{summary.failed:,}"),
        ("Restarts", f"{summary.restarts:,}"),
        ("Time", f"{summary.seconds:,.2f} s"),
        ("Speed", f"{summary.records_per_s:,.0f} records/s"),
        ("Peak memory", memory),
    ):
        figures.add_row(name, value)
    files = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    files.add_column("Output", no_wrap=True)
    files.add_column("First bytes", no_wrap=True, justify="right")
    files.add_column("Size", no_wrap=True, justify="right")
    files.add_column("File", overflow="fold")
    for name, path in summary.files.items():
        first = summary.first_bytes_s.get(name)
        files.add_row(
            Text(name),
            "" if first is None else f"{first:,.3f} s",
            size_text(path.stat().st_size),
            Text(str(path)),
        )
    return Group(Text(title, style="bold"), Text(), figures, Text(), files)


def memory_text(peak_bytes: int, baseline: Baseline | None) -> str:
    """The peak memory, and how many times the baseline it is.

    Example:
        >>> memory_text(330_000_000, Baseline(rows=1000, peak_memory_bytes=300_000_000))
        '330 MB, 1.10 times the baseline of 1,000 rows (300 MB)'
        >>> memory_text(330_000_000, None)
        '330 MB (no baseline)'
    """
    peak = size_text(peak_bytes)
    if baseline is None:
        return f"{peak} (no baseline)"
    ratio = peak_bytes / baseline.peak_memory_bytes
    return (
        f"{peak}, {ratio:.2f} times the baseline of {baseline.rows:,} rows"
        f" ({size_text(baseline.peak_memory_bytes)})"
    )


def size_text(size_bytes: int) -> str:
    """A size in the unit that suits it, by thousands.

    Example:
        >>> size_text(950), size_text(12_345), size_text(330_000_000)
        ('950 B', '12.3 kB', '330 MB')
    """
    if size_bytes < _STEP:
        return f"{size_bytes} B"
    size = float(size_bytes)
    unit = "B"
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007
        size /= _STEP
        if round(size) < _STEP:
            break
    return f"{size:.3g} {unit}"
