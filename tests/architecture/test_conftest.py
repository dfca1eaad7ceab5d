"""The conftest of all tests finds what it is there to find."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

LEAVES_NOTHING = """
import gc, logging, subprocess, sys, threading

def test_clean(tmp_path):
    thread = threading.Thread(target=int)
    thread.start()
    subprocess.run([sys.executable, "-c", ""], check=True)
    with (tmp_path / "file").open("w") as file:
        file.write("x")
    logging.getLogger("genstage.x").warning("not an error")
    logging.getLogger("elsewhere").error("not ours")

def test_a_thread_that_is_about_to_end():
    threading.Timer(0.05, int).start()

def test_expected(expected_errors):
    logging.getLogger("genstage.x").error("boom %s", 1)
    assert [record.getMessage() for record in expected_errors] == ["boom 1"]
"""

LEAVES_SOMETHING = """
import logging, os, subprocess, sys, threading
import pykka, pytest

KEPT = []

def test_thread():
    KEPT.append(threading.Event())
    threading.Thread(target=KEPT[0].wait, name="left-thread", daemon=True).start()

def test_child():
    KEPT.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.DEVNULL))

def test_file(tmp_path):
    KEPT.append((tmp_path / "left-file").open("w"))

def test_actor():
    class Left(pykka.ThreadingActor):
        use_daemon_thread = True
    Left.start()

def test_error():
    logging.getLogger("renderers.x").error("boom %s", 2)

def test_error_of_a_thread_that_ends_late():
    threading.Timer(0.05, logging.getLogger("pykka").error, ["late"]).start()

def test_expected_but_none(expected_errors):
    pass

@pytest.mark.browser
def test_skipped():
    pytest.skip("no such browser")
"""

MARKERS = "-o", "markers=browser: needs one"


def run(tmp_path, tests, *options, require=""):
    patient = CONFTEST.read_text()
    assert "\nGRACE_S = 2.0\n" in patient
    (tmp_path / "conftest.py").write_text(patient.replace("\nGRACE_S = 2.0\n", "\nGRACE_S = 0.3\n"))
    (tmp_path / "test_it.py").write_text(tests)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *MARKERS, *options, tmp_path],
        cwd=tmp_path,
        env={"GENSTAGE_REQUIRE": require, "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_leaves_nothing_passes(tmp_path):
    result = run(tmp_path, LEAVES_NOTHING)
    assert result.returncode == 0, result.stdout
    assert "3 passed" in result.stdout


def test_what_leaves_something_fails(tmp_path):
    lines = run(tmp_path, LEAVES_SOMETHING, require="browser").stdout.splitlines()
    summary = lines[-1]
    assert "7 errors" in summary
    assert "1 failed" in summary

    def told(test):
        return [line for line in lines if line.startswith(("ERROR", "FAILED")) and f"::{test} " in line]

    for test, message in [
        ("test_thread", "left behind: thread: <Thread(left-thread"),
        ("test_child", "left behind: child process: process "),
        ("test_file", "left-file"),
        ("test_actor", "left behind: actor: Left"),
        ("test_error", "logged errors: renderers.x: boom 2"),
        ("test_error_of_a_thread_that_ends_late", "logged errors: pykka: late"),
        ("test_expected_but_none", "expected an error to be logged, but none was"),
        ("test_skipped", "browser tests are required here, but this one was: Skipped: no such browser"),
    ]:
        (line,) = told(test)
        assert message in line


def test_an_unknown_requirement_is_refused(tmp_path):
    result = run(tmp_path, LEAVES_NOTHING, require="browsr")
    assert result.returncode == 4
    assert "GENSTAGE_REQUIRE: no such marker: browsr" in result.stderr


@pytest.mark.parametrize(("profile", "examples"), [("ci", 200), ("nightly", 20_000)])
def test_profiles(tmp_path, profile, examples):
    tests = f"""
from hypothesis import settings

def test_it():
    assert settings().max_examples == {examples}
    assert settings().deadline is None
    assert settings().derandomize is {profile == "ci"}
"""
    result = run(tmp_path, tests, f"--hypothesis-profile={profile}")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("arguments", "times"), [([], 20), (["--times", "1000"], 1000)])
def test_repetitions(tmp_path, arguments, times):
    result = run(tmp_path, f"def test_it(times):\n    assert len(times) == {times}\n", *arguments)
    assert result.returncode == 0, result.stdout
