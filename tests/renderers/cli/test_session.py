import json
import signal

import pytest

from renderers.cli.errors import Interrupted
from renderers.cli.logs import LogFormat, LogLevel
from renderers.cli.session import session
from renderers.cli.signals import Signals


@pytest.fixture
def last_words():
    """What a command says when a second signal ends it; its standard error is no terminal."""

    def of(log_format):
        signals = Signals()
        with session(signals, log_format=log_format, log_level=LogLevel.INFO, verbose=False):
            return signals.last_words(Interrupted(signal.SIGINT), "out/.a\n.run/")

    return of


LINE = "broken off by SIGINT: out/.a .run/ may be left, the next run removes it"


def test_the_last_words_are_one_line(last_words):
    assert last_words(LogFormat.TEXT) == f"genstage: {LINE}\n"


def test_the_last_words_are_json_where_the_log_is(last_words):
    words = last_words(LogFormat.JSON)
    assert words.endswith("}\n")
    assert json.loads(words) == {"event": LINE, "level": "error", "exit_code": 130}


@pytest.mark.parametrize(
    ("log_format", "written"),
    [
        (LogFormat.TEXT, "two\nlines\n"),
        (LogFormat.JSON, '{"event": "explanation", "level": "info", "text": "two\\nlines"}\n'),
    ],
)
def test_an_explanation_is_written_in_the_form_of_the_log(log_format, written):
    signals = Signals()
    with session(signals, log_format=log_format, log_level=LogLevel.INFO, verbose=False):
        assert signals.framed("two\nlines") == written
