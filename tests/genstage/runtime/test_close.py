import threading
import time

import pytest

from genstage import (
    Consumer,
    Edge,
    Graph,
    Named,
    Node,
    Normal,
    OptionError,
    Pipeline,
    PipelineError,
    Producer,
    Runtime,
    Shutdown,
    StageFailure,
    StartError,
)
from genstage._core.messages import Stop
from genstage._core.reasons import Killed
from genstage._core.results import Reply, Unanswered
from genstage._runtime.engine import Engine

DEADLINE_S = 20.0


def threads_of(name):
    return [thread for thread in threading.enumerate() if thread.name.startswith(f"{name}-")]


def test_close_stops_what_runs_the_last_first_and_ends_all_threads(doer):
    ended = []
    with Runtime(name="mine") as runtime:
        for number in range(3):
            stage = doer()
            stage.terminate = lambda reason, number=number: ended.append((number, reason))
            runtime.start(lambda stage=stage: stage)
        own = doer()
        runtime.start(lambda: own, blocking=True)
        runtime.start(doer).cast(lambda stage: stage.stage.send_after(3_600, "never") and None)
        assert len(threads_of("mine")) >= 3  # one for timers too

    assert ended == [(2, Shutdown()), (1, Shutdown()), (0, Shutdown())]
    assert own.terminated == [Shutdown()]
    assert threads_of("mine") == []
    assert repr(runtime) == "<Runtime 'mine' closed>"


def test_a_runtime_that_is_forgotten_open_is_warned_of(doer):
    runtime = Runtime(name="forgotten")
    ref = runtime.start(doer)
    engine = runtime._engine
    with pytest.warns(ResourceWarning, match="runtime 'forgotten' was not closed: use it in a with block"):
        del runtime

    assert ref.alive
    engine.close(DEADLINE_S)


def test_closing_twice_and_by_two_at_once(doer):
    runtime = Runtime()
    runtime.start(doer)
    closers = [threading.Thread(target=runtime.close) for _ in range(4)]
    for closer in closers:
        closer.start()
    for closer in closers:
        closer.join(DEADLINE_S)
    runtime.close()

    assert threads_of("genstage") == []


@pytest.mark.parametrize("blocking", [False, True])
def test_a_stuck_stage_is_killed_in_time(doer, gate, caplog, blocking):
    runtime = Runtime(name="stuck", shutdown_s=0.05)
    inside = threading.Event()
    stage = doer()
    ref = runtime.start(lambda: stage, name="busy", blocking=blocking)
    ref.cast(lambda _: (inside.set(), gate.wait()))
    queued = [runtime.start(doer, name=f"{n}", blocking=True) for n in range(2)]
    assert inside.wait(DEADLINE_S)
    begun = time.monotonic()
    runtime.close()
    took = time.monotonic() - begun

    assert took < DEADLINE_S / 2  # not for ever: the margin is for busy machines
    assert ref._actor.reason == Killed()
    assert [record.stage for record in caplog.records] == ["busy"]
    assert not any(ref.alive for ref in queued)
    runtime.close()
    gate.set()
    for thread in threads_of("stuck"):
        thread.join(DEADLINE_S)
    assert stage.terminated == []


def test_an_interrupted_close_kills_what_is_left(doer, gate, monkeypatch, caplog):
    runtime = Runtime(shutdown_s=DEADLINE_S)
    ref = runtime.start(doer, blocking=True)
    inside = threading.Event()
    ref.cast(lambda _: (inside.set(), gate.wait()))
    assert inside.wait(DEADLINE_S)

    def interrupted(_timeout_s):
        raise KeyboardInterrupt

    monkeypatch.setattr(ref._actor, "wait_end", interrupted)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        runtime.close()

    assert ref._actor.reason == Killed()
    assert caplog.records
    runtime.close()  # again: nobody is left
    assert time.monotonic() - begun < DEADLINE_S / 2  # neither has waited for the stuck thread
    gate.set()
    ref._actor.lane._thread.join(DEADLINE_S)
    assert threads_of("genstage") == []


def test_a_stage_cannot_close_its_runtime(runtime, start):
    for blocking in (False, True):
        ref, _ = start(blocking=blocking)

        def close(*_):
            with pytest.raises(RuntimeError, match="cannot be closed by one of its own stages"):
                runtime.close()
            return Reply("refused")

        assert ref.call(close) == "refused"


