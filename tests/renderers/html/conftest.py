import html5lib
import pytest

from renderers.html import HtmlConsumer

NAMES = ("region", "month", "invoice", "customer", "quantity", "amount")


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


@pytest.fixture(scope="session")
def make_html(drive):
    """Makes a page of records, cut into chunks of any sizes."""

    def make(report, records, *, names=NAMES, sizes=(1000,)):
        driven = drive(HtmlConsumer, report, names, records, sizes=sizes)
        return Made(driven.output, driven.rows, driven.result)

    return make
