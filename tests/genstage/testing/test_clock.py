import pytest

from genstage.errors import OptionError
from genstage.testing import ManualClock


def test_functions_are_called_in_their_order_at_their_time():
    clock = ManualClock()
    told = []
    for delay_s in (3, 1, 2, 1):
        clock.after(delay_s, lambda delay_s=delay_s: told.append((delay_s, clock.now_s)))
    clock.advance(0.5)
    assert told == []
    clock.advance(2)
    assert told == [(1, 1), (1, 1), (2, 2)]
    assert (clock.now_s, clock.next_s) == (2.5, 3)
    clock.advance(0.5)
    assert told[3:] == [(3, 3)]
    assert clock.next_s is None


def test_what_is_set_meanwhile_is_called_too_if_its_time_comes():
    clock = ManualClock()
    told = []

    def tick():
        told.append(clock.now_s)
        clock.after(1, tick)

    clock.after(1, tick)
    clock.advance(3)
    assert told == [1, 2, 3]


@pytest.mark.parametrize("seconds", [-1, float("nan"), "1", float("inf")])
def test_time_only_moves_on(seconds):
    with pytest.raises(OptionError, match="seconds"):
        ManualClock().advance(seconds)