@pytest.mark.repeat
@pytest.mark.parametrize("blocking", [False, True])
def test_starts_that_meet_the_close_succeed_or_are_refused(doer, blocking):
    for _ in range(20):
        runtime = Runtime(shutdown_s=DEADLINE_S)
        together = threading.Barrier(4)
        outcomes = []

        def start(runtime=runtime, together=together, outcomes=outcomes):
            together.wait()
            while True:
                try:
                    outcomes.append(runtime.start(doer, blocking=blocking, timeout_s=DEADLINE_S))
                except StartError as refusal:
                    outcomes.append(refusal)
                    return

        starters = [threading.Thread(target=start) for _ in range(3)]
        for starter in starters:
            starter.start()
        together.wait()
        begun = time.monotonic()
        runtime.close()
        assert time.monotonic() - begun < DEADLINE_S  # nobody had to be killed
        for starter in starters:
            starter.join(DEADLINE_S)

        errors = [outcome for outcome in outcomes if isinstance(outcome, StartError)]
        assert len(errors) == 3
        assert all("the runtime is closed" in str(error) for error in errors)
        assert all(isinstance(one._actor.reason, Shutdown) for one in outcomes if one not in errors)
        assert threads_of("genstage") == []


def test_two_runtimes_do_not_know_each_others_names_but_their_stages_talk(doer):
    with Runtime(name="one") as one, Runtime(name="two") as two:
        here, there = one.start(doer, name="same"), two.start(doer, name="same")

        def hand_over(_stage, reply_to):
            there.cast(lambda stage: stage.stage.reply(reply_to, threading.current_thread().name))
            return Unanswered()

        assert here.call(hand_over).startswith("two-shared")
        one.close()
        assert not here.alive
        assert there.alive
    assert threads_of("one") == threads_of("two") == []


class Child:
    """A behaviour that does nothing but end when it is told to."""

    def __init__(self, port):
        self.port = port

    def start(self):
        return None

    def handle(self, message):
        if isinstance(message, Stop):
            self.port.stop(message.reason)


class Boss(Child):
    """A supervisor of one child, which it stops for a reason of its own."""

    def start(self):
        self.child = self.port.spawn(Child, name="child", own_lane=False, on_started=lambda _: None)
        self.port.watch(self.child)

    def handle(self, message):
        if isinstance(message, Stop):
            self.port.send(self.child, Stop(Named("the boss said so")))
        else:
            super().handle(Stop(message.reason))  # the child's Down


@pytest.mark.parametrize("orphan", [False, True])
def test_children_are_left_to_their_supervisor_and_end_with_it(orphan):
    engine = Engine("mine")
    started = threading.Event()
    boss = engine.spawn(Boss, name="boss", control=True, on_started=lambda _: started.set())
    assert started.wait(DEADLINE_S)
    if orphan:
        boss.end(Killed())
    engine.close(DEADLINE_S)

    assert boss.behaviour.child.reason == (Killed() if orphan else Named("the boss said so"))
    assert boss.reason == (Killed() if orphan else Named("the boss said so"))


class Endless(Producer):
    def handle_demand(self, demand):
        return range(demand)


def graph(sink):
    return Graph((Node("numbers", Endless), Node("sink", sink, blocking=True)), (Edge("sink", "numbers"),))


def sink(trap):
    class Sink(Consumer):
        def handle_events(self, _events, _):
            trap()

    return Sink


def test_closing_lets_supervisors_bring_their_work_to_an_end(gate):
    gate.set()
    running = threading.Event()
    calls = []

    class Work:
        def attempt(self, _epoch):
            return graph(sink(running.set))

        def complete(self, _restarts, _results):
            calls.append("complete")

        def abandon(self, _failures):
            calls.append("abandon")

        def records(self):
            return 0

        def expected(self):
            return None

    with Runtime() as runtime:
        run = Pipeline("work", Work, max_restarts=3).run(runtime=runtime)
        assert running.wait(DEADLINE_S)

    assert run.statistics().state == "cancelled"
    assert run.statistics().restarts == 0
    assert calls == ["abandon"]
    with pytest.raises(PipelineError):
        run.wait(timeout_s=0)


def test_a_run_that_a_closing_runtime_has_no_patience_for_has_failed(gate, caplog):
    inside = threading.Event()
    runtime = Runtime(shutdown_s=0.05)
    recipe = Pipeline.of("work", graph(sink(lambda: (inside.set(), gate.wait()))))
    run = recipe.run(runtime=runtime)
    assert inside.wait(DEADLINE_S)
    runtime.close()

    with pytest.raises(PipelineError) as caught:
        run.wait(timeout_s=DEADLINE_S)
    assert caught.value.failures == (StageFailure("supervisor", Killed()),)
    assert run.statistics().state == "failed"
    run.close()
    killed = {vars(record).get("stage") or record.supervisor for record in caplog.records}
    assert killed == {"work", "sink"}
    with pytest.raises(StartError, match="the runtime is closed"):
        recipe.run(runtime=runtime)


@pytest.mark.parametrize("shutdown_s", [-1, float("nan"), float("inf"), "10", None, True])
def test_a_wrong_patience_is_refused(shutdown_s):
    with pytest.raises(OptionError) as caught:
        Runtime(shutdown_s=shutdown_s)

    assert caught.value.option == "shutdown_s"
    assert threads_of("genstage") == []


def test_ended_stages_are_forgotten(runtime, doer):
    for _ in range(50):
        runtime.start(doer, name="one", blocking=True).stop(Normal())

    assert runtime._engine._actors == {}
    assert runtime._engine._names == {}
