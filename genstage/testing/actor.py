"""A simulated actor, its port, and how one waits for it: the runtime's, without lanes and threads."""

from __future__ import annotations

import contextvars
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NoReturn, cast

from genstage._core.messages import Down
from genstage._core.reasons import BadReturn, Crash, NoProc, Reason, one_line
from genstage._core.stage import StageCore
from genstage._runtime.calls import Answer
from genstage._runtime.driver import Driver
from genstage._runtime.launch import STARTING
from genstage._runtime.measured import emit_end, emit_start
from genstage._runtime.watch import end_links
from genstage.errors import CallTimeoutError, OptionError
from genstage.logger import get_logger, log_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._core.messages import Tag
    from genstage._runtime.calls import Request
    from genstage._runtime.launch import Behaviour, Starting
    from genstage._runtime.watch import Watcher
    from genstage.testing.network import Network

__all__ = ["SimulatedActor", "SimulatedAnswer", "SimulatedMailbox", "SimulatedPort", "Start"]


class Start:
    """The first message of an actor."""

    def __repr__(self) -> str:
        return "Start()"


class SimulatedPort(Driver):
    """The runtime's port, with the network instead of lanes."""

    def __init__(self, actor: SimulatedActor, network: Network) -> None:
        super().__init__(cast("Any", actor), cast("Any", network))
        self._network = network

    def send(self, to: Any, message: Any) -> None:
        """Deliver a message, when the schedule says so."""
        if to is not None and self._actor.alive:
            self._network.post(cast("Any", self._actor), to, message)

    def _watch(self, peer: Any, watcher: Watcher) -> int:
        number = next(self._network.numbers)
        self.watched[number] = peer
        peer.add_watcher(number, watcher)
        return number

    def new_tag(self) -> Tag:
        """A tag that no other subscription has."""
        return next(self._network.numbers)

    def report(self, event: str, **fields: Any) -> None:
        """Tell the log, and the test."""
        self._network.reports.append((self._actor.name, event, fields))
        super().report(event, **fields)


