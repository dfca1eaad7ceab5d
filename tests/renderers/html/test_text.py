import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderers.html.text import css_string, escaped_column, fit, isolated

any_text = st.text(st.characters(codec=None) | st.sampled_from("\0\r\n\t\f<&\"'\ud800\ufdd0\U0001ffff"))


def held(text):
    """What HTML can hold of a text, character by character."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join("\ufffd" if is_unfit(ord(char)) else char for char in lines)


def is_unfit(point):
    control = point < 0x20 or 0x7F <= point < 0xA0
    surrogate = 0xD800 <= point < 0xE000
    noncharacter = point & 0xFFFE == 0xFFFE or 0xFDD0 <= point < 0xFDF0
    return (control and chr(point) not in "\t\n\f") or surrogate or noncharacter


def test_every_character_is_kept_or_replaced():
    everything = "".join(char for char in map(chr, range(0x11_0000)) if char != "\r")
    assert fit(everything) == held(everything)


@given(any_text)
def test_a_fit_text_can_be_written(text):
    assert fit(text) == held(text)
    assert fit(text).encode().decode() == held(text)


@given(st.lists(any_text, min_size=1, max_size=8))
def test_a_parser_reads_the_texts_of_a_column(texts):
    cells = "".join(f"<p>{text}</p>" for text in escaped_column(texts))
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    body = parser.parse(f"<!DOCTYPE html><title>t</title><body>{cells}").find("body")
    assert [cell.text or "" for cell in body] == list(map(held, texts))


@pytest.mark.parametrize(
    ("texts", "escaped"),
    [
        ([""], [""]),
        (["", ""], ["", ""]),
        (["\0"], ["\ufffd"]),
        (["a\0b", "\0", "c\r"], ["a\ufffdb", "\ufffd", "c\n"]),
        (["a\r", "\nb"], ["a\n", "\nb"]),
        (["<&>", "\"'"], ["&lt;&amp;&gt;", "&#34;&#39;"]),
        (["{0} {} %s", "&amp;"], ["{0} {} %s", "&amp;amp;"]),
    ],
)
def test_columns_are_escaped(texts, escaped):
    assert escaped_column(texts) == escaped


@pytest.mark.parametrize(
    ("direction", "wrapped"),
    [
        ("ltr", ["שלום!", "مرحبا 1", "a א", "\u202ea", "\U0001e900"]),
        ("rtl", ["Bonn!", "Łódź", "Ελλάς", "漢字", "a א", "&amp;", "+49 30 12-3"]),
    ],
)
def test_texts_in_the_other_direction_choose_their_own(direction, wrapped):
    plain = {
        "ltr": ["", "Łódź", "漢字 (1)", "😀"],
        "rtl": ["", "שלום!", "مرحبا", "- [] {} «»", "…"],
    }
    assert isolated(plain[direction], direction) == plain[direction]
    both = [*plain[direction], *wrapped, ""]
    assert isolated(both, direction) == [f"<bdi>{text}</bdi>" if text in wrapped else text for text in both]


def test_a_text_in_a_style_sheet_cannot_end_it():
    assert css_string("Page 1") == "Page 1"
    assert css_string('"; } </style>\n\\é\0') == r"\22 \3b  \7d  \3c \2f style\3e \a \5c \e9 \fffd "
