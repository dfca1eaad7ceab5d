import copy
import gc
import pickle
import threading
import weakref
from itertools import islice

import pytest

from genstage import (
    BroadcastDispatcher,
    Consumer,
    Crash,
    DemandDispatcher,
    Edge,
    Finish,
    Flow,
    Graph,
    Killed,
    LastError,
    Node,
    Pipeline,
    PipelineError,
    PipelineStatistics,
    Producer,
    ProducerConsumer,
    StageStatistics,
)
from genstage.testing import Simulation

DEADLINE_S = 20.0


def until(true):
    """Wait for something that nobody can be asked to tell."""
    pause = threading.Event()
    for _ in range(int(DEADLINE_S / 0.001)):
        if true():
            return
        pause.wait(0.001)
    pytest.fail("it did not come true")


class Numbers(Producer):
    """Emits as many as it is asked for, up to ``end``; then it owes them, or finishes."""

    def __init__(self, end, *, finishes=True, options=None):
        self.next, self.end, self.finishes, self.options = 0, end, finishes, options

    def init(self):
        return self.options

    def handle_demand(self, demand):
        first, self.next = self.next, min(self.next + demand, self.end)
        events = range(first, self.next)
        return Finish(events) if self.finishes and self.next == self.end else events


class Through(ProducerConsumer):
    def handle_events(self, events, _):
        return events


class Sink(Consumer):
    def handle_events(self, events, _):
        pass


class ByHand(Consumer):
    """Asks for nothing by itself; ``cast`` a number to let it ask."""

    def handle_subscribe(self, _role, _options, subscription):
        self.subscription = subscription
        return "manual"

    def handle_cast(self, count):
        self.subscription.ask(count)

    def handle_events(self, events, _):
        pass


class Waits(Consumer):
    """Blocks in ``handle_events`` until the gate opens."""

    def __init__(self, gate):
        self.gate = gate

    def handle_events(self, *_):
        self.gate.wait(DEADLINE_S)


def line(*factories, options=None, blocking=()):
    """Stages one after the other, named a, b, c …"""
    names = [chr(ord("a") + number) for number in range(len(factories))]
    nodes = [
        Node(name, factory, blocking=name in blocking) for name, factory in zip(names, factories, strict=True)
    ]
    pairs = zip(names[1:], names, strict=False)
    return Graph(tuple(nodes), tuple(Edge(consumer, producer, options or {}) for consumer, producer in pairs))


# -- exact figures ------------------------------------------------------------------------------------


def test_the_figures_of_a_run_that_has_ended_are_exact():
    graph = Graph(
        (
            Node("numbers", lambda: Numbers(100, options={"dispatcher": BroadcastDispatcher()})),
            Node("left", Sink, blocking=True),
            Node("right", Through),
            Node("end", Sink),
        ),
        (Edge("left", "numbers"), Edge("right", "numbers"), Edge("end", "right")),
    )
    with Pipeline.of("exact", graph).run() as run:
        run.wait(DEADLINE_S)
    statistics = run.statistics()

    figures = {
        name: (stage.state, stage.events_in, stage.events_out, stage.queue, stage.demand, stage.buffered)
        for name, stage in statistics.stages.items()
    }
    assert figures == {
        "numbers": ("ended", 0, 200, 0, 0, 0),
        "left": ("ended", 100, 0, 0, 0, 0),
        "right": ("ended", 100, 100, 0, 0, 0),
        "end": ("ended", 100, 0, 0, 0, 0),
    }
    assert statistics.state == "completed"
    assert statistics.oldest_in_flight_s is None
    assert statistics.throughput == pytest.approx(200 / statistics.elapsed_s)


def test_demand_is_what_was_asked_for_and_has_not_come(simulated):
    run = simulated(line(lambda: Numbers(13, finishes=False), Through, Sink, options={"max_demand": 10}))

    stages = run.figures.stages
    assert {name: stage.demand for name, stage in stages.items()} == {"a": 7, "b": 7, "c": 7}
    assert {name: stage.events_out for name, stage in stages.items()} == {"a": 13, "b": 13, "c": 0}
    assert {name: stage.state for name, stage in stages.items()} == dict.fromkeys("abc", "running")


