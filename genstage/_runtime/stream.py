"""Iterating over what running producers emit: an actor takes the events, a thread asks for them.

Rules, numbered for the tests:

1. Nothing is subscribed before the first event is wanted.
2. Names are looked up first; then all subscriptions are made, each followed by the first ask; then the
   demand mode is sent.
3. A message of events is cut as any consumer's is. The ask after a batch goes out when the event behind that
   batch is wanted: who takes no more asks for no more.
4. Events that came before a subscription's end are handed out before it counts. The end of its data ends a
   subscription; other ends do what its cancel mode says.
5. However the iteration ends, what is still subscribed is cancelled, and the actor ends when all producers
   have confirmed it, or have ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import count
from queue import Empty
from typing import TYPE_CHECKING, Any, Self, TypeVar, get_args

from genstage._core import messages as m
from genstage._core.checks import check_choice, check_seconds
from genstage._core.demand import Window
from genstage._core.options import DemandMode, subscription_options
from genstage._core.reasons import Crash, NoProc, Normal, Reason, UnknownSubscription
from genstage._core.subscription import Subscription
from genstage._runtime.calls import Callback
from genstage._runtime.lane import give_way
from genstage._runtime.refs import CALL_TIMEOUT_S
from genstage._runtime.typed_refs import ProducerRef, subscription_to
from genstage.errors import CallTimeoutError, DeadStageError, OptionError, SubscriptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from queue import SimpleQueue
    from types import TracebackType

    from genstage._core.options import CancelMode
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage._runtime.engine import Engine

__all__ = ["EventStream", "event_stream"]

T = TypeVar("T")

Wanted = tuple[Any, Mapping[str, Any]]
"""Where to subscribe, and the options."""

_numbers = count(1)


class EventStream(Iterator[T]):
    """The events of running producers, one after the other; made by ``runtime.stream``.

    Use it in one thread. Leaving a ``with`` block or calling :meth:`close` ends it, and so does the last
    reference to it.
    """

    def __init__(
        self,
        engine: Engine,
        wanted: list[Wanted],
        demand: str,
        producers: list[Wanted] | None,
    ) -> None:
        self.name = f"stream-{next(_numbers)}"
        self._engine = engine
        self._wanted = wanted
        self._mode = (demand, producers)
        self._actor: LaneActor | None = None
        self._events: Iterator[T] = iter(())
        self._closed = False

    def subscribe(
        self,
        producer: ProducerRef[T] | str,
        *,
        max_demand: int | None = None,
        min_demand: int | None = None,
        cancel: CancelMode | None = None,
        **options: Any,
    ) -> None:
        """Let the events of one more producer join in, from any thread. Nothing happens when it is over.

        Args:
            producer: As in ``ConsumerRef.subscribe``, and so are the rest.
            max_demand: Most events in flight.
            min_demand: Ask for more when this few are in flight.
            cancel: Which ends of the producer are errors.
            options: More options.

        Raises:
            OptionError: An option is wrong, or ``producer`` is no reference to a stage that emits events.
        """
        target, options = subscription_to(producer, max_demand, min_demand, cancel, options)
        _check_options(target, options)
        if self._actor is None:
            self._wanted.append((target, options))
        else:
            self._actor.tell(m.SubscribeTo(target, options))

    def close(self, *, timeout_s: float | None = CALL_TIMEOUT_S) -> None:
        """End the iteration: cancel the subscriptions with ``Normal()``, and wait until that is confirmed.

        Allowed at any time, and more than once.

        Args:
            timeout_s: Seconds to wait; ``None`` for ever. What is not confirmed by then is later.

        Raises:
            CallTimeoutError: A producer has not confirmed it in time.
        """
        seconds = None if timeout_s is None else check_seconds("timeout_s", timeout_s)
        self._closed = True
        actor = self._actor
        if actor is None:
            return
        actor.tell(_Close())
        if not actor.wait_end(seconds):
            raise CallTimeoutError(self.name, seconds or 0.0, to="end")

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if self._closed:
            raise StopIteration
        try:
            if self._actor is None:
                self._begin()
            return next(self._events)
        except Exception:
            self._close_quietly()
            raise
        except BaseException:  # Ctrl-C: no patience
            self._let_go()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._close_quietly()

    def __del__(self) -> None:
        self._let_go()  # a finalizer runs anywhere, and must not wait

    def __repr__(self) -> str:
        state = "closed" if self._closed else "not begun" if self._actor is None else self._actor.state
        return f"<EventStream {self.name!r} {state}>"

    def _begin(self) -> None:
        engine = self._engine
        for target, _ in self._wanted:
            peer = engine.resolve(target)
            if peer is not None and peer.in_turn:
                raise RuntimeError(f"stage {peer.name!r} cannot wait for its own events")
        inbox = engine.mailbox()
        make = partial(_Intake, wanted=self._wanted, mode=self._mode, put=inbox.put)
        near = engine.current_actor()
        self._actor = engine.spawn(make, name=self.name, near=near, on_started=_nothing)
        self._events = _events_of(inbox, self.name)
        self._actor.await_end(Callback(inbox.put))

    def _close_quietly(self) -> None:
        with suppress(CallTimeoutError):  # another error is on its way
            self.close()

    def _let_go(self) -> None:
        self._closed = True
        if self._actor is not None:
            self._actor.tell(_Close())


def _events_of(inbox: SimpleQueue[Any], name: str) -> Generator[Any, None, None]:
    """What has come in, event by event, until the actor has ended."""
    while not isinstance(item := _take(inbox), Reason):
        if isinstance(item, Exception):
            raise item
        source, events = item
        batches, excesses = source.window.split(events)
        for excess in excesses:
            source.report("excess_events", count=excess)
        for batch, ask in batches:
            yield from batch
            source.subscription.ask(ask)
    if not isinstance(item, Normal):
        raise _dead(name, item)


def _take(inbox: SimpleQueue[Any]) -> Any:
    try:
        return inbox.get_nowait()
    except Empty:
        give_way()
        return inbox.get()


class _Close:
    """The iteration is over."""


class _Source:
    """One subscription."""

    __slots__ = ("cancel", "name", "report", "subscription", "watch", "window")

    def __init__(
        self, subscription: Subscription, watch: int, window: Window, cancel: CancelMode, report: Any
    ) -> None:
        self.name: str = subscription.producer.name
        self.subscription = subscription
        self.watch = watch
        self.window = window
        self.cancel = cancel
        self.report: Callable[..., None] = report


class _Intake:
    """The actor's behaviour. What it puts is a source with its events, an error, or at its end the reason."""

    def __init__(
        self,
        port: Driver,
        *,
        wanted: list[Wanted],
        mode: tuple[str, list[Wanted] | None],
        put: Callable[[Any], None],
    ) -> None:
        self._port = port
        self._wanted = wanted
        self._mode = mode
        self._put = put
        self._sources: dict[m.Tag, _Source] = {}
        self._tags: dict[int, m.Tag] = {}  # by watch
        self._closing = False

    def start(self) -> Reason | None:
        """Subscribe."""
        port = self._port
        found = [(target, port.resolve(target), options) for target, options in self._wanted]
        for target, peer, options in found:
            if peer is None and self._needs(target, options):
                return Normal()
        for _, peer, options in found:
            if peer is not None:
                self._subscribe(peer, options)
        demand, producers = self._mode
        chosen = (
            [source.subscription.producer for source in self._sources.values()]
            if producers is None
            else [port.resolve(target) for target, _ in producers]
        )
        for peer in dict.fromkeys(chosen):
            port.send(peer, m.SetDemand(demand))
        return None if self._sources else Normal()

    def handle(self, message: Any) -> None:
        """As :class:`~genstage._runtime.actor.Behaviour`."""
        match message:
            case m.Events(tag=tag) if tag in self._sources:
                self._put((self._sources[tag], message.events))
            case m.Events():
                cancel = m.Cancel(self._port.me, message.tag, UnknownSubscription())
                self._port.send(message.sender, cancel)
            case m.Finished():
                self._end(message.tag, Normal(), None)
            case m.Cancelled():
                self._end(message.tag, message.reason, SubscriptionError)
            case m.Down(watch=watch) if watch in self._tags:
                self._end(self._tags[watch], message.reason, DeadStageError)
            case m.SubscribeTo() if not self._closing:
                self._join(message.target, message.options)
            case m.Stop():
                self._port.stop(message.reason)
            case _Close():
                self._close()

    def _subscribe(self, peer: LaneActor, options: Mapping[str, Any]) -> None:
        port = self._port
        checked = subscription_options(options)
        subscription = Subscription(peer, port.me, port.new_tag(), port.send)
        watch = port.watch(peer)
        window = Window(checked.max_demand, checked.min_demand)
        tag = subscription.tag
        self._sources[tag] = _Source(subscription, watch, window, checked.cancel, port.report)
        self._tags[watch] = tag
        port.send(peer, m.Subscribe(port.me, tag, options))
        subscription.ask(checked.max_demand)

    def _join(self, target: Any, options: Mapping[str, Any]) -> None:
        peer = self._port.resolve(target)
        if peer is not None:
            self._subscribe(peer, options)
        elif self._needs(target, options):
            self._close()

    def _needs(self, target: Any, options: Mapping[str, Any]) -> bool:
        """Tell of a name that nobody has, unless that does not matter."""
        needed = subscription_options(options).cancel != "temporary"
        if needed:
            self._put(_dead(target, NoProc()))
        return needed

    def _end(
        self, tag: m.Tag, reason: Reason, error: type[DeadStageError | SubscriptionError] | None
    ) -> None:
        source = self._sources.pop(tag, None)
        if source is None:
            return
        del self._tags[source.watch]
        self._port.unwatch(source.watch)
        tolerated = source.cancel == "temporary" or (source.cancel == "transient" and reason.tolerated)
        if error is not None and not tolerated and not self._closing:
            self._put(_with_cause(error(source.name, reason), reason))
            self._close()
        elif not self._sources:
            self._port.stop(Normal())

    def _close(self) -> None:
        if not self._closing:
            self._closing = True
            for source in self._sources.values():
                source.subscription.cancel()
        if not self._sources:
            self._port.stop(Normal())


