import threading
from time import perf_counter

import pytest

from genstage import Consumer, Crash, Finish, Normal, OptionError, Producer, Reply, Runtime, Shutdown
from genstage._core.messages import Stop
from genstage.stage import make_core
from genstage.telemetry import EVENTS, Telemetry
from genstage.testing import Simulation


class Numbers(Producer):
    """Ends after ten; emits and raises when told to."""

    def init(self):
        return {"buffer_size": 2}

    def handle_demand(self, demand):
        return Finish(range(10)) if demand >= 10 else range(demand)

    def handle_cast(self, request):
        return list(range(request))

    def handle_call(self, request, _reply_to):
        return Reply(request)

    def handle_info(self, message):
        raise message


class Sink(Consumer):
    def handle_events(self, events, _origin):
        pass


@pytest.fixture
def heard():
    """What a handler has heard, without durations."""
    return []


@pytest.fixture
def hear(heard):
    def hear(event):
        measurements = {name: value for name, value in event.measurements.items() if name != "duration_s"}
        heard.append((event.name, measurements, dict(event.metadata)))

    return hear


def in_test(event, measurements, **metadata):
    return event, measurements, {"runtime": "test", "pipeline": None, "run": None, **metadata}


def test_a_pipeline_is_told_from_start_to_end(heard, hear):
    with Runtime(name="test") as runtime:
        runtime.telemetry.attach("list", hear)
        numbers = runtime.start(Numbers, name="numbers")
        runtime.start(Sink, name="sink").subscribe(numbers, max_demand=20, min_demand=0)
        numbers.wait(timeout_s=20)
    assert [event for event in heard if event[2]["stage"] == "numbers"] == [
        in_test("stage.start", {}, stage="numbers"),
        in_test("stage.demand", {"demand": 20}, stage="numbers"),
        in_test("stage.stop", {}, stage="numbers", reason=Normal()),
    ]


def test_callbacks_are_measured_with_their_durations():
    took_s = {}

    class TimedNumbers(Numbers):
        def handle_demand(self, demand):
            began_s = perf_counter()
            events = super().handle_demand(demand)
            took_s["stage.demand"] = perf_counter() - began_s
            return events

    class TimedSink(Sink):
        def handle_events(self, events, origin):
            began_s = perf_counter()
            super().handle_events(events, origin)
            took_s["stage.batch"] = perf_counter() - began_s

    told = []
    began_s = perf_counter()
    with Runtime(name="test") as runtime:
        numbers, sink = runtime.start(TimedNumbers, name="numbers"), runtime.start(TimedSink, name="sink")
        runtime.telemetry.attach("list", told.append, events=["stage.demand", "stage.batch"])
        sink.subscribe(numbers, max_demand=20, min_demand=0)
        sink.wait(timeout_s=20)
    all_s = perf_counter() - began_s

    assert [(event.name, event.metadata["stage"]) for event in told] == [
        ("stage.demand", "numbers"),
        ("stage.batch", "sink"),
    ]
    assert [event.measurements.get("events") for event in told] == [None, 10]
    for event in told:
        assert 0 < took_s[event.name] <= event.measurements["duration_s"] < all_s


@pytest.mark.usefixtures("expected_errors")
def test_an_overflow_and_a_crash_are_told(heard, hear):
    error = ValueError("told to")
    with Runtime(name="test") as runtime:
        numbers = runtime.start(Numbers, name="numbers")
        runtime.telemetry.attach("list", hear)
        numbers.cast(5)
        numbers.send(error)
        assert numbers._actor.wait_end(20)
    assert heard == [
        in_test("buffer.overflow", {"discarded": 3}, stage="numbers"),
        in_test("stage.crash", {}, stage="numbers", reason=Crash(error)),
    ]


def test_a_stage_that_runs_is_measured_while_somebody_listens(hear):
    with Runtime(name="test") as runtime:
        made = []
        numbers = runtime.start(lambda: made.append(Numbers()) or made[0], name="numbers")
        core = numbers._actor.behaviour
        assert core.stage is made[0]
        runtime.telemetry.attach("one", hear)
        runtime.telemetry.attach("two", hear)
        assert core.stage.measured_stage is made[0]
        assert numbers.pykka.proxy().handle_demand(3).get() == range(3)
        numbers.pykka.proxy().next = 7
        assert numbers.call("ping") == "ping"
        assert made[0].next == 7
        assert runtime.telemetry.detach("one")
        assert core.stage is not made[0]
        assert runtime.telemetry.detach("two")
        assert core.stage is made[0]
        assert not runtime.telemetry.detach("two")


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_a_handler_that_raises_is_detached_and_told_of(heard, hear, expected_errors, error):
    def raises(_event):
        raise error

    with Runtime(name="test") as runtime:
        runtime.telemetry.attach("raises", raises)
        runtime.telemetry.attach("list", hear)
        for name in ("first", "second"):
            runtime.start(Numbers, name=name)
        told = list(heard)
        assert not runtime.telemetry.detach("raises")
    assert told == [in_test("stage.start", {}, stage=name) for name in ("first", "second")]
    (record,) = expected_errors
    assert record.handler == "raises"


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("blocking", [False, True])
def test_a_handler_that_raises_at_the_end_of_a_stage_holds_nothing_up(expected_errors, error, blocking):
    def raises(_event):
        raise error

    with Runtime(name="test") as runtime:
        numbers = runtime.start(Numbers, blocking=blocking)
        runtime.telemetry.attach("raises", raises, events=["stage.stop"])
        numbers.stop(timeout_s=20)
        assert runtime._engine._actors == {}
    assert [record.handler for record in expected_errors] == ["raises"]


