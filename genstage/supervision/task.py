"""A stage that calls one function, and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genstage._core.results import Stop
from genstage.errors import OptionError
from genstage.stage import Consumer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Task"]


class Task(Consumer[Any]):
    """Calls a function once, when it has started, and ends normally; or with what the function raises.

    A child of a supervisor for work that is done once, and of a ``ConsumerSupervisor`` for the work on one
    event. A function that blocks by nature (a file, a query) is best given a thread of its own: start the
    task with ``blocking=True``, or say so to its supervisor.

    Args:
        function: What to do. What it returns is dropped.
        arguments: For the function.

    Raises:
        OptionError: ``function`` cannot be called.

    Example:
        >>> from genstage import Runtime
        >>> seen = []
        >>> with Runtime() as runtime:
        ...     runtime.start(lambda: Task(seen.append, 7)).wait(timeout_s=10)
        >>> seen
        [7]

    Source:
        Elixir's ``Task``.
    """

    def __init__(self, function: Callable[..., object], *arguments: Any) -> None:
        if not callable(function):
            raise OptionError("function", function, "a function, with its arguments behind it")
        self._function = function
        self._arguments = arguments

    def init(self) -> None:
        """Have started before the work begins: whoever starts it does not wait for that."""
        self.stage.cast(None)

    def handle_cast(self, request: Any) -> Stop:  # noqa: ARG002 - it is only its turn
        """Do it."""
        self._function(*self._arguments)
        return Stop()
