"""The two streams of the command as rich consoles."""

from __future__ import annotations

import os
import sys
from typing import Any

from rich.console import Console

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
    """
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _UNBOUND  # lines are for programs, too: nothing is folded
    with console.capture() as captured:
        for result in results:
            console.print(result)
    text = "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python itself flushes at the end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
