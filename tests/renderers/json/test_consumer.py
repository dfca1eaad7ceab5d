import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderers.json import RENDERER
from renderers.model import Column, Group, Report, average_of, count_of, max_of, min_of, sum_of
from renderers.registry import renderer

GOLDEN = Path(__file__).with_name("golden")

NAMES = ("region", "day", "city", "amount", "pieces")
SALES = Report(
    "sales",
    columns=[
        Column("city"),
        Column("day", format="date"),
        Column("amount", format="currency:EUR"),
        Column("pieces", format="integer"),
    ],
    groups=[Group("region"), Group("day", label="Month", format="month")],
    totals=[sum_of("amount"), average_of("pieces")],
    locale="de",
)
RECORDS = [
    ("Nord", "2024-03-01", "Kiel", "1000.10", 3),
    ("Nord", "2024-03-31", "Husum", "0.20", 4),
    ("Nord", "2024-04-01", 'Klein "Wik"', None, None),
    ("Süd", "2024-04-02", "Ulm", "-12345678901234567890.05", 8),
]

HOSTILE = [
    "<script>alert(1)</script>",
    "{{ 7 * 7 }} <% x %> #{y} #set page(width: 1pt)",
    "\"quotes\" 'and' \\ back",
    "line\nline\r\nline\u2028line",
    "nul\0 bell\x07 escape\x1b delete\x7f c1\x9f",
    "right \u202eto left שלום عربى",
    "emoji 👩‍👩‍👧 and \U0010ffff",
    "half \ud83d and \udc00",
    "%s %% %(name)s",
    "",
    "  ",
    "x" * 1_000_000,
]


def read(data):
    return json.loads(data, parse_float=Decimal)


def test_the_registry_finds_it():
    assert renderer("json") is RENDERER


@pytest.mark.parametrize(("name", "records"), [("sales", RECORDS), ("empty", [])])
def test_golden(make_json, name, records):
    made = make_json(SALES, NAMES, records)
    assert made.data == (GOLDEN / f"{name}.json").read_bytes()
    assert made.result == len(records)


def test_the_document_as_a_reader_sees_it(make_json):
    assert read(make_json(SALES, NAMES, RECORDS[2:]).data) == {
        "report": "sales",
        "title": "Sales",
        "locale": "de",
        "columns": [
            {"name": "city", "label": "City", "format": "text", "align": "start", "total": None},
            {"name": "day", "label": "Day", "format": "date", "align": "start", "total": None},
            {"name": "amount", "label": "Amount", "format": "currency:EUR", "align": "end", "total": "sum"},
            {"name": "pieces", "label": "Pieces", "format": "integer", "align": "end", "total": "average"},
        ],
        "groups": [
            {"name": "region", "label": "Region", "format": "text"},
            {"name": "day", "label": "Month", "format": "month"},
        ],
        "records": [
            {"region": "Nord", "city": 'Klein "Wik"', "day": "2024-04-01", "amount": None, "pieces": None},
            {
                "region": "Süd",
                "city": "Ulm",
                "day": "2024-04-02",
                "amount": Decimal("-12345678901234567890.05"),
                "pieces": 8,
            },
        ],
        "subtotals": [
            {
                "level": 1,
                "key": {"region": "Nord", "day": "2024-04"},
                "totals": {"amount": 0, "pieces": None},
            },
            {"level": 0, "key": {"region": "Nord"}, "totals": {"amount": 0, "pieces": None}},
            {
                "level": 1,
                "key": {"region": "Süd", "day": "2024-04"},
                "totals": {"amount": Decimal("-12345678901234567890.05"), "pieces": 8},
            },
            {
                "level": 0,
                "key": {"region": "Süd"},
                "totals": {"amount": Decimal("-12345678901234567890.05"), "pieces": 8},
            },
        ],
        "totals": {"amount": Decimal("-12345678901234567890.05"), "pieces": 8},
        "record_count": 2,
    }


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_texts_are_data_wherever_they_stand(make_json, text):
    names = (text or "empty", "n")
    report = Report(
        "hostile",
        title=text or "empty",
        columns=[Column(names[0], label=text or "empty"), Column("n", format="integer")],
        groups=[Group("g", label=text or "empty")],
        totals=[max_of(names[0]), sum_of("n")],
    )
    made = make_json(report, (*names, "g"), [(text, 1, text), (text, 2, text), (text, 3, None)])
    shown = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    name = shown or "empty"
    document = read(made.data)
    assert (document["title"], document["columns"][0]["label"]) == (name, name)
    assert document["records"] == [
        {"g": shown, name: shown, "n": 1},
        {"g": shown, name: shown, "n": 2},
        {"g": None, name: shown, "n": 3},
    ]
    assert document["subtotals"] == [
        {"level": 0, "key": {"g": shown}, "totals": {name: shown, "n": 3}},
        {"level": 0, "key": {"g": None}, "totals": {name: shown, "n": 3}},
    ]
    assert document["totals"] == {name: shown, "n": 6}
    assert sum('"n":1}' in line for line in made.data.decode().split("\n")) == 1  # a record is a line


def test_missing_values_everywhere(make_json):
    document = read(make_json(SALES, NAMES, [(None,) * 5] * 2).data)
    nothing = {"amount": 0, "pieces": None}
    assert document["records"] == [dict.fromkeys(("region", "city", "day", "amount", "pieces"))] * 2
    assert document["subtotals"] == [
        {"level": 1, "key": {"region": None, "day": None}, "totals": nothing},
        {"level": 0, "key": {"region": None}, "totals": nothing},
    ]
    assert document["totals"] == nothing


