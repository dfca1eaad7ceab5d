"""What the actors of one runtime share: lanes, timers and a directory of names."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

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

_GRACE_S = 0.1
"""How long threads get to end after the last actor has."""


class Engine:
    """Starts actors and ends them. All methods can be called from any thread.

    Two lanes are always there: the *shared* one for stages that do not block, and the *control* one for
    supervisors, so that no user's code can keep a supervisor from its work.

    Args:
        name: Names the threads.

    Attributes:
        closing: Whether it has been told to close.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.timers = Timers(f"{name}-timers")
        self._shared = Lane(f"{name}-shared")
        self._control = Lane(f"{name}-control")
        self._lock = threading.Lock()
        self._actors: dict[LaneActor, bool] = {}  # in order of their start; whether it is somebody's child
        self._names: dict[str, LaneActor] = {}
        self._own: WeakSet[Lane] = WeakSet()  # a lane lives as long as its thread
        self._stuck: WeakSet[Lane] = WeakSet()  # a killed stage's callback was busy there, perhaps for ever
        self.closing = False  # nobody but a supervisor, which has to bring its work to an end, may start
        self._closed = False  # nobody may
        self._ended = False  # and everything has been waited for

    def spawn(
        self,
        make: Callable[[Driver], Behaviour],
        *,
        name: str,
        own_lane: bool = False,
        control: bool = False,
        is_child: bool = False,
        listed: bool = False,
        on_started: Callable[[Reason | None], None],
    ) -> LaneActor:
        """Start an actor without waiting for it.

        Args:
            make: Makes its behaviour, in its own thread.
            name: Its name.
            own_lane: Whether it blocks by nature, and so gets a thread of its own.
            control: Whether it is a supervisor.
            is_child: Whether a supervisor starts it, and will end it.
            listed: Whether it can be found by its name.
            on_started: Told, in the actor's thread, ``None`` or why it did not start.

        Raises:
            OptionError: It is to be listed, and the name is taken.
        """
        with self._lock:
            refused = self._closed if is_child else self.closing
            if not refused:
                if listed and name in self._names:
                    raise OptionError("name", name, "a name that no running stage has")
                actor = LaneActor(
                    make,
                    name=name,
                    engine=self,
                    lane=self._lane(name, own_lane=own_lane, control=control),
                    own_lane=own_lane,
                    on_started=on_started,
                )
                self._actors[actor] = is_child
                if listed:
                    self._names[name] = actor
                actor.begin()  # before anybody can reach it
                return actor
        actor = LaneActor(
            make, name=name, engine=self, lane=self._shared, own_lane=False, on_started=on_started
        )
        actor.end(Shutdown("the runtime is closed"))
        return actor

    def _lane(self, name: str, *, own_lane: bool, control: bool) -> Lane:
        if not own_lane:
            return self._control if control else self._shared
        lane = Lane(f"{self.name}-{name}")
        self._own.add(lane)
        return lane

    def forget(self, actor: LaneActor) -> None:
        """An actor has ended, and everybody has been told."""
        with self._lock:
            self._actors.pop(actor, None)

    def unlist(self, actor: LaneActor) -> None:
        """An actor's name is free again."""
        with self._lock:
            if self._names.get(actor.name) is actor:
                del self._names[actor.name]

    def resolve(self, target: Any) -> LaneActor | None:
        """The actor behind a name or a reference; ``None`` if no living actor is listed under the name."""
        if isinstance(target, LaneActor):
            return target
        actor = getattr(target, "_actor", None)
        if isinstance(actor, LaneActor):
            return actor
        if isinstance(target, str):
            with self._lock:
                return self._names.get(target)
        raise OptionError("to", target, "a stage's reference or name")

    def refuse_wait(self, *, own_lane: bool = False) -> None:
        """Refuse to let the caller wait for what runs on its own lane.

        Args:
            own_lane: Whether what it waits for has a lane of its own.

        Raises:
            RuntimeError: It would wait for itself.
        """
        if self._control.current or (self._shared.current and not own_lane):
            raise RuntimeError(f"runtime {self.name!r}: a stage cannot wait for what runs on its own lane")

    def kill(self, actor: LaneActor, reason: Reason) -> None:
        """Declare an actor dead at once; its thread is free again when its callback returns."""
        lane = actor.lane
        thread_id = lane.thread_id if lane.turning is actor else None
        if not actor.end(reason):
            return
        if thread_id is not None:
            with self._lock:
                self._stuck.add(lane)
        frame = sys._current_frames().get(thread_id or 0)  # noqa: SLF001 - the documented way to a thread's stack
        busy_at = "" if frame is None else "".join(traceback.format_stack(frame))
        get_logger("genstage.runtime", stage=actor.name).warning(
            "stage killed", reason=str(reason), busy_at=busy_at
        )

    def close(self, timeout_s: float) -> None:
        """Stop what still runs, the last one first, and end the lanes; what overstays is killed.

        Children are left to their supervisors first. Can be called again after it was interrupted.

        Args:
            timeout_s: For all of it.

        Raises:
            RuntimeError: It is called by one of the runtime's own stages, which it would wait for.
        """
        if any(lane.current for lane in self._lanes()):
            raise RuntimeError(f"runtime {self.name!r} cannot be closed by one of its own stages")
        if self._ended:
            return
        deadline = time.monotonic() + timeout_s
        try:
            with self._lock:
                self.closing = True
                own = [actor for actor, is_child in self._actors.items() if not is_child]
            self._stop(own, deadline)
            self._stop(self._close(), deadline)
        except BaseException:  # Ctrl-C: no more patience
            deadline = time.monotonic()
            raise
        finally:
            for actor in self._close():
                self.kill(actor, Killed())
            self._end_threads(max(deadline, time.monotonic() + _GRACE_S))

    def _close(self) -> list[LaneActor]:
        """Let nobody start any more; who is left."""
        with self._lock:
            self._closed = self.closing = True
            return list(self._actors)

    def _stop(self, actors: list[LaneActor], deadline: float) -> None:
        for actor in reversed(actors):
            actor.tell(Stop(Shutdown()))
        for actor in reversed(actors):
            actor.actor_stopped.wait(max(deadline - time.monotonic(), 0))

    def _lanes(self) -> list[Lane]:
        with self._lock:
            return [self._shared, self._control, *self._own]

    def _end_threads(self, deadline: float) -> None:
        self._shared.close()
        self._control.close()
        self.timers.close(max(deadline - time.monotonic(), 0))
        for lane in self._lanes():
            lane.join(_GRACE_S if lane in self._stuck else max(deadline - time.monotonic(), 0))
        self._ended = True
