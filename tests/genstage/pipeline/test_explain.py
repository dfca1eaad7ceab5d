import asyncio
import inspect
import re
import threading
from types import SimpleNamespace

import pytest

from genstage import (
    BroadcastDispatcher,
    CallTimeoutError,
    Consumer,
    Edge,
    Finish,
    Graph,
    Node,
    PartitionDispatcher,
    Pipeline,
    Producer,
    ProducerConsumer,
    Shutdown,
    Stop,
)
from genstage._core import messages
from genstage._core.dispatchers.base import Kept
from genstage._runtime.frames import Place
from genstage._runtime.lane import Turn
from genstage.pipeline.explain import explain
from genstage.pipeline.health import Health
from genstage.pipeline.sight import Passage, Sight, View, view
from genstage.testing import Simulation

DEADLINE_S = 20.0
HERE = f"{__name__.replace('.', '/')}.py"


def line_of(method):
    """The line of a method where it waits at the gate."""
    lines, first = inspect.getsourcelines(method)
    return first + next(number for number, text in enumerate(lines) if "gate.wait" in text)


def plain(text):
    """Without seconds, and without how long the waiting has taken, which is told from the first second on."""
    return re.sub(r"\d+\.\d s", "N s", re.sub(r", for \d+\.\d s", "", text))


def explained(run, *expected, state="running"):
    """Wait until a run explains itself so."""
    pause = threading.Event()
    wanted = [f"run 'stuck' is {state}, N s after it began", *(f"  {line}" for line in expected)]
    for _ in range(int(DEADLINE_S / 0.01)):
        told = plain(run.explain()).splitlines()
        if told == wanted:
            return
        pause.wait(0.01)
    assert told == wanted


class Numbers(Producer):
    """Emits as many as it is asked for, up to ``end``; then it owes them."""

    def __init__(self, end=10_000, dispatcher=None):
        self.next, self.end, self.dispatcher = 0, end, dispatcher

    def init(self):
        return self.dispatcher and {"dispatcher": self.dispatcher()}

    def handle_demand(self, demand):
        first, self.next = self.next, min(self.next + demand, self.end)
        return range(first, self.next)


class Through(ProducerConsumer):
    def handle_events(self, events, _):
        return events


class Sink(Consumer):
    def handle_events(self, events, _):
        pass


class ByHand(Consumer):
    def handle_subscribe(self, *_):
        return "manual"


class WaitsAtTheEnd(Consumer):
    def __init__(self, gate):
        self.gate = gate

    def handle_events(self, *_):
        self.gate.wait(DEADLINE_S)


class WaitsInTheMiddle(ProducerConsumer):
    def __init__(self, gate):
        self.gate = gate

    def handle_events(self, events, _):
        self.gate.wait(DEADLINE_S)
        return events


class WaitsAtTheBeginning(Producer):
    def __init__(self, gate):
        self.gate = gate

    def handle_demand(self, _):
        self.gate.wait(DEADLINE_S)


class WaitsToStart(Consumer):
    def __init__(self, gate):
        self.gate = gate

    def init(self):
        self.gate.wait(DEADLINE_S)


def graph(*factories, blocking=False):
    """Stages one after the other, named a, b, c …; small windows."""
    names = [chr(ord("a") + number) for number in range(len(factories))]
    nodes = [Node(name, factory, blocking=blocking) for name, factory in zip(names, factories, strict=True)]
    pairs = zip(names[1:], names, strict=False)
    return Graph(
        tuple(nodes), tuple(Edge(consumer, producer, {"max_demand": 10}) for consumer, producer in pairs)
    )


@pytest.fixture
def stuck(gate):
    """Starts a run that will not get on until the gate opens."""
    runs = []

    def start(*factories, blocking=False):
        run = Pipeline.of("stuck", graph(*factories, blocking=blocking)).run()
        runs.append(run)
        return run

    yield start
    gate.set()
    for run in runs:
        run.close()


# -- stuck in a callback ------------------------------------------------------------------------------


