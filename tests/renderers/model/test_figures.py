"""Our figures against Babel's own functions, which are slow but the reference."""

from copy import copy
from decimal import ROUND_UP, Context, Decimal, localcontext

import pytest
from babel import Locale, localedata
from babel.numbers import format_currency, format_decimal, format_percent, parse_pattern
from hypothesis import example, given
from hypothesis import strategies as st

from renderers.errors import FormatError
from renderers.model.formats import compile_format

LOCALES = ["en_US", "de", "fr", "sv", "ar", "hi", "ja", "pl", "de_CH", "en_IN", "tok", "en_US_POSIX", "bgn"]

# Babel rounds in the context of the thread: to 28 digits, if nobody asks for more.
WIDE = Context(prec=2_000)

figures = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9),
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=Decimal("-1e399"), max_value=Decimal("1e399")
    ).filter(lambda figure: figure.as_tuple().exponent > -300 and len(figure.as_tuple().digits) < 400),
    st.integers(-(10**300), 10**300).map(Decimal),
    st.sampled_from(
        [
            "0",
            "-0",
            "0.00",
            "-0.001",
            "0.005",
            "0.015",
            "0.025",
            "-2.5",
            "1.0005",
            "999.995",
            "-999.995",
            "1E+50",
            "-1E-50",
            "1234567.891",
            "-12345678901234567890123456789012345678.905",
        ]
    ).map(Decimal),
)
anywhere = st.sampled_from(LOCALES)


def shown(spec, locale, figure):
    return compile_format(spec, locale, "amount").texts([figure])[0]


@given(figures, anywhere, st.sampled_from(["EUR", "USD", "JPY", "BHD", "INR", "CHF", "EGP", "CLF", "XAU"]))
@example(Decimal("2.675"), "de_CH", "CHF")
@example(Decimal("-1234567.885"), "en_IN", "INR")
def test_amounts_read_as_babel_writes_them(figure, locale, currency):
    with localcontext(WIDE):
        expected = format_currency(figure, currency, locale=locale)
    assert shown(f"currency:{currency}", locale, figure) == expected


@given(figures, anywhere)
def test_decimals_read_as_babel_writes_them(figure, locale):
    with localcontext(WIDE):
        expected = format_decimal(figure, locale=locale)
    assert shown("decimal", locale, figure) == expected


def with_places(pattern, places):
    pattern = copy(pattern)
    pattern.frac_prec = (places, places)
    return pattern


@given(figures, anywhere, st.integers(0, 20))
def test_decimals_with_places_read_as_babel_writes_them(figure, locale, places):
    pattern = with_places(parse_pattern(Locale.parse(locale).decimal_formats[None]), places)
    with localcontext(WIDE):
        expected = pattern.apply(figure, locale)
    assert shown(f"decimal:{places}", locale, figure) == expected


@given(figures, anywhere)
def test_percentages_read_as_babel_writes_them(figure, locale):
    with localcontext(WIDE):
        expected = format_percent(figure, locale=locale)
    assert shown("percent", locale, figure) == expected


@given(figures, anywhere, st.integers(0, 20))
def test_percentages_with_places_read_as_babel_writes_them(figure, locale, places):
    pattern = with_places(parse_pattern(Locale.parse(locale).percent_formats[None]), places)
    with localcontext(WIDE):
        expected = pattern.apply(figure, locale)
    assert shown(f"percent:{places}", locale, figure) == expected


@given(st.integers(-(10**390), 10**390), anywhere)
def test_integers_read_as_babel_writes_them(number, locale):
    with localcontext(WIDE):
        expected = format_decimal(number, locale=locale)
    assert shown("integer", locale, number) == expected


def test_every_locale_of_babel_is_written_as_babel_writes_it():
    figures = [Decimal("1234567.125"), Decimal("-98765.4"), Decimal("-0.07"), Decimal(0)]
    names = sorted(localedata.locale_identifiers())
    ours = [
        compile_format(spec, name, "c").texts(figures)
        for name in names
        for spec in ("currency:EUR", "decimal", "percent")
    ]
    babel = [
        [write(figure, locale=name) for figure in figures]
        for name in names
        for write in (
            lambda figure, locale: format_currency(figure, "EUR", locale=locale),
            format_decimal,
            format_percent,
        )
    ]
    assert len(names) > 1_000
    assert ours == babel


