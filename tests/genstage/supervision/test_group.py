"""The group on a port that writes down what it does: no actor, no thread."""

import pytest

from genstage import Crash, Killed, NoProc, Normal, Shutdown
from genstage._core.messages import Down, Message, Stop
from genstage.supervision import Child, ChildEnded, ChildrenStarted, Group


class Actor:
    def __init__(self, name, on_started):
        self.name, self.on_started, self.reason = name, on_started, None

    def __repr__(self):
        return self.name


class Timer:
    def __init__(self, pending, message):
        self.pending, self.message = pending, message

    def cancel(self):
        self.pending.remove(self.message)


class Launch:
    """What a group needs of what a child is."""

    control = False

    def __init__(self, name):
        self.own_lane = name.startswith("own")

    def make(self, port):
        raise NotImplementedError


class Port:
    """Satisfies what a group needs of a supervisor's port."""

    def __init__(self):
        self.effects = []
        self.children = {}
        self.mailbox = []
        self.watches = {}
        self.overdue = []

    @property
    def me(self):
        return self

    def tell(self, message):
        self.mailbox.append(message)

    def spawn(self, _make, *, name, own_lane, on_started, **_):
        self.effects.append(("spawn", name, own_lane))
        return self.children.setdefault(name, Actor(name, on_started))

    def watch(self, child):
        number = len(self.watches) + 1
        self.watches[child.name] = number
        return number

    def send(self, child, message):
        self.effects.append(("send", child.name, message))

    def schedule(self, delay_s, message):
        self.effects.append(("schedule", delay_s))
        self.overdue.append(message)
        return Timer(self.overdue, message)

    def kill(self, child, reason):
        self.effects.append(("kill", child.name, reason))

    def took(self):
        """What happened since the last time."""
        effects, self.effects = self.effects, []
        return effects


class Bench:
    """A group under test. Every method gives what the group made of it, and what it did."""

    def __init__(self, *names):
        self.port = Port()
        self.group = Group(self.port, [Child(name, Launch(name), shutdown_s=5) for name in names])

    def start(self):
        self.group.start()
        return self.port.took()

    def started(self, name, reason=None):
        self.port.children[name].on_started(reason)
        messages, self.port.mailbox = self.port.mailbox, []
        events = [self.group.handle(message) for message in messages]
        return events[0] if events else None, self.port.took()

    def down(self, name, reason):
        child = self.port.children[name]
        child.reason = reason
        event = self.group.handle(Down(self.port.watches[name], reason))
        assert (event.child.actor, event.reason) == (child, reason)
        return self.port.took()

    def stop(self):
        self.group.stop()
        return self.port.took()

    def overdue(self):
        for message in list(self.port.overdue):
            assert self.group.handle(message) is None
        return self.port.took()


def running(*names):
    """A bench with all children running."""
    bench = Bench(*names)
    bench.start()
    for name in names:
        event, _ = bench.started(name)
    assert event == ChildrenStarted()
    return bench


def test_children_start_one_after_the_other():
    bench = Bench("a", "own b", "c")

    assert bench.start() == [("spawn", "a", False)]
    assert bench.started("a") == (None, [("spawn", "own b", True)])
    assert bench.started("own b") == (None, [("spawn", "c", False)])
    assert bench.started("c") == (ChildrenStarted(), [])
    assert list(bench.group.children) == ["a", "own b", "c"]
    assert not bench.group.ended


def test_a_child_that_fails_to_start_is_one_that_ended_and_no_further_one_starts():
    bench = Bench("a", "b", "c")
    bench.start()
    bench.started("a")

    assert bench.started("b", Crash(ValueError())) == (None, [])
    assert bench.down("b", Shutdown("not today")) == []
    assert not bench.group.ended
    assert bench.stop() == [("send", "a", Stop(Shutdown())), ("schedule", 5)]
    bench.down("a", Shutdown())
    assert bench.group.ended
    assert list(bench.group.children) == ["a", "b"]


def test_a_child_that_ended_before_it_was_watched_has_its_own_reason():
    bench = Bench("a")
    bench.start()
    child = bench.port.children["a"]
    child.reason = Normal()

    event = bench.group.handle(Down(bench.port.watches["a"], NoProc()))
    assert event == ChildEnded(bench.group.children["a"], Normal(), started=False)
    assert bench.group.actors == {"a": child}


def test_children_are_told_to_stop_the_last_first():
    bench = running("a", "b", "c")

    assert bench.stop() == [
        ("send", "c", Stop(Shutdown())),
        ("schedule", 5),
        ("send", "b", Stop(Shutdown())),
        ("schedule", 5),
        ("send", "a", Stop(Shutdown())),
        ("schedule", 5),
    ]
    assert bench.stop() == []  # once
    for name in ("a", "b", "c"):
        assert not bench.group.ended
        bench.down(name, Shutdown())
    assert bench.group.ended
    assert bench.overdue() == []


def test_who_overstays_is_killed():
    bench = running("a", "b", "c")
    bench.stop()
    bench.down("b", Shutdown())

    assert bench.overdue() == [("kill", "c", Killed()), ("kill", "a", Killed())]
    bench.down("a", Killed())
    bench.down("c", Killed())
    assert bench.group.ended


@pytest.mark.parametrize("reason", [None, Crash(ValueError())])
def test_stopping_while_they_start_starts_no_more_and_reports_no_start(reason):
    for started in ((), ("a",)):
        bench = Bench("a", "b")
        bench.start()
        for name in started:
            bench.started(name)
        starting = "b" if started else "a"
        bench.stop()

        assert bench.started(starting, reason) == (None, [])
        for name in (*started, starting):
            assert not bench.group.ended
            bench.down(name, Shutdown())
        assert bench.group.ended


def test_stopping_when_all_have_ended_schedules_nothing():
    bench = running("a")
    bench.down("a", Normal())

    assert bench.group.ended
    assert bench.stop() == []


def test_what_is_not_about_this_group_means_nothing():
    bench, other = running("a"), running("a")
    other.stop()

    assert bench.group.handle(Message("hello")) is None
    assert bench.group.handle(Down(99, Normal())) is None
    assert bench.group.handle(other.port.overdue[0]) is None
    other.port.children["a"].on_started(None)
    assert bench.group.handle(other.port.mailbox.pop()) is None
    assert bench.port.took() == []


def test_a_group_of_nobody_has_ended():
    bench = Bench()

    assert bench.start() == []
    assert bench.group.ended
