"""The real command on a terminal."""

import os
import re
import signal
import sqlite3
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty")

COLOUR = re.compile(r"\x1b\[[\d;]*m")
CODE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")

pytestmark = pytest.mark.process


# Its first record takes for ever.
SLOW_QUERY = """\
from renderers import Report

REPORT = Report("slow")
QUERY = '''
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000000)
SELECT max(i) AS id FROM n
'''
KEY = ["id"]
"""


def on_terminal(folder, *arguments, interrupt_after=(), code=0, **variables):
    """Run the command with standard error on a terminal; returns what it has written there.

    It is interrupted each time after the next of some texts has been written.
    """
    texts = list(interrupt_after)
    terminal, other_end = pty.openpty()
    unset = {"NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS", "LINES"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    popen = subprocess.Popen(
        [sys.executable, "-m", "renderers", *arguments],
        cwd=folder,
        env={**environment, "TERM": "xterm-256color", "COLUMNS": "90", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=other_end,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads
    )
    os.close(other_end)
    written = b""
    try:
        while piece := os.read(terminal, 1 << 16):
            written += piece
            if texts and texts[0].encode() in written:
                texts.pop(0)
                popen.send_signal(signal.SIGINT)
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        os.close(terminal)
    assert popen.wait(60) == code
    return written.decode()


def screens(text):
    """What the lines of the bar looked like, one after the other."""
    return [CODE.sub("", part).strip() for part in re.split(r"[\r\n]+", text) if CODE.sub("", part).strip()]


@pytest.fixture
def sample(tmp_path):
    """Takes long enough for a bar to be seen."""
    return ["sample", "--rows", "60000", str(tmp_path / "sample.sqlite")]


def test_a_bar_that_goes_when_it_is_done(tmp_path, sample):
    text = on_terminal(tmp_path, *sample)
    shown = screens(text)
    assert re.fullmatch(r"creating sample [━╸╺ ]+ [\d,]+ of 60,000 [\d,]+/s(, \d+ s left)?", shown[0])
    assert COLOUR.search(text)
    assert " info " not in text  # no log lines beside it
    assert text.endswith("\x1b[2K") or CODE.sub("", text.rsplit("\x1b[2K", 1)[1]).strip() == ""
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")


def test_on_a_narrow_terminal_the_bar_leaves_something_out(tmp_path, sample):
    shown = screens(on_terminal(tmp_path, *sample, COLUMNS="40"))
    assert re.fullmatch(r"creating sample [\d,]+ of 60,000", shown[0])
    assert max(map(len, shown)) <= 40


def test_without_colours(tmp_path, sample):
    text = on_terminal(tmp_path, *sample, NO_COLOR="1")
    assert "creating sample" in text
    assert not re.search(r"\x1b\[[\d;]*3\d", text)


@pytest.mark.parametrize("options", [["--log-format", "json"], []])
def test_lines_where_a_bar_would_do_harm(tmp_path, sample, options):
    text = on_terminal(tmp_path, *sample, *options, TERM="xterm" if options else "dumb")
    assert "creating sample" in text
    assert "\x1b" not in text
    assert "━" not in text


@pytest.fixture
def slow(tmp_path):
    """Never comes to an end by itself."""
    (tmp_path / "slow.py").write_text(SLOW_QUERY)
    sqlite3.connect(tmp_path / "any.sqlite").executescript("CREATE TABLE t (id)").connection.close()
    return ["report", "--source", "sqlite:///any.sqlite", "--report", "slow.py:REPORT"]


def test_the_second_ctrl_c_takes_the_bar_away_and_ends_the_line(tmp_path, slow):
    text = on_terminal(tmp_path, *slow, interrupt_after=["reading", "stopping"], code=130)
    _, _, last = text.rpartition("\x1b[2K")
    assert last == "genstage: broken off by SIGINT: out/.slow.run/ may be left, the next run removes it\r\n"
    assert text.endswith(f"\r\x1b[2K{last}")
    assert (tmp_path / "out" / ".slow.run").exists()
