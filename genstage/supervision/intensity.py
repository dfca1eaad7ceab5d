"""How often children may be started again, and what it means that they were too often. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genstage._core.checks import check_count, check_seconds
from genstage.errors import OptionError

if TYPE_CHECKING:
    from genstage._core.reasons import Reason

__all__ = ["FailedToStart", "GaveUp", "Intensity", "check_intensity"]


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Why a supervisor has ended: its restarts were used up. The detail of its ``Shutdown``.

    Attributes:
        supervisor: Its name.
        child: The child that failed last.
        restarts: How many restarts there had been within the window.
        window_s: The window, in seconds.
        reason: Why the child failed; another supervisor that has given up has its own reason in there.
    """

    supervisor: str
    child: str
    restarts: int
    window_s: float
    reason: Reason

    def __str__(self) -> str:
        return (
            f"{self.supervisor!r} gave up, after {self.restarts} restarts within {self.window_s:g} s,"
            f" because of {self.child!r}: {self.reason}"
        )


@dataclass(frozen=True, slots=True)
class FailedToStart:
    """Why a supervisor did not start: a child of it did not. The detail of its ``Shutdown``.

    Attributes:
        supervisor: Its name.
        child: The child.
        reason: Why that did not start; a supervisor has its own reason in there.
    """

    supervisor: str
    child: str
    reason: Reason

    def __str__(self) -> str:
        return f"{self.supervisor!r} did not start, because of {self.child!r}: {self.reason}"


def check_intensity(max_restarts: object, restart_window_s: object) -> tuple[int, float]:
    """The options of an intensity.

    Raises:
        OptionError: One is wrong.
    """
    count = check_count("max_restarts", max_restarts, 0)
    seconds = check_seconds("restart_window_s", restart_window_s)
    if not seconds:
        raise OptionError("restart_window_s", restart_window_s, "a number of seconds, more than 0")
    return count, seconds


class Intensity:
    """A sliding window of restarts.

    1. Each restart counts, whether the child starts or not.
    2. One that is older than the window counts no more; one that is just as old does.
    3. When there would be more than ``max_restarts`` in the window, there is no restart.

    Args:
        max_restarts: How many are allowed, 0 or more.
        window_s: Within how many seconds, more than 0.

    Example:
        >>> intensity = Intensity(2, 5.0)
        >>> [intensity.allows(now_s) for now_s in (0.0, 1.0, 5.0, 5.5)]
        [True, True, False, True]

    Source:
        OTP's restart intensity.
    """

    def __init__(self, max_restarts: int, window_s: float) -> None:
        self.max_restarts = max_restarts
        self.window_s = window_s
        self._times: deque[float] = deque()

    def allows(self, now_s: float) -> bool:
        """Whether a child may be started again now; if so, it counts."""
        times = self._times
        while times and times[0] < now_s - self.window_s:
            times.popleft()
        if len(times) >= self.max_restarts:
            return False
        times.append(now_s)
        return True

    @property
    def restarts(self) -> int:
        """How many are in the window, as of the last time it was asked."""
        return len(self._times)
