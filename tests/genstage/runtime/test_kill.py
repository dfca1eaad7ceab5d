"""A kill: dead at once for everybody, whatever the callback is doing, and whatever it tries afterwards."""

import logging
import threading
import time

import pytest

from genstage import (
    Consumer,
    DeadStageError,
    Down,
    Finish,
    Flow,
    Killed,
    NoProc,
    PipelineError,
    Producer,
    ProducerConsumer,
    Runtime,
    Supervisor,
    child_spec,
)
from genstage._core.results import Reply
from genstage._runtime.typed_refs import ref_to
from genstage.stage import make_core

DEADLINE_S = 20.0


class Listener(Producer):
    """Notes all that comes to it."""

    def __init__(self):
        self.heard = []

    def handle_demand(self, demand):
        self.heard.append(("demand", demand))

    def handle_subscribe(self, *_):
        self.heard.append("subscribe")
        return "automatic"

    def handle_call(self, request, _reply_to):
        if request != "heard":
            self.heard.append(request)
        return Reply(list(self.heard))

    def handle_cast(self, request):
        self.heard.append(request)

    def handle_info(self, message):
        self.heard.append(message)

    def terminate(self, reason):
        self.heard.append(reason)


@pytest.fixture
def listener(runtime):
    return runtime.start(Listener, name="listener")


class Watcher:
    """Hears of an actor's end as another actor would."""

    def __init__(self, actor):
        self.heard = []
        self.driver = self
        actor.add_watcher(1, self)

    def notify(self, number, reason):
        self.heard.append(Down(number, reason))


