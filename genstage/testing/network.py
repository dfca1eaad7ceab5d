"""Actors without threads: messages wait until a schedule delivers them, one at a time.

Rules:

1. Each pair of sender and receiver has a queue of its own, first in, first out. Nothing else is promised
   about order; a runtime promises more, and a network less.
2. The ``Down`` of an actor comes behind everything it has sent to the watcher.
3. Nothing reaches an actor that has ended, and nothing leaves it.
"""

from __future__ import annotations

import reprlib
from collections import deque
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from genstage._core.messages import Events
from genstage._runtime.lane import Turn
from genstage._runtime.measured import measured
from genstage.errors import OptionError
from genstage.logger import get_logger
from genstage.telemetry import Telemetry
from genstage.testing.actor import SimulatedActor, SimulatedMailbox, Start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from genstage._core.reasons import Reason
    from genstage._runtime.launch import Behaviour
    from genstage.testing.clock import ManualClock
    from genstage.testing.schedule import Schedule

__all__ = ["CLOCK", "MOST_STEPS", "OUTSIDE", "Delivery", "Network"]

MOST_STEPS = 1_000_000
"""How long a simulation may go on without coming to rest."""

OUTSIDE = "outside"
"""Who sends what no actor sends: the test itself."""

CLOCK = "clock"
"""Who sends what a timer sends."""


class Delivery(NamedTuple):
    """A message on its way."""

    source: SimulatedActor | str
    target: SimulatedActor
    message: Any

    def __str__(self) -> str:
        source = self.source if isinstance(self.source, str) else self.source.name
        message = self.message
        if isinstance(message, Events):
            shown = f"Events(tag={message.tag}, {reprlib.repr(list(message.events))})"
        else:
            shown = repr(message)
        return f"{source} > {self.target.name}: {shown}"