@pytest.mark.parametrize("blocking", [False, True], ids=["shared lane", "own lanes"])
def test_a_blocked_sink_holds_up_those_before_it(stuck, gate, blocking):
    run = stuck(Numbers, Through, lambda: WaitsAtTheEnd(gate), blocking=blocking)

    at = f"is in handle_events for N s at {HERE}:{line_of(WaitsAtTheEnd.handle_events)}"
    explained(
        run,
        f"'c' {at}",
        "'b' waits for demand from 'c' with 2 messages at hand",
        "'a' waits for demand from 'b'",
        f"held up by 'c', which {at}",
    )


def test_a_blocked_source_holds_up_those_behind_it(stuck, gate):
    run = stuck(lambda: WaitsAtTheBeginning(gate), Through, Sink)

    at = f"is in handle_demand for N s at {HERE}:{line_of(WaitsAtTheBeginning.handle_demand)}"
    explained(
        run,
        "'c' waits for events from 'b'",
        "'b' waits for events from 'a'",
        f"'a' {at}",
        f"held up by 'a', which {at}",
    )


def test_a_slow_middle_holds_up_both_sides(stuck, gate):
    run = stuck(Numbers, lambda: WaitsInTheMiddle(gate), Sink)

    at = f"is in handle_events for N s at {HERE}:{line_of(WaitsInTheMiddle.handle_events)}"
    explained(
        run,
        "'c' waits for events from 'b'",
        f"'b' {at}",
        "'a' waits for demand from 'b'",
        f"held up by 'b', which {at}",
    )


def test_a_stage_can_ask_who_holds_up_its_own_run(gate):
    told = []

    class Asks(Consumer):
        def handle_events(self, *_):
            gate.wait(DEADLINE_S)
            told.append(runs[0].explain())
            return Stop()

    with Pipeline.of("asks", graph(Numbers, Asks)).run() as run:
        runs = [run]
        gate.set()
        run.wait(DEADLINE_S)

    assert told[0].startswith("run 'asks' is running")
    assert "'b' is in " in told[0]


def test_a_run_that_drains_shows_how_many_stages_still_run_and_what_they_wait_for(stuck, gate):
    run = stuck(Numbers, lambda: WaitsAtTheEnd(gate))
    until_told(run, "'b' is in handle_events")
    assert repr(run) == "<Run 'stuck' running 2/2 stages>"
    with pytest.raises(CallTimeoutError) as caught:
        run.drain(timeout_s=0.05)

    until(lambda: run.statistics().stages["a"].state == "ended")
    assert repr(run) == "<Run 'stuck' draining 1/2 stages>"
    at = f"is in handle_events for N s at {HERE}:{line_of(WaitsAtTheEnd.handle_events)}"
    explained(run, f"'b' {at}", "'a' has ended", f"held up by 'b', which {at}", state="draining")
    (note,) = caught.value.__notes__
    assert f"held up by 'b', which {at}" in plain(note)
    gate.set()
    run.wait(DEADLINE_S)
    assert repr(run) == "<Run 'stuck' completed 0/2 stages>"


def until(true):
    """Wait for something that nobody can be asked to tell."""
    pause = threading.Event()
    for _ in range(int(DEADLINE_S / 0.01)):
        if true():
            return
        pause.wait(0.01)
    pytest.fail("it did not come true")


def test_an_asynchronous_run_explains_itself_too():
    async def main():
        async with Pipeline.of("done", graph(EndsAtOnce, Sink)).run_async() as run:
            await run.wait(DEADLINE_S)
            return run.explain()

    assert asyncio.run(main()) == "run 'done' has completed"


def test_a_stage_that_does_not_get_through_its_start_is_told(gate):
    with Pipeline.of("stuck", graph(Numbers, lambda: WaitsToStart(gate))).run() as run:
        at = f"'b' is in init for N s at {HERE}:{line_of(WaitsToStart.init)}"
        until_told(run, at)
        gate.set()
        run.stop()


def until_told(run, line):
    until(lambda: line in plain(run.explain()))


