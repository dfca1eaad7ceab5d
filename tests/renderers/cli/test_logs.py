import io
import json
import logging
import re

import pytest

from genstage.errors import OutputError
from genstage.logger import get_logger
from renderers.cli.console import StreamConsole
from renderers.cli.logs import LogFormat, LogLevel, logging_to


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def console(stream):
    return StreamConsole(file=stream, width=20)


def caught(text):
    """An exception that has been raised."""
    with pytest.raises(ValueError, match=re.escape(text)) as info:
        raise ValueError(text)
    return info.value


def text_lines(stream):
    return [
        re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z ", "TIME ", line)
        for line in stream.getvalue().splitlines()
    ]


def test_text_lines_tell_time_level_logger_event_and_fields(stream, console):
    with logging_to(console, LogFormat.TEXT, LogLevel.INFO):
        get_logger("genstage.example", stage="pdf").warning("late", seconds=3, why="two words", none="")
    assert text_lines(stream) == [
        'TIME warning genstage.example: late  stage=pdf seconds=3 why="two words" none=""'
    ]


def test_the_commands_own_lines_do_without_the_logger(stream, console):
    with logging_to(console, LogFormat.TEXT, LogLevel.INFO):
        get_logger("renderers.cli.progress").info("reading", records=7)
    assert text_lines(stream) == ["TIME info reading  records=7"]


@pytest.mark.usefixtures("expected_errors")
def test_standard_records_are_shown_the_same_way(stream, console):
    with logging_to(console, LogFormat.TEXT, LogLevel.INFO):
        logging.getLogger("renderers.example").error("lost %d of %s", 3, "pages")
    assert text_lines(stream) == ["TIME error renderers.example: lost 3 of pages"]


def test_text_cannot_forge_lines_nor_command_the_terminal(stream, console):
    with logging_to(console, LogFormat.TEXT, LogLevel.INFO):
        get_logger("renderers.cli").info("two\nlines", field="\x1b[2J[bold]x[/bold]\n:smile:")
    assert text_lines(stream) == ['TIME info two lines  field="\\x1b[2J[bold]x[/bold] :smile:"']


@pytest.mark.usefixtures("expected_errors")
def test_a_stack_follows_its_line(stream, console):
    with logging_to(console, LogFormat.TEXT, LogLevel.INFO):
        get_logger("renderers.cli").error("failed", exc_info=caught("\x1b[2J"))
    first, second, *_, last = text_lines(stream)
    assert first == "TIME error failed"
    assert second == "Traceback (most recent call last):"
    assert last == "ValueError: \\x1b[2J"


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize(
    ("log_format", "level", "stack"),
    [("text", "info", False), ("text", "debug", True), ("json", "info", True)],
)
def test_an_error_of_the_package_needs_no_stack(stream, console, log_format, level, stack):
    with pytest.raises(OutputError) as info:
        raise OutputError("out/x", "No space left on device")
    with logging_to(console, LogFormat(log_format), LogLevel(level)):
        get_logger("genstage.example", stage="html").error("late", exc_info=info.value)
    assert ("Traceback" in stream.getvalue()) == stack
    if not stack:
        line = 'late  stage=html error="output out/x: No space left on device"'
        assert text_lines(stream) == [f"TIME error genstage.example: {line}"]


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ((LogFormat.TEXT, LogLevel.INFO), OutputError("out/x", "No space left on device"), False),
        ((LogFormat.TEXT, LogLevel.INFO), ValueError("why"), True),
        ((LogFormat.TEXT, LogLevel.DEBUG), OutputError("out/x", "No space left on device"), True),
        ((LogFormat.JSON, LogLevel.INFO), OutputError("out/x", "No space left on device"), True),
    ],
)
def test_that_a_stage_failed_is_told_where_the_last_line_does_not(stream, console, options, error, told):
    with logging_to(console, *options):
        get_logger("genstage.runtime", stage="html").error("stage failed", exc_info=error)
    assert ("stage failed" in stream.getvalue()) == told
    assert (type(error).__name__ in stream.getvalue()) == told


@pytest.mark.usefixtures("expected_errors")
def test_json_is_one_object_a_line(stream, console):
    with logging_to(console, LogFormat.JSON, LogLevel.INFO):
        get_logger("genstage.example", stage="pdf").error(
            "two\nlines é", seconds=3, exc_info=caught("why"), place={1}
        )
        logging.getLogger("renderers.example").info("done")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first.pop("timestamp").endswith("Z")
    assert first.pop("exception").endswith("ValueError: why")
    assert first == {
        "event": "two\nlines é",
        "level": "error",
        "logger": "genstage.example",
        "stage": "pdf",
        "seconds": 3,
        "place": "{1}",
    }
    assert second["event"] == "done"


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_decides(stream, console, level, shown):
    with logging_to(console, LogFormat.TEXT, LogLevel(level)):
        log = get_logger("genstage.example")
        for method in (log.debug, log.info, log.warning, log.error):
            method("event")
    assert len(text_lines(stream)) == shown


def test_other_packages_are_left_alone(stream, console, caplog):
    with logging_to(console, LogFormat.TEXT, LogLevel.DEBUG), caplog.at_level("DEBUG"):
        logging.getLogger("someone.else").info("hello")
    assert stream.getvalue() == ""


def test_afterwards_all_is_as_before(console):
    loggers = [logging.getLogger(name) for name in ("genstage", "renderers")]
    before = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    with logging_to(console, LogFormat.TEXT, LogLevel.DEBUG):
        pass
    assert [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers] == before


class Gone(io.StringIO):
    def write(self, _):
        raise BrokenPipeError


def test_a_log_that_nobody_reads_ends_nothing():
    with logging_to(StreamConsole(file=Gone()), LogFormat.TEXT, LogLevel.INFO):
        get_logger("renderers.cli").info("one")
        get_logger("renderers.cli").info("two")