def test_what_waits_in_a_stage_for_demand_is_queued_and_buffered(simulated):
    run = simulated(line(lambda: Numbers(100, finishes=False), Through, ByHand, options={"max_demand": 10}))
    run.stage("c").cast(3)
    run.simulation.run()

    middle = run.figures.stages["b"]
    assert (middle.events_in, middle.events_out, middle.buffered) == (10, 3, 7)  # a message is handled whole
    assert (middle.queue, middle.demand) == (2, 0)  # the two of five that it has asked for meanwhile
    assert run.figures.stages["a"].events_out == 20
    assert run.figures.stages["a"].demand == 0


class Bursts(Producer):
    """Emits events that nobody has asked for."""

    def init(self):
        return {"buffer_size": 10}

    def handle_demand(self, demand):
        pass

    def handle_cast(self, events):
        return range(events)


def test_events_for_which_there_is_no_place_are_counted(simulated):
    run = simulated(line(Bursts, ByHand))
    run.stage("a").cast(25)
    run.stage("a").cast(1)
    run.simulation.run()

    stage = run.figures.stages["a"]
    assert (stage.buffered, stage.discarded, stage.events_out) == (10, 16, 0)


class Careless(DemandDispatcher):
    """Sends to a consumer that has gone."""

    def subscribe(self, tag, peer, options):
        self.first = getattr(self, "first", (peer, tag))
        return super().subscribe(tag, peer, options)

    def dispatch(self, events):
        self._link.deliver(*self.first, events)
        return ()


def test_a_dispatcher_that_sends_to_who_has_gone_ends_nobody():
    class Emits(Bursts):
        def init(self):
            return {"dispatcher": Careless()}

    with Simulation(seed=1) as simulation:
        source = simulation.start(Emits, name="a")
        gone = simulation.start(Sink, name="gone")
        gone.subscribe(source, cancel="temporary").cancel()
        simulation.run()
        source.cast(7)
        simulation.run()

        assert source.alive
        assert source._actor.behaviour.producing.events_out == 7


def test_a_source_whose_demand_accumulates_is_paused(simulated):
    run = simulated(line(lambda: Numbers(100, finishes=False), ByHand))
    run.stage("a").set_demand("accumulate")
    run.simulation.run()

    assert run.figures.stages["a"].state == "paused"
    run.stage("a").set_demand("forward")
    run.simulation.run()
    assert run.figures.stages["a"].state == "running"


def test_a_source_whose_data_has_ended_but_not_left_is_finishing(simulated):
    class Burst(Producer):
        def handle_demand(self, demand):
            return Finish(range(demand + 5))

    run = simulated(line(Burst, ByHand))
    run.stage("b").cast(3)
    run.simulation.run()

    assert run.figures.stages["a"].state == "finishing"
    run.stage("b").cast(5)
    run.simulation.run()
    assert run.state == "completed"


def test_what_was_sent_to_consumers_that_have_gone_counts_too(simulated):
    run = simulated(line(lambda: Numbers(100, finishes=False), ByHand))
    producing = run.stage("a")._actor.behaviour.producing
    run.stage("b").cast(3)
    run.simulation.run()
    late = run.simulation.start(Sink, name="late")
    subscription = late.subscribe(run.stage("a"), max_demand=4, cancel="temporary")
    run.simulation.run()
    assert run.figures.stages["a"].events_out == 100
    subscription.cancel()
    run.simulation.run()

    assert len(producing.consumers) == 1
    assert run.figures.stages["a"].events_out == 100
    assert run.figures.stages["a"].demand == 0  # the other's is none of this run's


# -- ages, rates and shares ---------------------------------------------------------------------------


def test_the_age_of_the_oldest_event_on_its_way_grows_with_the_clock(simulated):
    run = simulated(line(lambda: Numbers(100, finishes=False), Through, ByHand, options={"max_demand": 10}))
    assert run.figures.oldest_in_flight_s == 0.0
    ages_s = []
    for _ in range(4):
        run.simulation.advance(2.5)
        ages_s.append(run.figures.oldest_in_flight_s)

    assert ages_s == [1.5, 4.0, 6.5, 9.0]  # the first look that has seen it was at 1.0
    run.stage("c").cast(1_000)
    run.simulation.run()
    assert run.figures.oldest_in_flight_s is None  # all hundred have come; what is owed is not on its way


def test_events_in_a_buffer_are_on_their_way_too(simulated):
    run = simulated(line(Bursts, ByHand))
    run.stage("a").cast(4)
    run.simulation.advance(5.0)

    assert run.figures.oldest_in_flight_s == 4.0
    run.stage("b").cast(4)
    run.simulation.run()
    assert run.figures.oldest_in_flight_s is None


