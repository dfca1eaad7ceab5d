import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderers.heex import RENDERER
from renderers.model import Column, Group, Labels, Report, count_of, max_of, min_of, sum_of
from renderers.registry import renderer

GOLDEN = Path(__file__).with_name("golden")

NAMES = ("region", "day", "city", "amount")
SALES = Report(
    "sales",
    title="Sales & {returns}",
    columns=[
        Column("city"),
        Column("day", format="date"),
        Column("amount", label="<Amount>", format="currency:EUR"),
    ],
    groups=[Group("region")],
    totals=[sum_of("amount")],
    locale="de",
)
RECORDS = [
    ("Nord", "2024-03-01", "Kiel", "1000.10"),
    ("Nord", "2024-03-31", "<b>Husum</b>", None),
    ("Süd", "2024-04-02", 'Ulm "{1}"', "-5"),
]


def test_the_registry_finds_it():
    assert renderer("heex") is RENDERER


def test_golden(make_heex):
    made = make_heex(SALES, NAMES, RECORDS)
    assert {file: data.decode() for file, data in made.files.items()} == {
        file.name: file.read_text("utf-8") for file in GOLDEN.iterdir()
    }
    assert made.result == 8


def test_without_records(make_heex):
    made = make_heex(SALES, NAMES, [])
    assert made.files["sales.rows.ndjson"] == b""
    assert (made.result, made.assigns()["row_count"], made.assigns()["record_count"]) == (0, 0, 0)
    assert made.template == (GOLDEN / "sales.heex").read_text("utf-8")


def test_a_label_shares_the_first_cell_if_that_has_a_total(make_heex):
    report = Report(
        "r", columns=[Column("amount", format="integer"), Column("city")], totals=[sum_of("amount")]
    )
    assert make_heex(report, NAMES, [(None, None, "Ulm", 3)]).lines() == [
        {"ordinal": 0, "band": "detail", "level": 0, "label": "", "span": 0, "cells": ["3", "Ulm"]},
        {"ordinal": 1, "band": "total", "level": 0, "label": "", "span": 0, "cells": ["Grand total: 3", ""]},
    ]


def test_missing_values_everywhere(make_heex):
    rows = make_heex(SALES, NAMES, [(None,) * 4]).lines()
    assert [(row["label"], row["span"], row["cells"]) for row in rows] == [
        ("Region: (none)", 3, []),
        ("", 0, ["", "", ""]),
        ("Total (none)", 2, ["0,00\xa0€"]),
        ("Grand total", 2, ["0,00\xa0€"]),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script> {{ x }} <%= 1 %> #{y} #set page %b %",
        "\"quotes\" 'and' \\ back \n \r\n \t \x07 \x1b \x7f \u2028",
        "nul\0 half \ud83d and \udc00",
        "right \u202eto left שלום عربى 👩‍👩‍👧",
        "\\u0000 is not a nul",
        "x" * 1_000_000,
    ],
    ids=range(6),
)
def test_texts_are_data_wherever_they_stand(make_heex, text):
    report = Report(
        "hostile",
        title=text,
        columns=[Column("a", label=text), Column("n", format="integer")],
        groups=[Group("g", label=text)],
        totals=[max_of("a")],
        labels=Labels(*[text] * 5),
    )
    made = make_heex(report, ("a", "n", "g"), [(text, 1, text), ("plain", None, text)])
    shown = "".join("\ufffd" if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in text)
    data = made.assigns()
    assert (data["title"], data["columns"][0]["label"], data["groups"][0]["label"]) == (shown,) * 3
    assert data["labels"] == dict.fromkeys(("total", "grand_total", "page", "empty", "missing"), shown)
    most = max(text, "plain").translate(dict.fromkeys([0, *range(0xD800, 0xE000)], "\ufffd"))
    assert [(row["label"], row["cells"]) for row in made.lines()] == [
        (f"{shown}: {shown}", []),
        ("", [shown, "1"]),
        ("", ["plain", ""]),
        ("", [f"{shown}: {most}", ""]),
        ("", [f"{shown}: {most}", ""]),
    ]
    for file in made.files.values():
        assert b"\0" not in file


def test_rows_are_written_as_the_chunks_come_and_the_state_stays_small(make_heex):
    records = [(f"r{n}", "2024-03-01", "Ulm", n) for n in range(100)]
    made = make_heex(SALES, NAMES, records, cuts=range(10, 100, 10))
    written = made.files["sales.rows.ndjson"]
    ends = [written[:size].count(b"\n") for size in made.after_chunk]
    assert ends == [0, *range(29, 299, 30), 301]  # the last group's footer comes with the next record
    assert made.states == [{"rows": end, "records": 10 * number} for number, end in enumerate(ends)]
    assert made.scratches == {}


# --- any records, any cuts, against an independent, naive rendering ----------------------------------

texts = st.none() | st.sampled_from(["West", "", 'a"b', "\ud83d", "\0%b", "\u2028<"]) | st.text(max_size=3)
one_record = st.tuples(
    texts,
    st.none() | st.sampled_from(["2024-03-01", "2024-04-02"]),
    texts,
    st.none() | st.integers(-(10**30), 10**30),
)
reports = st.builds(
    Report,
    st.just("any"),
    columns=st.sampled_from([SALES.columns, SALES.columns[::-1]]),
    groups=st.sampled_from([(), (Group("region"),), (Group("city"), Group("region"))]),
    totals=st.sampled_from([(), SALES.totals, (max_of("city"), count_of("day")), (min_of("day"),)]),
    labels=st.sampled_from([Labels(), Labels(total="\0{key}%", grand_total="\udfff")]),
)


@st.composite
def records_and_cuts(draw):
    records = draw(st.lists(one_record, max_size=20))
    return records, sorted(draw(st.lists(st.integers(0, len(records)), max_size=5)))


@given(reports, records_and_cuts())
def test_the_rows_are_the_naive_ones_whatever_the_cuts(make_heex, report, drawn):
    records, cuts = drawn
    made = make_heex(report, NAMES, records, cuts)
    assert made.files["any.rows.ndjson"].decode() == "".join(naive(report, row) for row in made.rows)
    assert made.result == made.assigns()["row_count"] == len(made.rows)
    assert made.assigns()["record_count"] == len(records)
    whole = make_heex(report, NAMES, records)
    assert made.files == whole.files


def naive(report, row):
    """The line of a row, with the standard library."""
    totalled = [column.name in {total.column for total in report.totals} for column in report.columns]
    span = {
        "header": len(report.columns),
        "detail": 0,
    }.get(row.band, totalled.index(True) if True in totalled else None)
    line = {
        "ordinal": row.ordinal,
        "band": row.band,
        "level": row.level,
        "label": row.label if span else "",
        "span": span,
        "cells": row.texts[span:],
    }
    written = json.dumps(line, ensure_ascii=False, separators=(",", ":")).replace("\\u0000", "\ufffd")
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in written) + "\n"
