"""A dispatcher on trial: it works in a real producer's core, and each of its calls is checked."""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any

from genstage._core import messages as m
from genstage._core.dispatchers.base import Dispatcher
from genstage._core.reasons import Crash, Normal
from genstage._core.stage import StageCore
from genstage.stage import Producer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genstage._core.dispatchers.base import Link
    from genstage._core.messages import Peer, Tag
    from genstage._core.reasons import Reason
    from genstage._core.results import Finish

__all__ = ["Trial", "broken"]

RESTLESS = 1_000
"""More messages than any step of a trial sets off."""


def broken(rule: str, problem: str) -> AssertionError:
    """A rule is broken."""
    return AssertionError(f"rule {rule} is broken: {problem}")


class _Consumer:
    """What is known of a subscription.

    Attributes:
        waits_for: How many events it has asked for and not got.
        got: The numbers of the events it has got.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.waits_for = 0
        self.got: list[int] = []
        self.finished = False


class _Source(Producer[Any]):
    """A producer that owes what it is asked for, until the trial lets it make something."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher
        self.demands: list[int] = []
        self.owes = 0
        self.infos: list[Any] = []

    def init(self) -> Mapping[str, Any]:
        return {"dispatcher": self.dispatcher, "buffer_size": None}

    def handle_demand(self, demand: int) -> None:
        self.demands.append(demand)
        self.owes += demand

    def handle_cast(self, events: Sequence[Any] | Finish[Any]) -> Any:
        return events

    def handle_info(self, message: Any) -> None:
        self.infos.append(message)


class Trial:
    """One dispatcher, its producer and its consumers.

    Args:
        dispatcher: The dispatcher.
        make_event: Makes an event from its number; different ones from different numbers.

    Attributes:
        consumers: The living subscriptions, by their tags.
        departed: Those that have been cancelled.
        made: The events that the producer has made, in order.
        stopped: Why the producer has ended, if it has.
    """

    me = "producer"

    def __init__(self, dispatcher: Dispatcher, make_event: Callable[[int], Any]) -> None:
        self.consumers: dict[Tag, _Consumer] = {}
        self.departed: dict[Tag, _Consumer] = {}
        self.made: list[Any] = []
        self.stopped: Reason | None = None
        self._make_event = make_event
        self._mailbox: deque[Any] = deque()
        self._numbers = count(1)
        self._watched = _Watched(dispatcher, self)
        self.source = _Source(self._watched)
        self._core = StageCore(self.source, "producer", self, "producer")
        self._raise(self._core.start())

    # -- what a test does -----------------------------------------------------------------------------

    def subscribe(self, options: Mapping[str, Any]) -> Tag:
        """A consumer subscribes; gives the tag."""
        tag = next(self._numbers)
        consumer = self.consumers[tag] = _Consumer(f"consumer {tag}")
        self._tell(m.Subscribe(consumer.peer, tag, options))
        return tag

    def ask(self, tag: Tag, number: int) -> None:
        """A consumer asks."""
        consumer = self.consumers[tag]
        consumer.waits_for += number
        self._tell(m.Ask(consumer.peer, tag, number))

    def cancel(self, tag: Tag) -> None:
        """A consumer leaves."""
        self._tell(m.Cancel(self.consumers[tag].peer, tag, Normal()))

    def emit(self, number: int, end: Callable[[list[Any]], Any] = list) -> None:
        """The producer makes events, asked for or not; ``end`` may be ``Finish``."""
        first = len(self.made)
        events = [self._make_event(each) for each in range(first, first + number)]
        self.made += events
        self.source.owes = max(self.source.owes - number, 0)
        self._tell(m.Cast(end(events)))

    def serve(self) -> None:
        """The producer makes what it owes, until it owes nothing."""
        rounds = 0
        while self.source.owes and rounds < RESTLESS:
            self.emit(self.source.owes)
            rounds += 1

    def info(self, message: Any) -> None:
        """A message is to reach the producer behind the events emitted before."""
        self._tell(m.Info(message))

    @property
    def buffered(self) -> int:
        """How many events wait in the stage's buffer."""
        producing = self._core.producing
        return 0 if producing is None else producing.estimate_buffered()

    def room(self) -> int:
        """The dispatcher's room."""
        return self._watched.room()

    # -- the producer's port --------------------------------------------------------------------------

    def send(self, to: Peer, message: Any) -> None:
        """Deliver a message."""
        if to == self.me:
            self._mailbox.append(message)
        elif isinstance(message, m.Cancelled):
            self.departed[message.tag] = self.consumers.pop(message.tag)
        elif isinstance(message, m.Finished):
            self.consumers[message.tag].finished = True

    def watch(self, peer: Peer) -> int:  # noqa: ARG002 - nobody dies here
        """Give the number of a watch."""
        return next(self._numbers)

    def unwatch(self, watch: int) -> None:
        """Nobody is watched."""

    def reply(self, to: Any, value: Any) -> None:
        """Nobody waits for an answer."""

    def resolve(self, target: Any) -> Peer:
        """The address behind a name."""
        return target

    def new_tag(self) -> Tag:
        """A tag that no other subscription has."""
        return next(self._numbers)

    def report(self, event: str, **fields: Any) -> None:
        """Nobody reads the log."""

    def stop(self, reason: Reason) -> None:
        """The producer has ended."""
        self.stopped = reason

    # -- what the dispatcher does ---------------------------------------------------------------------

    def delivered(self, peer: Peer, tag: Tag, events: Sequence[Any]) -> None:
        """Events leave for a subscription."""
        consumer = self.consumers.get(tag)
        if consumer is None:
            raise broken("D3", f"events are sent to subscription {tag}, which has ended or never was")
        if peer != consumer.peer:
            raise broken("D3", f"events of {consumer.peer} are sent to {peer}")
        consumer.waits_for -= len(events)
        if consumer.waits_for < 0:
            raise broken("D3", f"{peer} gets {-consumer.waits_for} events more than it has asked for")
        for event in events:
            after = consumer.got[-1] + 1 if consumer.got else 0
            number = next((each for each in range(after, len(self.made)) if self.made[each] == event), None)
            if number is None:
                raise broken("D4", f"{peer} gets {event!r} again, or after a later one, or unmade")
            consumer.got.append(number)

    def _tell(self, message: Any) -> None:
        self._mailbox.append(message)
        for _ in range(RESTLESS):
            if not self._mailbox or self.stopped is not None:
                break
            self._core.handle(self._mailbox.popleft())
        else:
            raise broken("D2", "demand is asked for again and again, and nothing comes to rest")
        if not isinstance(self.stopped, Normal):
            self._raise(self.stopped)

    def _raise(self, reason: Reason | None) -> None:
        if isinstance(reason, Crash):
            raise reason.exception


