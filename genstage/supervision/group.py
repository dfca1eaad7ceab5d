"""Children that start one after the other and stop together, such as the stages of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genstage.supervision.children import Children, ChildStarted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage.supervision.children import Child, ChildEnded

__all__ = ["ChildrenStarted", "Group"]


@dataclass(frozen=True, slots=True)
class ChildrenStarted:
    """All children have started."""


class Group:
    """Children that start one after the other, in order, and stop together.

    It never blocks: it is fed the supervisor's messages and tells what they mean. A child that fails to
    start is a child that ended; no further child is started then.

    Args:
        port: The supervisor's port.
        children: The children, in the order of their start.

    Attributes:
        children: Those that have been started so far, by name; also when they have ended.
    """

    def __init__(self, port: Driver, children: Sequence[Child[Any]]) -> None:
        self._waiting = list(reversed(children))
        self._living = Children(port)
        self._stopping = False
        self.children: dict[str, Child[Any]] = {}

    @property
    def actors(self) -> dict[str, LaneActor]:
        """The actors of the children that have been started, by name; can be called from any thread."""
        children = list(self.children.values())
        return {child.name: child.actor for child in children if child.actor is not None}

    @property
    def ended(self) -> bool:
        """Whether no child is alive or yet to start."""
        return not self._living.any_alive and (self._stopping or not self._waiting)

    def start(self) -> None:
        """Start the first child; the others follow as their messages come in."""
        if self._waiting:
            self._start_next()

    def stop(self, reason: Reason | None = None) -> None:
        """Stop all children, the last one first. The first reason counts.

        Args:
            reason: Why; by default they are just told to.
        """
        if self._stopping:
            return
        self._stopping = True
        for child in reversed(self._living.alive()):
            if reason is None:
                self._living.stop(child)
            else:
                self._living.stop(child, reason)

    def stop_child(self, name: str) -> None:
        """Stop one of the children that have been started."""
        self._living.stop(self.children[name])

    def handle(self, message: Any) -> ChildrenStarted | ChildEnded | None:
        """What a message means for the supervisor; ``None`` if nothing, or if it is not about this group."""
        event = self._living.handle(message)
        if not isinstance(event, ChildStarted):
            return event
        if self._stopping:
            return None
        if not self._waiting:
            return ChildrenStarted()
        self._start_next()
        return None

    def _start_next(self) -> None:
        child = self._waiting.pop()
        self.children[child.name] = child
        self._living.start(child)
