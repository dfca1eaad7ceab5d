import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

PATIENCE_S = 60.0
"""How long anything may take here before the test fails."""


class Command:
    """The real command, running; what it says on standard error is read as it comes."""

    def __init__(self, arguments, folder, environment):
        # A shell ignores SIGINT for its background jobs, and what is ignored is inherited.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "renderers", *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        finally:
            signal.signal(signal.SIGINT, before)
        self._said = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, text):
        """Wait for a line on standard error with this text."""
        with self._news:
            self._news.wait_for(lambda: self._ended or self._has(text), PATIENCE_S)
            assert self._has(text), f"the command never said {text!r}, only {''.join(self._said)!r}"

    def wait_until(self, holds):
        """Wait for something that can only be looked at, while the command runs."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert self.popen.poll() is None, f"it ended before that: {''.join(self._said)!r}"
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def children(self):
        """The processes it has started, and those they have."""
        return psutil.Process(self.popen.pid).children(recursive=True)

    def end(self):
        """Wait for its end; returns exit code, standard output and standard error."""
        out = self.popen.stdout.read()
        code = self.popen.wait(PATIENCE_S)
        self._reader.join()
        return code, out, "".join(self._said)

    def close(self):
        """End it, if a failed test has left it."""
        if self.popen.poll() is None:
            self.popen.kill()
        self._reader.join()
        with self.popen:
            pass

    def _read(self):
        for line in self.popen.stderr:
            with self._news:
                self._said.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _has(self, text):
        return any(text in line for line in self._said)


@pytest.fixture
def command(tmp_path):
    """Starts the command in an empty folder."""
    environment = {name: value for name, value in os.environ.items() if name != "GENSTAGE_SOURCE"}
    started = []

    def start(*arguments, **variables):
        started.append(Command(arguments, tmp_path, environment | variables))
        return started[-1]

    yield start
    for one in started:
        one.close()
