import subprocess
import sys

import pytest
from opentelemetry.trace import StatusCode

from genstage import Consumer, Crash, Finish, Normal, OptionError, Producer, Runtime
from genstage.otel import attach_opentelemetry
from genstage.telemetry import EVENTS, Telemetry

from .otel import Exported


@pytest.fixture
def exported():
    return Exported()


@pytest.fixture
def telemetry():
    return Telemetry("billing", lambda: None)


class Numbers(Producer):
    def handle_demand(self, _demand):
        return Finish(range(10))


class Sink(Consumer):
    def handle_events(self, _events, _origin):
        pass


ORDERS = {"pipeline": "orders", "run": 7}
OF_ORDERS = {"genstage.runtime": "billing", "genstage.pipeline": "orders"}


def test_stages_are_counted_and_timed(exported):
    with Runtime(name="billing") as runtime:
        exported.attach(runtime.telemetry)
        numbers, sink = runtime.start(Numbers, name="numbers"), runtime.start(Sink, name="sink")
        sink.subscribe(numbers, max_demand=20, min_demand=0)
        sink.wait(timeout_s=20)
        numbers.wait(timeout_s=20)
    numbers = {"genstage.runtime": "billing", "genstage.stage": "numbers"}
    sink = {"genstage.runtime": "billing", "genstage.stage": "sink"}
    sums = exported.sums()
    assert sums["genstage.stage.demand.demand"] == [(numbers, 20)]
    assert sums["genstage.stage.batch.events"] == [(sink, 10)]
    assert sums["genstage.stage.start.count"] == [(numbers, 1), (sink, 1)]
    ends = [({**stage, "genstage.reason": "Normal"}, 1) for stage in (numbers, sink)]
    assert sorted(sums["genstage.stage.stop.count"], key=str) == sorted(ends, key=str)
    duration = exported.metrics()["genstage.stage.batch.duration"]
    (point,) = duration.data.data_points
    assert (duration.unit, dict(point.attributes), point.count) == ("s", sink, 1)
    assert 0 < point.sum < 20
    assert point.explicit_bounds[:2] == (0.0001, 0.001)
    assert exported.spans() == ()


def test_every_event_becomes_metrics_with_units(exported, telemetry):
    exported.attach(telemetry)
    for event, kind in EVENTS.items():
        telemetry.emit(event, dict.fromkeys(kind.measurements, 2), **dict.fromkeys(kind.metadata, "any"))
    metrics = exported.metrics()
    expected = {f"genstage.{event}.count": "{event}" for event in EVENTS}
    for event, kind in EVENTS.items():
        for name, unit in kind.measurements.items():
            if unit == "seconds":
                expected[f"genstage.{event}.{name[:-2]}"] = "s"
            elif name != "restarts":
                expected[f"genstage.{event}.{name}"] = f"{{{unit}}}"
    assert {name: metric.unit for name, metric in metrics.items()} == expected
    assert all(metric.description for metric in metrics.values())


def test_a_run_is_a_span_with_its_outcome(exported, telemetry):
    exported.attach(telemetry)
    telemetry.emit("pipeline.start", {}, **ORDERS)
    telemetry.emit("stage.start", {}, stage="numbers", **ORDERS)
    assert exported.spans() == ()
    telemetry.emit("pipeline.drain", {"duration_s": 0.5}, outcome="drained", **ORDERS)
    telemetry.emit("pipeline.stop", {"duration_s": 1.5, "records": 10}, state="completed", **ORDERS)
    (span,) = exported.spans()
    assert (span.name, span.status.status_code, span.parent) == ("pipeline orders", StatusCode.UNSET, None)
    run = {**OF_ORDERS, "genstage.run": 7}
    assert dict(span.attributes) == {**run, "genstage.state": "completed", "genstage.records": 10}
    assert [(event.name, dict(event.attributes)) for event in span.events] == [
        ("pipeline.drain", {**run, "genstage.outcome": "drained", "genstage.duration_s": 0.5})
    ]
    assert exported.sums()["genstage.pipeline.stop.records"] == [
        ({**OF_ORDERS, "genstage.state": "completed"}, 10)
    ]