def test_without_groups_and_without_totals(make_json):
    names, records = ("a", "n"), [("x", 1), ("y", 2)]
    columns = [Column("n", format="integer"), Column("a")]
    plain = read(make_json(Report("r", columns=columns), names, records).data)
    assert (plain["groups"], plain["subtotals"], plain["totals"]) == ([], [], {})
    assert plain["records"] == [{"n": 1, "a": "x"}, {"n": 2, "a": "y"}]
    totalled = read(make_json(Report("r", columns=columns, totals=[sum_of("n")]), names, records).data)
    assert (totalled["subtotals"], totalled["totals"]) == ([], {"n": 3})  # the label stands in no cell
    grouped = read(make_json(Report("r", columns=columns, groups=[Group("a")]), names, records).data)
    assert (grouped["subtotals"], grouped["totals"]) == ([], {})


def test_fragments_are_written_as_the_chunks_come_and_the_state_stays_small(make_json):
    records = [(f"r{n}", "2024-03-01", "Ulm", n, n) for n in range(400)]
    made = make_json(SALES, NAMES, records, cuts=range(40, 400, 40))
    assert made.after_chunk[0] == made.data.index(b'"records": [') + len(b'"records": [')
    for n, size in enumerate(made.after_chunk[1:], 1):
        assert made.data[:size].count(b'"city":') == 40 * n
    assert made.states == [{"records": 40 * n} for n in range(11)]
    # Not in memory, but aside: all totals but the last line.
    assert made.output.scratches["subtotals"].data.count(b"\n") == 800
    assert set(made.output.scratches) == {"subtotals", "totals"}
    assert made.output.parts == {}


# --- any records, any cuts, against an independent, naive rendering ----------------------------------

texts = (
    st.none() | st.sampled_from(["West", "", 'a"b', "\ud83d", "\0%s", "\u2028,\n  "]) | st.text(max_size=3)
)
one_record = st.tuples(
    texts,
    st.none() | st.sampled_from(["2024-03-01", "2024-04-02"]),
    texts,
    st.none()
    | st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**20), max_value=10**20),
    st.none() | st.integers(-(10**30), 10**30),
)
reports = st.builds(
    Report,
    st.just("any"),
    columns=st.just([*SALES.columns[::-1]]),
    groups=st.sampled_from([(), (Group("region"),), (Group("city"), Group("region")), SALES.groups]),
    totals=st.sampled_from([(), SALES.totals, (max_of("city"), count_of("day"), min_of("pieces"))]),
)


@st.composite
def records_and_cuts(draw):
    records = draw(st.lists(one_record, max_size=20))
    return records, sorted(draw(st.lists(st.integers(0, len(records)), max_size=5)))


@given(reports, records_and_cuts())
def test_the_document_is_the_naive_one_whatever_the_cuts(make_json, report, drawn):
    records, cuts = drawn
    made = make_json(report, NAMES, records, cuts)
    assert made.data.decode() == naive(report, made.rows)
    assert made.result == len(records)


def naive(report, rows):
    """The document of all rows at once, with the standard library."""
    keys = [group.name for group in report.groups]
    columns = [column.name for column in report.columns]
    totalled = [
        total.column for total in sorted(report.totals, key=lambda total: columns.index(total.column))
    ]

    def sums(row):
        return mapping((name, text(row.values[columns.index(name)])) for name in totalled)

    def details():
        for row in rows:
            if row.band == "detail":
                key = [
                    (name, text(value))
                    for name, value in zip(keys, row.key, strict=True)
                    if name not in columns
                ]
                yield mapping([*key, *zip(columns, map(text, row.values), strict=True)])

    def footers():
        for row in rows:
            if row.band == "footer":
                key = mapping((name, text(value)) for name, value in zip(keys, row.key, strict=False))
                yield mapping([("level", str(row.level)), ("key", key), ("totals", sums(row))])

    head = {
        "columns": [
            {
                "name": column.name,
                "label": column.label,
                "format": column.format,
                "align": "end" if column.name in ("amount", "pieces") else "start",
                "total": next(
                    (total.function for total in report.totals if total.column == column.name), None
                ),
            }
            for column in report.columns
        ],
        "groups": [
            {"name": group.name, "label": group.label, "format": group.format} for group in report.groups
        ],
    }
    total = next((sums(row) for row in rows if row.band == "total"), "{}")
    return "\n".join(
        (
            '{\n"report": "any",\n"title": "Any",\n"locale": "en-US",',
            *(f'"{name}": {listed(map(mapping_of, head[name]))},' for name in head),
            f'"records": [{lines(details())}\n],',
            f'"subtotals": [{lines(footers())}\n],',
            f'"totals": {total},',
            f'"record_count": {sum(row.band == "detail" for row in rows)}\n}}\n',
        )
    )


def text(value):
    if value is None:
        return "null"
    if isinstance(value, str | date):
        return json.dumps(replaced(str(value)), ensure_ascii=False)
    return str(value)


def replaced(value):
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in value)


def mapping(pairs):
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs) + "}"


def mapping_of(fields):
    return mapping((name, text(value)) for name, value in fields.items())


def lines(found):
    joined = ",\n".join(found)
    return f"\n{joined}" if joined else ""


def listed(found):
    inside = lines(found)
    return f"[{inside}\n]" if inside else "[]"
