"""Stages that block on the lane they share with others."""

import logging
import threading
from queue import SimpleQueue

import pytest

from genstage import Reply
from genstage._core.messages import Stop
from genstage._core.reasons import Killed
from genstage._runtime import engine as engine_module
from genstage._runtime.engine import Engine
from genstage._runtime.shared_lane import SharedLane

DEADLINE_S = 20.0


def alive(ref):
    """A call that is answered when the stage's lane goes on."""
    return ref.call(lambda *_: Reply("alive"), timeout_s=DEADLINE_S) == "alive"


@pytest.fixture
def no_steals(monkeypatch):
    """A monitor that takes nothing."""
    monkeypatch.setattr(SharedLane, "steal", lambda *_: None)


@pytest.mark.usefixtures("no_steals")
def test_around_what_blocks_a_stage_lets_the_others_go_on(start, gate):
    (ref, _), (other, _) = start(), start()
    inside, after = threading.Event(), threading.Event()

    def wait(stage):
        with stage.stage.blocking():
            inside.set()
            gate.wait(DEADLINE_S)
        after.set()

    ref.cast(wait)
    assert inside.wait(DEADLINE_S)
    assert alive(other)
    assert not after.is_set()
    gate.set()
    assert alive(ref)  # behind its own turn
    assert after.is_set()


def test_an_error_in_the_block_is_an_error_of_the_callback(start, expected_errors):
    ref, _ = start()

    def fail(stage):
        with stage.stage.blocking():
            raise OSError("no answer")

    ref.cast(fail)
    assert ref._actor.actor_stopped.wait(DEADLINE_S)
    assert str(ref._actor.reason) == "OSError: no answer"
    assert expected_errors


def test_a_stage_that_blocks_without_a_word_holds_up_the_others_for_a_moment_only(start, stuck, gate):
    (ref, _), (other, _) = start(), start()
    stuck(ref)

    assert all(alive(other) for _ in range(100))
    assert ref._actor.lane.steals == 1
    assert not gate.is_set()


def test_that_a_lane_goes_on_without_a_stage_is_told_to_who_debugs(start, stuck, request):
    class Handler(logging.Handler):
        def emit(self, record):
            records.put(record)

    records, logger, handler = SimpleQueue(), logging.getLogger("genstage.runtime"), Handler()
    request.addfinalizer(lambda: (logger.removeHandler(handler), logger.setLevel(logging.NOTSET)))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    ref, _ = start()
    stuck(ref)

    record = records.get(timeout=DEADLINE_S)  # the monitor's thread tells it when the lane goes on already
    assert (record.event, record.stage) == ("a lane goes on without a turn that takes long", ref.name)
    assert (record.runtime, record.lane) == (ref._actor.engine.name, ref._actor.lane.name)


@pytest.mark.usefixtures("no_steals")
def test_a_killed_stage_that_is_stuck_holds_up_nobody_and_its_thread_comes_back(runtime, start, stuck, gate):
    (ref, stage), (other, _) = start(), start()
    thread = stuck(ref, lambda stage: stage.stage.send("unheard"))
    ref.cast(lambda stage: stage.terminated.append("queued"))
    runtime._engine.kill(ref._actor, Killed())
    assert alive(other)
    assert not gate.is_set()
    gate.set()
    lane = other._actor.lane
    while lane._abandoned or any(runner.lost is not None for runner in list(lane._runners)):
        assert alive(other)

    assert stage.terminated == []
    assert lane._busy == 0
    assert thread in [runner.thread for runner in lane._runners]


# -- several lanes, as on a Python without a global lock ----------------------------------------------


class Child:
    """Does nothing but end when it is told to."""

    def __init__(self, port):
        self.port = port

    def start(self):
        return None

    def handle(self, message):
        if isinstance(message, Stop):
            self.port.stop(message.reason)


class Parent(Child):
    """A supervisor of two children, one of them on a lane of its own."""

    def start(self):
        self.children = [
            self.port.spawn(Child, name="child", own_lane=own, on_started=lambda _: None)
            for own in (False, True)
        ]


def test_what_belongs_together_is_on_one_lane_and_supervisors_are_spread(monkeypatch):
    monkeypatch.setattr(engine_module, "HAS_GIL", False)
    monkeypatch.setattr(engine_module.os, "cpu_count", lambda: 3)
    engine = Engine("several")
    started = threading.Semaphore(0)

    def spawn(**options):
        actor = engine.spawn(Parent, name="parent", on_started=lambda _: started.release(), **options)
        assert started.acquire(timeout=DEADLINE_S)
        return actor

    supervisors = [spawn(control=True) for _ in range(4)]
    stages = [spawn() for _ in range(2)]
    lanes = [actor.lane for actor in supervisors]
    assert lanes == [*engine._shared, engine._shared[0]]
    assert len(set(lanes)) == 3
    assert [stage.lane for stage in stages] == [lanes[0]] * 2
    for actor in supervisors:
        shared, own = actor.behaviour.children
        assert shared.lane is actor.lane
        assert own.lane not in lanes
        assert own.home is actor.lane
    assert spawn(near=supervisors[1]).lane is lanes[1]
    engine.close(DEADLINE_S)
