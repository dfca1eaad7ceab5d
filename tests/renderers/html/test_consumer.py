import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genstage.sources import Records
from genstage.streaming import Chunk
from genstage.testing import RecordingOutput
from renderers.html import RENDERER, HtmlConsumer
from renderers.model import Column, Group, Labels, Report, count_of, lay_out, max_of, sum_of
from renderers.registry import renderer
from renderers.rows import RowMaker

NAMES = ("region", "month", "invoice", "customer", "quantity", "amount")
HERE = Path(__file__).parent
HOSTILE = [
    "<script>alert(1)</script>",
    "</td></tr></table><!-- ",
    "&lt; &amp; &#0; &nosuch;",
    "{{ 7 * 7 }} {% raw %} {# x #} {0} %s",
    "<% exit %> <%= 1 %>",
    "#set page(width: 1pt)",
    "\"double\" 'single' `back`",
    "one\ntwo\n\nthree\n",
    "\n\n",
    " two  spaces\tand a tab ",
    "שלום (1), עולם!",
    "\u202eoverride \u2067isolate \u2069",
    "😀 👩‍👩‍👧 漢字 ﬁ \u00a0 \u2028 \ufeff",
    "x" * 1_000_000,
]
REPLACED = [
    (
        "nul \0 bell \x07 escape \x1b del \x7f nel \x85",
        "nul \ufffd bell \ufffd escape \ufffd del \ufffd nel \ufffd",
    ),
    ("half \ud83d \ude00 non \ufffe \U0010ffff", "half \ufffd \ufffd non \ufffd \ufffd"),
    ("line\r\nline\rline", "line\nline\nline"),
    ("vertical\vtab, form\ffeed", "vertical\ufffdtab, form\ffeed"),
]


def test_the_registry_finds_it():
    assert renderer("html") is RENDERER


def test_a_whole_page(make_html):
    report = Report(
        "small",
        title="Sales & more",
        columns=[Column("city"), Column("day", format="date"), Column("sum", format="currency:EUR")],
        groups=[Group("region"), Group("month", format="month")],
        totals=[sum_of("sum")],
        locale="en_GB",
    )
    records = [
        ("West", "2024-03-01", "Bonn", "2024-03-01", 3),
        ("West", "2024-03-01", "Köln <West>", None, "1250.5"),
        (None, "2024-04-01", None, "2024-04-30", None),
    ]
    made = make_html(report, records, names=("region", "month", "city", "day", "sum"))
    assert made.text() == (HERE / "small.html").read_text(encoding="utf-8")
    assert made.result == 12
    made.tree()


def test_every_row_stands_once_and_in_order(make_html, report, invoices):
    made = make_html(report, invoices(1234))
    assert made.found() == made.expected(span=2)
    assert made.result == len(made.rows) == 1234 + 2 * 23 + 2 * 6 + 1


def test_a_body_holds_a_hundred_rows(make_html, report, invoices):
    made = make_html(report, invoices(300))
    sizes = [len(body) for body in made.tree().iter("tbody")]
    assert sizes == [100, 100, 100, len(made.rows) - 300]


@pytest.mark.parametrize("more", [0, 1])
def test_no_body_is_empty(make_html, more):
    report = Report("n", columns=[Column("n")])
    made = make_html(report, [("x",)] * (200 + more), names=("n",), sizes=(200, 1, 0))
    assert [len(body) for body in made.tree().iter("tbody")] == [100, 100, 1][: 2 + more]


