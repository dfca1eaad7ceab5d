import csv
import io
import sqlite3
from contextlib import closing
from decimal import Decimal
from functools import partial

import pytest

from genstage import OptionError, PipelineError, SourceError, sources
from renderers import Column, Group, Report, render, sum_of
from renderers.errors import FormatError, RegistryError, ReportError

DEADLINE_S = 60.0


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE sales (region TEXT, rank INTEGER, id INTEGER PRIMARY KEY, amount)")
        connection.executemany(
            "INSERT INTO sales VALUES (?, ?, ?, ?)",
            [(f"R{number // 400}", number // 400, number, f"{number}.25") for number in range(1_000)],
        )
    return path


def sales(database, *key):
    return sources.sqlite(database, "SELECT * FROM sales", key=key or ("region", "id"))


REPORT = Report(
    "sales",
    columns=[Column("id", format="integer"), Column("amount", format="currency:EUR")],
    groups=[Group("region")],
    totals=[sum_of("amount")],
)


class Tsv:
    """A sink of one's own; the state is the number of rows."""

    def __init__(self, heading=b"id\tamount\n"):
        self.heading = heading

    def begin(self, output):
        output.write(self.heading)
        return 0

    def consume_chunk(self, chunk, state, output):
        text = io.StringIO(newline="")
        csv.writer(text, delimiter="\t", lineterminator="\n").writerows(
            (record["id"], record["amount"]) for record in chunk.records
        )
        output.write(text.getvalue().encode())
        return state + len(chunk.records)

    def finalize(self, state, _):
        return state


def test_each_format_gets_a_file_after_the_report(database, tmp_path):
    with render(REPORT, sales(database), out=tmp_path / "out", formats=["html", "json", "html"]).run() as run:
        summary = run.wait(DEADLINE_S)

    assert dict(summary.files) == {
        "html": tmp_path / "out" / "sales.html",
        "json": tmp_path / "out" / "sales.json",
    }
    assert all(path.stat().st_size for path in summary.files.values())
    assert summary.records == 1_000


@pytest.mark.parametrize("make", [Tsv(), Tsv, partial(Tsv, b"id\tamount\n")])
def test_a_sink_of_ones_own_takes_the_records_of_the_source(database, tmp_path, make):
    pipeline = render(REPORT, sales(database), out=tmp_path, formats=["json"], sinks={"lines.tsv": make})
    with pipeline.run() as run:
        summary = run.wait(DEADLINE_S)

    lines = summary.files["lines.tsv"].read_text().splitlines()
    assert lines == ["id\tamount", *(f"{number}\t{number}.25" for number in range(1_000))]
    assert summary.results["lines.tsv"] == 1_000


def test_sinks_of_ones_own_need_no_format(database, tmp_path):
    with render(Report("lines"), sales(database), out=tmp_path, formats=[], sinks={"x": Tsv}).run() as run:
        assert run.wait(DEADLINE_S).records == 1_000


@pytest.mark.parametrize(
    ("key", "right"),
    [
        (("region", "id"), True),
        (("rank", "region", "id"), True),  # a rank belongs to one region
        (("id",), False),
        (("rank", "id"), False),
    ],
)
def test_a_source_that_tears_groups_apart_is_refused(database, tmp_path, key, right):
    pipeline = render(REPORT, sales(database, *key), out=tmp_path / "out", formats=["json"])
    if right:
        pipeline.run().wait(DEADLINE_S)
        return
    with pytest.raises(ReportError, match=r"group 'region': .* its key must begin with the groups: 'region'"):
        pipeline.run()
    assert not (tmp_path / "out").exists()


def test_groups_in_another_order_than_the_key_are_refused(database, tmp_path):
    report = Report("sales", groups=[Group("region"), Group("rank")])
    with pytest.raises(ReportError, match="group 'rank'"):
        render(report, sales(database, "rank", "region", "id"), out=tmp_path, formats=["json"]).run()


def test_a_value_that_does_not_fit_is_told_with_its_record(database, tmp_path, expected_errors):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE sales SET amount = 'twelve' WHERE id = 812")

    pipeline = render(REPORT, sales(database), out=tmp_path / "out", formats=["json"], chunk_records=100)
    with pytest.raises(PipelineError) as caught, pipeline.run() as run:
        run.wait(DEADLINE_S)

    error = caught.value.__cause__
    assert isinstance(error, FormatError)
    assert (error.record, error.key) == (813, {"region": "R2", "id": 812})
    assert str(error) == (
        "column 'amount': cannot show 'twelve' as 'currency:EUR' in record 813 (region 'R2', id 812)"
    )
    assert run.statistics().restarts == 0
    assert expected_errors


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"formats": ["docx"]}, RegistryError),
        ({"formats": "html"}, OptionError),
        ({"formats": []}, OptionError),
        ({"formats": ["json"], "max_restarts": -1}, OptionError),
        ({"formats": ["json"], "chunk_records": 0}, OptionError),
    ],
)
def test_wrong_options_are_refused_when_the_recipe_is_made(database, tmp_path, options, error):
    with pytest.raises(error):
        render(REPORT, sales(database), out=tmp_path, **options)


@pytest.mark.parametrize(
    ("report", "query", "error"),
    [
        (Report("x", columns=[Column("nothing")]), "SELECT * FROM sales", ReportError),
        (REPORT, "SELECT * FROM saless", SourceError),
        (REPORT, "SELECT id FROM sales", SourceError),
    ],
)
def test_wrong_input_is_refused_before_anything_is_written(database, tmp_path, report, query, error):
    source = sources.sqlite(database, query, key=["region", "id"])
    with pytest.raises(error):
        render(report, source, out=tmp_path / "out", formats=["html"]).run()
    assert not (tmp_path / "out").exists()


def test_a_sink_may_not_take_the_name_of_a_format(database, tmp_path):
    with pytest.raises(OptionError, match="each given once"):
        render(REPORT, sales(database), out=tmp_path, formats=["json"], sinks={"json": Tsv}).run()


def test_a_new_run_replaces_the_files_of_the_one_before(database, tmp_path):
    pipeline = render(REPORT, sales(database), out=tmp_path, formats=["json", "heex"])
    pipeline.run().wait(DEADLINE_S)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path != database}
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE sales SET amount = ? WHERE id = 5", (str(Decimal("99.75")),))
    pipeline.run().wait(DEADLINE_S)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path != database}

    assert set(before) == set(after)
    assert {name for name in after if after[name] != before[name]} == {"sales.json", "sales.rows.ndjson"}
