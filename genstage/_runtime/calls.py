"""Where answers go: a request carries one of these, and it is answered at most once.

A request is registered with the actor it goes to, so that whoever waits also learns of the actor's end: while
the request is still in the queue, while it is handled, and after a callback has left it unanswered.
"""

from __future__ import annotations

import queue
from concurrent.futures import Future, InvalidStateError, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pykka

from genstage._core.reasons import Crash
from genstage._runtime.debugger import patiently
from genstage._runtime.lane import current_resident, give_way
from genstage.errors import CallTimeoutError, DeadStageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor

__all__ = ["Answer", "Callback", "Foreign", "ForeignFuture", "ReplyTo", "Request"]


class ReplyTo(Protocol):
    """An address for one answer."""

    def deliver(self, value: Any) -> None:
        """Take the answer; an exception is raised where the answer is awaited. Later ones are ignored."""


class Request(ReplyTo, Protocol):
    """An address that learns of the end of the actor it waits for."""

    def lost(self, name: str, reason: Reason) -> None:
        """The actor has ended without an answer."""


class Answer:
    """An answer that a thread waits for."""

    def __init__(self) -> None:
        self._future: Future[Any] = Future()

    def deliver(self, value: Any) -> None:
        """As :class:`ReplyTo`."""
        with suppress(InvalidStateError):  # it was answered before
            if isinstance(value, BaseException):
                self._future.set_exception(value)
            else:
                self._future.set_result(value)

    def lost(self, name: str, reason: Reason) -> None:
        """As :class:`Request`."""
        error = DeadStageError(name, reason)
        error.__cause__ = reason.exception if isinstance(reason, Crash) else None
        self.deliver(error)

    def get(self, name: str, timeout_s: float | None, *, to: str = "answer") -> Any:
        """Wait for ``name`` to do what was asked of it.

        Raises:
            CallTimeoutError: Nothing came within ``timeout_s``.
        """
        if not self._future.done():
            give_way()
        try:
            return self._future.result(timeout_s)
        except FutureTimeoutError as error:
            # A time-out was the answer, or it came at the last moment, or somebody looks at it in a debugger.
            if self._future.done() or patiently(self._is_there, 0):
                return self._future.result()
            assert timeout_s is not None  # noqa: S101 - without a deadline there is none to miss
            raise CallTimeoutError(name, timeout_s, to=to) from error

    def _is_there(self, timeout_s: float | None) -> bool:
        return bool(wait([self._future], timeout_s).done)


@dataclass(slots=True, eq=False)
class Callback:
    """An answer that is handed to a function, which must not block or raise; so is the reason of an end."""

    function: Callable[[Any], None] | None

    def deliver(self, value: Any) -> None:
        """As :class:`ReplyTo`."""
        function, self.function = self.function, None
        if function is not None:
            function(value)

    def lost(self, name: str, reason: Reason) -> None:  # noqa: ARG002 - whoever made it knows the name
        """As :class:`Request`."""
        self.deliver(reason)


class ForeignFuture(pykka.ThreadingFuture[Any]):
    """What a pykka ``ask`` waits for; a stage that waits for it lets its lane go on.

    Attributes:
        actor: Who will answer.
    """

    actor: LaneActor | None = None

    def get(self, *, timeout: float | None = None) -> Any:
        """The answer.

        Raises:
            RuntimeError: It has not come, and cannot: the caller is the stage that is to give it.
        """
        if self._result is None:
            if self.actor is not None and current_resident() is self.actor:
                raise RuntimeError("a stage cannot wait for its own answer")
            give_way()
        return super().get(timeout=timeout)


class Foreign:
    """An answer to a pykka ``ask``, or to a pykka ``stop``, for which the actor's end is the answer.

    Args:
        future: What the other side waits for.
        done: Told when there is nothing to wait for any more.
        is_stop: Whether it is a stop.
    """

    def __init__(self, future: pykka.Future[Any], done: Callable[[Foreign], None], *, is_stop: bool) -> None:
        self._future = future
        self._done = done
        self._is_stop = is_stop

    def deliver(self, value: Any) -> None:
        """As :class:`ReplyTo`."""
        with suppress(queue.Full):  # pykka's way to say that it was answered before
            if isinstance(value, BaseException):
                self._future.set_exception((type(value), value, value.__traceback__))
            else:
                self._future.set(value)
        self._done(self)

    def lost(self, name: str, reason: Reason) -> None:
        """As :class:`Request`."""
        if self._is_stop:
            self.deliver(None)
            return
        error = pykka.ActorDeadError(f"stage {name!r} is not alive: {reason}")
        error.__cause__ = reason.exception if isinstance(reason, Crash) else None
        self.deliver(error)
