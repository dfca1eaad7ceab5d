import pickle
from decimal import Decimal

import pytest

from renderers.errors import ReportError
from renderers.model import (
    Column,
    Group,
    Labels,
    Report,
    Total,
    average_of,
    count_of,
    max_of,
    min_of,
    sum_of,
)


def sales(**changes):
    fields = {
        "name": "sales",
        "columns": [Column("city"), Column("net_sum", format="currency:EUR", width=2.5)],
        "groups": [Group("region"), Group("month", format="month")],
        "totals": [sum_of("net_sum"), count_of("city")],
        "locale": "de",
    }
    return Report(**{**fields, **changes})


def test_labels_and_title_default_to_the_names():
    report = sales(name="net_sales")
    assert (
        report.title,
        [column.label for column in report.columns],
        [group.label for group in report.groups],
    ) == (
        "Net sales",
        ["City", "Net sum"],
        ["Region", "Month"],
    )
    assert (Column("a", label="B").label, Group("a", label="B").label, sales(title="T").title) == (
        "B",
        "B",
        "T",
    )


def test_a_report_needs_only_a_name():
    report = Report("lines")
    assert (report.columns, report.groups, report.totals, report.locale, report.labels) == (
        (),
        (),
        (),
        "en_US",
        Labels(),
    )


def test_collections_become_tuples_so_that_a_report_cannot_change():
    columns = [Column("city")]
    report = Report("sales", columns=columns, groups=(group for group in [Group("region")]))
    columns.append(Column("other"))
    assert (report.columns, report.groups) == ((Column("city"),), (Group("region"),))


def test_a_report_pickles_and_hashes():
    report = sales()
    again = pickle.loads(pickle.dumps(report))  # noqa: S301 - our own bytes
    assert (again, hash(again)) == (report, hash(sales()))
    assert sales(locale="en") != report


def test_the_total_functions():
    made = [make("a") for make in (sum_of, count_of, average_of, min_of, max_of)]
    assert made == [Total("a", name) for name in ("sum", "count", "average", "min", "max")]


@pytest.mark.parametrize("function", ["count", "min", "max"])
@pytest.mark.parametrize("spec", ["text", "date", "month", "integer", "currency:EUR"])
def test_what_can_be_counted_and_compared(function, spec):
    Report("sales", columns=[Column("a", format=spec)], totals=[Total("a", function)])


@pytest.mark.parametrize("function", ["sum", "average"])
@pytest.mark.parametrize("spec", ["integer", "decimal", "decimal:3", "percent", "currency:EUR"])
def test_what_can_be_added_up(function, spec):
    Report("sales", columns=[Column("a", format=spec)], totals=[Total("a", function)])


NAME = "the name also names files: use 1 to 100 letters a-z or A-Z, digits, '-' and '_'"
FUNCTIONS = "sum, count, average, min, max"
KNOWN = (
    "text, integer, decimal (or decimal:PLACES), percent (or percent:PLACES), currency:CODE, "
    "date (or date:short, date:medium, date:long) or month"
)

ADVICE = " give it a format such as 'decimal', or use count, min or max"

