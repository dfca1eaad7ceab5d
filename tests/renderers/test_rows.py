import json
from copy import deepcopy
from datetime import date
from decimal import Decimal
from itertools import groupby, pairwise

import orjson
import pytest
from babel.dates import format_date, format_skeleton
from babel.numbers import format_currency, format_decimal
from hypothesis import given
from hypothesis import strategies as st

from genstage.sources import Records
from genstage.streaming import Chunk
from renderers.errors import FormatError
from renderers.model import (
    Column,
    Group,
    Labels,
    Report,
    average_of,
    count_of,
    lay_out,
    max_of,
    min_of,
    sum_of,
)
from renderers.rows import Block, Row, RowMaker, Rows, to_rows

NAMES = ("region", "day", "city", "amount", "pieces")
REPORT = Report(
    "sales",
    columns=[
        Column("city"),
        Column("amount", format="currency:EUR"),
        Column("pieces", format="integer"),
        Column("day", format="date"),
    ],
    groups=[Group("region"), Group("day", label="Month", format="month")],
    totals=[sum_of("amount"), average_of("pieces"), max_of("day")],
    locale="de",
)


def maker(report=REPORT, names=NAMES):
    return RowMaker(lay_out(report, names))


def rows_of(making, records, cuts=()):
    """All rows, with the state sent through JSON between the chunks."""
    edges = [0, *cuts, len(records)]
    state, found = making.begin(), []
    for start, stop in pairwise(edges):
        state = json.loads(orjson.dumps(state))
        rows, state = making.rows(records[start:stop], state, end=False)
        found += rows
    rows, _ = making.rows(records[:0], json.loads(json.dumps(state)), end=True)
    return [*found, *rows]


def test_a_whole_report():
    records = Records(
        NAMES,
        [
            ("West", "2024-03-01", "Ulm", "1000.10", 3),
            ("West", "2024-03-31", "Bonn", "0.20", 4),
            ("West", "2024-04-01", "Bonn", None, None),
            ("Ost", "2024-04-02", "Jena", "-5", 8),
        ],
    )
    first, third, april, second = date(2024, 3, 1), date(2024, 3, 31), date(2024, 4, 1), date(2024, 4, 2)
    # fmt: off - one row a line, as in the report
    assert rows_of(maker(), records) == [
        Row(0, "header", 0, ("West",), "Region: West", (), ()),
        Row(1, "header", 1, ("West", "2024-03"), "Month: März 2024", (), ()),
        Row(
            2,
            "detail",
            2,
            ("West", "2024-03"),
            "",
            ("Ulm", Decimal("1000.10"), 3, first),
            ("Ulm", "1.000,10\xa0€", "3", "01.03.2024"),
        ),
        Row(
            3,
            "detail",
            2,
            ("West", "2024-03"),
            "",
            ("Bonn", Decimal("0.20"), 4, third),
            ("Bonn", "0,20\xa0€", "4", "31.03.2024"),
        ),
        Row(
            4,
            "footer",
            1,
            ("West", "2024-03"),
            "Total März 2024",
            (None, Decimal("1000.30"), Decimal("3.5"), third),
            ("", "1.000,30\xa0€", "3,5", "31.03.2024"),
        ),
        Row(5, "header", 1, ("West", "2024-04"), "Month: April 2024", (), ()),
        Row(
            6,
            "detail",
            2,
            ("West", "2024-04"),
            "",
            ("Bonn", None, None, april),
            ("Bonn", "", "", "01.04.2024"),
        ),
        Row(
            7,
            "footer",
            1,
            ("West", "2024-04"),
            "Total April 2024",
            (None, Decimal(0), None, april),
            ("", "0,00\xa0€", "", "01.04.2024"),
        ),
        Row(
            8,
            "footer",
            0,
            ("West",),
            "Total West",
            (None, Decimal("1000.30"), Decimal("3.5"), april),
            ("", "1.000,30\xa0€", "3,5", "01.04.2024"),
        ),
        Row(9, "header", 0, ("Ost",), "Region: Ost", (), ()),
        Row(10, "header", 1, ("Ost", "2024-04"), "Month: April 2024", (), ()),
        Row(
            11,
            "detail",
            2,
            ("Ost", "2024-04"),
            "",
            ("Jena", Decimal(-5), 8, second),
            ("Jena", "-5,00\xa0€", "8", "02.04.2024"),
        ),
        Row(
            12,
            "footer",
            1,
            ("Ost", "2024-04"),
            "Total April 2024",
            (None, Decimal(-5), Decimal(8), second),
            ("", "-5,00\xa0€", "8", "02.04.2024"),
        ),
        Row(
            13,
            "footer",
            0,
            ("Ost",),
            "Total Ost",
            (None, Decimal(-5), Decimal(8), second),
            ("", "-5,00\xa0€", "8", "02.04.2024"),
        ),
        Row(
            14,
            "total",
            0,
            (),
            "Grand total",
            (None, Decimal("995.30"), Decimal(5), second),
            ("", "995,30\xa0€", "5", "02.04.2024"),
        ),
    ]
    # fmt: on


