import pickle

import pytest

from renderers.model.formats import compile_format
from renderers.model.specs import Spec, parse_locale, parse_spec


@pytest.mark.parametrize(
    ("written", "parsed"),
    [
        ("text", Spec("text")),
        ("integer", Spec("integer")),
        ("decimal", Spec("decimal")),
        ("decimal:0", Spec("decimal", "0")),
        ("decimal:03", Spec("decimal", "3")),
        ("decimal:20", Spec("decimal", "20")),
        ("percent", Spec("percent")),
        ("percent:1", Spec("percent", "1")),
        ("currency:EUR", Spec("currency", "EUR")),
        ("date", Spec("date", "medium")),
        ("date:short", Spec("date", "short")),
        ("date:medium", Spec("date", "medium")),
        ("date:long", Spec("date", "long")),
        ("month", Spec("month")),
    ],
)
def test_specifications_are_taken_apart(written, parsed):
    assert parse_spec(written) == parsed


KNOWN = (
    "text, integer, decimal (or decimal:PLACES), percent (or percent:PLACES), currency:CODE, "
    "date (or date:short, date:medium, date:long) or month"
)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        *[
            (wrong, f"format {wrong!r} is unknown: use {KNOWN}")
            for wrong in (
                "",
                "Text",
                "money",
                "text:",
                "text:1",
                "integer:2",
                "month:long",
                "date:",
                "date:full",
                "date:medium ",
            )
        ],
        *[
            (wrong, f"format {wrong!r}: the places must be a number from 0 to 20")
            for wrong in (
                "decimal:",
                "decimal:x",
                "decimal:-1",
                "decimal:21",
                "decimal:\uff11",
                "percent:",
                "percent:1.5",
            )
        ],
        *[
            (
                f"currency:{code}",
                f"format 'currency:{code}': {code!r} is no ISO 4217 currency; write currency:EUR",
            )
            for code in ("", "eur", "EURO", "XYZ")
        ],
        ("currency", "format 'currency': '' is no ISO 4217 currency; write currency:EUR"),
    ],
)
def test_a_wrong_specification_is_refused_with_what_would_be_right(written, problem):
    with pytest.raises(ValueError, match="format") as caught:
        parse_spec(written)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    "name", ["", "xx", "english", "de_XX_YY", "de_DE.UTF-8", "de_DE@euro", "C", "\0", 5, None]
)
def test_an_unknown_locale_is_refused(name):
    with pytest.raises(ValueError, match="locale") as caught:
        parse_locale(name)
    assert str(caught.value) == f"locale {name!r} is unknown: use one such as 'en_US' or 'de'"


def test_locales_are_found_with_underscores_and_hyphens():
    assert [str(parse_locale(name)) for name in ("de", "de_CH", "de-CH", "zh-Hant-TW", "root")] == [
        "de",
        "de_CH",
        "de_CH",
        "zh_Hant_TW",
        "root",
    ]


@pytest.mark.parametrize(("spec", "locale"), [("colour", "de"), ("text", "xx"), ("decimal", "xx")])
def test_a_format_is_not_compiled_from_what_is_unknown(spec, locale):
    with pytest.raises(ValueError, match="is unknown: use"):
        compile_format(spec, locale, "amount")


ALL = [
    "text",
    "integer",
    "decimal",
    "decimal:3",
    "percent",
    "percent:2",
    "currency:EUR",
    "currency:JPY",
    "date",
    "date:short",
    "date:long",
    "month",
]


@pytest.mark.parametrize("spec", ALL)
def test_a_format_pickles_and_compares_by_what_it_was_made_from(spec):
    compiled = compile_format(spec, "de", "amount")
    again = pickle.loads(pickle.dumps(compiled))  # noqa: S301 - our own bytes
    assert (again, hash(again), repr(again)) == (compiled, hash(compiled), repr(compiled))
    assert compiled not in [
        compile_format(spec, "en", "amount"),
        compile_format(spec, "de", "other"),
        spec,
    ]


def test_figures_stand_at_the_end_of_their_cell_and_the_rest_at_the_start():
    found = {
        spec: (compile_format(spec, "en", "c").align, compile_format(spec, "en", "c").width) for spec in ALL
    }
    assert found == {
        "text": ("start", 3.0),
        "integer": ("end", 1.0),
        "decimal": ("end", 1.2),
        "decimal:3": ("end", 1.2),
        "percent": ("end", 1.2),
        "percent:2": ("end", 1.2),
        "currency:EUR": ("end", 1.2),
        "currency:JPY": ("end", 1.2),
        "date": ("start", 1.2),
        "date:short": ("start", 1.2),
        "date:long": ("start", 2.0),
        "month": ("start", 1.5),
    }
