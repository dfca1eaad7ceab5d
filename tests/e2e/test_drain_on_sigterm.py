"""The services of the page "drain on SIGTERM", as real processes that get one."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "drain-on-sigterm.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
PATIENCE_S = 60.0
ENOUGH_BYTES = 100_000  # so much of the ledger is written before the signal comes

pytestmark = pytest.mark.process


@pytest.fixture
def service(tmp_path):
    """Starts a program; gives its process when it is in the middle of its work, and its ledger."""
    started = []

    def start(program):
        (tmp_path / "service.py").write_text(program)
        command = [sys.executable, "service.py"]
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        ledger = tmp_path / "ledger.txt"
        deadline = time.monotonic() + PATIENCE_S
        while not ledger.exists() or ledger.stat().st_size < ENOUGH_BYTES:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return process, ledger

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.mark.parametrize("program", PROGRAMS, ids=["sync", "asyncio"])
def test_what_was_taken_is_written(service, program):
    process, ledger = service(program)
    process.send_signal(signal.SIGTERM)
    said, told = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (0, ""), told
    taken = int(re.fullmatch(r"took (\d+) orders\n", told)[1])
    assert ledger.read_text() == "".join(f"order {number}\n" for number in range(1, taken + 1))
    assert taken > ENOUGH_BYTES / len("order 1234567\n")


def test_a_run_that_fails_needs_no_signal(service):
    failing = PROGRAMS[0].replace("yield self.taken", "yield self.taken if self.taken < 30_000 else 1 / 0")
    process, _ = service(failing)
    said, told = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (1, "")
    assert told.splitlines()[-1].endswith("ZeroDivisionError: division by zero")
    assert "genstage.errors.PipelineError: pipeline" in told


def test_there_are_two_programs():
    assert len(PROGRAMS) == 2
