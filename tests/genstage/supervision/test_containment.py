"""A stage that is killed over and over: its neighbours do not notice, and nothing of it stays."""

import gc
import logging
import threading
import time
from itertools import count
from random import Random

import pytest

from genstage import Consumer, Flow, Producer, Runtime, Supervisor, child_spec
from genstage._runtime.typed_refs import ref_to
from genstage.monitoring import memory_bytes

DEADLINE_S = 60.0
GROWTH_BYTES = 8_000_000
"""What memory may vary by; ten thousand of anything that is kept are more than that."""

MOST_SPARES = 32
"""Threads that a lane keeps for turns that block."""

TIMES = [pytest.param(150, id="few"), pytest.param(10_000, id="many", marks=pytest.mark.nightly)]


class Numbers(Producer):
    """A source that many have been subscribed to."""

    def handle_demand(self, demand):
        return range(demand)


class Victim(Consumer):
    """Leaves something behind wherever it can: a timer, a watch, a link, a subscription, a call."""

    def __init__(self, source, born):
        self.source, self.born = source, born

    def init(self):
        self.stage.send_after(3_600.0, "too late")
        self.stage.watch(self.source)
        self.stage.link(self.source)
        self.stage.ref.async_subscribe(self.source, cancel="temporary", max_demand=10)
        self.kept = bytearray(10_000)
        self.fed = False

    def handle_events(self, _events, _origin):
        if not self.fed:
            self.fed = True
            self.born.release()


class Source(Numbers):
    """Does not end with those it is linked with."""

    def init(self):
        self.stage.trap_exits()
        self.exits = 0

    def handle_info(self, _message):
        self.exits += 1


