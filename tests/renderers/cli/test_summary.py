import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from renderers.cli.console import StreamConsole
from renderers.cli.summary import Baseline, memory_text, parse_baseline, size_text, summary_table


@dataclass(frozen=True)
class Summary:
    records: int
    seconds: float
    records_per_s: float
    first_bytes_s: dict[str, float]
    peak_memory_bytes: int
    restarts: int
    failed: int
    files: dict[str, Path]


@pytest.fixture
def summary(tmp_path):
    files = {"pdf": tmp_path / "report.pdf", "html": tmp_path / "[b]report.html"}
    files["pdf"].write_bytes(b"x" * 2_345_678)
    files["html"].write_bytes(b"")
    return Summary(50_000, 9.1234, 5480.6, {"pdf": 0.1514, "html": 0.0042}, 330_000_000, 1, 2, files)


def shown(renderable, width):
    stream = io.StringIO()
    StreamConsole(file=stream, width=width, highlight=False).print(renderable)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_the_summary_tells_everything(summary, tmp_path):
    assert shown(summary_table("Lines [x]", summary, memory="330 MB"), 1000) == [
        "Lines [x]",
        "",
        "Records         50,000",
        "Records failed  2",
        "Restarts        1",
        "Time            9.12 s",
        "Speed           5,481 records/s",
        "Peak memory     330 MB",
        "",
        "Output  First bytes     Size  File",
        f"pdf         0.151 s  2.35 MB  {tmp_path}/report.pdf",
        f"html        0.004 s      0 B  {tmp_path}/[b]report.html",
    ]


def test_on_a_narrow_terminal_paths_are_folded_and_nothing_is_lost(summary, tmp_path):
    lines = shown(summary_table("Lines", summary, memory="330 MB"), 40)
    assert max(map(len, lines)) <= 40
    tails = "".join(line[29:].strip() for line in lines[10:])
    assert f"{tmp_path}/report.pdf{tmp_path}/[b]report.html" == tails


def test_an_output_that_wrote_nothing_has_no_first_bytes(summary):
    summary.first_bytes_s.clear()
    assert "pdf                  2.35 MB" in shown(summary_table("Lines", summary, memory=""), 1000)[10]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (12_345, "12.3 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (330_000_000, "330 MB"),
        (5_850_000_000, "5.85 GB"),
        (10**15, "1e+03 TB"),
    ],
)
def test_sizes_are_told_in_the_unit_that_suits_them(size, text):
    assert size_text(size) == text


def test_memory_is_compared_with_the_baseline():
    text = memory_text(330_000_000, Baseline(rows=1000, peak_memory_bytes=300_000_000))
    assert text == "330 MB, 1.10 times the baseline of 1,000 rows (300 MB)"


def test_memory_without_a_baseline():
    assert memory_text(330_000_000, None) == "330 MB (no baseline)"


def test_the_baseline_is_read_from_what_was_measured():
    text = json.dumps({"rows": 1000, "peak_memory_bytes": 3 * 10**8, "machine": "2 cores"})
    assert parse_baseline(text) == Baseline(1000, 3 * 10**8)


@pytest.mark.parametrize(
    "text", ["{}", "", "[]", '{"rows": 1000}', '{"rows": 1, "peak_memory_bytes": 0}', "null"]
)
def test_what_is_no_baseline_is_none(text):
    assert parse_baseline(text) is None
