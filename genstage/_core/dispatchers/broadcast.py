"""Every consumer gets every event, at the pace of the slowest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genstage._core.dispatchers.base import Dispatcher, Refused
from genstage._core.reasons import AlreadySubscribed
from genstage.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genstage._core.dispatchers.base import Link
    from genstage._core.messages import Peer, Tag

__all__ = ["BroadcastDispatcher"]


class _Consumer:
    __slots__ = ("peer", "selector", "surplus", "tag")

    def __init__(self, tag: Tag, peer: Peer, selector: Callable[[Any], Any] | None) -> None:
        self.tag = tag
        self.peer = peer
        self.selector = selector
        self.surplus = 0


class BroadcastDispatcher(Dispatcher):
    """Sends every event to every consumer; upstream goes what all of them wait for.

    Three quantities: ``waiting`` is what every consumer waits for; each consumer's *surplus* is its demand
    beyond that; ``requested`` is what the producer was asked for and still owes, at least ``waiting`` when no
    call is running. A subscription option ``selector`` (a function of an event) filters what the consumer
    gets; what it rejects is asked for again on its behalf.

    Source:
        GenStage's ``BroadcastDispatcher``. Where that strands events when a consumer subscribes late, this
        one hands them out as soon as all wait for them (``broadcast-late-subscriber-stall``).
    """

    def __init__(self) -> None:
        self._consumers: dict[Tag, _Consumer] = {}
        self._waiting = 0
        self._requested = 0
        self._behind = 0  # consumers without surplus: while there are any, nothing can be leveled

    def start(self, link: Link) -> None:
        """Called once, before anything else."""
        self._link = link

    def subscribe(self, tag: Tag, peer: Peer, options: Mapping[str, Any]) -> int:
        """Take a consumer on; until it asks, nobody gets anything.

        Raises:
            Refused: The same stage is subscribed already.
            OptionError: The selector is no function.
        """
        selector = options.get("selector")
        if selector is not None and not callable(selector):
            raise OptionError("selector", selector, "a function of one event")
        if any(consumer.peer == peer for consumer in self._consumers.values()):
            self._link.report("already_registered", peer=peer)
            raise Refused(AlreadySubscribed())
        for consumer in self._consumers.values():
            consumer.surplus += self._waiting
        self._waiting = 0
        self._consumers[tag] = _Consumer(tag, peer, selector)
        self._level()
        return 0

    def ask(self, tag: Tag, count: int) -> int:
        """A consumer asks for ``count`` more events."""
        consumer = self._consumers[tag]
        if not consumer.surplus:
            self._behind -= 1
        consumer.surplus += count
        if self._behind:
            return 0  # what all wait for is as before, and has been requested
        self._level()
        return self._request()

    def cancel(self, tag: Tag) -> int:
        """A consumer has left; if all waited for it, this makes demand."""
        del self._consumers[tag]
        if not self._consumers:
            self._waiting = 0
            return 0
        self._level()
        return self._request()

    def dispatch(self, events: Sequence[Any]) -> Sequence[Any]:
        """Deliver to all what all wait for; return the rest."""
        waiting = self._waiting
        if not waiting:
            return events
        now, later = (events, ()) if len(events) <= waiting else (events[:waiting], events[waiting:])
        now = tuple(now)  # one object for all of them: nobody may change it
        self._waiting = waiting - len(now)
        self._requested = max(self._requested - len(now), 0)
        for consumer in self._consumers.values():
            selected: Sequence[Any] = now
            if consumer.selector is not None:
                selected = [event for event in now if consumer.selector(event)]
                if len(selected) < len(now):
                    self._link.ask_again(consumer.tag, len(now) - len(selected))
            self._link.deliver(consumer.peer, consumer.tag, selected)
        return later

    def room(self) -> int:
        """What every consumer waits for."""
        return self._waiting

    def expects(self) -> bool:
        """Whether the producer owes something that somebody waits for."""
        return self._requested > 0 and any(
            self._waiting or consumer.surplus for consumer in self._consumers.values()
        )

    def owed(self) -> int:
        """What was requested."""
        return self._requested

    def waiting(self) -> Mapping[Tag, int]:
        """What each has asked for and has not got."""
        common = self._waiting
        return {tag: common + consumer.surplus for tag, consumer in self._consumers.copy().items()}

    def buffered(self, count: int) -> None:
        """What the buffer has, the producer no longer owes."""
        self._requested = max(self._requested - count, 0)

    def drained(self, count: int) -> None:
        """The producer still owes what the buffer served in its place."""
        self._requested += count

    def _level(self) -> None:
        """Move what all have in surplus over to ``waiting``."""
        consumers = self._consumers.values()
        common = min(consumer.surplus for consumer in consumers)
        self._waiting += common
        self._behind = 0
        for consumer in consumers:
            consumer.surplus -= common
            if not consumer.surplus:
                self._behind += 1

    def _request(self) -> int:
        """How much the producer has not been asked for yet."""
        new = max(self._waiting - self._requested, 0)
        self._requested += new
        return new