def test_runtimes_do_not_hear_of_each_other(heard, hear):
    with Runtime(name="test") as runtime, Runtime(name="other") as other:
        runtime.telemetry.attach("list", hear)
        other.start(Numbers)
    assert heard == []


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        (("taken", print), {}, "option 'name': must be a name that no handler of this runtime has"),
        (("new", print), {"events": ["stage.strat"]}, "option 'events': must be some of stage.start, "),
        (("new", 5), {}, "option 'handler': must be a function of one event, got 5"),
    ],
)
def test_a_mistake_is_refused(arguments, options, told):
    telemetry = Telemetry("test", lambda: None)
    telemetry.attach("taken", print)
    with pytest.raises(OptionError) as caught:
        telemetry.attach(*arguments, **options)
    assert str(caught.value).startswith(told)


def test_handlers_come_and_go_while_events_are_told():
    telemetry = Telemetry("test", lambda: None)
    stop = threading.Event()

    def tell():
        while not stop.is_set():
            telemetry.emit("stage.start", {}, stage="s")

    teller = threading.Thread(target=tell)
    teller.start()
    for number in range(300):
        telemetry.attach(f"handler {number}", lambda _event: None)
        assert telemetry.detach(f"handler {number}")
    stop.set()
    teller.join(20)
    assert not telemetry.active


def test_every_event_says_what_it_measures_in_which_unit():
    units = {name: unit for kind in EVENTS.values() for name, unit in kind.measurements.items()}
    assert all(units.values())
    assert {name for name, unit in units.items() if unit == "seconds"} == {
        name for name in units if name.endswith("_s")
    }


class Teller:
    """A behaviour that is no stage's, and tells of itself and its child."""

    def __init__(self, port):
        self._port = port
        port.begin_run("orders")

    def start(self):
        self._port.emit("pipeline.exception", {}, stage="child", reason=Normal())
        port = self._port
        make = make_core(Numbers, "child")
        self.child = port.spawn(make, name="child", own_lane=False, on_started=lambda _: None)
        port.watch(self.child)

    def handle(self, message):
        if isinstance(message, Stop):
            self._port.send(self.child, message)
        else:
            self._port.stop(message.reason)


@pytest.mark.parametrize("ground", [Simulation, lambda: Runtime(name="simulation")])
def test_a_behaviour_tells_of_its_pipeline_and_so_do_its_children(heard, hear, ground):
    with ground() as runtime:
        runtime.telemetry.attach("list", hear)
        spawn = runtime._engine.spawn if isinstance(runtime, Runtime) else runtime._network.spawn
        spawn(Teller, name="teller", on_started=lambda _: None)
        if isinstance(runtime, Simulation):
            runtime.run()
    number = heard[0][2]["run"]
    assert isinstance(number, int)
    inside = {"runtime": "simulation", "pipeline": "orders", "run": number, "stage": "child"}
    assert heard == [
        ("pipeline.exception", {}, {**inside, "reason": Normal()}),
        ("stage.start", {}, inside),
        ("stage.stop", {}, {**inside, "reason": Shutdown()}),
    ]


def test_a_simulation_tells_what_a_runtime_tells(heard, hear):
    told = []
    for ground in (Simulation(), Runtime(name="simulation")):
        with ground:
            ground.telemetry.attach("list", hear)
            numbers = ground.start(Numbers, name="numbers")
            ground.start(Sink, name="sink").subscribe(numbers, max_demand=20, min_demand=0)
            numbers.wait(timeout_s=20)
        told.append([event for event in heard if event[2]["stage"] == "numbers"])
        heard.clear()
    assert told[0] == told[1]
    assert len(told[0]) == 3


def test_an_event_that_nobody_wants_is_not_made():
    with Runtime(name="test") as runtime:
        numbers = runtime.start(Numbers, name="numbers")
        tellers = []
        runtime.telemetry.emit = lambda *_, **__: tellers.append(1)
        numbers._actor.driver.emit("stage.start", {}, stage="numbers")
        assert tellers == []
