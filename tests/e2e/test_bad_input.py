"""What the real command makes of input that is wrong, empty or hostile."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import html5lib
import pypdfium2
import pytest

from genstage.sources import sqlite as sqlite_source

REPORTS = """\
from renderers import Column, Group, Report, sum_of

SALES = Report(
    "sales",
    columns=[Column("item"), Column("amount", format="decimal")],
    groups=[Group("city")],
    totals=[sum_of("amount")],
)
WRONG = Report("wrong", columns=[Column("price")])
NOTHING = {"name": "sales"}
QUERY = "SELECT * FROM sales"
KEY = ["city", "id"]
"""
BROKEN = "from renderers import Report\n\nSALES = Report('sales', locale='xx_YY')\n"
ROWS = 3000

# Root reads and writes everything, unless it is started with less (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH).
AS_ANYBODY = """
import ctypes, os, sys
for capability in (1, 2):
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "renderers", *sys.argv[1:]])
"""
# Python ignores SIGXFSZ: a file that grows too long is an error like that of a full disk.
WITH_SHORT_FILES = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
os.execv(sys.executable, [sys.executable, "-m", "renderers", *sys.argv[1:]])
"""

pytestmark = pytest.mark.process


class Done:
    """The command has ended."""

    def __init__(self, completed):
        self.code = completed.returncode
        self.out = completed.stdout
        self.lines = completed.stderr.splitlines()


@pytest.fixture
def folder(tmp_path):
    """A folder with a database and reports on it."""
    (tmp_path / "reports.py").write_text(REPORTS)
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "text.sqlite").write_text("This is no database, but a text. " * 100)
    (tmp_path / "empty.sqlite").write_bytes(b"")
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "closed").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "sales.html").mkdir()
    make_sales(tmp_path / "sales.sqlite", [(f"item {number}", number / 4) for number in range(ROWS)])
    return tmp_path


def make_sales(path, rows):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE sales (id INTEGER PRIMARY KEY, city TEXT, item TEXT, amount)")
        connection.executemany(
            "INSERT INTO sales VALUES (?, ?, ?, ?)",
            ((number, f"City {number // 1000}", *row) for number, row in enumerate(rows)),
        )
        connection.commit()


