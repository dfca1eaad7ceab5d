import json
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderers.heex.encode import (
    attribute,
    comment,
    element_text,
    elixir_string,
    script_json,
    showable,
    style_string,
)

# What the compiler of LiveView 0.20, 1.0, 1.1 and 1.2 was seen to render as exactly the text of `codepoints`.
with Path(__file__).with_name("cases.jsonl").open(encoding="utf-8") as file:
    CASES = list(map(json.loads, file))

WAYS = {
    "attr": lambda text: f"<p title={attribute(text)}>x</p>",
    "comment": lambda text: f"<div><!-- {comment(text)} -->x</div>",
    "component_attr": lambda text: f"<.label text={{{elixir_string(text)}}} />",
    "curly_text": lambda text: f"<p>{{{elixir_string(text)}}}</p>",
    "expr_attr": lambda text: f"<p title={{{elixir_string(text)}}}>x</p>",
    "expr_text": lambda text: f"<p><%= {elixir_string(text)} %></p>",
    "pre": lambda text: f"<pre>\n{element_text(text)}</pre>",
    "script_json": lambda text: f'<script type="application/json">{script_json(text)}</script>',
    "slot_text": lambda text: f"<.box>{element_text(text)}</.box>",
    "style": lambda text: f"<style>.a::after{{content:{style_string(text)}}}</style>",
    "text": lambda text: f"<p>{element_text(text)}</p>",
    "textarea": lambda text: f"<textarea>\n{element_text(text)}</textarea>",
    "title": lambda text: f"<title>{element_text(text)}</title>",
}


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{number}-{case['context']}" for number, case in enumerate(CASES)]
)
def test_texts_are_written_as_the_compiler_was_seen_to_take_them(case):
    text = "".join(map(chr, case["codepoints"]))
    if "assigns" in case:
        assert showable(text) == case["assigns"]["v"]
    else:
        assert WAYS[case["context"]](text) == case["template"]


def test_there_are_cases_for_every_way():
    assert {case["context"] for case in CASES if "assigns" not in case} == set(WAYS)
    assert len(CASES) == 190


any_text = st.text(st.characters(exclude_categories=()), max_size=20)


@given(any_text)
def test_nothing_opens_a_tag_an_expression_or_a_quote(text):
    for written in (element_text(text), attribute(text)[1:-1]):
        assert not set("<>{}\r\0") & set(written)
        assert unescape(written.replace("&#13;", "\r")) == showable(text)
    assert not set("\"'\n\t") & set(attribute(text)[1:-1])
    assert not set("<>{}%#\"'&\n\r") & set(elixir_string(text)[1:-1])
    assert not set("<>&\u2028\u2029") & set(script_json(text)[1:-1])
    assert not set("<>{}&\"'\n%-") & set(style_string(text)[1:-1])
    assert not set("<>-\r") & set(comment(text))
    for written in (
        element_text(text),
        elixir_string(text),
        script_json(text),
        style_string(text),
        comment(text),
    ):
        written.encode()


@given(any_text)
def test_strings_read_back(text):
    shown = showable(text)
    assert json.loads(script_json(text)) == shown
    # Elixir's escapes of four digits are those of JSON.
    assert json.loads(elixir_string(shown)) == shown


def test_what_html_cannot_hold_is_replaced():
    assert showable("a\0b\ud83dc\udc00d\ud83d\ude00") == "a\ufffdb\ufffdc\ufffdd\ufffd\ufffd"
    assert showable("\x01\x1b\x7f\x80\ufeff\uffff😀\r\n") == "\x01\x1b\x7f\x80\ufeff\uffff😀\r\n"
