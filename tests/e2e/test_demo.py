"""The demonstration, against an independent rendering of the same query: everything at once, cell by cell."""

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from itertools import groupby

import html5lib
import pypdfium2
import pytest
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

TITLE = "Invoice lines by region and month"
COLUMNS = ["Invoice", "Date", "Customer", "Product", "Quantity", "Amount"]
QUERY = """
    SELECT region, month, invoice, date, customer, product, quantity, amount
    FROM report_lines ORDER BY region, month, line_id
"""


def money(value):
    return format_currency(value, "USD", locale="en_US")


def whole(value):
    return format_decimal(value, locale="en_US")


def long_month(month):
    return format_date(date.fromisoformat(f"{month}-01"), "LLLL y", locale="en_US")


class Naive:
    """The report as nested lists, made by reading all records at once.

    ``rows`` holds per line of the report its band and its texts, ``records`` the typed records.
    """

    def __init__(self, database):
        with closing(sqlite3.connect(database)) as connection:
            found = connection.execute(QUERY).fetchall()
        self.records = [(*row[:6], int(row[6]), Decimal(row[7])) for row in found]
        self.rows = []
        self.subtotals = []
        for region, in_region in groupby(self.records, key=lambda record: record[0]):
            lines = list(in_region)
            self.rows.append(("header", [f"Region: {region}"]))
            for month, in_month in groupby(lines, key=lambda record: record[1]):
                self.month(region, month, list(in_month))
            self.total("footer", f"Total {region}", lines)
            self.subtotals.append({"level": 0, "key": {"region": region}, "totals": totals(lines)})
        if self.records:
            self.total("total", "Grand total", self.records)

    def month(self, region, month, lines):
        self.rows.append(("header", [f"Month: {long_month(month)}"]))
        for _, _, invoice, day, customer, product, quantity, amount in lines:
            shown = format_date(date.fromisoformat(day), "medium", locale="en_US")
            texts = [invoice or "", shown, customer or "", product, whole(quantity), money(amount)]
            self.rows.append(("detail", texts))
        self.total("footer", f"Total {long_month(month)}", lines)
        key = {"region": region, "month": month}
        self.subtotals.append({"level": 1, "key": key, "totals": totals(lines)})

    def total(self, band, label, lines):
        sums = totals(lines)
        self.rows.append((band, [label, whole(sums["quantity"]), money(sums["amount"])]))


def totals(lines):
    return {"quantity": sum(line[6] for line in lines), "amount": sum(line[7] for line in lines)}


class Cells(HTMLParser):
    """The texts of all table rows."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def handle_starttag(self, tag, _):
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def tight(texts):
    return " ".join(" ".join(texts).split())


class Demo:
    def __init__(self, folder, rows):
        self.rows = rows
        self.out = folder / "out"
        self.done = subprocess.run(
            [sys.executable, "-m", "renderers", "demo", "--rows", str(rows), "--out", "out"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert self.done.returncode == 0, self.done.stderr
        self.naive = Naive(self.out / "sample.sqlite")

    def text(self, name):
        return (self.out / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=[5_000, 50_000])
def demo(request, tmp_path_factory):
    return Demo(tmp_path_factory.mktemp("demo"), request.param)


def test_the_summary_tells_what_was_done(demo):
    assert re.search(rf"Records +{demo.rows:,}\n", demo.done.stdout)
    assert re.search(r"Records failed +0\n", demo.done.stdout)
    assert re.search(r"Restarts +0\n", demo.done.stdout)
    for name in ("heex", "html", "json", "pdf"):
        assert re.search(rf"{name} +[\d.]+ s .* out/report\.{name}\n", demo.done.stdout)
    assert len(demo.naive.records) == demo.rows


def test_nothing_but_the_outputs_is_left(demo):
    assert {path.name for path in demo.out.iterdir()} == {
        "report.assigns.json",
        "report.components.ex",
        "report.ex",
        "report.heex",
        "report.html",
        "report.json",
        "report.live.ex",
        "report.pdf",
        "report.rows.ndjson",
        "sample.sqlite",
    }


def test_html(demo):
    found = Cells()
    found.feed(demo.text("report.html"))
    found.close()

    texts = [[text.strip() for text in row] for row in found.rows]
    assert texts[0] == COLUMNS
    assert texts[1:] == [texts for _, texts in demo.naive.rows]


@pytest.mark.parametrize("demo", [5_000], indirect=True)  # the strict parser would take minutes for more
def test_html_is_html5_without_errors(demo):
    document = html5lib.HTMLParser(strict=True).parse(demo.text("report.html"))
    title = document.find(".//{http://www.w3.org/1999/xhtml}title")
    assert title.text == TITLE


def test_json(demo):
    document = json.loads(demo.text("report.json"), parse_float=Decimal)

    names = ("region", "month", "invoice", "date", "customer", "product", "quantity", "amount")
    assert [tuple(record) for record in document["records"]] == [names] * demo.rows
    assert [tuple(record.values()) for record in document["records"]] == demo.naive.records
    by_level = [[one for one in document["subtotals"] if one["level"] == level] for level in (0, 1)]
    expected = [[one for one in demo.naive.subtotals if one["level"] == level] for level in (0, 1)]
    assert by_level == expected
    assert document["totals"] == totals(demo.naive.records)
    assert document["record_count"] == demo.rows
    assert document["title"] == TITLE


def test_heex_rows(demo):
    rows = [json.loads(line) for line in (demo.out / "report.rows.ndjson").read_bytes().splitlines()]

    texts = [[row["label"], *row["cells"]] if row["span"] else row["cells"] for row in rows]
    assert [(row["band"], each) for row, each in zip(rows, texts, strict=True)] == demo.naive.rows
    assert [row["ordinal"] for row in rows] == list(range(len(rows)))


def test_heex_template_and_assigns(demo):
    assigns = json.loads(demo.text("report.assigns.json"))

    assert assigns["title"] == TITLE
    assert [column["label"] for column in assigns["columns"]] == COLUMNS
    assert assigns["record_count"] == demo.rows
    assert assigns["row_count"] == len(demo.naive.rows)
    template = demo.text("report.heex")
    assert f"<h1>{TITLE}</h1>" in template
    assert len(template) < 2_000  # rows are data


def test_pdf(demo):
    with pypdfium2.PdfDocument(demo.out / "report.pdf") as document:
        pages = len(document)
        texts = []
        for page in document:
            reader = page.get_textpage()
            texts.append(reader.get_text_range())
            reader.close()
            page.close()

    heading = tight(COLUMNS)
    found = []
    for number, text in enumerate(texts, 1):
        page = tight([text])
        page = page.removesuffix(f" Page {number} of {pages}")
        title, page = page[: len(TITLE)], page[len(TITLE) :].strip()
        assert title == TITLE
        assert page.startswith(heading)
        found.append(page.removeprefix(heading).strip())
    assert tight(found) == tight(tight(texts) for _, texts in demo.naive.rows)


@pytest.mark.parametrize("demo", [5_000], indirect=True)
def test_the_same_input_gives_the_same_bytes(demo, tmp_path):
    again = Demo(tmp_path, demo.rows)

    for path in demo.out.iterdir():
        if path.suffix != ".sqlite":
            assert path.read_bytes() == (again.out / path.name).read_bytes(), path.name
