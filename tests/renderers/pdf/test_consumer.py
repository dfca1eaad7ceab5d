import os
import re
import signal
from datetime import date
from io import BytesIO
from itertools import pairwise

import pikepdf
import pytest

from genstage.errors import OutputError
from genstage.testing import RecordingOutput
from renderers.errors import CompileError
from renderers.model import Column, Group, Labels, Report, sum_of
from renderers.pdf import RENDERER, consumer
from renderers.registry import renderer

HEAD = "Invoices by region and month Invoice Customer Quantity Amount"
LOREM = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. "


def bodies(made, head, page=r"Page {} of {}"):
    """The words between the column labels and the page number, page by page; checks both on each."""
    texts = made.texts()
    assert len(texts) == made.pages
    found = []
    for number, text in enumerate(texts, 1):
        tail = page.format(number, made.pages)
        assert text.startswith(head)
        assert text.endswith(tail)
        found.append(text[len(head) : -len(tail)].split())
    return found


def test_the_registry_finds_it():
    assert renderer("pdf") is RENDERER


def test_every_row_stands_once_and_in_order_with_labels_and_number_on_each_page(make_pdf, report, invoices):
    made = make_pdf(report, invoices(5000))
    pages = bodies(made, HEAD)
    assert [word for page in pages for word in page] == made.expected()
    assert made.pages == 88


def test_one_row(make_pdf, report, invoices):
    made = make_pdf(report, invoices(1))
    (text,) = made.texts()
    assert text == (
        f"{HEAD} Region: Region 000 Month: January 2024 INV-000000 Miller & Sons 1 €0.00 "
        "Total January 2024 1 €0.00 Total Region 000 1 €0.00 Grand total 1 €0.00 Page 1 of 1"
    )


def test_no_row(make_pdf, report):
    made = make_pdf(report, [])
    assert made.texts() == [f"{HEAD} No records Page 1 of 1"]
    assert made.pages == 1


@pytest.mark.parametrize("sizes", [(1,), (64,), (7, 400, 0, 1, 399), (5000,)])
def test_bytes_do_not_depend_on_chunks(make_pdf, report, invoices, sizes):
    records = invoices(1200)
    assert make_pdf(report, records, sizes=sizes).data == make_pdf(report, records, sizes=(400,)).data


def test_page_breaks_do_not_depend_on_batches(make_pdf, report, invoices, monkeypatch):
    records = invoices(1500)
    texts = make_pdf(report, records).texts()
    monkeypatch.setattr(consumer, "_FIRST_BATCH", 10_000)
    whole = make_pdf(report, records)
    assert whole.texts() == texts
    monkeypatch.setattr(consumer, "_FIRST_BATCH", 3)  # too few for a page: grows until one is full
    monkeypatch.setattr(consumer, "_BATCH", 61)
    assert make_pdf(report, records).texts() == texts


def test_group_headers_stay_with_the_next_row_and_totals_with_the_one_before(make_pdf, report, invoices):
    pages = bodies(make_pdf(report, invoices(5000)), HEAD)
    for before, after in pairwise(pages):
        assert re.search(r"(INV-\d{6} .*|Total .*) €[\d,.]+$", " ".join(before))  # no header ends a page
        assert not " ".join(after).startswith(("Total", "Grand total"))


def test_the_file_has_title_and_language_and_each_font_once(make_pdf, report, invoices):
    made = make_pdf(report, [*invoices(1500)])
    with pikepdf.open(BytesIO(made.data)) as pdf:
        assert pdf.check_pdf_syntax() == []
        assert dict(pdf.docinfo) == {"/Title": "Invoices by region and month", "/Creator": "genstage"}
        assert str(pdf.Root.Lang) == "en-US"
        assert pdf.Root.ViewerPreferences.DisplayDocTitle is True
        fonts = {str(font.BaseFont) for page in pdf.pages for font in page.Resources.Font.values()}
        objects = {font.objgen for page in pdf.pages for font in page.Resources.Font.values()}
        assert len(objects) == len(fonts) == 2  # regular and semibold: all batches have the same subsets
        assert b"/CreationDate" not in made.data
        assert b"/ModDate" not in made.data