@given(count=st.integers(0, 700), sizes=st.lists(st.integers(0, 250), min_size=1, max_size=5))
def test_bytes_do_not_depend_on_chunks(make_html, count, sizes):
    report = Report(
        "n", columns=[Column("n", format="integer"), Column("m")], groups=[Group("g")], totals=[sum_of("n")]
    )
    records = [(number // 30, number, f"<{number}>") for number in range(count)]
    cut = make_html(report, records, names=("g", "n", "m"), sizes=(*sizes, 1))
    assert cut.data == make_html(report, records, names=("g", "n", "m"), sizes=(count + 1,)).data


def test_the_head_is_written_at_once_and_each_chunk_when_it_comes(report, invoices):
    layout = lay_out(report, NAMES)
    output = RecordingOutput()
    consumer = HtmlConsumer(layout)
    maker = RowMaker(layout)
    state = consumer.begin(output)
    assert output.data.endswith(b"</thead>\n")
    rows, _ = maker.rows(Records(NAMES, invoices(150)), maker.begin(), end=False)
    state = consumer.consume_chunk(Chunk(0, rows, 0, 150), state, output)
    assert output.data.endswith(b"</tr>\n")
    assert b"INV-000149" in output.data
    assert output.writes == 2
    assert json.dumps(state) == str(len(rows))
    assert (
        consumer.consume_chunk(
            Chunk(1, maker.rows(Records(NAMES, []), maker.begin(), end=False)[0], 150, 150), state, output
        )
        == state
    )
    assert output.writes == 2  # nothing to write


@pytest.mark.parametrize("sizes", [(1,), (0, 0, 5)])
def test_no_row(make_html, report, sizes):
    made = make_html(report, [], sizes=sizes)
    assert made.found() == [("empty", "No records")]
    (cell,) = made.tree().iter("td")
    assert cell.get("colspan") == "4"
    assert made.result == 0


def test_missing_values_are_empty_cells(make_html, report):
    made = make_html(report, [(None,) * 6] * 3)
    assert made.found() == [
        ("h0", "Region: (none)"),
        ("h1", "Month: (none)"),
        (None, "", "", "", ""),
        (None, "", "", "", ""),
        (None, "", "", "", ""),
        ("f1", "Total (none)", "0", "€0.00"),
        ("f0", "Total (none)", "0", "€0.00"),
        ("t", "Grand total", "0", "€0.00"),
    ]


@pytest.mark.parametrize(("text", "shown"), [*((text, text) for text in HOSTILE), *REPLACED])
def test_texts_are_data_wherever_they_stand(make_html, text, shown):
    report = Report(
        "texts",
        title=text,
        columns=[Column("a", label=text), Column("b"), Column("c")],
        groups=[Group("g", label=text)],
        totals=[max_of("b")],
        labels=Labels(total=f"{text}{{key}}{text}", grand_total=text, page=text, empty=text),
    )
    made = make_html(report, [(text, text, text, "next")], names=("g", "a", "b", "c"))
    tree = made.tree()
    assert tree.find("head/title").text == shown
    assert tree.find("body/main/header/h1").text == shown
    assert ["".join(label.itertext()) for label in tree.find("body/main/table/thead/tr")] == [shown, "B", "C"]
    assert made.found() == [
        ("h0", f"{shown}: {shown}"),
        (None, shown, shown, "next"),
        ("f0", shown * 3, shown, ""),
        ("t", shown, shown, ""),
    ]
    assert {element.tag for element in tree.iter()} == TAGS
    empty = make_html(report, [], names=("g", "a", "b", "c"))
    assert empty.found() == [("empty", shown)]


TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "h1"),
    *("table", "thead", "tbody", "tr", "th", "td", "bdi"),
}


@given(st.lists(st.tuples(*[st.none() | st.text(max_size=8)] * 3), max_size=12))
@settings(deadline=None)
def test_any_texts(make_html, records):
    report = Report("any", columns=[Column("a"), Column("b")], groups=[Group("g")], totals=[count_of("b")])
    made = make_html(report, sorted(records, key=repr), names=("g", "a", "b"), sizes=(5,))
    expected = [tuple(held(text) for text in row) for row in made.expected(span=1)]
    assert made.found() == (expected or [("empty", "No records")])


def held(text):
    return text and "".join("\ufffd" if is_control(char) else char for char in lines(text))


def lines(text):
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_control(char):
    """Of the characters that are no surrogates, as Hypothesis draws them."""
    point = ord(char)
    nonchar = point & 0xFFFE == 0xFFFE or 0xFDD0 <= point < 0xFDF0
    return nonchar or ((point < 0x20 or 0x7F <= point < 0xA0) and char not in "\t\n\f")


def test_the_value_in_a_label_is_isolated(make_html):
    labels = Labels(total="Sum of {key} (all)", missing="?")
    report = Report(
        "labels",
        columns=[Column("a"), Column("n", format="integer")],
        groups=[Group("g")],
        totals=[sum_of("n")],
        labels=labels,
    )
    text = make_html(report, [("של", "x", 1), (None, "y", 2)], names=("g", "a", "n")).text()
    assert ">G: <bdi>של</bdi></tr>" in text
    assert ">Sum of <bdi>של</bdi> (all)<td" in text
    assert ">G: <bdi>?</bdi></tr>" in text


def test_a_text_in_the_other_direction_is_isolated(make_html):
    report = Report("cells", columns=[Column("a"), Column("n", format="currency:CHF")])
    text = make_html(report, [("שלום!", 1), ("a", 2)], names=("a", "n")).text()
    assert "<td role=cell><bdi>שלום!</bdi><td role=cell>CHF" in text
    assert "<td role=cell>a<td role=cell>CHF" in text
    report = Report("cells", columns=report.columns, locale="he")
    text = make_html(report, [("שלום!", 1), ("a!", 2)], names=("a", "n")).text()
    assert "<td role=cell>שלום!<td" in text
    assert "<td role=cell><bdi>a!</bdi><td" in text
    assert text.count("<bdi>") == 1  # figures are formatted for the direction of the page


