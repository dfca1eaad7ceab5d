"""The life of a child, on the simulated network and on a runtime."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

import genstage
from genstage import Consumer, Crash, Killed, Named, Normal, OptionError, Producer, Runtime, Shutdown
from genstage._core.messages import Stop
from genstage._runtime.launch import STARTING
from genstage.supervision import Child, ChildEnded, Children, ChildStarted, StageLaunch
from genstage.testing import Simulation

DEADLINE_S = 20.0


class Boss:
    """A supervisor's behaviour that writes down what its children do, and does what it is told."""

    def __init__(self, port):
        self.port = port
        self.children = Children(port)
        self.events = []

    def start(self):
        return None

    def handle(self, message):
        if callable(message):
            message(self)
        elif isinstance(message, Stop):
            self.port.stop(message.reason)
        elif (event := self.children.handle(message)) is not None:
            self.events.append(event)

    def told(self):
        events, self.events = self.events, []
        return events


@pytest.fixture
def simulation():
    with Simulation(seed=3) as simulation:
        yield simulation


@pytest.fixture
def boss(simulation):
    return simulation._network.spawn(Boss, name="boss", at_once=True, on_started=lambda _: None)


@pytest.fixture
def tell(simulation, boss):
    """Let the boss do something, and everything come to rest; gives what its children did."""

    def tell(action):
        boss.tell(action)
        simulation.run()
        return boss.behaviour.told()

    return tell


class Ends(Consumer):
    """Ends as it is told, unless it is deaf; then a stop does nothing."""

    def handle_info(self, message):
        raise message


def stage_child(factory=Ends, name="child", **options):
    return Child(name, StageLaunch(factory, name), **options)


def start(*children):
    return lambda boss: [boss.children.start(child) for child in children]


def stop(child, *reason):
    return lambda boss: boss.children.stop(child, *reason)


def test_a_child_starts_and_ends_and_starts_again(simulation, tell, expected_errors):
    child = stage_child()

    assert tell(start(child)) == [ChildStarted(child)]
    assert (child.alive, child.started, child.incarnation) == (True, True, 1)
    first, error = child.actor, ValueError("it ends")
    child.launch.handle(child.actor).send(error)
    simulation.run()
    assert (child.alive, child.actor.reason) == (False, Crash(error))
    assert tell(start(child)) == [ChildEnded(child, Crash(error), started=True), ChildStarted(child)]
    assert (child.incarnation, child.actor is first) == (2, False)
    assert expected_errors


def test_a_child_that_does_not_start_has_not_started(tell):
    class Refuses(Consumer):
        def init(self):
            return genstage.Stop(Shutdown("not today"))

    child = stage_child(Refuses)

    assert tell(start(child)) == [ChildEnded(child, Shutdown("not today"), started=False)]


def test_a_name_that_is_taken_is_a_failed_start(simulation, boss, tell):
    simulation.start(Consumer, name="child")
    child = stage_child(listed=True)
    (event,) = tell(start(child))

    assert (event.child, event.started) == (child, False)
    assert isinstance(event.reason.exception, OptionError)
    assert not boss.behaviour.children.any_alive


def test_a_child_that_starts_late_has_started_when_it_says_so(simulation, boss, tell):
    class Late(Boss):
        def start(self):
            return STARTING

    class LateLaunch:
        own_lane, control = False, True
        make = Late

    child = Child("late", LateLaunch())

    assert tell(start(child)) == []
    child.actor.tell(lambda late: late.port.started())
    simulation.run()
    assert boss.behaviour.told() == [ChildStarted(child)]


def test_a_child_is_told_to_stop_and_why(simulation, tell):
    reasons = []

    class Tells(Consumer):
        def terminate(self, reason):
            reasons.append(reason)

    child = stage_child(Tells)
    tell(start(child))

    why = Shutdown("enough")
    assert tell(stop(child, why)) == [ChildEnded(child, why, started=True)]
    assert reasons == [why]
    assert tell(stop(child)) == []
    assert simulation.clock.next_s is None  # no timer is left


class Deaf(Boss):
    def handle(self, message):
        if not isinstance(message, Stop):
            super().handle(message)


class DeafLaunch:
    own_lane, control = False, False
    make = Deaf


def test_a_child_that_takes_too_long_is_killed(simulation, boss, tell):
    child = Child("deaf", DeafLaunch(), shutdown_s=3)
    tell(start(child))

    assert tell(stop(child)) == []
    assert tell(stop(child)) == []
    simulation.advance(2.5)
    assert boss.behaviour.told() == []
    simulation.advance(1)
    assert boss.behaviour.told() == [ChildEnded(child, Killed(), started=True)]


