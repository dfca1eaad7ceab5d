import json
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from functools import reduce

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from renderers.model.formats import compile_format
from renderers.model.totals import tally

INTEGER = compile_format("integer", "en", "n")
AMOUNT = compile_format("currency:EUR", "en", "amount")
TEXT = compile_format("text", "en", "name")
DAY = compile_format("date", "en", "day")

amounts = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**30), max_value=10**30)


def over(function, column, parts):
    """The result over several parts, with the state sent through JSON after each."""
    kind = tally(function, column)
    state = kind.dump(kind.empty)
    for part in parts:
        found = kind.joined(kind.load(json.loads(json.dumps(state))), kind.of(part))
        state = kind.dump(found)
    return kind.result(kind.load(state))


def shown(function, column, parts):
    return tally(function, column).format.texts([over(function, column, parts)])[0]


def test_each_function_with_its_format():
    parts = [[1, 2], [2]]
    assert {name: (over(name, INTEGER, parts), shown(name, INTEGER, parts)) for name in FUNCTIONS} == {
        "sum": (5, "5"),
        "count": (3, "3"),
        "average": (Decimal("1.66666666666666666666666666666"), "1.667"),
        "min": (1, "1"),
        "max": (2, "2"),
    }
    cents = [[Decimal("0.10"), Decimal("0.20")], [Decimal(-5)]]
    assert {name: shown(name, AMOUNT, cents) for name in FUNCTIONS} == {
        "sum": "-€4.70",
        "count": "3",
        "average": "-€1.57",
        "min": "-€5.00",
        "max": "€0.20",
    }


FUNCTIONS = ("sum", "count", "average", "min", "max")


def test_texts_and_dates_are_counted_and_compared():
    texts = [["b", "ä\ud800"], ["a"]]
    assert [over(name, TEXT, texts) for name in ("count", "min", "max")] == [3, "a", "ä\ud800"]
    days = [[date(2024, 3, 1)], [date(1999, 1, 1)]]
    assert [over(name, DAY, days) for name in ("count", "min", "max")] == [
        2,
        date(1999, 1, 1),
        date(2024, 3, 1),
    ]


def test_nothing_has_a_sum_and_a_count_but_no_average_or_extremes():
    assert [over(name, AMOUNT, []) for name in FUNCTIONS] == [Decimal(0), 0, None, None, None]
    assert type(over("sum", INTEGER, [])) is int


@given(st.lists(amounts, min_size=1), st.integers(1, 5), st.sampled_from(FUNCTIONS))
def test_parts_do_not_matter(figures, size, function):
    parts = [figures[start : start + size] for start in range(0, len(figures), size)]
    whole, apart = over(function, AMOUNT, [figures]), over(function, AMOUNT, parts)
    assert repr(apart) == repr(whole)


@pytest.mark.parametrize("function", ["min", "max"])
def test_of_equal_values_the_first_stays(function):
    equal = [Decimal("1.0"), Decimal("1.00"), Decimal(1)]
    assert [repr(over(function, AMOUNT, parts)) for parts in ([equal], [[each] for each in equal])] == [
        "Decimal('1.0')",
        "Decimal('1.0')",
    ]


@given(st.lists(amounts, min_size=1))
def test_sums_are_exact_in_any_context(figures):
    with localcontext(Context(prec=2)):
        found = over("sum", AMOUNT, [figures])
    assert Fraction(found) == sum(map(Fraction, figures))


def test_a_sum_holds_figures_of_all_sizes():
    extremes = [Decimal("9e399"), Decimal("1e-399"), Decimal("-9e399")]
    assert over("sum", AMOUNT, [extremes, extremes]) == Decimal("2e-399")


@given(st.lists(amounts, min_size=1), st.integers(0, 20))
@example([Decimal("0.005"), Decimal(0)], 3)
@example([Decimal("0.005"), Decimal("0.005"), Decimal("0.00499999999999999999999999999999999")], 2)
def test_an_average_is_rounded_once(figures, places):
    column = compile_format(f"decimal:{places}", "en_US_POSIX", "n")  # figures without groups
    text = shown("average", column, [figures])
    exact = reduce(Fraction.__add__, map(Fraction, figures)) / len(figures)
    # Fraction rounds half to even, exactly.
    expected = round(exact * 10**places)
    scaled = Decimal(text).scaleb(places, Context(prec=100, rounding=ROUND_HALF_EVEN))
    assert scaled == expected


@pytest.mark.parametrize(
    ("figures", "average"),
    [(["1", "2"], "1.5"), (["0.10", "0.20"], "0.15"), (["1e50", "3"], "5" + "0" * 48 + "1.5")],
)
def test_an_average_with_few_digits_is_exact(figures, average):
    assert over("average", AMOUNT, [list(map(Decimal, figures))]) == Decimal(average)