MISTAKES = [
    ({"name": ""}, NAME),
    ({"name": "a/b"}, NAME),
    ({"name": "a b"}, NAME),
    ({"name": "../a"}, NAME),
    ({"name": "umsätze"}, NAME),
    ({"name": "a\n"}, NAME),
    ({"name": "a" * 101}, NAME),
    ({"name": 5}, NAME),
    ({"columns": "city"}, "columns must be a list, such as columns=[Column(...)], got 'city'"),
    ({"columns": b"city"}, "columns must be a list, such as columns=[Column(...)], got b'city'"),
    ({"columns": None}, "columns must be a list, such as columns=[Column(...)], got None"),
    ({"columns": {"city": 1}}, "columns must be a list, such as columns=[Column(...)], got {'city': 1}"),
    ({"groups": {Group("a")}}, f"groups must be a list, such as groups=[Group(...)], got {{{Group('a')!r}}}"),
    ({"groups": Group("a")}, f"groups must be a list, such as groups=[Group(...)], got {Group('a')!r}"),
    ({"columns": ["city"]}, "columns must hold Column objects (columns=[Column(...)]), got 'city'"),
    ({"groups": [Column("a")]}, f"groups must hold Group objects (groups=[Group(...)]), got {Column('a')!r}"),
    ({"totals": ["net_sum"]}, "totals must hold Total objects (totals=[Total(...)]), got 'net_sum'"),
    ({"title": 5}, "title and labels must be text, got 5"),
    ({"labels": "Total"}, "labels must be a Labels object, got 'Total'"),
    ({"labels": Labels(page=None)}, "title and labels must be text, got None"),
    ({"locale": "xx"}, "locale 'xx' is unknown: use one such as 'en_US' or 'de'"),
    ({"locale": None}, "locale None is unknown: use one such as 'en_US' or 'de'"),
    ({"columns": [Column("")]}, "the name of a column must be the name of a source column, got ''"),
    ({"columns": [Column(3)]}, "the name of a column must be the name of a source column, got 3"),
    ({"groups": [Group("")]}, "the name of a group must be the name of a source column, got ''"),
    ({"columns": [Column("a"), Column("b"), Column("a")]}, "column 'a' occurs 2 times: name it once"),
    ({"groups": [Group("a"), Group("a", "x"), Group("a")]}, "group 'a' occurs 3 times: name it once"),
    ({"columns": [Column("a", label=5)]}, "column 'a': its label must be text, got 5"),
    ({"columns": [Column("a", format=None)]}, "column 'a': its format must be text, got None"),
    ({"columns": [Column("a", format="money")]}, f"column 'a': format 'money' is unknown: use {KNOWN}"),
    ({"groups": [Group("a", format="date:tiny")]}, f"group 'a': format 'date:tiny' is unknown: use {KNOWN}"),
    *[
        (
            {"columns": [Column("a", width=width)]},
            f"column 'a': its width must be a number over 0, got {width!r}",
        )
        for width in (0, -1, 0.0, float("nan"), float("inf"), True, "2", [1], Decimal(2))
    ],
    ({"totals": [Total("city", "mean")]}, f"total of 'city': 'mean' is none of {FUNCTIONS}"),
    ({"totals": [Total("city", ["sum"])]}, f"total of 'city': ['sum'] is none of {FUNCTIONS}"),
    ({"totals": [sum_of("net")]}, "total of 'net': no such report column; there are 'city', 'net_sum'"),
    ({"totals": [sum_of(["city"])]}, "total of ['city']: no such report column; there are 'city', 'net_sum'"),
    (
        {"totals": [min_of("city"), max_of("city")]},
        "total of 'city': a column shows one total, give it one only",
    ),
    (
        {"totals": [sum_of("city")]},
        "total of 'city': no sum of a column shown as 'text';" + ADVICE,
    ),
    (
        {"columns": [Column("day", format="date")], "totals": [average_of("day")]},
        "total of 'day': no average of a column shown as 'date';" + ADVICE,
    ),
    (
        {"columns": [], "totals": [sum_of("net_sum")]},
        "total of 'net_sum': no sum of a column shown as 'text';" + ADVICE,
    ),
]


@pytest.mark.parametrize(("change", "problem"), MISTAKES, ids=[problem[:60] for _, problem in MISTAKES])
def test_a_mistake_is_named_with_what_would_be_right(change, problem):
    with pytest.raises(ReportError) as caught:
        sales(**change)
    name = str(change.get("name", "sales"))
    assert str(caught.value) == f"report {name!r}: {problem}"


def test_without_columns_totals_are_checked_when_the_source_is_known():
    assert Report("sales", totals=[count_of("whatever")]).totals == (count_of("whatever"),)