def test_a_column_keeps_its_order_and_its_gaps():
    amounts = compile_format("currency:EUR", "de", "amount")
    values = amounts.values(["1234.5", None, -3, Decimal("1E+3"), 0.1, None])
    assert values == [Decimal("1234.5"), None, Decimal(-3), Decimal(1000), Decimal("0.1"), None]
    assert amounts.texts(values) == ["1.234,50\xa0€", "", "-3,00\xa0€", "1.000,00\xa0€", "0,10\xa0€", ""]
    assert (amounts.values([]), amounts.texts([])) == ([], [])
    assert amounts.texts(amounts.values((None, None))) == ["", ""]


def test_the_context_of_the_thread_changes_nothing():
    amounts = compile_format("currency:EUR", "en", "amount")
    with localcontext(Context(prec=3, rounding=ROUND_UP)):
        values = amounts.values(["12345678.901", 98765432])
        assert (values, amounts.texts(values)) == (
            [Decimal("12345678.901"), Decimal(98765432)],
            ["€12,345,678.90", "€98,765,432.00"],
        )


class Money(float):
    def __repr__(self):
        return "lots"


class Named(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (7, Decimal(7)),
        ("7.10", Decimal("7.10")),
        ("-1e3", Decimal("-1E+3")),
        (Named("5"), Decimal(5)),
        (0.1, Decimal("0.1")),
        (Money(2.675), Decimal("2.675")),
        (1.7976931348623157e308, Decimal("1.7976931348623157E+308")),
        (5e-324, Decimal("5E-324")),
    ],
)
def test_figures_are_taken_from_numbers_and_texts_exactly(raw, value):
    for column in ([raw], [None, raw]):
        found = compile_format("decimal", "en", "amount").values(column)[-1]
        assert (type(found), found.as_tuple()) == (Decimal, value.as_tuple())


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_becomes_the_decimal_that_reads_back_as_it(number):
    [value] = compile_format("decimal", "en", "amount").values([number])
    assert (float(value), value) == (number, Decimal(repr(number)))


BAD = [
    "",
    "abc",
    "1,5",
    " 1",
    "1_000",
    "NaN",
    "sNaN",
    "Infinity",
    "1e500",
    "1e-500",
    "9" * 401,
    "\0",
    "\ud800",
    True,
    b"1",
    (1,),
    10**401,
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("-Infinity"),
    Decimal("1E+401"),
    float("inf"),
    float("-inf"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: repr(bad)[:20])
@pytest.mark.parametrize("spec", ["currency:EUR", "decimal:2", "percent", "integer"])
@pytest.mark.parametrize("good", [[], ["1", 2], [None, "3", 4.0]], ids=["alone", "plain", "mixed"])
def test_what_is_no_figure_is_refused(bad, spec, good):
    with pytest.raises(FormatError) as caught:
        compile_format(spec, "de", "amount").values([*good, bad])
    error = caught.value
    assert (error.column, str(error.value), error.format) == ("amount", str(bad), spec)


def test_an_integer_too_long_to_print_is_refused_all_the_same():
    with pytest.raises(FormatError) as caught:
        compile_format("integer", "de", "amount").values([1 << 20_000])
    assert str(caught.value) == "column 'amount': cannot show 'integer of 20001 bits' as 'integer'"


def test_integers_are_ints_and_fractions_are_refused():
    numbers = compile_format("integer", "en_IN", "n")
    values = numbers.values(["12345678", 5, "7.00", Decimal("1E+2"), 3.0, None])
    assert [(type(value), value) for value in values] == [
        (int, 12345678),
        (int, 5),
        (int, 7),
        (int, 100),
        (int, 3),
        (type(None), None),
    ]
    assert numbers.texts(values) == ["1,23,45,678", "5", "7", "100", "3", ""]
    for bad in ("1.5", 0.5, Decimal("-1E-9")):
        with pytest.raises(FormatError):
            numbers.values([1, bad])


@given(figures)
def test_a_figure_survives_its_state(figure):
    amounts = compile_format("decimal", "de", "amount")
    assert amounts.load(amounts.dump(figure)).as_tuple() == figure.as_tuple()


@given(st.integers(-(10**500), 10**500))
def test_an_integer_survives_its_state(number):
    numbers = compile_format("integer", "de", "amount")
    assert numbers.load(numbers.dump(number)) == number
