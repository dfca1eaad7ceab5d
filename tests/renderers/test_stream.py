"""Reports as streams of bytes: the same bytes as in files."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from genstage import OptionError, PipelineError, SourceError, sources
from renderers import Column, Group, Report, render, render_stream, sum_of
from renderers.errors import FormatError, RegistryError, ReportError
from renderers.registry import FORMATS, renderer

STREAMED = [name for name in FORMATS if renderer(name).streams]
REPORT = Report(
    "sales",
    columns=[Column("id", format="integer"), Column("amount", format="currency:EUR")],
    groups=[Group("region")],
    totals=[sum_of("amount")],
)


def sales(database, *key, rows=4_000):
    query = f"SELECT * FROM sales WHERE id < {rows}"
    return sources.sqlite(database, query, key=key or ("region", "id"))


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("sales") / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE sales (region TEXT, id INTEGER PRIMARY KEY, amount)")
        connection.executemany(
            "INSERT INTO sales VALUES (?, ?, ?)",
            [(f"R{number // 3:04}", number, f"{number}.25") for number in range(4_000)],
        )
    return path


def test_there_are_formats_that_can_be_streamed():
    assert {"html", "json"} <= set(STREAMED)


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 4_000])
@pytest.mark.parametrize("name", STREAMED)
def test_the_bytes_are_those_of_the_file(database, tmp_path, name, rows):
    lines = sales(database, rows=rows)
    with render(REPORT, lines, out=tmp_path, formats=[name]).run() as run:
        file = run.wait().files[name]
    for chunk_records in (7, 1_000):
        flow = render_stream(REPORT, lines, format=name, chunk_records=chunk_records)
        assert b"".join(flow.stream()) == file.read_bytes()

    async def read():
        async with flow.stream_async() as pieces:
            return b"".join([piece async for piece in pieces])

    assert asyncio.run(read()) == file.read_bytes()


@pytest.mark.parametrize("name", sorted(set(FORMATS) - set(STREAMED)))
def test_formats_of_several_files_and_those_that_go_back_are_refused(database, name):
    with pytest.raises(OptionError) as caught:
        render_stream(REPORT, sales(database), format=name)
    assert str(caught.value).startswith("option 'format': must be 'html' or 'json'")
    assert f"for {name!r}, let render() write its files" in str(caught.value)


def test_an_unknown_format_is_refused(database):
    with pytest.raises(RegistryError):
        render_stream(REPORT, sales(database), format="html5")


def test_bad_input_is_refused_when_the_stream_begins(database, tmp_path):
    for wrong, error in (
        (sales(database, "id"), ReportError),
        (sales(tmp_path / "missing.sqlite"), SourceError),
        (sources.sqlite(database, "SELECT nothing FROM sales", key=["region", "id"]), SourceError),
    ):
        with pytest.raises(error):
            render_stream(REPORT, wrong).stream().__enter__()


def test_a_value_that_cannot_be_shown_breaks_the_stream_off(database, expected_errors):
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT region, id, CASE id WHEN 3000 THEN 'x' ELSE amount END AS amount FROM sales"
        assert connection.execute(f"SELECT count(*) FROM ({query})").fetchone() == (4_000,)
    lines = sources.sqlite(database, query, key=["region", "id"])
    pieces = []
    with pytest.raises(PipelineError) as caught, render_stream(REPORT, lines).stream() as stream:
        pieces.extend(stream)
    assert isinstance(caught.value.__cause__, FormatError)
    assert pieces
    assert not b"".join(pieces).rstrip().endswith(b"</html>")
    assert expected_errors