@pytest.fixture
def genstage(folder):
    """Runs the command in the folder."""

    def run(*arguments, start=("-m", "renderers")):
        # Coverage would write files of its own, also where files may not grow.
        unwanted = ("GENSTAGE_SOURCE", "COVERAGE")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        completed = subprocess.run(
            [sys.executable, "-B", *start, *arguments],
            cwd=folder,
            env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return Done(completed)

    return run


@pytest.fixture
def report(genstage):
    """Runs a report; an option given again takes the place of the usual one."""

    def run(*options, start=("-m", "renderers")):
        usual = {"--source": "sqlite:///sales.sqlite", "--report": "reports:SALES", "--out": "out"}
        given = set(options)
        rest = [text for name, value in usual.items() if name not in given for text in (name, value)]
        return genstage("report", *rest, *options, start=start)

    return run


def everything(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if os.access(path, os.R_OK)
    }


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--source", "sqlite:///no.sqlite"],
            "--source: no.sqlite: cannot be read: No such file or directory",
        ),
        (["--source", "sqlite:///full"], "--source: full: is not a file"),
        (["--source", "sqlite:///text.sqlite"], "--source: text.sqlite: is not an SQLite database"),
        (
            ["--source", "sqlite:///empty.sqlite"],
            "--source: empty.sqlite: the query fails: no such table: sales",
        ),
        (["--source", "sales.sqlite"], "--source: must be a URL such as sqlite:///FILE, got 'sales.sqlite'"),
        (
            ["--source", "mysql://me:secret@host/x"],
            "--source: must be a URL such as sqlite:///FILE, got 'mysql://me:***@host",
        ),
        (
            ["--query", "SELECT * FROM absent"],
            "--source: sales.sqlite: the query fails: no such table: absent",
        ),
        (
            ["--query", "SELECT price FROM sales"],
            "--source: sales.sqlite: the query fails: no such column: price",
        ),
        (
            ["--query", "SELEKT *\nFROM sales"],
            '--source: sales.sqlite: the query fails: near "SELEKT": syntax error',
        ),
        (["--query", "DELETE FROM sales"], "--source: sales.sqlite: the query must be one SELECT"),
        (["--query", "SELECT 1; SELECT 2"], "--source: sales.sqlite: the query must be one SELECT"),
        (
            ["--query", "SELECT * FROM sales WHERE id > :least"],
            "--source: sales.sqlite: the parameters do not fit",
        ),
        (
            ["--param", "least=1"],
            "--source: sales.sqlite: the parameters do not fit the query: it has no :least, nor any other",
        ),
        (
            ["--query", "SELECT * FROM sales WHERE id > ?", "--param", "least=1"],
            "--source: sales.sqlite: the parameters do not fit the query: they have names, but it has a ",
        ),
        (["--query", ""], "--source: sales.sqlite: "),
        (
            ["--key", "city,number"],
            "--source: sales.sqlite: key column 'number': the query has no such column",
        ),
        (["--key", "id"], "--report: report 'sales': group 'city': the source orders its records by 'id'; "),
        (["--key", ","], "--key: no column given"),
        (["--param", "year"], "--param: must be NAME=VALUE, such as year=2024, got 'year'"),
        (
            ["--format", "html,docx"],
            "--format: unknown format 'docx': use one or more of heex, html, json, pdf",
        ),
        (["--format", ""], "--format: no format given: use one or more of heex, html, json, pdf"),
        (["--out", "file"], "--out: file: Not a directory"),
        (["--out", "file/out"], "--out: file/out: Not a directory"),
        (["--out", "/proc/out"], "--out: /proc/out: "),
        (["--out", "full"], "--out: full/sales.html: is a folder; remove it or choose another name"),
        (["--report", "reports"], "--report: must be MODULE:NAME or FILE.py:NAME, got 'reports'"),
        (["--report", "nowhere:SALES"], "--report: no module 'nowhere' in the current folder or among"),
        (["--report", "nowhere.py:SALES"], "--report: no file 'nowhere.py'"),
        (["--report", "broken:SALES"], "--report: broken.py, line 3: report 'sales': "),
        (["--report", "broken.py:SALES"], "--report: broken.py, line 3: report 'sales': "),
        (["--report", "reports:SALE"], "--report: no SALE in reports; its reports: SALES, WRONG"),
        (["--report", "reports:NOTHING"], "--report: NOTHING in reports is not a Report but of type dict"),
        (["--report", "reports:WRONG"], "--report: report 'wrong': "),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(folder, report, options, line):
    before = everything(folder)
    done = report(*options)
    assert (done.code, done.out, len(done.lines)) == (2, "", 1), done.lines
    assert done.lines[0].startswith(f"genstage: {line}")
    assert everything(folder) == before


def test_a_report_without_a_query_or_a_key(folder, report):
    (folder / "bare.py").write_text("from renderers import Report\nBARE = Report('bare')\n")
    done = report("--report", "bare:BARE")
    assert (done.code, done.lines) == (
        2,
        ["genstage: --query: is missing, and so is QUERY beside the report bare:BARE"],
    )
    done = report("--report", "bare:BARE", "--query", "SELECT * FROM sales")
    assert (done.code, done.lines) == (
        2,
        ["genstage: --key: is missing, and so is KEY beside the report bare:BARE"],
    )


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("sales.sqlite", [], "--source: sales.sqlite: cannot be read: Permission denied"),
        ("closed", ["--out", "closed"], "--out: closed: Permission denied"),
        ("closed", ["--out", "closed/new/folder"], "--out: closed/new/folder: Permission denied"),
        ("reports.py", ["--report", "reports.py:SALES"], "--report: reports.py: PermissionError: "),
    ],
)
def test_what_may_not_be_read_or_written(folder, report, name, options, line):
    before = everything(folder)
    (folder / name).chmod(0o500 if name == "closed" else 0)
    done = report(*options, start=("-c", AS_ANYBODY))
    (folder / name).chmod(0o700)
    assert (done.code, done.out, len(done.lines)) == (2, "", 1), done.lines
    assert done.lines[0].startswith(f"genstage: {line}")
    assert everything(folder) == before


