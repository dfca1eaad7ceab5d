"""The arbitration of the shared lane under load: many hand-overs a second, threads that fight for cores."""

import sys
import threading
import time
from itertools import count

import pytest

from genstage._core.reasons import Killed
from genstage._runtime import monitor
from genstage._runtime.calls import Answer
from genstage._runtime.engine import Engine
from genstage._runtime.lane import give_way
from genstage._runtime.shared_lane import HAS_GIL

DEADLINE_S = 20.0
ACTORS = 4
MESSAGES = 100_000
FEEDERS = 2
BURST = 50  # messages a feeder sends to each actor before it waits for an answer of each
INTERVAL_S = 0.000_5
LIMITS_S = [INTERVAL_S * tenths / 10 for tenths in range(8, 24)]
"""How long a turn takes that ends when the monitor is about to take the lane: it was seen once or twice."""


class Worker:
    """A behaviour that notes what must not happen: a second turn at the same time, a message out of order."""

    def __init__(self, port):
        self.port = port
        self.friend = None
        self.handled = 0
        self.inside = 0
        self.wrong = []
        self.expected = {}
        self.told = count()

    def start(self):
        return None

    def handle(self, message):
        if self.inside:
            self.wrong.append(("two turns at once", message[:2]))
        self.inside += 1
        self.work(*message)
        self.inside -= 1

    def work(self, sender, number, answer):
        if number != self.expected.get(sender, 0):
            self.wrong.append(("out of order", sender, number, self.expected.get(sender)))
        self.expected[sender] = number + 1
        self.handled += 1
        if number % 1_000 == 500:
            time.sleep(LIMITS_S[number // 1_000 % len(LIMITS_S)])
        elif number % 1_000 == 750:
            give_way()
        if sender is not self.friend and number % 10 == 0:
            self.port.send(self.friend, (self.port.me, next(self.told), None))
        if answer is not None:
            answer.deliver(number)


def feed(name, actors, messages):
    """Send messages to all actors in turn, and wait for an answer of each now and then."""
    for first in range(0, messages, BURST):
        last = first + BURST - 1
        answers = [Answer() for _ in actors]
        for number in range(first, last):
            for actor in actors:
                actor.tell((name, number, None))
        for actor, answer in zip(actors, answers, strict=True):
            actor.request((name, last, answer), answer)
        for actor, answer in zip(actors, answers, strict=True):
            assert answer.get(actor.name, DEADLINE_S) == last
            actor.forget_request(answer)


def compute(stop):
    while not stop.is_set():
        sum(range(100))
        if not HAS_GIL:  # there they take the cores themselves, and not turns
            time.sleep(0.000_2)


@pytest.fixture
def tense(monkeypatch):
    """A lane whose monitor is quick, and threads that change places as often as they can."""
    monkeypatch.setattr(monitor, "INTERVAL_S", INTERVAL_S)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def cpu_bound():
    """Four threads that always have something to do."""
    stop = threading.Event()
    threads = [threading.Thread(target=compute, args=(stop,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def workers():
    engine = Engine("stress")
    started = threading.Semaphore(0)
    actors = [
        engine.spawn(Worker, name=f"worker-{number}", on_started=lambda _: started.release())
        for number in range(ACTORS)
    ]
    for _ in actors:
        assert started.acquire(timeout=DEADLINE_S)
    for place, actor in enumerate(actors):
        actor.behaviour.friend = actors[place - 1]
    yield actors
    for actor in actors:
        engine.kill(actor, Killed())
    engine.close(DEADLINE_S)


@pytest.mark.usefixtures("tense", "cpu_bound")
def test_no_actor_is_stranded_runs_twice_at_once_loses_order_or_an_answer(workers):
    share = MESSAGES // FEEDERS
    failures = []

    def run(name):
        try:
            feed(name, workers, share)
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    feeders = [threading.Thread(target=run, args=(name,)) for name in range(FEEDERS)]
    for feeder in feeders:
        feeder.start()
    for feeder in feeders:
        feeder.join()
    answers = [Answer() for _ in workers]
    for worker, answer in zip(workers, answers, strict=True):
        worker.request(("last", 0, answer), answer)

    assert failures == []
    assert [answer.get("last", DEADLINE_S) for answer in answers] == [0] * ACTORS
    assert [worker.behaviour.wrong for worker in workers] == [[]] * ACTORS
    assert all(worker.behaviour.expected[name] == share for worker in workers for name in range(FEEDERS))
    assert sum({worker.lane: worker.lane.steals for worker in workers}.values()) > 50
