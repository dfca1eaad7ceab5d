"""Signals that ask a program to end, for one that wants to end in order; nothing here listens unasked."""

from __future__ import annotations

import signal
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Self

from genstage._core.checks import check_seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["Termination"]


class Termination:
    """Waits for SIGTERM or SIGINT (Ctrl-C), while it is entered, in the main thread.

    The first of them wakes whoever waits and does nothing else. From then on both do what they did before it
    was entered, so that a second one ends a program that takes too long to end. A signal that the process was
    started to ignore stays ignored.

    Args:
        signals: Other signals to wait for.

    Attributes:
        received: The signal that has come; ``None`` if none has.

    Example:
        >>> import signal
        >>> with Termination() as termination:
        ...     signal.raise_signal(signal.SIGTERM)  # as a service manager does
        ...     termination.wait(timeout_s=10), termination.received.name
        (True, 'SIGTERM')
    """

    def __init__(self, *signals: signal.Signals) -> None:
        self.received: signal.Signals | None = None
        self._signals = signals or (signal.SIGTERM, signal.SIGINT)
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        # A queue, because it may be put into by a handler that has interrupted somebody who waits for it.
        self._news: SimpleQueue[None] = SimpleQueue()

    def wake(self) -> None:
        """Let whoever waits go on: there is another reason to end. In any thread."""
        self._news.put(None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until a signal has come or :meth:`wake` was called, in any thread.

        Args:
            timeout_s: Seconds to wait; ``None``, the default, for ever.

        Returns:
            Whether it has.

        Raises:
            OptionError: ``timeout_s`` is negative or no number.
        """
        try:
            self._news.get(timeout=None if timeout_s is None else check_seconds("timeout_s", timeout_s))
        except Empty:
            return False
        self._news.put(None)  # for whoever else waits
        return True

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            ValueError: This is not the main thread.
        """
        for number in self._signals:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._restore()

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._restore()
        self.received = signal.Signals(number)
        self._news.put(None)

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def __repr__(self) -> str:
        received = "none yet" if self.received is None else self.received.name
        return f"<Termination {received}>"
