import threading

from genstage._runtime.latch import Latch

DEADLINE_S = 20.0


def test_it_calls_each_function_once_and_those_that_come_late_at_once():
    latch, told = Latch(), []
    latch.on_set(lambda: told.append("early"))
    take_back = latch.on_set(lambda: told.append("taken back"))
    take_back()
    assert not latch.wait(0)
    latch.set()
    latch.set()
    latch.on_set(lambda: told.append("late"))()
    assert told == ["early", "late"]
    assert latch.wait(0)


def test_whoever_waits_is_woken():
    latch, woken = Latch(), []
    waiting = threading.Thread(target=lambda: woken.append(latch.wait(DEADLINE_S)))
    waiting.start()
    latch.set()
    waiting.join(DEADLINE_S)
    assert woken == [True]
