"""The shared lane: many actors, one baton, and as many threads as there are turns that block.

How it works, and the rules by their numbers, stand at the head of ``lane``.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from genstage._core.snapshot import snapshot
from genstage._runtime.lane import Turn, here
from genstage._runtime.monitor import Monitor
from genstage._runtime.runner import Runner, peek, pop
from genstage.logger import get_logger

if TYPE_CHECKING:
    from genstage._runtime.lane import Resident
    from genstage._runtime.runner import Item

__all__ = ["HAS_GIL", "SharedLane", "shared_lane"]

HAS_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Without one, several lanes run at the same time."""

_MAX_RUNNERS = 100
"""Threads a lane may have; with more turns that block at the same time it has to wait for one of them."""

_MAX_SPARES = 32
"""Spares that are kept; they cost next to nothing, but a start of a thread costs a hundred turns."""

_RESUME = object()
"""Message to a busy actor: its turn is over."""


class _End:
    """Whoever is behind the last pair: always busy, so that it needs no question of its own."""

    def __init__(self) -> None:
        self.backlog: list[Any] | None = []


_END: Any = _End()


class SharedLane:
    """A lane whose baton can change hands in the middle of a turn.

    Args:
        name: Names the threads.
        runtime: Name of the runtime, for log records.
        max_runners: Threads it may have, 1 or more.

    Attributes:
        sleeping: Whether the holder of the baton waits to be woken; see rule 9.
        steals: How often the baton was taken from a turn that took long.
    """

    def __init__(self, name: str, *, runtime: str | None = None, max_runners: int = _MAX_RUNNERS) -> None:
        self.name = name
        self.runtime = runtime
        self._queue: deque[Item] = deque()
        self.append = self._queue.append
        self.sleeping = False
        self.steals = 0
        self._max_runners = max_runners
        # One that its holder can take again: the garbage collector may find an object that sends a message.
        self._lock = threading.RLock()
        self._wakeup = threading.Lock()  # held; released to wake the holder of the baton
        self._wakeup.acquire()
        self._made = 0
        self._vacant = self._warned = self._ending = self._closed = False
        self._busy = 0  # actors whose turn has lost the baton, but for
        self._abandoned: set[Resident] = set()  # those that were killed in it
        self._runners: dict[Runner, None] = {}
        self._spares: list[Runner] = []
        self._holder = self._new_runner()
        self._holder.go.release()
        self._monitor = Monitor(self, f"{name}-monitor")
        self._holder.thread.start()
        if max_runners > 1:  # one spare in advance: while the interpreter exits, none can be started
            self._spares.append(self._new_runner())
            self._spares[0].thread.start()
        self._monitor.thread.start()

    def wake(self) -> None:
        """As :class:`~genstage._runtime.lane.Lane`."""
        with self._lock:
            if self.sleeping:
                if self._wakeup.locked():  # else the holder has not looked yet: once is enough
                    self._wakeup.release()
                self._monitor.unpark()
                self.sleeping = False  # last: if Ctrl-C comes before it, the next put does all of it again

    def thread_of(self, resident: Resident) -> int | None:
        """As :class:`~genstage._runtime.lane.Lane`."""
        with self._lock:  # so no turn is between its two states
            turn = self.turn_of(resident)
        return None if turn is None else turn.thread_id

    def turn_of(self, resident: Resident) -> Turn | None:
        """As :class:`~genstage._runtime.lane.Lane`."""
        for runner in list(self._runners):
            item = peek(runner.slot)
            if item is not None and item[0] is resident:
                return Turn(runner.thread.ident, None)
            item, lost_s = runner.lost, runner.lost_s
            if item is not None and item[0] is resident:
                return Turn(runner.thread.ident, lost_s)
        return None

    def queued(self, resident: Resident) -> int:
        """As :class:`~genstage._runtime.lane.Lane`."""
        pairs = snapshot(self._queue)
        queued = sum(actor is resident and message is not _RESUME for actor, message in pairs)
        return queued + len(resident.backlog or ())

    def abandon(self, resident: Resident) -> bool:
        """As :class:`~genstage._runtime.lane.Lane`."""
        runner = self._holder
        item = peek(runner.slot)
        if item is not None and item[0] is resident:
            self._take_over(runner)
        started, in_turn = None, False
        with self._lock:
            for runner in self._runners:
                if runner.lost is not None and runner.lost[0] is resident:
                    runner.silenced = in_turn = True
            if resident.backlog is not None and resident not in self._abandoned:
                self._abandoned.add(resident)
                self._busy -= 1
                self._go_on_ending()
            if self._vacant and self._may_grow():
                self._vacant = False
                started = self._grow()
        self._start(started)
        if self.sleeping and self._queue:
            self.wake()
        return in_turn

    @property
    def abandoned(self) -> int:
        """As :class:`~genstage._runtime.lane.Lane`."""
        return sum(runner.silenced for runner in list(self._runners))

    def close(self) -> None:
        """As :class:`~genstage._runtime.lane.Lane`."""
        self.append((_END, None))
        if self.sleeping:
            self.wake()

    def stop_growing(self) -> None:
        """Start no thread any more."""
        self._max_runners = 0

    def join(self, timeout_s: float, *, stuck_s: float) -> None:
        """As :class:`~genstage._runtime.lane.Lane`."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            runners = [runner for runner in self._runners if runner.thread.ident is not None]
        for runner in runners:
            left_s = max(deadline - time.monotonic(), 0)
            is_stuck = runner.lost is not None and runner.lost[0] in self._abandoned
            runner.thread.join(min(left_s, stuck_s) if is_stuck else left_s)
        self._monitor.thread.join(max(deadline - time.monotonic(), 0))

    # -- the runners' side ----------------------------------------------------------------------------

    def run(self, runner: Runner) -> None:
        """What a runner's thread does."""
        here.place = runner
        runner.go.acquire()
        while not self._closed:
            self._hold(runner)
            if not self._stand_by(runner):
                return

    def _hold(self, runner: Runner) -> None:
        """Handle messages until the baton is lost or the lane ends."""
        take, slot = self._queue.popleft, runner.slot
        item = actor = message = None
        while True:
            try:
                item = take()
            except IndexError:
                item = actor = message = None  # or the last chunk lives until the next one comes
                self._sleep()
                continue
            actor, message = item
            if actor.backlog is not None:
                if self._set_aside(actor, message):
                    return
                continue
            slot.append(item)
            try:
                actor.run(actor.handle, message)
            except BaseException as error:  # noqa: BLE001 - a mistake in a behaviour must not end the lane
                actor.fail(error)
            try:
                slot.pop()
            except IndexError:
                break
        self.append_resume(actor)

    def _sleep(self) -> None:
        """Wait for a put; rule 9."""
        with self._lock:
            self.sleeping = True
            if self._queue:
                self.sleeping = False
                return
        self._wakeup.acquire()

    def _set_aside(self, actor: Resident, message: Any) -> bool:
        """Deal with a message of a busy actor; gives whether the lane ends. Rule 6."""
        if actor is _END:
            return self._end()
        if message is _RESUME:
            self._resume(actor)
        else:
            assert actor.backlog is not None  # noqa: S101 - it is busy
            actor.backlog.append(message)
        return False

    def _resume(self, actor: Resident) -> None:
        """Let an actor be idle again."""
        with self._lock:
            backlog, actor.backlog = actor.backlog or (), None
            self._queue.extendleft([(actor, waiting) for waiting in reversed(backlog)])
            if actor in self._abandoned:
                self._abandoned.remove(actor)
            else:
                self._busy -= 1
                self._go_on_ending()

    def append_resume(self, actor: Resident) -> None:
        """The turn that had lost the baton is over; rule 5."""
        self._queue.appendleft((actor, _RESUME))
        if self.sleeping:
            self.wake()

    def _stand_by(self, runner: Runner) -> bool:
        """Become a spare until the baton comes; gives whether it came."""
        with self._lock:
            if runner.lost is not None:
                runner.lost[0].timed_s += time.monotonic() - runner.lost_s
                runner.lost = None
                runner.silenced = False
            if self._closed:
                return False
            if self._vacant:
                self._vacant = False
                runner.slot = []
                self._holder = runner
                return True
            if len(self._spares) >= _MAX_SPARES:
                del self._runners[runner]
                return False
            self._spares.append(runner)
        runner.go.acquire()
        return not self._closed

    def resident_of(self, runner: Runner) -> Resident | None:
        """Whose turn a runner is in; called by the runner itself."""
        item = peek(runner.slot)
        if item is None:
            with self._lock:  # whoever has popped the token has said so when the lock is free
                item = runner.lost
        return None if item is None else item[0]

    def _end(self) -> bool:
        """End, or wait for turns that have lost the baton first; gives whether the lane ends."""
        with self._lock:
            self._ending = True
            if self._busy:
                return False
            self._closed = True
            for spare in self._spares:
                spare.go.release()
            self._monitor.end()
        return True

    def _go_on_ending(self) -> None:
        """There may be nobody left to wait for; the lock is held."""
        if self._ending and not self._busy:
            self.append((_END, None))

    # -- hand-over ------------------------------------------------------------------------------------

    def pass_on(self, runner: Runner, item: Item) -> None:
        """Give the baton to a spare; the caller has popped ``item`` from the runner's slot. Rule 4."""
        with self._lock:
            started = self._pass_on(runner, item)
        self._start(started)

    def _take_over(self, runner: Runner) -> bool:
        with self._lock:  # while it is held, nobody else can lack what the token's winner has to say
            item = pop(runner.slot)
            started = None if item is None else self._pass_on(runner, item)
        self._start(started)
        return item is not None

    def _pass_on(self, runner: Runner, item: Item) -> Runner | None:
        """Decide who holds the baton now; gives a runner whose thread has to be started."""
        runner.lost_s = time.monotonic()
        runner.lost = item
        item[0].backlog = []
        self._busy += 1
        if self._spares:
            self._holder = self._spares.pop()
            self._holder.slot = []
            self._holder.go.release()
        elif self._may_grow():
            return self._grow()
        else:
            self._vacant = True
        return None

    def _may_grow(self) -> bool:
        """Whether one more thread may be started; those that are stuck in a killed stage do not count."""
        return len(self._runners) - len(self._abandoned) < self._max_runners

    def _grow(self) -> Runner:
        """Give the baton to a new runner, whose thread has to be started."""
        self._holder = self._new_runner()
        self._holder.go.release()
        return self._holder

    def _new_runner(self) -> Runner:
        self._made += 1
        name = f"{self.name}-{self._made}"
        runner = Runner(self, name)
        self._runners[runner] = None
        return runner

    def _start(self, runner: Runner | None) -> None:
        if runner is not None:
            try:
                runner.thread.start()
            except RuntimeError:  # no thread can be started any more
                with self._lock:
                    del self._runners[runner]
                    self._vacant = True
        if self._vacant and not self._warned:
            self._warned = True
            get_logger("genstage.runtime", runtime=self.runtime, stage=None, lane=self.name).warning(
                "all threads of a lane are in turns that block", threads=len(self._runners)
            )

    # -- the monitor's side ---------------------------------------------------------------------------

    def in_turn(self) -> Item | None:
        """The pair in turn."""
        return peek(self._holder.slot)

    @property
    def waiting(self) -> bool:
        """Whether a message waits."""
        return bool(self._queue)

    def steal(self, item: Item) -> None:
        """Take the baton from the turn of ``item``; at worst from one that has just begun."""
        runner = self._holder
        if peek(runner.slot) is item and self._take_over(runner):
            self.steals += 1

    def park_monitor(self) -> None:
        """Let the monitor park if the lane sleeps."""
        with self._lock:
            if self.sleeping:
                self._monitor.park()


class _LockedLane(SharedLane):
    """The shared lane on a Python without a GIL: whoever looks whether it sleeps takes the lock (rule 9)."""

    _asleep = False

    @property
    def sleeping(self) -> bool:
        """As in :class:`SharedLane`."""
        with self._lock:
            return self._asleep

    @sleeping.setter
    def sleeping(self, asleep: bool) -> None:
        self._asleep = asleep


def shared_lane(name: str, *, runtime: str | None = None) -> SharedLane:
    """The lane that fits the interpreter."""
    return (SharedLane if HAS_GIL else _LockedLane)(name, runtime=runtime)
