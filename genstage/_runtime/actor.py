"""The pykka actor that carries a behaviour: a stage's core, a supervisor or a task.

pykka's own loop is not used: a lane hands each message to :attr:`LaneActor.handle`. What pykka promises its
users is kept for messages that come through a pykka reference: ``tell``, ``ask`` and ``stop``. What only such
a reference needs (a URN, an inbox, an event) is made when it is first looked at: most actors never need it,
and there can be a hundred thousand.
"""

from __future__ import annotations

import contextvars
import threading
import uuid
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import pykka

from genstage._core.messages import Down
from genstage._core.reasons import BadReturn, Crash, NoProc, Reason, one_line
from genstage._core.results import Exit
from genstage._core.stage import StageCore
from genstage._runtime.calls import Answer, Foreign, ForeignFuture
from genstage._runtime.driver import Driver
from genstage._runtime.inbox import Inbox
from genstage._runtime.lane import current_resident, give_way, here
from genstage._runtime.launch import STARTING
from genstage._runtime.measured import emit_end, emit_start
from genstage._runtime.watch import end_links
from genstage.errors import OptionError, PipelineError
from genstage.logger import get_logger, log_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._runtime.calls import Request
    from genstage._runtime.engine import Engine
    from genstage._runtime.lane import Lane
    from genstage._runtime.launch import Behaviour, Starting
    from genstage._runtime.shared_lane import SharedLane
    from genstage._runtime.watch import Watcher

__all__ = ["LaneActor"]


class _Start:
    """The first message of every actor."""