class _Timer:
    """What the runtime's timers give, to cancel one."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function: Callable[[], None] | None = function

    def cancel(self) -> bool:
        """Let it not happen; gives whether it was still to come."""
        function, self.function = self.function, None
        return function is not None


class Network:
    """Actors and the messages between them.

    Args:
        schedule: Chooses which message is next.
        clock: Timers.

    Attributes:
        name: In telemetry and log records, as a runtime's.
        telemetry: Where to attach handlers.
        turning: Whose turn it is; ``None`` between turns.
        reports: What cores told the log: name, event, fields.
        delivered: The last messages that were handled.
        steps: How many were.
    """

    def __init__(self, schedule: Schedule, clock: ManualClock) -> None:
        self.schedule = schedule
        self.clock = clock
        self.name = "simulation"
        self.telemetry = Telemetry(self.name, self._measure)
        self.numbers = count(1)
        self.turning: SimulatedActor | None = None
        self.actors: list[SimulatedActor] = []
        self.reports: list[tuple[str, str, dict[str, Any]]] = []
        self.delivered: deque[Delivery] = deque(maxlen=30)
        self.steps = 0
        self._posted = count()
        self._queues: dict[tuple[SimulatedActor | str, SimulatedActor], deque[tuple[int, Any]]] = {}
        self._names: dict[str, SimulatedActor] = {}
        self._speaker: SimulatedActor | str | None = None

    # -- what the runtime's engine and lanes are to a port and to references ---------------------------

    @property
    def timers(self) -> Network:
        """Where timers are set."""
        return self

    def after(self, delay_s: float, function: Callable[[], None], *, owner: object = None) -> _Timer:  # noqa: ARG002 - the dead hear nothing here
        """Call a function when the clock has been moved so far."""
        timer = _Timer(function)
        self.clock.after(delay_s, lambda: self._on_time(timer))
        return timer

    def _on_time(self, timer: _Timer) -> None:
        if timer.function is not None:
            with self.speaking(CLOCK):
                timer.function()
            timer.function = None

    @contextmanager
    def speaking(self, who: SimulatedActor | str) -> Iterator[None]:
        """What is sent in this block comes from ``who``."""
        before, self._speaker = self._speaker, who
        try:
            yield
        finally:
            self._speaker = before

    @property
    def current(self) -> bool:
        """Whether the caller is an actor in its turn: it would wait for itself."""
        return self.turning is not None

    def _measure(self) -> None:
        """Somebody begins to listen to telemetry, or nobody does any more."""
        for actor in self.actors:
            actor.exchange_stage(measured(cast("Any", actor)))

    def current_actor(self) -> SimulatedActor | None:
        """The actor whose turn it is."""
        return self.turning

    def mailbox(self) -> SimulatedMailbox:
        """Where the test can wait for what actors put there."""
        return SimulatedMailbox(self)

    @property
    def speaker(self) -> SimulatedActor | str:
        """Who sends what is sent now."""
        return self._speaker or self.turning or OUTSIDE

    def spawn(
        self,
        make: Callable[[Any], Behaviour],
        *,
        name: str,
        listed: bool = False,
        at_once: bool = False,
        near: SimulatedActor | None = None,
        control: bool = False,
        parent: SimulatedActor | None = None,
        outlives: bool = False,
        on_started: Callable[[Reason | None], None],
        **_of_lanes: Any,
    ) -> SimulatedActor:
        """Start an actor: in a turn of its own, or at once.

        Raises:
            OptionError: It is to be listed, and the name is taken.
        """
        if listed and name in self._names:
            raise OptionError("name", name, "a name that no running stage has")
        actor = SimulatedActor(self, make, name=name, parent=parent, on_started=on_started)
        actor.driver.control = control
        if near is not None:
            actor.driver.run = near.driver.run
        self.actors.append(actor)
        if parent is not None and not outlives:
            parent.driver.adopt(cast("Any", actor))
        if listed:
            self._names[name] = actor
        if at_once:
            self.turn(actor, Start())
        else:
            self.post(self.speaker, actor, Start())
        return actor

    def kill(self, actor: SimulatedActor, reason: Reason) -> None:
        """Declare an actor dead: no callback of it runs any more."""
        if actor.end(reason, killed=True):
            log = get_logger("genstage.runtime", **actor.driver.log_fields)
            log.warning("stage killed", reason=str(reason))

    def forget(self, actor: SimulatedActor) -> None:
        """An actor has ended: nothing reaches it."""
        self.actors.remove(actor)
        if self._names.get(actor.name) is actor:
            del self._names[actor.name]
        for pair in [pair for pair in self._queues if pair[1] is actor]:
            del self._queues[pair]

    def resolve(self, target: Any) -> SimulatedActor | None:
        """The actor behind a name or a reference; ``None`` if no living actor is listed under the name."""
        actor = getattr(target, "_actor", target)
        if isinstance(actor, SimulatedActor) and actor.network is self:
            return actor
        if isinstance(target, str):
            return self._names.get(target)
        raise OptionError("to", target, "a reference or name of a stage of this simulation")

    @property
    def now_s(self) -> float:
        """What time it is."""
        return self.clock.now_s

    def turn_of(self, actor: SimulatedActor) -> Turn | None:
        """The turn that an actor is in."""
        return Turn(None, None) if self.turning is actor else None

    def queued(self, actor: SimulatedActor) -> int:
        """How many messages are on their way to an actor."""
        return sum(len(queue) for (_, target), queue in self._queues.items() if target is actor)

    # -- messages -------------------------------------------------------------------------------------

    def post(self, source: SimulatedActor | str, target: SimulatedActor, message: Any) -> None:
        """Put a message on its way."""
        if target.alive:
            self._queues.setdefault((source, target), deque()).append((next(self._posted), message))

    def waiting(self) -> list[Delivery]:
        """The messages that could be next, in order of arrival: one for each pair that has any."""
        return [Delivery(*pair, self._queues[pair][0][1]) for pair in self._pairs()]

    def in_flight(self) -> Iterator[Delivery]:
        """All messages on their way."""
        for pair, queue in self._queues.items():
            for _, message in queue:
                yield Delivery(*pair, message)

    def step(self, choice: int | None = None) -> bool:
        """Deliver one message; gives whether there was one.

        Args:
            choice: Which of :meth:`waiting`; by default the schedule chooses.
        """
        pairs = self._pairs()
        if not pairs:
            return False
        pair = pairs[self.schedule.choose(len(pairs), choice)]
        queue = self._queues[pair]
        _, message = queue.popleft()
        if not queue:
            del self._queues[pair]
        self._handle(Delivery(*pair, message))
        return True

    def turn(self, actor: SimulatedActor, message: Any) -> None:
        """Let an actor handle a message at once, before those on their way."""
        if actor.alive:
            self._handle(Delivery(self.speaker, actor, message))

    def run_until(self, done: Callable[[], bool], most_steps: int = MOST_STEPS) -> bool:
        """Deliver messages until something is done or nothing moves; gives whether it is done.

        Raises:
            RuntimeError: It takes more steps, or is asked for in a turn.
        """
        if self.turning is not None:
            raise RuntimeError(f"stage {self.turning.name!r} cannot wait: the simulation is in its turn")
        for _ in range(most_steps):
            if done():
                return True
            if not self.step():
                return done()
        raise RuntimeError(f"the simulation does not come to rest within {most_steps} steps")

    def _pairs(self) -> list[tuple[SimulatedActor | str, SimulatedActor]]:
        queues = self._queues
        return sorted(queues, key=lambda pair: queues[pair][0][0])

    def _handle(self, delivery: Delivery) -> None:
        self.steps += 1
        self.delivered.append(delivery)
        before, self.turning = self.turning, delivery.target
        try:
            delivery.target.turn(delivery.message)
        finally:
            self.turning = before
