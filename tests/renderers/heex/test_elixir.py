import shutil
import subprocess
from pathlib import Path

import html5lib
import pytest

from renderers.heex.source import elixir_module
from renderers.model import Column, Group, Labels, Report, sum_of

pytestmark = [
    pytest.mark.elixir,
    pytest.mark.skipif(not shutil.which("elixir"), reason="Elixir is not installed"),
]

TEXT = (
    "<script>alert(1)</script> {{ @x }} {b} } { <% x %> <%= 1 %> #{1 + 1} \"q\" 's' \\ \\u0041 &amp; --%> "
    "line\nline\ttab nul\0 half\ud83d \u202eright\u2066 שלום 😀 $name"
)
NAMES = ("region", "city", "amount")
HOSTILE = Report(
    "hostile",
    title=TEXT,
    columns=[Column("city", label=TEXT), Column("amount", format="currency:EUR")],
    groups=[Group("region", label=TEXT)],
    totals=[sum_of("amount")],
    labels=Labels(empty=TEXT),
)
REPORTS = [
    (HOSTILE, [(TEXT, TEXT, "1000.10"), (TEXT, None, None), (None, "", "-3")]),
    (Report("2024-report", columns=HOSTILE.columns, totals=[sum_of("amount")]), []),
    (Report("long", groups=[Group("region")]), [(f"r{n // 9}", f"c{n}", n) for n in range(500)]),
]


def run(script, made, folder):
    made.save(folder)
    done = subprocess.run(
        ["elixir", Path(__file__).with_name(script), folder, made.name, elixir_module(made.name)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def shown_rows(path):
    """Per row of a page: its id, class and level, then the texts of its cells."""
    tree = html5lib.parse(path.read_text("utf-8"), namespaceHTMLElements=False)
    rows = [
        [row.get("id"), row.get("class"), row.get("data-level"), *((cell.text or "") for cell in row)]
        for row in tree.findall(".//tbody/tr")
    ]
    return tree, rows


@pytest.mark.parametrize(("report", "records"), REPORTS, ids=["hostile", "empty", "long"])
def test_the_sources_are_good_elixir(make_heex, tmp_path, report, records):
    made = make_heex(report, NAMES, records)
    run("sources.exs", made, tmp_path)
    assert (tmp_path / "title.txt").read_bytes().decode() == made.assigns()["title"]


@pytest.mark.parametrize(("report", "records"), REPORTS, ids=["hostile", "empty", "long"])
def test_the_compiler_renders_the_rows(make_heex, tmp_path, report, records):
    made = make_heex(report, NAMES, records)
    done = run("render.exs", made, tmp_path)
    if done.stdout == "no LiveView":
        pytest.skip("Phoenix LiveView is not on ERL_LIBS")
    assert done.stderr == ""  # no warning of the compiler
    expected = [
        [
            f"{report.name}-row-{row['ordinal']}",
            f"band {row['band']}",
            str(row["level"]),
            *([row["label"]] if row["span"] else []),
            *row["cells"],
        ]
        for row in made.lines()
    ]
    whole, rows = shown_rows(tmp_path / "whole.html")
    assert rows == expected
    live, rows = shown_rows(tmp_path / "live.html")
    assert rows == expected[:200]
    assert live.find(".//tbody").get("phx-update") == "stream"
    assert live.find(".//tbody").get("phx-viewport-bottom") == ("more" if len(expected) > 200 else None)
    scrolled, rows = shown_rows(tmp_path / "scrolled.html")
    assert rows == expected
    assert scrolled.find(".//tbody").get("phx-viewport-bottom") is None
    assert {*whole.find(".//tbody").attrib} == {"id"}
    for tree in (whole, live, scrolled):
        assert tree.find(".//h1").text == made.assigns()["title"]
        labels = [column["label"] for column in made.assigns()["columns"]]
        assert [head.text for head in tree.findall(".//thead/tr/th")] == labels
        assert [text.text for text in tree.findall(".//p")] == ([] if records else [report.labels.empty])
