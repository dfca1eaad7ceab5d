"""What a stage needs of a dispatcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genstage._core.messages import Peer, Tag
    from genstage._core.reasons import Reason

__all__ = ["Dispatcher", "Link", "Refused"]


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """Raised by ``subscribe``: the consumer is not taken on; it learns the reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Link(Protocol):
    """What a dispatcher can do; given to it when the stage starts."""

    def deliver(self, peer: Peer, tag: Tag, events: Sequence[Any]) -> None:
        """Send events to a subscription."""

    def ask_again(self, tag: Tag, count: int) -> None:
        """Ask on behalf of a subscription, behind the messages already waiting."""

    def report(self, event: str, **fields: Any) -> None:
        """Tell the log."""


class Dispatcher(Protocol):
    """Decides who gets which events. Lives in one stage and is called only in its turns.

    ``subscribe``, ``ask`` and ``cancel`` return how much *new* demand there is for the producer.
    """

    def start(self, link: Link) -> None:
        """Called once, before anything else."""

    def subscribe(self, tag: Tag, peer: Peer, options: Mapping[str, Any]) -> int:
        """Take a consumer on.

        Raises:
            Refused: It cannot be; the dispatcher is unchanged.
        """

    def ask(self, tag: Tag, count: int) -> int:
        """A consumer asks for ``count`` more events, 1 or more."""

    def cancel(self, tag: Tag) -> int:
        """A consumer has left."""

    def dispatch(self, events: Sequence[Any]) -> Sequence[Any]:
        """Deliver what somebody waits for, in order; return the rest."""

    def room(self) -> int:
        """How many events ``dispatch`` would take now."""

    def expects(self) -> bool:
        """Whether the producer owes events that some living subscription waits for."""

    def owed(self) -> int:
        """How many events the producer was asked for and has not delivered."""

    def buffered(self, count: int) -> None:
        """So many events of the producer went to the buffer instead: it no longer owes them."""

    def drained(self, count: int) -> None:
        """So many events, beyond the demand returned, came from the buffer: the producer still owes them."""

    def info(self, send: Callable[[], None]) -> None:
        """An info is due; call ``send`` when the events before it have left."""
