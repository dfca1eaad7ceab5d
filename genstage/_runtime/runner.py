"""A thread of a shared lane."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from genstage._runtime.lane import Resident

if TYPE_CHECKING:
    from genstage._runtime.shared_lane import SharedLane

__all__ = ["Item", "Runner", "peek", "pop"]

Item = tuple[Resident, Any]


class Runner:
    """A thread that can hold the baton.

    Attributes:
        slot: See rule 1.
        lost: The pair in whose turn it lost the baton; set under the lane's lock.
        lost_s: When that was, on the monotonic clock.
        silenced: As in :class:`~genstage._runtime.lane.Place`; set under the lane's lock.
        go: Released to give it the baton, or to let it end.
    """

    __slots__ = ("_lane", "go", "lost", "lost_s", "silenced", "slot", "thread")

    def __init__(self, lane: SharedLane, name: str) -> None:
        self._lane = lane
        self.slot: list[Item] = []
        self.lost: Item | None = None
        self.lost_s = 0.0
        self.silenced = False
        self.go = threading.Lock()
        self.go.acquire()
        # A daemon: a callback that never returns must not keep the process from ending.
        self.thread = threading.Thread(target=lane.run, args=(self,), name=name, daemon=True)

    def resident(self) -> Resident | None:
        """As :class:`~genstage._runtime.lane.Place`."""
        return self._lane.resident_of(self)

    def give_way(self) -> None:
        """As :class:`~genstage._runtime.lane.Place`."""
        item = pop(self.slot)
        if item is not None:  # else somebody else was quicker, or this turn has given way before
            self._lane.pass_on(self, item)


def peek(slot: list[Item]) -> Item | None:
    """The token in a slot, if there is one."""
    try:
        return slot[0]
    except IndexError:
        return None


def pop(slot: list[Item]) -> Item | None:
    """Take the token from a slot; ``None`` if somebody was quicker."""
    try:
        return slot.pop()
    except IndexError:
        return None
