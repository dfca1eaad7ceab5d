import ctypes
import json
import re
from datetime import date

import pypdfium2
import pypdfium2.raw
import pytest

from genstage.sources import Records
from genstage.streaming import Chunk
from genstage.testing import RecordingOutput
from renderers.model import Column, Group, Report, lay_out, sum_of
from renderers.pdf import PdfConsumer
from renderers.rows import RowMaker

NAMES = ("region", "month", "invoice", "customer", "quantity", "amount")
CUSTOMERS = ("Miller & Sons", "Alpine Tools GmbH", "Café Noir", "Łódź Textiles", "O'Brien Ltd.")


class Made:
    """What a report came to."""

    def __init__(self, output, pages, rows):
        self.data = output.data
        self.output = output
        self.pages = pages
        self.rows = rows

    def texts(self):
        """The text of each page as a PDF reader finds it, with single spaces."""
        return texts_of(self.data)

    def expected(self):
        """The text of all rows, the same way."""
        return " ".join(" ".join((row.label, *row.texts)) for row in self.rows).split()


def texts_of(data):
    found = []
    with pypdfium2.PdfDocument(data) as document:
        for page in document:
            text = page.get_textpage()
            found.append(" ".join(text.get_text_range().split()))
            text.close()
            page.close()
    return found


def lines_of(data):
    """The lines of each page as they are seen: cells from left to right, and so are their characters."""
    found = []
    with pypdfium2.PdfDocument(data) as document:
        for page in document:
            text = page.get_textpage()
            lines = {}
            for place in range(text.count_chars()):
                left, bottom, right, top = text.get_charbox(place)
                if right - left > 0 and top > bottom:
                    x, y = ctypes.c_double(), ctypes.c_double()
                    pypdfium2.raw.FPDFText_GetCharOrigin(text, place, x, y)
                    char = text.get_text_range(place, 1)
                    lines.setdefault(round(y.value, 1), []).append((left, right, char))
            text.close()
            page.close()
            found.append([_cells(chars) for _, chars in sorted(lines.items(), reverse=True)])
    return found


def _cells(chars):
    cells = []
    end = None
    for left, right, char in sorted(chars):
        if end is None or left - end > 7:  # more than a space, less than what is between columns
            cells.append("")
        cells[-1] += " " if char == "\xa0" else char
        end = right
    return [re.sub("[\u200e\u200f\u2066-\u2069]", "", cell) for cell in cells]


@pytest.fixture
def seen():
    """Tells what is seen on the pages of a file, see :func:`lines_of`."""
    return lines_of


@pytest.fixture
def sides():
    """Tells where a text that stands once on the first page begins and ends, in points from the left."""

    def find(data, wanted):
        with pypdfium2.PdfDocument(data) as document:
            page = document[0]
            text = page.get_textpage()
            place = text.get_text_range().index(wanted)
            boxes = [text.get_charbox(place + offset) for offset in range(len(wanted))]
            text.close()
            page.close()
        return min(left for left, *_ in boxes), max(right for _, _, right, _ in boxes)

    return find


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


@pytest.fixture
def make_pdf():
    """Makes a PDF of records, cut into chunks of any sizes, the state sent through JSON between them.

    ``between`` is called with the consumer after each chunk.
    """
    consumers = []

    def make(report, records, *, names=NAMES, sizes=(1000,), between=lambda _: None, output=None):
        layout = lay_out(report, names)
        maker = RowMaker(layout)
        rows_state = maker.begin()
        output = RecordingOutput() if output is None else output
        consumer = PdfConsumer(layout)
        consumers.append(consumer)
        state = consumer.begin(output)
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
            after = consumer.consume_chunk(chunk, state, output)
            assert json.dumps(state) == given  # a state is a value
            state = json.loads(json.dumps(after))
            between(consumer)
            start = stop
            turn += 1
        return Made(output, consumer.finalize(state, output), all_rows)

    yield make
    for consumer in consumers:
        consumer.close()
