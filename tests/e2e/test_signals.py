"""The real command is asked to end, at several moments of a run."""

import json
import signal
import time

import psutil
import pytest

from renderers.registry import FORMATS

SECONDS = 12.0
"""A clean stop takes at most this: the stages have five seconds, and the machine may be busy."""

OLD = {"report.pdf": b"old pdf", "report.html": b"old html", "slow.pdf": b"old pdf"}

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

# Its PDF pages wait to be joined until the test says so; everything else is the demo.
SLOW_JOIN = """\
import time
from pathlib import Path

from renderers.demo import KEY, QUERY, REPORT
from renderers.pdf import consumer

join = consumer.join


def join_slowly(*arguments, **options):
    Path("joining").touch()
    while not Path("go").exists():
        time.sleep(0.01)
    join(*arguments, **options)


consumer.join = join_slowly
"""

# Its files get their final names when the test says so.
SLOW_PUBLICATION = """\
import time
from pathlib import Path

from genstage.streaming.folder import RunFolder
from renderers.demo import KEY, QUERY, REPORT

publish = RunFolder.publish


def publish_slowly(self, files):
    Path("publishing").touch()
    while not Path("go").exists():
        time.sleep(0.01)
    publish(self, files)


RunFolder.publish = publish_slowly
"""

# Stands in for a library that the command loads, and waits there until the process ends.
BLOCKED = """\
import pathlib
import signal

pathlib.Path("here").touch()
while True:
    signal.pause()
"""

pytestmark = pytest.mark.process

ending = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)


@pytest.fixture
def out(tmp_path):
    """The output folder, with what an earlier run has left."""
    folder = tmp_path / "out"
    folder.mkdir()
    for name, data in OLD.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def slow_join_as(tmp_path, command):
    """Starts a report that waits in the finalisation of its PDF, on a small sample, with options."""

    def start(*options):
        assert command("sample", "--rows", "500", "sample.sqlite").end()[0] == 0
        (tmp_path / "slow_join.py").write_text(SLOW_JOIN)
        running = command(
            "report",
            "--source",
            "sqlite:///sample.sqlite",
            "--report",
            "slow_join.py:REPORT",
            "--format",
            "pdf,html",
            *options,
        )
        running.wait_until((tmp_path / "joining").exists)
        return running

    return start


@pytest.fixture
def slow_join(slow_join_as):
    """The same without options."""
    return slow_join_as()


def stop(running, number=signal.SIGINT):
    """Send a signal; returns the children there were and when it was sent."""
    children = running.children()
    running.popen.send_signal(number)
    return children, time.monotonic()


def check_clean_stop(running, stopped, out, *, code=130, name="SIGINT", there=()):
    """It ended in time, with the right exit code and one line, and left nothing but what was there."""
    children, since = stopped
    found, said, told = running.end()
    assert time.monotonic() - since < SECONDS
    assert found == code, told
    assert said == ""
    assert told.splitlines()[-1] == f"genstage: stopped by {name}: no output was written"
    assert "Traceback" not in told
    assert {file.name: file.read_bytes() for file in out.iterdir() if file.name not in there} == OLD
    _, alive = psutil.wait_procs(children, timeout=SECONDS)
    assert not alive


@pytest.mark.parametrize("library", ["structlog", "pykka", "psutil", "typer", "babel"])
@ending
def test_while_the_command_itself_is_loaded(tmp_path, command, library, number, code):
    (tmp_path / f"{library}.py").write_text(BLOCKED)
    running = command("demo", "--rows", "10")
    running.wait_until((tmp_path / "here").exists)
    running.popen.send_signal(number)
    found, said, told = running.end()
    assert (found, said) == (code, "")
    assert told in ("", f"genstage: stopped by {number.name}: no output was written\n")


def test_as_soon_as_the_command_listens(command):
    running = command("demo", "--rows", "1000000", PYTHONPROFILEIMPORTTIME="1")
    running.wait_for(" genstage.errors")  # the first of what it loads
    running.popen.send_signal(signal.SIGINT)
    code, said, told = running.end()
    assert (code, said) == (130, "")
    lines = [line for line in told.splitlines() if not line.startswith("import time:")]
    assert lines in ([], ["genstage: stopped by SIGINT: no output was written"])


def test_before_the_first_record(tmp_path, command, out):
    assert command("sample", "--rows", "1", "any.sqlite").end()[0] == 0
    (tmp_path / "slow_query.py").write_text(SLOW_QUERY)
    running = command("report", "--source", "sqlite:///any.sqlite", "--report", "slow_query:REPORT")
    running.wait_for("reading  records=0")
    check_clean_stop(running, stop(running), out)