@pytest.mark.parametrize("step", ["attempt", "complete", "abandon"])
def test_what_the_run_itself_is_at_is_told_with_its_line(gate, step):
    class Work:
        whole_when_drained = True

        def wait(self, now):
            if now == step:
                gate.wait(DEADLINE_S)

        def attempt(self, _epoch):
            self.wait("attempt")
            return graph(EndsAtOnce, Sink) if step == "complete" else graph(Numbers, ByHand)

        def complete(self, *_):
            self.wait("complete")

        def abandon(self, _failures):
            self.wait("abandon")

        def records(self):
            return 0

        def expected(self):
            return None

    run = Pipeline("stuck", Work).run()
    if step == "abandon":
        run._actor.tell(messages.Stop(Shutdown()))
    state = {"attempt": "preparing", "complete": "publishing", "abandon": "abandoning"}[step]
    lines = [f"run 'stuck' is {state}", f"in {step} for N s at {HERE}:{line_of(Work.wait)}"]
    for told in lines:
        until_told(run, told)
    gate.set()
    run.close()


class EndsAtOnce(Producer):
    def handle_demand(self, _):
        return Finish([])


# -- at rest in a simulation: every word --------------------------------------------------------------


def test_a_sink_that_does_not_ask_holds_up_all(simulated):
    run = simulated(graph(Numbers, Through, ByHand))

    assert run.explain() == [
        "'c' asks by hand, and has asked for nothing more",
        "'b' waits for demand from 'c' with 1 message at hand",
        "'a' waits for demand from 'b'",
        "held up by 'c', which asks by hand, and has asked for nothing more",
    ]


def test_how_long_it_has_been_so_is_told(simulated):
    run = simulated(graph(Numbers, ByHand))
    run.simulation.advance(7.25)  # the first look after the last event was at 1.0

    assert run.explain() == [
        "'b' asks by hand, and has asked for nothing more",
        "'a' waits for demand from 'b', for 6.2 s",
        "held up by 'b', which asks by hand, and has asked for nothing more",
    ]


def test_a_source_that_does_not_make_what_it_was_asked_for_is_a_dead_end(simulated):
    run = simulated(graph(lambda: Numbers(13), Through, Sink))

    owes = "owes 7 events to 'b': it was asked, and none of its callbacks has returned them"
    assert run.explain() == [
        "'c' waits for events from 'b'",
        "'b' waits for events from 'a'",
        f"'a' {owes}",
        f"held up by 'a', which {owes}",
    ]


def test_a_paused_source_holds_up_those_behind_it(simulated):
    run = simulated(graph(lambda: Numbers(13), Sink))
    run.stage("a").set_demand("accumulate")
    run.simulation.run()

    assert run.explain() == [
        "'b' waits for events from 'a'",
        "'a' is paused: demand accumulates",
        "held up by 'a', which is paused: demand accumulates",
    ]


def test_of_several_consumers_the_one_that_does_not_ask_is_named(simulated):
    run = simulated(
        Graph(
            (
                Node("a", lambda: Numbers(dispatcher=BroadcastDispatcher)),
                Node("left", Sink),
                Node("right", ByHand),
            ),
            (Edge("left", "a"), Edge("right", "a")),
        )
    )

    told = run.explain()
    assert "'a' waits for demand from 'right'" in told
    assert "'left' waits for events from 'a'" in told
    assert told[-1] == "held up by 'right', which asks by hand, and has asked for nothing more"


def test_events_of_a_partition_that_nobody_takes_are_told():
    with Simulation(seed=1) as simulation:

        def dispatcher():
            return PartitionDispatcher(["even", "odd"], hash=lambda n: (n, "odd" if n % 2 else "even"))

        source = simulation.start(lambda: Numbers(4, dispatcher), name="a")
        sink = simulation.start(Sink, name="b")
        sink.subscribe(source, max_demand=4, partition="even")
        simulation.run()
        seen = view({"b": sink._actor, "a": source._actor}, 0.0)

    held = "holds 2 events for partition 'odd', where nobody has subscribed"
    assert explain(seen, Health()) == [
        "'b' waits for events from 'a'",
        f"'a' {held}",
        f"held up by 'a', which {held}",
    ]