HOSTILE = [
    ("#set page(width: 1pt)", "#set page(width: 1pt)"),
    ("*x* _y_ $z$ `r` = h ~n", "*x* _y_ $z$ `r` = h ~n"),
    ("<script>alert('1')</script> & &amp;", "<script>alert('1')</script> & &amp;"),
    ('" \\" \\u{1F600} @ref <label> // c /* d', '" \\" \\u{1F600} @ref <label> // c /* d'),
    ("#sys.inputs {page} {pages}", "#sys.inputs {page} {pages}"),
    ("tab\tline\nend\r\nof\rline", "tab line end of line"),
    ("nul\0 bell\x07 del\x7f nel\x85x", "nul\ufffd bell\ufffd del\ufffd nel x"),
    ("half \ud800 \udfff nonchar \ufffe", "half \ufffd \ufffd nonchar \ufffd"),
    ("ﬁ fi ffi Žluťoučký Ελληνικά Кириллица", "fi fi ffi Žluťoučký Ελληνικά Кириллица"),
    ("  spaces  kept apart ", "spaces kept apart"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_texts_are_data(make_pdf, text, shown):
    report = Report("texts", title=text, columns=[Column("a", label=text), Column("b")])
    made = make_pdf(report, [(text, "end")], names=("a", "b"))
    # One page, nothing computed; the title, the label and the cell are the text.
    assert made.texts() == [f"{shown} {shown} B {shown} end Page 1 of 1"]


def test_words_that_run_from_right_to_left_are_found_as_words(make_pdf):
    report = Report("texts", title="שלום", columns=[Column("a", label="עולם"), Column("b", label="של")])
    (text,) = make_pdf(report, [("שלום עולם", "end")], names=("a", "b")).texts()
    # The reader decides in which direction it reads a line with both.
    words = text.removesuffix(" Page 1 of 1").split()
    assert sorted(words) == sorted(["שלום", "עולם", "של", "שלום", "עולם", "end"])


@pytest.mark.parametrize(
    "text",
    ["😀 👩‍👩‍👧", "漢字", "\u202eabc\u2066d", "مرحبا بالعالم", "a\u0301\u0302" * 50, "\u200b\u00ad\ufeff"],
)
def test_texts_of_any_script_can_be_set(make_pdf, text):
    report = Report("texts", columns=[Column("a"), Column("b")])
    made = make_pdf(report, [(text, "end")], names=("a", "b"))
    (shown,) = made.texts()
    assert shown.startswith("Texts A B ")
    assert shown.endswith(" Page 1 of 1")
    assert "end" in shown.split()


def test_words_wider_than_their_column_are_broken(make_pdf):
    report = Report("texts", columns=[Column(name) for name in "abc"])
    word = "WWWWWWWWWW" * 9
    made = make_pdf(report, [(word, "x" * 90, "1" * 90)], names=tuple("abc"))
    (text,) = made.texts()
    shown = text.removeprefix("Texts A B C ").removesuffix(" Page 1 of 1").split()
    assert "".join(sorted("".join(shown))) == "1" * 90 + "W" * 90 + "x" * 90
    assert max(map(len, shown)) < 60


def test_a_megabyte_is_shown_in_full(make_pdf):
    report = Report("texts", columns=[Column(name) for name in "abc"])
    text = (LOREM * 20_000)[:1_000_000].strip()
    before, after = [("a", "b", "c")] * 70, [("d", "e", "f")] * 70
    made = make_pdf(report, [*before, ("start", text, "end"), *after], names=tuple("abc"))
    words = [word for page in bodies(made, "Texts A B C") for word in page]
    assert sorted(words) == sorted(made.expected())
    longer = make_pdf(report, [("start", "x " * 500_001, "end")], names=tuple("abc"))
    assert sum(text.count("…") for text in longer.texts()) == 1


def test_long_rows_do_not_depend_on_chunks_and_keep_their_headers(make_pdf):
    report = Report(
        "texts",
        columns=[Column("a"), Column("n", format="integer")],
        groups=[Group("g")],
        totals=[sum_of("n")],
    )
    records = [(str(n // 9), LOREM * (200 if n % 20 in (0, 1, 18) else 1), n) for n in range(90)]
    made = make_pdf(report, records, names=("g", "a", "n"), sizes=(1,))
    assert made.data == make_pdf(report, records, names=("g", "a", "n"), sizes=(13, 2)).data
    pages = bodies(made, "Texts A N")
    assert sorted(word for page in pages for word in page) == sorted(made.expected())
    for page in pages:
        assert not re.search(r"G: \d+$", " ".join(page))


@pytest.mark.parametrize(
    ("template", "first", "last"),
    [
        ("Seite {page} von {pages}", "Seite 1 von 3", "Seite 3 von 3"),
        ("{page}/{pages}", "1/3", "3/3"),
        ("of {pages}: page {page}.", "of 3: page 1.", "of 3: page 3."),
        ("Page {page}", "Page 1", "Page 3"),
        ("{pages} pages", "3 pages", "3 pages"),
        ("#page $p$", "#page $p$", "#page $p$"),
    ],
)
def test_page_numbers_follow_their_template(make_pdf, invoices, template, first, last):
    report = Report("r", columns=[Column("invoice"), Column("customer")], labels=Labels(page=template))
    texts = make_pdf(report, invoices(130)).texts()
    tails = [
        re.search(r"INV-\d{6} \D+? ?((?:of|Page|Seite|#|\d).*)$", text[text.rindex("INV") :])[1]
        for text in texts
    ]
    # The half that is laid over comes last in the file, wherever it stands on the page.
    assert len(texts) == 3
    assert sorted(tails[0].replace(" ", "")) == sorted(first.replace(" ", ""))
    assert sorted(tails[2].replace(" ", "")) == sorted(last.replace(" ", ""))


def test_right_to_left_reports_are_mirrored(make_pdf):
    columns = [Column("a", label="שם"), Column("n", format="integer", label="סכום")]
    report = Report("r", title="דוח", locale="he_IL", columns=columns)
    made = make_pdf(report, [("שלום", 1000)], names=("a", "n"))
    with pikepdf.open(BytesIO(made.data)) as pdf:
        assert str(pdf.Root.Lang) == "he-IL"
    assert made.texts() == ["דוח שם סכום שלום 1,000 Page 1 of 1"]


def test_figures_days_and_months_stay_on_one_line_however_long(make_pdf, seen):
    columns = [
        Column("day", format="date:short"),
        Column("long", format="date:long"),
        Column("month", format="month"),
        *(Column(name, format="currency:EUR", width=0.1) for name in "bcd"),
        Column("text", width=9),
    ]
    report = Report("r", columns=columns, locale="de_DE", totals=[sum_of(name) for name in "bcd"])
    day, figures = date(2024, 9, 28), ["260583491.05", 5 * 10**16, "-1E+12"]
    names = ("day", "long", "month", *"bcd", "text")
    made = make_pdf(report, [(day, day, "2024-09", *figures, "text")] * 2, names=names)
    ((*_, first, second, total, _footer),) = seen(made.data)
    row = [
        *("28.09.24", "28. September 2024", "September 2024"),
        *("260.583.491,05 €", "50.000.000.000.000.000,00 €", "-1.000.000.000.000,00 €", "text"),
    ]
    assert first == second == row
    assert total == [
        "Grand total",
        *("521.166.982,10 €", "100.000.000.000.000.000,00 €", "-2.000.000.000.000,00 €"),
    ]


def test_a_figure_too_long_to_be_read_goes_on_in_the_next_line_with_a_mark(make_pdf, seen):
    columns = [*(Column(name, format="integer", width=1) for name in "ab"), Column("c", width=50)]
    made = make_pdf(Report("r", columns=columns), [(int("123456789" * 40), 1, "x")], names=tuple("abc"))
    ((_, _, first, *others, last, _footer),) = seen(made.data)
    assert first[1:] == ["1", "x"]
    lines = [first[0], *(line[0] for line in others), *last]
    assert all(re.fullmatch(r"(\d{3},)+↩", line) for line in lines[:-1])
    assert "".join(lines).replace("↩", "").replace(",", "") == "123456789" * 40
    assert len(lines) > 3


def test_the_longest_figures_share_pages_with_others(make_pdf):
    columns = [Column("n", format="decimal:0", width=1), *(Column(name, width=50) for name in "abcde")]
    report = Report("r", columns=columns, totals=[sum_of("n")])
    records = [("9" * 400, *"abcde"), (-1, *"abcde")] * 9
    made = make_pdf(report, records, names=tuple("nabcde"), sizes=(1,))
    assert made.data == make_pdf(report, records, names=tuple("nabcde")).data
    pages = made.texts()
    assert 1 < len(pages) < 6
    digits = "".join(pages).count("9")
    assert 9 * 400 < digits < 9 * 400 + 400  # no row is cut off at the end of a page


def test_a_figure_after_its_label_is_shown_whole(make_pdf, seen):
    columns = [Column("n", format="currency:EUR", width=1), Column("a", width=9)]
    report = Report("r", columns=columns, groups=[Group("g")], totals=[sum_of("n")], locale="de_DE")
    made = make_pdf(report, [("West", 260_583_491, "x")], names=tuple("gna"))
    assert seen(made.data)[0][2:-1] == [
        ["G: West"],
        ["260.583.491,00 €", "x"],
        ["Total West:"],
        ["260.583.491,00 €"],
        ["Grand total:"],
        ["260.583.491,00 €"],
    ]


def test_each_text_of_a_report_from_right_to_left_keeps_its_own_direction(make_pdf, seen):
    columns = [
        Column("text", label="Text #!"),
        Column("day", format="date:short"),
        Column("n", format="integer"),
        Column("m", format="currency:USD"),
    ]
    report = Report(
        "r", title="Title (2024)!", locale="ar", columns=columns, groups=[Group("g")], totals=[sum_of("n")]
    )
    day = date(2022, 3, 20)
    records = [
        ("#x!", "#curly end!", day, -5, -1),
        ("#x!", "+49 30 12-3", day, 7, 1),
        ("#x!", "!שלום", day, 7, 1),
        ("#x!", "Café & 12", day, 7, 1),
    ]
    made = make_pdf(report, records, names=("g", "text", "day", "n", "m"))
    assert seen(made.data)[0][:-1] == [
        ["Title (2024)!"],
        ["M", "N", "Day", "Text #!"],
        ["G: #x!"],
        ["US$-1.00", "-5", "2022/3/20", "#curly end!"],
        ["US$1.00", "7", "2022/3/20", "+49 30 12-3"],
        ["US$1.00", "7", "2022/3/20", "םולש!"],
        ["US$1.00", "7", "2022/3/20", "Café & 12"],
        ["16", "Total #x!"],
        ["16", "Grand total"],
    ]
    with pikepdf.open(BytesIO(made.data)) as pdf:
        assert str(pdf.docinfo.Title) == "Title (2024)!"  # a reader has its own direction for it


def test_a_group_from_left_to_right_stands_apart_from_the_words_before_it(make_pdf, seen):
    report = Report("r", locale="ar", columns=[Column("a")], groups=[Group("g", label="بلد")])
    made = make_pdf(report, [("#x!", "a"), ("Total (1)", "a")], names=("g", "a"))
    lines = seen(made.data)[0]
    assert lines[2] == ["#x! :دلب"]


@pytest.mark.parametrize(("locale", "text_edge", "figure_edge"), [("en", 0, 1), ("ar", 1, 0)])
def test_cells_stand_at_the_side_of_their_column_whatever_their_size_and_direction(
    make_pdf, sides, locale, text_edge, figure_edge
):
    report = Report("r", locale=locale, columns=[Column("a"), Column("n", format="integer", width=0.1)])
    data = make_pdf(report, [("cafe", 1), ("!dada", 10**11), ("!דגב", 2345)], names=("a", "n")).data
    text, figure = sides(data, "cafe")[text_edge], sides(data, "2,345")[figure_edge]
    assert abs(text - [45, 595.28 - 45][text_edge]) < 1
    assert abs(figure - [45, 595.28 - 45][figure_edge]) < 1
    for marked in ("dada", "דגב"):
        assert abs(sides(data, marked)[text_edge] - text) < 5
    small = sides(data, "100,000,000,000")
    assert abs(small[figure_edge] - figure) < 1
    assert 25 < small[1] - small[0] < 45  # points: as wide as the column, at most


def test_a_text_from_right_to_left_keeps_its_direction_in_another_report(make_pdf, seen):
    made = make_pdf(Report("r", columns=[Column("a"), Column("b")]), [("שלום!", "x!")], names=("a", "b"))
    assert seen(made.data)[0][2] == ["!םולש", "x!"]


def test_many_columns_make_it_landscape(make_pdf):
    names = tuple(f"c{number}" for number in range(30))
    made = make_pdf(Report("wide"), [names] * 40, names=names)
    with pikepdf.open(BytesIO(made.data)) as pdf:
        assert [float(side) for side in pdf.pages[0].MediaBox] == [0, 0, 841.89, 595.28]
    assert " ".join(made.texts()).count("c29") == 40


def test_a_killed_process_is_started_again(make_pdf, report, invoices):
    killed = []

    def kill(one):
        os.kill(one._compiler.pid, signal.SIGKILL)
        killed.append(one._compiler.pid)

    records = invoices(1000)
    made = make_pdf(report, records, sizes=(300,), between=kill)
    assert len(set(killed)) == 4  # after begin and each chunk; the rows of the last one fill no batch
    assert made.data == make_pdf(report, records).data


def test_a_refusal_is_a_compile_error(make_pdf, report, invoices):
    def spoil(one):
        one._sheet.settings["width"] = "wide"

    with pytest.raises(CompileError, match=r"^typesetting failed: [^\n]*string[^\n]*$"):
        make_pdf(report, invoices(300), sizes=(50,), between=spoil)


class Full(RecordingOutput):
    """An output with no room for its main file."""

    def write(self, data, /):
        raise OutputError("report.pdf", f"no room for {len(data)} bytes")


class FullScratch(RecordingOutput):
    """An output with no room for its scratch file."""

    def scratch(self, name):
        return self.scratches.setdefault(name, Full())


@pytest.mark.parametrize(("output", "pages"), [(Full(), True), (FullScratch(), False)])
def test_a_full_disk_is_an_output_error_when_pages_are_set_and_when_they_are_joined(
    make_pdf, report, invoices, output, pages
):
    with pytest.raises(OutputError, match=r"no room for \d+ bytes$"):
        make_pdf(report, invoices(300), output=output)
    assert bool(output.scratch("pages").size) is pages
    assert output.data == b""
