"""Where answers go: a request carries one of these, and it is answered at most once."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from genstage.errors import CallTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pykka

__all__ = ["Answer", "Callback", "Foreign", "ReplyTo"]


class ReplyTo(Protocol):
    """An address for one answer."""

    def deliver(self, value: Any) -> None:
        """Take the answer; an exception is raised where the answer is awaited. Later ones are ignored."""


class Answer:
    """An answer that a thread waits for."""

    def __init__(self) -> None:
        self._future: Future[Any] = Future()

    def deliver(self, value: Any) -> None:
        """As :class:`ReplyTo`."""
        if self._future.done():
            return
        if isinstance(value, BaseException):
            self._future.set_exception(value)
        else:
            self._future.set_result(value)

    def get(self, name: str, timeout_s: float | None) -> Any:
        """Wait.

        Raises:
            CallTimeoutError: Nothing came within ``timeout_s`` from ``name``.
        """
        try:
            return self._future.result(timeout_s)
        except FutureTimeoutError as error:
            if self._future.done():  # a time-out was the answer
                raise
            assert timeout_s is not None  # noqa: S101 - without a deadline there is none to miss
            raise CallTimeoutError(name, timeout_s) from error


@dataclass(slots=True)
class Callback:
    """An answer that is handed to a function, which must not block or raise."""

    function: Callable[[Any], None] | None

    def deliver(self, value: Any) -> None:
        """As :class:`ReplyTo`."""
        function, self.function = self.function, None
        if function is not None:
            function(value)


@dataclass(slots=True)
class Foreign:
    """An answer to a pykka ``ask``."""

    future: pykka.Future[Any] | None

    def deliver(self, value: Any) -> None:
        """As :class:`ReplyTo`."""
        future, self.future = self.future, None
        if future is None:
            return
        if isinstance(value, BaseException):
            future.set_exception((type(value), value, value.__traceback__))
        else:
            future.set(value)
