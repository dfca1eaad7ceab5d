"""Pipelines that somebody above looks after: a run lasts until the last of its incarnations has ended."""

import gc
import pickle
import threading
import time
import warnings

import pytest

from genstage import (
    Crash,
    Killed,
    Normal,
    OptionError,
    Pipeline,
    PipelineError,
    Runtime,
    Shutdown,
    StageFailure,
)
from genstage._core.messages import Stop
from genstage.pipeline.job import GraphJob
from genstage.supervision import Child, ChildEnded, Children

DEADLINE_S = 20.0


def until(true):
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


class Keeper:
    """A supervisor of one child, which starts it again so many times, unless it has ended normally."""

    own_lane, control, child_type = False, True, "supervisor"

    def __init__(self, recipe, times):
        self.recipe, self.times = recipe, times
        self.reasons = []

    def launch(self, name):
        self.inner = self.recipe.launch(name)
        return self

    def over(self):
        pass

    def make(self, port):
        self.port = port
        self.children = Children(port)
        self.child = Child("it", self.inner)
        return self

    def start(self):
        self.children.start(self.child)

    def handle(self, message, *_):
        if isinstance(message, Stop):
            self.port.stop(message.reason)
            return
        event = self.children.handle(message)
        if isinstance(event, ChildEnded):
            self.reasons.append(event.reason)
            if len(self.reasons) > self.times or isinstance(event.reason, Normal):
                self.child.launch.over()
            else:
                self.children.start(self.child)

    @property
    def run(self):
        until(lambda: self.child.actor is not None and self.child.launch.present is not None)
        return self.child.launch.handle(self.child.actor)


class KeeperLaunch:
    """What the runtime starts: a keeper is its own behaviour, whose ``handle`` is taken."""

    own_lane, control = False, True

    def __init__(self, keeper):
        self.keeper = keeper
        self.make = keeper.make

    def over(self):
        pass

    def handle(self, actor):
        self.keeper.actor = actor
        return self.keeper


class Kept:
    """A recipe for a keeper."""

    child_type = "supervisor"

    def __init__(self, recipe, times=0):
        self.recipe, self.times = recipe, times

    def launch(self, name):
        keeper = Keeper(self.recipe, self.times)
        keeper.launch(name)
        return KeeperLaunch(keeper)


def counting(line, opened, **options):
    def open_job():
        opened.append(threading.current_thread().name)
        return GraphJob(line.graph(), lambda results: (len(opened), results))

    return Pipeline("line", open_job, max_restarts=0, **options)


def fails_until(opened, attempt):
    """A trap that springs in each incarnation before this one."""

    def trap(moment):
        if moment == 17 and len(opened) < attempt:
            raise ValueError(len(opened))

    return trap


def test_a_runtime_can_look_after_a_pipeline(line):
    line.results = {"left": 1}
    with Runtime() as runtime:
        run = runtime.supervise(Pipeline.of("line", line.graph()), name="loading")
        assert run.name == "line"
        assert run.wait(DEADLINE_S) == {"left": 1, "right": None}
        assert run._actor.reason == Normal()


def test_a_failed_run_ends_with_a_reason_that_has_the_whole_chain(line, expected_errors):
    error = ValueError("boom")
    opened = []

    def trap(moment):
        if moment == 17:
            raise error

    line.traps["through"] = trap
    with Runtime() as runtime:
        run = runtime.supervise(counting(line, opened))
        with pytest.raises(PipelineError, match="boom"):
            run.wait(DEADLINE_S)
        assert run._actor.wait_end(DEADLINE_S)
        reason = run._actor.reason
    assert isinstance(reason, Crash)
    assert isinstance(reason.exception, PipelineError)
    assert reason.exception.__cause__ is error
    assert reason.exception.failures[0].stage == "through"
    assert [record.exc_info[1] for record in expected_errors] == [error]  # told once


def test_a_run_lasts_over_restarts_and_gives_the_last_result(line, expected_errors):
    opened = []
    line.traps["through"] = fails_until(opened, 3)
    with Runtime() as runtime:
        keeper = runtime.supervise(Kept(counting(line, opened), times=5))
        run = keeper.run
        assert run.wait(DEADLINE_S) == (3, {"left": None, "right": None})
        assert run.statistics().state == "completed"
        assert [type(reason) for reason in keeper.reasons[:2]] == [Crash, Crash]
        assert run.failures == {}
    assert sorted(line.left + line.right) == list(range(line.end))
    assert not any("shared" in name for name in opened)  # opened by a thread of its own each time
    assert expected_errors


def test_pause_drain_and_stop_go_to_the_present_incarnation(line, gate, expected_errors):
    opened = []
    crash = fails_until(opened, 2)

    def trap(moment):
        if len(opened) == 2 and moment == "init":
            gate.wait(DEADLINE_S)
        crash(moment)

    line.traps["through"] = trap
    with Runtime() as runtime:
        run = runtime.supervise(Kept(counting(line, opened), times=5)).run
        until(lambda: len(opened) == 2)
        run.pause()
        gate.set()
        until(lambda: run.statistics().state == "paused")
        assert line.left + line.right == []
        run.drain(timeout_s=DEADLINE_S)
        assert run.wait(DEADLINE_S) == (2, {"left": None, "right": None})
    assert expected_errors