def test_events_of_a_source_that_has_finished_are_on_their_way_until_they_are_handled(simulated):
    run = simulated(line(lambda: Numbers(8), Through, ByHand))
    run.simulation.advance(5.0)

    assert run.figures.stages["a"].state == "ended"
    assert run.figures.oldest_in_flight_s == 4.0


class Ticks(Producer):
    """Emits ten events a second."""

    def init(self):
        self.stage.send_after(0.5, "tick")

    def handle_demand(self, demand):
        pass

    def handle_info(self, _):
        self.stage.send_after(1.0, "tick")
        return range(10)


def test_throughput_is_what_the_sinks_have_taken_over_the_last_seconds(simulated):
    run = simulated(line(Ticks, Sink))
    run.simulation.advance(30.0)

    assert run.figures.progress == 300
    assert run.figures.throughput == pytest.approx(10.0)


def test_throughput_and_age_are_told_while_the_run_goes_on(gate):
    with Pipeline.of("stuck", line(lambda: Numbers(20), lambda: Waits(gate))).run() as run:
        until(lambda: run.statistics().throughput > 0)
        statistics = run.statistics()
        gate.set()
    assert statistics.oldest_in_flight_s >= 0


def test_nobody_looks_any_more_when_the_stages_have_ended(simulated):
    run = simulated(line(lambda: Numbers(8), Sink))

    assert run.state == "completed"
    run.simulation.advance(1.0)  # the last look that was due
    assert run.simulation.clock.next_s is None


def test_nobody_looks_while_the_run_does_its_own_work_at_the_end(simulated):
    run = simulated(line(lambda: Numbers(8, finishes=False), Sink))
    run.supervisor._observer.stages_ended()
    run.simulation.advance(1.0)
    assert run.simulation.clock.next_s is None


