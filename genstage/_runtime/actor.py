"""The pykka actor that carries a behaviour: a stage's core, a supervisor or a task.

pykka's own loop is not used: a lane calls :meth:`LaneActor.turn` for each message. What pykka promises its
users is kept for messages that come through a pykka reference: ``tell``, ``ask`` and ``stop``.
"""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pykka
from pykka import messages as pykka_messages
from pykka._envelope import Envelope

from genstage._core.messages import Call, Down, Message, Stop
from genstage._core.reasons import Crash, NoProc, Normal
from genstage._runtime.calls import Foreign
from genstage._runtime.driver import Driver
from genstage.errors import DeadStageError
from genstage.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._core.reasons import Reason
    from genstage._runtime.engine import Engine
    from genstage._runtime.lane import Lane

__all__ = ["Behaviour", "LaneActor"]


class Behaviour(Protocol):
    """What an actor does. A stage's core is one."""

    def start(self) -> Reason | None:
        """Called first; a reason means that the actor does not start."""

    def handle(self, message: Any) -> None:
        """Handle one message to the end; never raises."""


class _Start:
    """The first message of every actor."""


class _Inbox:
    """What pykka's references put their envelopes into."""

    def __init__(self, actor: LaneActor) -> None:
        self._actor = actor

    def put(self, envelope: Envelope[Any], /) -> None:
        self._actor.tell(envelope)

    def get(self) -> Envelope[Any]:
        raise TypeError("a lane actor's messages are handed to it, not fetched")

    def empty(self) -> bool:
        return True


class LaneActor(pykka.Actor):
    """An actor on a lane; its own address for everybody in this process.

    Args:
        make: Makes the behaviour, in the lane's thread.
        name: For log lines, errors and ``repr``.
        engine: What it belongs to.
        lane: Where it lives.
        own_lane: Whether the lane ends with it.
        on_started: Told once, in the lane's thread: ``None``, or why it does not start.
    """

    _create_future: ClassVar = pykka.ThreadingFuture

    def __init__(
        self,
        make: Callable[[Driver], Behaviour],
        *,
        name: str,
        engine: Engine,
        lane: Lane,
        own_lane: bool,
        on_started: Callable[[Reason | None], None],
    ) -> None:
        super().__init__()
        self.actor_inbox = self.actor_ref.actor_inbox = _Inbox(self)
        self.name = name
        self.behaviour: Behaviour | None = None
        self.driver = Driver(self, engine)
        self.lane = lane
        self._own_lane = own_lane
        self._make = make
        self._engine = engine
        self._on_started = on_started
        self._context = contextvars.Context()
        self._lock = threading.Lock()  # guards the two below: a watch is told of the death exactly once
        self._watchers: dict[int, LaneActor] = {}
        self._reason: Reason | None = None

    @staticmethod
    def _create_actor_inbox() -> Any:
        return None  # made in __init__, where there is an actor to hand messages to

    def _start_actor_loop(self) -> None:
        self.tell(_Start())

    def begin(self) -> None:
        """Start to handle messages."""
        self._start_actor_loop()

    @property
    def alive(self) -> bool:
        """Whether it takes part in anything any more."""
        return self._reason is None

    @property
    def reason(self) -> Reason | None:
        """Why it ended; ``None`` while it is alive."""
        return self._reason

    def tell(self, message: Any) -> None:
        """Hand over a message, from any thread."""
        self.lane.put(self, message)

    def turn(self, message: Any) -> None:
        """Handle one message to the end, in the lane's thread."""
        if type(message) is Envelope:
            message = _from_pykka(message)
        if self.alive:
            self._context.run(self._handle, message)
        if self.actor_stopped.is_set():
            self.refuse(message)  # if it is still unanswered

    def _handle(self, message: Any) -> None:
        if type(message) is _Start:
            self._begin()
        elif self.behaviour is not None:
            if type(message) is Down:
                self.driver.watched.pop(message.watch, None)
            self.behaviour.handle(message)

    def _begin(self) -> None:
        try:
            self.behaviour = self._make(self.driver)
            reason = self.behaviour.start()
        except BaseException as error:  # noqa: BLE001 - a factory is the user's code: it must not end the lane
            reason = Crash(error)
        if reason is not None:
            self.end(reason)
        self._on_started(reason)

    def end(self, reason: Reason) -> bool:
        """Be dead from now on, for everybody.

        Called in the actor's own turn when it ends, from any thread to kill it. Watchers learn the reason
        after everything the actor has sent.

        Returns:
            Whether it was alive until now.
        """
        with self._lock:
            if self._reason is not None:
                return False
            self._reason = reason
            watchers, self._watchers = self._watchers, {}
        self.actor_stopped.set()
        if isinstance(reason, Crash):
            self._log_crash(reason.exception)
        for number, peer in self.driver.forget_watches():
            peer.remove_watcher(number)
        for number, watcher in watchers.items():
            watcher.tell(Down(number, reason))
        self._engine.forget(self)
        if self._own_lane:
            self.lane.close()
        return True

    def add_watcher(self, number: int, watcher: LaneActor) -> None:
        """Tell ``watcher`` when this actor ends, or at once if it has."""
        with self._lock:
            if self._reason is None:
                self._watchers[number] = watcher
                return
        watcher.tell(Down(number, NoProc()))

    def remove_watcher(self, number: int) -> None:
        """Take a watch back."""
        with self._lock:
            self._watchers.pop(number, None)

    def refuse(self, message: Any) -> None:
        """Answer a message that nobody will handle."""
        if type(message) is Envelope:
            message = _from_pykka(message)
        reply = getattr(message, "reply", None)
        if reply is None:
            return
        if isinstance(message, _PykkaStop):
            reply.deliver(None)
        elif isinstance(message, Call) and isinstance(reply, Foreign):
            reply.deliver(pykka.ActorDeadError(f"{self} is not alive"))
        else:
            error = DeadStageError(self.name, self._reason)
            if isinstance(self._reason, Crash):
                error.__cause__ = self._reason.exception
            reply.deliver(error)

    def _log_crash(self, error: BaseException) -> None:
        mark = "in stage "
        if any(note.startswith(mark) for note in getattr(error, "__notes__", ())):
            return  # it came from another stage, which has told the log
        error.add_note(f"{mark}{self.name!r}")
        get_logger("genstage.runtime", stage=self.name).error("stage failed", exc_info=error)

    def __repr__(self) -> str:
        state = "running" if self._reason is None else f"ended: {self._reason}"
        return f"<{self.name!r} {state}>"

    __str__ = __repr__


class _PykkaStop(Stop):
    """A stop through a pykka reference, with somebody who may wait for it."""

    __slots__ = ("reply",)

    def __init__(self, reply: Foreign) -> None:
        super().__init__(Normal())
        self.reply = reply


def _from_pykka(envelope: Envelope[Any]) -> Any:
    """What an envelope means for a stage."""
    message = envelope.message
    if isinstance(message, pykka_messages._ActorStop):  # noqa: SLF001 - part of what a new actor type implements
        return _PykkaStop(Foreign(envelope.reply_to))
    if envelope.reply_to is None:
        return Message(message)
    return Call(message, Foreign(envelope.reply_to))
