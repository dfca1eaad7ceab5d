"""Each Python example of README.md and docs/ runs, and each link between pages leads somewhere."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from renderers.demo import create_sample

ROOT = Path(__file__).parents[2]
NO_RUN = "<!-- no-run -->"
PRINTS = "<!-- prints -->"
"""Before a block of text: what the block of code before it prints."""

LOGS_ERROR = "<!-- logs-error -->"
"""Before a block of code: an error is logged, as the page says."""

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>.*)$")


@dataclass(frozen=True)
class Example:
    """A fenced block: where its first line stands, its language, its text and the comment before it."""

    line: int
    language: str
    text: str
    mark: str = ""


def examples_in(text):
    """The fenced blocks of a page, those with a language."""
    found = []
    fence = None
    mark_before = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = _FENCE.match(line)
        if fence is None and mark is not None:
            fence, start, body = mark, number, []
        elif fence is not None and mark is not None and mark["ticks"] == fence["ticks"] and not mark["info"]:
            language = fence["info"].strip()
            if language:
                found.append(Example(start + 1, language, "\n".join([*body, ""]), mark_before))
            fence, mark_before = None, ""
        elif fence is not None:
            body.append(line.removeprefix(fence["indent"]))
        elif line.strip():
            mark_before = line.strip() if line.strip() in {NO_RUN, PRINTS, LOGS_ERROR} else ""
    if fence is not None:
        raise ValueError(f"the block at line {start} has no end")
    return found


def pages():
    """README.md and all pages of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


PAGES = {str(path.relative_to(ROOT)): path for path in pages()}
_LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")
SAMPLE_ROWS = 300


def run_page(text, name, printed=lambda: None):
    """Run the examples of a page in their order, as a reader types them into one session.

    ``printed`` gives what was printed since it was called last.
    """
    module = ModuleType("example")
    module.__dict__["__file__"] = name
    sys.modules["example"] = module
    try:
        for example in examples_in(text):
            if example.mark == PRINTS:
                assert (example.line, printed()) == (example.line, example.text)
            elif example.language == "python" and example.mark != NO_RUN:
                printed()
                # With the lines before it, so that a traceback names the line of the page.
                exec(compile("\n" * (example.line - 1) + example.text, name, "exec"), module.__dict__)  # noqa: S102 - our own pages
    finally:
        del sys.modules["example"]


FAILING = {name for name, path in PAGES.items() if LOGS_ERROR in path.read_text().splitlines()}


@pytest.fixture
def run_examples(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(name):
        text = PAGES[name].read_text()
        make_input(text, tmp_path)
        run_page(text, str(PAGES[name]), lambda: capsys.readouterr().out)

    return run


def make_input(text, folder):
    """What the README's first command has made."""
    if "out/sample.sqlite" in text:
        (folder / "out").mkdir()
        create_sample(folder / "out" / "sample.sqlite", rows=SAMPLE_ROWS)


@pytest.mark.parametrize("name", sorted(PAGES.keys() - FAILING))
def test_examples_run(name, run_examples):
    run_examples(name)


@pytest.mark.parametrize("name", sorted(FAILING))
def test_examples_that_log_an_error_run(name, run_examples, expected_errors):
    run_examples(name)
    assert all(record.event == "stage failed" for record in expected_errors)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files(name):
    page = PAGES[name]
    missing = [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


PAGE = """\
# Title

```python
first = 1
```

```sh
exit 1
```

<!-- no-run -->

```python
raise SystemExit
```

```text
no code
```

1. In a list:

   ```python
   second = first + 1
   raise ValueError(second)
   ```
"""


def test_examples_are_found():
    found = [(each.line, each.language, each.text, each.mark) for each in examples_in(PAGE)]
    assert found == [
        (4, "python", "first = 1\n", ""),
        (8, "sh", "exit 1\n", ""),
        (14, "python", "raise SystemExit\n", NO_RUN),
        (18, "text", "no code\n", ""),
        (24, "python", "second = first + 1\nraise ValueError(second)\n", ""),
    ]
    with pytest.raises(ValueError, match=r"^the block at line 2 has no end$"):
        examples_in("x\n```python\n1\n")


def test_a_failing_example_names_its_line():
    with pytest.raises(ValueError, match=r"^2$") as caught:
        run_page(PAGE, "page.md")
    last = caught.traceback[-1]
    assert (str(last.path).endswith("page.md"), last.lineno + 1) == (True, 25)


def test_what_a_page_says_is_printed_is_compared(capsys):
    page = "```python\nprint(1)\n```\n\n<!-- prints -->\n\n```text\n2\n```\n"
    run_page(page.replace("2", "1"), "page.md", lambda: capsys.readouterr().out)
    with pytest.raises(AssertionError, match=r"'1\\n'.*'2\\n'"):
        run_page(page, "page.md", lambda: capsys.readouterr().out)


def test_the_readme_begins_with_two_commands_of_one_line():
    commands = [each for each in examples_in(PAGES["README.md"].read_text()) if each.language == "sh"][:2]
    assert [each.text.count("\n") for each in commands] == [1, 1]
    assert commands[0].text.rstrip().endswith("genstage demo")
    assert '-m "not nightly"' in commands[1].text
