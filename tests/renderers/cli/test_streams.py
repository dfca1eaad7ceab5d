"""The real command with standard streams that do not work."""

import os
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "renderers"]
DEMO = ["demo", "--rows", "50", "--format", "json"]

pytestmark = pytest.mark.process


@pytest.fixture
def gone():
    """A pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def run(folder, *arguments, command=COMMAND, env=None, **streams):
    # Buffered as usual, whatever the tests run with: Python's own last flush must not fail either.
    variables = {name: value for name, value in (env or os.environ).items() if name != "PYTHONUNBUFFERED"}
    usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=variables,
        text=True,
        timeout=60,
        check=False,
        **usual | streams,
    )


def test_a_summary_that_nobody_reads(tmp_path, gone):
    done = run(tmp_path, *DEMO, stdout=gone)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert (tmp_path / "out" / "report.json").exists()


def test_a_log_that_nobody_reads(tmp_path, gone):
    done = run(tmp_path, *DEMO, stderr=gone)
    assert done.returncode == 0
    assert "out/report.json" in done.stdout


def test_an_error_that_nobody_reads(tmp_path, gone):
    assert run(tmp_path, "demo", "--format", "docx", stderr=gone).returncode == 2


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["demo", "--help"]])
def test_help_that_nobody_reads(tmp_path, gone, arguments):
    assert run(tmp_path, *arguments, stdout=gone).stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110 - a device
@pytest.mark.parametrize("arguments", [DEMO, ["--version"]])
def test_a_result_that_cannot_be_written(tmp_path, arguments):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = run(tmp_path, *arguments, stdout=full)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "genstage: standard output: No space left on device"
    assert "Traceback" not in done.stderr


def test_closed_streams(tmp_path):
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *COMMAND]
    assert run(tmp_path, *DEMO, command=shell).returncode == 0
    assert (tmp_path / "out" / "report.json").read_bytes().endswith(b"}\n")


def test_an_output_that_knows_only_ascii(tmp_path):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    (tmp_path / "reports.py").write_text(
        "from renderers import Report\n"
        "ÄMTER = Report('a', title='Ämter')\n"
        "QUERY, KEY = 'SELECT 1 AS id', 'id'\n",
        encoding="utf-8",
    )
    assert run(tmp_path, "sample", "--rows", "1", "any.sqlite").returncode == 0
    options = ["--source", "sqlite:///any.sqlite", "--report", "reports:ÄMTER", "--format", "json"]
    done = run(tmp_path, "report", *options, env=environment)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "\\xc4mter")
