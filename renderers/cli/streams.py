"""The standard streams of the process, made safe: one may be closed, broken, full or know only ASCII."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

__all__ = ["give_up_broken_streams", "set_up_streams"]


def set_up_streams() -> None:
    """Make the standard streams fit to be written to, whatever the process was started with; called first."""
    # A closed one would be reopened as the next file that is opened, which could be an output.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - until the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a title need not fit the terminal's encoding


def give_up_broken_streams() -> None:
    """Let what cannot be written to the standard streams go nowhere; called last.

    Python itself flushes them when it ends. It would complain, and the exit code would be 120 instead of the
    command's own.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
