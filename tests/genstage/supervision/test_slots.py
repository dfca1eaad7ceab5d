import pytest
from hypothesis import given
from hypothesis import strategies as st

from genstage.supervision.slots import Slots


def asked(slots, ends):
    """What is asked for after each end: pairs of its number, from 1, and the count."""
    asks = [(number, slots.finish()) for number in range(1, ends + 1)]
    return [(number, count) for number, count in asks if count]


@pytest.mark.parametrize(
    ("max_demand", "min_demand", "expected"),
    [
        (10, 5, [(5, 5), (10, 5)]),
        (10, 2, [(2, 2), (4, 2), (6, 2), (8, 2), (10, 2)]),
        (10, 0, [(number, 1) for number in range(1, 11)]),
        (10, 1, [(number, 1) for number in range(1, 11)]),
        (10, 9, [(9, 9)]),
        (7, 3, [(3, 3), (6, 3)]),
        (5, 4, [(4, 4)]),
        (3, 2, [(2, 2)]),
        (1, 0, [(1, 1)]),
    ],
)
def test_finished_slots_add_up_to_an_ask(max_demand, min_demand, expected):
    slots = Slots(max_demand, min_demand)
    assert slots.take(max_demand) == 0
    assert asked(slots, max_demand) == expected
    assert (slots.in_use, slots.excess) == (0, 0)
    assert slots.finished == max_demand - sum(count for _, count in expected)


def test_what_has_not_come_is_not_asked_for_again():
    slots = Slots(3, 0)
    assert (slots.take(2), slots.asked) == (0, 1)
    assert (slots.finish(), slots.in_use, slots.asked) == (1, 1, 2)


def test_finished_slots_wait_across_new_events():
    slots = Slots(10, 3)
    slots.take(4)
    assert [slots.finish(), slots.finish()] == [0, 0]
    slots.take(6)
    assert slots.finish() == 3
    assert (slots.in_use, slots.finished, slots.asked) == (7, 0, 3)


def test_an_excess_is_told_and_made_up_for():
    slots = Slots(2, 1)
    assert slots.take(5) == 3
    assert (slots.in_use, slots.excess, slots.asked) == (5, 3, 0)
    assert slots.take(1) == 1
    assert asked(slots, 6) == [(5, 1), (6, 1)]
    assert (slots.in_use, slots.excess, slots.asked) == (0, 0, 2)


def test_finished_slots_that_were_not_asked_for_again_are_not_free():
    slots = Slots(3, 2)
    slots.take(3)
    assert slots.finish() == 0
    assert slots.take(1) == 1


@given(data=st.data(), max_demand=st.integers(1, 12))
def test_children_are_never_more_than_asked_for_and_no_demand_is_lost(data, max_demand):
    min_demand = data.draw(st.integers(0, max_demand - 1))
    slots = Slots(max_demand, min_demand)
    demand, in_use = max_demand, 0
    for _ in range(data.draw(st.integers(0, 60))):
        if demand and data.draw(st.booleans()):
            count = data.draw(st.integers(1, demand))
            assert slots.take(count) == 0
            demand, in_use = demand - count, in_use + count
        elif in_use:
            ask = slots.finish()
            assert ask == 0 or ask == max(min_demand, 1)
            demand, in_use = demand + ask, in_use - 1
        assert (slots.in_use, slots.asked, slots.excess) == (in_use, demand, 0)
        assert slots.finished == max_demand - in_use - demand
        assert 0 <= slots.finished < max(min_demand, 1)
    while in_use:
        demand, in_use = demand + slots.finish(), in_use - 1
    assert demand > 0  # it goes on
    assert demand == max_demand - slots.finished


@given(data=st.data(), max_demand=st.integers(1, 5))
def test_whatever_comes_in_excess_the_children_become_no_more_than_max_demand_again(data, max_demand):
    slots = Slots(max_demand, data.draw(st.integers(0, max_demand - 1)))
    demand = max_demand
    for _ in range(data.draw(st.integers(0, 30))):
        if data.draw(st.booleans()):
            count = data.draw(st.integers(1, 8))
            assert slots.take(count) == max(0, count - demand)
            demand = max(0, demand - count)
        elif slots.in_use:
            demand += slots.finish()
        assert slots.asked == demand >= 0
        assert slots.in_use - slots.excess + demand + slots.finished == max_demand
    while slots.in_use:
        demand += slots.finish()
    assert slots.excess == 0
    assert demand == max_demand - slots.finished > 0
