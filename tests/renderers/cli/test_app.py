"""The commands, called in this process."""

import json
import re
import signal
import sqlite3
import sys
from typing import get_args

import pytest

from renderers.cli import main
from renderers.model.report import Function
from renderers.model.specs import Kind

REPORTS = """\
from renderers import Column, Group, Report, sum_of

SALES = Report(
    "sales",
    title="Sales by city",
    columns=[Column("item"), Column("amount", format="decimal")],
    groups=[Group("city")],
    totals=[sum_of("amount")],
)
QUERY = "SELECT * FROM sales WHERE amount >= coalesce(:least, 0)"
KEY = ["city", "id"]
"""
ROWS = [(1, "Ulm", "Nails", 2.5), (2, "Bonn", "Screws", 7.0), (3, "Ulm", "Bolts", 4.25)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current folder, with a small database and a report on it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GENSTAGE_SOURCE", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    (tmp_path / "sales_reports.py").write_text(REPORTS)
    connection = sqlite3.connect("sales.sqlite")
    connection.execute("CREATE TABLE sales (id INTEGER PRIMARY KEY, city TEXT, item TEXT, amount REAL)")
    connection.executemany("INSERT INTO sales VALUES (?, ?, ?, ?)", ROWS)
    connection.commit()
    connection.close()
    yield tmp_path
    for name in set(sys.modules) - before:
        if name in {"sales_reports", "_report_sales_reports"}:
            del sys.modules[name]


def report(*options):
    return main(["report", "--source", "sqlite:///sales.sqlite", "--report", "sales_reports:SALES", *options])


def items(file):
    return [record["item"] for record in json.loads(file.read_bytes())["records"]]


def test_a_report_of_ones_own(folder, capsys):
    assert report("--param", "least=null", "--out", "made") == 0
    files = {file.name for file in (folder / "made").iterdir()}
    assert {"sales.html", "sales.json", "sales.pdf", "sales.heex"} <= files
    assert not [name for name in files if name.startswith(".")]
    assert items(folder / "made" / "sales.json") == ["Screws", "Nails", "Bolts"]
    told = capsys.readouterr().out
    assert re.match(
        r"Sales by city\n\nRecords +3\nRecords failed +0\nRestarts +0\nTime +[\d.]+ s\n"
        r"Speed +[\d,]+ records/s\nPeak memory +[\d.]+ MB\n\nOutput +First bytes +Size +File\n",
        told,
    )
    assert re.search(r"^pdf +\d\.\d{3} s +[\d.]+ kB  made/sales.pdf$", told, re.MULTILINE)


def test_a_report_in_a_file_with_a_query_of_the_options(folder):
    where = ["--source", f"sqlite:///{folder}/sales.sqlite", "--report", "sales_reports.py:SALES"]
    what = ["--query", "SELECT * FROM sales WHERE city = :city", "--key", "city,amount desc"]
    code = main(["report", *where, *what, "--param", "city=Ulm", "--format", "json", "--out", "deep/er"])
    assert code == 0
    assert items(folder / "deep" / "er" / "sales.json") == ["Bolts", "Nails"]
    assert [file.name for file in (folder / "deep" / "er").iterdir()] == ["sales.json"]


def test_the_source_may_stand_in_the_environment(folder, monkeypatch):
    monkeypatch.setenv("GENSTAGE_SOURCE", "sqlite:///sales.sqlite")
    options = ["--report", "sales_reports:SALES", "--param", "least=3", "--format", "json", "--out", "out"]
    assert main(["report", *options]) == 0
    assert items(folder / "out" / "sales.json") == ["Screws", "Bolts"]


def test_the_demo_creates_its_sample_and_uses_it_again(folder, capsys):
    assert main(["demo", "--rows", "300", "--seed", "5", "--format", "json,html", "--out", "made"]) == 0
    first = {file.name: file.read_bytes() for file in (folder / "made").iterdir()}
    assert set(first) == {"sample.sqlite", "report.json", "report.html"}
    assert len(json.loads(first["report.json"])["records"]) == 300
    assert re.search(r"^Peak memory +[\d.]+ MB \(no baseline\)$", capsys.readouterr().out, re.MULTILINE)
    assert main(["demo", "--rows", "300", "--format", "json,html", "--out", "made"]) == 0
    assert {file.name: file.read_bytes() for file in (folder / "made").iterdir()} == first


def test_the_demo_compares_its_memory_with_the_baseline(capsys):
    assert main(["demo", "--rows", "100"]) == 0
    told = capsys.readouterr().out
    assert re.search(
        r"^Peak memory +[\d.]+ MB, \d+\.\d\d times the baseline of 1,000 rows \(", told, re.MULTILINE
    )


def test_the_demo_on_another_database(folder):
    assert main(["sample", "--rows", "50", "own.sqlite"]) == 0
    assert main(["demo", "--source", "sqlite:///own.sqlite", "--format", "json", "--out", "made"]) == 0
    assert [file.name for file in (folder / "made").iterdir()] == ["report.json"]
    assert len(json.loads((folder / "made" / "report.json").read_bytes())["records"]) == 50


def test_a_sample_tells_its_size(capsys):
    assert main(["sample", "--rows", "50", "own.sqlite"]) == 0
    told = capsys.readouterr()
    assert re.fullmatch(r"own.sqlite: 50 invoice lines, [\d.]+ kB\n", told.out)
    assert "creating sample" in told.err


def test_the_same_options_make_the_same_sample(folder):
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        assert main(["sample", "--rows", "50", "--seed", seed, name]) == 0
    a, b, c = ((folder / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_the_log_may_be_json(capsys):
    assert (
        report("--param", "least=1", "--format", "json", "--log-format", "json", "--log-level", "debug") == 0
    )
    told = capsys.readouterr()
    lines = [json.loads(line) for line in told.err.splitlines()]
    assert {line["event"] for line in lines} >= {"started"}
    assert told.out.startswith("Sales by city\n")


def test_errors_are_json_where_the_log_is(capsys, expected_errors):
    assert report("--format", "docx", "--log-format", "json") == 2
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["exit_code"]) == ("error", 2)
    assert told["event"].startswith("--format: unknown format 'docx'")
    assert len(expected_errors) == 1


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["demo", "--help"], ["report", "-h"], ["sample", "--help"]]
)
def test_help_is_for_people(capsys, arguments):
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.startswith("Usage: genstage")
    assert "\b" not in told.out
    if len(arguments) == 2:
        assert "\n  Examples:\n    genstage " in told.out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"genstage \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_a_signal_before_the_command_has_begun(monkeypatch, capsys):
    def interrupted(_):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("typer.main.get_command", interrupted)
    assert main(["demo"]) == 143
    assert capsys.readouterr().err == "genstage: stopped by SIGTERM: no output was written\n"


