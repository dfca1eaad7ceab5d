import gc
import threading

import pytest

from genstage import Killed, NoProc, Normal, Shutdown
from genstage._core.messages import Down, Message, Stop
from genstage._runtime.engine import Engine
from genstage._runtime.shared_lane import HAS_GIL

DEADLINE_S = 20.0


class Listener:
    """A behaviour that keeps what it is told, and watches what it is told to."""

    def __init__(self, port):
        self.port = port
        self.heard = []
        self.changed = threading.Condition()

    def start(self):
        return None

    def handle(self, message):
        if isinstance(message, Stop):
            self.port.stop(message.reason)
            return
        with self.changed:
            self.heard.append(message)
            self.changed.notify_all()

    def hears(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.heard) >= count, DEADLINE_S)
        return self.heard


class Mortal:
    """A behaviour that ends when told to, telling somebody before it does."""

    def __init__(self, port, friend=None):
        self.port, self.friend = port, friend

    def start(self):
        return None

    def handle(self, message):
        if isinstance(message, Stop):
            for number in range(3):
                self.port.send(self.friend, Message(number))
            self.port.stop(message.reason)


@pytest.fixture
def engine():
    made = Engine("test")
    yield made
    made.close(DEADLINE_S)


@pytest.fixture
def spawn(engine):
    def spawn(behaviour, **options):
        started = threading.Event()
        actor = engine.spawn(behaviour, name="actor", on_started=lambda _: started.set(), **options)
        assert started.wait(DEADLINE_S)
        return actor

    return spawn


@pytest.mark.parametrize("own_lane", [False, True])
def test_the_down_comes_once_and_after_the_dying_turns_sends(spawn, own_lane):
    listener = spawn(Listener)
    mortal = spawn(lambda port: Mortal(port, listener), own_lane=own_lane)
    number = listener.driver.watch(mortal)
    mortal.tell(Stop(Normal()))

    heard = listener.behaviour.hears(4)
    assert heard == [Message(0), Message(1), Message(2), Down(number, Normal())]
    assert listener.driver.watched == {}


def test_each_watch_has_its_own_down(spawn):
    listener, mortal = spawn(Listener), spawn(Mortal)
    numbers = [listener.driver.watch(mortal) for _ in range(3)]
    mortal.tell(Stop(Shutdown("enough")))

    assert listener.behaviour.hears(3) == [Down(number, Shutdown("enough")) for number in numbers]


def test_the_already_dead_are_no_proc(spawn):
    listener, mortal = spawn(Listener), spawn(Mortal)
    mortal.tell(Stop(Normal()))
    assert mortal.actor_stopped.wait(DEADLINE_S)
    number = listener.driver.watch(mortal)

    assert listener.behaviour.hears(1) == [Down(number, NoProc())]


def test_a_watch_taken_back_is_silent(spawn):
    listener, mortal = spawn(Listener), spawn(Mortal)
    listener.driver.unwatch(listener.driver.watch(mortal))
    kept = listener.driver.watch(mortal)
    mortal.tell(Stop(Normal()))

    assert listener.behaviour.hears(1) == [Down(kept, Normal())]


@pytest.mark.repeat
@pytest.mark.parametrize("own_lane", [False, True])
@pytest.mark.parametrize("kill", [False, True])
def test_watches_and_a_death_at_the_same_time_give_exactly_one_down_each(engine, spawn, own_lane, kill):
    for _ in range(20):
        mortal = spawn(Mortal, own_lane=own_lane)
        listeners = [spawn(Listener) for _ in range(4)]
        numbers = {listener: [] for listener in listeners}
        together = threading.Barrier(len(listeners) + 1)

        def watch(listener, mortal=mortal, numbers=numbers, together=together):
            together.wait()
            numbers[listener] += [listener.driver.watch(mortal) for _ in range(20)]

        threads = [threading.Thread(target=watch, args=(listener,)) for listener in listeners]
        for thread in threads:
            thread.start()
        together.wait()
        if kill:
            engine.kill(mortal, Killed())
        else:
            mortal.tell(Stop(Normal()))
        for thread in threads:
            thread.join()
        assert mortal.actor_stopped.wait(DEADLINE_S)

        for listener in listeners:
            listener.tell("last")
            heard = listener.behaviour.hears(21)
            assert heard.pop() == "last"
            assert sorted(down.watch for down in heard) == sorted(numbers[listener])
            assert {type(down.reason) for down in heard} <= {NoProc, Killed if kill else Normal}
            assert listener.driver.watched == {}


def test_the_dead_watch_nobody(engine, spawn):
    watcher, mortal = spawn(Mortal), spawn(Mortal)
    engine.kill(watcher, Killed())
    watcher.driver.watch(mortal)

    assert mortal._watchers == {}


class Ear:
    """What a driver needs of a peer: pairs that are put into it, as into a lane."""

    def __init__(self):
        self.pairs = []
        self.append = self.pairs.append
        self.lane = self
        self.sleeping = False

    def notify(self, number, reason):
        self.append((self, Down(number, reason)))


@pytest.mark.skipif(not HAS_GIL, reason="without a global lock a message may be in between, as documented")
def test_a_kill_that_the_garbage_collector_lets_in_leaves_nothing_behind_the_down(engine, spawn):
    mortal, ear = spawn(Mortal), Ear()
    mortal.add_watcher(1, ear)

    def collected(phase, _):
        if phase == "start" and len(ear.pairs) >= 50:
            engine.kill(mortal, Killed())

    thresholds = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(1)
    try:
        for number in range(5_000):  # more than there are tuples that are used again
            mortal.driver.send(ear, number)
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(collected)

    *sent, last = (message for _, message in ear.pairs)
    assert last == Down(1, Killed())
    assert sent == list(range(len(sent)))
    assert 50 <= len(sent) < 5_000


def test_whoever_ends_takes_its_watches_back(spawn):
    watcher, mortal = spawn(Mortal), spawn(Mortal)
    watcher.driver.watch(mortal)
    assert len(mortal._watchers) == 1
    watcher.tell(Stop(Normal()))
    assert watcher.actor_stopped.wait(DEADLINE_S)

    assert mortal._watchers == {}


def test_a_behaviour_that_raises_ends_its_actor_and_not_the_lane(spawn, expected_errors):
    class Broken(Listener):
        def handle(self, message):
            raise ValueError(message)

    broken, listener = spawn(Broken), spawn(Listener)
    broken.tell("boom")
    listener.tell("alive")

    assert broken.actor_stopped.wait(DEADLINE_S)
    assert listener.behaviour.hears(1) == ["alive"]
    assert [record.exc_info[1].args for record in expected_errors] == [("boom",)]
