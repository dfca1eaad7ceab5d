from datetime import date, timedelta

import pytest

from renderers.model import Column, Report, average_of, count_of, lay_out, sum_of
from renderers.pdf.sheet import make_sheet

SPECS = [
    "integer",
    "decimal:2",
    "percent:1",
    "currency:EUR",
    "currency:USD",
    "date:short",
    "date:medium",
    "date:long",
    "month",
]
DAYS = [date(2023, 12, 31) + timedelta(days) for days in range(367)]


def sheet_of(specs, *totals, locale="en_US", label=None):
    columns = [
        Column(f"c{place}", label=label or "C", format=spec, width=9 if spec == "text" else 0.01)
        for place, spec in enumerate(specs)
    ]
    layout = lay_out(
        Report("r", columns=columns, totals=totals, locale=locale), [column.name for column in columns]
    )
    return layout, make_sheet(layout)


@pytest.mark.parametrize("locale", ["en_US", "de_DE", "fr_CH", "ar", "he", "hi", "pl", "ja"])
@pytest.mark.parametrize("spec", SPECS)
def test_columns_have_room_for_usual_values_and_their_totals(locale, spec):
    layout, sheet = sheet_of([spec, "text"], locale=locale)
    made = layout.columns[0].format
    is_day = spec.startswith("date") or spec == "month"
    values = DAYS if is_day else [1, -5] if spec.startswith("percent") else [-777_777, 0]
    texts = made.texts(made.values(values))
    assert all(isinstance(cell, str) for cell in sheet.columns[0].cells(texts)[0])
    if is_day:
        return
    layout, sheet = sheet_of([spec, "text"], sum_of("c0"), locale=locale)
    texts = made.texts(made.values([-50 if spec.startswith("percent") else -777_777_777]))
    assert isinstance(sheet.columns[0].cells(texts)[0][0], str)


@pytest.mark.parametrize(
    ("spec", "total", "text"),
    [
        ("date:short", count_of("c0"), "777,777,777"),
        ("integer", average_of("c0"), "-777,777.777"),
    ],
)
def test_columns_have_room_for_totals_that_are_shown_otherwise(spec, total, text):
    _, sheet = sheet_of([spec, "text"], total)
    assert sheet.columns[0].cells([text])[0] == [text]
    _, sheet = sheet_of([spec, "text"])
    assert sheet.columns[0].cells([text])[0] != [text]


@pytest.mark.parametrize(
    ("specs", "across", "size"),
    [
        (["text"] * 8, False, 9),
        (["currency:EUR"] * 6, False, 9),
        (["currency:EUR"] * 7, False, 8),
        (["currency:EUR"] * 8, True, 9),
        (["text"] * 9, True, 9),
        (["currency:EUR"] * 12, True, 7),
        (["text"] * 13, True, 8),
        (["text"] * 40, True, 6),
    ],
)
def test_the_paper_has_room_for_all_columns(specs, across, size):
    totals = [sum_of(f"c{place}") for place, spec in enumerate(specs) if spec != "text"]
    settings = sheet_of(specs, *totals)[1].settings
    assert (settings["width"] > settings["height"], settings["size"]) == (across, size)
    space = settings["width"] - 2 * settings["margin"] - settings["gutter"] * (len(specs) - 1)
    assert sum(settings["widths"]) == pytest.approx(space, abs=0.01 * len(specs))


def test_text_gives_way_to_figures():
    specs = ["currency:EUR"] * 8 + ["text"] * 12
    _, sheet = sheet_of(specs, label="Long-label")
    assert sheet.columns[0].cells(["-€777,777.77"])[0] == ["-€777,777.77"]
    assert 3 <= sheet.columns[-1].width < 6
