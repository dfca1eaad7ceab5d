"""Children that have nothing to do with each other: each is started, and started again, for itself.

What a ``DynamicSupervisor`` and a ``ConsumerSupervisor`` have in common. Like ``Children``, it never waits.

1. A child that does not start the first time is gone.
2. One that ends is started again at once if its restart says so, unless it was terminated. Each attempt
   counts for the intensity; one too many, and the supervisor gives up.
3. A restart that fails is tried again behind the messages that wait, and is one more attempt. If it comes to
   ``Normal()`` instead, there was nothing to do: the child is gone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from genstage._core.reasons import Normal, Shutdown
from genstage.supervision.children import Child, ChildEnded, Children, ChildStarted
from genstage.supervision.telling import tell_gave_up, tell_not_restarted, tell_restart

if TYPE_CHECKING:
    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage._runtime.launch import Launch
    from genstage.supervision.intensity import GaveUp, Intensity
    from genstage.supervision.spec import Restart

__all__ = ["IndependentChild", "IndependentChildren"]

H = TypeVar("H")


class IndependentChild(Child[H]):
    """One of them.

    Attributes:
        restart: Whether it is started again when it has ended.
        known: The last incarnation that has started: whose reference users have.
    """

    __slots__ = ("known", "restart")

    def __init__(
        self,
        name: str,
        launch: Launch[H],
        restart: Restart,
        *,
        shutdown_s: float = math.inf,
        listed: bool = False,
    ) -> None:
        super().__init__(name, launch, shutdown_s=shutdown_s, listed=listed)
        self.restart: Restart = restart
        self.known: LaneActor | None = None

    @property
    def restarting(self) -> bool:
        """Whether it has run, and is to run again."""
        return self.incarnation > 1 and not (self.alive and self.started)


@dataclass(slots=True)
class _TryAgain:
    """From the supervisor to itself: a restart has failed."""

    child: IndependentChild[Any]
    reason: Reason


class IndependentChildren:
    """The children of a supervisor, from their first start until they are gone.

    Args:
        port: The supervisor's port.
        name: The supervisor's name.
        intensity: How often they may be started again.

    Attributes:
        members: Those that are not gone, in order of their first start.
    """

    def __init__(self, port: Driver, name: str, intensity: Intensity) -> None:
        self._port = port
        self._name = name
        self._intensity = intensity
        self._children = Children(port)
        self.members: dict[IndependentChild[Any], None] = {}

    def start(self, child: IndependentChild[Any]) -> None:
        """Start a new child."""
        self.members[child] = None
        self._children.start(child)

    def find(self, actor: LaneActor) -> IndependentChild[Any] | None:
        """The child with this incarnation: the present one, or the last one that has started."""
        return next((child for child in self.members if actor in (child.known, child.actor)), None)

    def stop(self, child: IndependentChild[Any]) -> ChildEnded | None:
        """Tell a child to stop, for good.

        Returns:
            Its end, if there is nothing to wait for: between two attempts to start it again.
        """
        if child.alive:
            self._children.stop(child)
            return None
        del self.members[child]
        return ChildEnded(child, Shutdown(), started=False)

    def stop_all(self) -> None:
        """Tell all to stop, the last one first; none is started again."""
        for child in self._children.alive()[::-1]:
            self._children.stop(child)
        self.members = {child: None for child in self.members if child.alive}

    def handle(self, message: Any) -> ChildStarted | ChildEnded | GaveUp | None:
        """What a message means; ``None`` if nothing, or if it is not about one of these children.

        Returns:
            A ``ChildEnded`` is the end of a child that is gone; after a ``GaveUp`` the supervisor has to end.
        """
        if type(message) is _TryAgain:
            waits = message.child in self.members  # it has not been stopped meanwhile
            return self._restart(message.child, message.reason) if waits else None
        event = self._children.handle(message)
        if type(event) is ChildStarted:
            child: Any = event.child
            child.known = child.actor
        elif type(event) is ChildEnded:
            return self._ended(event)
        return event

    def _ended(self, event: ChildEnded) -> ChildEnded | GaveUp | None:
        child: Any = event.child
        if child.stopping or self._is_over(child, event):
            del self.members[child]
            return event
        if event.started:
            return self._restart(child, event.reason)
        tell_not_restarted(self._port, child.name, event.reason)
        self._port.send(self._port.me, _TryAgain(child, event.reason))
        return None

    @staticmethod
    def _is_over(child: IndependentChild[Any], event: ChildEnded) -> bool:
        if not event.started:
            return child.incarnation == 1 or isinstance(event.reason, Normal)
        if child.restart == "transient":
            return event.reason.tolerated
        return child.restart == "temporary"

    def _restart(self, child: IndependentChild[Any], reason: Reason) -> GaveUp | None:
        intensity, port = self._intensity, self._port
        if intensity.allows(port.now_s):
            tell_restart(port, self._name, child.name, reason, restarts=intensity.restarts)
            self._children.start(child)
            return None
        del self.members[child]
        return tell_gave_up(port, self._name, child.name, reason, intensity)
