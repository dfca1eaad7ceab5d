"""A lane: one queue of (actor, message) pairs and one thread that handles them in order of arrival.

Several actors can share a lane; each message is one append, one take and one call. An actor that blocks by
nature (a query, a file) has a lane of its own, and with it a thread of its own from its first callback to
its last.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any, Protocol

__all__ = ["Lane", "Turns"]


class Turns(Protocol):
    """What a lane carries."""

    def turn(self, message: Any) -> None:
        """Handle one message to the end. Never raises."""


class Lane:
    """A queue with a thread of its own.

    Args:
        name: Name of the thread.

    Attributes:
        put: Takes an (actor, message) pair, from any thread. It is the queue's own method, because every
            message goes through it. What comes after the lane is closed is never handled.
        turning: Whose turn it is.
    """

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[tuple[Turns, Any] | None] = SimpleQueue()
        self.put = self._queue.put
        self.turning: Turns | None = None
        # A daemon: a callback that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End when everything handed over so far has been handled."""
        self.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the thread."""
        self._thread.join(timeout_s)

    @property
    def current(self) -> bool:
        """Whether the caller runs on this lane, and would stop it by waiting."""
        return self._thread is threading.current_thread()  # identifiers are used again after a thread's end

    @property
    def thread_id(self) -> int | None:
        """Identifier of the thread, to find its stack."""
        return self._thread.ident

    def _run(self) -> None:
        take = self._queue.get
        while (item := take()) is not None:
            actor, message = item
            self.turning = actor
            actor.turn(message)
            self.turning = None
            del item, actor, message  # or the last chunk lives until the next one comes
