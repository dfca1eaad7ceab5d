"""Iterating over what running producers emit: an actor takes the events, a thread or task asks for them.

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

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from genstage._core.checks import check_choice
from genstage._core.messages import SubscribeTo
from genstage._core.options import DemandMode
from genstage._runtime.async_reading import AsyncReader
from genstage._runtime.calls import Callback
from genstage._runtime.intake import Close, Intake, check_options, wanted_subscriptions
from genstage._runtime.reading import Reader
from genstage._runtime.refs import refuse_silenced
from genstage._runtime.typed_refs import subscription_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from queue import SimpleQueue

    from genstage._core.options import CancelMode
    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.engine import Engine
    from genstage._runtime.intake import Wanted
    from genstage._runtime.typed_refs import ProducerRef

__all__ = ["AsyncEventStream", "EventStream", "producers_feed"]

T = TypeVar("T")

_numbers = count(1)


class ProducersFeed:
    """Running producers, as :class:`genstage._runtime.reading.Feed`.

    Args:
        engine: Where they run.
        wanted: What to subscribe to, and how.
        mode: The demand mode to send, and to whom if not to all.

    Attributes:
        actor: The actor that has subscribed; ``None`` until it has begun.
    """

    def __init__(self, engine: Engine, wanted: list[Wanted], mode: tuple[str, list[Wanted] | None]) -> None:
        self.name = f"stream-{next(_numbers)}"
        self._engine = engine
        self._wanted = wanted
        self._mode = mode
        self.actor: LaneActor | None = None

    @property
    def state(self) -> str:
        """As in the protocol."""
        return self._begun_actor().state

    @property
    def begun(self) -> bool:
        """As in the protocol."""
        return self.actor is not None

    def mailbox(self) -> SimpleQueue[Any]:
        """As in the protocol."""
        return self._engine.mailbox()

    def begin(self, put: Callable[[Any], None]) -> None:
        """Subscribe.

        Raises:
            RuntimeError: The caller is one of the producers, and would wait for itself.
            DeadStageError: It is a callback whose stage has been killed in it.
        """
        refuse_silenced()
        engine = self._engine
        for target, _ in self._wanted:
            peer = engine.resolve(target)
            if peer is not None and peer.in_turn:
                raise RuntimeError(f"stage {peer.name!r} cannot wait for its own events")
        make = partial(Intake, wanted=self._wanted, mode=self._mode, put=put)
        near = engine.current_actor()
        self.actor = engine.spawn(make, name=self.name, near=near, on_started=_nothing)
        self.actor.await_end(Callback(put))

    def join(self, target: Any, options: Mapping[str, Any]) -> None:
        """Subscribe to one more."""
        if self.actor is None:
            self._wanted.append((target, options))
        else:
            self.actor.tell(SubscribeTo(target, options))

    def let_go(self) -> None:
        """Cancel all subscriptions."""
        self._begun_actor().tell(Close())

    def wait_end(self, timeout_s: float | None) -> bool:
        """As in the protocol."""
        return self._begun_actor().wait_end(timeout_s)

    def on_end(self, function: Callable[[], None]) -> Callable[[], None]:
        """As in the protocol."""
        actor = self._begun_actor()
        request = Callback(lambda _: function())
        actor.await_end(request)
        return partial(actor.forget_request, request)

    def _begun_actor(self) -> LaneActor:
        assert self.actor is not None  # noqa: S101 - it has begun
        return self.actor


class EventStream(Reader[T]):
    """The events of running producers, one after the other; made by ``runtime.stream``.

    Use it in one thread. Leaving a ``with`` block or calling :meth:`close` cancels the subscriptions and
    waits until the producers have confirmed that; the end of the last reference to it cancels them too.
    """

    _feed: ProducersFeed

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
        self._feed.join(*_checked(producer, max_demand, min_demand, cancel, options))


class AsyncEventStream(AsyncReader[T]):
    """The events of running producers for asyncio, one after the other; made by ``runtime.stream_async``.

    Use it in one task at a time, in one event loop, which it never blocks. Leaving an ``async with`` block
    or calling :meth:`aclose` cancels the subscriptions and waits until the producers have confirmed that. The
    end of the last reference to it cancels them too, and so does a cancel of the task that took from it last,
    even where a generator around it is not told.
    """

    _feed: ProducersFeed

    def subscribe(
        self,
        producer: ProducerRef[T] | str,
        *,
        max_demand: int | None = None,
        min_demand: int | None = None,
        cancel: CancelMode | None = None,
        **options: Any,
    ) -> None:
        """As ``EventStream.subscribe``.

        Raises:
            OptionError: An option is wrong, or ``producer`` is no reference to a stage that emits events.
        """
        self._feed.join(*_checked(producer, max_demand, min_demand, cancel, options))


def _checked(
    producer: Any,
    max_demand: int | None,
    min_demand: int | None,
    cancel: CancelMode | None,
    options: Mapping[str, Any],
) -> tuple[Any, Mapping[str, Any]]:
    target, given = subscription_to(producer, max_demand, min_demand, cancel, options)
    check_options(target, given)
    return target, given


def _nothing(_reason: Reason | None) -> None:
    """Nobody waits for the start."""


def producers_feed(
    engine: Engine, subscriptions: Iterable[Any], demand: str, producers: Iterable[Any] | None
) -> ProducersFeed:
    """Check what ``runtime.stream`` is given; nothing else happens yet.

    Raises:
        OptionError: A producer or an option is wrong.
    """
    wanted = wanted_subscriptions(subscriptions, "subscriptions")
    check_choice("demand", demand, get_args(DemandMode))
    chosen = None if producers is None else wanted_subscriptions(producers, "producers")
    return ProducersFeed(engine, wanted, (demand, chosen))
