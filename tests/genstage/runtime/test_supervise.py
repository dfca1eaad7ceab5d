"""Supervisors on a runtime: threads, deadlines, kills, and what cannot be waited for."""

import math
import threading
import time

import pytest

from genstage import (
    CallTimeoutError,
    Consumer,
    ConsumerRef,
    Crash,
    Killed,
    Reply,
    Runtime,
    Shutdown,
    StartError,
    Supervisor,
    SupervisorError,
    child_spec,
)
from genstage.supervision import Task

DEADLINE_S = 20.0


class Doer(Consumer):
    def handle_call(self, request, _):
        return Reply(request(self))

    def handle_cast(self, request):
        request(self)


def until(condition):
    """Wait for what other threads do."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.001)


def fail(_stage):
    raise ValueError("it fails")


@pytest.mark.parametrize("blocking", [False, True])
def test_a_child_that_fails_is_replaced(blocking, expected_errors):
    with Runtime() as runtime:
        spec = child_spec("doer", Doer, blocking=blocking, name="the doer")
        supervisor = runtime.supervise(Supervisor(spec))
        first = supervisor.child(spec)
        assert isinstance(first, ConsumerRef)
        first.cast(fail)
        until(lambda: not first.alive)
        second = supervisor.child(spec)
        assert second != first
        assert second.call(lambda _: 3) == 3
        assert runtime.find("the doer") == second
    assert isinstance(first.reason, Crash)
    assert second.reason == supervisor.reason == Shutdown()
    assert expected_errors


def test_closing_the_runtime_stops_trees_in_reverse_order():
    order = []

    class Tells(Consumer):
        def __init__(self, name):
            self.name = name

        def terminate(self, _reason):
            order.append(self.name)

    def spec(name):
        return child_spec(name, lambda: Tells(name), blocking=name in "be")

    with Runtime() as runtime:
        inner = Supervisor(*(spec(name) for name in "bcd"))
        runtime.supervise(Supervisor(spec("a"), child_spec("inner", inner), spec("e")))
    assert order == list("edcba")


def test_a_child_that_hangs_in_init_does_not_keep_a_runtime_from_closing(gate, caplog):
    inside = threading.Event()

    class Hangs(Consumer):
        def init(self):
            inside.set()
            gate.wait()

    runtime = Runtime(shutdown_s=0.2)
    failures = []

    def supervise():
        try:
            runtime.supervise(Supervisor(child_spec("a", Doer), child_spec("hangs", Hangs, blocking=True)))
        except StartError as error:
            failures.append(error.reason)

    thread = threading.Thread(target=supervise)
    thread.start()
    assert inside.wait(DEADLINE_S)
    runtime.close()
    thread.join(DEADLINE_S)
    assert failures in ([Shutdown()], [Killed()])
    assert runtime._engine._actors == {}
    assert any(record.event == "stage killed" for record in caplog.records)


def test_a_start_that_takes_too_long_is_given_up_with_all_that_has_started(gate):
    class Hangs(Consumer):
        def init(self):
            gate.wait()

    with Runtime() as runtime:
        tree = Supervisor(child_spec("a", Doer, name="a"), child_spec("hangs", Hangs, blocking=True))
        with pytest.raises(CallTimeoutError, match="did not start within"):
            runtime.supervise(tree, name="tree", timeout_s=0.2)
        assert runtime.find("a") is None
        assert runtime._engine._actors == {}
        gate.set()


def test_a_child_that_overstays_is_killed_and_the_next_one_goes_on(gate):
    inside = threading.Event()

    def hang(_stage):
        inside.set()
        gate.wait()

    with Runtime() as runtime:
        specs = [child_spec("first", Doer), child_spec("hangs", Doer, blocking=True, shutdown_s=0.05)]
        supervisor = runtime.supervise(Supervisor(*specs))
        first, hangs = (supervisor.child(spec) for spec in specs)
        hangs.cast(hang)
        assert inside.wait(DEADLINE_S)
        supervisor.stop()
        assert (first.reason, hangs.reason) == (Shutdown(), Killed())
        gate.set()


def test_what_has_no_time_to_stop_is_killed_at_once():
    ended = []

    class Tells(Consumer):
        def terminate(self, reason):
            ended.append(reason)

    with Runtime() as runtime:
        supervisor = runtime.supervise(Supervisor(child_spec("a", Tells, shutdown_s=0)))
        ref = supervisor.child("a")
        supervisor.terminate_child("a")
        assert ref.reason == Killed()
    assert ended == []


@pytest.mark.parametrize("blocking", [False, True])
def test_a_child_cannot_wait_in_init_for_the_supervisor_that_waits_for_it(blocking):
    refused = []

    with Runtime() as runtime:
        supervisor = runtime.supervise(Supervisor())

        class Asks(Consumer):
            def init(self):
                counted = supervisor.count_children()
                try:
                    supervisor.start_child(child_spec("more", Doer))
                except RuntimeError as error:
                    refused.append((counted.specs, str(error)))

        supervisor.start_child(child_spec("asks", Asks, blocking=blocking))
    ((specs, text),) = refused
    assert specs == 1
    assert "waits for its start" in text


def test_a_child_can_ask_its_supervisor_in_any_other_callback():
    with Runtime() as runtime:
        supervisor = runtime.supervise(Supervisor(child_spec("a", Doer)))
        more = supervisor.child("a").call(lambda _: supervisor.start_child(child_spec("b", Doer)))
        assert more.alive
        assert [child.id for child in supervisor.which_children()] == ["a", "b"]


@pytest.mark.parametrize("way", ["stop", "wait"])
def test_a_child_cannot_wait_for_the_end_of_a_supervisor_above_it(way):
    with Runtime() as runtime:
        inner = child_spec("inner", Supervisor(child_spec("a", Doer, shutdown_s=math.inf)))
        supervisor = runtime.supervise(Supervisor(inner))
        child = supervisor.child(inner).child("a")

        def tries(above):
            with pytest.raises(RuntimeError, match="cannot wait for the end of supervisor"):
                getattr(above, way)(timeout_s=None)

        for above in (supervisor, supervisor.child(inner)):
            child.call(lambda _, above=above: tries(above))
        other = runtime.start(Doer)
        other.call(lambda _: supervisor.stop())
        assert not child.alive


def test_many_threads_can_ask_at_once():
    with Runtime() as runtime:
        supervisor = runtime.supervise(Supervisor())
        refs = []

        def work(number):
            for name in (f"{number}-{turn}" for turn in range(20)):
                refs.append(supervisor.start_child(child_spec(name, Doer, restart="temporary")))
                supervisor.terminate_child(name)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        assert len(refs) == 80
        assert supervisor.which_children() == []
        assert {ref.reason for ref in refs} == {Shutdown()}


def test_a_supervisor_that_gives_up_tells_whoever_waits(expected_errors):
    with Runtime() as runtime:
        supervisor = runtime.supervise(Supervisor(child_spec("a", Doer), max_restarts=3))
        for _ in range(4):
            ref = supervisor.child("a")
            ref.cast(fail)
            until(lambda ref=ref: not ref.alive)
        with pytest.raises(SupervisorError, match="after 3 restarts") as raised:
            supervisor.wait(timeout_s=DEADLINE_S)
        assert isinstance(raised.value.__cause__, ValueError)
    assert expected_errors


def test_a_task_under_a_supervisor_is_done_again_until_it_is_done(expected_errors):
    tries = []
    done = threading.Event()

    def work():
        tries.append(None)
        if len(tries) < 3:
            raise OSError("not yet")
        done.set()

    with Runtime() as runtime:
        supervisor = runtime.supervise(
            Supervisor(child_spec("work", lambda: Task(work), restart="transient"))
        )
        assert done.wait(DEADLINE_S)
        until(lambda: supervisor.count_children().active == 0)
        assert supervisor.alive
    assert len(tries) == 3
    assert expected_errors
