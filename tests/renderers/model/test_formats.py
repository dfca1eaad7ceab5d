from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from babel.dates import format_date, format_skeleton
from hypothesis import given
from hypothesis import strategies as st

from renderers.errors import FormatError
from renderers.model.formats import compile_format
from renderers.model.memo import Memo

LOCALES = ["en_US", "de", "fr", "sv", "ar", "hi", "ja", "pl", "de_CH", "en_IN"]

anything = st.text(st.characters())  # all code points, lone surrogates too


@given(st.lists(st.none() | anything))
def test_text_is_left_as_it_is(column):
    names = compile_format("text", "de", "name")
    values = names.values(column)
    assert (values, names.texts(values)) == (column, ["" if value is None else value for value in column])


@given(anything)
def test_text_survives_its_state_which_is_ascii(text):
    names = compile_format("text", "de", "name")
    dumped = names.dump(text)
    assert (names.load(dumped), dumped.isascii()) == (text, True)


class Markup(str):
    __slots__ = ()

    def __html__(self):
        return self

    def __str__(self):
        return self


def test_other_types_have_a_plain_text():
    names = compile_format("text", "de", "name")
    column = [
        None,
        "a",
        True,
        False,
        12,
        1.5,
        Decimal("1.50"),
        b"\0\xff",
        bytearray(b"ab"),
        memoryview(b"c"),
        date(2024, 3, 1),
        datetime(2024, 3, 1, 12, 30, tzinfo=UTC),
        UUID(int=1),
        [1, "x"],
        Markup("<b>"),
    ]
    values = names.values(column)
    assert values == [
        None,
        "a",
        "true",
        "false",
        "12",
        "1.5",
        "1.50",
        "00ff",
        "6162",
        "63",
        "2024-03-01",
        "2024-03-01 12:30:00+00:00",
        "00000000-0000-0000-0000-000000000001",
        "[1, 'x']",
        "<b>",
    ]
    assert {type(value) for value in values} == {str, type(None)}


def test_an_integer_that_python_does_not_print_is_refused():
    with pytest.raises(FormatError, match="integer of 20001 bits"):
        compile_format("text", "de", "name").values([1 << 20_000])


@given(st.dates(), st.sampled_from(LOCALES), st.sampled_from(["short", "medium", "long"]))
def test_dates_read_as_babel_writes_them(day, locale, style):
    days = compile_format(f"date:{style}", locale, "day")
    assert days.texts([day, None, day]) == [
        format_date(day, style, locale),
        "",
        format_date(day, style, locale),
    ]


@given(st.dates(), st.sampled_from(LOCALES))
def test_months_read_as_babel_writes_them(day, locale):
    months = compile_format("month", locale, "month")
    text = format_skeleton("yMMMM", day, locale=locale)
    assert months.texts(months.values([day, None, day.isoformat()[:7]])) == [text, "", text]


def test_dates_are_taken_from_texts_dates_and_datetimes():
    days = compile_format("date", "en_US", "day")
    third = date(2024, 3, 3)
    assert days.values(["2024-03-03", "2024-03-03"]) == [third, third]
    assert days.values([third, None]) == [third, None]
    column = [
        None,
        "2024-03-03",
        "2024-03-03T23:59:59Z",
        "2024-03-03 10:00",
        third,
        datetime(2024, 3, 3, 23, 59, tzinfo=UTC),
    ]
    values = days.values(column)
    assert values == [None, *[third] * 5]
    assert {type(value) for value in values[1:]} == {date}
    assert days.values(["2024-03-03 10:00"]) == [third]
    assert list(map(type, days.values([None, third, datetime(2024, 3, 3, tzinfo=UTC)]))) == [
        type(None),
        date,
        date,
    ]
    assert days.texts(values[:2]) == ["", "Mar 3, 2024"]


def test_months_are_taken_from_texts_dates_and_datetimes():
    months = compile_format("month", "de", "month")
    assert months.values(["2024-03", "2024-03-05", date(2024, 3, 9)]) == ["2024-03"] * 3
    assert months.values([None, "2024-03-05 10:00", datetime(2024, 3, 9, tzinfo=UTC)]) == [
        None,
        "2024-03",
        "2024-03",
    ]
    assert months.texts(["2024-03", None]) == ["März 2024", ""]


@pytest.mark.parametrize("spec", ["date", "month"])
@pytest.mark.parametrize(
    "bad", ["", "2024-13", "2024-02-30", "03/05/2024", "today", "\ud800", 20240305, 1.5, True, b""]
)
@pytest.mark.parametrize(
    "good", [[], ["2024-03-05"], [None, date(2024, 3, 5)]], ids=["alone", "texts", "mixed"]
)
def test_what_is_no_date_is_refused(spec, bad, good):
    with pytest.raises(FormatError) as caught:
        compile_format(spec, "de", "day").values([*good, bad])
    error = caught.value
    assert (error.column, error.value, error.format) == ("day", bad, spec)


@given(st.dates())
def test_a_date_survives_its_state(day):
    days, months = compile_format("date", "de", "day"), compile_format("month", "de", "day")
    [month] = months.values([day])
    assert (days.load(days.dump(day)), months.load(months.dump(month))) == (day, month)


def test_a_memo_computes_once_and_never_holds_more_than_its_size():
    computed = []

    def double(n):
        computed.append(n)
        return 2 * n

    memo = Memo(double, size=3)
    sizes = []
    for n in [1, 2, 1, 3, 3, 4, 1]:
        assert memo[n] == 2 * n
        sizes.append(len(memo))
    assert (computed, sizes) == ([1, 2, 3, 4, 1], [1, 2, 2, 3, 3, 1, 2])