def check_failure(done, folder, reason, *, old):
    """It failed with its reason in the last line, no output shows, and what was there is as it was."""
    assert (done.code, done.out) == (1, ""), done.lines
    assert done.lines[-1].startswith(f"genstage: {reason}")
    assert {file.name: file.read_bytes() for file in (folder / "out").iterdir()} == old


@pytest.fixture
def old(folder):
    """What an earlier run has left in the output folder."""
    files = {"sales.html": b"old page", "sales.json": b"old data"}
    (folder / "out").mkdir()
    for name, data in files.items():
        (folder / "out" / name).write_bytes(data)
    return files


def test_a_value_that_cannot_be_shown(folder, report, old):
    make_sales(folder / "bad.sqlite", [("good", 1)] * 2500 + [("bad", "no\nnumber")])
    done = report("--source", "sqlite:///bad.sqlite")
    check_failure(
        done, folder, "column 'amount': cannot show 'no\\nnumber' as 'decimal' in record 2,501 (", old=old
    )
    assert not [line for line in done.lines[:-1] if "info reading" not in line]  # it is said once


def test_a_key_that_does_not_tell_records_apart(folder, report, old):
    done = report("--key", "city")
    check_failure(done, folder, "source sales.sqlite: the key does not tell records apart", old=old)


def test_a_renderer_that_raises_in_the_middle(folder, report, old):
    (folder / "raising.py").write_text(
        REPORTS
        + "from renderers.html.consumer import HtmlConsumer\n"
        + "whole = HtmlConsumer.consume_chunk\n"
        + "def fail_late(self, chunk, state, output):\n"
        + "    if chunk.last > 2000:\n"
        + "        raise ValueError('no more\\nchunks')\n"
        + "    return whole(self, chunk, state, output)\n"
        + "HtmlConsumer.consume_chunk = fail_late\n"
    )
    done = report("--report", "raising:SALES")
    check_failure(done, folder, "html: ValueError: no more chunks", old=old)
    assert "Traceback (most recent call last):" in done.lines
    assert any("in fail_late" in line for line in done.lines)


def test_the_stack_is_in_the_log_where_the_log_is_json(folder, report, old):
    make_sales(folder / "bad.sqlite", [("bad", "no number")])
    done = report("--source", "sqlite:///bad.sqlite", "--log-format", "json")
    last = json.loads(done.lines[-1])
    assert (done.code, last["level"], last["exit_code"]) == (1, "error", 1)
    assert last["event"] == (
        "column 'amount': cannot show 'no number' as 'decimal' in record 1 (city 'City 0', id 0)"
    )
    assert "FormatError" in last["exception"]
    assert all(isinstance(json.loads(line), dict) for line in done.lines)
    assert {file.name: file.read_bytes() for file in (folder / "out").iterdir()} == old


@pytest.mark.parametrize("formats", ["html", "json", "heex", "pdf", "pdf,html,heex,json"])
def test_files_that_grow_too_long(folder, report, old, formats):
    done = report("--format", formats, start=("-c", WITH_SHORT_FILES))
    assert "File too large" in done.lines[-1]
    check_failure(done, folder, "", old=old)
    assert not [line for line in done.lines if "Traceback" in line]


@pytest.fixture
def small_disk(folder):
    """A disk of 300 kB as the output folder."""
    (folder / "out").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder / "out")]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk to fill: {done.stderr.strip()}")
    yield
    subprocess.run(["umount", str(folder / "out")], check=True)


@pytest.mark.usefixtures("small_disk")
def test_a_disk_that_is_full(folder, report):
    done = report()
    assert "No space left on device" in done.lines[-1]
    check_failure(done, folder, "", old={})


