"""What holds for every test: Hypothesis profiles, leaks, error logs, required kinds of tests."""

import gc
import logging
import os
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

# -- Hypothesis -----------------------------------------------------------------------------------------
# The same examples on each run by day; .ci/nightly takes many, from a new seed, which it prints.

settings.register_profile("ci", max_examples=200, derandomize=True, deadline=None, print_blob=True)
settings.register_profile("nightly", max_examples=20_000, deadline=None, print_blob=True, database=None)
settings.load_profile("ci")

# -- required kinds of tests ----------------------------------------------------------------------------

REQUIRED = pytest.StashKey[frozenset]()


def pytest_configure(config):
    """Read from GENSTAGE_REQUIRE which markers' tests must not be skipped, as ``browser,postgres``."""
    required = frozenset(filter(None, os.environ.get("GENSTAGE_REQUIRE", "").split(",")))
    known = {line.partition(":")[0] for line in config.getini("markers")}
    if required - known:
        raise pytest.UsageError(f"GENSTAGE_REQUIRE: no such marker: {', '.join(sorted(required - known))}")
    config.stash[REQUIRED] = required


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Turn the skip of a required test into a failure."""
    report = yield
    missing = [name for name in sorted(item.config.stash[REQUIRED]) if item.get_closest_marker(name)]
    if report.skipped and missing and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{' and '.join(missing)} tests are required here, but this one was: {reason}"
    return report


# -- repetition -----------------------------------------------------------------------------------------
# Tests marked repeat take what only happens now and then: they do it so many times, in one process.


def pytest_addoption(parser):
    """Let .ci/nightly repeat more often."""
    parser.addoption("--times", type=int, default=20, help="how often a test marked repeat does what it does")


@pytest.fixture
def times(request):
    """How often to repeat."""
    return range(request.config.getoption("--times"))


# -- leaks ----------------------------------------------------------------------------------------------

GRACE_S = 2.0
"""How long what a test has started may take to end after it."""


def live_actors():
    """Actors in pykka's registry; the library is not loaded for it."""
    pykka = sys.modules.get("pykka")
    return set() if pykka is None else {str(ref) for ref in pykka.ActorRegistry.get_all()}


def live_threads():
    """Threads that run."""
    return set(threading.enumerate())


def live_children():
    """Child processes, also those that have ended but were not waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # the quick answer: there is none
        return set()
    return {f"process {child.pid}: {_command(child)}" for child in psutil.Process().children()}


def open_files():
    """File descriptors with what they stand for; nothing where /proc does not tell."""
    found = set()
    for entry in os.scandir("/proc/self/fd") if sys.platform == "linux" else ():
        try:
            found.add(f"{entry.name} -> {Path(entry.path).readlink()}")
        except FileNotFoundError:  # the descriptor of this very listing
            continue
    return found


LIVE = {"actor": live_actors, "thread": live_threads, "child process": live_children, "file": open_files}
"""What must be as it was after a test. A runtime that keeps a directory of its own adds a line."""


def _command(process):
    try:
        return " ".join(process.cmdline()) or process.status()
    except psutil.Error:
        return "gone"


def _leaks(before):
    return {kind: left for kind, live in LIVE.items() if (left := live() - before[kind])}


@pytest.fixture(autouse=True)
def _nothing_leaks(_no_error_is_logged):  # after the wait for threads, their errors count too
    before = {kind: live() for kind, live in LIVE.items()}
    yield
    leaks = _leaks(before)
    if not leaks:
        return
    gc.collect()  # what only a cycle keeps alive is not a leak
    deadline = time.monotonic() + GRACE_S
    for thread in leaks.get("thread", ()):
        thread.join(max(0.0, deadline - time.monotonic()))
    while (leaks := _leaks(before)) and time.monotonic() < deadline:
        time.sleep(0.02)  # the end of a child or of an actor cannot be waited for from here
    if leaks:
        told = "; ".join(f"{kind}: {', '.join(sorted(map(str, left)))}" for kind, left in leaks.items())
        pytest.fail(f"left behind: {told}", pytrace=False)


# -- error logs -----------------------------------------------------------------------------------------

WATCHED = ("genstage", "renderers", "pykka")


class _Errors(logging.Handler):
    """Keeps what is logged at ERROR or above."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture(scope="session")
def _errors():
    handler = _Errors()
    for name in WATCHED:
        logging.getLogger(name).addHandler(handler)
    yield handler
    for name in WATCHED:
        logging.getLogger(name).removeHandler(handler)


@pytest.fixture(autouse=True)
def _no_error_is_logged(request, _errors):
    _errors.records = records = []
    yield
    if "expected_errors" in request.fixturenames:
        if not records:
            pytest.fail("expected an error to be logged, but none was", pytrace=False)
    elif records:
        told = "; ".join(f"{record.name}: {record.getMessage()}" for record in records)
        pytest.fail(f"logged errors: {told}", pytrace=False)


@pytest.fixture
def expected_errors(_errors, _no_error_is_logged):
    """The records at ERROR or above that the test causes; there has to be one."""
    return _errors.records
