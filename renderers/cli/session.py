"""What every command has: a console for people, the log, the signals, and one way to end early."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import typer

from genstage.logger import get_logger
from renderers.cli.console import StreamConsole
from renderers.cli.errors import InputError, Interrupted, RunError, described, one_line, say
from renderers.cli.logs import LogFormat, LogLevel, logging_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from renderers.cli.signals import Signals

__all__ = ["Session", "session"]

_CLEAR = "\r\x1b[2K"  # takes the line away on which the cursor stands

_log = get_logger("renderers.cli")


@dataclass(frozen=True, slots=True)
class Session:
    """The surroundings of a command.

    Attributes:
        console: Standard error.
        live: Whether progress may be drawn there.
        signals: Entered.
    """

    console: StreamConsole
    live: bool
    signals: Signals


@contextmanager
def session(
    signals: Signals, *, log_format: LogFormat, log_level: LogLevel, verbose: bool
) -> Iterator[Session]:
    """Surround a command; what ends it early becomes one line on standard error and an exit code.

    Args:
        signals: Entered.
        log_format: Of the log, and of that line.
        log_level: From which level on records are logged.
        verbose: Log everything.

    Raises:
        typer.Exit: The command ended early.
    """
    console = StreamConsole(stderr=True, highlight=False)
    live = log_format is LogFormat.TEXT and sys.stderr.isatty() and console.is_interactive
    signals.last_words = partial(_last_words, log_format=log_format, live=live)
    signals.framed = partial(_framed, log_format=log_format, live=live)
    with logging_to(console, log_format, LogLevel.DEBUG if verbose else log_level):
        try:
            yield Session(console, live, signals)
        except InputError as error:
            code, line, stack = 2, str(error), None
        except RunError as error:
            code, line, stack = 1, error.reason, error.__cause__
        except Interrupted as error:
            code, line, stack = error.exit_code, error.line, None
        except Exception as error:  # noqa: BLE001 - a fault in the command itself ends in one line, too
            _log.error("fault in the command", exc_info=error)
            code, line, stack = 1, described(error), None
        else:
            return
        if log_format is LogFormat.JSON:
            _log.error(one_line(line), exit_code=code, exc_info=stack)
        else:
            say(line)
        raise typer.Exit(code)


def _last_words(interrupted: Interrupted, leaves: str, *, log_format: LogFormat, live: bool) -> str:
    """What is said when a second signal ends the command: in the log's format, in place of a bar."""
    line = one_line(interrupted.last_line(leaves))
    if log_format is LogFormat.JSON:
        return f"{json.dumps({'event': line, 'level': 'error', 'exit_code': interrupted.exit_code})}\n"
    return f"{_CLEAR if live else ''}genstage: {line}\n"


def _framed(text: str, *, log_format: LogFormat, live: bool) -> str:
    """An explanation, in the log's format, in place of a bar, which is drawn again below it."""
    if log_format is LogFormat.JSON:
        return f"{json.dumps({'event': 'explanation', 'level': 'info', 'text': text})}\n"
    return f"{_CLEAR if live else ''}{text}\n"
