"""What a stage needs of a dispatcher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from genstage._core.messages import Peer, Tag
    from genstage._core.reasons import Reason

__all__ = ["Dispatcher", "Kept", "Link", "Refused"]


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """Raised by ``subscribe``: the consumer is not taken on; it learns the reason.

    Args:
        reason: An exit reason, such as ``Named("full")``.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Kept(NamedTuple):
    """Events that a dispatcher has taken, and that wait for one consumer's ask.

    Attributes:
        partition: What the consumer was told apart by.
        events: How many.
        taken: Whether there is such a consumer.
    """

    partition: Hashable
    events: int
    taken: bool


class Link(Protocol):
    """What a dispatcher can do; given to it when the stage starts, and used only in the stage's turns."""

    def deliver(self, peer: Peer, tag: Tag, events: Sequence[Any]) -> None:
        """Send events to a subscription: one message, which the consumer must not see changed."""

    def ask_again(self, tag: Tag, count: int) -> None:
        """Ask on behalf of a subscription, behind the messages already waiting."""

    def ask_later(self, demand: Callable[[], int]) -> None:
        """Call ``demand`` behind the messages already waiting; what it returns is new demand."""

    def report(self, event: str, **fields: Any) -> None:
        """Tell the log."""


class Dispatcher(ABC):
    """Decides who gets which events, and how much is asked of the producer.

    To write one's own, subclass it: six methods are required, the others have defaults that are right for a
    dispatcher that keeps no events. It lives in one stage and is called only in that stage's turns, so it
    needs no lock; what it raises, besides ``Refused``, ends the stage. ``make_dispatcher`` in a subclass of
    ``genstage.testing.DispatcherConformance`` checks the rules below.

    1. ``start`` is called once, before anything else. ``ask`` and ``cancel`` are called only for
       subscriptions that ``subscribe`` has taken on and ``cancel`` has not ended.
    2. ``subscribe``, ``ask`` and ``cancel`` return how much *new* demand they make for the producer, 0 or
       more: it is served from the stage's buffer first, and what is left becomes one ``handle_demand``.
    3. No subscription gets more events than it has asked for, or any after its ``cancel``. They go to the
       peer and the tag that ``subscribe`` was given.
    4. ``dispatch`` takes events from the front, in order, and returns the rest unchanged; what it has
       returned it has not kept. The stage buffers the rest and may offer it again.
    5. ``room`` says how many events ``dispatch`` would take now, and changes nothing. Offered no more than
       that, ``dispatch`` takes all.
    6. Whatever is asked for and not covered by demand made before comes to be demand for the producer, else
       the consumers wait for ever.

    Attributes:
        in_use: Whether a stage has it; it cannot be given to another one.

    Example:
        Each event goes to the consumer that subscribed first, and on to the next when that one is full:

        >>> class FirstFirst(Dispatcher):
        ...     def start(self, link):
        ...         self.link, self.demand, self.peers = link, {}, {}
        ...     def subscribe(self, tag, peer, options):
        ...         self.demand[tag], self.peers[tag] = 0, peer
        ...         return 0
        ...     def ask(self, tag, count):
        ...         self.demand[tag] += count
        ...         return count
        ...     def cancel(self, tag):
        ...         del self.demand[tag], self.peers[tag]
        ...         return 0
        ...     def dispatch(self, events):
        ...         for tag, demand in self.demand.items():
        ...             now, events = events[:demand], events[demand:]
        ...             if now:
        ...                 self.demand[tag] -= len(now)
        ...                 self.link.deliver(self.peers[tag], tag, now)
        ...         return events
        ...     def room(self):
        ...         return sum(self.demand.values())

    Source:
        GenStage's ``GenStage.Dispatcher``. ``room``, ``expects``, ``owed``, ``buffered``, ``drained`` and
        ``settle`` have no counterpart there: with them the stage mends GenStage's stalls. Nor have
        ``waiting`` and ``kept``, which tell people what holds a pipeline up.
    """

    in_use: bool = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    @abstractmethod
    def start(self, link: Link) -> None:
        """Keep the link. Called once, before anything else."""

    @abstractmethod
    def subscribe(self, tag: Tag, peer: Peer, options: Mapping[str, Any]) -> int:
        """Take a consumer on.

        Args:
            tag: The number of the subscription.
            peer: Where its events go; only to be stored and compared.
            options: All options of the subscription, also those that the protocol does not know.

        Returns:
            New demand for the producer.

        Raises:
            Refused: It cannot be; the dispatcher is unchanged.
        """

    @abstractmethod
    def ask(self, tag: Tag, count: int) -> int:
        """A consumer asks for ``count`` more events, 1 or more.

        Returns:
            New demand for the producer.
        """

    @abstractmethod
    def cancel(self, tag: Tag) -> int:
        """A consumer has left.

        Returns:
            New demand for the producer.
        """

    @abstractmethod
    def dispatch(self, events: Sequence[Any]) -> Sequence[Any]:
        """Deliver what somebody waits for, in order; return the rest.

        Args:
            events: One event or more; not to be changed.

        Returns:
            What nobody waits for: the end of ``events``.
        """

    @abstractmethod
    def room(self) -> int:
        """How many events ``dispatch`` would take now."""

    def expects(self) -> bool:
        """Whether some living subscription waits for events, and may get them from the producer."""
        return self.room() > 0

    def owed(self) -> int:
        """How many events the producer was asked for and has not delivered; by default the room."""
        return self.room()

    def waiting(self) -> Mapping[Tag, int] | None:
        """What each subscription has asked for and has not got; by default nobody can tell.

        For those who look on, at any time from any thread: neither a lock nor a change.
        """
        return None

    def kept(self) -> Sequence[Kept]:
        """What it has taken and not delivered; for the same, and by default nothing."""
        return ()

    def buffered(self, count: int) -> None:  # noqa: B027 - few need to know
        """So many events of the producer went to the buffer instead: it no longer owes them."""

    def drained(self, count: int) -> None:  # noqa: B027 - few need to know
        """So many events, beyond the demand returned, came from the buffer: the producer still owes them."""

    def info(self, send: Callable[[], None]) -> None:
        """An info is due; call ``send`` when the events before it have left. By default at once."""
        send()

    def settle(self) -> bool:
        """The data has ended: let go of the infos that no event precedes any more.

        Returns:
            Whether all events that ``dispatch`` has taken have been delivered; by default they have.
        """
        return True
