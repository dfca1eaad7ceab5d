"""The two streams of the command as rich consoles."""

from __future__ import annotations

import io
import sys
from typing import Any

from rich.console import Console

from renderers.cli.errors import RunError

__all__ = ["StreamConsole", "print_result"]

_UNBOUND = 10_000  # columns of a stream that is no terminal


class StreamConsole(Console):
    """A console that falls silent when nobody reads its stream any more; rich's own ends the process then."""

    def on_broken_pipe(self) -> None:
        """Write no more."""
        self.quiet = True


def print_result(*results: Any) -> None:
    """Print on standard output; that its reader has had enough, as ``head`` has, is no failure.

    Args:
        results: What rich can print, one below the other.

    Raises:
        RunError: It cannot be written there.
    """
    terminal = sys.stdout.isatty()
    text = io.StringIO()
    console = Console(
        file=text,
        force_terminal=terminal,
        width=None if terminal else _UNBOUND,  # elsewhere lines are for programs, too: nothing is folded
        highlight=False,
        markup=False,
        emoji=False,
    )
    for result in results:
        console.print(result)
    try:
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            raise RunError(f"standard output: {error.strerror}") from error
