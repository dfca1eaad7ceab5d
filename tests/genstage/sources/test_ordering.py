import pytest

from genstage import OptionError
from genstage.sources.ordering import KeyColumn, behind, order_by, parse_key, quoted


def predicate(key, values):
    bound = []

    def bind(value):
        bound.append(value)
        return f"?{len(bound)}"

    return behind(parse_key(key), values, bind), bound


def test_directions_are_read_from_the_end_of_an_entry():
    assert parse_key(["a", "b desc", "c ASC", "d  Desc", "unit price", "unit price 2 desc", "desc"]) == (
        KeyColumn("a"),
        KeyColumn("b", descending=True),
        KeyColumn("c"),
        KeyColumn("d", descending=True),
        KeyColumn("unit price"),
        KeyColumn("unit price 2", descending=True),
        KeyColumn("desc"),
    )


@pytest.mark.parametrize("key", ["line_id", "", [], (), None, [""], [" "], [1], ["a", None], ["a", "a desc"]])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(OptionError) as caught:
        parse_key(key)
    assert caught.value.option == "key"


def test_names_are_quoted():
    assert quoted('a "b"') == '"a ""b"""'
    assert order_by(parse_key(['a"', "b desc"])) == '"a""", "b" DESC'


def test_one_column():
    assert predicate(["a"], [7]) == ('"a" >= ?1 AND ("a" > ?2)', [7, 7])
    assert predicate(["a"], [None]) == ('("a" IS NOT NULL)', [])
    assert predicate(["a desc"], [7]) == ('("a" < ?1 OR "a" IS NULL)', [7])
    assert predicate(["a desc"], [None]) == ("(0)", [])


def test_columns_are_nested():
    assert predicate(["a", "b desc", "c"], ["x", None, 3]) == (
        '"a" >= ?1 AND ("a" > ?2 OR "a" = ?3 AND ("b" IS NULL AND ("c" > ?4)))',
        ["x", "x", "x", 3],
    )
    assert predicate(["a desc", "b"], ["x", None]) == (
        '("a" < ?1 OR "a" IS NULL OR "a" = ?2 AND ("b" IS NOT NULL))',
        ["x", "x"],
    )