def test_restarts_are_events_of_the_span_and_exceptions_are_recorded(exported, telemetry):
    exported.attach(telemetry)
    reasons = [Crash(ValueError("one")), Crash(KeyError("two"))]
    telemetry.emit("pipeline.start", {}, **ORDERS)
    telemetry.emit("pipeline.restart", {"restarts": 1}, reason=reasons[0], **ORDERS)
    telemetry.emit("pipeline.exception", {}, stage="numbers", reason=reasons[1], **ORDERS)
    telemetry.emit("pipeline.stop", {"duration_s": 1.5, "records": 3}, state="failed", **ORDERS)
    (span,) = exported.spans()
    assert [
        (event.name, event.attributes.get("genstage.restarts"), event.attributes["error.type"])
        for event in span.events
    ] == [
        ("pipeline.restart", 1, "ValueError"),
        ("exception", 1, "ValueError"),
        ("pipeline.exception", None, "KeyError"),
        ("exception", None, "KeyError"),
    ]
    assert span.events[1].attributes["exception.message"] == "one"
    assert span.events[3].attributes["genstage.stage"] == "numbers"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "KeyError: 'two'")
    (failed,) = exported.sums()["genstage.pipeline.exception.count"]
    expected = {"genstage.stage": "numbers", "genstage.reason": "Crash", "error.type": "KeyError"}
    assert failed == ({**OF_ORDERS, **expected}, 1)


def test_two_runs_of_one_pipeline_are_two_spans(exported, telemetry):
    exported.attach(telemetry)
    for run in (1, 2):
        telemetry.emit("pipeline.start", {}, pipeline="orders", run=run)
    for run, state in ((1, "failed"), (2, "completed")):
        telemetry.emit(
            "pipeline.stop", {"duration_s": 1.0, "records": 0}, state=state, pipeline="orders", run=run
        )
    told = [(span.attributes["genstage.run"], span.attributes["genstage.state"]) for span in exported.spans()]
    assert told == [(1, "failed"), (2, "completed")]


def test_a_run_that_had_begun_before_is_no_span_but_counted(exported, telemetry):
    exported.attach(telemetry)
    telemetry.emit("pipeline.restart", {"restarts": 1}, reason=Normal(), **ORDERS)
    telemetry.emit("pipeline.stop", {"duration_s": 1.5, "records": 3}, state="failed", **ORDERS)
    assert exported.spans() == ()
    assert exported.sums()["genstage.pipeline.stop.count"][0][1] == 1


def test_detached_it_ends_the_spans_and_hears_no_more(exported, telemetry):
    detach = exported.attach(telemetry)
    telemetry.emit("pipeline.start", {}, **ORDERS)
    detach()
    telemetry.emit("pipeline.stop", {"duration_s": 1.5, "records": 3}, state="failed", **ORDERS)
    assert [dict(span.attributes) for span in exported.spans()] == [{**OF_ORDERS, "genstage.run": 7}]
    assert "genstage.pipeline.stop.count" not in exported.sums()
    detach()


def test_no_span_is_begun_that_nobody_would_end(exported, telemetry):
    telemetry.attach("first", lambda _: detach())
    detach = exported.attach(telemetry)
    telemetry.emit("pipeline.start", {}, **ORDERS)
    assert exported.begun.count == 0


def test_an_exception_that_cannot_be_shown_does_no_harm(exported, telemetry):
    class UnshownError(Exception):
        def __str__(self):
            raise ValueError

    exported.attach(telemetry)
    telemetry.emit("pipeline.start", {}, **ORDERS)
    telemetry.emit("pipeline.exception", {}, stage=None, reason=Crash(UnshownError()), **ORDERS)
    telemetry.emit("pipeline.stop", {"duration_s": 1.5, "records": 3}, state="failed", **ORDERS)
    (span,) = exported.spans()
    assert span.status.description == "UnshownError: <UnshownError that cannot be shown>"


def test_it_is_attached_once_by_each_name(exported, telemetry):
    exported.attach(telemetry)
    with pytest.raises(OptionError, match="a name that no handler of this runtime has"):
        exported.attach(telemetry)
    exported.attach(telemetry, name="other")


def test_without_providers_it_uses_the_global_ones(telemetry):
    detach = attach_opentelemetry(telemetry)
    telemetry.emit("pipeline.start", {}, **ORDERS)
    telemetry.emit("pipeline.stop", {"duration_s": 1.5, "records": 3}, state="failed", **ORDERS)
    detach()


def run_python(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_the_package_does_not_load_it():
    program = "import genstage, genstage.testing, genstage.streaming, renderers.sink, sys"
    done = run_python(f"{program}; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_extra_is_told_in_one_line():
    done = run_python("import sys; sys.modules['opentelemetry'] = None; import genstage.otel")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: genstage.otel needs OpenTelemetry: pip install 'genstage[otel]'"
    )
    assert "During handling" not in done.stderr
