"""A clock that only moves when a test moves it."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

from genstage._core.checks import check_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ManualClock"]


class ManualClock:
    """Time and timers, moved by hand.

    Attributes:
        now_s: Seconds since the start.

    Example:
        >>> clock = ManualClock()
        >>> clock.after(2.0, lambda: print("two"))
        >>> clock.after(1.0, lambda: print("one"))
        >>> clock.advance(1.5)
        one
        >>> clock.now_s, clock.next_s
        (1.5, 2.0)
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def after(self, delay_s: float, function: Callable[[], None]) -> None:
        """Call ``function`` when ``delay_s`` have passed."""
        heapq.heappush(self._due, (self.now_s + delay_s, next(self._numbers), function))

    @property
    def next_s(self) -> float | None:
        """When the next function is due; ``None`` if none is."""
        return self._due[0][0] if self._due else None

    def advance(self, seconds: float) -> None:
        """Let time pass, and call what is due meanwhile, in its order and at its time.

        Raises:
            OptionError: ``seconds`` is negative or no number.
        """
        until_s = self.now_s + check_seconds("seconds", seconds)
        while self._due and self._due[0][0] <= until_s:
            self.now_s, _, function = heapq.heappop(self._due)
            function()
        self.now_s = until_s