def test_a_child_with_all_the_time_it_takes_is_not_killed(simulation, boss, tell):
    child = Child("deaf", DeafLaunch(), shutdown_s=math.inf)
    tell(start(child))

    tell(stop(child))
    assert simulation.clock.next_s is None
    child.actor.end(Named("at last"))
    simulation.run()
    assert boss.behaviour.told() == [ChildEnded(child, Named("at last"), started=True)]


def test_a_child_without_any_time_is_killed_at_once(tell):
    ended = []

    class Terminates(Consumer):
        def terminate(self, reason):
            ended.append(reason)

    child = stage_child(Terminates, shutdown_s=0)
    tell(start(child))

    assert tell(stop(child)) == [ChildEnded(child, Killed(), started=True)]
    assert ended == []


def test_what_an_earlier_incarnation_says_of_its_start_is_not_believed(simulation, boss):
    """A kill can meet the child's own thread between the end of its start and the telling of it."""
    messages = []
    children = Children(boss.driver)
    boss.tell = messages.append
    child = stage_child()
    children.start(child)
    simulation._network.turn(child.actor, None)  # nothing: it has not begun
    simulation.step()
    (started,) = messages
    simulation._network.kill(child.actor, Killed())

    assert isinstance(children.handle(messages[-1]), ChildEnded)
    assert children.handle(started) is None
    children.start(child)
    assert children.handle(started) is None
    assert not child.started


@dataclass
class Tree:
    """Launches a boss that starts another tree below it, and so on; the last one has a stage."""

    depth: int
    bosses: list
    started: Callable[[], None]

    own_lane, control = False, True

    def make(self, port):
        boss = Boss(port)
        self.bosses.append(boss)
        below = Tree(self.depth - 1, self.bosses, self.started) if self.depth else StageLaunch(Ends, "leaf")
        boss.child = Child(f"below {self.depth}", below)
        boss.children.start(boss.child)
        if not self.depth:
            boss.handle = lambda message: Boss.handle(boss, message) or self.started()
        return boss


@pytest.mark.parametrize("end", ["kill", "crash"])
def test_whatever_a_supervisor_dies_of_all_below_it_die_with_it(end, expected_errors):
    bosses = []
    started = threading.Event()
    with Runtime() as runtime:
        engine = runtime._engine
        actor = engine.spawn(
            Tree(3, bosses, started.set).make, name="top", control=True, on_started=lambda _: None
        )
        assert started.wait(DEADLINE_S)
        below = [boss.child.actor for boss in bosses]
        assert [one.alive for one in below] == [True] * 4
        if end == "kill":
            engine.kill(actor, Killed())
        else:
            actor.tell(lambda _: 1 / 0)
            assert actor.wait_end(DEADLINE_S)
        assert [one.reason for one in below] == [Killed()] * 4
        assert set(engine._actors) == set()
    assert bool(expected_errors) == (end == "crash")
    expected_errors.append(None)


def test_what_a_dead_supervisor_still_starts_is_killed():
    """It was killed in the middle of a turn, and does not know."""
    inside, gate, over = threading.Event(), threading.Event(), threading.Event()
    child = stage_child()

    def turn(boss):
        inside.set()
        gate.wait(DEADLINE_S)
        boss.children.start(child)
        over.set()

    with Runtime() as runtime:
        engine = runtime._engine
        actor = engine.spawn(Boss, name="boss", own_lane=True, on_started=lambda _: None)
        actor.tell(turn)
        assert inside.wait(DEADLINE_S)
        engine.kill(actor, Killed())
        gate.set()
        assert over.wait(DEADLINE_S)
        assert child.actor.reason == Killed()
        assert set(engine._actors) == set()


def test_children_that_have_ended_are_not_kept():
    done = threading.Event()

    class Short(Producer):
        def init(self):
            self.stage.stop(Normal())

    shorts = [stage_child(Short, f"short {number}") for number in range(100)]

    class Counts(Boss):
        def handle(self, message):
            super().handle(message)
            if sum(isinstance(event, ChildEnded) for event in self.events) == len(shorts):
                done.set()

    with Runtime() as runtime:
        actor = runtime._engine.spawn(Counts, name="boss", on_started=lambda _: None)
        actor.tell(start(*shorts))
        assert done.wait(DEADLINE_S)
        assert actor.driver.children == {}
        assert not actor.behaviour.children.any_alive
