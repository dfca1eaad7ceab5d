"""Logging of the command: what the library reports, as lines on standard error.

The library only writes to standard loggers; here they get their one handler.
"""

from __future__ import annotations

import copy
import logging
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog

from genstage.errors import GenstageError
from renderers.cli.errors import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import EventDict, WrappedLogger

    from renderers.cli.console import StreamConsole

__all__ = ["LogFormat", "LogLevel", "logging_to"]

_ROOTS = ("genstage", "renderers")
_STAGES = "genstage.runtime"  # tells that a stage has failed


class LogFormat(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """From which level on records are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@contextmanager
def logging_to(console: StreamConsole, log_format: LogFormat, level: LogLevel) -> Iterator[None]:
    """Write the package's log records to a console, until left.

    Args:
        console: Where to; a live display on it stays below the lines.
        log_format: Lines to read, or one JSON object a line.
        level: Records below it are not written.
    """
    everything = log_format is LogFormat.JSON or level is LogLevel.DEBUG
    handler = _ConsoleHandler(console, everything=everything)
    handler.setFormatter(_formatter(log_format))
    loggers = [logging.getLogger(name) for name in _ROOTS]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(level.upper())
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (old_level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(old_level)
            logger.propagate = propagate


class _ConsoleHandler(logging.Handler):
    """Writes records as they are, above a live display if there is one.

    Args:
        console: Where to.
        everything: Whether to show the stack of each exception. An error of the package says itself what is
            wrong, so a person needs its stack only to look into details; and that a stage has failed with one
            need not be told here at all, because the command ends by saying it.
    """

    def __init__(self, console: StreamConsole, *, everything: bool) -> None:
        super().__init__()
        self._console = console
        self._everything = everything

    def emit(self, record: logging.LogRecord) -> None:
        try:
            shown = record if self._everything else _for_people(record)
            if shown is None:
                return
            self._console.out(self.format(shown), highlight=False)
        except Exception:  # noqa: BLE001 - a line that cannot be made or written must not end the run
            self.handleError(record)


def _for_people(record: logging.LogRecord) -> logging.LogRecord | None:
    """The record with what the exception says instead of its stack, if it is an error of the package.

    ``None`` for what is told elsewhere.
    """
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, GenstageError):
        return record
    if record.name == _STAGES:
        return None
    shown = copy.copy(record)  # others may handle it, too
    shown.exc_info, shown.exc_text = None, None
    shown.error = str(error)
    return shown


def _formatter(log_format: LogFormat) -> logging.Formatter:
    render = structlog.processors.JSONRenderer(default=str) if log_format is LogFormat.JSON else _text
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            render,
        ],
    )


def _text(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Time, level, event and fields in one line; a stack on lines of its own below.

    Example:
        >>> _text(None, "info", {"timestamp": "09:30", "level": "info", "event": "reading", "records": 7})
        '09:30 info reading  records=7'
    """
    head = " ".join(str(event.pop(name, "")) for name in ("timestamp", "level"))
    name, said, stack = event.pop("logger", ""), event.pop("event", ""), event.pop("exception", None)
    fields = " ".join(f"{key}={_shown(value)}" for key, value in event.items())
    origin = "" if not name or name.startswith("renderers.cli") else f"{name}: "
    line = f"{head} {origin}{one_line(str(said))}" + (f"  {fields}" if fields else "")
    return "\n".join([line, *map(printable, str(stack).splitlines())] if stack else [line])


def _shown(value: object) -> str:
    text = one_line(str(value))
    return f'"{text}"' if " " in text or not text else text
