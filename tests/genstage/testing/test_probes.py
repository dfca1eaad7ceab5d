"""Probes see what a stage does and say what happened instead; in the simulation and on a runtime alike."""

import re

import pytest

from genstage import (
    BroadcastDispatcher,
    Consumer,
    Finish,
    Named,
    Producer,
    ProducerConsumer,
    Runtime,
    Shutdown,
)
from genstage._core.messages import Events, Finished
from genstage.errors import OptionError
from genstage.testing import RuntimeProbes, Simulation


class Doubler(ProducerConsumer):
    def handle_events(self, events, _origin):
        return [2 * n for n in events]


class Broadcaster(Doubler):
    def init(self):
        return {"dispatcher": BroadcastDispatcher()}


class Counter(Producer):
    def __init__(self, end=10):
        self.next, self.end = 0, end

    def handle_demand(self, demand):
        first, self.next = self.next, min(self.next + demand, self.end)
        events = range(first, self.next)
        return events if self.next < self.end else Finish(events)

    def handle_info(self, message):
        return message


class Collector(Consumer):
    def __init__(self):
        self.got = []

    def handle_events(self, events, _origin):
        self.got += events


@pytest.fixture(params=["simulation", "runtime"])
def ground(request):
    if request.param == "simulation":
        with Simulation(seed=11) as simulation:
            yield simulation
    else:
        with Runtime(name="probed") as runtime:
            yield RuntimeProbes(runtime, timeout_s=20)


@pytest.fixture(params=["simulation", "runtime"])
def hasty(request):
    """For what does not come: a deadline that a test can wait for."""
    if request.param == "simulation":
        with Simulation(seed=11) as simulation:
            yield simulation
    else:
        with Runtime(name="probed") as runtime:
            yield RuntimeProbes(runtime, timeout_s=0.2)


def test_a_producer_consumer_passes_demand_on(ground):
    upstream, downstream = ground.probe(Doubler, max_demand=10, min_demand=5)
    downstream.ask(2)
    upstream.expect_demand(10)
    upstream.emit(1, 2, 3)
    downstream.expect_events(2, 4)
    downstream.expect_nothing()
    downstream.ask(1)
    downstream.expect_events(6)
    upstream.expect_nothing()
    upstream.emit(4, 5)
    downstream.ask(3)
    upstream.expect_demand(5)
    downstream.expect_events(8, 10)
    upstream.finish()
    downstream.expect_finished()
    downstream.expect_nothing()


def test_a_producer_alone(ground):
    downstream = ground.probe(lambda: Counter(5))
    downstream.expect_nothing()
    downstream.ask(2)
    downstream.expect_events(0, 1)
    downstream.ask(10)
    assert downstream.take(3) == [2, 3, 4]
    downstream.expect_finished()


def test_a_consumer_alone(ground):
    sink = Collector()
    upstream = ground.probe(lambda: sink, max_demand=4, cancel="transient")
    upstream.expect_demand(4)
    upstream.emit(1, 2, 3)
    upstream.expect_demand(3 - 1)  # two batches of two, the second not full
    assert sink.got == [1, 2, 3]
    upstream.cancel(Named("enough"))
    upstream.expect_nothing()
    assert not upstream.stage.alive


def test_cancels_are_seen_from_both_sides(ground):
    upstream, downstream = ground.probe(Doubler, cancel="temporary")
    downstream.cancel(Shutdown("bye"))
    downstream.expect_cancelled(Shutdown("bye"))
    upstream.expect_demand(1000)
    upstream.cancel()
    assert upstream.stage.alive
    again = ground.upstream_of(upstream.stage, max_demand=2, min_demand=1)
    again.expect_demand(2)
    again.expect_nothing()


def test_a_stage_that_ends_is_seen_from_both_sides(ground):
    upstream, downstream = ground.probe(Doubler)
    upstream.expect_demand(1000)
    upstream.stage.stop(Shutdown("now"))
    upstream.expect_down(Shutdown("now"))
    downstream.expect_down()


def test_a_probe_that_fails_is_seen_by_the_stage(ground):
    upstream, downstream = ground.probe(Doubler)
    upstream.fail(Named("broken"))
    downstream.expect_down(Named("broken"))


def test_a_consumer_that_cancels(ground):
    class Fickle(Collector):
        def handle_events(self, _events, origin):
            origin.cancel(Named("no more"))

    upstream = ground.probe(Fickle, max_demand=2, min_demand=0, cancel="temporary")
    upstream.expect_demand(2)
    upstream.emit("a")
    upstream.expect_cancelled(Named("no more"))
    upstream.expect_nothing()
    assert upstream.stage.alive


def test_two_consumers(ground):
    upstream, first = ground.probe(Broadcaster, max_demand=4)
    second = ground.downstream_of(first.stage)
    first.ask(2)
    first.expect_nothing()
    second.ask(1)
    upstream.emit(1)
    first.expect_events(2)
    second.expect_events(2)