def test_the_state_is_all_there_is_between_chunks():
    making = maker()
    assert making.begin() == {
        "ordinal": 0,
        "records": 0,
        "key": [],
        "totals": [["0", ["0", 0], None], ["0", ["0", 0], None], ["0", ["0", 0], None]],
    }
    records = Records(
        NAMES,
        [
            ("W\ud800est", "2024-02-01", "Ulm", "1.5", 2),
            ("W\ud800est", "2024-03-01", "Ulm", "1.10", 3),
            ("W\ud800est", "2024-03-02", "Ulm", "2.20", None),
        ],
    )
    before = making.begin()
    kept = deepcopy(before)
    _, state = making.rows(records[:2], before, end=False)
    assert before == kept
    _, state = making.rows(records[2:], state, end=False)
    assert state == {
        "ordinal": 7,
        "records": 3,
        "key": ["W\\ud800est", "2024-03"],
        "totals": [
            ["0", ["0", 0], None],
            ["1.5", ["2", 1], "2024-02-01"],
            ["3.30", ["3", 1], "2024-03-02"],
        ],
    }


@pytest.mark.parametrize("report", [REPORT, Report("all"), Report("all", totals=[count_of("city")])])
def test_no_records_make_no_rows(report):
    assert rows_of(maker(report), Records(NAMES, [])) == []


def test_a_group_that_comes_back_is_a_new_group():
    report = Report("r", columns=[Column("n", format="integer")], groups=[Group("g")])
    found = rows_of(maker(report, ("g", "n")), Records(("g", "n"), [("a", 1), ("b", 2), ("a", 3)]))
    assert [(row.band, row.label, row.texts) for row in found] == [
        ("header", "G: a", ()),
        ("detail", "", ("1",)),
        ("header", "G: b", ()),
        ("detail", "", ("2",)),
        ("header", "G: a", ()),
        ("detail", "", ("3",)),
    ]


def test_a_change_outside_begins_the_inner_group_anew():
    report = Report("r", columns=[Column("n")], groups=[Group("a"), Group("b")], totals=[count_of("n")])
    found = rows_of(maker(report, ("a", "b", "n")), Records(("a", "b", "n"), [(1, 1, "x"), (2, 1, "y")]))
    assert [(row.band, row.level, row.key) for row in found] == [
        ("header", 0, ("1",)),
        ("header", 1, ("1", "1")),
        ("detail", 2, ("1", "1")),
        ("footer", 1, ("1", "1")),
        ("footer", 0, ("1",)),
        ("header", 0, ("2",)),
        ("header", 1, ("2", "1")),
        ("detail", 2, ("2", "1")),
        ("footer", 1, ("2", "1")),
        ("footer", 0, ("2",)),
        ("total", 0, ()),
    ]


def test_records_without_a_group_value_form_a_group():
    labels = Labels(total="Sum of {key} {other}", grand_total="All", missing="no region")
    report = Report(
        "r",
        columns=[Column("n", format="integer")],
        groups=[Group("g")],
        totals=[sum_of("n")],
        labels=labels,
    )
    found = rows_of(
        maker(report, ("g", "n")), Records(("g", "n"), [(None, 1), (None, 2), ("", 3), ("{n}", 4)])
    )
    assert [(row.band, row.key, row.label, row.texts) for row in found] == [
        ("header", (None,), "G: no region", ()),
        ("detail", (None,), "", ("1",)),
        ("detail", (None,), "", ("2",)),
        ("footer", (None,), "Sum of no region {other}", ("Sum of no region {other}: 3",)),
        ("header", ("",), "G: ", ()),
        ("detail", ("",), "", ("3",)),
        ("footer", ("",), "Sum of  {other}", ("Sum of  {other}: 3",)),
        ("header", ("{n}",), "G: {n}", ()),
        ("detail", ("{n}",), "", ("4",)),
        ("footer", ("{n}",), "Sum of {n} {other}", ("Sum of {n} {other}: 4",)),
        ("total", (), "All", ("All: 10",)),
    ]


