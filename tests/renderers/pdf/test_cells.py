import json
import string

import pytest
import typst

from renderers.pdf.cells import CellColumn, ems, isolated, shown_text, texts_of

LRM = "\u200e"


def column(width, *samples, direction="ltr", figure=False, smallest=0.5):
    return CellColumn.of(width, direction, samples=samples, figure=figure, smallest=smallest)


def test_no_character_is_wider_than_estimated(tmp_path):
    letters = (
        "".join(map(chr, range(0xC0, 0x24F))) + "ابتثجحخدذرزسشصضطظعغفقكلمنهوي" + "אבגדהוזחטיכלמנסעפצקרשת"
    )
    chars = [*string.printable[:95], *letters, *"€£¥₹₪₺\xa0\u202f\u200e\u200f\u2212↩·\u2019،"]
    source = (
        '#set text(font: ("Libertinus Serif", "DejaVu Sans Mono"), size: 100pt, number-width: "tabular")\n'
        "#context [#metadata(json(bytes(sys.inputs.chars)).map(char => calc.max("
        "..(400, 600).map(weight => measure(text(weight: weight, char + char)).width / 2pt)))) <widths>]"
    )
    (tmp_path / "widths.typ").write_text(source)
    compiler = typst.Compiler(str(tmp_path / "widths.typ"), ignore_system_fonts=True)
    compiler.compile(format="pdf", sys_inputs={"chars": json.dumps(chars)})
    (found,) = json.loads(compiler.query("<widths>", field="value"))
    wrong = {
        char: (width, ems(char))
        for char, width in zip(chars, found, strict=True)
        if width / 100 > ems(char) + 1e-6
    }
    assert wrong == {}


def test_what_fits_is_a_text():
    texts = ["1.234,50 €", ""]
    assert column(5.0, "-8,8 €", figure=True).cells(texts) == (texts, set())
    assert column(5.0, "Mai 2024").cells(["Mai 2024"]) == (["Mai 2024"], set())


def test_wide_characters_count_even_if_there_are_few():
    months = ["WWW 2024", "iii 2024"]
    cells, long = column(4.0, *months).cells(months)
    assert cells == [{"text": "WWW 2024", "fit": True}, "iii 2024"]
    assert long == set()


def test_what_would_be_too_small_is_cut_between_groups_of_digits():
    cells, long = column(4.0, "1", figure=True).cells(["1,234", "123,456,789,012,345", "8" * 20])
    assert cells == [
        "1,234",
        {"text": "123,456,789,012,↩\n345", "fit": True, "dir": "ltr"},
        {"text": "88888888888888↩\n888888", "fit": True, "dir": "ltr"},
    ]
    assert long == set()


def test_signs_are_marked_from_right_to_left_only_and_in_figures_only():
    assert column(9.0, "-1", direction="rtl", figure=True).cells(["-1"])[0] == [f"{LRM}-1"]
    assert column(9.0, "-1", figure=True).cells(["-1"])[0] == ["-1"]
    assert column(9.0, "1-1", direction="rtl").cells(["1-1"])[0] == ["1-1"]


@pytest.mark.parametrize(
    ("page", "text", "own"),
    [
        ("ltr", "abc!", None),
        ("ltr", "abc שלום!", None),
        ("ltr", "שלום!", "rtl"),
        ("ltr", "(1) مرحبا", "rtl"),
        ("ltr", "1-2", None),
        ("rtl", "", None),
        ("rtl", " ", None),
        ("rtl", "שלום a!", None),
        ("rtl", "Miller & Sons", None),
        ("rtl", "INV-0001", None),
        ("rtl", "a א b", "ltr"),
        ("rtl", "a!", "ltr"),
        ("rtl", "(a", "ltr"),
        ("rtl", "+1 2-3", "ltr"),
    ],
)
def test_a_text_has_its_own_direction_where_it_would_be_read_wrong(page, text, own):
    expected = text if own is None else {"text": text, "dir": own}
    assert column(20.0, direction=page).cells([text]) == ([expected], set())
    mark = {None: "", "ltr": "\u2066", "rtl": "\u2067"}[own]
    assert isolated(text, page) == (f"{mark}{text}\u2069" if own else text)


def test_each_line_is_isolated():
    assert isolated("a!\nb", "rtl") == "\u2066a!\u2069\n\u2066b\u2069"


@pytest.mark.parametrize(
    ("width", "text", "cell"),
    [
        (20.0, "Total: 1,234", "Total: 1,234"),
        (4.0, "Total: 1,234", {"text": "1,234", "label": "Total:"}),
        (2.0, "Total: 1,234", {"text": "1,234", "label": "Tot\nal:", "fit": True}),
        (20.0, "Total", "Total"),
    ],
)
def test_a_label_gives_way_to_its_figure(width, text, cell):
    assert column(width, "-8", figure=True).labelled("Total", text) == ([cell], set())


def test_all_that_is_shown_is_told():
    assert texts_of(["a", {"text": "b", "fit": True}, {"text": "c", "label": "d"}]) == [
        "a",
        "b",
        "",
        "c",
        "d",
    ]


def test_a_text_too_long_ends_in_an_ellipsis():
    assert shown_text("abcdef", 5) == "abcd…"
    assert shown_text("abcde", 5) == "abcde"
