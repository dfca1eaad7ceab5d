import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderers.json.texts import json_object, json_texts


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([], []),
        (["a"], ['"a"']),
        (["a", None, ""], ['"a"', "null", '""']),
        ([None, None], ["null", "null"]),
        (["], \n  [", ",\n  ", "\r\n"], ['"], \\n  ["', '",\\n  "', '"\\r\\n"']),
        (["\0\x1f\x7f", '"\\/'], ['"\\u0000\\u001f\x7f"', '"\\"\\\\/"']),
        (["half \ud83d", "\ude00", None, "whole 😀"], ['"half \ufffd"', '"\ufffd"', "null", '"whole 😀"']),
        (["\u2028\u202e", "<script>{{ %> %s %"], ['"\u2028\u202e"', '"<script>{{ %> %s %"']),
        ([1, -(10**400), 2**64], ["1", f"-1{'0' * 400}", "18446744073709551616"]),
        ([Decimal("1.50"), 3], ["1.50", "3"]),
        ([Decimal("-0.00"), None, Decimal("0.1")], ["-0.00", "null", "0.1"]),
        ([Decimal("1E+399"), Decimal("1E-399")], ["1E+399", "1E-399"]),
        ([date(2024, 3, 1), None, date(1, 1, 1)], ['"2024-03-01"', "null", '"0001-01-01"']),
        ((2**64, None, "x", Decimal("0.10")), ["18446744073709551616", "null", '"x"', "0.10"]),
    ],
)
def test_each_value_has_its_text(values, texts):
    assert json_texts(values) == texts


@given(
    st.lists(
        st.none()
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.decimals(allow_nan=False, allow_infinity=False)
    )
)
def test_values_come_back(values):
    for value, text in zip(values, json_texts(values), strict=True):
        read = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        assert repr(read) == repr(value)


def test_an_object():
    assert json_object({}) == "{}"
    assert json_object({'a"b': "1", "\ud800": "null"}) == '{"a\\"b":1,"\ufffd":null}'