def test_a_label_without_a_figure_stands_alone():
    report = Report("r", columns=[Column("n", format="integer")], totals=[max_of("n")])
    found = rows_of(maker(report, ("n",)), Records(("n",), [(None,)]))
    assert [row.texts for row in found] == [("",), ("Grand total",)]


def test_consecutive_records_of_a_group_share_a_block():
    report = Report("r", columns=[Column("n")], groups=[Group("g")], totals=[count_of("n")])
    records = Records(("g", "n"), [("a", "1"), ("a", "2"), ("a", None), ("b", "3")])
    rows, _ = maker(report, records.names).rows(records, maker(report, records.names).begin(), end=True)
    assert rows.blocks == (
        Block("header", 0, ("a",), "G: a", 0, 1, (), ()),
        Block("detail", 1, ("a",), "", 1, 3, (["1", "2", None],), (["1", "2", ""],)),
        Block("footer", 0, ("a",), "Total a", 4, 1, ([2],), (["Total a: 2"],)),
        Block("header", 0, ("b",), "G: b", 5, 1, (), ()),
        Block("detail", 1, ("b",), "", 6, 1, (["3"],), (["3"],)),
        Block("footer", 0, ("b",), "Total b", 7, 1, ([1],), (["Total b: 1"],)),
        Block("total", 0, (), "Grand total", 8, 1, ([3],), (["Grand total: 3"],)),
    )


def test_rows_are_a_sequence():
    making = maker()
    records = Records(NAMES, [("West", f"2024-0{n % 3 + 1}-01", "Ulm", "1", n) for n in range(9)])
    rows, _ = making.rows(records, making.begin(), end=True)
    each = list(rows)
    assert (len(rows), [row.ordinal for row in each], repr(rows)) == (
        len(each),
        list(range(len(each))),
        f"<{len(each)}>",
    )
    assert [rows[place] for place in range(-len(each), len(each))] == each * 2
    assert (rows[2:9:3], rows[:0]) == (each[2:9:3], [])
    for place in (len(each), -len(each) - 1):
        with pytest.raises(IndexError):
            rows[place]


def test_a_bad_value_is_refused_and_the_state_still_serves():
    making = maker()
    state = making.begin()
    bad = Records(NAMES, [("West", "2024-03-01", "Ulm", "1", 1), ("West", "2024-03-01", "Ulm", "lots", 1)])
    with pytest.raises(FormatError) as caught:
        making.rows(bad, state, end=False)
    assert str(caught.value) == "column 'amount': cannot show 'lots' as 'currency:EUR'"
    rows, state = making.rows(bad[:1], state, end=False)
    assert (len(rows), state["records"]) == (3, 1)


def test_a_chunk_keeps_its_place():
    making = maker(Report("r", columns=[Column("n", format="integer")], totals=[sum_of("n")]), ("n",))
    state = making.begin()
    plain = Chunk(4, [{"n": "1"}, {"n": "2"}], first=10, last=12, end=False, epoch=3)
    rows, state = to_rows(making, plain, state)
    details = [Row(0, "detail", 0, (), "", (1,), ("1",)), Row(1, "detail", 0, (), "", (2,), ("2",))]
    assert (rows.index, list(rows.records), rows.first, rows.last, rows.end, rows.epoch) == (
        4,
        details,
        10,
        12,
        False,
        3,
    )
    assert isinstance(rows.records, Rows)
    last, _ = to_rows(making, Chunk(5, [], first=12, last=12, end=True, epoch=3), state)
    assert (list(last.records), last) == (
        [Row(2, "total", 0, (), "Grand total", (3,), ("Grand total: 3",))],
        Chunk(5, last.records, 12, 12, end=True, epoch=3),
    )
    batch, _ = to_rows(making, Chunk(0, Records(("n",), [(7,)]), first=0, last=1, end=True), making.begin())
    assert [row.texts for row in batch.records] == [("7",), ("Grand total: 7",)]


# --- any records, any cuts, against an independent, naive grouping -----------------------------------