@pytest.mark.parametrize("total", ["Sum", "{key} of {key}", ""])
def test_a_label_without_one_place_for_the_value_is_shown_whole(make_html, total):
    report = Report(
        "labels",
        columns=[Column("a"), Column("n", format="integer")],
        groups=[Group("g")],
        totals=[sum_of("n")],
        labels=Labels(total=total),
    )
    made = make_html(report, [("West", "x", 1)], names=("g", "a", "n"))
    assert made.found()[2] == ("f0", total.replace("{key}", "West"), "1")


def test_a_footer_whose_label_has_no_place_of_its_own(make_html):
    report = Report(
        "first",
        columns=[Column("n", format="integer"), Column("a")],
        groups=[Group("g")],
        totals=[sum_of("n")],
    )
    made = make_html(report, [("West", 1000, "x"), ("West", 234, None)], names=("g", "n", "a"))
    assert made.found() == [
        ("h0", "G: West"),
        (None, "1,000", "x"),
        (None, "234", ""),
        ("f0", "Total West: 1,234", ""),
        ("t", "Grand total: 1,234", ""),
    ]
    assert made.found() == made.expected(span=0)


def test_a_wide_report_without_groups(make_html):
    names = tuple(f"measure_{number}" for number in range(30))
    report = Report("wide", columns=[Column(name, format="integer") for name in names])
    made = make_html(report, [tuple(range(30))] * 3, names=names)
    assert made.found() == [(None, *map(str, range(30)))] * 3
    assert len(made.tree().find("body/main/table/thead/tr")) == 30


def test_every_part_of_the_table_says_what_it_is(make_html, report, invoices):
    roles = {"table": {"table"}, "thead": {"rowgroup"}, "tbody": {"rowgroup"}, "tr": {"row"}, "td": {"cell"}}
    for records in ([], invoices(3)):
        tree = make_html(report, records).tree()
        for tag, role in roles.items():
            assert {element.get("role") for element in tree.iter(tag)} == role
        assert {label.get("role") for label in tree.find("body/main/table/thead/tr")} == {"columnheader"}
        assert {label.get("role") for label in tree.findall("body/main/table/tbody/tr/th")} <= {"rowheader"}


def test_a_page_is_told_its_language_and_direction(make_html):
    for locale, language, direction in (("ar", "ar", "rtl"), ("de_CH", "de-CH", "ltr")):
        report = Report("r", columns=[Column("a"), Column("n", format="integer")], locale=locale)
        made = make_html(report, [("x", 1)], names=("a", "n"))
        root = made.tree()
        assert (root.get("lang"), root.get("dir")) == (language, direction)
        end = "left" if direction == "rtl" else "right"
        assert f"td:nth-last-child(1) {{ text-align: {end};" in made.text()


def test_extreme_widths_make_numbers_a_style_sheet_can_hold(make_html):
    columns = [Column("a", width=1e308), Column("b", width=1e308), Column("c", width=1e-300)]
    text = make_html(Report("r", columns=columns), [("x", "y", "z")], names=("a", "b", "c")).text()
    assert " minmax(9rem, 50fr) minmax(9rem, 50fr) minmax(9rem, 0.01fr);" in text


@pytest.mark.parametrize(
    ("page", "content"),
    [
        ("Page {page} of {pages}", '"Page " counter(page) " of " counter(pages)'),
        ("{pages}/{page}", r'counter(pages) "\2f " counter(page)'),
        ("</style>", r'"\3c \2f style\3e "'),
        ("", '""'),
    ],
)
def test_printed_pages_are_numbered(make_html, page, content):
    report = Report("r", columns=[Column("a")], labels=Labels(page=page))
    style = make_html(report, [("x",)], names=("a",)).tree().find("head/style").text
    assert f"@bottom-center {{ content: {content}; " in style


def test_nothing_outside_the_file_is_needed_and_no_script_runs(make_html, report, invoices):
    made = make_html(report, invoices(10))
    for element in made.tree().iter():
        assert element.tag in TAGS
        assert not {"src", "href", "style", "onclick"} & set(element.keys())
    style = made.tree().find("head/style").text
    assert "url(" not in style
    assert "@import" not in style


def test_a_figure_after_its_label_is_marked_on_a_page_from_right_to_left(make_html):
    columns = [Column("n", format="integer"), Column("a")]
    report = Report("r", locale="ar", columns=columns, groups=[Group("g")], totals=[sum_of("n")])
    made = make_html(report, [("West", -5, "-1")], names=("g", "n", "a"))
    assert made.found() == [
        ("h0", "G: West"),
        (None, "\u200e-5", "-1"),
        ("f0", "Total West: \u200e-5", ""),
        ("t", "Grand total: \u200e-5", ""),
    ]
