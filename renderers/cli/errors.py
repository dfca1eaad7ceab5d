"""What ends a command early, and how it is said in one line.

::

    ended by              exit code
    InputError            2    bad input; nothing was begun
    RunError              1    a run failed
    Interrupted           130  Ctrl-C (SIGINT), 143 SIGTERM, 129 SIGHUP
"""

from __future__ import annotations

import signal
import sys

from genstage.errors import GenstageError, OptionError, OutputError, PipelineError, SourceError
from renderers.errors import RegistryError, ReportError

__all__ = [
    "InputError",
    "Interrupted",
    "RunError",
    "described",
    "one_line",
    "printable",
    "reason_of",
    "refusal",
]

_LONGEST = 1000


class InputError(Exception):
    """What the user gave cannot be used.

    Args:
        option: The option or argument, as it is typed.
        problem: What is wrong with it and what would be right.
    """

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(f"{option}: {problem}")
        self.option = option
        self.problem = problem


class RunError(Exception):
    """A run that had begun failed; ``__cause__`` is the error.

    Args:
        reason: Why, in one line.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Interrupted(BaseException):
    """A signal asked the command to end; like ``KeyboardInterrupt`` no ``except Exception`` holds it up.

    Args:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def name(self) -> str:
        """Its name, such as ``SIGINT``."""
        return signal.Signals(self.number).name

    @property
    def line(self) -> str:
        """What is said about it."""
        return f"stopped by {self.name}: no output was written"

    def last_line(self, leaves: str) -> str:
        """What is said where it is the second one and ends the command at once.

        Args:
            leaves: What may be left behind, which the next run removes; empty if that is not known.
        """
        left = f"{leaves} may be left, the next run removes it" if leaves else "unfinished files may be left"
        return f"broken off by {self.name}: {left}"

    @property
    def exit_code(self) -> int:
        """What a shell would show for a process that the signal had killed."""
        return 128 + self.number


def one_line(text: str) -> str:
    r"""Text fit for one line of a terminal.

    White space becomes single spaces, other characters that do not print are written as escapes, and what is
    longer than a screenful is cut.

    Example:
        >>> print(one_line("near 'x':\n  syntax error\x1b[31m"))
        near 'x': syntax error\x1b[31m
    """
    shown = printable(" ".join(text.split()))
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3] + "..."


def printable(text: str) -> str:
    """Text with escapes instead of characters that do not print, which a terminal might obey."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def refusal(error: GenstageError, *, report: str) -> InputError:
    """Say which option an error of the library, found before a run began, comes from.

    Args:
        error: The error.
        report: What the report came from, as the user knows it.
    """
    match error:
        case SourceError():
            return InputError("--source", f"{error.source}: {error.problem}")
        case RegistryError():
            return InputError("--format", f"unknown format {error.name!r}: use {', '.join(error.known)}")
        case OutputError():
            return InputError("--out", f"{error.path}: {error.problem}")
        case ReportError():
            return InputError(report, f"report {error.report!r}: {error.problem}")
        case OptionError():
            return InputError(f"--{error.option}", f"must be {error.expected}, got {error.value!r}")
        case _:
            return InputError(report, str(error))


def reason_of(error: BaseException) -> str:
    """Why a run failed, in one line: what the exception of the first stage that failed says.

    The stage itself is named only where the text was not written to be read alone.
    """
    if not isinstance(error, PipelineError) or not error.failures:
        return described(error)
    first = error.failures[0]
    cause = first.exception
    if cause is None:
        return f"{first.stage}: {first.reason}"
    return described(cause) if _speaks_for_itself(cause) else f"{first.stage}: {described(cause)}"


def described(error: BaseException) -> str:
    """What an exception says; its class is left out where the text was written to be read alone."""
    text = one_line(str(error))
    if _speaks_for_itself(error):
        return text
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def _speaks_for_itself(error: BaseException) -> bool:
    return isinstance(error, GenstageError) and bool(str(error))


def say(line: str) -> None:
    """Say why the command ends, in one line on standard error."""
    try:
        print(f"genstage: {one_line(line)}", file=sys.stderr, flush=True)  # noqa: T201 - this is the command line
    except OSError:
        return  # nobody listens; the exit code says it
