import pytest

from renderers.cli.errors import InputError
from renderers.cli.options import parse_formats, parse_key, parse_parameters


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["pdf"], ["pdf"]),
        (["pdf,html,heex,json"], ["pdf", "html", "heex", "json"]),
        (["json", "html"], ["json", "html"]),
        ([" pdf , html,"], ["pdf", "html"]),
        (["pdf,pdf", "pdf"], ["pdf"]),
    ],
)
def test_formats_are_taken_in_order_and_once(texts, names):
    assert parse_formats(texts) == names


@pytest.mark.parametrize("texts", [["docx"], ["pdf,docx"], ["PDF"], ["pdf html"], [""], [], [","]])
def test_formats_that_do_not_exist_are_refused_with_those_that_do(texts):
    with pytest.raises(InputError, match=r"^--format: .*: use one or more of heex, html, json, pdf, sep"):
        parse_formats(texts)


def test_key_columns_keep_their_order():
    assert parse_key(["b, a", "c"]) == ["b", "a", "c"]


@pytest.mark.parametrize("texts", [[], [""], [" , "]])
def test_key_without_a_column_is_refused(texts):
    with pytest.raises(InputError, match=r"^--key: no column given"):
        parse_key(texts)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("n=2024", 2024),
        ("n=-7", -7),
        ("n=1.5", 1.5),
        ("n=1e3", 1000.0),
        ("n=true", 1),
        ("n=false", 0),
        ("n=null", None),
        ("n=None", "None"),
        ("n=", ""),
        ('n="2024"', "2024"),
        ('n="say \\"hi\\""', 'say "hi"'),
        ("n=paid", "paid"),
        ("n=2024-03-01", "2024-03-01"),
        ("n=007", "007"),
        ("n=NaN", "NaN"),
        ("n=Infinity", "Infinity"),
        ("n=a=b", "a=b"),
        ("n=[1, 2]", "[1, 2]"),
        ('n={"a": 1}', '{"a": 1}'),
        ("n=" + "[" * 100_000, "[" * 100_000),
        ("n=9223372036854775807", 2**63 - 1),
        ("n=' OR 1=1 --", "' OR 1=1 --"),
    ],
)
def test_parameter_values_are_json_or_text(text, value):
    found = parse_parameters([text])["n"]
    assert (type(found), found) == (type(value), value)


def test_parameters_keep_their_names():
    assert parse_parameters(["first_day=1", "Z9=2"]) == {"first_day": 1, "Z9": 2}


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["year"], "must be NAME=VALUE, such as year=2024, got 'year'"),
        (["=2024"], "must be NAME=VALUE"),
        (["9=2024"], "must be NAME=VALUE"),
        (["a-b=1"], "must be NAME=VALUE"),
        (["é=1"], "must be NAME=VALUE"),
        ([" year=1"], "must be NAME=VALUE"),
        (["a=1", "a=2"], "'a' is given twice"),
        (["a=9223372036854775808"], "'a' has more than 64 bits"),
        (["a=1e999"], "'a' is too large a number"),
        (["a=\udcff"], "'a' is not valid UTF-8 text"),
        (['a="\\ud800"'], "'a' is not valid UTF-8 text"),
    ],
)
def test_parameters_that_cannot_be_bound_are_refused(texts, problem):
    with pytest.raises(InputError) as caught:
        parse_parameters(texts)
    assert str(caught.value).startswith(f"--param: {problem}")
