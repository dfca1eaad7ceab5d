"""Pipelines as children of supervisors, as an application has them."""

import threading
import time
from contextlib import suppress

import pytest

from genstage import (
    Consumer,
    DynamicSupervisor,
    Flow,
    Killed,
    OptionError,
    Pipeline,
    PipelineError,
    Runtime,
    Supervisor,
    child_spec,
)
from genstage.pipeline import GraphJob

DEADLINE_S = 20.0


def until(true):
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


class Cache(Consumer):
    pass


def failing_until(line, attempt, opened):
    """A pipeline that fails in each incarnation before this one."""

    def open_job():
        opened.append(None)
        return GraphJob(line.graph(), lambda results: (len(opened), results))

    def trap(moment):
        if moment == 17 and len(opened) < attempt:
            raise ValueError(len(opened))

    line.traps["through"] = trap
    return Pipeline("line", open_job, max_restarts=0)


def test_the_example_of_an_application():
    orders = list(range(100))
    cache = child_spec("cache", Cache, restart="permanent")
    loading = (
        Flow.from_iterable(lambda: orders, name="orders")
        .reduce(max, 0)
        .child_spec("loading", restart="transient", shutdown_s=30)
    )
    tree = Supervisor(cache, loading, strategy="rest_for_one", max_restarts=3, restart_window_s=5)

    with Runtime(name="billing", shutdown_s=60) as runtime:
        supervisor = runtime.supervise(tree)
        run = supervisor.child(loading)
        assert run.wait(DEADLINE_S) == 99
        run.drain(timeout_s=30)  # it has ended: nothing happens
        assert run.statistics().state == "completed"
        until(lambda: supervisor.count_children().active == 1)


def test_a_supervisor_runs_a_failed_pipeline_again(line, expected_errors):
    opened = []
    spec = failing_until(line, 3, opened).child_spec()
    with Runtime() as runtime:
        run = runtime.supervise(Supervisor(spec, max_restarts=5)).child(spec)
        assert run.wait(DEADLINE_S) == (3, {"left": None, "right": None})
    assert sorted(line.left + line.right) == list(range(line.end))
    assert len(opened) == 3
    assert expected_errors


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_a_pipeline_that_fails_too_often_takes_its_supervisor_along_and_its_run_ends(
    line, expected_errors, strategy
):
    opened = []
    spec = failing_until(line, 99, opened).child_spec()
    other = child_spec("cache", Cache)
    with Runtime() as runtime:
        supervisor = runtime.supervise(Supervisor(spec, other, strategy=strategy, max_restarts=2))
        run = supervisor.child(spec)
        with pytest.raises(PipelineError, match="stage 'through' failed: ValueError: 3") as caught:
            run.wait(DEADLINE_S)
        assert caught.value.__cause__.args == (3,)
        until(lambda: not supervisor.alive)
        assert "ValueError: 3" in str(supervisor.reason)  # the whole chain
    assert expected_errors


def test_a_completed_pipeline_runs_again_only_if_it_is_permanent(line, expected_errors):
    opened = []
    transient = failing_until(line, 0, opened).child_spec("transient")
    permanent = failing_until(line, 0, opened).child_spec("permanent", restart="permanent")
    with Runtime() as runtime:
        run = runtime.supervise(Supervisor(transient)).child(transient)
        assert run.wait(DEADLINE_S)[0] == 1
        supervisor = runtime.supervise(Supervisor(permanent, max_restarts=3, restart_window_s=60))
        run = supervisor.child(permanent)
        assert run.wait(DEADLINE_S)[0] == 5  # the last one: then the supervisor has given up
    assert expected_errors


@pytest.mark.repeat
@pytest.mark.parametrize("end", ["kill supervisor", "kill run", "close", "terminate", "stop"])
@pytest.mark.parametrize("moment", ["init", 17, "end"])
def test_a_run_is_never_waited_for_in_vain(line, times, end, moment):
    for number in times:
        reached, go = threading.Event(), threading.Event()

        def trap(now, reached=reached, go=go, held=number % 2):
            if now == moment:
                reached.set()
                if held:
                    go.wait(DEADLINE_S)

        line.traps = dict.fromkeys(line.STAGES, trap)
        spec = Pipeline.of("line", line.graph(), shutdown_s=0.2).child_spec()
        runtime = Runtime(shutdown_s=1.0)
        supervisor = runtime.supervise(Supervisor(spec))
        run = supervisor.child(spec)
        assert reached.wait(DEADLINE_S)
        act(end, runtime, supervisor, run)
        go.set()
        with suppress(PipelineError):
            run.wait(DEADLINE_S)
        assert run.statistics().state in {"completed", "failed", "cancelled"}
        runtime.close()
        assert not runtime._engine._actors


def act(end, runtime, supervisor, run):
    if end == "kill supervisor":
        runtime._engine.kill(supervisor._actor, Killed())
    elif end == "kill run":
        runtime._engine.kill(run._actor, Killed())
    elif end == "close":
        threading.Thread(target=runtime.close).start()
    elif end == "terminate":
        threading.Thread(target=supervisor.terminate_child, args=("line",)).start()
    else:
        run.stop_soon()


@pytest.mark.parametrize("recipe", [Supervisor(), DynamicSupervisor()])
def test_a_pipeline_whose_name_is_taken_is_no_harm_to_its_supervisor(line, recipe):
    with Runtime() as runtime:
        runtime.start(Cache, name="loading")
        supervisor = runtime.supervise(recipe)
        with pytest.raises(OptionError):
            supervisor.start_child(Pipeline.of("line", line.graph()).child_spec(name="loading"))

        assert supervisor.which_children() == []
