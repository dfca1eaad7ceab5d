"""The entry point: it listens to signals before it loads anything, which takes a third of a second."""

import os
import signal

TYPE_CHECKING = False  # typing's own takes a while to load
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

__all__ = ["ENDING", "main"]

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end the command."""


def main(arguments: "Sequence[str] | None" = None) -> int:
    """Run the command line, in the main thread.

    A signal that comes before anything has been done, or when all is done, ends the process at once.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        The exit code.
    """
    before = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _end)
    try:
        from renderers.cli.entry import run_command  # noqa: PLC0415 - see above

        return run_command(arguments)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: "FrameType | None") -> None:
    os._exit(128 + number)
