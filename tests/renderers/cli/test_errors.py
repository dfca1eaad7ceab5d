import signal

import pytest

from genstage.errors import (
    GenstageError,
    OptionError,
    OutputError,
    PipelineError,
    SourceError,
    StageFailure,
)
from renderers.cli.errors import Interrupted, described, one_line, reason_of, refusal
from renderers.errors import RegistryError, ReportError


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("two\nlines", "two lines"),
        ("  much \t\r\n room  ", "much room"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("right \u202e left", "right \\u202e left"),
        ("lone \udcff", "lone \\udcff"),
        ("Łódź 😀", "Łódź 😀"),
        ("", ""),
    ],
)
def test_one_line_of_any_text(text, line):
    assert one_line(text) == line


def test_one_line_is_cut_when_it_is_longer_than_a_screen():
    assert one_line("x" * 5000) == "x" * 997 + "..."


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SourceError("shop.sqlite", "no such table: x"), "--source: shop.sqlite: no such table: x"),
        (OutputError("out", "Permission denied"), "--out: out: Permission denied"),
        (RegistryError("docx", ("pdf",)), "--format: unknown format 'docx': use pdf"),
        (ReportError("sales", "no column 'x'"), "--report: report 'sales': no column 'x'"),
        (OptionError("source", "x", "a URL"), "--source: must be a URL, got 'x'"),
        (GenstageError("something else"), "--report: something else"),
    ],
)
def test_errors_before_a_run_name_the_option(error, line):
    assert str(refusal(error, report="--report")) == line


def test_a_failed_run_tells_its_first_stage_and_what_that_said():
    failures = (
        StageFailure("pdf", "crash", ValueError("bad\nvalue")),
        StageFailure("html", "shutdown"),
    )
    assert reason_of(PipelineError("sales", failures)) == "pdf: ValueError: bad value"


def test_a_text_that_is_meant_to_be_read_alone_needs_no_stage():
    failures = (StageFailure("html", "crash", OutputError("out/x.html", "No space left on device")),)
    assert reason_of(PipelineError("sales", failures)) == "output out/x.html: No space left on device"
    failures = (StageFailure("html", "crash", GenstageError()),)
    assert reason_of(PipelineError("sales", failures)) == "html: GenstageError"


def test_a_failed_stage_without_an_exception_tells_its_reason():
    assert reason_of(PipelineError("sales", (StageFailure("pdf", "killed"),))) == "pdf: killed"


def test_a_failed_run_without_a_failed_stage():
    assert reason_of(PipelineError("sales", ())) == "pipeline 'sales': was stopped"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            OutputError("out/report.pdf", "No space left on device"),
            "output out/report.pdf: No space left on device",
        ),
        (GenstageError(), "GenstageError"),
        (KeyError("x"), "KeyError: 'x'"),
        (ValueError(), "ValueError"),
    ],
)
def test_an_exception_in_one_line(error, text):
    assert described(error) == text


def test_the_last_line_tells_what_may_be_left():
    interrupted = Interrupted(signal.SIGINT)
    assert interrupted.last_line("out/.sales.run/") == (
        "broken off by SIGINT: out/.sales.run/ may be left, the next run removes it"
    )
    assert interrupted.last_line("") == "broken off by SIGINT: unfinished files may be left"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_the_exit_code_of_a_signal_is_the_shells(number, code):
    assert Interrupted(number).exit_code == code