def test_a_run_that_is_not_started_again_has_failed(line, expected_errors):
    opened = []
    line.traps["through"] = fails_until(opened, 99)
    with Runtime() as runtime:
        run = runtime.supervise(Kept(counting(line, opened), times=2)).run
        with pytest.raises(PipelineError) as caught:
            run.wait(DEADLINE_S)
        assert caught.value.__cause__.args == (3,)
    assert len(opened) == 3
    assert expected_errors


def test_refused_input_is_a_failed_run():
    def refuse():
        raise OptionError("query", "", "a SELECT")

    with Runtime() as runtime:
        keeper = runtime.supervise(Kept(Pipeline("refused", refuse), times=1))
        with pytest.raises(PipelineError) as caught:
            keeper.run.wait(DEADLINE_S)
    assert isinstance(caught.value.__cause__, OptionError)
    assert [failure.stage for failure in caught.value.failures] == ["preparing"]
    assert len(keeper.reasons) == 2


@pytest.mark.repeat
@pytest.mark.parametrize("end", ["killed", "stopped", "closed"])
@pytest.mark.parametrize("moment", ["init", 17, "end"])
def test_waiting_ends_with_the_supervisor_whatever_it_ends_of(line, gate, end, moment):
    reached = threading.Event()
    line.traps["right"] = lambda now: now == moment and (reached.set(), gate.wait(DEADLINE_S))
    if isinstance(moment, int):
        line.traps["left"] = line.traps["right"]
    outcomes = []

    def wait():
        try:
            outcomes.append(run.wait(DEADLINE_S))
        except PipelineError as error:
            outcomes.append(error)

    with Runtime(shutdown_s=0.05) as runtime:
        keeper = runtime.supervise(Kept(counting(line, [], shutdown_s=0.05), times=99))
        run = keeper.run
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert reached.wait(DEADLINE_S)
        if end == "killed":
            runtime._engine.kill(keeper.actor, Killed())
        elif end == "stopped":
            keeper.actor.tell(Stop(Shutdown()))
        else:
            runtime.close()
        waiting.join(DEADLINE_S)
        gate.set()
    assert len(outcomes) == 1
    assert run.statistics().state in {"failed", "cancelled"}


def test_a_run_between_two_incarnations_is_over_when_the_supervisor_ends(line, expected_errors):
    class Idle(Keeper):
        def handle(self, message, *_):
            if isinstance(self.children.handle(message), ChildEnded):
                ended.set()  # it will be started again, some time

    class IdleKept(Kept):
        def launch(self, name):
            keeper = Idle(self.recipe, 0)
            keeper.launch(name)
            return KeeperLaunch(keeper)

    ended = threading.Event()
    line.traps["through"] = fails_until([], 1)
    with Runtime() as runtime:
        keeper = runtime.supervise(IdleKept(counting(line, [])))
        assert ended.wait(DEADLINE_S)
        run = keeper.run
        with pytest.raises(TimeoutError):
            run.wait(0.01)
        runtime._engine.kill(keeper.actor, Killed())
        with pytest.raises(PipelineError, match="0"):
            run.wait(DEADLINE_S)
    assert expected_errors


# -- runs as objects ----------------------------------------------------------------------------------


def test_a_child_spec_has_the_name_of_its_pipeline_and_runs_again_when_it_has_failed(line):
    pipeline = Pipeline.of("line", line.graph())

    assert pipeline.child_spec().id == "line"
    assert pipeline.child_spec().restart == "transient"
    spec = pipeline.child_spec("loading", restart="permanent", shutdown_s=30, name="listed")
    assert (spec.id, spec.start, spec.shutdown_s, spec.name) == ("loading", pipeline, 30, "listed")
    with pytest.raises(OptionError):
        pipeline.child_spec(restart="sometimes")


def test_a_run_does_not_pickle_and_says_what_to_pass(line):
    with (
        Pipeline.of("line", line.graph()).run() as run,
        pytest.raises(TypeError, match="pass its statistics"),
    ):
        pickle.dumps(run)


@pytest.mark.parametrize("private", [True, False])
def test_a_run_that_is_left_alone_is_told_of(line, private):
    with Runtime() as runtime, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run = Pipeline.of("line", line.graph()).run(runtime=None if private else runtime)
        engine, present = run._engine, run._present
        assert present.ended.wait(DEADLINE_S)
        del run
        gc.collect()
        if private:
            engine.close(DEADLINE_S)
    assert [str(one.message) for one in told] == [
        "run 'line' was left alone: wait for it, stop it, or use it in a with block"
    ]
    assert told[0].category is ResourceWarning


@pytest.mark.parametrize("end", ["wait", "stop", "close", "drain", "on_end", "supervised"])
def test_a_run_that_is_looked_after_is_not_told_of(line, end):
    with Runtime() as runtime, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        pipeline = Pipeline.of("line", line.graph())
        run = runtime.supervise(pipeline) if end == "supervised" else pipeline.run(runtime=runtime)
        if end == "on_end":
            assert run._present.ended.wait(DEADLINE_S)
            run.on_end(lambda _: None)
        elif end != "supervised":
            getattr(run, end)()
        del run
        gc.collect()
    assert told == []


def test_the_work_of_a_run_that_cannot_begin_is_given_up():
    class Job(GraphJob):
        def abandon(self, failures):
            given_up.append(failures)

    given_up = []
    with Runtime() as runtime:
        pass
    with pytest.raises(Exception, match="the runtime is closed"):
        Pipeline("late", lambda: Job(None, dict)).run(runtime=runtime)
    assert given_up == [(StageFailure("supervisor", Shutdown("the runtime is closed")),)]
