"""Many pipelines at once in one process, whose stages crash at random: all end right, and nothing stays.

A stage that crashes makes all stages of its pipeline begin anew, from the first event. So each pipeline comes
to its exact sums in the end, after as many restarts as its traps have caught stages.
"""

import gc
import time
from collections import Counter
from functools import partial
from random import Random
from threading import Barrier

import pytest

from genstage import (
    BroadcastDispatcher,
    Consumer,
    DemandDispatcher,
    Edge,
    Finish,
    Graph,
    Named,
    Node,
    Pipeline,
    Producer,
    ProducerConsumer,
    Runtime,
    Stop,
)
from genstage.monitoring import memory_bytes

PIPELINES = 100
MOST_SINKS = 3
MOST_RESTARTS = 3
PATIENCE_S = 6_000
GRACE_S = 10
GROWTH_BYTES = 16_000_000
"""What memory may vary by; the events of a single pipeline by night are more."""


@pytest.fixture
def seed(request):
    """The nightly seed, or always the same; it is printed when a test fails."""
    given = request.config.getoption("--hypothesis-seed")
    seed = 1 if given is None else int(given)
    print(f"seed {seed}")  # noqa: T201 - to repeat it
    return seed


class Trap:
    """Set in one stage of one attempt; springs when the stage has handled so many events."""

    def __init__(self, random, stages, events):
        self.stage = random.choice(stages)
        self.left = random.randrange(events)
        self.spring = random.choice((self.fail, self.exit, self.interrupt, self.stop, self.mistake))
        self.number = random.randrange(10**9)  # two that look the same would not be worth a third try
        self.sprung = False

    def step(self, stage, events):
        """What a stage returns: its events, unless it is caught here."""
        if stage != self.stage or self.sprung:
            return events
        self.left -= len(events)
        if self.left >= 0:
            return events
        self.sprung = True
        return self.spring()

    def fail(self):
        raise ValueError(self.number)

    def exit(self):
        raise SystemExit(self.number)

    def interrupt(self):
        raise KeyboardInterrupt(self.number)

    def stop(self):
        return Stop(Named(f"trap {self.number}"))

    def mistake(self):
        return f"no events {self.number}"


class Numbers(Producer):
    def __init__(self, end, step):
        self.next, self.end, self.step = 0, end, step

    def handle_demand(self, demand):
        first, self.next = self.next, min(self.next + demand, self.end)
        events = list(range(first, self.next))
        result = self.step("numbers", events)
        return Finish(events) if result is events and self.next == self.end else result


class AddOne(ProducerConsumer):
    def __init__(self, step, dispatcher):
        self.step, self.dispatcher = step, dispatcher

    def init(self):
        return {"dispatcher": self.dispatcher()}

    def handle_events(self, events, _):
        return self.step("add one", [number + 1 for number in events])


class Sum(Consumer):
    def __init__(self, name, step, totals):
        self.name, self.step, self.totals = name, step, totals
        self.count = self.total = 0

    def handle_events(self, events, _):
        self.count += len(events)
        self.total += sum(events)
        result = self.step(self.name, events)
        return None if result is events else result

    def handle_cancel(self, cancellation, _):
        if cancellation.kind == "finish":
            self.totals[self.name] = (self.count, self.total)


class Work:
    """The job of one pipeline: attempts with a trap in each, and at last one without."""

    whole_when_drained = True

    def __init__(self, random, events, together):
        self.events = events
        self.together = together
        self.dispatcher = random.choice((BroadcastDispatcher, DemandDispatcher))
        self.options = {"max_demand": random.choice((20, 100, 1000))}
        self.blocking = random.random() < 0.2
        self.sinks = [f"sum {number}" for number in range(random.randint(1, MOST_SINKS))]
        stages = ["numbers", "add one", *self.sinks]
        self.traps = [Trap(random, stages, events) for _ in range(random.randint(0, MOST_RESTARTS))]
        self.totals = {}

    def attempt(self, epoch):
        if not epoch:
            self.together.wait(PATIENCE_S)  # for all the other pipelines
        self.totals.clear()
        step = self.traps[epoch].step if epoch < len(self.traps) else lambda _, events: events

        def sink(name):
            return Node(name, lambda: Sum(name, step, self.totals), blocking=self.blocking)

        return Graph(
            (
                Node("numbers", lambda: Numbers(self.events, step)),
                Node("add one", lambda: AddOne(step, self.dispatcher)),
                *map(sink, self.sinks),
            ),
            (
                Edge("add one", "numbers", self.options),
                *(Edge(name, "add one", self.options) for name in self.sinks),
            ),
        )

    def complete(self, restarts, results):  # noqa: ARG002 - the sinks keep their totals
        """Every event has come once, to one sink or to all; and only traps made the stages begin anew."""
        assert restarts == sum(trap.sprung for trap in self.traps)
        expected = (self.events, self.events * (self.events + 1) // 2)
        assert self.totals.keys() == set(self.sinks)
        if self.dispatcher is BroadcastDispatcher:
            assert set(self.totals.values()) == {expected}
        else:
            assert tuple(map(sum, zip(*self.totals.values(), strict=True))) == expected
        return restarts

    def abandon(self, failures):
        pass

    def records(self):
        return 0

    def expected(self):
        return None


def run_all(runtime, seed, events, errors):
    """Run all pipelines at once; gives how often their stages began anew."""
    random = Random(seed)
    together = Barrier(PIPELINES)
    runs = [
        Pipeline(f"soak {number}", partial(Work, random, events, together), max_restarts=MOST_RESTARTS).run(
            runtime=runtime
        )
        for number in range(PIPELINES)
    ]
    restarts = sum(run.wait(PATIENCE_S) for run in runs)
    for record in errors:
        record.exc_info = None  # a traceback holds the stage it came from
    return restarts


def living():
    """How many objects of our classes there are, by class, without the threads that a lane keeps."""
    gc.collect()
    classes = (type(found) for found in gc.get_objects())
    names = (found.__qualname__ for found in classes if found.__module__.startswith("genstage."))
    return Counter(name for name in names if name != "Runner")


def more_than(before):
    """What lives beyond that; supervisors and threads get a moment to end after their runs have."""
    deadline = time.monotonic() + GRACE_S
    while (more := living() - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    return more


@pytest.mark.parametrize(
    "events", [pytest.param(2_000, id="few"), pytest.param(1_000_000, id="many", marks=pytest.mark.nightly)]
)
def test_many_pipelines_that_crash_end_right_and_leave_nothing(seed, events, expected_errors):
    with Runtime(name="soak") as runtime:
        idle = living()
        run_all(runtime, seed, 100, expected_errors)
        assert not more_than(idle)
        before_bytes = memory_bytes()
        restarts = run_all(runtime, seed + 1, events, expected_errors)
        assert not more_than(idle)
        assert memory_bytes() - before_bytes < GROWTH_BYTES
    assert restarts > PIPELINES / 2
