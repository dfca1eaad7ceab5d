"""What telemetry hears of a run: that it begins, begins anew, fails, is drained and ends, in this order."""

import threading

import pytest

from genstage import Killed, Pipeline, PipelineError, Runtime
from genstage.telemetry import EVENTS

DEADLINE_S = 20.0
NAMES = [name for name in EVENTS if name.startswith("pipeline.")]


@pytest.fixture
def heard():
    """The events of a runtime, and the runtime."""
    told = []
    with Runtime(name="test") as runtime:
        runtime.telemetry.attach("told", told.append, events=NAMES)
        yield told, runtime


def names(told):
    return [event.name.removeprefix("pipeline.") for event in told]


def test_a_completed_run_begins_and_ends(line, heard):
    told, runtime = heard
    run = Pipeline.of("line", line.graph()).run(runtime=runtime)
    run.wait(DEADLINE_S)

    assert names(told) == ["start", "stop"]
    assert told[1].metadata["state"] == "completed"
    assert told[1].measurements == {"duration_s": pytest.approx(run.statistics().elapsed_s), "records": 0}
    assert {(event.metadata["runtime"], event.metadata["pipeline"]) for event in told} == {("test", "line")}
    assert len({event.metadata["run"] for event in told}) == 1
    for event in told:
        kind = EVENTS[event.name]
        assert event.measurements.keys() == kind.measurements.keys()
        assert event.metadata.keys() == {"runtime", "pipeline", "run", *kind.metadata}


def test_a_run_that_begins_anew_and_fails_tells_of_both(line, heard, expected_errors):
    told, runtime = heard
    error = ValueError("boom")

    def trap(moment):
        if moment == 17:
            raise error

    line.traps["through"] = trap
    run = Pipeline.of("line", line.graph(), max_restarts=1).run(runtime=runtime)
    with pytest.raises(PipelineError):
        run.wait(DEADLINE_S)

    assert names(told) == ["start", "restart", "exception", "stop"]
    assert told[1].measurements == {"restarts": 1}
    assert told[1].metadata["reason"].exception is error
    assert (told[2].metadata["stage"], told[2].metadata["reason"].exception) == ("through", error)
    assert told[3].metadata["state"] == "failed"
    assert expected_errors


def test_a_drain_tells_how_it_ended_and_how_long_it_took(line, heard):
    told, runtime = heard
    line.end = 10**9
    run = Pipeline.of("line", line.graph()).run(runtime=runtime)
    run.drain(timeout_s=DEADLINE_S)
    run.wait(DEADLINE_S)

    assert names(told) == ["start", "drain", "stop"]
    assert told[1].metadata["outcome"] == "completed"
    assert 0 <= told[1].measurements["duration_s"] <= told[2].measurements["duration_s"]


def test_a_killed_supervisor_is_told_of_once(line, heard, gate):
    told, runtime = heard
    reached = threading.Event()
    line.traps["left"] = lambda moment: moment == "init" and (reached.set(), gate.wait(DEADLINE_S))
    run = Pipeline.of("line", line.graph()).run(runtime=runtime)
    assert reached.wait(DEADLINE_S)
    runtime._engine.kill(run._actor, Killed())
    with pytest.raises(PipelineError):
        run.wait(DEADLINE_S)

    assert names(told) == ["start", "exception", "stop"]
    assert (told[1].metadata["stage"], told[1].metadata["reason"]) == ("supervisor", Killed())
    assert told[2].metadata["state"] == "failed"