def test_messages_on_their_way_are_told_and_blamed_on_nobody_else():
    with Simulation(seed=1) as simulation:
        source, sink = simulation.start(Numbers, name="a"), simulation.start(Sink, name="b")
        sink.subscribe(source, max_demand=4)
        simulation.step()
        seen = view({"b": sink._actor, "a": source._actor}, 0.0)

    assert explain(seen, Health())[-1].startswith("held up by 'a', which has ")


def test_a_run_that_is_over_has_nothing_to_explain():
    with Pipeline.of("done", graph(EndsAtOnce, Sink)).run() as run:
        run.wait(DEADLINE_S)

    assert run.explain() == "run 'done' has completed"
    with Pipeline.of("stopped", graph(Numbers, ByHand)).run() as run:
        run.stop()
    assert run.explain() == "run 'stopped' was cancelled"


# -- pure ---------------------------------------------------------------------------------------------


def seen(passages=(), **stages):
    return View(100.0, stages, passages)


def test_no_stages_no_explanation():
    assert explain(seen(), Health()) == []


def test_stages_that_have_ended_are_told():
    assert explain(seen(a=Sight("ended"), b=Sight("ended")), Health()) == [
        "'a' has ended",
        "'b' has ended",
        "all stages have ended",
    ]


def test_a_turn_that_has_just_begun_is_no_place_to_look_at():
    assert explain(seen(a=Sight("running", turn=Turn(1, None))), Health()) == [
        "'a' is in a callback, just now",
        "held up by 'a', which is in a callback, just now",
    ]


def test_a_turn_without_a_line_is_told_with_its_time():
    told = explain(seen(a=Sight("running", turn=Turn(1, 97.5))), Health())

    assert told[0] == "'a' is in a callback for 2.5 s"


def test_a_turn_is_told_with_its_callback_and_line():
    turn = Sight("running", turn=Turn(1, 87.6), place=Place("consume_chunk", "renderers/pdf/compiler.py:88"))

    assert explain(seen(pdf=turn), Health())[0] == (
        "'pdf' is in consume_chunk for 12.4 s at renderers/pdf/compiler.py:88"
    )


def test_events_without_a_consumer_are_a_dead_end():
    told = explain(seen(a=Sight("running", "producer", buffered=3)), Health())

    assert told == [
        "'a' holds 3 events, but has no consumer",
        "held up by 'a', which holds 3 events, but has no consumer",
    ]
    assert explain(seen(a=Sight("running", "producer")), Health())[0] == "'a' has no consumer"
    assert explain(seen(b=Sight("running", "consumer")), Health())[0] == (
        "'b' is subscribed to no stage of this run"
    )


def test_two_that_are_to_blame_are_both_named():
    passages = [Passage("a", "b", 5, 5, 0, True), Passage("c", "d", 5, 0, 3, False)]
    told = explain(
        seen(
            passages,
            a=Sight("running", "producer", consumers=1),
            b=Sight("running", "consumer"),
            c=Sight("running", "producer", consumers=1, owes=3),
            d=Sight("running", "consumer"),
        ),
        Health(),
    )

    assert told[-1] == (
        "held up by 'b', which asks by hand, and has asked for nothing more, and by 'c', which owes 3 events "
        "to 'd': it was asked, and none of its callbacks has returned them"
    )


def test_who_waits_for_each_other_waits_for_what_is_on_its_way():
    told = explain(
        seen(
            [Passage("a", "b", 5, 5, 0, False)],
            a=Sight("running", "producer", consumers=1),
            b=Sight("running", "consumer"),
        ),
        Health(),
    )

    assert told[-1] == "nobody holds it up: what they wait for is on its way"


class Hostile:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (Hostile(), "<Hostile that cannot be shown>"),
        ("two\nlines", r"'two\nlines'"),
        (SimpleNamespace(long="x" * 1000), None),
    ],
)
def test_the_name_of_a_partition_is_contained(name, shown):
    kept = [Kept(name, 3, taken=False)]
    stage = Sight("running", "producer", buffered=3, kept=kept, consumers=1)
    told = explain(seen(a=stage), Health())[0]

    assert "\n" not in told
    assert len(told) < 300
    assert shown is None or shown in told
