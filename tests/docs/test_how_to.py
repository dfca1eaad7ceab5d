"""What the how-to pages say beside their Python examples: commands, and what formats show."""

import ast
import re
import shlex
import sys
from pathlib import Path

import pytest

from renderers.cli import main
from renderers.model.formats import compile_format

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "report-definition.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with the definition of the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GENSTAGE_SOURCE", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "sales.py").write_text(blocks("python")[0])
    yield tmp_path
    sys.modules.pop("_report_sales", None)


def test_the_definition_runs_by_the_commands(folder):
    (commands,) = blocks("sh")
    for command in commands.splitlines():
        name, *arguments = shlex.split(command)
        assert (name, main(arguments)) == ("genstage", 0)
    assert (folder / "sales" / "sales.pdf").read_bytes().startswith(b"%PDF")
    assert "Sales by region and month" in (folder / "sales" / "sales.html").read_text()


def test_a_key_that_tears_groups_apart_is_refused_as_shown(folder, capsys):
    (line,) = blocks("text")
    assert main(["sample", "--rows", "1", "shop.sqlite"]) == 0
    capsys.readouterr()
    options = ["--source", "sqlite:///shop.sqlite", "--report", "sales.py:SALES", "--param", "since=2024"]
    assert main(["report", *options, "--key", "line_id"]) == 2
    assert capsys.readouterr().err == line
    assert {file.name for file in folder.iterdir()} == {"sales.py", "shop.sqlite"}


def test_formats_show_what_the_table_says():
    rows = re.findall(r"^\| (?:`([a-z]+\S*)`)? *\| [^|]+ \| `([^`]+)` \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 12
    spec = ""
    for name, example, shown in rows:
        spec = name or spec
        compiled = compile_format(spec, "en_US", "column")
        values = compiled.values([ast.literal_eval(example)])
        assert (spec, compiled.texts(values)) == (spec, [shown])
