"""The output of a running flow, handed out event by event."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from genstage._core.demand import Window
from genstage._core.options import subscription_options
from genstage._core.reasons import Normal
from genstage._runtime.async_reading import AsyncReader
from genstage._runtime.in_thread import finish_in_thread
from genstage._runtime.lane import give_way
from genstage._runtime.latch import Latch
from genstage._runtime.reading import Inflow, Reader
from genstage.client import Runtime
from genstage.stage import Consumer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genstage._core.messages import Tag
    from genstage._core.subscription import Subscription
    from genstage.errors import PipelineError
    from genstage.pipeline.recipe import Pipeline
    from genstage.pipeline.run import Run
    from genstage.pipeline.statistics import PipelineStatistics

__all__ = ["AsyncFlowStream", "FlowFeed", "FlowStream", "Outlet"]

T = TypeVar("T")


class Outlet(Consumer[Any]):
    """The sink of a flow whose output is read from outside: who reads asks for more.

    Args:
        put: Takes the inflows with their events.
    """

    def __init__(self, put: Callable[[Any], None]) -> None:
        self._put = put
        self._inflows: dict[Tag, Inflow] = {}

    def handle_subscribe(
        self,
        role: Literal["producer", "consumer"],  # noqa: ARG002 - there is one
        options: Mapping[str, Any],
        subscription: Subscription,
    ) -> Literal["manual"]:
        """Ask for the first events."""
        checked = subscription_options(options)
        window = Window(checked.max_demand, checked.min_demand)
        self._inflows[subscription.tag] = Inflow(subscription, window, self._report)
        subscription.ask(checked.max_demand)
        return "manual"

    def handle_events(self, events: Sequence[Any], origin: Subscription) -> None:
        """Hand them on."""
        self._put((self._inflows[origin.tag], events))

    def _report(self, event: str, **fields: Any) -> None:
        self.stage.log.error(event.replace("_", " "), **fields)


class FlowFeed:
    """A run of a flow, as :class:`genstage._runtime.reading.Feed`.

    What comes last is what the run has failed with, or that it is complete. A runtime of its own is closed
    then, by a thread that ends with that: nobody else may be left to do it.

    Args:
        name: For errors, threads and log records.
        make_pipeline: Makes the pipeline whose outlet puts into what it is given.
        runtime: Where it runs; ``None`` for a runtime of its own.
    """

    def __init__(
        self,
        name: str,
        make_pipeline: Callable[[Callable[[Any], None]], Pipeline[Any]],
        runtime: Runtime | None,
    ) -> None:
        self.name = name
        self._make_pipeline = make_pipeline
        self._runtime = runtime
        self._run: Run[Any] | None = None
        self._unwanted = False
        self._ended = Latch()

    @property
    def state(self) -> str:
        """As in the protocol."""
        return self.statistics().state

    @property
    def begun(self) -> bool:
        """As in the protocol."""
        return self._run is not None

    def mailbox(self) -> SimpleQueue[Any]:
        """As in the protocol."""
        return SimpleQueue()

    def begin(self, put: Callable[[Any], None]) -> None:
        """Start the run; may block.

        Raises:
            GenstageError: The input is refused, or the runtime is closed.
        """
        private = Runtime(name=self.name) if self._runtime is None else None
        try:
            self._run = self._make_pipeline(put).run(runtime=private or self._runtime)
        except BaseException:
            if private is not None:
                private.close()
            raise
        self._run.on_end(partial(self._settle, put, private))

    def let_go(self) -> None:
        """Begin to cancel the run."""
        self._unwanted = True
        self._begun_run().stop_soon()

    def wait_end(self, timeout_s: float | None) -> bool:
        """As in the protocol."""
        give_way()
        return self._ended.wait(timeout_s)

    def on_end(self, function: Callable[[], None]) -> Callable[[], None]:
        """As in the protocol."""
        return self._ended.on_set(function)

    def statistics(self) -> PipelineStatistics:
        """Figures of the run."""
        return self._begun_run().statistics()

    def _settle(
        self, put: Callable[[Any], None], private: Runtime | None, error: PipelineError | None
    ) -> None:
        put(Normal() if error is None or self._unwanted else error)
        if private is None:
            self._ended.set()
            return
        try:
            threading.Thread(target=self._close, args=(private,), name=f"{self.name}-end").start()
        except RuntimeError:  # the interpreter exits, and closes all runtimes
            self._ended.set()

    def _close(self, private: Runtime) -> None:
        try:
            private.close()
        finally:
            self._ended.set()

    def _begun_run(self) -> Run[Any]:
        if self._run is None:
            raise RuntimeError(f"stream {self.name!r} has not begun")
        return self._run


class FlowStream(Reader[T]):
    """The output of a running flow, one event after the other; made by ``flow.stream``.

    The run begins when the ``with`` block is entered, or when the first event is wanted. Use it in one
    thread. What the run fails with is raised as ``PipelineError`` behind the events that came before it.
    Leaving the block or calling :meth:`close` cancels the run, if it has not ended, and waits for its end;
    the end of the last reference cancels it too.
    """

    _feed: FlowFeed

    def statistics(self) -> PipelineStatistics:
        """Figures of the run, of this moment or of the end; never blocks.

        Raises:
            RuntimeError: It has not begun.
        """
        return self._feed.statistics()

    def __enter__(self) -> Self:
        self._begin()
        return self


class AsyncFlowStream(AsyncReader[T]):
    """The output of a running flow for asyncio, one event after the other; made by ``flow.stream_async``.

    The run begins when the ``async with`` block is entered, or when the first event is wanted. Use it in one
    task at a time, in one event loop, which it never blocks. What the run fails with is raised as
    ``PipelineError`` behind the events that came before it. Leaving the block or calling :meth:`aclose`
    cancels the run, if it has not ended, and waits for its end. The end of the last reference cancels it too,
    and so does a cancel of the task that took from it last, even where a generator around it is not told.
    """

    _feed: FlowFeed

    def statistics(self) -> PipelineStatistics:
        """Figures of the run, of this moment or of the end; never blocks.

        Raises:
            RuntimeError: It has not begun.
        """
        return self._feed.statistics()

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except asyncio.CancelledError:
            self.end_early()
            raise
        return self

    async def _begin_feed(self, put: Callable[[Any], None]) -> None:
        await finish_in_thread(partial(self._feed.begin, put))
