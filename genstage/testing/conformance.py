"""Conformance checks for stages of one's own.

They run the stage in a simulation, between probes. A failure names the rule that is broken. What the protocol
itself sees to (nothing is sent that was not asked for, the end is told once) needs no check here; these are
the rules that a stage can break. In brackets the rule of Reactive Streams 1.0.4 that is closest.

Of what emits events:

P1. Demand for n is answered by n events at most, in all. *Intent: what is made beyond it has to be buffered,
    and a buffer overflows.* [1.1]
P2. What is asked for comes, or the end does. *Intent: somebody waits.* [1.2, 1.5]
P3. After ``Finish`` no callback returns events, and the stage ends normally. *Intent: the end is the end.*
    [1.7]
P4. It goes on when a consumer cancels, and serves the next one. *Intent: one consumer is not all.* [1.8]
P5. What it has emitted it does not change any more. *Intent: several consumers may hold the same object.*
P6. The events do not depend on how they are asked for. *Intent: a restart makes the same events again.*

Of what takes events:

C1. It asks, and asks again as it takes events. *Intent: else the producer waits for ever.* [2.1]
C2. It does not change events that it is given. *Intent: others may hold the same object.*
C3. The end of the data ends it, normally. *Intent: a pipeline comes to its end.* [2.10]
C4. The cancel of a *temporary* subscription does not end it. *Intent: that is what the option promises.*
C5. A consumer returns no events. *Intent: nobody would get them.*

Of all stages:

S1. Each is a new object. *Intent: a restarted stage must not remember.*
S2. Told to stop, it stops with the reason it was told; ``terminate`` does not raise.
S3. No callback raises. *Intent: that is a crash.* [2.13]
S4. No callback holds its thread for longer than ``patience_s``. *Intent: others share it.* [2.2, 3.4]

A ``required`` check shows what every stage has to do. A ``stochastic`` one depends on schedules or on time:
it can miss a mistake.

Source:
    The two words are those of the technology compatibility kit of Reactive Streams.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from genstage._core.reasons import Normal, Shutdown
from genstage._runtime.typed_refs import ConsumerRef, ProducerRef
from genstage.client import Runtime
from genstage.testing.bench import WINDOW, Bench
from genstage.testing.probing import RuntimeProbes
from genstage.testing.simulation import Simulation
from genstage.testing.trial import broken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from genstage.stage import Consumer, Producer, ProducerConsumer

__all__ = ["ConsumerConformance", "ProducerConformance", "ProducerConsumerConformance"]

In = TypeVar("In")
Out = TypeVar("Out")


class _StageConformance(ABC):
    """What holds of all stages.

    Attributes:
        seeds: The schedules of the stochastic checks.
        patience_s: Seconds that a callback may hold its thread, and simulated seconds to wait for events.
    """

    seeds: ClassVar[Sequence[int]] = range(10)
    patience_s: ClassVar[float] = 2.0

    @abstractmethod
    def make_stage(self) -> Any:
        """A new stage."""

    def _events(self, count: int) -> Sequence[Any]:  # noqa: ARG002 - a producer needs none
        return ()

    def _bench(self, simulation: Simulation, events: Sequence[Any] | None = None, **options: Any) -> Bench:
        given = self._events(20) if events is None else events
        return Bench(simulation, self.make_stage(), given, **options)

    def _work(self, bench: Bench) -> None:
        """Let the stage do some of its work."""
        for count in (1, 3, 8) if bench.emits else ():
            bench.get(count, self.patience_s)
        bench.feed_all()

    def test_required_s1_each_stage_is_a_new_object(self) -> None:
        """``make_stage`` makes one, whenever it is called."""
        if self.make_stage() is self.make_stage():
            raise broken("S1", "make_stage gave the same object twice")

    def test_required_s2_it_stops_when_it_is_told(self) -> None:
        """With the reason that it was told, in the midst of its work."""
        with Simulation() as simulation:
            bench = self._bench(simulation)
            if bench.downstream is not None:
                bench.downstream.ask(1)
            bench.feed()
            if not bench.ref.alive:
                return  # its data has ended before
            reason = Shutdown("told to stop")
            bench.ref.stop(reason)
            if bench.ref.reason != reason:
                raise broken("S2", f"told to stop, it ended with {bench.ref.reason!r}")

    def test_stochastic_s3_no_callback_raises(self) -> None:
        """From the first event to the end of the data, under several schedules."""
        for seed in self.seeds:
            with Simulation(seed=seed) as simulation:
                bench = self._bench(simulation)
                self._work(bench)
                bench.check_callbacks()

    def test_stochastic_s4_no_callback_holds_its_thread(self) -> None:
        """On a real runtime, for as long as the first events take."""
        with Runtime(name="conformance", shutdown_s=self.patience_s) as runtime:
            probes = RuntimeProbes(runtime, timeout_s=self.patience_s)
            ref: Any = runtime.start(self.make_stage, blocking=True)
            upstream = probes.upstream_of(ref, **WINDOW) if isinstance(ref, ConsumerRef) else None
            downstream = probes.downstream_of(ref) if isinstance(ref, ProducerRef) else None
            try:
                if downstream is not None:
                    downstream.ask(2)
                if upstream is not None:
                    probes.rest()
                    upstream.emit(*self._events(min(upstream.demand, 2)))
                probes.rest()
            except AssertionError as error:
                raise broken("S4", str(error)) from error


class _Emits(_StageConformance):
    """What holds of stages that emit events.

    Attributes:
        outlives_consumers: Whether it goes on when its only consumer cancels (rule P4).
        repeatable: Whether two of them make the same events (rule P6).
    """

    outlives_consumers: ClassVar[bool] = True
    repeatable: ClassVar[bool] = True

    def test_stochastic_p2_what_is_asked_for_comes(self) -> None:
        """Little by little, until the end or 30 events."""
        for seed in self.seeds:
            with Simulation(seed=seed) as simulation:
                bench = self._bench(simulation)
                for count in (1, 2, 9, 18):
                    got = bench.get(count, self.patience_s)
                    bench.check_callbacks()
                    assert bench.downstream is not None  # noqa: S101 - it emits
                    if bench.downstream.ended:
                        break
                    if len(got) < count:
                        raise broken("P2", f"{count} events were asked for, {len(got)} came, and no end")

    def test_required_p3_nothing_follows_the_end(self) -> None:
        """Neither events, nor anything but a normal end. A stage without end passes."""
        with Simulation() as simulation:
            bench = self._bench(simulation)
            for _ in range(10):
                bench.get(10, self.patience_s)
            at = bench.observed.finished_at
            for given in () if at is None else bench.observed.returns[at + 1 :]:
                if given.events:
                    raise broken("P3", f"{given.callback} returned {given.events!r} after the end")
            if at is not None and bench.ref.reason != Normal():
                raise broken("P3", f"at the end of its data it is {bench.ref.reason or 'alive'}")

    def test_required_p4_it_serves_the_next_consumer(self) -> None:
        """One asks and cancels, another one comes."""
        if not self.outlives_consumers:
            return
        with Simulation() as simulation:
            bench = self._bench(simulation)
            assert bench.downstream is not None  # noqa: S101 - it emits
            bench.get(1, self.patience_s)
            if not bench.ref.alive or bench.downstream.ended:
                return
            bench.downstream.cancel()
            simulation.run()
            if not bench.ref.alive:
                raise broken("P4", f"it ended with its consumer: {bench.ref.reason}")
            bench.downstream = simulation.downstream_of(bench.ref)
            if not bench.get(1, self.patience_s) and not bench.downstream.ended:
                raise broken("P4", "the consumer after it gets nothing")

    def test_required_p5_emitted_events_are_not_changed(self) -> None:
        """Looked at again after more of them have been made."""
        with Simulation() as simulation:
            bench = self._bench(simulation)
            self._work(bench)
            for change in bench.observed.changed_later():
                raise broken("P5", change)

    def test_stochastic_p6_events_do_not_depend_on_how_they_are_asked_for(self) -> None:
        """All at once, one by one, and in odd pieces."""
        if not self.repeatable:
            return
        series = [list(self._series(pieces)) for pieces in ((12,), (1,) * 12, (5, 2, 5))]
        for other in series[1:]:
            shorter = min(len(series[0]), len(other))
            if series[0][:shorter] != other[:shorter]:
                raise broken("P6", f"asked for in another way, {series[0]!r} became {other!r}")

    def _series(self, pieces: Sequence[int]) -> Iterator[Any]:
        with Simulation() as simulation:
            bench = self._bench(simulation, max_demand=max(pieces), min_demand=0)
            for count in pieces:
                yield from bench.get(count, self.patience_s)


class _Takes(_StageConformance):
    """What holds of stages that take events."""

    @abstractmethod
    def make_events(self, count: int) -> Sequence[Any]:
        """Events that the stage can take.

        Args:
            count: How many.
        """

    def _events(self, count: int) -> Sequence[Any]:
        return self.make_events(count)

    def _demand(self, bench: Bench) -> None:
        """Let the consumers of the stage ask for plenty."""
        if bench.downstream is not None:
            bench.downstream.ask(10_000)

    def test_required_c1_it_asks_and_asks_again(self) -> None:
        """Until it has been given everything."""
        with Simulation() as simulation:
            bench = self._bench(simulation)
            self._demand(bench)
            bench.feed_all()
            if bench.unsent and bench.ref.alive:
                simulation.advance(self.patience_s)
                bench.feed_all()
            bench.check_callbacks()
            if bench.unsent and bench.ref.alive:
                raise broken("C1", f"it does not ask any more, and {bench.unsent} events wait for it")

    def test_required_c2_events_are_not_changed(self) -> None:
        """Each is compared with what it was before the callback."""
        with Simulation() as simulation:
            bench = self._bench(simulation)
            self._demand(bench)
            bench.feed_all()
            if bench.observed.changed:
                raise broken("C2", bench.observed.changed[0])

    def test_required_c3_the_end_of_the_data_ends_it(self) -> None:
        """After some events, and without any."""
        for count in (5, 0):
            with Simulation() as simulation:
                bench = self._bench(simulation, self.make_events(count) if count else ())
                self._demand(bench)
                bench.feed_all()
                bench.check_callbacks()
                if bench.ref.reason != Normal():
                    raise broken("C3", f"after the end of the data it is {bench.ref.reason or 'alive'}")

    def test_required_c4_it_outlives_a_temporary_subscription(self) -> None:
        """Its producer cancels, and another one comes."""
        with Simulation() as simulation:
            bench = self._bench(simulation, cancel="temporary")
            assert bench.upstream is not None  # noqa: S101 - it takes events
            self._demand(bench)
            bench.feed()
            if not bench.ref.alive:
                return
            bench.upstream.cancel()
            simulation.run()
            bench.check_callbacks()
            if not bench.ref.alive:
                raise broken("C4", f"it ended with a temporary subscription: {bench.ref.reason}")
            again = simulation.upstream_of(bench.ref, **WINDOW)
            simulation.run()
            if not again.demand:
                raise broken("C4", "it asks nothing of the producer after it")


class ProducerConformance(_Emits, Generic[Out]):
    """Checks of a producer; a test class inherits them.

    Attributes:
        bounded: Whether it makes no more events than it is asked for (rule P1).

    Example:
        ::

            class TestCounter(ProducerConformance[int]):
                def make_stage(self):
                    return Counter(end=20)
    """

    bounded: ClassVar[bool] = True

    @abstractmethod
    def make_stage(self) -> Producer[Out]:
        """A new producer."""

    def test_required_p1_no_more_events_than_were_asked_for(self) -> None:
        """Asked for little, it keeps nothing in the buffer."""
        if not self.bounded:
            return
        with Simulation() as simulation:
            bench = self._bench(simulation)
            asked = 0
            for count in (1, 3, 10):
                asked += count
                bench.get(count, self.patience_s)
                made = sum(len(given.events) for given in bench.observed.returns)
                if made > asked:
                    raise broken("P1", f"{asked} events were asked for, and {made} were made")


class ConsumerConformance(_Takes, Generic[In]):
    """Checks of a consumer; a test class inherits them."""

    @abstractmethod
    def make_stage(self) -> Consumer[In]:
        """A new consumer."""

    @abstractmethod
    def make_events(self, count: int) -> Sequence[In]:
        """Events that it can take.

        Args:
            count: How many.
        """

    def test_required_c5_it_returns_no_events(self) -> None:
        """Whatever it is given."""
        with Simulation() as simulation:
            bench = self._bench(simulation)
            bench.feed_all()
            for given in bench.observed.returns:
                if given.events and given.callback != "handle_subscribe":
                    raise broken("C5", f"{given.callback} returned {given.events!r}")


class ProducerConsumerConformance(_Takes, _Emits, Generic[In, Out]):
    """Checks of a producer-consumer; a test class inherits them.

    Example:
        ::

            class TestDoubler(ProducerConsumerConformance[int, int]):
                def make_stage(self):
                    return Doubler()

                def make_events(self, count):
                    return range(count)
    """

    @abstractmethod
    def make_stage(self) -> ProducerConsumer[In, Out]:
        """A new producer-consumer."""

    @abstractmethod
    def make_events(self, count: int) -> Sequence[In]:
        """Events that it can take.

        Args:
            count: How many.
        """
