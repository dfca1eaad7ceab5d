"""The buffer between a producer's callbacks and its dispatcher.

Events wait here when nobody has asked for them. An *info* (a message that must not overtake events) waits
with them: in a finite buffer it hangs on the event before it and is let go with that event, whether the
event is taken or displaced; in an infinite buffer it is an entry of its own and counts.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Buffer", "Stored", "Taken"]


class Stored(NamedTuple):
    """Outcome of a store: how many events were discarded, and the infos that this lets go."""

    discarded: int
    infos: list[Any]


class Taken(NamedTuple):
    """Outcome of a take. A take ends as soon as it has met infos, even if more could be taken."""

    events: list[Any]
    infos: list[Any]
    unserved: int


class _Entry:
    """An event with the infos behind it; in an infinite buffer, either an event or one info."""

    __slots__ = ("event", "infos", "is_info")

    def __init__(self, event: Any, *, is_info: bool = False) -> None:
        self.event = event
        self.infos: list[Any] | None = None
        self.is_info = is_info


class Buffer:
    """A first-in-first-out buffer.

    Args:
        size: Most events it holds, 1 or more; ``None`` for no limit.
        keep: Which survive an overflow: the ``"first"`` ones or the ``"last"``.

    Attributes:
        entries: What it holds; others only look whether there is anything.
    """

    __slots__ = ("_keep_first", "_size", "entries")

    def __init__(self, size: int | None, keep: str = "last") -> None:
        self.entries: deque[_Entry] = deque()
        self._size = size
        self._keep_first = keep == "first"

    def __len__(self) -> int:
        return len(self.entries)

    def store(self, events: Sequence[Any]) -> Stored:
        """Append events; what does not fit is discarded as ``keep`` says."""
        if self._size is None:
            self.entries.extend(map(_Entry, events))
            return Stored(0, [])
        excess = len(self.entries) + len(events) - self._size
        if excess <= 0:
            self.entries.extend(map(_Entry, events))
            return Stored(0, [])
        if self._keep_first:
            self.entries.extend(map(_Entry, events[: len(events) - excess]))
            return Stored(excess, [])
        infos: list[Any] = []
        for _ in range(min(excess, len(self.entries))):
            infos.extend(self.entries.popleft().infos or ())
        self.entries.extend(map(_Entry, events[-self._size :]))
        return Stored(excess, infos)

    def store_info(self, info: Any) -> bool:
        """Let an info wait behind the last event; ``False`` if there is none to wait for."""
        if not self.entries:
            return False
        if self._size is None:
            self.entries.append(_Entry(info, is_info=True))
        else:
            last = self.entries[-1]
            if last.infos is None:
                last.infos = []
            last.infos.append(info)
        return True

    def take(self, count: int) -> Taken | None:
        """Take up to ``count`` events, up to and with the first infos; ``None`` if there is nothing."""
        if not self.entries or count <= 0:
            return None
        entries = self.entries
        events: list[Any] = []
        infos: list[Any] = []
        while entries and count:
            entry = entries.popleft()
            if entry.is_info:
                infos.append(entry.event)
                break
            events.append(entry.event)
            count -= 1
            if entry.infos:
                infos.extend(entry.infos)
                break
        return Taken(events, infos, count)

    def take_infos(self) -> list[Any]:
        """Take the infos that no event precedes any more (only an infinite buffer holds such)."""
        infos: list[Any] = []
        while self.entries and self.entries[0].is_info:
            infos.append(self.entries.popleft().event)
        return infos

    def put_back(self, events: Sequence[Any], infos: Iterable[Any]) -> None:
        """Put refused events back to the head, the infos taken with them behind them."""
        waiting = list(infos)
        entries = [_Entry(event) for event in events]
        if waiting and self._size is None:
            entries.extend(_Entry(info, is_info=True) for info in waiting)
        elif waiting:
            entries[-1].infos = waiting
        self.entries.extendleft(reversed(entries))
