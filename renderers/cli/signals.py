"""What the command does when it is sent a signal.

It ends when it is asked to: in order at the first signal, at once at the second. At SIGUSR1 it tells what
it is doing, and goes on.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from renderers.cli.errors import Interrupted, described
from renderers.cli.start import ENDING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["Signals"]


class Signals:
    """Handles SIGINT (Ctrl-C), SIGTERM and SIGHUP while it is entered, in the main thread.

    The first raises :class:`Interrupted`, or is only noted after :meth:`hold`; the second ends the process
    without further ado, but says so. A signal that the process was started to ignore (``nohup``) stays
    ignored. So it is with SIGUSR1, which otherwise writes to standard error what holds up the run, as much as
    there is room for.

    Attributes:
        received: The first signal, if one has come.
        leaves: What an end at once may leave behind, which the next run removes.
        last_words: Makes what is said then: from the signal and ``leaves``, without a lock.
        explain: What is told at SIGUSR1; called in the middle of anything.
        framed: Makes of it what is written.

    Example:
        >>> with Signals() as signals:
        ...     signals.received is None
        True
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.leaves = ""
        self.last_words: Callable[[Interrupted, str], str] = _last_words
        self.explain: Callable[[], str] = _nothing_runs
        self.framed: Callable[[str], str] = "{}\n".format
        self._held = False
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        """Take the signals over."""
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        if signal.getsignal(signal.SIGUSR1) is not signal.SIG_IGN:
            self._before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, self._tell)
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def hold(self) -> None:
        """From now on only note a signal: what follows must not be torn out of a step."""
        self._held = True

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """After :meth:`hold`, raise all the same, also what was noted before: for waiting.

        Raises:
            Interrupted: A signal has come.
        """
        self._held = False
        try:
            if self.received is not None:
                raise Interrupted(self.received)
            yield
        finally:
            self._held = True

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            # The user has lost patience: no clean-up, and nothing that could hang.
            _write_at_once(self.last_words(Interrupted(number), self.leaves))
            os._exit(128 + number)
        self.received = number
        if not self._held:
            raise Interrupted(number)

    def _tell(self, _number: int, _frame: FrameType | None) -> None:
        try:
            text = self.explain()
        except Exception as error:  # noqa: BLE001 - whatever it is interrupted in must not hear of it
            text = f"what the run is doing cannot be told: {described(error)}"
        _write_at_once(self.framed(text))


def _nothing_runs() -> str:
    return "no run is under way"


def _last_words(interrupted: Interrupted, leaves: str) -> str:
    return f"genstage: {interrupted.last_line(leaves)}\n"


def _write_at_once(text: str) -> None:
    """Write to standard error past Python's buffers and locks, which the moment may hold; if it has room."""
    try:
        descriptor = sys.stderr.fileno()
        rest = text.encode(errors="backslashreplace")
        while rest and select.select([], [descriptor], [], 0)[1]:
            rest = rest[os.write(descriptor, rest[: select.PIPE_BUF]) :]
    except (OSError, ValueError):
        return  # nobody listens; the exit code says it
