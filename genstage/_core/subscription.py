"""A subscription, as callbacks and clients see it, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from genstage._core.checks import check_reason
from genstage._core.messages import Ask, Cancel
from genstage.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._core.messages import Peer, Tag
    from genstage._core.reasons import Reason

__all__ = ["Cancellation", "Subscription"]


@dataclass(frozen=True, slots=True)
class Cancellation:
    """How a subscription ended, for ``handle_cancel``.

    Attributes:
        kind: ``"cancel"`` if one side asked for it, ``"down"`` if the other side's stage ended, ``"finish"``
            if the data ended.
        reason: The reason given, or the other side's exit reason.
    """

    kind: Literal["cancel", "down", "finish"]
    reason: Reason


class Subscription:
    """One consumer's subscription to one producer. Compared by its tag, which is unique in a runtime.

    Attributes:
        producer: The producer's address; ``None`` once it has gone.
        consumer: The consumer's address.
        tag: The number both sides know it by.
    """

    __slots__ = ("_send", "consumer", "producer", "tag")

    def __init__(self, producer: Peer, consumer: Peer, tag: Tag, send: Callable[[Peer, Any], None]) -> None:
        self.producer = producer
        self.consumer = consumer
        self.tag = tag
        self._send = send

    def ask(self, count: int) -> None:
        """Ask for more events; for manual subscriptions. Returns at once, from any thread.

        Args:
            count: How many, 0 or more.

        Raises:
            OptionError: ``count`` is no such number.
        """
        if type(count) is not int or count < 0:
            raise OptionError("count", count, "an integer, 0 or more")
        if count:
            self._send(self.producer, Ask(self.consumer, self.tag, count))

    def cancel(self, reason: Reason | None = None) -> None:
        """End the subscription. Both sides' ``handle_cancel`` runs; events on the way still arrive.

        Args:
            reason: Why; by default ``Normal()``. A *permanent* consumer ends with it.

        Raises:
            OptionError: ``reason`` is none.
        """
        self._send(self.producer, Cancel(self.consumer, self.tag, check_reason(reason)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Subscription) and other.tag == self.tag

    def __hash__(self) -> int:
        return hash(self.tag)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a subscription cannot be pickled: its stages are of this process; subscribe over there"
        )

    def __repr__(self) -> str:
        return f"<Subscription {self.tag} of {self.consumer} to {self.producer}>"
