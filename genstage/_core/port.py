"""The one way out of the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from genstage._core.messages import Peer, Tag
    from genstage._core.reasons import Reason

__all__ = ["Port"]


class Port(Protocol):
    """What a core can do, carried out at the moment it is called.

    No method raises into the core: a send to the dead is lost, and the death itself arrives as a ``Down``.
    ``me`` is looked up once, when the stage starts.
    """

    @property
    def me(self) -> Peer:
        """The address of the stage itself."""

    def send(self, to: Peer, message: Any) -> None:
        """Deliver a message, after all earlier ones from here to the same address."""

    def watch(self, peer: Peer) -> int:
        """Ask for a ``Down`` with the returned number when the peer ends, or at once if it has."""

    def unwatch(self, watch: int) -> None:
        """Take a watch back; its ``Down`` may still be on the way."""

    def reply(self, to: Any, value: Any) -> None:
        """Answer a request. An exception as value is raised in the asking thread."""

    def resolve(self, target: Any) -> Peer | None:
        """The address behind a name; ``None`` if the name is unknown. Addresses resolve to themselves."""

    def new_tag(self) -> Tag:
        """A tag that no other subscription has."""

    def report(self, event: str, **fields: Any) -> None:
        """Tell the log about something a person may have to look at."""

    def stop(self, reason: Reason) -> None:
        """End the stage; the last call of a turn."""
