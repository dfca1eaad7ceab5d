"""What callbacks may return besides a sequence of events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from genstage._core.reasons import BadReturn, Normal

if TYPE_CHECKING:
    from genstage._core.reasons import Reason

__all__ = ["Exit", "Finish", "Reply", "Stop", "Unanswered", "checked_events"]

T = TypeVar("T")


@dataclass(frozen=True)  # with slots, Finish[int](...) raises before Python 3.13
class Finish(Generic[T]):
    """The data ends with these events. Consumers learn it after the last event, exactly once.

    Not in GenStage, whose users ask for it first.

    Args:
        events: The last events, possibly none.

    Example:
        >>> Finish([1, 2]).events
        [1, 2]
    """

    events: Sequence[T] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """End the stage now, with this reason; what it has buffered is lost.

    Args:
        reason: Why.
        reply: From ``handle_call``: a ``Reply`` to send first.
    """

    reason: Reason = Normal()  # noqa: RUF009 - immutable
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer of ``handle_call``, with events to emit before it.

    Args:
        value: The answer.
        events: Events to emit, or ``Finish(events)``.
    """

    value: Any
    events: Sequence[Any] | Finish[Any] = ()


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Returned by ``handle_call`` when the answer comes later, by ``stage.reply``.

    Args:
        events: Events to emit.
    """

    events: Sequence[Any] = ()


class Exit(BaseException):
    """Unwinds a turn in which the stage ends. Never leaves the core; users do not see it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


_PLAIN = (list, tuple, range)
_TEXTS = (str, bytes, bytearray, memoryview)


def checked_events(callback: str, result: Any) -> Sequence[Any]:
    """The events a callback returned.

    Raises:
        Exit: It asked to stop, or returned what is no sequence of events (text would be iterated).
    """
    if type(result) in _PLAIN:
        return result  # type: ignore[no-any-return]
    if result is None:
        return ()
    if isinstance(result, Stop):
        raise Exit(result.reason)
    if isinstance(result, Sequence) and not isinstance(result, _TEXTS):
        return list(result)  # not every sequence can be cut: a deque cannot
    raise Exit(BadReturn(callback, result))