def wait_until(condition):
    """For what has no event to wait for."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# -- by a reference -----------------------------------------------------------------------------------


def test_a_reference_kills(start, caplog):
    ref, stage = start()
    watcher = Watcher(ref._actor)
    ref.kill()

    assert (ref.alive, ref.reason, watcher.heard) == (False, Killed(), [Down(1, Killed())])
    assert stage.terminated == []
    assert [record.event for record in caplog.records] == ["stage killed"]

    ref.kill()  # once is enough
    assert len(caplog.records) == 1


@pytest.mark.parametrize("blocking", [False, True])
def test_a_stage_can_kill_itself(start, blocking, listener):
    ref, stage = start(blocking=blocking)
    later = threading.Event()

    def end(stage):
        stage.stage.ref.kill()
        listener.cast("from the dead")
        later.set()

    ref.cast(end)
    assert later.wait(DEADLINE_S)

    assert ref.reason == Killed()
    assert stage.terminated == []
    assert listener.call("heard") == []


def test_a_supervisor_that_is_killed_takes_its_children_along(runtime):
    spec = child_spec("child", Listener)
    supervisor = runtime.supervise(Supervisor(spec))
    child = supervisor.child(spec)
    supervisor.kill()

    assert (supervisor.reason, child.reason) == (Killed(), Killed())


def test_a_killed_child_is_replaced_while_its_callback_still_runs(runtime, doer, stuck, gate):
    spec = child_spec("child", doer, name="child")
    supervisor = runtime.supervise(Supervisor(spec))
    first = supervisor.child(spec)
    stuck(first)
    first.kill()
    wait_until(lambda: runtime.find("child") not in {None, first})
    second = supervisor.child(spec)

    assert second.call(lambda *_: Reply("works"), timeout_s=DEADLINE_S) == "works"
    assert runtime.abandoned == 1
    gate.set()
    wait_until(lambda: not runtime.abandoned)
    assert second.alive


# -- a callback that blocks for ever ------------------------------------------------------------------


class Blocks(ProducerConsumer):
    """Blocks in one of its callbacks."""

    def __init__(self, callback, inside, gate, calls):
        self.callback, self.inside, self.gate, self.calls = callback, inside, gate, calls
        self.enter("factory")

    def enter(self, callback):
        self.calls.append(callback)
        if callback == self.callback:
            self.inside.set()
            self.gate.wait()

    def init(self):
        self.enter("init")

    def handle_subscribe(self, *_):
        self.enter("handle_subscribe")
        return "automatic"

    def handle_events(self, events, _origin):
        self.enter("handle_events")
        return events

    def handle_call(self, _request, _reply_to):
        self.enter("handle_call")
        return Reply("from the dead")

    def handle_cast(self, _request):
        self.enter("handle_cast")

    def handle_info(self, _message):
        self.enter("handle_info")

    def handle_cancel(self, *_):
        self.enter("handle_cancel")

    def terminate(self, _reason):
        self.enter("terminate")


class BlocksInDemand(Producer):
    """Blocks in handle_demand."""

    def __init__(self, _callback, inside, gate, calls):
        self.inside, self.gate, self.calls = inside, gate, calls

    def handle_demand(self, demand):
        self.calls.append("handle_demand")
        self.inside.set()
        self.gate.wait()
        return range(demand)

    def terminate(self, _reason):
        self.calls.append("terminate")


class Endless(Producer):
    def handle_demand(self, demand):
        return range(demand)


class Collects(Consumer):
    def __init__(self):
        self.events = []

    def handle_events(self, events, _origin):
        self.events.extend(events)

    def handle_call(self, _request, _reply_to):
        return Reply(self.events)


CAUSES = {
    "factory": lambda _stuck, _source, _sink: None,
    "init": lambda _stuck, _source, _sink: None,
    "handle_subscribe": lambda stuck, _source, sink: sink.async_subscribe(stuck, cancel="temporary"),
    "handle_demand": lambda stuck, _source, sink: sink.async_subscribe(stuck, cancel="temporary"),
    "handle_events": lambda stuck, source, sink: (
        stuck.async_subscribe(source, cancel="temporary", max_demand=4),
        sink.async_subscribe(stuck, cancel="temporary"),
    ),
    "handle_call": lambda stuck, _source, _sink: stuck.pykka.ask(None, block=False),
    "handle_cast": lambda stuck, _source, _sink: stuck.cast(None),
    "handle_info": lambda stuck, _source, _sink: stuck.send(None),
    "handle_cancel": lambda stuck, _source, sink: sink.subscribe(stuck, cancel="temporary").cancel(),
    "terminate": lambda stuck, _source, _sink: stuck.pykka.stop(block=False),
}
"""How a stage comes to a callback."""


@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("callback", CAUSES)
def test_a_callback_that_blocks_for_ever_is_left_behind(runtime, gate, caplog, callback, blocking):
    inside, started, calls = threading.Event(), threading.Event(), []
    source, sink = runtime.start(Endless), runtime.start(Collects)
    kind = BlocksInDemand if callback == "handle_demand" else Blocks
    told = []
    actor = runtime._engine.spawn(
        make_core(lambda: kind(callback, inside, gate, calls), "stuck"),
        name="stuck",
        own_lane=blocking,
        listed=True,
        on_started=lambda reason: (told.append(reason), started.set()),
    )
    if callback not in {"factory", "init"}:
        assert started.wait(DEADLINE_S)
    answer = CAUSES[callback](ref_to(actor), source, sink)
    assert inside.wait(DEADLINE_S)
    before, watcher = list(calls), Watcher(actor)

    actor.engine.kill(actor, Killed())

    assert watcher.heard == [Down(1, Killed())]
    assert told == [Killed() if callback in {"factory", "init"} else None]
    assert runtime.abandoned == 1
    (record,) = [record for record in caplog.records if record.event == "stage killed"]
    assert (record.levelno, record.stage, record.reason) == (logging.WARNING, "stuck", "killed")
    assert "gate.wait()" in record.busy_at
    successor = runtime.start(Listener, name="stuck", blocking=blocking)  # its name is free, its lane goes on
    assert successor.call("heard", timeout_s=DEADLINE_S) == []
    if callback == "handle_call":
        with pytest.raises(Exception, match="stage 'stuck' is not alive: killed"):
            answer.get(timeout=DEADLINE_S)

    gate.set()
    wait_until(lambda: not runtime.abandoned)

    assert calls == before  # no other callback has run, terminate neither
    assert sink.call("events") == []
    assert successor.call("heard") == []
    assert watcher.heard == [Down(1, Killed())]
    assert told == [Killed() if callback in {"factory", "init"} else None]
    assert actor.reason == Killed()


@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("callback", ["handle_cast", "terminate"])
def test_a_runtime_with_such_a_callback_closes_in_its_time(gate, caplog, callback, blocking):
    inside = threading.Event()
    runtime = Runtime(shutdown_s=0.2)
    ref = runtime.start(lambda: Blocks(callback, inside, gate, []), name="stuck", blocking=blocking)
    other = runtime.start(Listener)
    if callback == "handle_cast":
        ref.cast(None)
        assert inside.wait(DEADLINE_S)
        ref.kill()
    began_s = time.monotonic()
    runtime.close()

    assert time.monotonic() - began_s < 2.0
    assert not gate.is_set()
    assert ref.reason == Killed()
    assert not other.alive
    assert runtime.abandoned == 1
    assert [record.event for record in caplog.records] == ["stage killed"]
    gate.set()
    wait_until(lambda: not runtime.abandoned)


# -- one that overstays its time, and then tries ------------------------------------------------------


@pytest.fixture(params=[False, True], ids=["shared", "own"])
def after_death(request, runtime, gate, doer, stuck):
    """Lets a child overstay its time, with a successor in its place, and then do something; gives both."""

    def after_death(do):
        spec = child_spec(
            "child", doer, name="child", shutdown_s=0.01, blocking=request.param, restart="temporary"
        )
        supervisor = runtime.supervise(Supervisor(spec))
        dead = supervisor.child(spec)
        came_to, done = [], threading.Event()

        def try_it(stage):
            try:
                came_to.append(do(stage))
                return came_to[-1]
            except Exception as error:
                came_to.append(error)
                raise
            finally:
                done.set()

        stuck(dead, try_it)
        supervisor.terminate_child(spec)  # which overstays
        assert dead.reason == Killed()
        successor = runtime.start(doer, name="child", blocking=request.param)
        gate.set()
        assert done.wait(DEADLINE_S)
        wait_until(lambda: not runtime.abandoned)
        assert dead.reason == Killed()
        assert successor.call(lambda *_: Reply("works"), timeout_s=DEADLINE_S) == "works"
        assert successor.reason is None
        return came_to[0]

    return after_death


SILENT = {
    "send": lambda _, listener: listener.send("message"),
    "cast": lambda _, listener: listener.cast("request"),
    "async_info": lambda _, listener: listener.async_info("message"),
    "tell by pykka": lambda _, listener: listener.pykka.tell("message"),
    "send to itself": lambda stage, _: stage.send("message"),
    "timer": lambda stage, _: stage.send_after(3_600.0, "message"),
    "link": lambda stage, listener: stage.link(listener),
    "link by name": lambda stage, _: stage.link("listener"),
    "watch": lambda stage, listener: stage.watch(listener),
    "set_result": lambda stage, _: stage.set_result(1),
    "stop itself": lambda stage, _: stage.stop(),
    "demand": lambda _, listener: listener.set_demand("accumulate"),
}
"""What a dead stage can try, and nothing comes of it."""


@pytest.mark.parametrize("attempt", SILENT)
def test_what_one_does_that_has_overstayed_is_nothing(after_death, listener, attempt):
    after_death(lambda stage: SILENT[attempt](stage.stage, listener))

    assert listener.call("heard") == []
    assert listener.alive
    assert listener._actor.links == set()
    assert listener._actor._watchers == {}
    assert listener._actor.engine.timers._owned == {}


REFUSED = {
    "call": lambda listener, _: listener.call("request"),
    "sync_info": lambda listener, _: listener.sync_info("message"),
    "stop": lambda listener, _: listener.stop(),
    "kill": lambda listener, _: listener.kill(),
    "wait": lambda listener, _: listener.wait(),
    "subscribe": lambda listener, other: other.subscribe(listener),
    "start": lambda listener, _: listener._runtime.start(Listener, name="child of the dead"),
    "run": lambda listener, _: Flow.from_iterable([1]).to_list(name="list").run(runtime=listener._runtime),
    "stream": lambda listener, _: next(listener._runtime.stream([listener])),
    "supervise": lambda listener, _: listener._runtime.supervise(Supervisor(), name="child of the dead"),
}
"""What would have to give it something."""


@pytest.mark.parametrize("attempt", REFUSED)
def test_what_one_asks_that_has_overstayed_is_refused(runtime, after_death, listener, attempt):
    other = runtime.start(Collects)
    listener._runtime = runtime
    error = after_death(lambda _: REFUSED[attempt](listener, other))

    assert isinstance(error, DeadStageError)
    assert (error.name, error.reason) == ("child", Killed())
    assert listener.call("heard") == []
    assert runtime.find("child of the dead") is None


def test_a_subscription_that_one_makes_which_has_overstayed_is_none(runtime, after_death, listener):
    other = runtime.start(Collects)
    after_death(lambda _: other.async_subscribe(listener))
    other.call(None)

    assert listener.call("heard") == []


def test_an_answer_that_comes_from_the_dead_is_none(after_death):
    heard = []

    class Caller:
        """An address for an answer."""

        def deliver(self, value):
            heard.append(value)

    after_death(lambda stage: stage.stage.reply(Caller(), "answer"))
    assert heard == []


@pytest.mark.parametrize(
    "made", [(blocking, result) for blocking in (False, True) for result in (["event"], Finish(["event"]))]
)
def test_what_a_callback_of_the_dead_returns_is_dropped(runtime, doer, stuck, gate, made):
    blocking, result = made
    dead = runtime.start(doer, blocking=blocking)
    sink = runtime.start(Collects)
    sink.subscribe(dead, cancel="temporary")
    stuck(dead, lambda _: result)
    dead.kill()
    gate.set()
    wait_until(lambda: not runtime.abandoned)

    assert sink.call("events") == []
    assert dead.reason == Killed()
    assert sink.alive


def test_an_error_of_the_dead_is_nobodys(start, stuck, gate, runtime):
    ref, _ = start()
    stuck(ref, lambda _: 1 / 0)
    ref.kill()
    gate.set()
    wait_until(lambda: not runtime.abandoned)

    assert ref.reason == Killed()  # and no error was logged


def test_the_dead_can_ask_whether_they_should_go_on(start, stuck, gate):
    ref, _ = start()
    alive = []
    done = threading.Event()
    stuck(ref, lambda stage: (alive.append(stage.stage.ref.alive), done.set())[2:])
    ref.kill()
    gate.set()
    assert done.wait(DEADLINE_S)

    assert alive == [False]


def test_the_thread_of_the_dead_is_nobodys_mouth_any_more_after_the_turn(
    runtime, start, stuck, gate, listener
):
    """Its thread becomes a spare, and what its next turns send counts."""
    for _ in range(5):
        ref, _ = start()
        stuck(ref)
        ref.kill()
    gate.set()
    wait_until(lambda: not runtime.abandoned)
    stages = [start()[0] for _ in range(10)]
    inside, barrier = [], threading.Barrier(len(stages) + 1)

    def speak(stage):
        inside.append(threading.current_thread().name)
        with stage.stage.blocking():
            barrier.wait(DEADLINE_S)  # all at once: in as many threads
        listener.cast(stage.stage.name)

    for stage in stages:
        stage.cast(speak)
    barrier.wait(DEADLINE_S)
    wait_until(lambda: len(listener.call("heard")) == len(stages))
    assert len(set(inside)) == len(stages)


# -- who kills ----------------------------------------------------------------------------------------


class Fails(logging.Handler):
    def emit(self, _record):
        raise OSError("the disk is full")


def test_a_log_handler_that_fails_does_not_keep_a_kill_from_being_one(start, stuck, gate, capsys):
    ref, _ = start()
    stuck(ref)
    handler = Fails()
    logger = logging.getLogger("genstage.runtime")
    logger.addHandler(handler)
    try:
        ref.kill()
    finally:
        logger.removeHandler(handler)

    assert ref.reason == Killed()
    assert "OSError: the disk is full" in capsys.readouterr().err
    gate.set()


def test_a_watch_of_one_that_was_killed_hears_no_proc(start):
    ref, _ = start()
    ref.kill()
    watcher = Watcher(ref._actor)

    assert watcher.heard == [Down(1, NoProc())]
    with pytest.raises(PipelineError, match="killed"):
        ref.wait()