WIDE = Report(
    "wide",
    columns=[
        Column("region"),
        Column("amount", format="currency:EUR"),
        Column("pieces", format="integer"),
        Column("day", format="date:short"),
        Column("rate", format="decimal:2"),
    ],
    groups=[Group("region"), Group("day", format="month"), Group("rate", format="decimal")],
    totals=[
        count_of("region"),
        sum_of("amount"),
        min_of("pieces"),
        max_of("day"),
        average_of("rate"),
    ],
)
WIDE_NAMES = ("day", "rate", "region", "pieces", "amount")

days = st.sampled_from(["2024-03-01", "2024-03-02", "2023-03-01"]) | st.just(date(2024, 3, 9))
rates = st.sampled_from([1, "1.0", "1.00", 2.5, Decimal("2.50"), "-0", 0, "0.125", "0.135"])
missing = st.none()
one_record = st.tuples(
    missing | days,
    missing | rates,
    st.sampled_from(["West", "Ost", "\ud83d", "\ude00", "\ud83d\ude00", "", None]),
    missing | st.integers(-(10**20), 10**20),
    missing
    | st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
)


@st.composite
def records_and_cuts(draw):
    rows = draw(st.lists(one_record, max_size=25))
    if draw(st.booleans()):  # ordered, as sources should be; otherwise groups come back
        rows.sort(key=lambda row: (str(row[2]), str(row[0])))
    cuts = draw(st.lists(st.integers(0, len(rows)), max_size=6))
    return Records(WIDE_NAMES, rows), sorted(cuts)


@given(records_and_cuts())
def test_the_cuts_into_chunks_do_not_matter(drawn):
    records, cuts = drawn
    assert repr(rows_of(maker(WIDE, WIDE_NAMES), records, cuts)) == repr(
        rows_of(maker(WIDE, WIDE_NAMES), records)
    )


@given(records_and_cuts())
def test_the_rows_are_those_of_a_naive_grouping(drawn):
    records, cuts = drawn
    expected = [(ordinal, *row) for ordinal, row in enumerate(naive(records))]
    found = [
        (row.ordinal, row.band, row.level, row.key, row.label, row.texts)
        for row in rows_of(maker(WIDE, WIDE_NAMES), records, cuts)
    ]
    assert found == expected


def naive(records):
    """The report over all records at once, by recursion and with Babel's own functions."""
    typed = [
        {
            "region": record["region"],
            "amount": record["amount"],
            "pieces": record["pieces"],
            "day": record["day"] and date.fromisoformat(str(record["day"])),
            "rate": None if record["rate"] is None else Decimal(str(record["rate"])),
        }
        for record in records
    ]
    if typed:
        yield from level_of(typed, ())
        yield "total", 0, (), "Grand total", footer("Grand total", typed)


def month_text(key):
    return format_skeleton("yMMMM", date.fromisoformat(f"{key}-01"), locale="en_US")


GROUPS = [
    ("Region", lambda record: record["region"], str),
    ("Day", lambda record: record["day"] and str(record["day"])[:7], month_text),
    ("Rate", lambda record: record["rate"], lambda key: format_decimal(key, locale="en_US")),
]


def level_of(records, key):
    level = len(key)
    if level == len(GROUPS):
        for record in records:
            yield (
                "detail",
                level,
                key,
                "",
                (
                    record["region"] or "",
                    money(record["amount"]),
                    whole(record["pieces"]),
                    day_text(record["day"]),
                    hundredths(record["rate"]),
                ),
            )
        return
    name, of, text = GROUPS[level]
    for value, members in groupby(records, of):
        inside = list(members)
        inner, shown = (*key, value), "(none)" if value is None else text(value)
        yield "header", level, inner, f"{name}: {shown}", ()
        yield from level_of(inside, inner)
        yield "footer", level, inner, f"Total {shown}", footer(f"Total {shown}", inside)


def footer(label, records):
    values = {name: [record[name] for record in records if record[name] is not None] for name in records[0]}
    rate = values["rate"] and sum(values["rate"]) / len(values["rate"])
    return (
        f"{label}: {len(values['region'])}",
        money(sum(values["amount"])),
        whole(min(values["pieces"], default=None)),
        day_text(max(values["day"], default=None)),
        hundredths(None if rate == [] else rate),
    )


def money(value):
    return "" if value is None else format_currency(value, "EUR", locale="en_US")


def whole(value):
    return "" if value is None else format_decimal(value, locale="en_US")


def day_text(value):
    return "" if value is None else format_date(value, "short", locale="en_US")


def hundredths(value):
    return "" if value is None else format_decimal(value, "#,##0.00", locale="en_US")
