"""Memory of this process and the processes it has started."""

from __future__ import annotations

import threading
from contextlib import suppress
from itertools import count

import psutil

from genstage._core.checks import check_seconds

__all__ = ["MemoryMonitor", "memory_bytes"]


# Looking for new processes goes through all those of the machine: at each sample while a run begins, and now
# and then later.
_EARLY = 20
_ROUNDS = 5


def memory_bytes() -> int:
    """Resident memory of this process and all its descendants, in bytes.

    What they share is counted once per process, so the sum errs to the high side.
    """
    return _sum_bytes(_family())


def _family() -> list[psutil.Process]:
    process = psutil.Process()
    return [process, *process.children(recursive=True)]


def _sum_bytes(processes: list[psutil.Process]) -> int:
    total = 0
    for process in processes:
        with suppress(psutil.Error):  # it has ended
            total += process.memory_info().rss
    return total


class MemoryMonitor:
    """Samples the memory in a thread of its own and keeps the peak.

    Args:
        interval_s: Seconds between samples.

    Example:
        >>> monitor = MemoryMonitor()
        >>> monitor.stop() > 1_000_000
        True
    """

    def __init__(self, *, interval_s: float = 0.1) -> None:
        self._interval_s = check_seconds("interval_s", interval_s)
        self._peak_bytes = memory_bytes()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory-monitor", daemon=True)
        self._thread.start()

    @property
    def peak_bytes(self) -> int:
        """The largest sample so far."""
        return self._peak_bytes

    def stop(self) -> int:
        """Take a last sample and end the thread; returns the peak in bytes. Allowed more than once."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._thread.join()
            self._peak_bytes = max(self._peak_bytes, memory_bytes())
        return self._peak_bytes

    def _sample(self) -> None:
        family: list[psutil.Process] = []
        for number in count():
            if number < _EARLY or number % _ROUNDS == 0:
                family = _family()
            if self._stopped.wait(self._interval_s):
                return
            self._peak_bytes = max(self._peak_bytes, _sum_bytes(family))
