"""Each event is told by real work, with the measurements and the metadata that are written down for it."""

import threading
from itertools import count
from pathlib import Path

import pytest
from opentelemetry.trace import StatusCode

from genstage import (
    Backoff,
    Consumer,
    ConsumerSupervisor,
    Crash,
    Finish,
    Flow,
    Killed,
    Normal,
    PipelineError,
    Producer,
    Runtime,
    Supervisor,
    child_spec,
)
from genstage.telemetry import EVENTS

from .otel import Exported

DEADLINE_S = 20.0


class Told(list):
    """Keeps events, each as it has to be."""

    def __call__(self, event):
        kind = EVENTS[event.name]
        assert event.measurements.keys() == kind.measurements.keys(), event
        assert all(isinstance(value, int | float) and value >= 0 for value in event.measurements.values())
        assert event.metadata.keys() == {"runtime", "pipeline", "run", *kind.metadata}, event
        assert event.metadata["runtime"] == "billing"
        self.append(event)

    def of(self, *names):
        """What was told of some of the events: measurements that are no durations, and metadata."""
        return [
            (
                event.name,
                {name: value for name, value in event.measurements.items() if not name.endswith("_s")},
                {name: value for name, value in event.metadata.items() if name not in ("runtime", "run")},
            )
            for event in self
            if event.name in names
        ]


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def runtime(told):
    with Runtime(name="billing") as runtime:
        runtime.telemetry.attach("told", told)
        yield runtime
        assert runtime.telemetry.detach("told"), "the handler has raised"


class Numbers(Producer):
    def init(self):
        return {"buffer_size": 2}

    def handle_demand(self, _demand):
        return Finish(range(10))

    def handle_cast(self, request):
        return list(range(request))


class Stuck(Consumer):
    """Its callback goes on until the test lets it, and returns then as if nothing had happened."""

    def __init__(self, busy, go):
        self.busy, self.go = busy, go

    def handle_cast(self, _request):
        self.busy.set()
        assert self.go.wait(DEADLINE_S)

    def handle_events(self, _events, _origin):
        self.handle_cast(None)


def alone(**metadata):
    return {"pipeline": None, **metadata}


def test_of_a_stage(runtime, told):
    numbers, sink = runtime.start(Numbers, name="numbers"), runtime.start(Consumer, name="sink")
    numbers.cast(5)
    assert [*runtime.stream([(numbers, {"max_demand": 20})])]
    numbers.wait(timeout_s=DEADLINE_S)
    sink.stop(timeout_s=DEADLINE_S)
    assert told.of("stage.start", "stage.demand", "buffer.overflow", "stage.stop") == [
        ("stage.start", {}, alone(stage="numbers")),
        ("stage.start", {}, alone(stage="sink")),
        ("buffer.overflow", {"discarded": 3}, alone(stage="numbers")),
        ("stage.demand", {"demand": 18}, alone(stage="numbers")),
        ("stage.stop", {}, alone(stage="numbers", reason=Normal())),
        ("stage.stop", {}, alone(stage="sink", reason=Normal())),
    ]


@pytest.mark.usefixtures("expected_errors")
def test_of_a_crash_and_a_wrong_return(runtime, told):
    class Wrong(Consumer):
        def handle_cast(self, request):
            if request is None:
                raise error
            return request

    error = ValueError("boom")
    for name, request in (("raises", None), ("returns", "text")):
        wrong = runtime.start(Wrong, name=name)
        wrong.cast(request)
        assert wrong._actor.wait_end(DEADLINE_S)
    crashes = told.of("stage.crash", "stage.stop", "stage.killed")
    assert [(name, about["stage"]) for name, _, about in crashes] == [
        ("stage.crash", "raises"),
        ("stage.crash", "returns"),
    ]
    assert crashes[0][2]["reason"] == Crash(error)


@pytest.mark.parametrize("blocking", [False, True])
def test_of_a_kill(runtime, told, blocking):
    busy, go = threading.Event(), threading.Event()
    stuck = runtime.start(lambda: Stuck(busy, go), name="stuck", blocking=blocking)
    idle = runtime.start(lambda: Stuck(busy, go), name="idle", blocking=blocking)
    stuck.subscribe(runtime.start(Numbers, name="numbers"))
    assert busy.wait(DEADLINE_S)
    for ref in (stuck, idle):
        runtime._engine.kill(ref._actor, Killed())
    go.set()
    runtime.close()  # the callback has returned
    assert told.of("stage.killed") == [
        ("stage.killed", {}, alone(stage="stuck", reason=Killed(), in_callback=True)),
        ("stage.killed", {}, alone(stage="idle", reason=Killed(), in_callback=False)),
    ]
    ends = told.of("stage.batch", "stage.stop", "stage.crash")
    assert not [about for _, _, about in ends if about["stage"] in ("stuck", "idle")]


class Failing(Consumer):
    """Raises as soon as it runs."""

    def init(self):
        self.stage.send("go")

    def handle_info(self, _message):
        raise ERROR


ERROR = ValueError("boom")
TREES = {
    "of any children": lambda: Supervisor(child_spec("failing", Failing), max_restarts=2),
    "that waits": lambda: Supervisor(
        child_spec("failing", Failing),
        max_restarts=2,
        backoff=Backoff(first_s=0.001, max_s=0.001, jitter=0),
    ),
    "of a child per event": lambda: ConsumerSupervisor(
        lambda _event: Failing(), restart="transient", max_restarts=2
    ),
}


