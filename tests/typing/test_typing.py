"""What ``mypy --strict`` says of programs that use the package, line by line.

A line that is to be refused says so by a comment, with the codes: ``# refused: arg-type``. All other lines
are to be accepted, those with ``assert_type`` included.
"""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).parents[2]
SNIPPETS = sorted((Path(__file__).parent / "snippets").glob("*.py"))

_TOLD = re.compile(r"^(?P<file>.*?):(?P<line>\d+): error: .*  \[(?P<code>[a-z-]+)\]$")
_EXPECTED = re.compile(r"# refused: (?P<codes>[a-z, -]+)$")


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """Check programs, in a folder of their own; what is found out about the package is kept for the next."""
    folder = tmp_path_factory.mktemp("typing")

    def told(*programs):
        copies = [shutil.copy(program, folder) for program in programs]
        options = [
            "--strict",
            "--config-file",
            "",
            "--cache-dir",
            str(folder / "cache"),
            "--no-error-summary",
        ]
        out, failure, _ = api.run([*options, *copies])
        assert failure == ""
        found = {Path(copy).name: Counter() for copy in copies}
        for line in out.splitlines():
            error = _TOLD.match(line)
            assert error or ": note: " in line, line
            if error:
                found[Path(error["file"]).name][int(error["line"]), error["code"]] += 1
        return found

    return told


@pytest.fixture(scope="module")
def told(check):
    """What is refused in each snippet: checked in one go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYPATH", str(ROOT))
        return check(*SNIPPETS)


def expected(text):
    """The lines that are to be refused, with their codes."""
    return Counter(
        (number, code)
        for number, line in enumerate(text.splitlines(), 1)
        if (comment := _EXPECTED.search(line))
        for code in comment["codes"].split(", ")
    )


@pytest.mark.parametrize("snippet", [path.name for path in SNIPPETS])
def test_what_is_wrong_is_refused_and_nothing_else(told, snippet):
    text = next(path.read_text() for path in SNIPPETS if path.name == snippet)
    assert expected(text)
    assert told[snippet] == expected(text)


def test_a_line_that_is_wrong_and_does_not_say_so_is_noticed(check, tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("number: int = 'one'\nletter: str = 'a'  # refused: assignment\n")
    assert check(wrong) == {"wrong.py": Counter({(1, "assignment"): 1})}
    assert expected(wrong.read_text()) == Counter({(2, "assignment"): 1})
