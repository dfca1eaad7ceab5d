"""The children of a supervisor, from the start of the first to the end of the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genstage._core.messages import Down, Stop
from genstage._core.reasons import Killed, Shutdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage.supervision.spec import ChildSpec

__all__ = ["ChildEnded", "ChildrenStarted", "Group"]


@dataclass(frozen=True, slots=True)
class ChildrenStarted:
    """All children have started."""


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """A child has ended, or did not start.

    Attributes:
        id: Its name.
        reason: Why.
        child: The actor.
    """

    id: str
    reason: Reason
    child: LaneActor


@dataclass(frozen=True, slots=True)
class _Started:
    group: Group
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class _Overdue:
    group: Group


class Group:
    """Children that start one after the other, in order, and stop together.

    It never blocks: it is fed the supervisor's messages and tells what they mean. A child that fails to
    start is a child that ended; no further child is started then.

    Args:
        port: The supervisor's port.
        specs: The children, in the order of their start.
        shutdown_s: Seconds the children get to stop; then they are killed.
    """

    def __init__(self, port: Driver, specs: Sequence[ChildSpec], *, shutdown_s: float) -> None:
        self._port = port
        self._waiting = list(reversed(specs))
        self._shutdown_s = shutdown_s
        self._watches: dict[int, tuple[str, LaneActor]] = {}
        self._stopping = False
        self.children: dict[str, LaneActor] = {}

    @property
    def ended(self) -> bool:
        """Whether no child is alive or yet to start."""
        return not self._watches and (self._stopping or not self._waiting)

    def start(self) -> None:
        """Start the first child; the others follow as their messages come in."""
        if self._waiting:
            self._start_next()

    def stop(self) -> None:
        """Stop all children, the last one first."""
        if self._stopping:
            return
        self._stopping = True
        for _, child in reversed(self._watches.values()):
            self._port.send(child, Stop(Shutdown()))
        if self._watches:
            self._port.schedule(self._shutdown_s, _Overdue(self))

    def handle(self, message: Any) -> ChildrenStarted | ChildEnded | None:
        """What a message means for the supervisor; ``None`` if nothing, or if it is not about this group."""
        if isinstance(message, Down):
            return self._down(message)
        if isinstance(message, _Started) and message.group is self:
            return self._started(message)
        if isinstance(message, _Overdue) and message.group is self:
            for _, child in list(self._watches.values()):
                self._port.kill(child, Killed())
        return None

    def _started(self, message: _Started) -> ChildrenStarted | None:
        if message.reason is not None or self._stopping:
            return None  # its Down tells more
        if not self._waiting:
            return ChildrenStarted()
        self._start_next()
        return None

    def _start_next(self) -> None:
        spec = self._waiting.pop()
        port = self._port
        supervisor = port.me
        child = port.spawn(
            spec.make,
            name=spec.id,
            own_lane=spec.own_lane,
            on_started=lambda reason: supervisor.tell(_Started(self, reason)),
        )
        self.children[spec.id] = child
        self._watches[port.watch(child)] = (spec.id, child)

    def _down(self, message: Down) -> ChildEnded | None:
        found = self._watches.pop(message.watch, None)
        if found is None:
            return None
        name, child = found
        # A child that ended before it was watched is known to be dead, but not why; the child itself knows.
        return ChildEnded(name, child.reason or message.reason, child)
