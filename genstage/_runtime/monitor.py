"""The monitor of a shared lane: takes the baton from a turn that takes long. See the rules in ``lane``.

While it looks, it also notes whose turn it finds: that is how busy the lane's actors are. A turn that has
lost the baton is put to the clock instead, and nobody is noted while the lane sleeps.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from genstage.logger import get_logger

if TYPE_CHECKING:
    from genstage._runtime.lane import Resident
    from genstage._runtime.shared_lane import SharedLane

__all__ = ["Monitor"]

INTERVAL_S = 0.005
"""Between two looks. A turn that is seen twice while others wait loses the baton."""

QUIET = 4
"""Intervals: the lane sleeps for so long before the monitor parks; and a turn that nobody waits for is left
alone for so long."""


class Monitor:
    """A thread that watches a lane.

    Args:
        lane: The lane.
        name: Name of the thread.
    """

    def __init__(self, lane: SharedLane, name: str) -> None:
        self._lane = lane
        self._interval_s = INTERVAL_S
        self._parked = False
        self._ended = False
        # Held while there is nothing to hurry for. Released under the lane's lock only.
        self._go = threading.Lock()
        self._go.acquire()
        self._log = get_logger("genstage.runtime", runtime=lane.runtime, lane=lane.name)
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def park(self) -> None:
        """Stop looking until :meth:`unpark`; the caller holds the lane's lock."""
        self._parked = True

    def unpark(self) -> None:
        """The lane wakes; the caller holds its lock."""
        if self._parked:
            self._parked = False
            self._release()

    def end(self) -> None:
        """End the thread; the caller holds the lane's lock."""
        self._ended = True
        self._release()

    def _tell(self, resident: Resident) -> None:
        stage = getattr(resident, "name", None)
        self._log.debug("a lane goes on without a turn that takes long", stage=stage)

    def _release(self) -> None:
        if self._go.locked():
            self._go.release()

    def _run(self) -> None:
        seen, sights, quiet = None, 0, 0
        looked_s = time.monotonic()
        while not self._ended:
            if self._parked:
                self._go.acquire()
                quiet = 0
                looked_s = time.monotonic()
                continue
            self._go.acquire(timeout=self._interval_s)
            item = self._lane.in_turn()
            last_s, looked_s = looked_s, time.monotonic()
            if item is not None:
                item[0].sampled_s += looked_s - last_s
            if item is not None and item is seen:  # held here, so no other pair can have its identity
                sights += 1
                if self._lane.waiting or sights > QUIET:
                    self._lane.steal(item)
                    self._tell(item[0])
            else:
                seen, sights = item, 1
                quiet = quiet + 1 if self._lane.sleeping else 0
                if quiet > QUIET:
                    self._lane.park_monitor()
            del item
