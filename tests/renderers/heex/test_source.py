from dataclasses import replace

import html5lib
import pytest

from renderers.heex.source import elixir_module, make_modules, make_template
from renderers.model import Column, Labels, Report, lay_out

HOSTILE = [
    "<script>alert(1)</script>",
    "{{ 7 * 7 }} {@x} } { <% x %> <%= 1 + 1 %> #{1 + 1} --%> $name ${title}",
    "\"quotes\" 'and' \\ back &amp; &lt;",
    "line\nline\r\nline\rend\ttab\u2028line",
    "bell\x07 escape\x1b delete\x7f",
    "nul\0 half \ud83d and \udc00",
    "right \u202eto left \u2066 שלום عربى",
    "emoji 👩‍👩‍👧",
]


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("sales", "SalesReport"),
        ("open_invoices", "OpenInvoicesReport"),
        ("report", "Report"),
        ("My-Report", "MyReport"),
        ("2024", "R2024Report"),
        ("a-1_b", "A1BReport"),
        ("URLs", "URLsReport"),
        ("-_-", "Report"),
    ],
)
def test_modules_have_names(name, module):
    assert elixir_module(name) == module
    files = make_modules(lay_out(Report(name), ("a",)))
    assert sorted(files) == [f"{name}.components.ex", f"{name}.ex", f"{name}.live.ex"]
    assert {source.partition(" do\n")[0] for source in files.values()} == {
        f"defmodule {module}",
        f"defmodule {module}.Components",
        f"defmodule {module}.Live",
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_literal_texts_read_back(text):
    report = Report(
        "r", title=text, columns=[Column("a", label=text), Column("b", label=text)], labels=Labels(empty=text)
    )
    template = make_template(lay_out(report, ("a", "b")))
    plain = make_template(
        lay_out(
            replace(
                report,
                title="T",
                columns=[Column("a", label="T"), Column("b", label="T")],
                labels=Labels(empty="T"),
            ),
            ("a", "b"),
        )
    )
    # The same braces and tags as with a plain text: nothing of it is markup or code.
    for mark in ("{", "}", "<", "<%", "%>", '="'):
        assert template.count(mark) == plain.count(mark)
    shown = "".join("\ufffd" if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in text)
    tree = html5lib.parse(template.partition("<tbody")[0], namespaceHTMLElements=False)
    assert [tree.find(".//h1").text, *(head.text for head in tree.iter("th"))] == [shown] * 3


def test_the_language_and_direction_are_those_of_the_locale():
    template = make_template(lay_out(Report("r", locale="he_IL"), ("a",)))
    assert template.startswith('<article class="report" lang="he-IL" dir="rtl">\n<h1>R</h1>\n')
