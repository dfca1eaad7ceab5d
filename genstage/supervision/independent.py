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
from genstage.errors import ChildError
from genstage.supervision.census import ChildInfo
from genstage.supervision.children import Child, ChildEnded, Children, ChildStarted
from genstage.supervision.telling import tell_gave_up, tell_not_restarted, tell_restart

if TYPE_CHECKING:
    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage._runtime.launch import ChildType, Launch
    from genstage.supervision.intensity import GaveUp, Intensity
    from genstage.supervision.spec import Restart

__all__ = ["IndependentChild", "IndependentChildren"]

H = TypeVar("H")


class IndependentChild(Child[H]):
    """One of them.

    Attributes:
        id: What its supervisor calls it; its name, unless something else is set.
        type: What it is.
        restart: Whether it is started again when it has ended.
        known: The last incarnation that has started: whose reference users have.
        starter: Who waits for its start, and will hold it.
        enders: Who wait for its end.
    """

    __slots__ = ("enders", "id", "known", "restart", "starter", "type")

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
        self.id = name
        self.type: ChildType = "worker"
        self.restart: Restart = restart
        self.known: LaneActor | None = None
        self.starter: Any = None
        self.enders: list[Any] = []

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
        self._stopping = False
        self.members: dict[IndependentChild[Any], None] = {}

    def start(self, child: IndependentChild[Any]) -> None:
        """Start a new child."""
        self.members[child] = None
        self._children.start(child)

    def find(self, target: str | LaneActor) -> IndependentChild[Any] | None:
        """The oldest child with this id, or the one with this incarnation: present, or the last to start."""
        if isinstance(target, str):
            return next((child for child in self.members if child.id == target), None)
        return next((child for child in self.members if target in (child.known, child.actor)), None)

    def terminate(self, target: str | LaneActor, reply: Any) -> ChildEnded | None:
        """Stop a child, for good; ``reply`` is told when it has ended, or that there is none.

        Returns:
            As :meth:`stop`.
        """
        child = self.find(target)
        if child is None:
            shown = target if isinstance(target, str) else target.name
            self._port.reply(reply, ChildError(self._name, shown, "not_found"))
            return None
        child.enders.append(reply)
        return self.stop(child)

    def stop(self, child: IndependentChild[Any]) -> ChildEnded | None:
        """Tell a child to stop, for good.

        Returns:
            Its end, if there is nothing to wait for: between two attempts to start it again.
        """
        if child.alive:
            self._children.stop(child)
            return None
        return self._gone(child, ChildEnded(child, Shutdown(), started=False))

    def census(self) -> list[ChildInfo]:
        """Those that have got through a start, oldest first."""
        return [
            ChildInfo(
                child.id,
                None if child.restarting or child.actor is None else child.launch.handle(child.actor),
                child.type,
                child.restarting,
            )
            for child in self.members
            if child.started or child.restarting
        ]

    def stop_all(self) -> None:
        """Tell all to stop, the last one first; none is started again."""
        self._stopping = True
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
            self._started(event.child)
        elif type(event) is ChildEnded:
            return self._ended(event)
        return event

    def _ended(self, event: ChildEnded) -> ChildEnded | GaveUp | None:
        child: Any = event.child
        if self._stopping or child.stopping or self._is_over(child, event):
            return self._gone(child, event)
        if event.started:
            return self._restart(child, event.reason)
        tell_not_restarted(self._port, child.name, event.reason)
        self._port.send(self._port.me, _TryAgain(child, event.reason))
        return None

    def _started(self, child: Any) -> None:
        child.known = child.actor
        starter, child.starter = child.starter, None
        if starter is not None:
            self._port.reply(starter, child.launch.handle(child.actor))

    def _gone(self, child: IndependentChild[Any], event: ChildEnded) -> ChildEnded:
        del self.members[child]
        for ender in child.enders:
            self._port.reply(ender, None)
        return event

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
