"""What stages say to each other and to themselves.

Plain slotted classes, made once per message: ``Ask`` and ``Events`` are the hot ones. A *peer* is whatever
the port understands as an address; the core only stores and compares it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genstage._core.reasons import Reason

Peer = Any
Tag = int


class Ask:
    """Consumer to producer: the subscription takes ``count`` more events."""

    __slots__ = ("count", "sender", "tag")

    def __init__(self, sender: Peer, tag: Tag, count: int) -> None:
        self.sender = sender
        self.tag = tag
        self.count = count

    def __repr__(self) -> str:
        return f"Ask(tag={self.tag}, count={self.count})"


class Events:
    """Producer to consumer: events that were asked for."""

    __slots__ = ("events", "sender", "tag")

    def __init__(self, sender: Peer, tag: Tag, events: Sequence[Any]) -> None:
        self.sender = sender
        self.tag = tag
        self.events = events

    def __repr__(self) -> str:
        return f"Events(tag={self.tag}, events=<{len(self.events)}>)"


@dataclass(slots=True)
class Subscribe:
    """Consumer to producer: a new subscription; ``replaces`` names one to cancel first."""

    consumer: Peer
    tag: Tag
    options: Mapping[str, Any]
    replaces: tuple[Tag, Reason] | None = None


@dataclass(slots=True)
class Cancel:
    """Consumer to producer: the subscription is to end."""

    sender: Peer
    tag: Tag
    reason: Reason


@dataclass(slots=True)
class Cancelled:
    """Producer to consumer: the subscription has ended."""

    sender: Peer
    tag: Tag
    reason: Reason


@dataclass(slots=True)
class Finished:
    """Producer to consumer: the data has ended; no event of this subscription follows."""

    sender: Peer
    tag: Tag


@dataclass(slots=True)
class Drained:
    """Stage to itself, when its data has ended and the last event has left. Follows all released infos."""


@dataclass(slots=True)
class Drain:
    """Supervisor to producer: make no more events, and end when those that there are have left."""


@dataclass(slots=True)
class AskLater:
    """Stage to itself, for its dispatcher: what ``demand`` returns is new demand for the producer."""

    demand: Callable[[], int]


@dataclass(slots=True)
class Down:
    """A watched stage has ended. Follows everything that it sent.

    The runtime tells the core of its own watches by it; those of ``stage.watch`` come to ``handle_info``.

    Attributes:
        watch: The number of the watch.
        reason: Why the stage has ended; ``NoProc()`` if it had before the watch began.

    Source:
        OTP's ``{'DOWN', Ref, process, Pid, Reason}``.
    """

    watch: int
    reason: Reason


@dataclass(slots=True)
class SubscribeTo:
    """Client to consumer: subscribe to ``target``; ``reply`` gets the subscription or an error."""

    target: Peer
    options: Mapping[str, Any] = field(default_factory=dict)
    reply: Any = None
    replaces: tuple[Tag, Reason] | None = None


@dataclass(slots=True)
class CancelUpstream:
    """Client to consumer: pass a cancel on to the producer of one of the stage's own subscriptions."""

    tag: Tag
    reason: Reason


@dataclass(slots=True)
class AskUpstream:
    """Client to consumer: ask on one of the stage's own manual subscriptions."""

    tag: Tag
    count: int


@dataclass(slots=True)
class Call:
    """Client to stage: a request that wants an answer."""

    request: Any
    reply: Any


@dataclass(slots=True)
class Cast:
    """Client to stage: a request that wants none."""

    request: Any


@dataclass(slots=True)
class Info:
    """Client to stage: a message that must not overtake events already emitted."""

    message: Any
    reply: Any = None


@dataclass(slots=True)
class Message:
    """Anyone to stage: a message for ``handle_info``."""

    message: Any


@dataclass(slots=True)
class Apply:
    """Anyone to stage: call ``function`` with the user's object. What it raises goes to ``reply``."""

    function: Callable[[Any], Any]
    reply: Any = None


@dataclass(slots=True)
class SetDemand:
    """Client to producer: forward demand, or accumulate it."""

    mode: str


@dataclass(slots=True)
class GetDemand:
    """Client to producer: which of the two?"""

    reply: Any


@dataclass(slots=True)
class EstimateBuffered:
    """Client to producer: how many events are buffered?"""

    reply: Any


@dataclass(slots=True)
class Stop:
    """Client or supervisor to stage: end with this reason."""

    reason: Reason
