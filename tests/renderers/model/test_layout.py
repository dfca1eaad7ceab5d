import pytest

from renderers.errors import ReportError
from renderers.model import (
    Column,
    Group,
    Labels,
    Layout,
    LayoutColumn,
    LayoutGroup,
    Report,
    count_of,
    lay_out,
    sum_of,
)
from renderers.model.formats import compile_format

NAMES = ("id", "region", "city", "net_sum", "day")


def test_a_report_is_laid_out():
    labels = Labels(total="Summe {key}")
    report = Report(
        "sales",
        title="Umsatz",
        columns=[
            Column("city", label="Ort"),
            Column("day", format="date"),
            Column("net_sum", format="currency:CHF", width=3),
        ],
        groups=[Group("region"), Group("day", format="month")],
        totals=[sum_of("net_sum")],
        locale="de_CH",
        labels=labels,
    )
    assert lay_out(report, NAMES) == Layout(
        name="sales",
        title="Umsatz",
        locale="de-CH",
        direction="ltr",
        columns=(
            LayoutColumn("city", "Ort", "start", 3.0, compile_format("text", "de_CH", "city"), None),
            LayoutColumn("day", "Day", "start", 1.2, compile_format("date", "de_CH", "day"), None),
            LayoutColumn(
                "net_sum",
                "Net sum",
                "end",
                3.0,
                compile_format("currency:CHF", "de_CH", "net_sum"),
                sum_of("net_sum"),
            ),
        ),
        groups=(
            LayoutGroup("region", "Region", compile_format("text", "de_CH", "region")),
            LayoutGroup("day", "Day", compile_format("month", "de_CH", "day")),
        ),
        label_span=2,
        labels=labels,
    )


def test_without_columns_all_of_the_source_are_shown_as_text():
    columns = lay_out(Report("lines", groups=[Group("region")], totals=[count_of("city")]), NAMES).columns
    assert [(column.name, column.label, column.format.spec, column.total) for column in columns] == [
        ("id", "Id", "text", None),
        ("region", "Region", "text", None),
        ("city", "City", "text", count_of("city")),
        ("net_sum", "Net sum", "text", None),
        ("day", "Day", "text", None),
    ]


@pytest.mark.parametrize(
    ("totals", "span"),
    [([], 3), (["city"], 0), (["id"], 1), (["day"], 2), (["day", "id"], 1), (["day", "city"], 0)],
)
def test_the_label_spans_the_columns_before_the_first_total(totals, span):
    columns = [Column("city"), Column("id"), Column("day")]
    report = Report("lines", columns=columns, totals=[count_of(name) for name in totals])
    assert lay_out(report, NAMES).label_span == span


@pytest.mark.parametrize(
    ("locale", "tag", "direction"),
    [
        ("en_US", "en-US", "ltr"),
        ("en-us", "en-US", "ltr"),
        ("de", "de", "ltr"),
        ("ar_EG", "ar-EG", "rtl"),
        ("he", "he", "rtl"),
        ("zh_Hant_TW", "zh-Hant-TW", "ltr"),
        ("ca_ES_VALENCIA", "ca-ES-VALENCIA", "ltr"),
        ("root", "und", "ltr"),
    ],
)
def test_the_locale_is_a_language_tag_with_a_direction(locale, tag, direction):
    layout = lay_out(Report("lines", locale=locale), NAMES)
    assert (layout.locale, layout.direction) == (tag, direction)


@pytest.mark.parametrize(
    ("report", "names", "problem"),
    [
        (
            Report("r", columns=[Column("id"), Column("sum")]),
            NAMES,
            "column 'sum': the query has no such column; it has 'id', 'region', 'city', 'net_sum', 'day'",
        ),
        (
            Report("r", groups=[Group("land")]),
            ["a", "b"],
            "group 'land': the query has no such column; it has 'a', 'b'",
        ),
        (
            Report("r", totals=[count_of("x")]),
            ["a"],
            "total of 'x': the query has no such column; it has 'a'",
        ),
        (Report("r", columns=[Column("a")]), [], "column 'a': the query has no such column; it has none"),
        (Report("r"), [], "there is nothing to show: the query has no columns"),
    ],
)
def test_what_the_query_lacks_is_named_with_what_it_has(report, names, problem):
    with pytest.raises(ReportError) as caught:
        lay_out(report, names)
    assert str(caught.value) == f"report 'r': {problem}"
