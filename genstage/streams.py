"""Iterating over running producers: the part of a runtime that makes event streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from genstage._runtime.stream import AsyncEventStream, EventStream, producers_feed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from genstage._core.options import DemandMode
    from genstage._runtime.engine import Engine
    from genstage._runtime.typed_refs import ProducerRef

__all__ = ["EventStreams"]

Out = TypeVar("Out")


class EventStreams:
    """What a runtime has to iterate over events."""

    _engine: Engine

    @overload
    def stream(
        self,
        subscriptions: Iterable[ProducerRef[Out]],
        *,
        demand: DemandMode = ...,
        producers: Iterable[ProducerRef[Any] | str] | None = ...,
    ) -> EventStream[Out]: ...
    @overload
    def stream(
        self,
        subscriptions: Iterable[tuple[ProducerRef[Out], Mapping[str, Any]]],
        *,
        demand: DemandMode = ...,
        producers: Iterable[ProducerRef[Any] | str] | None = ...,
    ) -> EventStream[Out]: ...
    @overload
    def stream(
        self,
        subscriptions: Iterable[ProducerRef[Any] | str | tuple[ProducerRef[Any] | str, Mapping[str, Any]]],
        *,
        demand: DemandMode = ...,
        producers: Iterable[ProducerRef[Any] | str] | None = ...,
    ) -> EventStream[Any]: ...
    def stream(
        self,
        subscriptions: Iterable[Any],
        *,
        demand: DemandMode = "forward",
        producers: Iterable[ProducerRef[Any] | str] | None = None,
    ) -> EventStream[Any]:
        """Iterate over the events of running producers.

        It subscribes when the first event is asked for. The iteration ends when all subscriptions have: with
        the data, or, where the cancel mode tolerates it, with the producer or by its cancel. Taking no more
        events and letting go of it ends it too, as ``close()`` and leaving its ``with`` block do; they also
        wait until all producers have confirmed it.

        Args:
            subscriptions: Producers, by reference or name, or pairs of a producer and the options of its
                subscription, as in ``ConsumerRef.subscribe``.
            demand: The demand mode that is sent to the producers once all are subscribed.
            producers: Which of them get it; by default all.

        Returns:
            An iterator and context manager.

        Raises:
            OptionError: A producer or an option is wrong. Nothing has happened.

        The iteration itself raises:

        - ``DeadStageError``: a producer is not alive, or ends without having said that its data has, and the
          cancel mode does not tolerate that; ``__cause__`` is its own exception, if there was one;
        - ``SubscriptionError``: it refuses or cancels the subscription, and that is not tolerated;
        - ``RuntimeError``: the caller is one of the producers, in a callback, or a supervisor.

        Example:
            >>> from itertools import count, islice
            >>> from genstage import Runtime
            >>> with Runtime() as runtime:
            ...     numbers = runtime.from_iterable(count())
            ...     with runtime.stream([(numbers, {"max_demand": 10})]) as events:
            ...         list(islice(events, 5))
            [0, 1, 2, 3, 4]

        Source:
            GenStage's ``stream/2``.
        """
        return EventStream(producers_feed(self._engine, subscriptions, demand, producers))

    @overload
    def stream_async(
        self,
        subscriptions: Iterable[ProducerRef[Out]],
        *,
        demand: DemandMode = ...,
        producers: Iterable[ProducerRef[Any] | str] | None = ...,
    ) -> AsyncEventStream[Out]: ...
    @overload
    def stream_async(
        self,
        subscriptions: Iterable[tuple[ProducerRef[Out], Mapping[str, Any]]],
        *,
        demand: DemandMode = ...,
        producers: Iterable[ProducerRef[Any] | str] | None = ...,
    ) -> AsyncEventStream[Out]: ...
    @overload
    def stream_async(
        self,
        subscriptions: Iterable[ProducerRef[Any] | str | tuple[ProducerRef[Any] | str, Mapping[str, Any]]],
        *,
        demand: DemandMode = ...,
        producers: Iterable[ProducerRef[Any] | str] | None = ...,
    ) -> AsyncEventStream[Any]: ...
    def stream_async(
        self,
        subscriptions: Iterable[Any],
        *,
        demand: DemandMode = "forward",
        producers: Iterable[ProducerRef[Any] | str] | None = None,
    ) -> AsyncEventStream[Any]:
        """As :meth:`stream`, for asyncio: it never blocks the event loop, and needs no thread of its own.

        A cancelled task ends the iteration, also where it waits elsewhere at that moment.

        Args:
            subscriptions: As in :meth:`stream`, and so are the rest.
            demand: The demand mode that is sent to the producers.
            producers: Which of them get it.

        Returns:
            An asynchronous iterator and context manager. The iteration raises what that of :meth:`stream`
            does.

        Raises:
            OptionError: A producer or an option is wrong. Nothing has happened.

        Example:
            >>> import asyncio
            >>> from genstage import Runtime
            >>> async def first(count):
            ...     async with Runtime() as runtime:
            ...         numbers = runtime.from_iterable(range(1_000))
            ...         async with runtime.stream_async([numbers]) as events:
            ...             return [await anext(events) for _ in range(count)]
            >>> asyncio.run(first(3))
            [0, 1, 2]
        """
        return AsyncEventStream(producers_feed(self._engine, subscriptions, demand, producers))
