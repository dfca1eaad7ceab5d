import json
from datetime import date

import html5lib
import pytest

from genstage.sources import Records
from genstage.streaming import Chunk
from genstage.testing import RecordingOutput
from renderers.html import HtmlConsumer
from renderers.model import Column, Group, Report, lay_out, sum_of
from renderers.rows import RowMaker

NAMES = ("region", "month", "invoice", "customer", "quantity", "amount")
CUSTOMERS = ("Miller & Sons", "Alpine Tools GmbH", "Café Noir", "Łódź Textiles", "O'Brien Ltd.")


class Made:
    """What a report came to."""

    def __init__(self, output, rows, result):
        self.data = output.data
        self.output = output
        self.rows = rows
        self.result = result

    def text(self):
        return self.data.decode()

    def tree(self):
        """The document as an HTML5 parser sees it; it raises at the first parse error."""
        return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(self.data)

    def found(self):
        """Per row its class and the texts of its cells."""
        return [
            (row.get("class"), *("".join(cell.itertext()) for cell in row))
            for body in self.tree().iter("tbody")
            for row in body
        ]

    def expected(self, span):
        """The same, from the rows."""
        return [expected_row(row, span) for row in self.rows]


def expected_row(row, span):
    if row.band == "detail":
        return None, *row.texts
    if row.band == "header":
        return f"h{row.level}", row.label
    label = (row.label,) if span else ()
    return {"footer": f"f{row.level}", "total": "t"}[row.band], *label, *row.texts[span:]


@pytest.fixture
def invoices():
    """Makes records of invoices: 55 a month, 220 a region."""

    def make(count):
        return [
            (
                f"Region {number // 220:03d}",
                date(2024, number // 55 % 12 + 1, 1),
                f"INV-{number:06d}",
                CUSTOMERS[number % 5],
                number % 17 + 1,
                (number * 7919 % 99_991) / 100,
            )
            for number in range(count)
        ]

    return make


@pytest.fixture
def report():
    """A report on the invoices."""
    return Report(
        "invoices",
        title="Invoices by region and month",
        columns=[
            Column("invoice"),
            Column("customer"),
            Column("quantity", format="integer"),
            Column("amount", format="currency:EUR"),
        ],
        groups=[Group("region"), Group("month", format="month")],
        totals=[sum_of("quantity"), sum_of("amount")],
    )


@pytest.fixture(scope="session")
def make_html():
    """Makes a page of records, cut into chunks of any sizes, the state sent through JSON between them.

    Each chunk has a new consumer, as after a restart.
    """

    def make(report, records, *, names=NAMES, sizes=(1000,)):
        layout = lay_out(report, names)
        maker = RowMaker(layout)
        rows_state = maker.begin()
        output = RecordingOutput()
        state = HtmlConsumer(layout).begin(output)
        all_rows = []
        start = turn = 0
        end = False
        while not end:
            stop = start + sizes[turn % len(sizes)]
            end = stop >= len(records)
            rows, rows_state = maker.rows(Records(names, records[start:stop]), rows_state, end)
            all_rows += rows
            chunk = Chunk(turn, rows, start, min(stop, len(records)), end)
            given = json.dumps(state)
            after = HtmlConsumer(layout).consume_chunk(chunk, state, output)
            assert json.dumps(state) == given  # a state is a value
            state = json.loads(json.dumps(after))
            start = stop
            turn += 1
        return Made(output, all_rows, HtmlConsumer(layout).finalize(state, output))

    return make
