"""What the actors of one runtime share: lanes, timers and a directory of names."""

from __future__ import annotations

import os
import threading
import time
import traceback
from itertools import cycle
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from genstage._core.messages import Stop
from genstage._core.reasons import Killed, Shutdown
from genstage._runtime.actor import LaneActor
from genstage._runtime.debugger import patiently
from genstage._runtime.frames import frames
from genstage._runtime.lane import ThreadLane, current_resident, give_way
from genstage._runtime.lifetime import let_go, look_after
from genstage._runtime.measured import measured
from genstage._runtime.shared_lane import HAS_GIL, shared_lane
from genstage._runtime.timers import Timers
from genstage.errors import ForkedRuntimeError, OptionError
from genstage.logger import get_logger
from genstage.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._core.reasons import Reason
    from genstage._runtime.driver import Driver
    from genstage._runtime.lane import Lane
    from genstage._runtime.launch import Behaviour

__all__ = ["Engine"]

_GRACE_S = 0.1
"""How long threads get to end after the last actor has."""


class Engine:
    """Starts actors and ends them. All methods can be called from any thread.

    Supervisors, and stages that do not block, live on shared lanes: one, or as many as there are cores where
    several can run at a time.

    Args:
        name: Names the threads.

    Attributes:
        closing: Whether it has been told to close.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.telemetry = Telemetry(name, self._measure)
        self.timers = Timers(f"{name}-timers")
        self._shared = [shared_lane(f"{name}-shared", runtime=name)]
        if not HAS_GIL:
            more = range(2, (os.cpu_count() or 1) + 1)
            self._shared += [shared_lane(f"{name}-shared{n}", runtime=name) for n in more]
        self._spread = cycle(self._shared)
        self._lock = threading.Lock()
        self._actors: dict[LaneActor, bool] = {}  # in order of their start; whether it is somebody's child
        self._names: dict[str, LaneActor] = {}
        self._own: WeakSet[Lane] = WeakSet()  # a lane lives as long as its thread
        self.closing = False  # nobody but a supervisor, which has to bring its work to an end, may start
        self._closed = False  # nobody may
        self._ended = False  # and everything has been waited for
        self._exiting = False  # the interpreter is
        self._forked = False  # this is the child of a fork: nothing of it works here
        look_after(self)

    def spawn(
        self,
        make: Callable[[Driver], Behaviour],
        *,
        name: str,
        own_lane: bool = False,
        control: bool = False,
        parent: LaneActor | None = None,
        outlives: bool = False,
        listed: bool = False,
        registered: bool = False,
        near: LaneActor | None = None,
        on_started: Callable[[Reason | None], None],
    ) -> LaneActor:
        """Start an actor without waiting for it.

        Args:
            make: Makes its behaviour, in its own thread.
            name: Its name.
            own_lane: Whether it blocks by nature, and so gets a thread of its own.
            control: Whether it is a supervisor.
            parent: The supervisor that starts it, and will end it: at its own end at the latest.
            outlives: Whether the supervisor's end is not its own, because what it does is not to be cut off.
            listed: Whether it can be found by its name.
            registered: Whether it is in pykka's global registry while it lives.
            near: Who starts it: what belongs together lives on one shared lane, and in one pipeline. A
                supervisor gets the next lane for its children.
            on_started: Told, in the actor's thread, ``None`` or why it did not start.

        Raises:
            OptionError: It is to be listed, and the name is taken.
            ForkedRuntimeError: This is the child of a fork.
        """
        self.check_process()
        with self._lock:
            refused = self.closing if parent is None else self._closed
            if not refused:
                if listed and name in self._names:
                    raise OptionError("name", name, "a name that no running stage has")
                home = next(self._spread) if control else self._shared[0] if near is None else near.home
                own_lane = own_lane and not self._exiting  # no thread is started then
                actor = LaneActor(
                    make,
                    name=name,
                    engine=self,
                    lane=self._own_lane(name) if own_lane else home,
                    home=home,
                    own_lane=own_lane,
                    parent=parent,
                    on_started=on_started,
                )
                actor.driver.control = control
                if near is not None:
                    actor.driver.run = near.driver.run
                self._actors[actor] = parent is not None
                if parent is not None and not outlives:
                    parent.driver.adopt(actor)
                if registered:
                    actor.register()
                if listed:
                    self._names[name] = actor
                actor.begin()  # before anybody can reach it
                return actor
        home = self._shared[0]
        actor = LaneActor(
            make, name=name, engine=self, lane=home, home=home, own_lane=False, on_started=on_started
        )
        actor.end(Shutdown("the runtime is closed"))
        return actor

    def _own_lane(self, name: str) -> Lane:
        lane = ThreadLane(f"{self.name}-{name}")
        self._own.add(lane)
        return lane

    def forget(self, actor: LaneActor) -> None:
        """An actor has ended, and everybody has been told."""
        self.timers.forget(actor)
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

    def _measure(self) -> None:
        """Somebody begins to listen to telemetry, or nobody does any more."""
        with self._lock:
            actors = list(self._actors)
        for actor in actors:
            actor.exchange_stage(measured(actor))

    def current_actor(self) -> LaneActor | None:
        """The actor of this engine whose turn the caller is in."""
        actor = current_resident()
        return actor if isinstance(actor, LaneActor) and actor.engine is self else None

    @property
    def now_s(self) -> float:
        """What time it is, on the clock of the timers."""
        return time.monotonic()

    @staticmethod
    def mailbox() -> SimpleQueue[Any]:
        """Where a thread that is no actor can wait for what actors put there."""
        return SimpleQueue()

    def check_process(self, *_: object) -> None:
        """Refuse to be used in the child of a fork.

        Raises:
            ForkedRuntimeError: This is one.
        """
        if self._forked:
            raise ForkedRuntimeError(self.name)

    def kill(self, actor: LaneActor, reason: Reason) -> None:
        """Declare an actor dead at once; its thread is free again when its callback returns."""
        if actor.end(reason, killed=True):
            _log_kill(actor, reason)

    @property
    def abandoned(self) -> int:
        """How many callbacks of actors that were killed in them still run."""
        with self._lock:
            lanes: list[Lane] = [*self._shared, *self._own]
        return sum(lane.abandoned for lane in lanes)

    def close(self, timeout_s: float) -> None:
        """Stop what still runs, the last one first, and end the lanes; what overstays is killed.

        Children are left to their supervisors first. Can be called again after it was interrupted.

        Args:
            timeout_s: For all of it.

        Raises:
            RuntimeError: It is called by one of the runtime's own stages, which it would wait for.
        """
        if self.current_actor() is not None:
            raise RuntimeError(f"runtime {self.name!r} cannot be closed by one of its own stages")
        if self._ended or self._forked:
            return
        give_way()
        deadline = time.monotonic() + timeout_s
        try:
            self._stop(self._begin_close(), deadline)
            self._stop(self._close(), deadline)
        except BaseException:  # Ctrl-C: no more patience
            deadline = time.monotonic()
            raise
        finally:
            for actor in self._close():
                self.kill(actor, Killed())
            self._end_threads(max(deadline, time.monotonic() + _GRACE_S))

    def _begin_close(self) -> list[LaneActor]:
        """Let only supervisors start what they need; who is nobody's child."""
        with self._lock:
            self.closing = True
            return [actor for actor, is_child in self._actors.items() if not is_child]

    def _close(self) -> list[LaneActor]:
        """Let nobody start any more; who is left."""
        with self._lock:
            self._closed = self.closing = True
            return list(self._actors)

    def _stop(self, actors: list[LaneActor], deadline: float) -> None:
        self._tell_to_stop(actors)
        for actor in reversed(actors):
            patiently(actor.wait_end, max(deadline - time.monotonic(), 0))

    @staticmethod
    def _tell_to_stop(actors: list[LaneActor]) -> None:
        for actor in reversed(actors):
            actor.tell(Stop(Shutdown()))

    def _end_threads(self, deadline: float) -> None:
        lanes: list[Lane] = [*self._shared]
        for lane in lanes:
            lane.close()
        self.timers.close(max(deadline - time.monotonic(), 0))
        with self._lock:
            lanes += self._own
        for lane in lanes:
            lane.join(max(deadline - time.monotonic(), 0), stuck_s=_GRACE_S)
        self._ended = True
        let_go(self)

    def exit(self) -> None:
        """The interpreter exits: start no thread any more, and tell what still runs to stop."""
        self._exiting = True
        for lane in self._shared:
            lane.stop_growing()
        self._tell_to_stop(self._begin_close())

    def forked(self) -> None:
        """This is the child of a fork, where none of the threads are: nothing can be done with this any more.

        A lock may have been held by a thread that is not here, so none is touched.
        """
        self._forked = self.closing = self._closed = True
        for actor in list(self._actors):
            actor.forked()


def _log_kill(actor: LaneActor, reason: Reason) -> None:
    thread_id = actor.lane.thread_of(actor)
    frame = frames().get(thread_id or 0)
    stack = "" if frame is None else "".join(traceback.format_stack(frame))
    busy_at = stack if actor.lane.thread_of(actor) == thread_id else ""  # else it is that of anything
    log = get_logger("genstage.runtime", **actor.driver.log_fields)
    log.warning("stage killed", reason=str(reason), busy_at=busy_at)