class Halves(Producer):
    """Emits what it is asked for in two messages."""

    def handle_demand(self, demand):
        self.stage.send(demand - demand // 2)
        return range(demand // 2)

    def handle_info(self, count):
        return range(count)


def busy_share(run, name):
    stage = run.statistics().stages.get(name)
    return 0.0 if stage is None else stage.busy


@pytest.mark.parametrize("blocking", [(), ("b",)], ids=["shared lane", "own lane"])
def test_a_stage_that_blocks_is_busy_and_its_queue_is_seen(gate, blocking):
    graph = line(Halves, lambda: Waits(gate), options={"max_demand": 10}, blocking=blocking)
    with Pipeline.of("stuck", graph).run() as run:
        until(lambda: busy_share(run, "b") > 0.8 and run.statistics().elapsed_s > 0.3)
        stages = run.statistics().stages
        gate.set()
        run.stop()

    assert stages["a"].busy < 0.2
    assert stages["b"].events_in == 5
    assert (stages["b"].queue, stages["b"].demand) == (1, 10)  # five in hand, five behind them
    assert run.statistics().stages["b"].busy > 0.5  # over its life


def test_stages_that_work_in_turns_on_a_shared_lane_are_sampled():
    """Both spin: one for about sixteen times as long as the other."""

    def spin(times):
        def work(number):
            for _ in range(times):
                number += 1
            return number

        return work

    flow = (
        Flow.from_iterable(iter(int, 1), name="zeros")
        .map(spin(8_000), name="long", max_demand=10)
        .map(spin(500), name="short", max_demand=10)
        .for_each(lambda _: None, name="sink", max_demand=10)
    )
    with flow.run() as run:
        until(lambda: run.statistics().elapsed_s > 1.5)
        busy = {name: stage.busy for name, stage in run.statistics().stages.items()}
        run.stop()

    assert busy["long"] > 3 * busy["short"]
    assert busy["long"] > 0.3
    assert busy["sink"] < busy["long"] / 3


# -- errors -------------------------------------------------------------------------------------------


class Fails(Consumer):
    def __init__(self, errors):
        self.errors = errors

    def handle_events(self, events, _):
        chunk = list(events)  # a local variable that must not be kept
        for error in islice(self.errors, 1):
            raise error
        del chunk


def test_what_a_stage_has_failed_with_is_kept_also_when_it_has_begun_anew(expected_errors):
    errors = iter([ValueError("once")])
    graph = line(lambda: Numbers(20), lambda: Fails(errors))
    with Pipeline.of("fails", graph, max_restarts=1).run() as run:
        run.wait(DEADLINE_S)

    stage = run.statistics().stages["b"]
    assert (stage.restarts, stage.state, stage.events_in) == (1, "ended", 20)
    assert (stage.last_error.kind, stage.last_error.message) == ("ValueError", "once")
    assert "in handle_events" in stage.last_error.text
    assert stage.last_error.text.splitlines()[-1].startswith(("ValueError: once", "in stage"))
    assert run.statistics().stages["a"].last_error is None
    assert expected_errors


def test_an_error_that_is_kept_keeps_nothing_alive():
    class Chunk:
        pass

    def fail():
        chunk = Chunk()
        gone.append(weakref.ref(chunk))
        raise LookupError(chunk)

    gone = []
    try:
        fail()
    except LookupError as error:
        kept = LastError.of(Crash(error))
    gc.collect()

    assert gone[0]() is None
    assert kept.kind == "LookupError"
    assert "raise LookupError(chunk)" in kept.text


class HostileError(Exception):
    def __str__(self):
        raise RuntimeError("not even that")

    __repr__ = __str__


def test_an_error_that_cannot_be_shown_is_told_all_the_same():
    kept = LastError.of(Crash(HostileError()))

    assert kept.kind == "HostileError"
    assert kept.message == "<HostileError that cannot be shown>"
    assert repr(kept) == "<LastError HostileError: <HostileError that cannot be shown>>"
    assert LastError.of(Killed()) == LastError("Killed", "killed")


# -- the objects --------------------------------------------------------------------------------------


def test_statistics_are_frozen_and_can_be_pickled_and_copied(line_run):
    statistics = line_run.statistics()
    pickled = pickle.loads(pickle.dumps(statistics))  # noqa: S301 - our own

    for twin in (statistics, pickled, copy.deepcopy(statistics)):
        assert twin == statistics
        with pytest.raises(TypeError):
            twin.stages["a"] = None
    with pytest.raises(AttributeError):
        statistics.records = 3
    with pytest.raises(AttributeError):
        statistics.stages["a"].queue = 3


@pytest.fixture
def line_run():
    with Pipeline.of("line", line(lambda: Numbers(20), Sink)).run() as run:
        run.wait(DEADLINE_S)
        yield run


def test_statistics_show_themselves_in_one_line():
    error = LastError("ValueError", "two\nlines", "Traceback ...")
    stage = StageStatistics("running", events_in=3, queue=2, busy=0.512, restarts=1, last_error=error)
    whole = PipelineStatistics(
        "running", 3, 9, 1.0, 1, {"a": stage}, throughput=12.34, oldest_in_flight_s=3.21
    )

    assert repr(stage) == (
        "<StageStatistics running in=3 out=0 queue=2 demand=0 buffered=0 discarded=0 busy=0.51 restarts=1 "
        "last_error=<LastError ValueError: two lines>>"
    )
    assert repr(whole) == (
        "<PipelineStatistics running records=3/9 elapsed_s=1.0 restarts=1 throughput=12.3 "
        "oldest_in_flight_s=3.2 stages=1>"
    )


def test_statistics_can_be_read_at_any_time_from_many_threads(expected_errors):
    """While stages come, crash and go: it never raises, and no figure is out of range."""
    over, problems = threading.Event(), []
    errors = iter([ValueError("first"), LookupError("second")])
    graph = line(lambda: Numbers(200_000), Through, lambda: Fails(errors), options={"max_demand": 20})

    def look(run):
        while not over.is_set():
            try:
                statistics = run.statistics()
                repr(run)
                run.explain()
                for stage in statistics.stages.values():
                    assert 0.0 <= stage.busy <= 1.0
                    assert min(stage.events_in, stage.events_out, stage.queue, stage.demand) >= 0
            except BaseException as error:  # noqa: BLE001 - told by the test
                problems.append(error)
                return

    with Pipeline.of("many", graph, max_restarts=2).run() as run:
        threads = [threading.Thread(target=look, args=(run,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            run.wait(60)
        except PipelineError as error:
            problems.append(error)
        over.set()
        for thread in threads:
            thread.join(DEADLINE_S)

    assert problems == []
    assert run.statistics().restarts == 2
    assert expected_errors
