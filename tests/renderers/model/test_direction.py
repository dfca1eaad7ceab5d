import pytest

from renderers.model.direction import marked_figures
from renderers.model.formats import compile_format

LRM, RLM, NBSP = "\u200e", "\u200f", "\xa0"


@pytest.mark.parametrize(
    ("locale", "spec", "shown"),
    [
        ("ar", "integer", ["1,234", f"{LRM}-5"]),
        ("ar", "percent", ["123,400%", f"{LRM}-500%"]),
        ("ar", "currency:EUR", [f"{RLM}1,234.00{NBSP}€", f"{RLM}{LRM}-5.00{NBSP}€"]),
        (
            "ar",
            "currency:USD",
            [f"{RLM}1,234.00{RLM}{NBSP}US${LRM}", f"{RLM}{LRM}-5.00{RLM}{NBSP}US${LRM}"],
        ),
        (
            "he",
            "currency:AUD",
            [f"{RLM}1,234.00{RLM}{NBSP}{RLM}A${LRM}", f"{RLM}{LRM}-5.00{RLM}{NBSP}{RLM}A${LRM}"],
        ),
        ("fa", "currency:EUR", [f"{LRM}€{NBSP}1,234.00", f"{LRM}-{LRM}€{NBSP}5.00"]),
        ("ur", "currency:USD", ["$1,234.00", f"{LRM}-$5.00"]),
    ],
)
def test_signs_and_currencies_are_marked(locale, spec, shown):
    figures = compile_format(spec, locale, "a")
    assert marked_figures(figures.texts(figures.values([1234, -5]))) == shown


def test_marks_are_not_put_twice_and_nothing_stays_nothing():
    once = marked_figures(["", "-1", f"{RLM}-1{NBSP}US$", "\u22121"])
    assert once == ["", f"{LRM}-1", f"{RLM}{LRM}-1{RLM}{NBSP}US${LRM}", f"{LRM}\u22121"]
    assert marked_figures(once) == once
