"""Lanes: where actors live. Theory of operation, what all lanes share, and the lane with one thread.

A lane is one queue of (actor, message) pairs and one *baton*. Whichever thread holds the baton takes a pair
and lets that actor handle that message to the end (a *turn*), then the next one. Order of arrival is order of
handling, so a lane is fair by construction; a message is one append, one take and one call, without a lock
and without a change of threads.

There are two kinds. A :class:`ThreadLane` has one thread, which holds the baton for ever: all turns of its
actor run in that thread, and one that blocks keeps nobody else waiting. It is for a stage that blocks by
nature. On a :class:`~genstage._runtime.shared_lane.SharedLane`, where all others live, supervisors too, the
baton can change hands in the middle of a turn, so that a turn that blocks does not stall the lane.

Rules of the shared lane. *Runner*: a thread that can hold the baton. *Slot*: a list that belongs to one
holding of the baton, with at most one token in it, which is the pair in turn.

1. A runner appends the pair to its slot before the turn and pops it after it. Nobody else ever appends to it.
2. Whoever pops the token of the slot owns the end of that turn, and the baton. Append and pop of a list are
   the only arbitration: of two that pop, one gets the token and the other an ``IndexError``.
3. A runner that pops its own token goes on with the next pair.
4. Somebody else that pops it (the monitor, because the turn takes long; the runner itself in the middle of
   the turn, because it is about to wait; whoever kills the actor) marks the actor *busy*, by giving it a
   backlog, and then gives the baton, with a new slot, to a spare runner.
5. A runner that finds its slot empty after a turn has lost the baton. It touches neither the busy mark nor
   the backlog: it puts one ``RESUME`` for its actor at the head of the queue, and becomes a spare.
6. Messages of a busy actor go to its backlog. Only the holder of the baton touches a backlog or ends the busy
   mark, when it meets ``RESUME``: the backlog goes back to the head of the queue, in order.
7. So an actor has at most one turn at a time, its messages keep their order, and a take-over that was not
   needed does no harm.
8. When no spare is left and no thread may or can be started, the baton is *vacant*: the next runner that gets
   to rule 5 takes it, or a new one when an actor in such a turn is killed, since threads stuck there do not
   count. The log is told once.
9. Whoever puts a pair appends it and then looks whether the lane sleeps; the holder of the baton, finding the
   queue empty, says that it sleeps and then looks at the queue again. One of the two sees the other. Waking
   is decided under the lane's lock, and so is every hand-over; while messages flow nobody takes it.
10. The monitor looks at the slot every few milliseconds while the lane is awake. It parks when the lane has
    slept for a while, and only the put that wakes the lane unparks it: nothing polls when idle.

::

    runner's state     event                                      next state
    ---------------    ---------------------------------------    --------------------------------------------
    holds, no turn     a pair of an idle actor                    holds, in turn (slot full)
    holds, no turn     a pair of a busy actor                     holds, no turn (backlog)
    holds, no turn     RESUME                                     holds, no turn (backlog to the queue's head)
    holds, no turn     queue empty                                sleeps, with the baton
    sleeps             a put                                      holds, no turn
    holds, in turn     turn ends, slot full                       holds, no turn
    holds, in turn     token popped by monitor, kill or itself    lost, in turn (actor busy; a spare holds)
    lost, in turn      turn ends, slot empty                      spare (RESUME in the queue)
    lost, in turn      turn ends, baton vacant                    holds, no turn (RESUME in the queue)
    spare              is given the baton                         holds, no turn
    spare              lane closes, or enough others are spare    ends
"""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Lane", "Place", "Resident", "ThreadLane", "Turn", "current_resident", "give_way", "here"]


class Resident(Protocol):
    """What lives on a lane.

    A turn is ``run(handle, message)``; both can be exchanged at any time, so that nothing has to be asked
    before each turn.

    Attributes:
        run: Calls a function with a message, in the surroundings of this resident.
        handle: Handles one message to the end.
        backlog: Messages that wait because the resident is busy, in a turn that has lost the baton; ``None``
            if it is not. Belongs to the lane.
        timed_s: Seconds in turns that the lane has put the clock to. Belongs to the lane.
        sampled_s: Seconds in other turns, as the lane's monitor has found it there. Belongs to the monitor.
    """

    run: Callable[..., Any]
    handle: Callable[[Any], None]
    backlog: list[Any] | None
    timed_s: float
    sampled_s: float

    def fail(self, error: BaseException) -> None:
        """A turn has raised. Never raises."""


class Turn(NamedTuple):
    """A turn that is under way.

    Attributes:
        thread_id: Identifier of its thread.
        began_s: When it began at the latest, on the monotonic clock; ``None`` if that was a moment ago.
    """

    thread_id: int | None
    began_s: float | None


