"""The actor behind an iteration over running producers: it subscribes, and takes what they emit.

What it takes goes to a function; who iterates asks for more (see :mod:`genstage._runtime.reading`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genstage._core import messages as m
from genstage._core.demand import Window
from genstage._core.options import subscription_options
from genstage._core.reasons import NoProc, Normal, UnknownSubscription
from genstage._core.subscription import Subscription
from genstage._runtime.reading import Inflow, dead_stage, with_cause
from genstage._runtime.typed_refs import ProducerRef, subscription_to
from genstage.errors import DeadStageError, OptionError, SubscriptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from genstage._core.options import CancelMode
    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver

__all__ = ["Close", "Intake", "Wanted", "check_options", "wanted_subscriptions"]

Wanted = tuple[Any, "Mapping[str, Any]"]
"""Where to subscribe, and the options."""


class Close:
    """The iteration is over."""


class _Source:
    """A producer that has been subscribed to."""

    __slots__ = ("cancel", "inflow", "watch")

    def __init__(self, inflow: Inflow, watch: int, cancel: CancelMode) -> None:
        self.inflow = inflow
        self.watch = watch
        self.cancel = cancel

    @property
    def producer(self) -> LaneActor:
        """Who it is."""
        producer: LaneActor = self.inflow.subscription.producer
        return producer


class Intake:
    """The actor's behaviour. What it puts is for a reader, who hears of its end by himself."""

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
            [source.producer for source in self._sources.values()]
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
                self._put((self._sources[tag].inflow, message.events))
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
            case Close():
                self._close()

    def _subscribe(self, peer: LaneActor, options: Mapping[str, Any]) -> None:
        port = self._port
        checked = subscription_options(options)
        subscription = Subscription(peer, port.me, port.new_tag(), port.send)
        watch = port.watch(peer)
        window = Window(checked.max_demand, checked.min_demand)
        tag = subscription.tag
        self._sources[tag] = _Source(Inflow(subscription, window, port.report), watch, checked.cancel)
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
            self._put(dead_stage(target, NoProc()))
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
            self._put(with_cause(error(source.producer.name, reason), reason))
            self._close()
        elif not self._sources:
            self._port.stop(Normal())

    def _close(self) -> None:
        if not self._closing:
            self._closing = True
            for source in self._sources.values():
                source.inflow.subscription.cancel()
        if not self._sources:
            self._port.stop(Normal())


def wanted_subscriptions(subscriptions: Iterable[Any], name: str) -> list[Wanted]:
    """Check a list of producers, or of producers with options.

    Args:
        subscriptions: The list.
        name: What the option is called.

    Raises:
        OptionError: It is none.
    """
    expected = "a list of producers or (producer, options) pairs"
    if isinstance(subscriptions, str | ProducerRef) or not hasattr(subscriptions, "__iter__"):
        raise OptionError(name, subscriptions, expected)
    wanted: list[Wanted] = []
    for entry in subscriptions:
        producer, options = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, {})  # noqa: PLR2004 - a pair
        if not isinstance(producer, ProducerRef | str) or not hasattr(options, "items"):
            raise OptionError(name, entry, expected)
        check_options(producer, options)
        wanted.append((subscription_to(producer)[0], dict(options)))
    return wanted


def check_options(producer: Any, options: Mapping[str, Any]) -> None:
    """Check the options of a subscription.

    Raises:
        OptionError: One is wrong.
    """
    try:
        subscription_options(options)
    except OptionError as error:
        error.add_note(f"in the subscription to {producer!r}")
        raise
