import itertools
import threading

import pytest

from genstage import CallTimeoutError, Consumer, OptionError, Producer, Runtime, Shutdown, StartError
from genstage._core.reasons import BadReturn, Crash
from genstage._core.results import Reply, Stop
from genstage._runtime.shared_lane import SharedLane

DEADLINE_S = 20.0


def raising(error):
    def init():
        raise error

    return init


@pytest.fixture
def refused(runtime, doer):
    """Starts a stage that must not start; gives the error, and checks that nothing is left of it."""

    def refused(init, blocking):
        stage = doer(init)
        with pytest.raises((StartError, OptionError)) as caught:
            runtime.start(lambda: stage, name="refused", blocking=blocking)
        assert stage.terminated == []
        assert runtime._engine._actors == {}
        # the name is free again, and the lane still works
        assert runtime.start(doer, name="refused", blocking=blocking).alive
        return caught.value

    return refused


@pytest.mark.parametrize("blocking", [False, True])
def test_init_that_raises(refused, blocking, expected_errors):
    cause = ValueError("no database")
    error = refused(raising(cause), blocking)

    assert "'refused' did not start: ValueError: no database" in str(error)
    assert (error.name, error.reason) == ("refused", Crash(cause))
    assert error.__cause__ is cause
    assert [record.exc_info[1] for record in expected_errors] == [cause]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_init_that_raises_what_ends_programs(refused, error, expected_errors):
    assert refused(raising(error), blocking=False).__cause__ is error
    assert expected_errors


def test_init_that_says_stop(refused):
    error = refused(lambda: Stop(Shutdown("not today")), blocking=False)

    assert (error.reason, error.__cause__) == (Shutdown("not today"), None)


def test_init_that_stops_for_what_is_no_reason(refused):
    assert refused(lambda: Stop("not today"), blocking=False).reason == BadReturn("Stop", "not today")


def test_init_that_returns_no_options(refused):
    assert refused(lambda: 7, blocking=False).reason == BadReturn("init", 7)


@pytest.mark.parametrize(
    ("option", "value"), [("buffer_size", 0), ("dispatcher", "demand"), ("subscribe_to", []), ("speed", 3)]
)
def test_wrong_options_are_raised_as_they_are(refused, option, value):
    error = refused(lambda: {option: value}, blocking=False)

    assert isinstance(error, OptionError)
    assert (error.option, error.value) == (option, value)


def test_a_factory_that_raises(runtime, expected_errors):
    with pytest.raises(StartError) as caught:
        runtime.start(lambda: 1 / 0)

    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert expected_errors


def test_a_factory_that_makes_no_stage(runtime):
    with pytest.raises(OptionError, match=r"must be a function that makes the Producer, .* 'numbers'"):
        runtime.start(dict, name="numbers")


def test_an_instance_instead_of_a_factory(runtime, doer):
    with pytest.raises(OptionError, match=r"lambda: Doer\(...\), got 'a Doer object'"):
        runtime.start(doer())


def test_a_factory_that_makes_the_same_object_again(runtime, doer):
    stage = doer()
    runtime.start(lambda: stage)

    with pytest.raises(OptionError, match="a new object"):
        runtime.start(lambda: stage)


@pytest.mark.parametrize("name", ["", 7])
def test_a_name_that_is_none(runtime, doer, name):
    with pytest.raises(OptionError) as caught:
        runtime.start(doer, name=name)

    assert caught.value.option == "name"


def test_a_name_is_taken_while_its_stage_lives(runtime, doer):
    first = runtime.start(doer, name="twin")
    with pytest.raises(OptionError, match="a name that no running stage has"):
        runtime.start(doer, name="twin")
    assert first.alive
    first.stop()

    assert runtime.start(doer, name="twin").alive


def test_of_many_who_want_a_name_at_once_one_gets_it(runtime, doer):
    together = threading.Barrier(8)
    outcomes = []

    def start():
        together.wait()
        try:
            outcomes.append(runtime.start(doer, name="one").alive)
        except OptionError:
            outcomes.append(None)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes, key=bool) == [None] * 7 + [True]


def test_start_returns_when_init_has_run_in_the_stages_thread(runtime):
    class Slow(Consumer):
        def __init__(self):
            self.threads = [threading.current_thread()]

        def init(self):
            self.threads.append(threading.current_thread())

    stages = []
    runtime.start(lambda: stages.append(Slow()) or stages[0], name="slow", blocking=True)

    assert [thread.name for thread in stages[0].threads] == ["test-slow"] * 2


def test_a_start_that_takes_too_long_is_given_up(runtime, doer, gate, caplog):
    stage = doer(gate.wait)
    with pytest.raises(CallTimeoutError) as caught:
        runtime.start(lambda: stage, name="slow", blocking=True, timeout_s=0.01)

    assert (caught.value.name, caught.value.timeout_s) == ("slow", 0.01)
    assert str(caught.value) == "'slow' did not start within 0.01 s"
    assert runtime._engine._actors == {}
    assert "wait" in caplog.records[0].busy_at
    gate.set()
    assert runtime.start(doer, name="slow").alive
    assert stage.terminated == []


def test_a_stage_killed_before_its_first_turn_is_a_start_that_failed(
    runtime, start, stuck, gate, monkeypatch
):
    monkeypatch.setattr(SharedLane, "steal", lambda *_: None)  # or its turn would come
    stuck(start()[0])
    failures = []

    def wait_for_start():
        try:
            start(name="late")
        except StartError as error:
            failures.append(str(error))

    thread = threading.Thread(target=wait_for_start)
    thread.start()
    while (late := runtime._engine.resolve("late")) is None:
        pass
    late.end(Shutdown("changed our mind"))
    thread.join(DEADLINE_S)

    (failure,) = failures
    assert "'late' did not start: shutdown: changed our mind" in failure
    gate.set()


def test_init_does_not_run_when_the_stage_is_killed_while_it_is_made(runtime, doer, gate):
    inside, calls = threading.Event(), []

    def make():
        inside.set()
        gate.wait()
        return doer(lambda: calls.append("init"))

    def start():
        with pytest.raises(StartError, match="changed our mind"):
            runtime.start(make, name="made")

    starter = threading.Thread(target=start)
    starter.start()
    assert inside.wait(DEADLINE_S)
    actor = runtime._engine.resolve("made")
    actor.end(Shutdown("changed our mind"))
    gate.set()
    starter.join(DEADLINE_S)
    runtime.start(doer)  # the lane has moved on

    assert calls == []


@pytest.mark.parametrize("blocking", [*itertools.product([False, True], repeat=2)])
def test_a_stage_starts_another_and_waits_for_it(runtime, start, doer, blocking):
    ref, _ = start(blocking=blocking[0])

    def begin(_stage, _reply_to):
        return Reply(runtime.start(doer, blocking=blocking[1]))

    assert ref.call(begin).alive


def test_a_producer_started_by_name_is_found_by_it(runtime):
    class Numbers(Producer):
        def handle_demand(self, demand):
            return range(demand)

    class Takes(Consumer):
        def init(self):
            return {"subscribe_to": [("numbers", {"max_demand": 1})]}

        def handle_events(self, events, _):
            got.append(list(events))
            return Stop() if len(got) == 3 else None

    got = []
    runtime.start(Numbers, name="numbers")
    runtime.start(Takes, name="takes").wait(timeout_s=DEADLINE_S)

    assert got == [[0], [0], [0]]


def test_after_close_a_start_is_refused(doer):
    with Runtime() as runtime:
        pass

    for blocking in (False, True):
        with pytest.raises(StartError, match="the runtime is closed"):
            runtime.start(doer, name="late", blocking=blocking)
