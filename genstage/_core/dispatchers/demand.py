"""Events go to the consumer with the greatest unserved demand."""

from __future__ import annotations

from bisect import insort
from random import Random
from typing import TYPE_CHECKING, Any

from genstage._core.checks import check_count, check_flag
from genstage._core.dispatchers.base import Dispatcher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genstage._core.dispatchers.base import Link
    from genstage._core.messages import Peer, Tag

__all__ = ["DemandDispatcher"]


class _Consumer:
    __slots__ = ("demand", "peer", "tag")

    def __init__(self, tag: Tag, peer: Peer) -> None:
        self.tag = tag
        self.peer = peer
        self.demand = 0


def _falling(consumer: _Consumer) -> int:
    return -consumer.demand


class DemandDispatcher(Dispatcher):
    """Sends each event to one consumer: the one with the greatest unserved demand, first come first served.

    The demand of a consumer that leaves is remembered: the producer has been asked for it, so the next
    consumers' asks are covered by it first.

    Args:
        max_demand: Largest ask expected, 1 or more; a larger one is honoured, with a warning. By default the
            first ask sets it.
        shuffle_demands_on_first_dispatch: Begin in random order, so that many equal producers do not all
            favour the same consumer.
        seed: Makes that order the same each time; by default each dispatcher has an order of its own.

    Raises:
        OptionError: One of them is out of range.

    Source:
        GenStage's ``DemandDispatcher``. Where that leaves buffered events waiting because a departed
        consumer's demand covers a new ask, this one hands them out (see ``drained``).
    """

    def __init__(
        self,
        *,
        max_demand: int | None = None,
        shuffle_demands_on_first_dispatch: bool = False,
        seed: int | None = None,
    ) -> None:
        self._consumers: list[_Consumer] = []  # greatest demand first, older first among equals
        self._only: _Consumer | None = None  # if there is just one consumer and nothing to shuffle: that one
        self._by_tag: dict[Tag, _Consumer] = {}
        self._pending = 0
        self._max_demand = 0 if max_demand is None else check_count("max_demand", max_demand, 1)
        shuffles = check_flag("shuffle_demands_on_first_dispatch", shuffle_demands_on_first_dispatch)
        if seed is not None:
            check_count("seed", seed, 0)
        self._random = Random(seed) if shuffles else None  # noqa: S311 - it spreads load, it guards nothing

    def start(self, link: Link) -> None:
        """Called once, before anything else."""
        self._link = link

    def subscribe(self, tag: Tag, peer: Peer, options: Mapping[str, Any]) -> int:  # noqa: ARG002 - it has no options
        """Take a consumer on."""
        consumer = self._by_tag[tag] = _Consumer(tag, peer)
        self._consumers.append(consumer)
        self._count()
        return 0

    def ask(self, tag: Tag, count: int) -> int:
        """A consumer asks for ``count`` more events."""
        if count > self._max_demand:
            if self._max_demand:
                self._link.report("demand_above_max", expected=self._max_demand, got=count)
            else:
                self._max_demand = count
        consumer = self._by_tag[tag]
        consumer.demand += count
        if self._only is None:
            self._consumers.remove(consumer)
            insort(self._consumers, consumer, key=_falling)
        if not self._pending:
            return count
        covered = min(self._pending, count)
        self._pending -= covered
        return count - covered

    def cancel(self, tag: Tag) -> int:
        """A consumer has left; its demand is remembered."""
        consumer = self._by_tag.pop(tag)
        self._consumers.remove(consumer)
        self._count()
        self._pending += consumer.demand
        return 0

    def dispatch(self, events: Sequence[Any]) -> Sequence[Any]:
        """Deliver to the greatest demand first; return what nobody asked for."""
        only = self._only
        if only is not None and (left := only.demand - len(events)) >= 0:
            only.demand = left  # usual: it saves the loop and its bookkeeping
            self._link.deliver(only.peer, only.tag, events)
            return ()
        consumers = self._consumers
        if self._random is not None:
            self._random.shuffle(consumers)
            consumers.sort(key=lambda consumer: not consumer.demand)
            self._random = None
            self._count()
        while consumers and events:
            consumer = consumers[0]
            demand = consumer.demand
            if not demand:
                break
            if len(events) <= demand:
                now, events = events, ()
            else:
                now, events = events[:demand], events[demand:]
            consumer.demand = demand - len(now)
            if len(consumers) > 1:
                del consumers[0]
                insort(consumers, consumer, key=_falling)
            self._link.deliver(consumer.peer, consumer.tag, now)
        if events and self._pending:
            self._pending = max(self._pending - len(events), 0)
        return events

    def room(self) -> int:
        """The unserved demand of all consumers."""
        return sum(consumer.demand for consumer in self._consumers)

    def expects(self) -> bool:
        """Whether anybody waits."""
        consumer = self._only
        if consumer is None and self._consumers:
            consumer = self._consumers[0]
        return consumer is not None and consumer.demand > 0

    def owed(self) -> int:
        """What is waited for, and what a departed consumer waited for."""
        return self._pending + self.room()

    def waiting(self) -> Mapping[Tag, int]:
        """What each has asked for and has not got."""
        return {tag: consumer.demand for tag, consumer in self._by_tag.copy().items()}

    def drained(self, count: int) -> None:
        """The producer still owes what the buffer served in its place."""
        self._pending += count

    def _count(self) -> None:
        single = len(self._consumers) == 1 and self._random is None
        self._only = self._consumers[0] if single else None
