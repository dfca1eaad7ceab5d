"""How the command ends when it is asked to: in order at the first signal, at once at the second."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from renderers.cli.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["Signals"]

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Handles SIGINT (Ctrl-C), SIGTERM and SIGHUP while it is entered, in the main thread.

    The first raises :class:`Interrupted`, or is only noted after :meth:`hold`; the second ends the process
    without further ado. A signal that the process was started to ignore (``nohup``) stays ignored.

    Example:
        >>> with Signals() as signals:
        ...     signals.received is None
        True
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._held = False
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        """Take the signals over."""
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
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
            os._exit(128 + number)  # the user has lost patience: no clean-up, and nothing that could hang
        self.received = number
        if not self._held:
            raise Interrupted(number)
