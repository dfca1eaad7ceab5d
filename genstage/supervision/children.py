"""The children of an actor: how one is started, watched, stopped, and killed when it takes too long.

Nothing here waits: the supervisor's messages are handed to :meth:`Children.handle`, which says what they
mean. What follows from that (who is started next, who is restarted, when to give up) is the supervisor's
business.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from genstage._core.messages import Down, Stop
from genstage._core.reasons import Crash, Killed, Shutdown
from genstage._runtime.debugger import debugged
from genstage.errors import GenstageError

if TYPE_CHECKING:
    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage._runtime.launch import Launch
    from genstage._runtime.timers import Timer

__all__ = ["Child", "ChildEnded", "ChildStarted", "Children"]

H = TypeVar("H")


class Child(Generic[H]):
    """One child, over all its incarnations. Belongs to its supervisor, which alone changes it.

    Args:
        name: The actor's name.
        launch: What it is.
        shutdown_s: Seconds it gets to stop; 0 means killed at once, ``math.inf`` no limit.
        listed: Whether the runtime finds it by its name.

    Attributes:
        actor: The present incarnation, or the last one; ``None`` before the first.
        alive: Whether there is one that has not ended, as far as the supervisor has heard.
        started: Whether it has got through its start.
        stopping: Whether it has been told to stop.
        incarnation: The number of the present one, from 1.
        watch: The number of the supervisor's watch on it; for :class:`Children` only, like ``timer``.
        timer: Runs while it is stopping.
    """

    __slots__ = (
        "actor",
        "alive",
        "incarnation",
        "launch",
        "listed",
        "name",
        "shutdown_s",
        "started",
        "stopping",
        "timer",
        "watch",
    )

    def __init__(
        self, name: str, launch: Launch[H], *, shutdown_s: float = math.inf, listed: bool = False
    ) -> None:
        self.name = name
        self.launch = launch
        self.shutdown_s = shutdown_s
        self.listed = listed
        self.actor: LaneActor | None = None
        self.alive = False
        self.started = False
        self.stopping = False
        self.incarnation = 0
        self.watch = 0
        self.timer: Timer | None = None

    def __repr__(self) -> str:
        return f"<Child {self.name!r} {'new' if self.actor is None else self.actor.state}>"


@dataclass(frozen=True, slots=True)
class ChildStarted:
    """A child has got through its start."""

    child: Child[Any]


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """A child has ended, or did not start.

    Attributes:
        child: The child.
        reason: Why.
        started: Whether it had started.
    """

    child: Child[Any]
    reason: Reason
    started: bool


@dataclass(frozen=True, slots=True)
class _Started:
    """From the child to its supervisor. When it is killed just then, it can follow the ``Down``."""

    children: Children
    child: Child[Any]
    incarnation: int

    def __repr__(self) -> str:
        return f"Started({self.child.name!r})"


@dataclass(frozen=True, slots=True)
class _Refused:
    """From the supervisor to itself: there is not even an actor."""

    children: Children
    child: Child[Any]
    reason: Reason

    def __repr__(self) -> str:
        return f"Refused({self.child.name!r})"


@dataclass(frozen=True, slots=True)
class _Overdue:
    """From a timer to the supervisor: the child has had its time to stop."""

    children: Children
    watch: int


class Children:
    """Those who are alive, of all the children a supervisor has.

    Args:
        port: The supervisor's port. What it has started ends with it, whatever it dies of.
    """

    def __init__(self, port: Driver) -> None:
        self._port = port
        self._watches: dict[int, Child[Any]] = {}
        self._refused = 0

    @property
    def any_alive(self) -> bool:
        """Whether one has not ended, as far as the supervisor has heard."""
        return bool(self._watches) or self._refused > 0

    def alive(self) -> list[Child[Any]]:
        """Those that have not ended, in order of their start."""
        return list(self._watches.values())

    def start(self, child: Child[Any]) -> None:
        """Start an incarnation; a ``ChildStarted`` or a ``ChildEnded`` will follow, in a later message."""
        port = self._port
        supervisor = port.me
        child.alive = True
        child.started = child.stopping = False
        child.incarnation += 1
        started = _Started(self, child, child.incarnation)

        def told(reason: Reason | None) -> None:
            if reason is None:  # else its Down tells more
                supervisor.tell(started)

        launch = child.launch
        try:
            child.actor = port.spawn(
                launch.make,
                name=child.name,
                own_lane=launch.own_lane,
                control=launch.control,
                listed=child.listed,
                on_started=told,
            )
        except GenstageError as error:  # its name is taken
            self._refused += 1
            port.send(supervisor, _Refused(self, child, Crash(error)))
            return
        child.watch = port.watch(child.actor)
        self._watches[child.watch] = child

    def stop(self, child: Child[Any], reason: Reason = Shutdown()) -> None:  # noqa: B008 - it never changes
        """Tell a child to stop, and kill it when it takes too long; nothing happens if it has ended.

        A second time it is only told once more.

        Args:
            child: One that was started here.
            reason: Why.
        """
        if not child.alive or child.actor is None:
            return
        if child.shutdown_s == 0:
            self.kill(child)
            return
        self._port.send(child.actor, Stop(reason))
        if not child.stopping and child.shutdown_s != math.inf:
            child.timer = self._port.schedule(child.shutdown_s, _Overdue(self, child.watch))
        child.stopping = True

    def kill(self, child: Child[Any]) -> None:
        """Declare a child dead at once; its ``ChildEnded`` will follow."""
        child.stopping = True
        if child.actor is not None:
            self._port.kill(child.actor, Killed())

    def handle(self, message: Any) -> ChildStarted | ChildEnded | None:
        """What a message means; ``None`` if nothing, or if it is not about one of these children."""
        if isinstance(message, Down):
            return self._down(message)
        if isinstance(message, _Started) and message.children is self:
            return self._started(message)
        if isinstance(message, _Refused) and message.children is self:
            self._refused -= 1
            _end(message.child)
            return ChildEnded(message.child, message.reason, started=False)
        if isinstance(message, _Overdue) and message.children is self:
            overdue = self._watches.get(message.watch)
            if overdue is not None and debugged():
                overdue.timer = self._port.schedule(overdue.shutdown_s, message)
            elif overdue is not None:
                self.kill(overdue)
        return None

    @staticmethod
    def _started(message: _Started) -> ChildStarted | None:
        child = message.child
        if not child.alive or child.incarnation != message.incarnation:
            return None
        child.started = True
        return ChildStarted(child)

    def _down(self, message: Down) -> ChildEnded | None:
        child = self._watches.pop(message.watch, None)
        if child is None:
            return None
        _end(child)
        # One that ended before it was watched is known to be dead, but not why; the actor itself knows.
        reason = (child.actor.reason if child.actor is not None else None) or message.reason
        return ChildEnded(child, reason, started=child.started)


def _end(child: Child[Any]) -> None:
    child.alive = False
    timer, child.timer = child.timer, None
    if timer is not None:
        timer.cancel()