def written(out, **names):
    """Whether some parts of a run of all formats have bytes: format → part."""
    sinks = out / ".report.run" / "parts" / "0"  # of the first attempt
    parts = [sinks / str(FORMATS.index(name)) / part for name, part in names.items()]
    return all(part.exists() and part.stat().st_size for part in parts)


@ending
def test_in_the_middle(command, out, number, code):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored here, as nohup has it, and so it is by the command")
    running = command("demo", "--rows", "20000")
    running.wait_until(lambda: written(out, html="main", json="main", pdf="scratch/pages"))
    stopped = stop(running, number)
    assert stopped[0], "the typesetter runs"
    check_clean_stop(running, stopped, out, code=code, name=number.name, there={"sample.sqlite"})


def test_when_all_records_are_read(command, out):
    running = command("demo", "--rows", "5000")
    running.wait_for("info writing")
    check_clean_stop(running, stop(running), out, there={"sample.sqlite"})


def test_while_the_pdf_is_finalised(tmp_path, out, slow_join):
    stopped = stop(slow_join)
    slow_join.wait_for("stopping  signal=SIGINT")
    (tmp_path / "go").touch()  # so that the file becomes whole after all
    check_clean_stop(slow_join, stopped, out)


def test_while_the_pdf_is_finalised_and_hangs(out, slow_join):
    check_clean_stop(slow_join, stop(slow_join), out)


def test_while_the_files_are_published_it_is_too_late(tmp_path, command, out):
    assert command("sample", "--rows", "500", "sample.sqlite").end()[0] == 0
    (tmp_path / "slow.py").write_text(SLOW_PUBLICATION)
    running = command(
        "report", "--source", "sqlite:///sample.sqlite", "--report", "slow:REPORT", "--format", "pdf,html"
    )
    running.wait_until((tmp_path / "publishing").exists)
    running.popen.send_signal(signal.SIGINT)
    running.wait_for("stopping  signal=SIGINT")
    (tmp_path / "go").touch()
    code, said, told = running.end()
    assert (code, "Traceback" in told, "no output was written" in told) == (0, False, False)
    assert "out/report.pdf" in said
    assert {file.name for file in out.iterdir()} == set(OLD)
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF")
    assert (out / "report.html").read_bytes().startswith(b"<!")


def test_while_the_sample_is_created(tmp_path, command):
    running = command("demo", "--rows", "1000000", "--out", "new/folder")
    running.wait_for("creating sample  records=5000")
    running.popen.send_signal(signal.SIGINT)
    code, said, told = running.end()
    assert (code, said) == (130, "")
    assert told.splitlines()[-1] == "genstage: stopped by SIGINT: no output was written"
    assert list(tmp_path.iterdir()) == []


def test_the_second_ends_at_once(out, slow_join):
    children, _ = stop(slow_join)
    slow_join.wait_for("stopping  signal=SIGINT")
    slow_join.popen.send_signal(signal.SIGINT)
    since = time.monotonic()
    code, said, told = slow_join.end()
    assert (code, said) == (130, "")
    assert told.splitlines()[-1] == (
        "genstage: broken off by SIGINT: out/.report.run/ may be left, the next run removes it"
    )
    assert (out / ".report.run").exists()
    assert time.monotonic() - since < 4.0  # the stages alone would have five seconds
    finals = {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()}
    assert finals == OLD
    _, alive = psutil.wait_procs(children, timeout=SECONDS)
    assert not alive


def test_the_next_run_takes_away_what_a_hard_end_has_left(tmp_path, command, out, slow_join):
    slow_join.popen.kill()
    slow_join.end()
    assert (out / ".report.run").exists()
    (tmp_path / "go").touch()
    where = ["--source", "sqlite:///sample.sqlite", "--report", "slow_join.py:REPORT", "--format", "pdf,html"]
    assert command("report", *where).end()[0] == 0
    assert {file.name for file in out.iterdir()} == set(OLD)
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_sigusr1_tells_who_holds_up_the_run(tmp_path, slow_join_as, log_format):
    running = slow_join_as("--log-format", log_format)
    running.popen.send_signal(signal.SIGUSR1)
    running.wait_for("held up by 'pdf', which is in finalize for ")
    (tmp_path / "go").touch()
    code, said, told = running.end()

    assert code == 0, told
    assert "report.pdf" in said
    assert "slow_join.py:" in told
    if log_format == "json":
        lines = [json.loads(line) for line in told.splitlines()]
        assert any(line["event"] == "explanation" and "held up by" in line["text"] for line in lines)
