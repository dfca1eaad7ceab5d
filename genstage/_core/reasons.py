"""Why a stage ended or a subscription was cancelled, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genstage.errors import portable

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage.errors import AtHand

__all__ = [
    "AlreadySubscribed",
    "BadReturn",
    "Crash",
    "DuplicatedSubscription",
    "Killed",
    "Named",
    "NoProc",
    "Normal",
    "Reason",
    "Shutdown",
    "UnknownSubscription",
    "exception_of",
    "one_line",
    "shown",
]


_LINE = 200
"""Characters of a foreign object's text that fit beside others."""


def shown(value: object, how: Callable[[object], str] = str) -> str:
    """The text of a foreign object, whatever its own methods do: a failure has to be told, not to fail."""
    try:
        return how(value)
    except Exception:  # noqa: BLE001 - anything can be wrong in there
        return f"<{type(value).__name__} that cannot be shown>"


def one_line(value: object, how: Callable[[object], str] = str) -> str:
    """The same in one line of some length, where a person looks at several things at once."""
    text = " ".join(shown(value, how).split())
    return text if len(text) <= _LINE else f"{text[:_LINE]}…"


class Reason:
    """Base of the exit reasons. ``tolerated`` ones do not count as a failure (OTP's transient rule)."""

    __slots__ = ()
    tolerated = False


@dataclass(frozen=True, slots=True)
class Normal(Reason):
    """The stage did what it had to do."""

    tolerated = True

    def __str__(self) -> str:
        return "normal"


@dataclass(frozen=True, slots=True)
class Shutdown(Reason):
    """The stage was told to stop, by its supervisor or by its user.

    Args:
        detail: Anything that says why.
    """

    detail: object = None

    tolerated = True

    def __reduce__(self) -> tuple[Any, ...]:
        return Shutdown, (portable(self.detail),)

    def __str__(self) -> str:
        return "shutdown" if self.detail is None else f"shutdown: {shown(self.detail)}"


@dataclass(frozen=True, slots=True)
class Crash(Reason):
    """A callback raised.

    Args:
        exception: What it raised, with its traceback.
        stage: Name of the stage whose callback it was: stages that end with it have the same reason.
        at_hand: Which callback it was, and with what.
    """

    exception: BaseException
    stage: str | None = field(default=None, compare=False, repr=False)
    at_hand: AtHand | None = field(default=None, compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return Crash, (portable(self.exception), self.stage, self.at_hand)

    def __str__(self) -> str:
        text = shown(self.exception)
        return f"{type(self.exception).__name__}: {text}" if text else type(self.exception).__name__


@dataclass(frozen=True, slots=True)
class Killed(Reason):
    """The stage was declared dead without waiting for it."""

    def __str__(self) -> str:
        return "killed"


@dataclass(frozen=True, slots=True)
class NoProc(Reason):
    """The other side was not alive to begin with."""

    def __str__(self) -> str:
        return "no such stage, or it had ended"


_RIGHT = {
    "init": "a dictionary of options, Stop(reason) or None",
    "handle_subscribe": '"automatic", Stop(reason) or None, or to a producer also "manual"',
    "handle_call": "Reply(value), Unanswered() or Stop(reason)",
    "Stop": "an exit reason, such as Shutdown('enough') or Named('done')",
}


@dataclass(frozen=True, slots=True)
class BadReturn(Reason):
    """A callback returned something it must not return.

    Args:
        callback: Its name.
        value: What it returned.
        stage: Name of the stage, as in :class:`Crash`.
        at_hand: Likewise.
    """

    callback: str
    value: object
    stage: str | None = field(default=None, compare=False, repr=False)
    at_hand: AtHand | None = field(default=None, compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return BadReturn, (self.callback, portable(self.value), self.stage, self.at_hand)

    def __str__(self) -> str:
        right = _RIGHT.get(self.callback, "a list or other sequence of events, or None")
        return f"{self.callback} returned {shown(self.value, repr)}, must return {right}"


@dataclass(frozen=True, slots=True)
class Named(Reason):
    """Any reason of the user's own.

    Args:
        name: The reason.
    """

    name: str

    def __str__(self) -> str:
        return shown(self.name)


@dataclass(frozen=True, slots=True)
class AlreadySubscribed(Reason):
    """The dispatcher takes one subscription per consumer, and there is one."""

    def __str__(self) -> str:
        return "already subscribed"


@dataclass(frozen=True, slots=True)
class UnknownSubscription(Reason):
    """The tag of the message is not, or no longer, subscribed."""

    def __str__(self) -> str:
        return "unknown subscription"


@dataclass(frozen=True, slots=True)
class DuplicatedSubscription(Reason):
    """The tag of the subscription is taken."""

    def __str__(self) -> str:
        return "duplicated subscription"


def exception_of(reason: object) -> BaseException | None:
    """The exception that a reason goes back to, also through supervisors that have given up because of it."""
    while reason is not None and not isinstance(reason, Crash):
        reason = getattr(getattr(reason, "detail", None), "reason", None)
    return None if reason is None else reason.exception
