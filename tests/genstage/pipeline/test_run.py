import threading
import time

import pytest

from genstage import (
    CallTimeoutError,
    Killed,
    OptionError,
    Pipeline,
    PipelineError,
    Runtime,
    Shutdown,
    StartError,
)

DEADLINE_S = 20.0


def until(true):
    """Wait for something that nobody can be asked to tell."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


STAGES = ("numbers", "through", "left", "right")
MOMENTS = ("init", 0, 17, 39, "end")


def raise_at(moment, error):
    def trap(now):
        if now == moment:
            raise error

    return trap


def pipeline(line, **options):
    return Pipeline.of("line", line.graph(), **options)


def test_all_events_reach_some_consumer_once_and_the_run_completes(line):
    with pipeline(line).run() as run:
        assert run.wait(DEADLINE_S) is None

    assert sorted(line.left + line.right) == list(range(line.end))
    statistics = run.statistics()
    assert statistics.state == "completed"
    assert statistics.restarts == 0
    assert {name: stage.state for name, stage in statistics.stages.items()} == dict.fromkeys(STAGES, "ended")
    assert statistics.stages["numbers"].events_out == line.end
    assert statistics.stages["through"].events_in == line.end
    assert statistics.stages["left"].events_in + statistics.stages["right"].events_in == line.end


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
        stopper = threading.Thread(target=run.stop)
        stopper.start()
        until(lambda: run.statistics().state == "stopping")
        gate.set()
        stopper.join(DEADLINE_S)
        assert run.statistics().state == "cancelled"
        with pytest.raises(PipelineError) as caught:
            run.wait(DEADLINE_S)
        assert caught.value.failures == ()
        run.stop()  # again: nothing happens


def test_stop_after_the_end_changes_nothing(line):
    with pipeline(line).run() as run:
        run.wait(DEADLINE_S)
        run.stop()

        assert run.wait(DEADLINE_S) is None
        assert run.statistics().state == "completed"


def test_an_exception_in_the_block_stops_the_run_and_goes_on(line, gate):
    reached = threading.Event()
    line.traps["numbers"] = lambda moment: moment == 17 and (reached.set(), gate.wait(0.2))
    runs = []

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
        assert run.wait(DEADLINE_S) is None


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
        actor = run._supervisor._group.children[stage]
        run._actor._engine.kill(actor, Killed())
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

    def __init__(self, graph, **errors):
        self.graph, self.errors, self.calls = graph, errors, []

    def note(self, call, *arguments):
        self.calls.append((call, *arguments))
        if call in self.errors:
            raise self.errors[call]

    def attempt(self, epoch):
        self.note("attempt", epoch)
        return self.graph

    def complete(self, restarts):
        self.note("complete", restarts)
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

    def slow(restarts):
        publishing.set()
        gate.wait()
        return complete(restarts)

    work.complete = slow
    with run_work(work) as run:
        assert publishing.wait(DEADLINE_S)
        with pytest.raises(CallTimeoutError):
            run.stop(timeout_s=0.01)
        gate.set()

        assert run.wait(DEADLINE_S) == "result"


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
    assert work.calls == [("abandon", [])]


def test_a_run_shows_itself_in_one_line(line):
    with pipeline(line).run() as run:
        run.wait(DEADLINE_S)

    assert repr(run) == "<Run 'line' completed 0/4 stages>"
    assert repr(pipeline(line)) == "<Pipeline 'line'>"
