import threading
import time

import pytest

from genstage import (
    CallTimeoutError,
    Consumer,
    ConsumerSupervisor,
    Edge,
    Graph,
    GraphError,
    Killed,
    Node,
    OptionError,
    Pipeline,
    PipelineError,
    Producer,
    Runtime,
    Shutdown,
    StartError,
    Task,
)
from genstage.pipeline import IterableProducer

DEADLINE_S = 20.0


def until(true):
    """Wait for something that nobody can be asked to tell."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


STAGES = ("numbers", "through", "left", "right")
NOTHING = {"left": None, "right": None}
MOMENTS = ("init", 0, 17, 39, "end")


def raise_at(moment, error):
    def trap(now):
        if now == moment:
            raise error

    return trap


def stop_and_open(run, gate):
    """Stop the run, and open the gate that holds one of its stages when it has begun to stop."""
    stopper = threading.Thread(target=run.stop)
    stopper.start()
    until(lambda: run.statistics().state == "stopping")
    gate.set()
    stopper.join(DEADLINE_S)


def pipeline(line, **options):
    return Pipeline.of("line", line.graph(), **options)


def test_all_events_reach_some_consumer_once_and_the_run_completes(line):
    with pipeline(line).run() as run:
        assert run.wait(DEADLINE_S) == NOTHING

    assert sorted(line.left + line.right) == list(range(line.end))
    statistics = run.statistics()
    assert statistics.state == "completed"
    assert statistics.restarts == 0
    assert {name: stage.state for name, stage in statistics.stages.items()} == dict.fromkeys(STAGES, "ended")
    assert statistics.stages["numbers"].events_out == line.end
    assert statistics.stages["through"].events_in == line.end
    assert statistics.stages["left"].events_in + statistics.stages["right"].events_in == line.end


def test_the_results_of_its_sinks_are_the_result_of_the_run(line):
    line.results = {"left": "L", "right": ("R", 2)}
    with pipeline(line).run() as run:
        assert run.wait(DEADLINE_S) == {"left": "L", "right": ("R", 2)}

    assert run.results == {"left": "L", "right": ("R", 2)}
    assert run.failures == {}


def test_the_results_of_sinks_that_have_ended_can_be_seen_while_others_run(line, gate):
    line.results = {"left": 1, "right": 2}
    line.traps["right"] = lambda moment: moment == "end" and gate.wait()
    with pipeline(line).run() as run:
        until(lambda: run.results)
        assert run.results == {"left": 1}
        assert run.statistics().state == "finalizing"
        gate.set()
        run.wait(DEADLINE_S)
    assert run.results == {"left": 1, "right": 2}


def test_the_results_of_an_attempt_that_failed_do_not_count(line, expected_errors):
    attempts = []

    def trap(moment):
        if moment == "end" and not attempts:
            attempts.append(moment)
            until(lambda: run.results)
            line.results = {"right": "new"}
            raise ValueError("once")

    line.results = {"left": "old"}
    line.traps["right"] = trap
    work = Work(line.graph())
    with run_work(work) as run:
        run.wait(DEADLINE_S)

    assert work.results == run.results == {"left": None, "right": "new"}
    assert expected_errors


def test_the_failures_of_a_run_can_be_seen_by_stage(line, expected_errors):
    error = ValueError("boom")
    line.traps["through"] = raise_at(17, error)

    run = pipeline(line).run()
    with pytest.raises(PipelineError) as caught:
        run.wait(DEADLINE_S)

    assert run.failures == {"through": caught.value.failures[0]}
    assert run.results == {}
    assert expected_errors


def test_a_recipe_can_be_run_again_and_by_two_at_a_time(line):
    recipe = pipeline(line)
    with Runtime() as runtime:
        for _ in range(2):
            with recipe.run(runtime=runtime):
                pass
            assert sorted(line.left + line.right) == list(range(line.end))


def test_leaving_the_block_waits_for_the_end(line, gate):
    line.traps["left"] = lambda moment: moment == "init" and gate.wait()
    threading.Timer(0.05, gate.set).start()

    with pipeline(line).run() as run:
        pass

    assert run.statistics().state == "completed"


@pytest.mark.repeat
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_failure_anywhere_fails_the_run_with_its_stage_and_cause(line, expected_errors, stage, moment):
    error = ValueError("boom")
    if stage in {"left", "right"} and isinstance(moment, int):  # which of the two gets an event is not fixed
        line.traps["left"] = line.traps["right"] = raise_at(moment, error)
        blamed = {"left", "right"}
    else:
        line.traps[stage] = raise_at(moment, error)
        blamed = {stage}

    with pytest.raises(PipelineError) as caught, pipeline(line).run() as run:
        run.wait(DEADLINE_S)

    assert caught.value.failures[0].stage in blamed
    assert caught.value.failures[0].exception is error
    assert caught.value.__cause__ is error
    assert len(caught.value.failures) == 1
    assert run.statistics().state == "failed"
    assert expected_errors  # told to the log with its stack


@pytest.mark.repeat
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("moment", MOMENTS)
def test_stopping_at_any_moment_cancels_the_run(line, gate, stage, moment):
    reached = threading.Event()

    def trap(now):
        if now == moment or (stage in {"left", "right"} and isinstance(moment, int) and isinstance(now, int)):
            reached.set()
            gate.wait()

    line.traps[stage] = trap
    with pipeline(line).run() as run:
        assert reached.wait(DEADLINE_S)
        stop_and_open(run, gate)
        assert run.statistics().state == "cancelled"
        with pytest.raises(PipelineError) as caught:
            run.wait(DEADLINE_S)
        assert caught.value.failures == ()
        run.stop()  # again: nothing happens


def test_stop_after_the_end_changes_nothing(line):
    with pipeline(line).run() as run:
        run.wait(DEADLINE_S)
        run.stop()

        assert run.wait(DEADLINE_S) == NOTHING
        assert run.statistics().state == "completed"


def test_an_exception_in_the_block_stops_the_run_and_goes_on(line):
    reached, runs = threading.Event(), []

    def trap(moment):
        if moment == 17:
            reached.set()
            until(lambda: runs and runs[0].statistics().state == "stopping")

    line.traps["numbers"] = trap

    def interrupted():
        with pipeline(line).run() as run:
            runs.append(run)
            assert reached.wait(DEADLINE_S)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (run,) = runs

    assert run.statistics().state == "cancelled"


def test_waiting_has_a_deadline_and_the_run_goes_on(line, gate):
    line.traps["right"] = lambda moment: moment == "init" and gate.wait()

    with pipeline(line).run() as run:
        with pytest.raises(CallTimeoutError) as caught:
            run.wait(0.01)
        assert caught.value.name == "line"
        gate.set()
        assert run.wait(DEADLINE_S) == NOTHING


def test_a_crash_that_does_not_come_back_is_survived(line, expected_errors):
    crashes = []

    def trap(moment):
        if moment == 17 and not crashes:
            crashes.append(moment)
            raise ValueError("once")

    line.traps["through"] = trap
    with pipeline(line, max_restarts=3).run() as run:
        run.wait(DEADLINE_S)

    assert sorted(line.left + line.right) == list(range(line.end))
    assert run.statistics().restarts == 1
    assert [record.exc_info[1].args for record in expected_errors] == [("once",)]


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_is_replaced(line, gate, stage):
    reached = threading.Event()
    line.traps["through"] = lambda moment: moment == 17 and (reached.set(), gate.wait())
    with pipeline(line, max_restarts=3).run() as run:
        assert reached.wait(DEADLINE_S)
        actor = run._supervisor._attempt.group.actors[stage]
        run._engine.kill(actor, Killed())
        line.traps["through"] = lambda _: None
        gate.set()
        run.wait(DEADLINE_S)

    assert run.statistics().restarts == 1
    assert sorted(line.left + line.right) == list(range(line.end))


def test_the_same_crash_twice_in_a_row_is_final(line, expected_errors):
    def trap(moment):
        if moment == 17:
            raise ValueError("always")

    line.traps["through"] = trap
    with pytest.raises(PipelineError) as caught, pipeline(line, max_restarts=9).run() as run:
        run.wait(DEADLINE_S)

    assert run.statistics().restarts == 1
    assert [failure.stage for failure in caught.value.failures] == ["through", "through"]
    assert expected_errors


def test_the_budget_of_restarts_is_kept(line, expected_errors):
    crashes = iter(range(100))

    def trap(moment):
        if moment == 17:
            raise ValueError(next(crashes))

    line.traps["through"] = trap
    with pytest.raises(PipelineError) as caught, pipeline(line, max_restarts=2).run() as run:
        run.wait(DEADLINE_S)

    assert run.statistics().restarts == 2
    assert [failure.exception.args for failure in caught.value.failures] == [(2,), (1,), (0,)]
    assert expected_errors


def test_a_stage_that_does_not_stop_in_time_is_killed_and_nobody_waits_for_it(line, gate):
    reached = threading.Event()
    line.traps["left"] = lambda moment: moment == "init" or (reached.set(), gate.wait())

    run = pipeline(line, shutdown_s=0.05).run()
    assert reached.wait(DEADLINE_S)
    run.stop(timeout_s=DEADLINE_S)

    assert run.statistics().state == "cancelled"
    gate.set()
    run.close()


@pytest.mark.parametrize(
    ("option", "value"), [("max_restarts", -1), ("max_restarts", True), ("shutdown_s", -1)]
)
def test_wrong_options_are_refused(line, option, value):
    with pytest.raises(OptionError) as caught:
        pipeline(line, **{option: value})

    assert caught.value.option == option


class Work:
    """A job that records its calls and fails where it is told to."""

    whole_when_drained = True

    def __init__(self, graph, **errors):
        self.graph, self.errors, self.calls = graph, errors, []

    def note(self, call, *arguments):
        self.calls.append((call, *arguments))
        if call in self.errors:
            raise self.errors[call]

    def attempt(self, epoch):
        self.note("attempt", epoch)
        return self.graph

    def complete(self, restarts, results):
        self.note("complete", restarts)
        self.results = results
        return "result"

    def abandon(self, failures):
        self.note("abandon", [failure.stage for failure in failures])

    def records(self):
        return 7

    def expected(self):
        return 9


def run_work(work):
    return Pipeline("work", lambda: work).run()


def test_a_job_is_attempted_and_completed(line):
    work = Work(line.graph())

    with run_work(work) as run:
        assert run.wait(DEADLINE_S) == "result"

    assert work.calls == [("attempt", 0), ("complete", 0)]
    assert (run.statistics().records, run.statistics().expected) == (7, 9)


@pytest.mark.parametrize("step", ["attempt", "complete"])
def test_a_job_that_fails_fails_the_run_and_is_abandoned(line, expected_errors, step):
    error = OSError("full")
    work = Work(line.graph(), **{step: error})

    with pytest.raises(PipelineError) as caught, run_work(work) as run:
        run.wait(DEADLINE_S)

    assert caught.value.__cause__ is error
    assert work.calls[-1] == ("abandon", ["preparing" if step == "attempt" else "publishing"])
    assert run.statistics().state == "failed"
    assert expected_errors


def test_a_failing_cleanup_does_not_hide_the_failure(line, expected_errors):
    first = ValueError("first")
    line.traps["numbers"] = raise_at(3, first)
    work = Work(line.graph(), abandon=OSError("second"))

    with pytest.raises(PipelineError) as caught:
        Pipeline("work", lambda: work, max_restarts=0).run().wait(DEADLINE_S)

    assert caught.value.__cause__ is first
    assert [failure.stage for failure in caught.value.failures] == ["numbers", "abandoning"]
    assert expected_errors


def test_a_stop_while_publishing_does_not_undo_it(line, gate):
    publishing = threading.Event()
    work = Work(line.graph())
    complete = work.complete

    def slow(restarts, results):
        publishing.set()
        gate.wait()
        return complete(restarts, results)

    work.complete = slow
    with run_work(work) as run:
        assert publishing.wait(DEADLINE_S)
        with pytest.raises(CallTimeoutError):
            run.stop(timeout_s=0.01)
        gate.set()

        assert run.wait(DEADLINE_S) == "result"


@pytest.mark.parametrize("step", ["attempt", "complete"])
def test_a_killed_step_of_the_work_is_no_success_unless_it_gets_to_its_end_all_the_same(line, gate, step):
    begun = threading.Event()
    work = Work(line.graph())
    call = getattr(work, step)

    def slow(*arguments):
        begun.set()
        gate.wait(DEADLINE_S)
        return call(*arguments)

    setattr(work, step, slow)
    with Runtime() as runtime:
        run = Pipeline("work", lambda: work).run(runtime=runtime)
        assert begun.wait(DEADLINE_S)
        name = "preparing" if step == "attempt" else "publishing"
        (task,) = [actor for actor in runtime._engine._actors if actor.name == name]
        runtime._engine.kill(task, Killed())
        gate.set()
        if step == "complete":  # what has been published stays
            assert run.wait(DEADLINE_S) == "result"
            assert work.calls == [("attempt", 0), ("complete", 0)]
        else:
            with pytest.raises(PipelineError) as caught:
                run.wait(DEADLINE_S)
            assert [(one.stage, one.reason) for one in caught.value.failures] == [("preparing", Killed())]
            assert work.calls == [("attempt", 0), ("abandon", ["preparing"])]


def test_a_stop_after_a_survived_crash_is_a_cancel(line, gate, expected_errors):
    reached, crashes = threading.Event(), []

    def trap(moment):
        if moment == 17 and not crashes:
            crashes.append(moment)
            raise ValueError("once")
        if moment == 39:
            reached.set()
            gate.wait()

    line.traps["through"] = trap
    work = Work(line.graph())
    with run_work(work) as run:
        assert reached.wait(DEADLINE_S)
        stop_and_open(run, gate)
        with pytest.raises(PipelineError, match="was stopped") as caught:
            run.wait(DEADLINE_S)

    assert caught.value.failures == ()
    assert run.statistics().state == "cancelled"
    assert work.calls[-1] == ("abandon", [])
    assert expected_errors


def test_a_failure_is_not_swallowed_by_a_stop(line, expected_errors):
    line.traps["through"] = raise_at(17, ValueError("boom"))

    def stop_too_late():
        with pipeline(line).run() as run:
            until(lambda: run.statistics().state == "failed")
            run.stop()

    with pytest.raises(PipelineError, match="boom"):
        stop_too_late()
    assert expected_errors


@pytest.mark.parametrize(
    ("edges", "node"),
    [
        ((Edge("right", "left"), Edge("left", "numbers")), "left"),
        ((Edge("left", "right"),), "right"),
        ((Edge("through", "numbers"), Edge("left", "numbers")), "through"),
    ],
)
def test_a_graph_of_the_wrong_kinds_fails_at_the_start(line, edges, node):
    used = {name for edge in edges for name in (edge.consumer, edge.producer)}
    graph = Graph(tuple(one for one in line.graph().nodes if one.name in used), edges)

    with pytest.raises(PipelineError) as caught, Pipeline.of("wrong", graph).run() as run:
        run.wait(DEADLINE_S)

    assert isinstance(caught.value.__cause__, GraphError)
    assert caught.value.__cause__.node == node


class TakeThree(Consumer):
    """Has had enough after three events."""

    def __init__(self, into):
        self.into = into

    def handle_events(self, events, _):
        self.into.extend(events)
        if len(self.into) >= 3:
            self.stage.stop()


class Endless(Producer):
    def handle_demand(self, demand):
        return range(demand)


def test_a_run_is_completed_when_all_sinks_have_had_enough():
    taken = []
    graph = Graph(
        (Node("endless", Endless), Node("three", lambda: TakeThree(taken))),
        (Edge("three", "endless", {"max_demand": 1}),),
    )

    with Pipeline.of("enough", graph).run() as run:
        assert run.wait(DEADLINE_S) == {"three": None}

    assert taken[:3] == [0, 0, 0]
    assert run.statistics().state == "completed"


def test_a_run_is_not_waited_for_by_its_own_stages(line):
    refused = []

    def trap(_):
        for wait in (run.wait, run.stop):
            try:
                wait()
            except RuntimeError as error:
                refused.append(str(error))

    begun = threading.Event()
    line.traps["through"] = lambda moment: moment == "init" and begun.wait(DEADLINE_S)
    line.traps["numbers"] = lambda moment: moment == 3 and trap(moment)
    line.traps["left"] = lambda moment: moment == "end" and trap(moment)
    with pipeline(line).run() as run:
        begun.set()
        run.wait(DEADLINE_S)

    assert refused == ["run 'line': a stage cannot wait for the end of its own run"] * 4


def test_a_run_is_not_waited_for_by_a_step_of_its_own_work(line):
    begun, refused, runs = threading.Event(), [], []

    class Curious(Work):
        def attempt(self, epoch):
            begun.wait(DEADLINE_S)
            refused.append(refusal(runs[0].drain))
            return super().attempt(epoch)

    with Runtime() as runtime:
        runs.append(Pipeline("work", lambda: Curious(line.graph())).run(runtime=runtime))
        begun.set()
        runs[0].wait(DEADLINE_S)

    assert refused == ["run 'work': a stage cannot wait for the end of its own run"]


def test_a_run_is_not_waited_for_by_a_child_of_its_own_stages():
    begun, refused, runs = threading.Event(), [], []

    def ask(_number):
        begun.wait(DEADLINE_S)
        refused.append(refusal(runs[0].stop))

    graph = Graph(
        (
            Node("one", lambda: IterableProducer([1])),
            Node("each", ConsumerSupervisor(lambda n: Task(ask, n))),
        ),
        (Edge("each", "one"),),
    )
    with Pipeline.of("nested", graph).run() as run:
        runs.append(run)
        begun.set()
        run.wait(DEADLINE_S)

    assert refused == ["run 'nested': a stage cannot wait for the end of its own run"]


def refusal(wait):
    """Why one must not wait."""
    try:
        return wait(timeout_s=DEADLINE_S)
    except RuntimeError as error:
        return str(error)


class Broken(Work):
    """Its graph is none."""

    def attempt(self, epoch):
        super().attempt(epoch)


def test_a_mistake_in_the_supervisor_ends_the_run_and_abandons_the_job(line, expected_errors):
    work = Broken(line.graph())

    with pytest.raises(PipelineError) as caught, run_work(work) as run:
        run.wait(DEADLINE_S)

    assert isinstance(caught.value.__cause__, AssertionError)
    assert run.statistics().state == "failed"
    assert work.calls == [("attempt", 0), ("abandon", ["supervisor"])]
    assert expected_errors


@pytest.mark.repeat
@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_supervisor_takes_its_stages_and_its_work_along(line, gate, stage):
    reached = threading.Event()
    line.traps[stage] = lambda moment: moment == "init" or (reached.set(), gate.wait())
    work = Work(line.graph())
    with Runtime() as runtime:
        run = Pipeline("work", lambda: work).run(runtime=runtime)
        assert reached.wait(DEADLINE_S)
        run._engine.kill(run._actor, Killed())
        with pytest.raises(PipelineError) as caught:
            run.wait(DEADLINE_S)
        gate.set()
        assert [failure.reason for failure in caught.value.failures] == [Killed()]
        assert run.statistics().state == "failed"
        assert not runtime._engine._actors
    assert work.calls == [("attempt", 0), ("abandon", ["supervisor"])]


def kill_supervisor_while_publishing(line, gate, **errors):
    """What becomes of a run whose supervisor is killed while the result is being made final."""
    publishing = threading.Event()
    work = Work(line.graph(), **errors)
    complete = work.complete

    def slow(restarts, results):
        publishing.set()
        gate.wait(DEADLINE_S)
        return complete(restarts, results)

    work.complete = slow
    with Runtime() as runtime:
        run = Pipeline("work", lambda: work).run(runtime=runtime)
        assert publishing.wait(DEADLINE_S)
        run._engine.kill(run._actor, Killed())
        with pytest.raises(CallTimeoutError):
            run.wait(0.01)
        assert run.statistics().state == "publishing"
        gate.set()
        try:
            return run.wait(DEADLINE_S), run, work.calls
        except PipelineError as error:
            return error, run, work.calls


def test_a_publication_under_way_decides_the_outcome_without_its_supervisor(line, gate):
    result, run, calls = kill_supervisor_while_publishing(line, gate)

    assert result == "result"
    assert (run.statistics().state, run.failures) == ("completed", {})
    assert calls == [("attempt", 0), ("complete", 0)]


def test_a_publication_that_fails_without_its_supervisor_is_abandoned(line, gate, expected_errors):
    result, run, calls = kill_supervisor_while_publishing(line, gate, complete=OSError("full"))

    assert (run.statistics().state, list(run.failures)) == ("failed", ["supervisor"])
    assert [failure.stage for failure in result.failures] == ["supervisor"]
    assert calls == [("attempt", 0), ("complete", 0), ("abandon", ["supervisor"])]
    assert expected_errors


def test_what_fails_while_the_others_are_stopped_is_told_too(line, gate, expected_errors):
    reached = threading.Event()

    def fail_second(moment):
        if moment == "init":
            return
        reached.set()
        gate.wait(DEADLINE_S)
        raise ValueError("second")

    line.traps["right"] = fail_second

    def fail_first(moment):
        if moment == "init":
            return
        reached.wait(DEADLINE_S)
        raise ValueError("first")

    line.traps["left"] = fail_first

    run = pipeline(line).run()
    until(lambda: run.statistics().state == "stopping")
    gate.set()
    with pytest.raises(PipelineError) as caught:
        run.wait(DEADLINE_S)

    assert [str(failure.exception) for failure in caught.value.failures] == ["first", "second"]
    assert expected_errors


def test_equal_failures_are_all_told(line):
    begun, runs = threading.Event(), []

    def trap(moment):
        if moment == "init":
            begun.wait(DEADLINE_S)
        elif moment == 17:
            (run,) = runs
            run._engine.kill(run._supervisor._attempt.group.actors["left"], Killed())

    line.traps["through"] = trap
    run = pipeline(line, max_restarts=9).run()
    runs.append(run)
    begun.set()
    with pytest.raises(PipelineError) as caught:
        run.wait(DEADLINE_S)

    assert [(one.stage, one.reason) for one in caught.value.failures] == [("left", Killed())] * 2


def test_refused_input_starts_nothing():
    def refuse():
        raise OptionError("query", "", "a SELECT")

    with pytest.raises(OptionError):
        Pipeline("refused", refuse).run()


def test_a_closed_runtime_starts_nothing_and_the_job_is_abandoned(line):
    with Runtime() as runtime:
        pass
    work = Work(line.graph())

    with pytest.raises(StartError) as caught:
        Pipeline("work", lambda: work).run(runtime=runtime)

    assert caught.value.reason == Shutdown("the runtime is closed")
    assert work.calls == [("abandon", ["supervisor"])]


def test_a_run_shows_itself_in_one_line(line):
    with pipeline(line).run() as run:
        run.wait(DEADLINE_S)

    assert repr(run) == "<Run 'line' completed 0/4 stages>"
    assert repr(pipeline(line)) == "<Pipeline 'line'>"
