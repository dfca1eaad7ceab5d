import queue
import threading
import weakref

import pytest

from genstage import Consumer, OptionError
from genstage._core.reasons import Killed
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


def look(timers):
    """Let the thread look at the clock: nothing else tells it that it was moved."""
    with timers._changed:
        timers._changed.notify()


def test_functions_are_called_when_they_are_due_the_earliest_first(timers, clock):
    called = queue.Queue()
    for delay_s in (3, 1, 2, 4):
        timers.after(delay_s, lambda delay_s=delay_s: called.put(delay_s))
    clock.now = 3.0
    timers.after(0, lambda: called.put("now"))
    look(timers)

    assert [called.get(timeout=DEADLINE_S) for _ in range(4)] == [1, 2, 3, "now"]
    assert called.empty()


def test_equally_due_ones_keep_their_order(timers, clock):
    called = queue.Queue()
    for number in range(5):
        timers.after(1, lambda number=number: called.put(number))
    clock.now = 1.0
    look(timers)

    assert [called.get(timeout=DEADLINE_S) for _ in range(5)] == list(range(5))


def test_an_earlier_one_overtakes_one_that_is_waited_for(timers):
    called, pause = threading.Event(), threading.Event()
    timers.after(3_600, lambda: None)
    while not timers._changed._waiters:
        pause.wait(0.001)
    timers.after(0.001, called.set)

    assert called.wait(DEADLINE_S)


def test_what_was_called_is_let_go_while_the_next_one_is_waited_for(timers):
    class Chunk:
        def take(self):
            pass

    chunk, gone = Chunk(), threading.Event()
    weakref.finalize(chunk, gone.set)
    timers.after(3_600, lambda: None)
    timers.after(0, chunk.take)
    del chunk

    # In small steps: without a global lock, an object of this thread is only let go while this thread runs.
    assert any(gone.wait(DEADLINE_S / 1_000) for _ in range(1_000))


def test_what_was_cancelled_is_not_called(timers, clock):
    called = queue.Queue()
    cancelled = timers.after(1, lambda: called.put("cancelled"))
    last = timers.after(2, lambda: called.put("last"))
    assert repr(cancelled) == "<Timer waiting>"
    assert [cancelled.cancel(), cancelled.cancel()] == [True, False]
    clock.now = 2.0
    look(timers)

    assert called.get(timeout=DEADLINE_S) == "last"
    assert called.empty()
    assert not last.cancel()
    assert [repr(cancelled), repr(last)] == ["<Timer over>"] * 2


def test_cancelled_ones_leave_the_heap_when_they_are_the_greater_part(timers, clock):
    called = queue.Queue()
    many = [timers.after(1 + number, lambda number=number: called.put(number)) for number in range(1_000)]
    sizes = []
    for timer in many[:999]:
        assert timer.cancel()
        sizes.append(len(timers._due))
    assert sizes[499] == 1_000
    assert sizes[500] == 499
    assert sizes[-1] <= 2
    clock.now = 1_000.0
    look(timers)

    assert called.get(timeout=DEADLINE_S) == 999
    assert (timers._due, timers._owned) == ([], {})


def test_cancelled_ones_that_became_due_are_counted_off(timers, clock):
    called = threading.Event()
    first, *rest = (timers.after(delay_s, called.set) for delay_s in (1, 2, 3))
    first.cancel()
    clock.now = 2.0
    look(timers)
    assert called.wait(DEADLINE_S)
    assert (len(timers._due), timers._cancelled) == (1, 0)

    assert rest[1].cancel()
    assert timers._due == []


def test_an_owner_is_forgotten_with_all_it_has_and_nobody_else(timers, clock):
    called = queue.Queue()
    for number in range(10):
        timers.after(1, lambda number=number: called.put(number), owner="odd" if number % 2 else "even")
    timers.forget("odd")
    timers.forget("nobody")
    clock.now = 1.0
    look(timers)

    assert [called.get(timeout=DEADLINE_S) for _ in range(5)] == [0, 2, 4, 6, 8]
    assert called.empty()
    assert timers._owned == {}


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


def test_a_stage_cancels_what_it_has_sent_itself(start):
    ref, stage = start()
    heard = []
    stage.handle_info = heard.append

    def send(stage, _reply_to):
        soon, late = (stage.stage.send_after(delay_s, delay_s) for delay_s in (0.001, 3_600))
        return Reply((soon, late, late.cancel()))

    soon, late, cancelled = ref.call(send)
    assert cancelled
    assert not late.cancel()
    pause = threading.Event()
    for _ in range(20_000):
        if heard:
            break
        pause.wait(0.001)
    assert heard == [0.001]
    assert not soon.cancel()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_timers_of_a_stage_that_has_ended_leave_the_heap(runtime, start, end):
    timers = runtime._engine.timers
    (ref, _), (other, _) = start(), start()

    def send(stage, _reply_to):
        return Reply([stage.stage.send_after(3_600, "never") for _ in range(100)])

    waiting = [*ref.call(send), *other.call(send)]
    if end == "stop":
        ref.stop()
    else:
        runtime._engine.kill(ref._actor, Killed())

    assert sum(timer.cancel() for timer in waiting) == 100
    assert (timers._due, timers._owned) == ([], {})


def test_a_killed_stage_sets_no_timer_any_more(runtime, start, stuck, gate):
    ref, _ = start()
    timers = []
    stuck(ref, lambda stage: timers.append(stage.stage.send_after(3_600, "never")))
    runtime._engine.kill(ref._actor, Killed())
    gate.set()
    while not timers:
        start()[0].stop()

    assert runtime._engine.timers._owned == {}
    assert not timers[0].cancel()