@pytest.mark.usefixtures("small_disk")
def test_a_disk_that_is_full_of_a_sample(folder, genstage):
    done = genstage("demo", "--rows", "50000", "--out", "out")
    assert done.code == 1
    assert done.lines[-1] == "genstage: output out/sample.sqlite: database or disk is full"
    assert list((folder / "out").iterdir()) == []


def outputs(folder, name="sales"):
    """What the four formats hold: JSON records, HTML cells, PDF text."""
    out = folder / "out"
    records = json.loads((out / f"{name}.json").read_bytes())["records"]
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(
        (out / f"{name}.html").read_bytes()
    )
    with pypdfium2.PdfDocument(out / f"{name}.pdf") as document:
        texts = []
        for sheet in document:
            text = sheet.get_textpage()
            texts.append(text.get_text_range())
            text.close()
            sheet.close()
    assert (out / f"{name}.heex").stat().st_size
    return records, page, " ".join(texts)


def test_no_rows_make_valid_documents(folder, report):
    done = report("--query", "SELECT * FROM sales WHERE id < 0")
    assert done.code == 0, done.lines
    records, page, text = outputs(folder)
    assert records == []
    assert "No records" in "".join(page.itertext())
    assert "No records" in text


def test_nothing_in_every_column(folder, report):
    done = report("--query", "SELECT id, NULL AS city, NULL AS item, NULL AS amount FROM sales LIMIT 3")
    assert done.code == 0, done.lines
    records, page, text = outputs(folder)
    assert [(record["city"], record["item"], record["amount"]) for record in records] == [
        (None, None, None)
    ] * 3
    assert "City: (none)" in "".join(page.itertext())
    assert "City: (none)" in text


HOSTILE = [
    "<script>alert(1)</script>",
    "{{ 7 * 7 }} {% x %}",
    "<%= System.halt() %> <%% {@x} </.table>",
    "#set page(width: 1pt) $x$ *bold* _it_ `raw` @ref // \\",
    "\"double\" 'single' `back`",
    "two\nlines\r\nand\ttabs",
    "null \x00 bell \x07 escape \x1b[31m",
    "right \u202e to left אבג",
    "emoji 😀 👩\u200d👧",
    "' OR 1=1; DROP TABLE sales; --",
    '=HYPERLINK("http://x")',
    "x" * 1_000_000,
]


def test_hostile_texts_are_data(folder, report):
    make_sales(folder / "hostile.sqlite", [(text, 1) for text in HOSTILE])
    done = report("--source", "sqlite:///hostile.sqlite")
    assert done.code == 0, done.lines
    records, page, text = outputs(folder)
    assert [record["item"] for record in records] == HOSTILE
    shown = "".join(page.itertext())
    assert not page.findall(".//script")
    for plain in (HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[4], HOSTILE[8], HOSTILE[9], HOSTILE[11]):
        assert plain in shown
    squeezed = "".join(text.split())
    for plain in (HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[3], HOSTILE[4], HOSTILE[9]):
        assert "".join(plain.split()) in squeezed
    assert "x" * 50 in text
    with closing(
        sqlite_source(folder / "hostile.sqlite", "SELECT id FROM sales", key=["id"]).open()
    ) as cursor:
        assert len(cursor.fetch(100, 1 << 20)) == len(HOSTILE)


def test_hostile_names_are_data(folder, report):
    query = 'SELECT id, city, item AS "<b>{{x}}#set", amount AS "a""b\'c" FROM sales LIMIT 2'
    (folder / "named.py").write_text("from renderers import Report\nNAMED = Report('sales')\nKEY = 'id'\n")
    done = report("--report", "named:NAMED", "--query", query)
    assert done.code == 0, done.lines
    records, page, _ = outputs(folder)
    assert list(records[0]) == ["id", "city", "<b>{{x}}#set", "a\"b'c"]
    assert "<b>{{x}}#set" in "".join(page.itertext())
