"""Reading events from outside of all stages: what synchronous and asynchronous iterators have in common.

A *feed* is where the events come from: running producers, or a run of a pipeline. It puts in, from whatever
thread:

- an inflow with a message of its events;
- an exception, which the iteration raises;
- in the end a reason: the iteration ends, with an error if it is not normal.

What was put in is handed out in that order. A message of events is cut as any consumer's is, and the ask that
belongs to a batch goes out when the event behind the batch is wanted: who takes no more asks for no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from queue import Empty
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, Self, TypeVar

from genstage._core.checks import check_seconds
from genstage._core.reasons import Crash, Normal, Reason
from genstage._runtime.lane import give_way
from genstage._runtime.refs import CALL_TIMEOUT_S
from genstage.errors import CallTimeoutError, DeadStageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from queue import SimpleQueue
    from types import TracebackType

    from genstage._core.demand import Window
    from genstage._core.subscription import Subscription

__all__ = ["WANTED", "Feed", "Inflow", "Reader", "dead_stage", "handed_out", "with_cause"]

T = TypeVar("T")

WANTED: Final = object()
"""What :func:`handed_out` yields when it needs what comes in next."""


class Inflow:
    """A subscription, as a reader uses it.

    Args:
        subscription: Where to ask.
        window: How much, and when.
        report: Told of events that nobody has asked for.
    """

    __slots__ = ("report", "subscription", "window")

    def __init__(self, subscription: Subscription, window: Window, report: Callable[..., None]) -> None:
        self.subscription = subscription
        self.window = window
        self.report = report


class Feed(Protocol):
    """Where the events of an iteration come from. All but ``begin`` can be called from any thread.

    Attributes:
        name: For errors.
    """

    name: str

    @property
    def state(self) -> str:
        """What it is doing, in a word or two."""

    @property
    def begun(self) -> bool:
        """Whether it has."""

    def mailbox(self) -> SimpleQueue[Any]:
        """Where a thread can wait for what is put in."""

    def begin(self, put: Callable[[Any], None]) -> None:
        """Let events come.

        Args:
            put: Takes what comes in; never blocks or raises.
        """

    def let_go(self) -> None:
        """Nobody wants more: begin to end, without waiting."""

    def wait_end(self, timeout_s: float | None) -> bool:
        """Wait until it has ended; gives whether it has in time."""

    def on_end(self, function: Callable[[], None]) -> Callable[[], None]:
        """Have a function called when it has ended, in any thread; gives what takes that back."""


def handed_out(name: str) -> Generator[Any, Any, None]:
    """Event by event what comes in; :data:`WANTED` in between, to be sent what comes next.

    Raises:
        Exception: What came in.
        DeadStageError: The feed has ended in another way than normally.
    """
    while not isinstance(item := (yield WANTED), Reason):
        if isinstance(item, Exception):
            raise item
        inflow, events = item
        batches, excesses = inflow.window.split(events)
        for excess in excesses:
            inflow.report("excess_events", count=excess)
        for batch, ask in batches:
            yield from batch
            inflow.subscription.ask(ask)
    if not isinstance(item, Normal):
        raise dead_stage(name, item)


class Reader(Iterator[T]):
    """The events of a feed, one after the other, for one thread.

    Args:
        feed: Where they come from.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._events: Generator[T, Any, None] | None = None
        self._closed = False

    @property
    def name(self) -> str:
        """Its name, for errors and log records."""
        return self._feed.name

    def close(self, *, timeout_s: float | None = CALL_TIMEOUT_S) -> None:
        """End the iteration, and wait until everything behind it has ended.

        Allowed at any time, and more than once.

        Args:
            timeout_s: Seconds to wait; ``None`` for ever. What has not ended by then does so later.

        Raises:
            CallTimeoutError: It has not ended in time.
        """
        seconds = None if timeout_s is None else check_seconds("timeout_s", timeout_s)
        self._let_go()
        if self._feed.begun and not self._feed.wait_end(seconds):
            raise CallTimeoutError(self.name, seconds or 0.0, to="end")

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if self._closed:
            raise StopIteration
        try:
            self._begin()
            events = self._events
            assert events is not None  # noqa: S101 - it has begun
            event = next(events)
            while event is WANTED:
                event = events.send(take(self._inbox))
        except Exception:
            self._close_quietly()
            raise
        except BaseException:  # Ctrl-C: no patience
            self._let_go()
            raise
        return event

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

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"stream {self.name!r} cannot be pickled: its producers are of this process; pass the events, "
            "or what makes its producers"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {state_of(self._feed, closed=self._closed)}>"

    def _begin(self) -> None:
        """Let events come, unless they do."""
        if self._events is None:
            self._inbox = self._feed.mailbox()
            self._feed.begin(self._inbox.put)
            self._events = handed_out(self.name)

    def _close_quietly(self) -> None:
        with suppress(CallTimeoutError):  # another error is on its way
            self.close()

    def _let_go(self) -> None:
        self._closed = True
        if self._feed.begun:
            self._feed.let_go()


def take(inbox: SimpleQueue[Any]) -> Any:
    """What comes next; a stage that waits for it lets its lane go on."""
    try:
        return inbox.get_nowait()
    except Empty:
        give_way()
        return inbox.get()


def state_of(feed: Feed, *, closed: bool) -> str:
    """What a reader shows of itself."""
    if closed:
        return "closed"
    return feed.state if feed.begun else "not begun"


def dead_stage(name: str, reason: Reason) -> Exception:
    """The error that says so."""
    return with_cause(DeadStageError(name, reason), reason)


def with_cause(error: Exception, reason: Reason) -> Exception:
    """The error, caused by the exception that ended a stage, if one did."""
    error.__cause__ = reason.exception if isinstance(reason, Crash) else None
    return error