def test_the_help_of_report_names_all_formats_and_totals(capsys):
    assert main(["report", "--help"]) == 0
    told = capsys.readouterr().out
    formats, totals = re.search(
        r"Formats of columns: (.*?)\n *Totals of columns: (.*?)\n", told, re.DOTALL
    ).groups()
    assert [re.match("[a-z]+", text)[0] for text in re.split(r",\s+", formats)] == list(get_args(Kind))
    assert set(totals.split(", ")) == {f"{function}_of" for function in get_args(Function)}


def test_without_a_command_help_goes_to_standard_error(capsys):
    assert main([]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("Usage: genstage")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nothing"], "No such command 'nothing' (see genstage --help)"),
        (["dmeo"], "No such command 'dmeo'. Did you mean 'demo'? (see genstage --help)"),
        (["demo", "--nothing"], "No such option: --nothing (see genstage demo --help)"),
        (["demo", "extra"], "Got unexpected extra argument(s) (extra) (see genstage demo --help)"),
        (["report"], "Missing option '--source' (env var: 'GENSTAGE_SOURCE') (see genstage report --help)"),
        (["sample"], "Missing argument 'FILE' (see genstage sample --help)"),
    ],
)
def test_arguments_that_do_not_parse(capsys, arguments, line):
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"genstage: {line}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--rows", "many"],
        ["demo", "--rows", "-1"],
        ["demo", "--seed", "1.5"],
        ["demo", "--log-level", "loud"],
        ["demo", "--log-format", "xml"],
        ["sample", "--rows", "-5", "own.sqlite"],
    ],
)
def test_values_that_do_not_parse_name_their_option(folder, capsys, arguments):
    before = sorted(folder.iterdir())
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert arguments[1] in line
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["demo", "--rows", "3", "--source", "sqlite:///sales.sqlite"],
            "--rows and --seed: make a sample database: leave them out with --source",
        ),
        (
            ["demo", "--seed", "3", "--out", "old"],
            "--seed: old/sample.sqlite exists already: remove it, or choose",
        ),
        (
            ["demo", "--rows", "3", "--out", "old"],
            "--rows: old/sample.sqlite has 2 lines: remove it, or choose",
        ),
        (["demo", "--out", "sales.sqlite"], "--out: sales.sqlite: "),
        (["sample", "sales.sqlite"], "FILE: sales.sqlite exists already: remove it or choose another name"),
        (["sample", "sales.sqlite/x"], "FILE: sales.sqlite: "),
    ],
)
def test_samples_that_cannot_be_made(folder, capsys, arguments, line):
    (folder / "old").mkdir()
    assert main(["sample", "--rows", "2", "old/sample.sqlite"]) == 0
    capsys.readouterr()
    before = sorted(folder.rglob("*"))
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"genstage: {line}")
    assert told.err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before