class _Watched(Dispatcher):
    """Passes each call on to the dispatcher on trial, and checks what it does."""

    def __init__(self, inner: Dispatcher, trial: Trial) -> None:
        self._inner = inner
        self._trial = trial
        self.buffered = inner.buffered  # type: ignore[method-assign]
        self.drained = inner.drained  # type: ignore[method-assign]
        self.waiting = inner.waiting  # type: ignore[method-assign]
        self.kept = inner.kept  # type: ignore[method-assign]
        self.info = inner.info  # type: ignore[method-assign]
        self.expects = inner.expects  # type: ignore[method-assign]
        self.owed = inner.owed  # type: ignore[method-assign]
        self.settle = inner.settle  # type: ignore[method-assign]

    def start(self, link: Link) -> None:
        self.ask_again, self.ask_later, self.report = link.ask_again, link.ask_later, link.report
        self._link = link
        self._inner.start(self)

    def deliver(self, peer: Peer, tag: Tag, events: Sequence[Any]) -> None:
        """Check what leaves."""
        self._trial.delivered(peer, tag, events)
        self._link.deliver(peer, tag, events)

    def subscribe(self, tag: Tag, peer: Peer, options: Mapping[str, Any]) -> int:
        return _demand("subscribe", self._inner.subscribe(tag, peer, options))

    def ask(self, tag: Tag, count: int) -> int:
        return _demand("ask", self._inner.ask(tag, count))

    def cancel(self, tag: Tag) -> int:
        return _demand("cancel", self._inner.cancel(tag))

    def dispatch(self, events: Sequence[Any]) -> Sequence[Any]:
        room = self.room()
        before = list(events)
        left = self._inner.dispatch(events)
        taken = len(before) - len(left)
        if taken < 0 or list(left) != before[taken:]:
            raise broken("D4", f"of {before!r}, dispatch returned {left!r}, which is not the end of it")
        if taken < min(room, len(before)):
            raise broken("D5", f"of {len(before)} events, {taken} were taken, although room() was {room}")
        return left

    def room(self) -> int:
        room = self._inner.room()
        if _demand("room", room) != self._inner.room():
            raise broken("D5", "room() changes what it returns")
        return room


def _demand(method: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise broken("D2", f"{method} returned {value!r}, which is no number of events")
    return value
