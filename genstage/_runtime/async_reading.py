"""Reading events in asyncio: the asynchronous sister of :class:`genstage._runtime.reading.Reader`.

No thread waits for events here. What comes in is handed to the event loop by ``call_soon_threadsafe``; so
between two turns of the loop no more comes in than was asked for, and a fast feed cannot starve other tasks.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from genstage._core.checks import check_seconds
from genstage._runtime.reading import WANTED, handed_out, state_of
from genstage._runtime.refs import CALL_TIMEOUT_S
from genstage.errors import CallTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from genstage._runtime.reading import Feed

__all__ = ["AsyncReader", "wait_for_call"]

T = TypeVar("T")


class AsyncReader(AsyncIterator[T]):
    """The events of a feed, one after the other, for one task at a time.

    A cancelled wait ends it, and who takes from it afterwards is told: the data must not seem to end there.
    It belongs to the task that took from it last, and ends as well when that task is cancelled elsewhere: a
    generator around it that is suspended at its ``yield`` would not be told.

    Args:
        feed: Where they come from.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._events: Generator[T, Any, None] | None = None
        self._inbox: _Inbox | None = None
        self._task: asyncio.Task[Any] | None = None
        self._task_ended = partial(_end_with, weakref.ref(self))
        self._in_use = False
        self._closed = False
        self._cancelled = False

    @property
    def name(self) -> str:
        """Its name, for errors and log records."""
        return self._feed.name

    def end_early(self) -> None:
        """Its task has been cancelled: end the iteration without waiting."""
        self._cancelled = True
        self._let_go()

    async def aclose(self, *, timeout_s: float | None = CALL_TIMEOUT_S) -> None:
        """End the iteration, and wait until everything behind it has ended.

        Allowed at any time, and more than once. A cancelled wait has ended the iteration all the same.

        Args:
            timeout_s: Seconds to wait; ``None`` for ever. What has not ended by then does so later.

        Raises:
            CallTimeoutError: It has not ended in time.
        """
        seconds = None if timeout_s is None else check_seconds("timeout_s", timeout_s)
        self._let_go()
        if not self._feed.begun:
            return
        try:
            async with asyncio.timeout(seconds):
                await wait_for_call(self._feed.on_end)
        except TimeoutError:
            raise CallTimeoutError(self.name, seconds or 0.0, to="end") from None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._in_use:
            raise RuntimeError(f"{self!r} is being iterated over by another task")
        if self._cancelled:
            raise RuntimeError(f"{self!r} has ended early: the task that took from it was cancelled")
        if self._closed:
            raise StopAsyncIteration
        self._in_use = True
        try:
            await self._begin()
            events, inbox = self._events, self._inbox
            assert events is not None and inbox is not None  # noqa: S101, PT018 - it has begun
            event = next(events)
            while event is WANTED:
                event = events.send(await inbox.take())
        except StopIteration:
            self._let_go()
            raise StopAsyncIteration from None
        except Exception:
            await self._close_quietly()
            raise
        except BaseException:  # cancelled: no patience
            self.end_early()
            raise
        finally:
            self._in_use = False
        return event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.aclose()
        else:
            await self._close_quietly()

    def __del__(self) -> None:
        self._let_go()  # a finalizer runs anywhere, and must not wait

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"stream {self.name!r} cannot be pickled: its producers are of this process; pass the events, "
            "or what makes its producers"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {state_of(self._feed, closed=self._closed)}>"

    async def _begin(self) -> None:
        """Let events come, unless they do; the reader belongs to this task now."""
        self._belong_to(asyncio.current_task())
        if self._events is None:
            self._inbox = _Inbox(self._feed.let_go)
            await self._begin_feed(self._inbox.put)
            self._events = handed_out(self.name)

    async def _begin_feed(self, put: Callable[[Any], None]) -> None:
        self._feed.begin(put)

    def _belong_to(self, task: asyncio.Task[Any] | None) -> None:
        if task is self._task:
            return
        if self._task is not None:
            self._task.remove_done_callback(self._task_ended)
        if task is not None:
            task.add_done_callback(self._task_ended)
        self._task = task

    async def _close_quietly(self) -> None:
        with suppress(CallTimeoutError):  # another error is on its way
            await self.aclose()

    def _let_go(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.remove_done_callback(self._task_ended)
            self._task = None
        if self._feed.begun:
            self._feed.let_go()


class _Inbox:
    """What has come in and waits to be handed out, in the loop that runs now.

    Args:
        gone: Called when the loop has been closed, and nobody can take anything any more.
    """

    def __init__(self, gone: Callable[[], None]) -> None:
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._items: deque[Any] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, item: Any) -> None:
        """Take in an item, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._arrive, item)
        except RuntimeError:  # the loop is closed
            self._gone()

    def _arrive(self, item: Any) -> None:
        self._items.append(item)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def take(self) -> Any:
        """What comes next."""
        while not self._items:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._items.popleft()


async def wait_for_call(ask: Callable[[Callable[[], None]], Callable[[], None]]) -> None:
    """Wait in the running loop until a function is called, in whatever thread.

    Args:
        ask: Is given the function, and gives what takes the request back.
    """
    loop = asyncio.get_running_loop()
    called = asyncio.Event()

    def call() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(called.set)

    take_back = ask(call)
    try:
        await called.wait()
    finally:
        take_back()


def _end_with(reader: weakref.ref[AsyncReader[Any]], task: asyncio.Task[Any]) -> None:
    """The task of a reader has ended."""
    ended = reader()
    if ended is not None and task.cancelled():
        ended.end_early()
