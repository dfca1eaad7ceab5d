import ctypes
import re

import pypdfium2
import pypdfium2.raw
import pytest

from renderers.model import lay_out
from renderers.pdf import PdfConsumer

NAMES = ("region", "month", "invoice", "customer", "quantity", "amount")


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
def make_pdf(drive):
    """Makes a PDF of records, cut into chunks of any sizes, by one consumer: it holds a process.

    ``between`` is called with the consumer after ``begin`` and after each chunk.
    """
    consumers = []

    def make(report, records, *, names=NAMES, sizes=(1000,), between=lambda _: None, output=None):
        consumers.append(consumer := PdfConsumer(lay_out(report, names)))
        driven = drive(
            lambda _: consumer,
            report,
            names,
            records,
            sizes=sizes,
            output=output,
            look=lambda: between(consumer),
        )
        return Made(driven.output, driven.result, driven.rows)

    yield make
    for consumer in consumers:
        consumer.close()