@pytest.mark.parametrize("kind", TREES)
@pytest.mark.usefixtures("expected_errors")
def test_of_a_supervisor_that_gives_up(runtime, told, kind):
    tree = runtime.supervise(TREES[kind](), name="tree")
    if kind == "of a child per event":
        tree.subscribe(runtime.from_iterable([7]), max_demand=1)
    assert tree._actor.wait_end(DEADLINE_S)
    found = told.of("supervisor.restart", "supervisor.gave_up")
    assert [(name, figures) for name, figures, _ in found] == [
        ("supervisor.restart", {"restarts": 1}),
        ("supervisor.restart", {"restarts": 2}),
        ("supervisor.gave_up", {"restarts": 2}),
    ]
    assert {about["supervisor"] for _, _, about in found} == {"tree"}
    assert {about["reason"] for _, _, about in found} == {Crash(ERROR)}
    delays = {event.measurements["delay_s"] for event in told if event.name == "supervisor.restart"}
    assert delays == {0.001 if kind == "that waits" else 0.0}


PIPELINE = ("pipeline.start", "pipeline.restart", "pipeline.exception", "pipeline.drain", "pipeline.stop")


def test_of_a_run_that_is_completed(runtime, told):
    flow = Flow.from_iterable(range(5), name="numbers").map(str, name="texts")
    assert flow.to_list(name="orders").run(runtime=runtime).wait(timeout_s=DEADLINE_S) == [*"01234"]
    assert [(name, about) for name, _, about in told.of(*PIPELINE)] == [
        ("pipeline.start", {"pipeline": told[0].metadata["pipeline"]}),
        ("pipeline.stop", {"pipeline": told[0].metadata["pipeline"], "state": "completed"}),
    ]
    runs = {event.metadata["run"] for event in told}
    assert len(runs) == 1
    assert None not in runs
    batches = {about["stage"] for _, _, about in told.of("stage.batch")}
    assert "texts" in batches


def test_of_a_drain(runtime, told):
    run = Flow.from_iterable(count, name="numbers").reduce(max, 0).run(runtime=runtime)
    run.drain(timeout_s=DEADLINE_S)
    found = told.of(*PIPELINE)
    assert [name for name, _, _ in found] == ["pipeline.start", "pipeline.drain", "pipeline.stop"]
    assert found[1][2]["outcome"] == "completed"


@pytest.mark.usefixtures("expected_errors")
def test_of_a_run_that_begins_anew_and_fails_and_so_does_its_span(runtime, told):
    exported = Exported()
    exported.attach(runtime.telemetry)
    flow = Flow.from_iterable(lambda: range(5), name="numbers").map(lambda n: 1 // (2 - n), name="quotients")
    pipeline = flow.to_list().with_options(name="orders", max_restarts=1)
    with pytest.raises(PipelineError):
        pipeline.run(runtime=runtime).wait(timeout_s=DEADLINE_S)
    found = told.of(*PIPELINE)
    assert [(name, figures) for name, figures, _ in found[:3]] == [
        ("pipeline.start", {}),
        ("pipeline.restart", {"restarts": 1}),
        ("pipeline.exception", {}),
    ]
    assert found[3][0] == "pipeline.stop"
    assert found[3][2] == {"pipeline": "orders", "state": "failed"}
    assert found[2][2]["stage"] == "quotients"
    assert isinstance(found[2][2]["reason"].exception, ZeroDivisionError)
    (span,) = exported.spans()
    assert (span.name, span.status.status_code) == ("pipeline orders", StatusCode.ERROR)
    assert [event.name for event in span.events] == [
        *("pipeline.restart", "exception"),
        *("pipeline.exception", "exception"),
    ]
    assert span.events[3].attributes["exception.type"] == "ZeroDivisionError"


def test_of_a_run_that_is_stopped(runtime, told):
    run = Flow.from_iterable(count, name="numbers").reduce(max, 0).run(runtime=runtime)
    run.stop(timeout_s=DEADLINE_S)
    assert [(name, about.get("state")) for name, _, about in told.of(*PIPELINE)] == [
        ("pipeline.start", None),
        ("pipeline.stop", "cancelled"),
    ]


def test_a_run_whose_supervisor_is_killed_is_told_to_its_end(runtime, told):
    exported = Exported()
    exported.attach(runtime.telemetry)
    run = Flow.from_iterable(count, name="numbers").reduce(max, 0).run(runtime=runtime)
    runtime._engine.kill(run._actor, Killed())
    with pytest.raises(PipelineError):
        run.wait(timeout_s=DEADLINE_S)
    ends = told.of("pipeline.exception", "pipeline.stop")
    assert [(name, about.get("state")) for name, _, about in ends] == [
        ("pipeline.exception", None),
        ("pipeline.stop", "failed"),
    ]
    assert [span.attributes["genstage.state"] for span in exported.spans()] == ["failed"]


def test_a_handler_that_comes_in_the_middle_hears_from_then_on(runtime, told):
    runtime.telemetry.detach("told")
    middle, go = threading.Event(), threading.Event()

    def passing(number):
        if number == 3:
            middle.set()
            assert go.wait(DEADLINE_S)
        return number

    flow = Flow.from_iterable(range(6), name="numbers").map(passing, name="passing", max_demand=1)
    run = flow.to_list().run(runtime=runtime)
    assert middle.wait(DEADLINE_S)
    runtime.telemetry.attach("told", told)
    go.set()
    assert run.wait(timeout_s=DEADLINE_S) == [0, 1, 2, 3, 4, 5]
    names = {event.name for event in told}
    assert {"stage.batch", "stage.stop", "pipeline.stop"} <= names
    assert not {"stage.start", "pipeline.start"} & names
    seen = [about for _, _, about in told.of("stage.batch") if about["stage"] == "passing"]
    assert len(seen) == 2  # 4 and 5; the batch that was in work is not measured


def test_every_event_has_a_test_here():
    text = Path(__file__).read_text()
    assert [event for event in EVENTS if f'"{event}"' not in text] == []
