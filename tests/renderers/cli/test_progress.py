import io
import logging

import pytest

from renderers.cli.console import StreamConsole
from renderers.cli.progress import Bar, Lines, showing_progress


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


class Terminal(io.StringIO):
    """A terminal that shows what is written last."""

    def isatty(self):
        return True


def last_line(stream):
    """What the bar says now, without the codes that colour it and move the cursor."""
    console = StreamConsole(file=io.StringIO())
    text = stream.getvalue().rsplit("\r", 1)[-1].rsplit("\x1b[2K", 1)[-1]
    del console
    shown, rest = "", text
    while rest:
        before, escape, after = rest.partition("\x1b[")
        shown += before
        rest = after.lstrip("0123456789;?")[1:] if escape else ""
    return " ".join(shown.split())


def events(caplog):
    return [
        (record.event, record.records, record.seconds, getattr(record, "total", None))
        for record in caplog.records
    ]


def test_lines_come_when_something_begins_and_then_every_few_seconds(caplog, clock):
    caplog.set_level(logging.INFO)
    lines = Lines(clock)
    for activity, done, seconds in [
        ("reading", 0, 0.0),
        ("reading", 100, 4.9),
        ("reading", 110, 5.0),
        ("reading", 200, 9.9),
        ("reading", 210, 10.0),
        ("finishing", 220, 10.1),
        ("finishing", 220, 10.2),
    ]:
        clock.now = 100.0 + seconds
        lines(activity, done, 220)
    assert events(caplog) == [
        ("reading", 0, 0.0, 220),
        ("reading", 110, 5.0, 220),
        ("reading", 210, 10.0, 220),
        ("finishing", 220, 10.1, 220),
    ]


def test_lines_tell_no_total_that_is_not_known(caplog, clock):
    caplog.set_level(logging.INFO)
    Lines(clock)("reading", 7, None)
    assert events(caplog) == [("reading", 7, 0.0, None)]


def test_lines_leave_it_to_others_to_tell_that_all_is_being_stopped(caplog, clock):
    caplog.set_level(logging.INFO)
    lines = Lines(clock)
    lines("reading", 7, 10)
    clock.now += 6.0
    lines("stopping", 7, 10)
    assert events(caplog) == [("reading", 7, 0.0, 10)]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (100, "reading ━━━━━━━━━━━━━━━━━━━━ 2,500 of 10,000 2,500/s, 3 s left"),
        (60, "reading ━━━━━━━━━━━━━━━━━━━━ 2,500 of 10,000"),
        (48, "reading ━━━━━━━━ 2,500 of 10,000"),
        (47, "reading 2,500 of 10,000"),
        (40, "reading 2,500 of 10,000"),
        (24, "reading 2,500 of 10,000"),
    ],
)
def test_the_bar_is_one_line_on_any_terminal(clock, width, expected):
    stream = Terminal()
    bar = Bar(StreamConsole(file=stream, width=width, force_terminal=True), clock)
    clock.now += 1.0
    bar("reading", 2500, 10_000)
    line = last_line(stream)
    bar.close()
    assert line.replace("╺", "━").replace("╸", "━").replace("━" * 40, "━" * 20) == expected


@pytest.mark.parametrize("width", range(39, 120))
def test_the_longest_texts_have_room(clock, width):
    stream = Terminal()
    bar = Bar(StreamConsole(file=stream, width=width, force_terminal=True), clock)
    clock.now += 100.0
    bar("creating sample", 1_000_000, 1_000_000)
    line = last_line(stream)
    bar.close()
    assert line.startswith("creating sample ")
    assert "1,000,000 of 1,000,000" in line


def test_the_bar_shows_what_is_done_without_a_total(clock):
    stream = Terminal()
    bar = Bar(StreamConsole(file=stream, width=40, force_terminal=True), clock)
    clock.now += 1.0
    bar("creating sample", 2500, None)
    line = last_line(stream)
    bar.close()
    assert line == "creating sample 2,500"


def test_the_bar_is_drawn_at_most_ten_times_a_second(clock):
    stream = Terminal()
    bar = Bar(StreamConsole(file=stream, width=40, force_terminal=True), clock)
    bar("reading", 1, 10)
    drawn = stream.getvalue()
    clock.now += 0.05
    bar("reading", 2, 10)
    assert stream.getvalue() == drawn
    clock.now += 0.06
    bar("reading", 3, 10)
    assert last_line(stream) == "reading 3 of 10"
    bar.close()


def test_the_bar_is_drawn_at_once_when_something_else_is_done(clock):
    stream = Terminal()
    bar = Bar(StreamConsole(file=stream, width=40, force_terminal=True), clock)
    bar("reading", 1, 10)
    bar("stopping", 1, 10)
    assert last_line(stream) == "stopping 1 of 10"
    bar.close()


def test_the_cursor_stays_visible(clock):
    stream = Terminal()
    bar = Bar(StreamConsole(file=stream, width=40, force_terminal=True), clock)
    bar("reading", 1, 10)
    shown, hidden = stream.getvalue().rfind("\x1b[?25h"), stream.getvalue().rfind("\x1b[?25l")
    bar.close()
    assert shown > hidden


@pytest.mark.parametrize("error", [BrokenPipeError, OSError])
def test_a_terminal_that_has_gone_ends_nothing(clock, error):
    class Gone(Terminal):
        def write(self, _):
            raise error

    bar = Bar(StreamConsole(file=Gone(), width=40, force_terminal=True), clock)
    for done in range(3):
        bar("reading", done, 10)
        clock.now += 1.0
    bar.close()


def test_off_a_terminal_there_are_lines():
    with showing_progress(StreamConsole(file=io.StringIO()), live=False) as show:
        assert isinstance(show, Lines)


def test_on_a_terminal_there_is_a_bar_and_it_goes():
    stream = Terminal()
    with showing_progress(StreamConsole(file=stream, width=40, force_terminal=True), live=True) as show:
        show("reading", 1, 10)
        assert last_line(stream) == "reading 1 of 10"
    assert last_line(stream) == ""
