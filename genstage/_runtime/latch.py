"""Something that happens once, for whoever waits for it and whoever wants to be called."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Latch"]


class Latch:
    """Has happened or not. All methods can be called from any thread.

    Example:
        >>> latch = Latch()
        >>> take_back = latch.on_set(lambda: print("now"))
        >>> latch.set()
        now
        >>> latch.wait(0)
        True
    """

    def __init__(self) -> None:
        self._happened = threading.Event()
        self._lock = threading.Lock()
        self._functions: dict[object, Callable[[], None]] = {}

    def set(self) -> None:
        """It happens. Functions are called by this thread; only the first time counts."""
        with self._lock:
            self._happened.set()
            functions, self._functions = self._functions, {}
        for function in functions.values():
            function()

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for it; gives whether it has happened in time."""
        return self._happened.wait(timeout_s)

    def on_set(self, function: Callable[[], None]) -> Callable[[], None]:
        """Have a function called when it happens, or at once if it has.

        Args:
            function: Called once, in whatever thread; must not block or raise.

        Returns:
            A function that takes it back.
        """
        key = object()
        with self._lock:
            happened = self._happened.is_set()
            if not happened:
                self._functions[key] = function
        if happened:
            function()
        return partial(self._forget, key)

    def _forget(self, key: object) -> None:
        with self._lock:
            self._functions.pop(key, None)
