from types import SimpleNamespace

import pytest

from genstage._runtime import monitor as module
from genstage._runtime.monitor import Monitor


class Lane:
    """A lane whose looks are written down: at what time, and whose turn is found."""

    def __init__(self, looks, monkeypatch):
        self.looks = list(looks)
        self.name, self.runtime = "lane", "test"
        self.sleeping = self.waiting = False
        self.stolen = []
        self.now_s = 0.0
        self.monitor = Monitor(self, "monitor")
        self.monitor._interval_s = 0.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))

    def in_turn(self):
        self.now_s, item = self.looks.pop(0)
        if not self.looks:
            self.monitor._ended = True
        return item

    def steal(self, item):
        self.stolen.append(item[0])

    def run(self):
        self.monitor._run()


def actor():
    return SimpleNamespace(sampled_s=0.0)


def test_the_time_since_the_last_look_is_that_of_the_actor_whose_turn_it_finds(monkeypatch):
    one, other = actor(), actor()
    looks = [(0.005, (one, 1)), (0.010, (other, 1)), (0.025, (other, 2)), (0.030, (one, 2))]
    lane = Lane(looks, monkeypatch)
    lane.run()

    assert one.sampled_s == pytest.approx(0.010)
    assert other.sampled_s == pytest.approx(0.020)
    assert lane.stolen == []


def test_nobody_is_noted_between_turns(monkeypatch):
    one = actor()
    Lane([(0.005, None), (1.0, None), (1.005, (one, 1)), (2.0, None)], monkeypatch).run()

    assert one.sampled_s == pytest.approx(0.005)


def test_the_time_while_it_was_parked_is_nobodys(monkeypatch):
    one = actor()
    lane = Lane([(0.005, None), (10.005, (one, 1))], monkeypatch)
    looks = lane.in_turn

    def in_turn():
        item = looks()
        if item is None:
            lane.monitor.park()
            lane.monitor._go = SimpleNamespace(acquire=unparked)
        return item

    def unparked(**_):
        if lane.monitor._parked:
            lane.now_s = 10.0
            lane.monitor._parked = False

    lane.in_turn = in_turn
    lane.run()

    assert one.sampled_s == pytest.approx(0.005)


def test_a_turn_that_others_wait_for_is_noted_until_it_loses_the_baton(monkeypatch):
    one = actor()
    item = (one, 1)
    lane = Lane([(0.005, item), (0.010, item)], monkeypatch)
    lane.waiting = True
    lane.run()

    assert one.sampled_s == pytest.approx(0.010)
    assert lane.stolen == [one]
