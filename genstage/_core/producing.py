"""The producer's side of a stage: consumers, dispatcher, buffer and demand mode.

Rules, numbered for the tests and for the explanation page:

1. An ask or a departure makes new demand ``d`` at the dispatcher. ``d`` is served from the buffer first.
2. Then, before ``handle_demand``, whatever the dispatcher still has room for is drained from the buffer, in
   order, and the dispatcher is told: the producer still owes it. (GenStage 1.3.2 does not, and strands
   events: ``demand-pending-stall`` and ``broadcast-late-subscriber-stall``.)
3. What is left of ``d`` becomes one ``handle_demand``; it is never 0 and never merged with another.
4. What a callback returns and the dispatcher does not take goes to the end of the buffer, and the dispatcher
   is told: the producer no longer owes it. (Without that, consumers of a broadcast wait for ever:
   ``broadcast-refused-demand``.) What was taken from the buffer and is refused goes back to its head.
5. A consumer that goes is told first, then the stage, then the dispatcher. What ``handle_cancel`` returns is
   dispatched only after that (in GenStage before, to the very consumer that has gone:
   ``event-to-cancelled``). It counts against what the producer owed already, and only then against the
   demand that the departure makes.
6. Events go to who has subscribed, whoever asks (``ask-by-other-process``). A consumer that the dispatcher
   refuses is told and forgotten; the dispatcher hears no more of it (``broadcast-second-subscription``).
7. While demand accumulates, asks and emissions go to a log, in order; it is replayed on ``forward``.
8. After ``Finish`` no demand reaches ``handle_demand``. When nothing is logged, buffered or kept by the
   dispatcher any more, and the infos released before have been handled, each consumer is told once that its
   last event has been sent, and the stage ends.
9. A producer that is drained is asked for its last events by ``handle_drain``, and from then on does as if
   they had come with ``Finish``. What it has accumulated leaves too; what it emits later, in answer to a
   message, is discarded, or it might never end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genstage._core.buffer import Buffer
from genstage._core.dispatchers.base import Refused
from genstage._core.messages import Ask, AskLater, Cancelled, Events, Finished, Message
from genstage._core.reasons import (
    BadReturn,
    DuplicatedSubscription,
    UnknownSubscription,
)
from genstage._core.results import Exit, Finish, Stop, checked_events
from genstage._core.subscription import Cancellation, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genstage._core.buffer import Taken
    from genstage._core.messages import Peer, Subscribe, Tag
    from genstage._core.options import StageOptions
    from genstage._core.reasons import (
        Reason,
    )
    from genstage._core.stage import StageCore

__all__ = ["Downstream", "Producing"]


class Downstream:
    """One subscription of a consumer.

    Attributes:
        sent: How many events have been sent to it.
    """

    __slots__ = ("sent", "subscription", "watch")

    def __init__(self, subscription: Subscription, watch: int) -> None:
        self.subscription = subscription
        self.watch = watch
        self.sent = 0


class Producing:
    """State and rules of a stage as producer.

    Attributes:
        consumers: The subscriptions that have not ended, by their tags.
        discarded: How many events the buffer had no place for.
        pulls: Whether demand is for the stage's ``handle_demand``: a producer's, until its data has ended.
        told: The subscriptions that had not ended when the data had.
    """

    __slots__ = (
        "_buffered",
        "_core",
        "_log",
        "_me",
        "_port",
        "_sent_before",
        "buffer",
        "consumers",
        "discarded",
        "dispatcher",
        "pulls",
        "told",
    )

    def __init__(self, core: StageCore, options: StageOptions) -> None:
        assert options.dispatcher is not None  # noqa: S101 - every producing kind has one
        self._core = core
        self._port = core.port
        self._me = core.port.me
        self.dispatcher = options.dispatcher
        self.dispatcher.in_use = True
        self.dispatcher.start(self)
        self.buffer = Buffer(options.buffer_size, options.buffer_keep)
        self._buffered = self.buffer.entries
        self.consumers: dict[Tag, Downstream] = {}
        self.told: dict[Tag, Downstream] = {}
        self.discarded = 0
        self._sent_before = 0  # to consumers that have gone
        self.pulls = core.kind == "producer"
        self._log: list[int | Sequence[Any]] | None = [] if options.demand == "accumulate" else None

    # -- the dispatcher's link ------------------------------------------------------------------------

    def deliver(self, peer: Peer, tag: Tag, events: Sequence[Any]) -> None:
        """Send events to a subscription."""
        try:  # to ask first would cost each message more
            self.consumers[tag].sent += len(events)
        except KeyError:  # a dispatcher that sends to who has gone; the consumer will tell it
            self._sent_before += len(events)
        self._port.send(peer, Events(self._me, tag, events))

    def ask_again(self, tag: Tag, count: int) -> None:
        """Ask on behalf of a subscription, behind the messages already waiting."""
        self._port.send(self._port.me, Ask(self.consumers[tag].subscription.consumer, tag, count))

    def ask_later(self, demand: Callable[[], int]) -> None:
        """Ask the producer for what ``demand`` returns, behind the messages already waiting."""
        self._port.send(self._port.me, AskLater(demand))

    def report(self, event: str, **fields: Any) -> None:
        """Tell the log."""
        self._port.report(event, **fields)

    # -- messages from consumers ----------------------------------------------------------------------

    def subscribe(self, message: Subscribe) -> None:
        """A consumer wants to subscribe."""
        port = self._port
        if message.replaces is not None and message.replaces[0] in self.consumers:
            old, reason = message.replaces
            self.consumer_gone(old, Cancellation("cancel", reason))
        if message.tag in self.consumers:
            port.report("duplicated_subscription", tag=message.tag)
            port.send(message.consumer, Cancelled(port.me, message.tag, DuplicatedSubscription()))
            return
        subscription = Subscription(port.me, message.consumer, message.tag, port.send)
        watch = port.watch(message.consumer)
        self._core.watches[watch] = message.tag
        self.consumers[message.tag] = Downstream(subscription, watch)
        mode = self._core.stage.handle_subscribe("consumer", message.options, subscription)
        if isinstance(mode, Stop):
            raise Exit(mode.reason)
        if mode not in (None, "automatic"):
            raise Exit(BadReturn("handle_subscribe", mode))
        try:
            demand = self.dispatcher.subscribe(message.tag, message.consumer, message.options)
        except Refused as refused:
            self._refuse(message.tag, refused.reason)
            return
        self._new_demand(demand)

    def ask(self, message: Ask) -> None:
        """A consumer asks for more. Who sent it does not matter: events go to the subscriber."""
        tag = message.tag
        if tag not in self.consumers:
            self._port.send(message.sender, Cancelled(self._me, tag, UnknownSubscription()))
            return
        demand = self.dispatcher.ask(tag, message.count)
        if self._buffered or self._log is not None:
            self._new_demand(demand)
        elif demand and self.pulls:  # usual: it saves two calls
            try:
                self.emit("handle_demand", self._core.stage.handle_demand(demand))
            except BaseException:
                self._core.hand = "handle_demand", demand
                raise

    def replenish(self, message: AskLater) -> None:
        """The dispatcher asks by itself."""
        self._new_demand(message.demand())

    def consumer_gone(self, tag: Tag, cancellation: Cancellation) -> None:
        """A consumer cancelled or ended; an unknown tag is ignored."""
        consumer = self.consumers.pop(tag, None)
        if consumer is None:
            return
        self._sent_before += consumer.sent
        self._say_goodbye(consumer, cancellation)
        events = self._goodbye_events(consumer, cancellation)
        if self._log is not None:
            self.emit("handle_cancel", events)
            self._new_demand(self.dispatcher.cancel(tag))
            return
        owed = self.dispatcher.owed()
        demand = self.dispatcher.cancel(tag)
        if events and self.buffer.entries and self.dispatcher.room():
            self._store(events)
            demand += min(len(events), owed)
        elif events:
            taken = len(events) - self.emit("handle_cancel", events)
            demand = max(demand - max(taken - owed, 0), 0)
        self._new_demand(demand)

    def _refuse(self, tag: Tag, reason: Reason) -> None:
        """The dispatcher does not take a consumer on, and so never hears of it again."""
        consumer = self.consumers.pop(tag)
        cancellation = Cancellation("cancel", reason)
        self._say_goodbye(consumer, cancellation)
        self.emit("handle_cancel", self._goodbye_events(consumer, cancellation))

    def _goodbye_events(self, consumer: Downstream, cancellation: Cancellation) -> Sequence[Any]:
        result = self._core.stage.handle_cancel(cancellation, consumer.subscription)
        return self.events_of("handle_cancel", result)

    def _say_goodbye(self, consumer: Downstream, cancellation: Cancellation) -> None:
        subscription = consumer.subscription
        self._core.watches.pop(consumer.watch, None)
        if cancellation.kind != "down":
            self._port.unwatch(consumer.watch)
        self._port.send(
            subscription.consumer, Cancelled(self._port.me, subscription.tag, cancellation.reason)
        )

    # -- events ---------------------------------------------------------------------------------------

    def emit(self, callback: str, result: Any) -> int:
        """Dispatch what a callback returned; returns how many events were left over and buffered."""
        events = result if type(result) is list else self.events_of(callback, result)
        if not events:
            return 0
        if self._log is not None:
            self._log.append(events)
            return 0
        left = self.dispatcher.dispatch(events)
        if not left:
            return 0
        self._keep(left)
        return len(left)

    def events_of(self, callback: str, result: Any) -> Sequence[Any]:
        """The events that a callback returned; ``Finish`` also begins the end of the stage.

        Raises:
            Exit: It asked to stop, or returned what it must not.
        """
        if not isinstance(result, Finish):
            return checked_events(callback, result)
        events = checked_events(callback, result.events)
        self._core.begin_end()
        return events

    def drain(self, result: Any) -> None:
        """End the data with what ``handle_drain`` returned, behind what has accumulated."""
        last = self.events_of("handle_drain", result)
        self._core.begin_end()
        self.set_mode("forward")
        self.emit("handle_drain", last)

    def discard(self, count: int) -> None:
        """Tell of events that nobody gets."""
        if count and self._core.stage.format_discarded(count):
            self._port.report("discarded", count=count)

    def info(self, message: Any) -> None:
        """Deliver an info behind the events emitted before it."""
        if not self.buffer.store_info(message):
            self._release(message)

    @property
    def events_out(self) -> int:
        """How many events have been sent, to all consumers together.

        Looked at from another thread at the moment when a consumer leaves, without what that one got.
        """
        consumers = [*self.consumers.values(), *self.told.values()]
        return self._sent_before + sum(consumer.sent for consumer in consumers)

    def estimate_buffered(self) -> int:
        """How many events wait in the buffer."""
        return len(self.buffer)

    def finished(self) -> bool:
        """Whether everything emitted has left; asked once the data has ended."""
        if self._log is not None:
            return False
        for info in self.buffer.take_infos():
            self._release(info)
        return not self.buffer.entries and self.dispatcher.settle()

    def say_finished(self) -> None:
        """Tell each consumer, once, that its last event has been sent."""
        port = self._port
        consumers, self.consumers = self.consumers, {}
        self.told = consumers
        for tag, consumer in consumers.items():
            self._core.watches.pop(consumer.watch, None)
            port.unwatch(consumer.watch)
            port.send(consumer.subscription.consumer, Finished(port.me, tag))

    # -- demand mode ----------------------------------------------------------------------------------

    @property
    def mode(self) -> str:
        """``"forward"`` or ``"accumulate"``."""
        return "forward" if self._log is None else "accumulate"

    def set_mode(self, mode: str) -> None:
        """Begin to accumulate demand, or replay what has accumulated and forward from now on."""
        if mode == "accumulate":
            if self._log is None:
                self._log = []
            return
        log, self._log = self._log, None
        for entry in log or ():
            if isinstance(entry, int):
                left = self._serve(entry, replay=True)
                self._demand(left)
            else:
                self.emit("handle_demand", entry)
        self._drain()

    # -- demand and buffer ----------------------------------------------------------------------------

    def _new_demand(self, demand: int) -> None:
        if self._log is not None:
            demand = self._to_log(demand)
            if demand:
                self._log.append(demand)
            return
        if self.buffer.entries:
            demand = self._serve(demand)
            self._drain()
        self._demand(demand)

    def _demand(self, demand: int) -> None:
        """There is demand that the buffer could not serve."""
        if demand and self.pulls:
            try:
                self.emit("handle_demand", self._core.stage.handle_demand(demand))
            except BaseException:
                self._core.hand = "handle_demand", demand
                raise

    def _to_log(self, demand: int) -> int:
        while (taken := self.buffer.take(demand)) is not None:
            demand = taken.unserved
            self.emit("handle_demand", taken.events)
            for info in taken.infos:
                self._release(info)
        return demand

    def _serve(self, demand: int, *, replay: bool = False) -> int:
        """Serve demand from the buffer; returns what is left of it."""
        while (
            taken := self.buffer.take(demand if replay else min(demand, self.dispatcher.room()))
        ) is not None:
            refused = self._offer(taken, replay=replay)
            demand -= len(taken.events) - refused
            if refused:
                break
        return demand

    def _drain(self) -> None:
        """Hand out what the dispatcher has room for beyond the new demand."""
        while (taken := self.buffer.take(self.dispatcher.room())) is not None:
            refused = self._offer(taken)
            self.dispatcher.drained(len(taken.events) - refused)
            if refused:
                break

    def _offer(self, taken: Taken, *, replay: bool = False) -> int:
        """Dispatch what was taken from the buffer; returns how much had to be put back."""
        left = self.dispatcher.dispatch(taken.events) if taken.events else ()
        if left and not replay:
            self.buffer.put_back(left, taken.infos)
            return len(left)
        if left:
            self._keep(left)
        for info in taken.infos:
            self._release(info)
        return 0

    def _keep(self, events: Sequence[Any]) -> None:
        """Put what was refused at the end of the buffer."""
        self.dispatcher.buffered(len(events))
        self._store(events)

    def _store(self, events: Sequence[Any]) -> None:
        discarded, infos = self.buffer.store(events)
        self.discarded += discarded
        self.discard(discarded)
        for info in infos:
            self._release(info)

    def _release(self, info: Any) -> None:
        port = self._port
        self.dispatcher.info(lambda: port.send(port.me, Message(info)))