# -- what is not as expected ------------------------------------------------------------------------------


def fails(text):
    return pytest.raises(AssertionError, match=re.escape(text))


def test_other_events_are_told(hasty):
    downstream = hasty.probe(lambda: Counter(3), name="counter")
    downstream.ask(2)
    with fails(
        "downstream of 'counter': expected the events [0, 2], got the events [0, 1]\nso far: asked for 2"
    ):
        downstream.expect_events(0, 2)
    with fails("expected the events [0, 1, 2], got the events [0, 1]\n"):
        downstream.expect_events(0, 1, 2)
    with fails("expected nothing, got the events [0, 1]\n"):
        downstream.expect_nothing()
    with fails("expected the end of the data, got the events [0, 1]\n"):
        downstream.expect_finished()
    downstream.expect_events(0, 1)
    with fails("expected 1 events, got nothing\n"):
        downstream.take(1)
    downstream.ask(5)
    with fails("expected a cancel (any reason), got the events [2], then the end of the data\n"):
        downstream.expect_cancelled()


def test_other_demand_is_told(hasty):
    upstream, _ = hasty.probe(Doubler, name="doubler", max_demand=10, min_demand=5)
    with fails("upstream of 'doubler': expected a demand of 9, got a demand of 10\n"):
        upstream.expect_demand(9)
    with fails("expected a demand of 11, got a demand of 10\n"):
        upstream.expect_demand(11)
    upstream.expect_demand(10)
    with fails("expected a demand of 11 or more (10 is open), got nothing\nso far: got a subscription;"):
        upstream.emit(*range(11))
    upstream.stage.stop()
    with fails("expected the end of the stage (shutdown), got the end of the stage (normal)\n"):
        upstream.expect_down(Shutdown())
    with fails("the stage is not alive"):
        upstream.emit(1)


def test_a_finished_subscription_is_over(hasty):
    upstream, _ = hasty.probe(Doubler)
    upstream.finish()
    with fails("expected a subscription, got a demand of 1000\n"):
        upstream.finish()


class Rogue:
    """A behaviour that keeps to no protocol."""

    def __init__(self, port):
        self.port = port

    def start(self):
        return None

    def handle(self, message):
        if hasattr(message, "consumer"):
            for extra in (
                Events(self.port.me, message.tag, [1, 2]),
                Finished(self.port.me, message.tag),
                Finished(self.port.me, message.tag),
                Events(self.port.me, message.tag, [3]),
            ):
                self.port.send(message.consumer, extra)


def test_a_stage_that_breaks_the_protocol_is_told():
    with Simulation() as simulation:
        downstream = simulation.probe(Counter)
        rogue = simulation._network.spawn(Rogue, name="rogue", at_once=True, on_started=lambda _: None)
        downstream.stage._actor = rogue
        downstream = simulation.downstream_of(downstream.stage)
        downstream.expect_events(1, 2)
        with fails("got 2 events more than it asked for, then the end of the data, then Finished("):
            downstream.expect_finished()
        with fails("after the end, then the events [3], then events after the end\n"):
            downstream.expect_nothing()


def test_wrong_arguments_are_refused(expected_errors):
    with Simulation() as simulation:
        producer, consumer = simulation.start(Counter), simulation.start(Collector)
        with pytest.raises(OptionError, match="stage"):
            simulation.upstream_of(producer)
        with pytest.raises(OptionError, match="stage"):
            simulation.downstream_of(consumer)
        with pytest.raises(OptionError, match="min_demand"):
            simulation.probe(Collector, max_demand=2, min_demand=2)
        assert [record.event for record in expected_errors] == ["invalid subscription option"]
        downstream = simulation.downstream_of(producer)
        with pytest.raises(OptionError, match="count"):
            downstream.ask(0)


def test_a_busy_stage_is_told(gate):
    class Busy(Counter):
        def handle_demand(self, _demand):
            gate.wait(20)
            return []

    with Runtime(name="busy") as runtime:
        downstream = RuntimeProbes(runtime, timeout_s=0.2).probe(Busy, name="busy")
        downstream.ask(1)
        with fails("stage 'busy' has been busy for 0.2 s"):
            downstream.expect_nothing()
        gate.set()


class Late(Producer):
    def handle_demand(self, _demand):
        self.stage.send_after(0.05, "late")
        return []

    def handle_info(self, message):
        return [message]


def test_what_comes_later_is_waited_for():
    with Runtime(name="late") as runtime:
        downstream = RuntimeProbes(runtime, timeout_s=20).probe(Late)
        downstream.ask(1)
        downstream.expect_events("late")
    with Simulation() as simulation:
        downstream = simulation.probe(Late)
        downstream.ask(1)
        downstream.expect_nothing()
        simulation.advance(0.05)
        downstream.expect_events("late")
