import queue
import threading

import pytest

from genstage import Consumer, OptionError
from genstage._core.results import Reply
from genstage._runtime.timers import Timers

DEADLINE_S = 20.0


@pytest.fixture
def timers():
    made = Timers("test-timers")
    yield made
    made.close(DEADLINE_S)


class Clock:
    """A clock that is moved by hand."""

    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    moved = Clock()
    monkeypatch.setattr("genstage._runtime.timers.time", moved)
    return moved


def test_functions_are_called_when_they_are_due_the_earliest_first(timers, clock):
    called = queue.Queue()
    for delay_s in (3, 1, 2, 4):
        timers.after(delay_s, lambda delay_s=delay_s: called.put(delay_s))
    clock.now = 3.0
    timers.after(0, lambda: called.put("now"))  # the clock is looked at

    assert [called.get(timeout=DEADLINE_S) for _ in range(4)] == [1, 2, 3, "now"]
    assert called.empty()


def test_equally_due_ones_keep_their_order(timers, clock):
    called = queue.Queue()
    for number in range(5):
        timers.after(1, lambda number=number: called.put(number))
    clock.now = 1.0
    timers.after(0, lambda: None)

    assert [called.get(timeout=DEADLINE_S) for _ in range(5)] == list(range(5))


def test_nothing_is_called_after_the_close_and_the_thread_has_ended(timers):
    called = []
    timers.after(3_600, lambda: called.append("late"))
    timers.close(DEADLINE_S)
    timers.after(0, lambda: called.append("later"))

    assert called == []
    assert timers._due == []
    assert not timers._thread.is_alive()


def test_a_delay_of_centuries_does_not_break_the_others(timers):
    called = threading.Event()
    timers.after(1e300, called.clear)
    timers.after(0, called.set)

    assert called.wait(DEADLINE_S)
    timers.close(DEADLINE_S)


def test_a_stage_hears_from_itself_later(runtime):
    heard = queue.Queue()

    class Late(Consumer):
        def init(self):
            self.stage.send_after(0.01, "later")
            self.stage.send("now")

        def handle_info(self, message):
            heard.put(message)

    runtime.start(Late)

    assert [heard.get(timeout=DEADLINE_S) for _ in range(2)] == ["now", "later"]


@pytest.mark.parametrize("delay_s", [-1, float("nan"), float("inf"), "1"])
def test_a_delay_that_is_none_is_refused(start, delay_s):
    ref, _ = start()

    def later(stage, _reply_to):
        with pytest.raises(OptionError) as caught:
            stage.stage.send_after(delay_s, "never")
        return Reply(caught.value.option)

    assert ref.call(later) == "delay_s"
