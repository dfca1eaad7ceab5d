"""Each event goes to the consumer of its partition."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from genstage._core.checks import check_count, check_flag
from genstage._core.dispatchers.base import Dispatcher, Kept
from genstage._core.dispatchers.hashing import stable_hash
from genstage._core.snapshot import snapshot
from genstage.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from genstage._core.dispatchers.base import Link
    from genstage._core.messages import Peer, Tag

__all__ = ["PartitionDispatcher"]


_NONE: deque[Any] = deque()


class _Info:
    """An info that waits in the queues of several partitions, behind their events."""

    __slots__ = ("_send", "_waits_in")

    def __init__(self, send: Callable[[], None], waits_in: int) -> None:
        self._send = send
        self._waits_in = waits_in

    def pass_one(self) -> None:
        """One of the queues has let it through; with the last it is sent."""
        self._waits_in -= 1
        if not self._waits_in:
            self._send()


class _Partition:
    """A partition, with or without a consumer.

    Attributes:
        queue: What waits for its consumer's next ask. A queue, be it empty, says that it is backed up: its
            consumer has no unserved demand. ``None`` says that it is not.
    """

    __slots__ = ("demand", "peer", "queue", "tag")

    def __init__(self) -> None:
        self.free()

    def free(self) -> None:
        """Nobody has it, and nothing waits in it."""
        self.tag: Tag | None = None
        self.peer: Peer = None
        self.demand = 0
        self.queue: deque[Any] | None = None


class PartitionDispatcher(Dispatcher):
    """Sends each event to the one consumer of the partition that a hash function says.

    A consumer says its partition by the subscription option ``partition``, which is required; a partition
    has one consumer at a time. A subscription without it, to an unknown or to a taken partition ends the
    *producer*, as in GenStage: it is a mistake in how the stages are put together.

    What all consumers ask for, added up, goes to the producer. While any of it is open, events are taken and
    sorted; one whose consumer waits for nothing, or has not subscribed yet, is queued in its partition,
    beside the stage's buffer. If the consumer leaves, its queue is dropped and as many events are asked for.
    Each partition should have a consumer: what is queued for one without holds the demand that it used up.

    *A consumer can starve.* An event that the hash function drops uses up no demand, but the producer has
    made it for somebody and is not asked for another: with ``min_demand=0``, say, a consumer that got none of
    its last ten events does not ask again. Give ``replace_discarded=True`` when the function drops much.

    Args:
        partitions: How many, named 0, 1, 2 …; or their names.
        hash: Says for an event ``(event, partition)``, where the event may be another one; or ``None`` to
            drop it. By default events are spread by ``stable_hash``, the same way in every process; it is
            required where a name is no integer, and for events other than simple values.
        replace_discarded: Whether the producer is asked for as many events as the hash function drops. Other
            messages get their turn in between, also when it drops all.

    Raises:
        OptionError: One of them is wrong.

    Example:
        >>> orders = PartitionDispatcher(["new", "paid"], hash=lambda order: (order, order["state"]))
        >>> orders.room()
        0

    Source:
        GenStage's ``PartitionDispatcher``. Where that strands buffered events because the hash function has
        dropped those before them, the stage hands them out (``partition-discard-stall``).
    """

    def __init__(
        self,
        partitions: int | Iterable[Hashable],
        *,
        hash: Callable[[Any], tuple[Any, Hashable] | None] | None = None,  # noqa: A002 - GenStage's name
        replace_discarded: bool = False,
    ) -> None:
        names = _names(partitions)
        self._partitions = {name: _Partition() for name in names}
        if hash is None:
            if not all(isinstance(name, int) for name in names):
                raise OptionError("hash", None, "a function, for partitions whose names are no integers")
            hash = lambda event: (event, names[stable_hash(event) % len(names)])  # noqa: A001, E731
        elif not callable(hash):
            raise OptionError("hash", hash, "a function of one event")
        self._hash = hash
        self._replaces = check_flag("replace_discarded", replace_discarded)
        self._by_tag: dict[Tag, _Partition] = {}
        self._waiting = 0  # open demand: asked for, and not used up by an event that was taken
        self._pending = 0  # the part of it whose consumer has left
        self._requested = 0  # the part of it that the producer still owes

    @property
    def partitions(self) -> tuple[Hashable, ...]:
        """The names of the partitions."""
        return tuple(self._partitions)

    def start(self, link: Link) -> None:
        """Called once, before anything else."""
        self._link = link

    def subscribe(self, tag: Tag, peer: Peer, options: Mapping[str, Any]) -> int:
        """Take a consumer on; what is queued in its partition waits for its ask.

        Raises:
            OptionError: The partition is missing, unknown or taken.
        """
        name = options.get("partition")
        partition = self._find(name)
        if partition is None:
            raise OptionError("partition", name, self._one_of())
        if partition.tag is not None:
            raise OptionError("partition", name, f"a free one; {partition.peer} has it")
        partition.tag, partition.peer = tag, peer
        self._by_tag[tag] = partition
        return 0

    def ask(self, tag: Tag, count: int) -> int:
        """A consumer asks for ``count`` more events: its queue is served at once."""
        partition = self._by_tag[tag]
        if partition.queue is None:
            partition.demand += count
        else:
            self._serve(partition, partition.queue, count)
        covered = min(self._pending, count)
        self._pending -= covered
        return self._open(count - covered)

    def cancel(self, tag: Tag) -> int:
        """A consumer has left; its queue is dropped and makes demand, its own demand is remembered."""
        partition = self._by_tag.pop(tag)
        queue, demand = partition.queue, partition.demand
        partition.free()
        if queue is None:
            self._pending += demand
            return 0
        infos = [entry for entry in queue if isinstance(entry, _Info)]
        for info in infos:
            info.pass_one()
        return self._open(len(queue) - len(infos))

    def dispatch(self, events: Sequence[Any]) -> Sequence[Any]:
        """Sort events into their partitions while demand is open; return the rest."""
        batches: dict[_Partition, list[Any]] = {}
        waiting, taken = self._waiting, 0
        for event in events:
            if not waiting:
                break
            taken += 1
            hashed: Any = self._hash(event)
            if hashed is not None:
                is_pair = isinstance(hashed, tuple) and len(hashed) == 2  # noqa: PLR2004 - a pair has two
                partition = self._find(hashed[1]) if is_pair else None
                if partition is None:
                    raise self._wrong_hash(event, hashed)
                if partition not in batches:
                    batches[partition] = []
                batches[partition].append(hashed[0])
                waiting -= 1
        self._waiting = waiting
        self.buffered(taken)
        for partition, batch in batches.items():
            self._hand_out(partition, batch)
        if self._replaces and waiting > self._requested:
            self._link.ask_later(self._replacement)
        return events[taken:]

    def room(self) -> int:
        """The open demand."""
        return self._waiting

    def expects(self) -> bool:
        """Whether demand is open and a consumer waits."""
        return self._waiting > 0 and any(partition.demand for partition in self._by_tag.values())

    def waiting(self) -> Mapping[Tag, int]:
        """What each has asked for and has not got."""
        return {tag: partition.demand for tag, partition in self._by_tag.copy().items()}

    def kept(self) -> Sequence[Kept]:
        """What waits in the partitions' queues."""
        kept = []
        for name, partition in self._partitions.items():
            entries = snapshot(partition.queue or _NONE)
            events = sum(not isinstance(entry, _Info) for entry in entries)
            if events:
                kept.append(Kept(name, events, partition.tag is not None))
        return kept

    def buffered(self, count: int) -> None:
        """What the producer has made, it no longer owes, wherever it went."""
        self._requested = max(self._requested - count, 0)

    def info(self, send: Callable[[], None]) -> None:
        """Let an info wait behind the events of all partitions that are backed up."""
        queues = [partition.queue for partition in self._partitions.values() if partition.queue is not None]
        if not queues:
            send()
            return
        info = _Info(send, len(queues))
        for queue in queues:
            queue.append(info)

    def settle(self) -> bool:
        """Let go of infos at the head of the queues; whether all queues are empty then."""
        queues = [partition.queue for partition in self._partitions.values() if partition.queue]
        for queue in queues:
            while queue and isinstance(queue[0], _Info):
                queue.popleft().pass_one()
        return not any(queues)

    def _find(self, name: Any) -> _Partition | None:
        try:
            return self._partitions.get(name)
        except TypeError:  # what cannot be hashed is no name
            return None

    def _one_of(self) -> str:
        return "one of " + ", ".join(map(repr, self._partitions))

    def _wrong_hash(self, event: Any, hashed: Any) -> OptionError:
        return OptionError(
            "hash",
            hashed,
            f"a function that returns (event, partition) or None, the partition {self._one_of()}, "
            f"also for {event!r}",
        )

    def _open(self, demand: int) -> int:
        self._waiting += demand
        self._requested += demand
        return demand

    def _replacement(self) -> int:
        missing = self._waiting - self._requested
        self._requested += missing
        return missing

    def _hand_out(self, partition: _Partition, batch: list[Any]) -> None:
        if partition.queue is not None:
            partition.queue.extend(batch)
            return
        now = batch[: partition.demand]
        if len(batch) >= partition.demand:  # used up exactly, it is backed up too, as in GenStage
            partition.queue = deque(batch[partition.demand :])
        partition.demand -= len(now)
        self._deliver(partition, now)

    def _serve(self, partition: _Partition, queue: deque[Any], count: int) -> None:
        """Serve an ask from the queue; infos are let through only while some of it is left."""
        batch: list[Any] = []
        while count:
            if not queue:
                partition.queue, partition.demand = None, count
                break
            entry = queue.popleft()
            if isinstance(entry, _Info):
                self._deliver(partition, batch)
                batch = []
                entry.pass_one()
            else:
                batch.append(entry)
                count -= 1
        self._deliver(partition, batch)

    def _deliver(self, partition: _Partition, batch: list[Any]) -> None:
        if batch:
            assert partition.tag is not None  # noqa: S101 - only a consumer asks
            self._link.deliver(partition.peer, partition.tag, batch)


def _names(partitions: Any) -> tuple[Hashable, ...]:
    """The names of the partitions, each once."""
    if isinstance(partitions, int):
        return tuple(range(check_count("partitions", partitions, 1)))
    expected = "a number, 1 or more, or the names, at least one"
    if isinstance(partitions, str | bytes) or not isinstance(partitions, Iterable):
        raise OptionError("partitions", partitions, expected)
    try:
        names = tuple(dict.fromkeys(partitions))
    except TypeError as error:  # a name that cannot be hashed
        raise OptionError("partitions", partitions, expected) from error
    if not names:
        raise OptionError("partitions", partitions, expected)
    return names
