"""A lane: one queue of (actor, message) pairs and one thread that handles them in order of arrival.

Several actors can share a lane; each message is one append, one take and one call. An actor that blocks by
nature (a query, a file) has a lane of its own, and with it a thread of its own from its first callback to
its last.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import Any, Protocol

__all__ = ["Lane", "Turns"]


class Turns(Protocol):
    """What a lane carries."""

    def turn(self, message: Any) -> None:
        """Handle one message to the end. Never raises."""

    def refuse(self, message: Any) -> None:
        """Answer a message that nobody will handle. Never raises; called in any thread."""


class Lane:
    """A queue with a thread of its own.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[tuple[Turns, Any] | None] = SimpleQueue()
        self._closed = False
        # A daemon: a callback that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, actor: Turns, message: Any) -> None:
        """Hand over a message, from any thread."""
        self._queue.put((actor, message))
        if self._closed:  # it may have been closed before or after the line above: nothing stays unanswered
            self._refuse_rest()

    def close(self) -> None:
        """End when everything handed over so far has been handled."""
        self._queue.put(None)

    def join(self, timeout_s: float) -> bool:
        """Wait for the end of the thread; whether it has ended. Its own thread does not wait for itself."""
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def running(self) -> bool:
        """Whether its thread is there."""
        return self._thread.is_alive()

    @property
    def thread_id(self) -> int | None:
        """Identifier of the thread, to find its stack."""
        return self._thread.ident

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            actor, message = item
            actor.turn(message)
            del item, actor, message  # or the last chunk lives until the next one comes
        self._closed = True
        self._refuse_rest()

    def _refuse_rest(self) -> None:
        while True:
            try:
                item = self._queue.get_nowait()
            except Empty:
                return
            if item is not None:
                actor, message = item
                actor.refuse(message)