class SimulatedActor:
    """What the runtime's actor is to others, without a lane.

    Args:
        network: Where it lives.
        make: Makes its behaviour, in its first turn.
        name: Its name.
        parent: The supervisor that has started it.
        on_started: Told once: ``None``, or why it does not start.

    Attributes:
        reason: Why it ended; ``None`` while it is alive.
    """

    own_lane = False
    timed_s = sampled_s = 0.0  # a turn takes no time here

    def __init__(
        self,
        network: Network,
        make: Callable[[Any], Behaviour],
        *,
        name: str,
        parent: SimulatedActor | None = None,
        on_started: Callable[[Reason | None], None],
    ) -> None:
        self.network = self.lane = self.engine = network
        self.name = name
        self.parent = parent
        self.behaviour: Behaviour | None = None
        self.reason: Reason | None = None
        self.driver = SimulatedPort(self, network)
        self.actor_stopped = _Stopped(self)
        self._make = make
        self._on_started: Callable[[Reason | None], None] | None = on_started
        self._run = contextvars.Context().run
        self._watchers: dict[int, Watcher] = {}
        self._requests: dict[Request, None] = {}
        self.links: set[Any] = set()
        self.traps_exits = False

    @property
    def alive(self) -> bool:
        """Whether it takes part in anything any more."""
        return self.reason is None

    @property
    def state(self) -> str:
        """Whether it runs or why it ended, in one line."""
        return "running" if self.reason is None else f"ended ({one_line(self.reason)})"

    @property
    def starting(self) -> bool:
        """Whether it has not got through its start."""
        return self.reason is None and self._on_started is not None

    @property
    def actor_ref(self) -> NoReturn:
        """There is none: no pykka actor carries a simulated stage."""
        raise TypeError(f"stage {self.name!r} is simulated: it has no pykka reference")

    @property
    def in_turn(self) -> bool:
        """Whether the caller would wait for itself: simulated stages cannot wait for each other at all."""
        return self.network.current

    def wait_end(self, timeout_s: float | None) -> bool:
        """Run until it has ended or nothing moves; gives whether it has ended."""
        return self.actor_stopped.wait(timeout_s)

    # -- messages -------------------------------------------------------------------------------------

    def answer(self) -> Answer:
        """What a test waits for that asks this actor; the simulation runs meanwhile."""
        return SimulatedAnswer(self.network)

    def tell(self, message: Any) -> None:
        """Hand over a message, from whose turn it is."""
        self.network.post(self.network.speaker, self, message)

    post = tell

    def request(self, message: Any, request: Request) -> None:
        """Hand over a message that wants an answer; if the actor ends first, that is the answer."""
        if self.await_end(request):
            self.tell(message)

    def await_end(self, request: Request) -> bool:
        """Tell ``request`` when the actor ends, or at once if it has; gives whether it is alive."""
        if self.reason is None:
            self._requests[request] = None
            return True
        request.lost(self.name, self.reason)
        return False

    def forget_request(self, request: Request) -> None:
        """Nobody waits for the answer any more."""
        self._requests.pop(request, None)

    def turn(self, message: Any) -> None:
        """Handle one message to the end."""
        try:
            if isinstance(message, Start):
                self._run(self._begin)
            elif self.behaviour is not None:
                self._run(self.behaviour.handle, message)
        except BaseException as error:  # noqa: BLE001 - as in the runtime: it is this actor's end only
            self.end(Crash(error))

    def _begin(self) -> None:
        reason: Reason | Starting | None
        log_for(self.driver)
        try:
            behaviour = self.behaviour = self._make(self.driver)
            reason = behaviour.start()
        except BaseException as error:  # noqa: BLE001 - a factory is the user's code
            reason = Crash(error)
        if reason is not None and reason is not STARTING:
            self.end(reason)
        elif reason is None and self.alive:
            self.started()

    def started(self) -> None:
        """It has got through its start."""
        emit_start(cast("Any", self))
        self._tell_started(None)

    def exchange_stage(self, exchange: Callable[[Any], Any]) -> None:
        """Put something around the user's object, or take it away again; unless the actor has ended."""
        if self.alive and isinstance(self.behaviour, StageCore):
            self.behaviour.stage = exchange(self.behaviour.stage)

    # -- the end --------------------------------------------------------------------------------------

    def end(self, reason: Any, *, killed: bool = False) -> bool:
        """Be dead from now on, for everybody; gives whether it was alive until now."""
        if self.reason is not None:
            return False
        self.reason = reason = reason if isinstance(reason, Reason) else BadReturn("Stop", reason)
        if isinstance(reason, Crash) and not (
            self._on_started is not None and isinstance(reason.exception, OptionError)
        ):
            log = get_logger("genstage.runtime", **self.driver.log_fields)
            log.error("stage failed", exc_info=reason.exception)
        self.driver.close()
        watchers, self._watchers = self._watchers, {}
        with self.network.speaking(self):
            for number, watcher in watchers.items():
                watcher.notify(number, reason)
            end_links(cast("Any", self), reason)
        requests, self._requests = self._requests, {}
        for request in requests:
            request.lost(self.name, reason)
        emit_end(cast("Any", self), (self.network.turning is self) if killed else None)
        self.network.forget(self)
        if self.parent is not None:
            self.parent.driver.disown(cast("Any", self))
        self._tell_started(reason)
        return True

    def _tell_started(self, reason: Reason | None) -> None:
        on_started, self._on_started = self._on_started, None
        if on_started is not None:
            on_started(reason)

    # -- watches --------------------------------------------------------------------------------------

    def add_watcher(self, number: int, watcher: Watcher) -> None:
        """Tell ``watcher`` when this actor ends, or that it has."""
        if self.reason is None:
            self._watchers[number] = watcher
        else:
            with self.network.speaking(self):
                watcher.notify(number, NoProc())

    def remove_watcher(self, number: int) -> None:
        """Take a watch back."""
        self._watchers.pop(number, None)

    def notify(self, number: int, reason: Reason) -> None:
        """Hear of the end of an actor that this one watches."""
        self.driver.watched.pop(number, None)
        self.tell(Down(number, reason))

    def __repr__(self) -> str:
        return f"<{self.name!r} {self.state}>"


class SimulatedAnswer(Answer):
    """An answer for which the simulation runs."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network

    def __repr__(self) -> str:  # in the steps of a failure, which are the same each time
        return "<answer>"

    def get(self, name: str, timeout_s: float | None, *, to: str = "answer") -> Any:
        """Run until the answer is there.

        Raises:
            CallTimeoutError: Nothing moves any more, and there is none.
        """
        if not self._network.run_until(self._future.done):
            raise CallTimeoutError(name, float("inf") if timeout_s is None else timeout_s, to=to)
        return self._future.result(0)


class SimulatedMailbox(SimpleQueue[Any]):
    """A queue for which the simulation runs."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002, ARG002 - as in the base
        """Run until something is in it.

        Raises:
            RuntimeError: Nothing moves any more, and nothing is in it.
        """
        if not self._network.run_until(lambda: not self.empty()):
            raise RuntimeError("the simulation has come to rest, and nothing has come")
        return self.get_nowait()


class _Stopped:
    """What a reference waits for; the simulation runs meanwhile."""

    def __init__(self, actor: SimulatedActor) -> None:
        self._actor = actor

    def wait(self, timeout_s: float | None = None) -> bool:  # noqa: ARG002 - the clock stands still
        """Run until the actor has ended or nothing moves; gives whether it has ended."""
        actor = self._actor
        return actor.network.run_until(lambda: not actor.alive)

    def is_set(self) -> bool:
        """Whether the actor has ended."""
        return not self._actor.alive