@pytest.fixture
def quiet():
    """A record of each kill would be kept by pytest, and be most of what memory grows by."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def wait_until(condition):
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


def books(runtime, source):
    """How much is known of in a runtime, and what a source has to do with others."""
    engine, actor = runtime._engine, source._actor
    return {
        "watchers": len(actor._watchers),
        "links": len(actor.links),
        "watched": len(actor.driver.watched),
        "consumers": len(actor.behaviour.producing.consumers),
        "actors": len(engine._actors),
        "names": len(engine._names),
        "own lanes": sum(lane._thread.is_alive() for lane in list(engine._own)),
        "timers": len(engine.timers._owned),
        "abandoned": runtime.abandoned,
    }


def neighbours_that_call(function):
    """A pipeline that calls a function with each event, in short turns."""
    numbers = Flow.from_producer(Numbers).map(lambda n: n + 1, max_demand=10)
    return numbers.for_each(lambda _: function(), max_demand=10)


class Measured:
    """What a runtime has at rest, and has to come back to."""

    def __init__(self, runtime, source):
        self.runtime, self.source = runtime, source
        self.books = self._at_rest()
        self.threads = threading.active_count()
        gc.collect()
        self.memory = memory_bytes()
        self.began_s = time.monotonic()

    def _at_rest(self):
        """The books, when they have not changed for a moment."""
        last = None
        while last != (last := books(self.runtime, self.source)):
            time.sleep(0.05)
        return last

    def check(self, times):
        """Nothing has come to stay."""
        took_s = time.monotonic() - self.began_s
        wait_until(lambda: books(self.runtime, self.source) == self.books)
        gc.collect()
        grown = memory_bytes() - self.memory
        print(f"{times} kills: {took_s:.2f} s, {grown / 1e6:+.2f} MB")  # noqa: T201 - with -s
        assert grown < GROWTH_BYTES
        assert threading.active_count() - self.threads < MOST_SPARES


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("times", TIMES)
def test_a_stage_that_is_killed_over_and_over_is_no_burden(times, blocking):
    with Runtime(shutdown_s=DEADLINE_S) as runtime:
        source = runtime.start(Source, name="source")
        taken = count()
        neighbours = neighbours_that_call(lambda: next(taken))
        born = threading.Semaphore(0)
        victim = child_spec("victim", lambda: Victim(source, born), blocking=blocking, name="victim")
        tree = Supervisor(
            neighbours.child_spec("neighbours"), victim, max_restarts=times, restart_window_s=3_600.0
        )
        supervisor = runtime.supervise(tree)
        neighbour = supervisor.child("neighbours")
        present = supervisor.child(victim)

        def kill(present):
            """Kill it when it takes events; gives the next one."""
            assert born.acquire(timeout=DEADLINE_S)
            present.kill()
            wait_until(lambda: runtime.find("victim") not in {None, present})
            return runtime.find("victim")

        for _ in range(times // 3):
            present = kill(present)
        measured, moved = Measured(runtime, source), next(taken)
        for _ in range(times - times // 3):
            present = kill(present)

        measured.check(times - times // 3)
        assert source.alive
        assert (neighbour.statistics().state, neighbour.statistics().restarts) == ("running", 0)
        assert next(taken) > moved
        (child,) = [child for child in supervisor.which_children() if child.id == "victim"]
        assert child.ref == present


class Sink(Consumer):
    """Tells when events have come to it."""

    def __init__(self, born):
        self.born, self.fed = born, False

    def handle_events(self, _events, _origin):
        if not self.fed:
            self.fed = True
            self.born.release()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("times", TIMES)
def test_a_pipeline_whose_stages_are_killed_over_and_over_is_no_burden(times):
    random = Random(7)
    with Runtime(shutdown_s=DEADLINE_S) as runtime:
        taken, born = count(), threading.Semaphore(0)
        source = runtime.start(Source, name="source")
        neighbours = neighbours_that_call(lambda: next(taken))
        victims = (
            Flow.from_producer(Numbers, name="numbers")
            .map(lambda n: n + 1, name="plus", blocking=True)
            .to(lambda: Sink(born), name="sink")
            .with_options(name="victims", max_restarts=2)
        )
        specs = neighbours.child_spec("neighbours"), victims.child_spec()
        supervisor = runtime.supervise(Supervisor(*specs, max_restarts=times, restart_window_s=3_600.0))
        neighbour, victim = (supervisor.child(spec) for spec in specs)

        def kill():
            """Kill one of the stages, or all with their supervisor, when events have come to the sink."""
            assert born.acquire(timeout=DEADLINE_S)
            stages = [actor for actor in victim._supervisor.children() if actor.alive]
            ref_to(random.choice([*stages, victim._actor])).kill()

        for _ in range(times // 3):
            kill()
        measured, moved = Measured(runtime, source), next(taken)
        for _ in range(times - times // 3):
            kill()

        measured.check(times - times // 3)
        assert (neighbour.statistics().state, neighbour.statistics().restarts) == ("running", 0)
        assert next(taken) > moved
        assert born.acquire(timeout=DEADLINE_S)
        assert victim.statistics().state == "running"


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("blocking", [False, True])
def test_more_stuck_callbacks_of_the_dead_than_a_lane_may_have_threads_hold_up_nobody(blocking):
    stuck = 150
    gate, inside = threading.Event(), threading.Semaphore(0)

    class Stuck(Consumer):
        def handle_cast(self, _request):
            inside.release()
            gate.wait()

    with Runtime(shutdown_s=DEADLINE_S) as runtime:
        taken = count()
        run = Flow.from_producer(Numbers).for_each(lambda _: next(taken)).run(runtime=runtime)
        before = threading.active_count()
        try:
            for _ in range(stuck):
                ref = runtime.start(Stuck, blocking=blocking)
                ref.cast(None)
                assert inside.acquire(timeout=DEADLINE_S)
                ref.kill()
            assert runtime.abandoned == stuck
            moved = next(taken)
            wait_until(lambda: next(taken) > moved + 10_000)
        finally:
            gate.set()
        wait_until(lambda: not runtime.abandoned)
        wait_until(lambda: threading.active_count() - before < MOST_SPARES + 2)
        assert run.statistics().restarts == 0
        run.stop(timeout_s=DEADLINE_S)
