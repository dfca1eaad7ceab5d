"""Timers: one thread and a heap, on the monotonic clock."""

from __future__ import annotations

import heapq
import threading
import time
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Timer", "Timers"]


class Timer:
    """Something that is to happen later. Safe to use from any thread.

    Attributes:
        function: What is to happen; ``None`` when it is over or was cancelled. Belongs to the timers.
    """

    __slots__ = ("due_s", "function", "number", "owner", "timers")

    def __init__(
        self, timers: Timers, due_s: float, number: int, function: Callable[[], None], owner: Hashable
    ) -> None:
        self.timers = timers
        self.due_s = due_s
        self.number = number
        self.function: Callable[[], None] | None = function
        self.owner = owner

    def cancel(self) -> bool:
        """Let it not happen; gives whether it was still to come."""
        return self.timers.cancel(self)

    def __lt__(self, other: Timer) -> bool:
        return (self.due_s, self.number) < (other.due_s, other.number)

    def __repr__(self) -> str:
        return f"<Timer {'over' if self.function is None else 'waiting'}>"


class Timers:
    """Calls functions after a while. The thread starts with the first one.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()  # guards all of the below, and the timers
        self._due: list[Timer] = []
        self._owned: dict[Hashable, set[Timer]] = {}
        self._cancelled = 0  # of those in the heap
        self._number = count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(self, delay_s: float, function: Callable[[], None], *, owner: Hashable = None) -> Timer:
        """Call ``function`` in the timer thread after ``delay_s``; it must not block or raise.

        Args:
            delay_s: Seconds, 0 or more.
            function: What to call.
            owner: Whose it is; see :meth:`forget`.
        """
        timer = Timer(self, time.monotonic() + delay_s, next(self._number), function, owner)
        with self._changed:
            if self._closed:
                timer.function = None
                return timer
            heapq.heappush(self._due, timer)
            self._owned.setdefault(owner, set()).add(timer)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            elif self._due[0] is timer:
                self._changed.notify()
        return timer

    def cancel(self, timer: Timer) -> bool:
        """As :meth:`Timer.cancel`."""
        with self._changed:
            cancelled = self._take(timer) is not None
            self._cancelled += cancelled
            self._compact()
        return cancelled

    def forget(self, owner: Hashable) -> None:
        """Cancel all that an owner has."""
        if owner not in self._owned:
            return
        with self._changed:
            for timer in list(self._owned.get(owner, ())):
                self._take(timer)
                self._cancelled += 1
            self._compact()

    def close(self, timeout_s: float) -> None:
        """Forget what is due and end the thread."""
        with self._changed:
            self._closed = True
            for timer in self._due:
                timer.function = None
            self._due.clear()
            self._owned.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _take(self, timer: Timer) -> Callable[[], None] | None:
        function, timer.function = timer.function, None
        if function is not None:
            owned = self._owned[timer.owner]
            owned.remove(timer)
            if not owned:
                del self._owned[timer.owner]
        return function

    def _compact(self) -> None:
        """Drop what was cancelled when it is the greater part: so each timer is moved a few times at most."""
        if 2 * self._cancelled > len(self._due):
            self._due = [timer for timer in self._due if timer.function is not None]
            heapq.heapify(self._due)
            self._cancelled = 0

    def _run(self) -> None:
        while (function := self._next()) is not None:
            function()
            del function  # or what it holds lives until the next one is due

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next function that is due; ``None`` at the end."""
        with self._changed:
            while not self._closed:
                wait_s = self._due[0].due_s - time.monotonic() if self._due else None
                if wait_s is None or wait_s > 0:
                    self._changed.wait(None if wait_s is None else min(wait_s, threading.TIMEOUT_MAX))
                elif (function := self._take(heapq.heappop(self._due))) is not None:
                    return function
                else:
                    self._cancelled -= 1
        return None
