"""Children that are started again each for itself, on the simulated network."""

import pytest

from genstage import Consumer, GaveUp, Killed, Named, Normal, Shutdown, Stop
from genstage.supervision import ChildEnded, ChildStarted, StageLaunch
from genstage.supervision.independent import IndependentChild, IndependentChildren
from genstage.supervision.intensity import Intensity
from genstage.testing import Simulation


class Boss:
    """A supervisor's behaviour that writes down what its children come to, and does what it is told."""

    def __init__(self, port):
        self.port = port
        self.family = IndependentChildren(port, "boss", Intensity(2, 5.0))
        self.events = []

    def start(self):
        return None

    def handle(self, message):
        if callable(message):
            message(self)
        elif (event := self.family.handle(message)) is not None:
            self.events.append(event)


class Works(Consumer):
    """Starts as its ways say, one a start; ends as it is told."""

    def __init__(self, ways):
        self.ways = ways

    def init(self):
        reason = self.ways.pop(0) if self.ways else None
        return None if reason is None else Stop(reason)

    def handle_cast(self, reason):
        return Stop(reason)


class Bench:
    def __init__(self, simulation):
        self.simulation = simulation
        self.boss = simulation._network.spawn(Boss, name="boss", at_once=True, on_started=lambda _: None)
        self.family = self.boss.behaviour.family

    def tell(self, action):
        """What the children come to when the boss has done something, and everything is at rest."""
        boss = self.boss.behaviour
        self.boss.tell(action)
        self.simulation.run()
        events, boss.events = boss.events, []
        return events

    def start(self, restart="transient", ways=(), **options):
        ways = list(ways)
        child = IndependentChild("child", StageLaunch(lambda: Works(ways), "child"), restart, **options)
        return child, self.tell(lambda boss: boss.family.start(child))

    def end(self, child, reason):
        if isinstance(reason, Killed):
            return self.tell(lambda boss: boss.port.kill(child.actor, reason))
        return self.tell(lambda _: child.launch.handle(child.actor).cast(reason))

    def stop(self, child):
        """Also what there is to be told at once."""
        at_once = []
        return self.tell(lambda boss: at_once.append(boss.family.stop(child))), at_once


@pytest.fixture
def bench():
    with Simulation(seed=5) as simulation:
        yield Bench(simulation)


FAILED = Named("failed")


@pytest.mark.parametrize(
    ("restart", "reason", "again"),
    [
        ("permanent", Normal(), True),
        ("permanent", Shutdown(), True),
        ("permanent", FAILED, True),
        ("transient", Normal(), False),
        ("transient", Shutdown("x"), False),
        ("transient", FAILED, True),
        ("transient", Killed(), True),
        ("temporary", Normal(), False),
        ("temporary", FAILED, False),
        ("temporary", Killed(), False),
    ],
)
def test_who_is_started_again(bench, restart, reason, again):
    child, events = bench.start(restart)
    assert events == [ChildStarted(child)]
    first = child.actor
    events = bench.end(child, reason)
    if again:
        assert events == [ChildStarted(child)]
        assert child.actor is child.known is not first
        assert list(bench.family.members) == [child]
    else:
        assert events == [ChildEnded(child, reason, started=True)]
        assert not bench.family.members


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("reason", [Normal(), FAILED])
def test_one_that_does_not_start_is_gone(bench, restart, reason):
    child, events = bench.start(restart, [reason])
    assert events == [ChildEnded(child, reason, started=False)]
    assert not bench.family.members


def test_a_restart_that_fails_is_tried_again(bench, expected_errors):
    child, _ = bench.start(ways=[None, FAILED, None])
    assert bench.end(child, FAILED) == [ChildStarted(child)]
    assert child.incarnation == 3
    assert [record.event for record in expected_errors] == ["child not restarted"]


def test_a_restart_that_has_nothing_to_do_is_the_childs_end(bench):
    child, _ = bench.start("permanent", ways=[None, Normal()])
    assert bench.end(child, FAILED) == [ChildEnded(child, Normal(), started=False)]
    assert not bench.family.members


def test_too_many_restarts_are_given_up(bench, expected_errors):
    one, _ = bench.start()
    two, _ = bench.start()
    assert bench.end(one, FAILED) == [ChildStarted(one)]
    assert bench.end(two, FAILED) == [ChildStarted(two)]
    assert bench.end(one, Killed()) == [GaveUp("boss", "child", 2, 5.0, Killed())]
    assert list(bench.family.members) == [two]
    assert [record.event for record in expected_errors] == ["gave up"]


def test_restarts_in_another_window_do_not_count(bench):
    child, _ = bench.start()
    for _ in range(3):
        for _ in range(2):
            assert bench.end(child, FAILED) == [ChildStarted(child)]
        bench.simulation.advance(5.1)


def test_one_that_was_stopped_is_not_started_again(bench):
    child, _ = bench.start("permanent")
    assert bench.stop(child) == ([ChildEnded(child, Shutdown(), started=True)], [None])
    assert not bench.family.members


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize("all_of_them", [False, True])
def test_one_between_two_attempts_is_stopped_at_once(bench, all_of_them):
    child, _ = bench.start(ways=[None, FAILED])
    first, seen = child.actor, []

    def stop_when_it_waits(boss):
        if child.alive:
            boss.port.send(boss.port.me, stop_when_it_waits)  # behind what waits there
            return
        seen.extend([child.restarting, boss.family.find(first)])
        seen.append(boss.family.stop_all() if all_of_them else boss.family.stop(child))
        seen.extend(boss.family.members)

    child.launch.handle(first).cast(FAILED)
    assert bench.tell(stop_when_it_waits) == []
    assert seen == [True, child, None if all_of_them else ChildEnded(child, Shutdown(), started=False)]
    assert child.incarnation == 2  # the attempt that was on its way came too late
    assert bench.family.find(first) is None


def test_while_it_is_started_again_a_child_is_found_by_both_its_incarnations(bench):
    child, _ = bench.start()
    first = child.actor
    child.launch.handle(first).cast(FAILED)
    while child.actor is first:
        bench.simulation.step()
    assert child.restarting
    assert bench.family.find(first) is bench.family.find(child.actor) is child
    bench.simulation.run()
    assert not child.restarting
    assert bench.family.find(child.actor) is child
    assert bench.family.find(first) is None


def test_all_are_stopped_and_none_is_started_again(bench):
    children = [bench.start("permanent")[0] for _ in range(3)]
    events = bench.tell(lambda boss: boss.family.stop_all())
    assert {event.child for event in events} == set(children)
    assert {type(event) for event in events} == {ChildEnded}
    assert not bench.family.members


def test_one_whose_name_was_taken_is_not_tried_again_once_all_are_to_stop(bench):
    child, _ = bench.start(listed=True)

    def replace(boss):
        boss.port.kill(child.actor, Killed())
        other = {"own_lane": False, "listed": True, "on_started": lambda _: None}
        boss.port.spawn(StageLaunch(Consumer, "child").make, name="child", **other)

    handle = bench.boss.behaviour.handle

    def handle_and_stop(message):
        handle(message)
        if child.incarnation == 2 and child.alive:  # it was refused, which the boss is about to hear
            bench.family.stop_all()

    bench.boss.behaviour.handle = handle_and_stop
    (end,) = bench.tell(replace)
    assert (type(end), end.started, len(bench.family.members)) == (ChildEnded, False, 0)