class LaneActor(pykka.Actor):
    """An actor on a lane; its own address for everybody in this process.

    Args:
        make: Makes the behaviour, in the lane's thread.
        name: For log lines, errors and ``repr``.
        engine: What it belongs to.
        lane: Where it lives.
        home: The shared lane on which what it starts will live.
        own_lane: Whether the lane ends with it.
        parent: The supervisor that has started it.
        on_started: Told once: ``None``, or why it does not start.

    Attributes:
        append: Takes (this actor, message) pairs: the lane's, until the actor ends.
        run: Calls a function in the actor's own context, or one stage's decimal precision would leak into
            another.
        handle: Handles one message to the end; see :class:`~genstage._runtime.lane.Resident`.
        backlog: The lane's.
        timed_s: The lane's.
        sampled_s: The lane's monitor's.
        reason: Why it ended; ``None`` while it is alive. Only :meth:`end` sets it.
        links: Whom it is linked with; for ``watch`` only.
        traps_exits: Whether the end of one of those is a message, and not its own end.
    """

    def __init__(  # pykka's own only makes what is made later here
        self,
        make: Callable[[Driver], Behaviour],
        *,
        name: str,
        engine: Engine,
        lane: Lane,
        home: SharedLane,
        own_lane: bool,
        parent: LaneActor | None = None,
        on_started: Callable[[Reason | None], None],
    ) -> None:
        self.name = name
        self.lane = lane
        self.append = lane.append
        self.run = contextvars.Context().run
        self.handle: Callable[[Any], None] = lambda _: self._begin(make)
        self.backlog: list[Any] | None = None
        self.home = home
        self.own_lane = own_lane
        self.parent = parent
        self.behaviour: Behaviour | None = None
        self.driver = Driver(self, engine)
        self.engine = engine
        self.reason: Reason | None = None
        self._on_started: Callable[[Reason | None], None] | None = on_started
        # Guards what is told of the end, so that everybody is told exactly once: the reason and these.
        self._lock = threading.Lock()
        self._watchers: dict[int, Watcher] = {}
        self._requests: dict[Request, None] = {}
        self._stopped: threading.Event | None = None
        self._all_told = False
        self._registered = False
        self.links: set[LaneActor] = set()
        self.traps_exits = False
        # All are made here: on a free-threaded CPython 3.13, while an attribute is added to an object in one
        # thread, another one may miss any of them.
        self.timed_s = self.sampled_s = 0.0

    # -- what pykka looks at --------------------------------------------------------------------------

    @cached_property
    def actor_urn(self) -> str:  # type: ignore[override] # an attribute in pykka
        """As in pykka."""
        return uuid.uuid4().urn

    @cached_property
    def actor_inbox(self) -> Any:  # type: ignore[override] # an attribute in pykka
        """What pykka's references put their messages into."""
        return Inbox(self)

    @cached_property
    def _actor_ref(self) -> pykka.ActorRef[LaneActor]:  # type: ignore[override] # an attribute in pykka
        ref = pykka.ActorRef(self)
        ref._actor_weakref = self._proxied  # type: ignore[assignment] # noqa: SLF001 - what proxies reach
        return ref

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override] # an attribute in pykka
        """Set when everybody has been told of the end."""
        with self._lock:
            if self._stopped is None:
                self._stopped = threading.Event()
                if self._all_told:
                    self._stopped.set()
            return self._stopped

    def _proxied(self) -> Any:
        """What pykka's proxies show: the user's object."""
        return self.behaviour.stage if isinstance(self.behaviour, StageCore) else None

    @staticmethod
    def _create_actor_inbox() -> Any:
        return None  # see actor_inbox

    @staticmethod
    def _create_future() -> ForeignFuture:
        return ForeignFuture()

    def _start_actor_loop(self) -> None:
        self.tell(_Start())

    def begin(self) -> None:
        """Start to handle messages."""
        self._start_actor_loop()

    @property
    def alive(self) -> bool:
        """Whether it takes part in anything any more."""
        return self.reason is None

    @property
    def starting(self) -> bool:
        """Whether it has not got through its start."""
        return self.reason is None and self._on_started is not None

    @property
    def in_turn(self) -> bool:
        """Whether the caller is in this actor's turn, and would wait for itself."""
        return current_resident() is self

    # -- messages -------------------------------------------------------------------------------------

    def tell(self, message: Any) -> None:
        """Hand over a message, from any thread; nothing happens if the actor has ended."""
        self.append((self, message))
        if self.lane.sleeping:
            self.lane.wake()

    @staticmethod
    def answer() -> Answer:
        """What a thread can wait for that asks this actor; a simulated actor has another kind."""
        return Answer()

    def post(self, message: Any) -> None:
        """As :meth:`tell`, for a user: nothing comes from a callback whose stage was killed in it."""
        pair, place = (self, message), here.place
        if place is None or not place.silenced:  # from here to the append as in Driver.send
            self.append(pair)
            if self.lane.sleeping:
                self.lane.wake()

    def request(self, message: Any, request: Request) -> None:
        """Hand over a message that wants an answer; if the actor ends first, that is the answer."""
        if self.await_end(request):
            self.tell(message)

    def await_end(self, request: Request) -> bool:
        """Tell ``request`` when the actor ends, or at once if it has; gives whether it is alive."""
        with self._lock:
            reason = self.reason
            if reason is None:
                self._requests[request] = None
        if reason is not None:
            request.lost(self.name, reason)
        return reason is None

    def forget_request(self, request: Request) -> None:
        """Nobody waits for the answer any more."""
        with self._lock:
            self._requests.pop(request, None)

    def wait_end(self, timeout_s: float | None) -> bool:
        """Wait until everybody has been told of the end; gives whether it has come."""
        self.engine.check_process()
        if not self._all_told:
            give_way()
        return self.actor_stopped.wait(timeout_s)

    def fail(self, error: BaseException) -> None:
        """As :class:`~genstage._runtime.lane.Resident`: a mistake in a behaviour is the actor's end."""
        self.end(Crash(error))

    def _begin(self, make: Callable[[Driver], Behaviour]) -> None:
        reason: Reason | Starting | None
        log_for(self.driver)
        try:
            behaviour = self.behaviour = make(self.driver)
            reason = behaviour.start() if self.alive else None
        except BaseException as error:  # noqa: BLE001 - a factory is the user's code: it must not end the lane
            reason = Crash(error)
        if reason is not None and reason is not STARTING:
            self.end(reason)
        elif self.alive:
            assert self.behaviour is not None  # noqa: S101 - it has been made
            self.handle = self.behaviour.handle
            if self.reason is not None:  # killed meanwhile
                self.handle = _nothing
            if reason is None:
                self.started()

    def started(self) -> None:
        """It has got through its start."""
        emit_start(self)
        self._tell_started(None)

    def exchange_stage(self, exchange: Callable[[Any], Any]) -> None:
        """Put something around the user's object, or take it away again; unless the actor has ended."""
        with self._lock:
            if self.reason is None and isinstance(self.behaviour, StageCore):
                self.behaviour.stage = exchange(self.behaviour.stage)

    # -- the end --------------------------------------------------------------------------------------

    def end(self, reason: Any, *, killed: bool = False) -> bool:
        """Be dead from now on, for everybody.

        Called in the actor's own turn when it ends, from any thread to kill it: no further callback runs
        then, ``terminate`` neither. Watchers learn the reason after everything the actor has sent.

        Args:
            reason: Why; a callback's ``Stop`` can bring anything here.
            killed: Whether it is killed: a turn that it is in does not count any more.

        Returns:
            Whether it was alive until now.
        """
        if not isinstance(reason, Reason):
            reason = BadReturn("Stop", reason)
        with self._lock:
            if self.reason is not None:
                return False
            self.reason = reason
            watchers, self._watchers = self._watchers, {}
            requests, self._requests = self._requests, {}
        self.engine.unlist(self)  # whoever hears of the end can use the name again
        self.append = self.handle = _nothing
        in_callback = self.lane.abandon(self) if killed else None  # silent before anybody hears of it
        if isinstance(self.behaviour, StageCore):  # what is left of it are figures
            self.behaviour.stage = _Ended(reason)
        if isinstance(reason, Crash):
            self._log_crash(reason)
        self.driver.close()
        for number, watcher in watchers.items():
            watcher.notify(number, reason)
        pykkas = [request for request in requests if isinstance(request, Foreign)]
        for request in requests.keys() - pykkas:
            request.lost(self.name, reason)
        end_links(self, reason)
        emit_end(self, in_callback)
        self._leave()
        self._tell_started(reason)
        if self.own_lane:
            self.lane.close()
        with self._lock:
            self._all_told = True
            if self._stopped is not None:
                self._stopped.set()  # whoever waits for the end finds everything done
        for request in pykkas:  # whoever has stopped an actor by pykka finds it stopped
            request.lost(self.name, reason)
        return True

    def _leave(self) -> None:
        """Be in nobody's books any more."""
        if self.parent is not None:
            self.parent.driver.disown(self)
        if self._registered:
            pykka.ActorRegistry.unregister(self.actor_ref)
        self.engine.forget(self)

    def register(self) -> None:
        """Be in pykka's global registry until the end."""
        self._registered = True
        pykka.ActorRegistry.register(self.actor_ref)

    def forked(self) -> None:
        """Refuse to be used: this is the child of a fork, and the lane is in the parent."""
        self._lock = threading.Lock()  # somebody may have held it
        self.append = self.engine.check_process

    def _tell_started(self, reason: Reason | None) -> None:
        with self._lock:
            on_started, self._on_started = self._on_started, None
        if on_started is not None:
            on_started(reason)

    def _log_crash(self, reason: Crash) -> None:
        error = reason.exception
        if self._on_started is not None and isinstance(error, OptionError):
            return  # a refused start is told to whoever starts
        if self.driver.control and isinstance(error, PipelineError):
            return  # a run has failed: its stages have told the log
        mark = "in stage "
        try:
            if any(note.startswith(mark) for note in getattr(error, "__notes__", ())):
                return  # it came from another stage, which has told the log
            error.add_note(f"{mark}{self.name!r}{'' if reason.at_hand is None else f', {reason.at_hand}'}")
        except Exception:  # noqa: BLE001, S110 - one that takes no notes, such as a frozen dataclass
            pass
        get_logger("genstage.runtime", **self.driver.log_fields).error("stage failed", exc_info=error)

    # -- watches --------------------------------------------------------------------------------------

    def add_watcher(self, number: int, watcher: Watcher) -> None:
        """Tell ``watcher`` when this actor ends, or at once if it has."""
        with self._lock:
            if self.reason is None:
                self._watchers[number] = watcher
                return
        watcher.notify(number, NoProc())

    def remove_watcher(self, number: int) -> None:
        """Take a watch back."""
        with self._lock:
            self._watchers.pop(number, None)

    def notify(self, number: int, reason: Reason) -> None:
        """Hear of the end of an actor that this one watches."""
        self.driver.watched.pop(number, None)
        self.tell(Down(number, reason))

    def __repr__(self) -> str:
        return f"<{self.name!r} {self.state}>"

    __str__ = __repr__

    @property
    def state(self) -> str:
        """Whether it runs or why it ended, in one line."""
        return "running" if self.reason is None else f"ended ({one_line(self.reason)})"


class _Ended:
    """Stands in for the stage of an actor that has ended: whatever the core still calls ends the turn."""

    def __init__(self, reason: Reason) -> None:
        self._reason = reason

    def terminate(self, _reason: Reason) -> None:
        """Nothing: a killed stage does not clean up, and any other has."""

    def __getattr__(self, _callback: str) -> NoReturn:
        raise Exit(self._reason)


def _nothing(_message: Any) -> None:
    """Take or handle a message of an actor that has ended."""
