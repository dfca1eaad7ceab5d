"""What the actors of one runtime share: lanes, timers and a directory of names."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from genstage._core.messages import Stop
from genstage._core.reasons import Killed, Shutdown
from genstage._runtime.actor import LaneActor
from genstage._runtime.lane import Lane
from genstage._runtime.timers import Timers
from genstage.errors import OptionError
from genstage.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._core.reasons import Reason
    from genstage._runtime.actor import Behaviour
    from genstage._runtime.driver import Driver

__all__ = ["Engine"]


class Engine:
    """Starts actors and ends them. All methods can be called from any thread.

    Two lanes are always there: the *shared* one for stages that do not block, and the *control* one for
    supervisors, so that no user's code can keep a supervisor from its work.

    Args:
        name: Names the threads.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.timers = Timers(f"{name}-timers")
        self._shared = Lane(f"{name}-shared")
        self._control = Lane(f"{name}-control")
        self._lock = threading.Lock()
        self._actors: dict[LaneActor, None] = {}  # in order of their start
        self._own: set[Lane] = set()
        self._closed = False

    def spawn(
        self,
        make: Callable[[Driver], Behaviour],
        *,
        name: str,
        own_lane: bool = False,
        control: bool = False,
        on_started: Callable[[Reason | None], None],
    ) -> LaneActor:
        """Start an actor without waiting for it.

        Args:
            make: Makes its behaviour, in its own thread.
            name: Its name.
            own_lane: Whether it blocks by nature, and so gets a thread of its own.
            control: Whether it is a supervisor.
            on_started: Told, in the actor's thread, ``None`` or why it did not start.
        """
        lane = Lane(f"{self.name}-{name}") if own_lane else self._control if control else self._shared
        actor = LaneActor(
            make, name=name, engine=self, lane=lane, own_lane=own_lane, on_started=on_started
        )
        with self._lock:
            closed = self._closed
            if not closed:
                self._actors[actor] = None
                if own_lane:
                    self._own = {other for other in self._own if other.running} | {lane}
        if closed:
            actor.end(Shutdown("the runtime is closed"))
            on_started(actor.reason)
        else:
            actor.begin()
        return actor

    def forget(self, actor: LaneActor) -> None:
        """An actor has ended."""
        with self._lock:
            self._actors.pop(actor, None)

    def resolve(self, target: Any) -> LaneActor | None:
        """The actor behind a name or a reference; ``None`` if no living actor has the name."""
        if isinstance(target, LaneActor):
            return target
        actor = getattr(target, "_actor", None)
        if isinstance(actor, LaneActor):
            return actor
        if isinstance(target, str):
            with self._lock:
                return next((actor for actor in self._actors if actor.name == target), None)
        raise OptionError("to", target, "a stage's reference or name")

    def kill(self, actor: LaneActor, reason: Reason) -> None:
        """Declare an actor dead at once; its thread is free again when its callback returns."""
        if not actor.end(reason):
            return
        frames = sys._current_frames()  # noqa: SLF001 - the documented way to another thread's stack
        frame = frames.get(actor.lane.thread_id or 0)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        get_logger("genstage.runtime", stage=actor.name).warning(
            "stage killed while it was busy", reason=str(reason), busy_at=stack
        )

    def close(self, timeout_s: float) -> None:
        """Stop what still runs, the last one first, and end the lanes; what overstays is killed.

        Args:
            timeout_s: For all of it.
        """
        deadline = time.monotonic() + timeout_s
        with self._lock:
            self._closed = True
            actors = list(reversed(self._actors))
        for actor in actors:
            actor.tell(Stop(Shutdown()))
        for actor in actors:
            if not actor.actor_stopped.wait(max(deadline - time.monotonic(), 0)):
                self.kill(actor, Killed())
        self.timers.close(max(deadline - time.monotonic(), 0.1))
        for lane in (self._shared, self._control):
            lane.close()
        for lane in (*self._own, self._shared, self._control):
            lane.join(max(deadline - time.monotonic(), 0.1))
