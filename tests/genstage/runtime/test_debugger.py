import io
import pdb  # noqa: T100 - it is what is tested
import sys
import threading
from types import SimpleNamespace

import pytest

from genstage import CallTimeoutError, Consumer, Edge, Graph, Node, Pipeline, Producer, Reply, Runtime
from genstage._runtime.debugger import debugged, patiently

DEADLINE_S = 20.0


class Prompt:
    """What a person types at a breakpoint: nothing for a while, and then to go on."""

    def __init__(self, gate):
        self.gate = gate
        self.reached = threading.Event()

    def readline(self):
        self.reached.set()
        self.gate.wait(DEADLINE_S)
        return "c\n"

    def stop_here(self):
        pdb.Pdb(stdin=self, stdout=io.StringIO(), nosigint=True, readrc=False).set_trace(sys._getframe(1))


@pytest.fixture
def prompt(gate):
    return Prompt(gate)


def beyond(thread, deadline_s):
    """Whether it still waits when its deadline is long over."""
    thread.join(3 * deadline_s)
    return thread.is_alive()


class Answers(Producer):
    def __init__(self, wait):
        self.wait = wait

    def handle_demand(self, demand):
        pass

    def handle_call(self, request, _):
        self.wait()
        return Reply(request)


def in_thread(function):
    """Runs a function beside the test; gives its thread and where its result or error will be."""
    found = []

    def run():
        try:
            found.append(function())
        except Exception as error:  # noqa: BLE001 - told by the test
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def test_a_call_waits_while_the_stage_is_at_a_breakpoint(runtime, prompt, gate):
    ref = runtime.start(lambda: Answers(prompt.stop_here), name="looked at")
    thread, found = in_thread(lambda: ref.call(7, timeout_s=0.1))
    assert prompt.reached.wait(DEADLINE_S)

    assert debugged()
    assert beyond(thread, 0.1)
    gate.set()
    thread.join(DEADLINE_S)
    assert found == [7]


def test_without_a_debugger_a_call_has_its_deadline(runtime, gate):
    ref = runtime.start(lambda: Answers(lambda: gate.wait(DEADLINE_S)), name="slow")

    assert not debugged()
    with pytest.raises(CallTimeoutError):
        ref.call(7, timeout_s=0.1)


def test_a_stage_at_a_breakpoint_is_not_killed_when_its_runtime_closes(prompt, gate, caplog):
    runtime = Runtime(shutdown_s=0.1)
    ref = runtime.start(lambda: Answers(prompt.stop_here), name="looked at")
    caller, found = in_thread(lambda: ref.call(7, timeout_s=None))
    assert prompt.reached.wait(DEADLINE_S)
    closer, _ = in_thread(runtime.close)

    assert beyond(closer, 0.1)
    gate.set()
    closer.join(DEADLINE_S)
    caller.join(DEADLINE_S)
    assert found == [7]
    assert caplog.records == []


class Numbers(Producer):
    def handle_demand(self, demand):
        return range(demand)


class Looks(Consumer):
    def __init__(self, look, handled):
        self.look, self.handled = look, handled

    def handle_events(self, events, _):
        if not self.handled:
            self.look()
        self.handled.append(len(events))


def test_a_stage_at_a_breakpoint_is_not_killed_when_its_run_is_stopped(prompt, gate, caplog):
    handled = []
    graph = Graph(
        (Node("numbers", Numbers), Node("looks", lambda: Looks(prompt.stop_here, handled))),
        (Edge("looks", "numbers", {"max_demand": 2}),),
    )
    with Pipeline.of("looked at", graph, shutdown_s=0.1).run() as run:
        assert prompt.reached.wait(DEADLINE_S)
        stopper, _ = in_thread(run.stop)
        assert beyond(stopper, 0.1)
        gate.set()
        stopper.join(DEADLINE_S)

    assert run.statistics().state == "cancelled"
    assert handled
    assert [record for record in caplog.records if "killed" in record.getMessage()] == []


# -- what is one --------------------------------------------------------------------------------------


class Tracer:
    """What coverage has, and profilers."""

    def trace(self, *_):
        return self.trace


class Debugger(pdb.Pdb):
    """One of somebody's own."""

    def __init__(self):
        super().__init__(readrc=False)


@pytest.mark.parametrize(
    ("trace", "is_one"),
    [
        (None, False),
        (Tracer().trace, False),
        (lambda *_: None, False),
        (Debugger().trace_dispatch, True),
        (type("Trace", (), {"__module__": "_pydevd_bundle.pydevd_trace"})(), True),
    ],
)
@pytest.mark.parametrize("of", ["sys", "threading"])
def test_a_debugger_is_told_from_other_tracers(monkeypatch, trace, is_one, of):
    names = {"sys": sys, "threading": threading}
    monkeypatch.setattr(names["threading"], "gettrace", lambda: None)
    monkeypatch.setattr(names["sys"], "gettrace", lambda: None)
    monkeypatch.setattr(names[of], "gettrace", lambda: trace)

    assert debugged() == is_one


def test_a_debugger_that_monitors_is_one(monkeypatch):
    tools = {0: None}
    monitoring = SimpleNamespace(DEBUGGER_ID=0, get_tool=tools.get)
    monkeypatch.setattr(sys, "monitoring", monitoring, raising=False)
    assert not debugged()
    tools[0] = "one"
    assert debugged()


def test_the_wait_ends_when_the_debugger_has_gone(monkeypatch):
    there = iter([True, True, False])
    monkeypatch.setattr("genstage._runtime.debugger.debugged", lambda: next(there))
    waited = []

    assert not patiently(waited.append, 7.0)
    assert waited == [7.0, 0.5, 0.5]
    assert not patiently(waited.append, None)
