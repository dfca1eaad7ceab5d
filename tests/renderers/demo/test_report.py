import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from genstage import SourceError
from genstage.sources import Records
from renderers.demo import KEY, QUERY, REPORT, create_sample, demo_source
from renderers.model import lay_out
from renderers.pdf.cells import ems
from renderers.pdf.sheet import make_sheet
from renderers.rows import RowMaker


@pytest.fixture(scope="module")
def rows(sample):
    """All rows of the report."""
    source = demo_source(sample)
    maker = RowMaker(lay_out(REPORT, source.columns()))
    with closing(source.open()) as cursor:
        records = Records(cursor.names, cursor.fetch(10_000, 1 << 30))
    return maker.rows(records, maker.begin(), end=True)[0]


def test_one_index_serves_the_order(sample):
    with closing(sqlite3.connect(sample)) as database:
        plan = [
            step[3]
            for step in database.execute(
                f"EXPLAIN QUERY PLAN SELECT * FROM ({QUERY}) ORDER BY {', '.join(KEY)}"
            )
        ]
    assert plan == [
        "SCAN line USING INDEX report_order",
        "SEARCH invoice USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH customer USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH product USING INTEGER PRIMARY KEY (rowid=?)",
    ]


def test_the_report_has_all_lines_and_their_totals(sample, rows):
    with closing(sqlite3.connect(sample)) as database:
        ((quantity, cents),) = database.execute("SELECT sum(quantity), sum(amount_cents) FROM invoice_lines")
    assert sum(row.band == "detail" for row in rows) == demo_source(sample).count() == 5_000
    assert (
        [row.band for row in rows].count("header") == [row.band for row in rows].count("footer") == 4 + 4 * 36
    )
    total = rows[-1]
    assert total.band == "total"
    assert total.values == (None, None, None, None, quantity, Decimal(cents).scaleb(-2))


def test_a_row_reads_well(rows):
    assert [row.label for row in rows[:2]] == ["Region: Midwest", "Month: January 2022"]
    assert next(row for row in rows if row.band == "detail").texts == (
        "2022-000005",
        "Jan 4, 2022",
        "Nadia Khan",
        "Highlighters, 6",
        "26",
        "$194.74",
    )


def test_drafts_have_no_number(rows):
    assert any(row.band == "detail" and row.values[0] is None for row in rows)


def test_every_row_fits_on_a_line_of_a4(sample, rows):
    sheet = make_sheet(lay_out(REPORT, demo_source(sample).columns()))
    assert sheet.settings["width"] < sheet.settings["height"]
    for row in rows:
        assert all(ems(text) <= column.width for text, column in zip(row.texts, sheet.columns, strict=False))


def test_an_empty_sample_is_an_empty_report(tmp_path):
    create_sample(tmp_path / "empty.sqlite", rows=0)
    with closing(demo_source(tmp_path / "empty.sqlite").open()) as cursor:
        assert cursor.fetch(10, 1000) == []


def test_the_sample_has_to_be_there(tmp_path):
    with pytest.raises(SourceError, match="No such file"):
        demo_source(tmp_path / "missing.sqlite").columns()