class Lane(Protocol):
    """What the runtime needs of a lane.

    Attributes:
        append: Takes a (resident, message) pair, from any thread; the queue's own method, because every
            message goes through it. Whoever calls it looks at ``sleeping`` after it, and wakes the lane.
    """

    append: Callable[[tuple[Resident, Any]], None]

    @property
    def sleeping(self) -> bool:
        """Whether the lane waits to be woken."""

    def wake(self) -> None:
        """Wake the lane; nothing happens if it does not sleep."""

    def thread_of(self, resident: Resident) -> int | None:
        """Identifier of the thread that is in a turn of ``resident``."""

    def turn_of(self, resident: Resident) -> Turn | None:
        """The turn that ``resident`` is in, looked at from any thread without a lock."""

    def queued(self, resident: Resident) -> int:
        """How many messages wait for ``resident``, looked at likewise."""

    def abandon(self, resident: Resident) -> bool:
        """Go on without waiting for the turn that ``resident`` is in: it has been killed.

        The place of that turn is silenced.

        Returns:
            Whether it was in one.
        """

    @property
    def abandoned(self) -> int:
        """How many turns were abandoned and have not ended."""

    def close(self) -> None:
        """End when everything handed over so far has been handled."""

    def join(self, timeout_s: float, *, stuck_s: float) -> None:
        """Wait for the end of the threads; ``stuck_s`` for those in a turn that was abandoned."""


class Place(Protocol):
    """Where a thread of a lane is.

    Attributes:
        silenced: Whether it is in a turn whose resident has been killed: nothing comes from it any more.
    """

    silenced: bool

    def resident(self) -> Resident | None:
        """Whose turn this thread is in."""

    def give_way(self) -> None:
        """The thread is about to wait, in the middle of a turn: let the lane go on without it."""


class _Here(threading.local):
    place: Place | None = None


here = _Here()
"""The lane's threads put their place in here."""


def current_resident() -> Resident | None:
    """Whose turn the calling thread is in; ``None`` if it is no thread of a lane."""
    place = here.place
    return None if place is None else place.resident()


def give_way() -> None:
    """Let the lane of the calling thread go on: the caller is about to wait. Does nothing elsewhere."""
    place = here.place
    if place is not None:
        place.give_way()


class ThreadLane:
    """A lane with one thread, in which all turns run, from the first to the last.

    Args:
        name: Name of the thread.

    Attributes:
        turning: Whose turn it is.
        silenced: As in :class:`Place`; stays so, because there is just one resident.
    """

    sleeping = False  # its queue wakes by itself

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[tuple[Resident, Any] | None] = SimpleQueue()
        self.append: Callable[[tuple[Resident, Any]], None] = self._queue.put
        self.turning: Resident | None = None
        self._began_s = 0.0
        self.silenced = False
        # A daemon: a callback that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Never needed."""

    def thread_of(self, resident: Resident) -> int | None:
        """As :class:`Lane`."""
        return self._thread.ident if self.turning is resident else None

    def turn_of(self, resident: Resident) -> Turn | None:
        """As :class:`Lane`."""
        began_s = self._began_s  # before the look at whose turn it is: it is set before that, too
        return Turn(self._thread.ident, began_s) if self.turning is resident else None

    def queued(self, resident: Resident) -> int:  # noqa: ARG002 - there is just one
        """As :class:`Lane`."""
        return self._queue.qsize()

    def abandon(self, resident: Resident) -> bool:
        """As :class:`Lane`; there is nobody to go on."""
        self.silenced = self.silenced or self.turning is resident
        return self.silenced

    @property
    def abandoned(self) -> int:
        """As :class:`Lane`."""
        return int(self.silenced and self.turning is not None)

    def close(self) -> None:
        """As :class:`Lane`."""
        self._queue.put(None)

    def join(self, timeout_s: float, *, stuck_s: float) -> None:
        """As :class:`Lane`."""
        self._thread.join(min(timeout_s, stuck_s) if self.silenced else timeout_s)

    def resident(self) -> Resident | None:
        """As :class:`Place`."""
        return self.turning

    def give_way(self) -> None:
        """As :class:`Place`; nobody else could run its actors."""

    def _run(self) -> None:
        here.place = self
        take, now = self._queue.get, time.monotonic
        while (item := take()) is not None:
            actor, message = item
            self._began_s = began_s = now()
            self.turning = actor
            try:
                actor.run(actor.handle, message)
            except BaseException as error:  # noqa: BLE001 - a mistake in a behaviour must not end the lane
                actor.fail(error)
            self.turning = None
            actor.timed_s += now() - began_s
            del item, actor, message  # or the last chunk lives until the next one comes
