import sys

import pytest

from renderers.cli.definitions import load_definition
from renderers.cli.errors import InputError

SALES = """\
from renderers.model import Column, Report, sum_of

AMOUNT = Column("amount", format="decimal")
SALES = Report("sales", columns=[Column("city"), AMOUNT], totals=[sum_of("amount")])
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty current folder; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith(("reports", "_report_", "own")):
            del sys.modules[name]


def problem(spec):
    with pytest.raises(InputError) as caught:
        load_definition(spec)
    assert caught.value.option == "--report"
    assert "\n" not in caught.value.problem
    return caught.value.problem


def test_a_module_of_the_current_folder(folder):
    (folder / "reports.py").write_text(SALES)
    found = load_definition("reports:SALES")
    assert (found.report.name, found.query, found.key) == ("sales", None, None)


def test_a_module_in_a_package(folder):
    (folder / "own").mkdir()
    (folder / "own" / "sales.py").write_text(SALES)
    assert load_definition("own.sales:SALES").report.name == "sales"


@pytest.mark.parametrize("name", ["reports.py", "./reports.py", "{folder}/reports.py"])
def test_a_file(folder, name):
    (folder / "reports.py").write_text(SALES)
    assert load_definition(f"{name.format(folder=folder)}:SALES").report.name == "sales"


def test_a_file_finds_the_modules_beside_it(folder):
    (folder / "own").mkdir()
    (folder / "own" / "own_columns.py").write_text(
        "from renderers.model import Column\nCITY = Column('city')\n"
    )
    (folder / "own" / "sales.py").write_text(
        "from own_columns import CITY\nfrom renderers.model import Report\n"
        "SALES = Report('s', columns=[CITY])\n"
    )
    assert load_definition("own/sales.py:SALES").report.columns[0].name == "city"


def test_a_file_may_be_called_like_our_own_package(folder):
    (folder / "renderers.py").write_text(SALES)
    assert load_definition("renderers.py:SALES").report.name == "sales"
    assert sys.modules["renderers"].__name__ == "renderers"
    assert not sys.modules["renderers"].__file__.startswith(str(folder))


def test_query_and_key_stand_beside_the_report(folder):
    (folder / "reports.py").write_text(SALES + 'QUERY = "SELECT 1"\nKEY = ["city", "id"]\n')
    found = load_definition("reports.py:SALES")
    assert (found.query, found.key) == ("SELECT 1", ("city", "id"))


def test_a_key_may_be_a_text_with_commas(folder):
    (folder / "reports.py").write_text(SALES + 'KEY = "city, id"\n')
    assert load_definition("reports.py:SALES").key == ("city", "id")


@pytest.mark.parametrize("spec", ["reports", ":SALES", "reports:", "reports:a.b", "reports:two words", ""])
def test_anything_else_is_no_place(spec):
    assert problem(spec) == f"must be MODULE:NAME or FILE.py:NAME, got {spec!r}"


def test_a_file_that_is_not_there():
    assert problem("nothing.py:SALES") == "no file 'nothing.py'"


def test_a_file_that_is_not_python(folder):
    (folder / "own").mkdir()
    (folder / "own" / "reports.txt").write_text(SALES)
    assert (
        problem("own/reports.txt:SALES") == "'own/reports.txt' is not a Python file: its name must end in .py"
    )


@pytest.mark.parametrize("name", ["nothing_here", "nothing_here.sales"])
def test_a_module_that_is_not_there(name):
    expected = "no module 'nothing_here' in the current folder or among the installed packages"
    assert problem(f"{name}:SALES") == expected


def test_a_part_of_a_package_that_is_not_there(folder):
    (folder / "own").mkdir()
    assert problem("own.sales:SALES").startswith("no module 'own.sales' in the current folder")


@pytest.mark.parametrize("name", ["..reports", "own..sales"])
def test_a_name_that_is_none(name):
    assert "module" in problem(f"{name}:SALES")


@pytest.mark.parametrize("spec", ["reports.py:SALES", "reports:SALES"])
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import nothing_here\n", "line 1: ModuleNotFoundError: No module named 'nothing_here'"),
        ("\n\n1 / 0\n", "line 3: ZeroDivisionError: division by zero"),
        ("def f():\n    raise ValueError\n\nf()\n", "line 2: ValueError"),
        ("import json\njson.loads('{')\n", "line 2: JSONDecodeError: Expecting property name enclosed in"),
        ("x = (1,\ny = 2\n", "line 1: SyntaxError: '(' was never closed"),
        ("if True:\nx = 1\n", "line 2: IndentationError: expected an indented block after 'if' statement"),
        ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
        ("raise ValueError('two\\nlines \\x1b[31m')\n", "line 1: ValueError: two lines \\x1b[31m"),
        (
            "from renderers.model import Report\nSALES = Report('sales', locale='xx')\n",
            "line 2: report 'sales': ",
        ),
    ],
)
def test_code_that_does_not_import_gives_reason_and_line(folder, spec, code, reason):
    (folder / "reports.py").write_text(code)
    assert problem(spec).startswith(f"reports.py, {reason}")


def test_a_syntax_error_in_a_module_beside_it_names_that(folder):
    (folder / "reports.py").write_text("import own_columns\n")
    (folder / "own_columns.py").write_text("\n1 +\n")
    assert problem("reports:SALES").startswith("own_columns.py, line 2: SyntaxError")


def test_code_that_is_not_utf8(folder):
    (folder / "reports.py").write_bytes(b"x = '\xff'\n")
    assert "SyntaxError" in problem("reports.py:SALES")


def test_a_name_that_is_not_in_it_gives_those_that_are(folder):
    (folder / "reports.py").write_text(SALES + "COSTS = Report('costs')\n")
    assert problem("reports.py:Sales") == "no Sales in reports.py; its reports: COSTS, SALES"


def test_a_module_without_reports(folder):
    (folder / "reports.py").write_text("")
    assert problem("reports:SALES") == "no SALES in reports; its reports: none"


def test_something_that_is_not_a_report(folder):
    (folder / "reports.py").write_text("SALES = {'name': 'sales'}\n")
    assert problem("reports:SALES") == "SALES in reports is not a Report but of type dict"


def test_none_is_not_a_report(folder):
    (folder / "reports.py").write_text("SALES = None\n")
    assert problem("reports:SALES") == "SALES in reports is not a Report but of type NoneType"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("QUERY = 7", "QUERY in reports.py must be a text, not of type int"),
        ("KEY = []", "KEY in reports.py must be a list of column names"),
        ("KEY = [1]", "KEY in reports.py must be a list of column names"),
        ("KEY = 7", "KEY in reports.py must be a list of column names"),
        ("KEY = ''", "KEY in reports.py must be a list of column names"),
    ],
)
def test_query_and_key_of_the_wrong_type(folder, line, expected):
    (folder / "reports.py").write_text(f"{SALES}{line}\n")
    assert problem("reports.py:SALES") == expected


def test_an_interrupt_is_not_the_modules_fault(folder):
    (folder / "reports.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_definition("reports.py:SALES")