def _dead(name: str, reason: Reason) -> Exception:
    return _with_cause(DeadStageError(name, reason), reason)


def _with_cause(error: Exception, reason: Reason) -> Exception:
    error.__cause__ = reason.exception if isinstance(reason, Crash) else None
    return error


def _nothing(_reason: Reason | None) -> None:
    """Nobody waits for the start."""


def event_stream(
    engine: Engine, subscriptions: Iterable[Any], demand: str, producers: Iterable[Any] | None
) -> EventStream[Any]:
    """Check what ``runtime.stream`` is given, and make the stream; nothing else happens yet.

    Raises:
        OptionError: A producer or an option is wrong.
    """
    wanted = _wanted_subscriptions(subscriptions, "subscriptions")
    check_choice("demand", demand, get_args(DemandMode))
    chosen = None if producers is None else _wanted_subscriptions(producers, "producers")
    return EventStream(engine, wanted, demand, chosen)


def _wanted_subscriptions(subscriptions: Iterable[Any], name: str) -> list[Wanted]:
    expected = "a list of producers or (producer, options) pairs"
    if isinstance(subscriptions, str | ProducerRef) or not hasattr(subscriptions, "__iter__"):
        raise OptionError(name, subscriptions, expected)
    wanted: list[Wanted] = []
    for entry in subscriptions:
        producer, options = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, {})  # noqa: PLR2004 - a pair
        if not isinstance(producer, ProducerRef | str) or not hasattr(options, "items"):
            raise OptionError(name, entry, expected)
        _check_options(producer, options)
        wanted.append((subscription_to(producer)[0], dict(options)))
    return wanted


def _check_options(producer: Any, options: Mapping[str, Any]) -> None:
    try:
        subscription_options(options)
    except OptionError as error:
        error.add_note(f"in the subscription to {producer!r}")
        raise
