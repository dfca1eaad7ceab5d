"""The simulation: stages on a network whose schedule is chosen by a seed, a text or a function."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from genstage._core.messages import Stop
from genstage._core.reasons import Crash, Killed, Shutdown
from genstage._runtime.starting import start_error
from genstage._runtime.stream import EventStream, producers_feed
from genstage._runtime.typed_refs import ref_to
from genstage.client import _check_name
from genstage.errors import CallTimeoutError, OptionError
from genstage.stage import check_factory, make_core
from genstage.testing.clock import ManualClock
from genstage.testing.network import MOST_STEPS, Network
from genstage.testing.probing import Probing
from genstage.testing.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from threading import Condition
    from types import TracebackType

    from genstage._core.options import DemandMode
    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage._runtime.launch import Behaviour, Recipe
    from genstage._runtime.refs import StageRef
    from genstage._runtime.typed_refs import ConsumerRef, ProducerConsumerRef, ProducerRef
    from genstage.stage import AnyStage, Consumer, Producer, ProducerConsumer
    from genstage.telemetry import Telemetry
    from genstage.testing.actor import SimulatedActor
    from genstage.testing.probes import Probe

__all__ = ["Simulation"]

In = TypeVar("In")
Out = TypeVar("Out")
H = TypeVar("H")

_SHOWN_STEPS = 20


class Simulation(Probing):
    """Runs stages without threads and without time, in an order that can be had again.

    Whichever message waits may be the next to be handled; only messages of one sender to one receiver keep
    their order. When an exception leaves the block, it gets a note with the schedule that led to it.

    Calls that wait in the runtime (``start``, ``subscribe``, ``call``, ``stop``) run the simulation until
    they have their answer. Timers run when :meth:`advance` moves the clock.

    Args:
        seed: Chooses the schedule.
        schedule: A schedule that a failure has shown, to see it again.
        choose: Chooses instead: given how many messages could be next, it says which, from 0 on. With
            Hypothesis: ``lambda count: data.draw(st.integers(0, count - 1))``.

    Attributes:
        clock: Where timers are set.

    Raises:
        OptionError: More than one of these is given.

    Example:
        >>> from genstage import Consumer, Finish, Producer
        >>> class Numbers(Producer[int]):
        ...     def handle_demand(self, demand): return Finish([1, 2, 3])
        >>> class Sum(Consumer[int]):
        ...     total = 0
        ...     def handle_events(self, events, origin): self.total += sum(events)
        >>> total = Sum()
        >>> with Simulation(seed=7) as simulation:
        ...     numbers = simulation.start(Numbers, name="numbers")
        ...     sink = simulation.start(lambda: total, name="sink")
        ...     subscription = sink.subscribe(numbers)
        ...     steps = simulation.run()
        >>> total.total, sink.alive
        (6, False)
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        schedule: str | None = None,
        choose: Callable[[int], int] | None = None,
    ) -> None:
        if sum(option is not None for option in (seed, schedule, choose)) > 1:
            raise OptionError(
                "schedule", schedule, "given alone: seed, schedule and choose exclude each other"
            )
        if choose is not None:
            made = Schedule(choose)
        elif schedule is not None:
            made = Schedule.parse(schedule)
        else:
            made = Schedule.seeded(seed or 0)
        self.clock = ManualClock()
        self._network = Network(made, self.clock)
        self._numbers = count(1)

    @overload
    def start(
        self, factory: Callable[[], ProducerConsumer[In, Out]], *, name: str | None = ...
    ) -> ProducerConsumerRef[In, Out]: ...
    @overload
    def start(self, factory: Callable[[], Producer[Out]], *, name: str | None = ...) -> ProducerRef[Out]: ...
    @overload
    def start(self, factory: Callable[[], Consumer[In]], *, name: str | None = ...) -> ConsumerRef[In]: ...
    def start(self, factory: Callable[[], AnyStage], *, name: str | None = None) -> StageRef:
        """Start a stage; its ``init`` runs at once.

        Args:
            factory: The stage's class, or a function that makes the stage.
            name: Its name; by default made from the class name.

        Returns:
            A reference of the stage's kind, with the verbs of the runtime's.

        Raises:
            OptionError: ``factory`` makes no stage, an option of the stage is wrong, or the name is taken.
            StartError: ``init`` raised, or refused to start; ``__cause__`` is its exception.
        """
        if name is None:
            name = f"{getattr(factory, '__name__', 'stage').strip('<>')}-{next(self._numbers)}"
        _check_name(name)
        check_factory(name, factory)
        return ref_to(self._started(make_core(factory, name), name))

    def supervise(self, recipe: Recipe[H], *, name: str | None = None) -> H:
        """Start a tree of stages, and run until all of it has started.

        Args:
            recipe: A ``Supervisor``, or another recipe.
            name: Its name; by default made from its class name.

        Returns:
            What one holds of it, with the verbs of the runtime's.

        Raises:
            OptionError: It refuses an option, or the name is taken.
            StartError: Something in it did not start; ``__cause__`` is the exception it goes back to.
            CallTimeoutError: Nothing moves any more, and it has not started; it is killed.
        """
        if name is None:
            name = f"{type(recipe).__name__}-{next(self._numbers)}"
        _check_name(name)
        launch = recipe.launch(name)
        return launch.handle(self._started(launch.make, name, control=launch.control))

    def _started(self, make: Callable[[Driver], Behaviour], name: str, *, control: bool = False) -> LaneActor:
        reasons: list[Reason | None] = []
        actor = self._network.spawn(
            make, name=name, control=control, listed=True, at_once=True, on_started=reasons.append
        )
        if not self._network.run_until(lambda: bool(reasons)):
            self._network.kill(actor, Killed())
            raise CallTimeoutError(name, inf, to="start")
        if reasons[0] is not None:
            raise start_error(name, reasons[0])
        return cast("Any", actor)  # type: ignore[no-any-return] # what the runtime's actor is to references

    def find(self, name: str) -> StageRef | None:
        """A reference to the running stage of that name; ``None`` if there is none."""
        actor = self._network.resolve(name)
        return None if actor is None else ref_to(cast("Any", actor))

    def stream(
        self,
        subscriptions: Iterable[ProducerRef[Out] | tuple[ProducerRef[Out], Mapping[str, Any]]],
        *,
        demand: DemandMode = "forward",
        producers: Iterable[ProducerRef[Any]] | None = None,
    ) -> EventStream[Out]:
        """Iterate over the events of producers, as ``Runtime.stream``; the simulation runs meanwhile.

        The iteration raises ``RuntimeError`` when nothing moves any more and no event has come.
        """
        return EventStream(producers_feed(cast("Any", self._network), subscriptions, demand, producers))

    # -- the course of things -------------------------------------------------------------------------

    def step(self, choice: int | None = None) -> bool:
        """Deliver one message.

        Args:
            choice: Which of :attr:`waiting`; by default the schedule chooses.

        Returns:
            Whether there was one.
        """
        return self._network.step(choice)

    def run(self, *, most_steps: int = MOST_STEPS) -> int:
        """Deliver messages until nothing moves.

        Args:
            most_steps: When to give up.

        Returns:
            How many messages were delivered.

        Raises:
            RuntimeError: Something still moves after ``most_steps``.
        """
        before = self._network.steps
        self._network.run_until(lambda: False, most_steps)
        return self._network.steps - before

    def advance(self, seconds: float) -> None:
        """Let time pass: whatever a timer sets off comes to rest before the next timer.

        To let time pass while messages wait, use ``clock.advance``.

        Args:
            seconds: How much time.

        Raises:
            OptionError: ``seconds`` is negative or no number.
        """
        clock = self.clock
        until_s = clock.now_s + seconds
        self.run()
        while (next_s := clock.next_s) is not None and next_s <= until_s:
            clock.advance(next_s - clock.now_s)
            self.run()
        clock.advance(max(until_s - clock.now_s, 0.0) if seconds >= 0 else seconds)

    @property
    def waiting(self) -> list[str]:
        """The messages that could be next, in order of arrival: one for each pair of sender and receiver."""
        return [str(delivery) for delivery in self._network.waiting()]

    @property
    def telemetry(self) -> Telemetry:
        """Where to attach handlers that hear what happens, as ``Runtime.telemetry``."""
        return self._network.telemetry

    # -- accidents ------------------------------------------------------------------------------------

    def kill(self, ref: StageRef) -> None:
        """Declare a stage dead: ``terminate`` does not run."""
        self._network.kill(self._actor(ref), Killed())

    def crash(self, ref: StageRef, error: Exception | None = None) -> None:
        """Let a stage end as if a callback had raised; ``terminate`` runs."""
        actor = self._actor(ref)
        self._network.turn(actor, Stop(Crash(error or RuntimeError("crash injected by the simulation"))))

    def _actor(self, ref: StageRef) -> SimulatedActor:
        return cast("SimulatedActor", self._network.resolve(ref))

    # -- probes ---------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Deliver messages until nothing moves; for probes."""
        self.run()

    def wait(self, changed: Condition, done: Callable[[], bool]) -> None:
        """Nothing: when all is at rest, there is nothing to wait for; for probes."""

    def _start(self, factory: Callable[[], Any], name: str | None) -> StageRef:
        ref: StageRef = self.start(factory, name=name)
        return ref

    def _ground(self, stage: StageRef) -> Simulation:
        self._actor(stage)
        return self

    def _spawn(self, probe: Probe, name: str) -> SimulatedActor:
        return self._network.spawn(probe.attach, name=name, at_once=True, on_started=lambda _: None)

    # -- the schedule ---------------------------------------------------------------------------------

    @property
    def schedule(self) -> str:
        """What was chosen so far: ``Simulation(schedule=...)`` goes the same way."""
        return self._network.schedule.text

    def explain(self) -> str:
        """The schedule and the last steps, as text."""
        network = self._network
        shown = list(network.delivered)[-_SHOWN_STEPS:]
        first = network.steps - len(shown) + 1
        lines = [
            f"simulation after {network.steps} steps; to go the same way:",
            f"    Simulation(schedule={self.schedule!r})",
            "last steps:",
            *(f"    {number}. {delivery}" for number, delivery in enumerate(shown, first)),
        ]
        return "\n".join(lines)

    def close(self) -> None:
        """End what still runs, the last one first; what is on its way is lost."""
        for actor in reversed(list(self._network.actors)):
            self._network.turn(actor, Stop(Shutdown()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with suppress(Exception):  # one that takes no notes, such as a frozen dataclass
                error.add_note(self.explain())
        self.close()

    def __repr__(self) -> str:
        network = self._network
        return f"<Simulation {len(network.actors)} actors {network.steps} steps>"
